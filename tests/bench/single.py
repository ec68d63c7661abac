"""One server beside Node's Socket.IO and beside the floor: docs/performance.md."""

import json

import scenarios as sc
from cases import CASES, compared, figures
from common import cell, say, table
from stage import Bench

DOCUMENT = "performance.md"

THOUSAND = {"broadcast": sc.broadcast, "inflight": sc.inflight, "rate": sc.rate,
            "payload": sc.payload, "echo": sc.echo}
LARGE = {"memory": sc.memory, "broadcast-large": sc.broadcast_large, "rooms": sc.rooms}
ALONE = {"connect": sc.connect, "polling": sc.polling, "slow": sc.slow, "reconnect": sc.reconnect}
NAMES = [*THOUSAND, *LARGE, *ALONE]


def run_round(bench, turn, names):
    for stage_of, fill, table in ((sc.thousand, sc.fill_thousand, THOUSAND),
                                  (sc.large, sc.fill_large, LARGE)):
        wanted = [name for name in table if name in names]
        if wanted:
            with stage_of(bench) as stage:
                fill(bench, stage)
                for name in wanted:
                    table[name](bench, stage, turn)
    for name in ALONE:
        if name in names:
            ALONE[name](bench, turn)


def result_table(results, keys):
    rows = []
    for key in keys:
        if key in CASES and key in results:
            rows.append([CASES[key].title, CASES[key].unit,
                         *(cell(figures(results, key, server)) for server in sc.FLOORS),
                         cell(compared(results, key, "peal", "floor")),
                         cell(compared(results, key, "node", "peal"))])
    return table(["Scenario", "Unit", "Floor", "Peal", "Node", "Peal / floor", "Node / Peal"], rows)


def run(given, cores, watch):
    """Returns the document, or None if only some scenarios were asked for."""
    bench = Bench(given.build, cores, given.quick)
    for turn in range(given.rounds):
        say(f"single: round {turn + 1} of {given.rounds}")
        run_round(bench, turn, given.scenario or NAMES)
    watch.stop()
    with open(f"{given.build}/bench/single.json", "w", encoding="utf-8") as out:
        json.dump(bench.results, out, indent=1)
    print(result_table(bench.results, CASES), flush=True)
    return None
