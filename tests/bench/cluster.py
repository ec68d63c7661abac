"""Servers of one cluster, joined by a Redis, beside Node's with the official adapter:
docs/performance-cluster.md."""

import json
import socket
from collections import namedtuple
from contextlib import ExitStack

import tokens
from common import (BENCH, Load, Server, cell, describe_machine, output_of, ratios, say, show,
                    table)

# servers: kinds of clusters; clients: on the first server, the second, …; alone: all on one
# fanout: settings of that command of the load generator
Scenario = namedtuple("Scenario", "name servers clients fanout")
MEMBERS = 5  # clients in the busy room
BUSY_RATE = 2000


def plan_of(quick):
    seconds, warm = (0.4, 0.2) if quick else (1.2, 0.3)
    fanout = {"seconds": seconds, "warm": warm}
    hop = ("peal-alone", "peal", "node-alone", "node")
    return (
        Scenario("One message at a time", hop, (1, 100), {**fanout, "window": 1, "timed": 1}),
        Scenario("200 messages a second", hop, (1, 100), {**fanout, "rate": 200, "timed": 1}),
        Scenario("64 in flight", ("peal", "node"), (4,),
                 {**fanout, "window": 64, "publishers": 4}),
        Scenario("512 in flight", ("peal", "node"), (4,),
                 {**fanout, "window": 512, "publishers": 4}),
        Scenario(f"{BUSY_RATE} messages a second to a room elsewhere",
                 ("peal", "peal-everything", "node"), (MEMBERS, 10),
                 {**fanout, "rate": BUSY_RATE, "audience": MEMBERS, "event": '"room","busy"'}),
    )


ONE, STEADY, RATE, RATE_MORE, BUSY = range(5)


# --- servers


class Redis(Server):
    """One redis-server that keeps nothing on disk."""

    listens = r"port=(\d+)[\s\S]*Ready to accept connections"

    def __init__(self, build, core):
        with socket.socket() as probe:  # Redis cannot let the system choose
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "",
                   "--appendonly", "no", "--dir", f"{build}/bench"]
        super().__init__(command, f"{build}/bench/redis.log", core)


def command_of(kind, build):
    if kind.startswith("node"):
        return ["node", f"{BENCH}/node-peer.js"]
    subscribe = "everything" if kind == "peal-everything" else "interest"
    return [f"{build}/gateway/peal-gateway", "--set", "gateway.host=127.0.0.1",
            "--set", "gateway.port=0", "--set", "log.level=info",
            "--set", "auth.rooms_claim=rooms", "--set", "routes.events=message=all,room=room",
            "--set", f"bus.subscribe={subscribe}"]


def redis_core(cores):
    return cores[min(2, len(cores) - 1)]


def measure(scenario, kind, build, cores, token_file):
    """cpu_us of the answer: of each server, then of Redis."""
    alone = kind.endswith("-alone")
    clients = [sum(scenario.clients)] if alone else scenario.clients
    with ExitStack() as up:
        redis = None if alone else up.enter_context(Redis(build, redis_core(cores)))
        servers = [up.enter_context(Server(command_of(kind, build), f"{build}/bench/{kind}-{i}.log",
                                           cores[0], redis))
                   for i in range(len(clients))]
        with Load(f"{scenario.name}, {kind}", build, cores[1], token_file, servers,
                  [redis] if redis else []) as load:
            token = 0
            for i, n in enumerate(clients):
                load.do(f"add n={n} server={i} token={token}")
                token += n
            load.do("connect")
            quiet = load.do(f"hold seconds={scenario.fanout['seconds']}") \
                if "audience" in scenario.fanout else {}
            answer = load.do("fanout " + " ".join(f"{name}={value}" for name, value in
                                                  scenario.fanout.items()))
            return {**answer, "quiet": quiet}


