"""One server beside Node's Socket.IO and beside the floor: docs/performance.md."""

import json
import time

import goals
import lasting
import report
import scenarios as sc
from cases import CASES
from common import say
from stage import Bench

THOUSAND = {"broadcast": sc.broadcast, "inflight": sc.inflight, "rate": sc.rate,
            "payload": sc.payload, "ack": sc.ack}
LARGE = {"memory": sc.memory, "idle": lasting.idle, "broadcast-large": sc.broadcast_large,
         "rooms": sc.rooms}
ALONE = {"connect": sc.connect, "polling": sc.polling, "growth": lasting.growth,
         "slow": lasting.slow, "reconnect": lasting.reconnect}
NAMES = [*THOUSAND, *LARGE, *ALONE]


def timed(name, scenario, *args):
    start = time.monotonic()
    scenario(*args)
    say(f"{name}: {time.monotonic() - start:.1f} s")


def run_round(bench, turn, names):
    for stage_of, fill, table in ((sc.thousand, sc.fill_thousand, THOUSAND),
                                  (sc.large, sc.fill_large, LARGE)):
        wanted = [name for name in table if name in names]
        if wanted:
            with stage_of(bench) as stage:
                fill(stage)
                for name in wanted:
                    timed(name, table[name], bench, stage, turn)
    for name in ALONE:
        if name in names:
            timed(name, ALONE[name], bench, turn)


def run(given, cores, watch):
    """Returns the files for docs/; None if only some scenarios were asked for."""
    bench = Bench(given.build, cores, given.quick, given.server or ())
    for turn in range(given.rounds):
        say(f"single: round {turn + 1} of {given.rounds}")
        run_round(bench, turn, given.scenario or NAMES)
    watch.stop()
    with open(f"{given.build}/bench/single.json", "w", encoding="utf-8") as out:
        json.dump(bench.results, out, indent=1)
    print(report.case_table(bench.results, CASES), flush=True)
    print(goals.goal_table(bench.results), flush=True)
    if given.scenario:
        return None
    return {"performance.md": report.document(bench.results, given.build, cores, given.rounds, watch),
            **report.plot_files(bench.results)}
