"""Events that a worker answers, beside those that the gateway acks itself and Node's:
docs/performance-workers.md."""

import json
from collections import namedtuple
from contextlib import ExitStack

import tokens
from cluster import Redis
from common import BENCH, Load, Server, cell, describe_machine, output_of, ratios, say, show, table

# event: what clients emit; against: the case whose delay is what this one's adds to; parts: who
# spends CPU on it, in the order in which its stack's load generator meters them
Case = namedtuple("Case", "name stack event against parts")
CLUSTER = ("gateway", "redis", "worker", "backend")
SERVE = ("gateway", "backend")
CASES = {
    "gateway": Case("Gateway alone", "cluster", "echo", None, CLUSTER),
    "module": Case("Worker, C handler", "cluster", "module", "gateway", CLUSTER),
    "http": Case("Worker, HTTP backend", "cluster", "http", "gateway", CLUSTER),
    "serve-alone": Case("`peal serve` alone", "serve", "echo", None, SERVE),
    "serve-module": Case("`peal serve`, C handler", "serve", "module", "serve-alone", SERVE),
    "serve-http": Case("`peal serve`, HTTP backend", "serve", "http", "serve-alone", SERVE),
    "node": Case("Node, in its process", "node", "echo", None, ("gateway",)),
}
CLIENTS = 256
RATE = 200
TIMED = {"One event at a time": {"window": 1}, f"{RATE} events a second": {"rate": RATE}}
BUSY = {f"{n} in flight": {"window": n} for n in (64, CLIENTS)}
TRAFFIC = {**TIMED, **BUSY}


# --- servers


class Worker(Server):
    """It listens on the admin port only."""

    listens = r'msg="admin listening" port=(\d+)'


def place(cores, wanted, otherwise):
    """A core of its own if there are so many."""
    return cores[wanted if wanted < len(cores) else otherwise]


def places(cores):
    """Who runs where; of two cores the clients' is Redis' and the backend's, too."""
    return {"gateway": cores[0], "clients": cores[1], "redis": place(cores, 2, 1),
            "worker": place(cores, 3, 0), "backend": place(cores, 4, 1)}


def handlers(build, backend):
    route = {"url": f"http://127.0.0.1:{backend.port}/", "events": ["http"], "types": ["event"]}
    return ["--set", f"worker.modules={build}/tests/bench/bench_module.so",
            "--set", f"worker.http={json.dumps([route])}",
            "--set", "worker.http_secret=only-for-the-bench"]


class Stacks:
    """All that is measured, up together and in turns; what waits costs next to nothing."""

    def __init__(self, build, cores, up):
        self.build, self.up, self.at = build, up, places(cores)
        token_file = tokens.write(f"{build}/bench/worker.tokens", CLIENTS)
        gateway = ["--set", "gateway.host=127.0.0.1", "--set", "gateway.port=0",
                   "--set", "routes.events=echo=none,module=worker,http=worker"]
        backend = self.start("backend", [f"{build}/tests/bench/bench_backend"])
        redis = up.enter_context(Redis(build, self.at["redis"]))
        cluster = self.start("gateway", [f"{build}/gateway/peal-gateway", *gateway], redis)
        worker = self.start("worker", [f"{build}/worker/peal-worker", "--set", "admin.port=0",
                                       *handlers(build, backend)], redis, Worker)
        serve = self.start("serve", [f"{build}/cli/peal", "serve", *gateway,
                                     *handlers(build, backend)])
        node = self.start("node", ["node", f"{BENCH}/node-peer.js"])
        self.loads = {
            "cluster": self.load(token_file, cluster, redis, worker, backend),
            "serve": self.load(token_file, serve, backend),
            "node": self.load(token_file, node),
        }

    def start(self, name, command, redis=None, kind=Server):
        core = self.at.get(name, self.at["gateway"])
        return self.up.enter_context(
            kind(command, f"{self.build}/bench/worker-{name}.log", core, redis))

    def load(self, token_file, server, *others):
        load = self.up.enter_context(
            Load(server.log, self.build, self.at["clients"], token_file, [server], others))
        load.do(f"add n={CLIENTS}")
        load.do("connect")
        return load

    def ask(self, case, seconds, warm, **settings):
        words = " ".join(f"{name}={value}" for name, value in settings.items())
        return self.loads[case.stack].do(
            f'ask event="{case.event}" seconds={seconds} warm={warm} {words}')


def measure_all(rounds, build, cores, quick):
    """All answers of the load generator: a list for each case, for each traffic."""
    seconds, warm = (0.2, 0.1) if quick else (0.5, 0.1)
    results = {traffic: {key: [] for key in CASES} for traffic in TRAFFIC}
    keys = list(CASES)
    with ExitStack() as up:
        stacks = Stacks(build, cores, up)
        for key in keys:  # connections to backends, and what compiles late
            stacks.ask(CASES[key], warm * 5, 0, window=64)
        for n in range(rounds):
            for traffic, settings in TRAFFIC.items():
                for key in keys[n % len(keys):] + keys[:n % len(keys)]:  # nobody is always the first
                    answer = stacks.ask(CASES[key], seconds, warm, **settings)
                    results[traffic][key].append(answer)
                    say(f"round {n + 1}/{rounds}: {traffic}, {key}: {headline(answer)}")
    return results


def headline(answer):
    delay = answer["delay_us"]
    cpu = "/".join(show(us / answer["published"]) for us in answer["cpu_us"])
    return (f"{per_second(answer):.0f} events/s, delay {delay['p50']} µs, 99 % {delay['p99']}; "
            f"CPU {cpu} µs an event")


# --- the document


def per_second(answer):
    return answer["published"] / answer["s"]