def headline(answer):
    delay = answer["delay_us"]
    return (f"{show(per_second(answer))} messages/s, delay {delay['p50']} µs, 99 % {delay['p99']}; "
            f"CPU {'/'.join(show(us / answer['published']) for us in answer['cpu_us'])} µs a message")


def measure_all(plan, rounds, build, cores):
    """All answers of the load generator: a list for each kind, for each scenario."""
    token_file = tokens.write(f"{build}/bench/cluster.tokens",
                              max(sum(scenario.clients) for scenario in plan),
                              lambda i: ["busy"] if i < MEMBERS else [])
    results = [{kind: [] for kind in scenario.servers} for scenario in plan]
    for n in range(rounds):
        for i, scenario in enumerate(plan):
            turn = n % len(scenario.servers)  # nobody is always the first
            for kind in scenario.servers[turn:] + scenario.servers[:turn]:
                answer = measure(scenario, kind, build, cores, token_file)
                results[i][kind].append(answer)
                say(f"round {n + 1}/{rounds}: {scenario.name}, {kind}: {headline(answer)}")
    return results


# --- the document


def per_second(answer):
    return answer["published"] / answer["s"]


def cpu_per_message(answer, i):
    return answer["cpu_us"][i] / answer["published"]


def delays(answers, key):
    """In milliseconds."""
    return [answer["delay_us"][key] / 1000 for answer in answers]


def hop_columns(results, i, kind):
    """One server's delays, those of two on Redis, and what those are more, round by round."""
    alone, joined = results[i][f"{kind}-alone"], results[i][kind]
    columns = [delays(answers, key) for answers in (alone, joined) for key in ("p50", "p99")]
    added = [[b - a for a, b in zip(columns[n], columns[n + 2])] for n in (0, 1)]
    return columns + added + [delays(joined, "max")]


def hop_table(plan, results):
    rows = []
    for i in (ONE, STEADY):
        peal, node = (hop_columns(results, i, kind) for kind in ("peal", "node"))
        rows += [[plan[i].name, "Peal"] + [cell(column) for column in peal],
                 [plan[i].name, "Node"] + [cell(column) for column in node],
                 [plan[i].name, "Node / Peal"] +
                 [cell(ratios(n, p) if min(p + n) > 0 else []) for p, n in zip(peal, node)]]
    return table(["Traffic", "Servers", "One: median", "99 %", "Two on Redis: median", "99 %",
                  "Added: median", "99 %", "Two: greatest"], rows)


def rate_table(plan, results):
    rows = []
    for i in (RATE, RATE_MORE):
        for name, kind in (("Peal", "peal"), ("Node", "node")):
            answers = results[i][kind]
            busy = [a["cpu_us"][0] / a["s"] / 1e6 * 100 for a in answers]
            rows.append([plan[i].name, name, cell([per_second(a) for a in answers]),
                         cell([cpu_per_message(a, 0) for a in answers]), cell(busy),
                         cell([cpu_per_message(a, 1) for a in answers])])
        peal, node = (results[i][kind] for kind in ("peal", "node"))
        server, redis = (ratios([cpu_per_message(a, j) for a in node],
                                [cpu_per_message(a, j) for a in peal]) for j in (0, 1))
        rows.append([plan[i].name, "Node / Peal",
                     cell(ratios(list(map(per_second, node)), list(map(per_second, peal)))),
                     cell(server), "", cell(redis)])
    return table(["Traffic", "Server", "Messages/s", "µs CPU of the server per message",
                  "its core used, %", "µs CPU of Redis per message"], rows)


def busy_table(results):
    rows = []
    for name, kind in (("Peal", "peal"), ("Peal, `bus.subscribe=everything`", "peal-everything"),
                       ("Node", "node")):
        answers = results[BUSY][kind]
        rest = [a["quiet"]["cpu_us"][1] / a["quiet"]["s"] / 1000 for a in answers]
        beside = [a["cpu_us"][1] / a["s"] / 1000 for a in answers]
        each = [(b - r) * 1000 / per_second(a) for a, b, r in zip(answers, beside, rest)]
        rows.append([name, cell(rest), cell(beside), cell(each),
                     cell([cpu_per_message(a, 0) for a in answers]),
                     cell([cpu_per_message(a, 2) for a in answers])])
    return table(["Servers", "B at rest, ms CPU per s", "B beside the busy room, ms CPU per s",
                  "B, µs per message of the room", "A, µs per message", "Redis, µs per message"],
                 rows)


