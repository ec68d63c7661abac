"""One server beside Node's Socket.IO and beside the floor: docs/performance.md."""

from collections import namedtuple

from common import BENCH, Server, cell, describe_machine, load, ratios, show, table

# name: what the table calls it; key: field of the load generator's answer; args: for bench_load
Scenario = namedtuple("Scenario", "name unit key clients args servers goal")
DOCUMENT = "performance.md"
MEMBERS = 0  # clients whose token names a room


def plan_of(quick):
    seconds, warm = (0.5, 0.2) if quick else (3, 1)
    scale = 10 if quick else 1
    many, some, first = 5000 // scale, 1000 // scale, 500 // scale
    fanout = ["-m", "fanout", "-d", str(seconds), "-W", str(warm)]
    return (
        Scenario(f"Connect: {2000 // scale} clients, HS256 token", "µs CPU per connection",
                 "join_cpu_us", first + 2000 // scale,
                 ["-m", "idle", "-d", "0", "-u", str(first)],
                 ("floor", "peal", "node"), "Peal ≤ 80 µs"),
        Scenario(f"One broadcast at a time to {some}", "µs CPU per delivery", "delivery_cpu_us",
                 some, fanout + ["-w", "1"], ("floor", "peal", "node"), "Peal ≤ 1.2 × floor"),
        Scenario(f"8 broadcasts in flight to {some}", "µs CPU per delivery", "delivery_cpu_us",
                 some, fanout + ["-w", "8"], ("floor", "peal", "node", "floor-each"),
                 "Peal ≤ 1.3 × floor"),
        Scenario(f"Idle: {many} clients with a token", "KiB resident per connection", "rss_kib",
                 many, ["-m", "idle", "-d", str(seconds)], ("peal", "node"), "Peal ≤ 3 KiB"),
    )


def most_clients(plan):
    return max(scenario.clients for scenario in plan)


CONNECT, ONE, EIGHT, IDLE = range(4)


# --- servers


def command_of(server, build, clients):
    if server == "peal":
        limit = max(10000, clients + 100)  # 10000 is the default
        return [f"{build}/cli/peal", "serve", "--set", "gateway.host=127.0.0.1",
                "--set", "gateway.port=0", "--set", f"gateway.max_connections={limit}",
                "--set", "log.level=info"]
    if server == "node":
        return ["node", f"{BENCH}/node-peer.js"]
    return [f"{build}/tests/bench/bench_floor", "each" if server == "floor-each" else "gather"]


def measure(scenario, server, build, cores, tokens):
    command = command_of(server, build, scenario.clients)
    with Server(command, f"{build}/bench/{server}.log", cores[0]) as up:
        return load(f"{scenario.name}, {server}", build, cores[1], tokens, [up],
                    [scenario.clients], scenario.args)


def headline(scenario, answer):
    return f"{show(answer[scenario.key])} {scenario.unit}"


# --- the document


def result_table(plan, results):
    rows = []
    for i, scenario in enumerate(plan):
        value = {server: [answer[scenario.key] for answer in results[i][server]]
                 for server in scenario.servers}
        floor, peal, node = (value.get(name, []) for name in ("floor", "peal", "node"))
        rows.append([scenario.name, scenario.unit, cell(floor), cell(peal), cell(node),
                     cell(ratios(peal, floor)), cell(ratios(node, peal)), scenario.goal])
    return table(["Scenario", "Unit", "Floor", "Peal", "Node", "Peal / floor", "Node / Peal",
                  "Goal"], rows)


def delay_table(plan, results):
    rows = []
    for i in (ONE, EIGHT):
        for server, name in (("floor", "Floor"), ("peal", "Peal"), ("node", "Node")):
            delays = [answer["delay_us"] for answer in results[i][server]]
            rows.append([plan[i].name, name] +
                        [cell([d[key] / 1000 for d in delays]) for key in ("p50", "p99", "max")])
    return table(["Scenario", "Server", "Median, ms", "99 %, ms", "Greatest, ms"], rows)


def document(plan, results, build, cores, rounds, watch):
    each = [answer["delivery_cpu_us"] for answer in results[EIGHT]["floor-each"]]
    gather = [answer["delivery_cpu_us"] for answer in results[EIGHT]["floor"]]
    about = describe_machine(build, f"server on core {cores[0]}, clients on core {cores[1]}",
                             ("libwebsockets", "libevent", "libjwt"),
                             ("socket.io", "jsonwebtoken"))
    return f"""# Performance

Written by `make bench` (alone: `tests/bench/run single`); change `tests/bench/` instead of this file.
Servers joined by a Redis: [performance-cluster.md](performance-cluster.md).

{result_table(plan, results)}

Medians of {rounds} rounds, in brackets the least and the greatest. Ratios are taken within each round.

Time from a message's sending to its receipt by a client, all deliveries of a round:

{delay_table(plan, results)}

## Measured on

{about}
* {watch.words()}

## How to read it

* **Quote the ratios.** Times differ from machine to machine and from run to run; the servers took turns
  within seconds on the same core. Where the brackets are wide, or other programs used more than a few
  percent, run it again on a quiet machine.
* **CPU per delivery** is all the time the server's threads were on a core, in the kernel too, divided by
  the messages that reached a client. Most of it is the kernel's: a send on the loopback interface also
  carries the bytes to the receiver. It decides how many clients a core can serve; wall time here also
  depends on the clients, which have one core for all of them.
* **The floor** (`tests/bench/floor.c`) is a bare epoll server that copies one client's text into ready
  frames for all: no HTTP parsing, no token, no rooms, no queues. What a turn of its loop reads goes out
  in one send per connection. If it sends each message by itself, a delivery with 8 in flight costs
  {cell(each)} µs instead of {cell(gather)} µs: that is what one write per connection and turn is worth.
* **Node** is `tests/bench/node-peer.js`: Socket.IO with `jsonwebtoken` as middleware, one process,
  default settings. Peal runs as `peal serve` with default settings and a log line for each connection.
* **Connect** counts TCP, the WebSocket upgrade, the check of a token of its own for each client, and
  Socket.IO's CONNECT, up to 128 clients at once, after {plan[CONNECT].args[-1]} clients that are not counted.
* **Broadcasts** come from one client; the event carries 100 bytes of filler and goes to all, the sender
  included. In flight means: the next one is sent when that many are not yet delivered to everybody.
  The first second is not counted. Delays here are those of a server that is never idle.
* **Idle memory** is the growth of the resident set from the server's start to all clients connected. The
  kernel's socket buffers are not in it, for any server.
* The clients are `tests/bench/load.c` for all servers. It fails if a client is refused or closed, or if
  a message is lost; then no document is written.
"""