def delays(answers, key):
    """In milliseconds."""
    return [answer["delay_us"][key] / 1000 for answer in answers]


def cpu_of(answers, case, part):
    """µs an event, round by round; empty: this case has no such part, or does not use it."""
    if part not in case.parts or (part == "backend" and case.event != "http"):
        return []
    i = case.parts.index(part)
    return [answer["cpu_us"][i] / answer["published"] for answer in answers]


def cpu_of_all(answers):
    return [sum(answer["cpu_us"]) / answer["published"] for answer in answers]


def delay_table(results):
    rows = []
    for traffic in TIMED:
        for key, case in CASES.items():
            row = [traffic, case.name]
            columns = {p: delays(results[traffic][key], p) for p in ("p50", "p99")}
            row += [cell(columns["p50"]), cell(columns["p99"])]
            for p, column in columns.items():
                base = delays(results[traffic][case.against], p) if case.against else []
                row.append(cell([a - b for a, b in zip(column, base)]))
            rows.append(row)
    return table(["Traffic", "Who answers", "Median", "99 %", "Added: median", "99 %"], rows)


def cpu_table(results, traffics):
    rows = []
    for traffic in traffics:
        node = cpu_of_all(results[traffic]["node"])
        for key, case in CASES.items():
            answers = results[traffic][key]
            everything = cpu_of_all(answers)
            rows.append([traffic, case.name, cell([per_second(answer) for answer in answers]),
                         *(cell(cpu_of(answers, case, part)) for part in CLUSTER),
                         cell(everything), cell(ratios(everything, node))])
    return table(["Traffic", "Who answers", "Events/s", "Server", "Redis", "Worker", "Backend",
                  "All", "All / Node"], rows)


def core_table(results):
    """What a whole core of workers can do: a million by the CPU of an event."""
    rows = []
    for traffic in BUSY:
        row = [traffic]
        for key, part in (("module", "worker"), ("http", "worker"), ("serve-module", "gateway"),
                          ("serve-http", "gateway"), ("node", "gateway")):
            row.append(cell([1e6 / us for us in cpu_of(results[traffic][key], CASES[key], part)]))
        rows.append(row)
    return table(["Traffic", "Worker, C handler", "Worker, HTTP backend", "`peal serve`, C handler",
                  "`peal serve`, HTTP backend", "Node, in its process"], rows)


def document(results, build, cores, rounds, watch):
    at = places(cores)
    where = (f"gateway, `peal serve` and Node on core {at['gateway']}, worker on core "
             f"{at['worker']}, clients on core {at['clients']}, Redis on core {at['redis']}, "
             f"backend on core {at['backend']}")
    about = describe_machine(build, where, ("libwebsockets", "libevent", "hiredis", "libcurl"),
                             ("socket.io",))
    redis = output_of("redis-server", "--version")
    return f"""# Performance of workers

Written by `make bench` (alone: `tests/bench/run worker`); change `tests/bench/` instead of this file.
Gateways without workers: [performance.md](performance.md), [performance-cluster.md](performance-cluster.md).

{CLIENTS} clients emit events with 100 bytes and an ack. The ack is the gateway's own (route `none`), a handler's in C,
or a backend's over HTTP, or that of Node's Socket.IO, whose handlers are in its process. Medians of {rounds} rounds,
in brackets the least and the greatest. Ratios and differences are taken within each round.

## What a worker adds

From sending an event to its ack, in ms. Added: compared with an ack of the same gateway, or the same
`peal serve`, itself.

{delay_table(results)}

## What an event costs

Events per second through one worker, and µs of CPU an event in each process. All / Node: of all processes
together, compared with Node.

{cpu_table(results, BUSY)}

At {RATE} events a second, where all processes sleep between events and wake up for each:

{cpu_table(results, (f"{RATE} events a second",))}

## What one core can do

Events per second if a process had a core of its own, and others had what they need: a million divided by
its µs of CPU an event.

{core_table(results)}

## Measured on

{about}
* Redis: {redis}
* {watch.words()}

## How to read it

* **Quote the ratios and the CPU per event.** Times differ from machine to machine and from run to run. Where
  the brackets are wide, or other programs used more than a few percent, run it again on a quiet machine.
* **Events/s** is what came out with the processes on those cores. On two of them gateway and worker
  share one, Redis, backend and clients the other: the limit is a core, not the worker.
* **One by one and in flight.** The way to a worker and back leads through Redis twice. Under load each process
  takes many events a turn, and they share what a turn costs: an event is cheaper the more are in flight.
* **At a fixed rate** an event counts from the moment it was due; waking up is part of the time, on all sides.
* **CPU** is all the time a process was on a core, in the kernel too. Of `peal serve` it is gateway and worker
  together. An event is an entry in a stream, kept until its result is published: what Redis pays is the price of
  not losing it when a process dies.
* **The C handler** is `tests/bench/module.c`, the backend `tests/bench/backend.c`: libevent's HTTP server,
  keep-alive, an answer that is always the same. Requests hold the whole item and are signed; nobody checks. What your
  framework and your code take comes on top.
* Servers run with default settings, but for routes and handlers; Redis keeps nothing on disk. **Node** is
  `tests/bench/node-peer.js`, one process without Redis; what is acked there is lost if it ends.
* The clients are `tests/bench/load.c` for all. It fails if a client is refused or closed, if an event is not
  acked, or if its ack is an error; then no document is written.
"""


def run(given, cores, watch):
    results = measure_all(given.rounds, given.build, cores, given.quick)
    watch.stop()
    with open(f"{given.build}/bench/worker.json", "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1)
    text = document(results, given.build, cores, given.rounds, watch)
    print(text.split("## How to read it", maxsplit=1)[0], flush=True)
    return {"performance-workers.md": text}