def document(plan, results, build, cores, rounds, watch):
    core = redis_core(cores)
    places = (f"all servers on core {cores[0]}, clients on core {cores[1]}, Redis on core {core}"
              f"{' too' if core == cores[1] else ''}")
    about = describe_machine(build, places, ("libwebsockets", "libevent", "hiredis"),
                             ("socket.io", "@socket.io/redis-adapter", "redis"))
    redis = output_of("redis-server", "--version")
    return f"""# Performance of a cluster

Written by `make bench` (alone: `tests/bench/run cluster`); change `tests/bench/` instead of this file.
One server, beside Node and the floor: [performance.md](performance.md); workers: [performance-workers.md](performance-workers.md).

Medians of {rounds} rounds, in brackets the least and the greatest. Ratios and differences are taken within
each round.

## What the hop through Redis adds

A client of server A sends; time from sending to receipt by the 100 clients of server B, in ms. Beside it
the same 101 clients on one server without Redis.

{hop_table(plan, results)}

## What one server can publish

4 clients of one server send; each message goes through Redis and comes back to all 4.

{rate_table(plan, results)}

## What a busy room costs a server that has no member of it

{MEMBERS} members of a room on server A, {BUSY_RATE} messages a second in that room; 10 clients on server B, none
of them in it.

{busy_table(results)}

## Measured on

{about}
* Redis: {redis}
* {watch.words()}

## How to read it

* **Quote the ratios and the CPU per message.** Times differ from machine to machine and from run to run.
  Where the brackets are wide, or other programs used more than a few percent, run it again on a quiet
  machine.
* **Added** is the difference of the medians, and of the 99 % values, of a round. In it are PUBLISH,
  Redis, the subscription, decoding, and the wait for server A: both servers share a core, and A delivers
  to its own client, too. Redis elsewhere adds the network's round trip. A difference of two 99 % values
  may fall below zero; then there is no ratio.
* **At a fixed rate** a message counts from the moment it was due, and all processes are idle between
  messages: waking up is part of the time, on one server as on two.
* **Messages/s** is what came out with Redis and the clients on the other core{"" if core == cores[1] else "s"}; where the
  server's core was not used fully, they were the limit. A million divided by the CPU per message is
  what a core of the server can do.
* **CPU** is all the time a process was on a core, in the kernel too. That of the server holds the receipt
  from a client, PUBLISH, the message's return and its delivery to 4 clients.
* **B beside the busy room** still has its own traffic: a canary each second and heartbeats. Its share per
  message is what it used more than at rest, which may round to nothing or below.
* Servers run with default settings, but for the routes and the claim that names rooms
  (`auth.rooms_claim`); Redis keeps nothing on disk. **Node** is `tests/bench/node-peer.js` with
  `@socket.io/redis-adapter` on npm's `redis`.
* The clients are `tests/bench/load.c` for all. It fails if a client is refused or closed, or if a message
  is lost; then no document is written.
"""


def run(given, cores, watch):
    plan = plan_of(given.quick)
    results = measure_all(plan, given.rounds, given.build, cores)
    watch.stop()
    with open(f"{given.build}/bench/cluster.json", "w", encoding="utf-8") as out:
        json.dump({scenario.name: answers for scenario, answers in zip(plan, results)}, out,
                  indent=1)
    text = document(plan, results, given.build, cores, given.rounds, watch)
    print(text.split("## How to read it", maxsplit=1)[0], flush=True)
    return {"performance-cluster.md": text}
