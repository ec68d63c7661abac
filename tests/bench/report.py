"""docs/performance.md and its plots, from what the scenarios have kept."""

import statistics

import lasting
from cases import CASES, MAIN, compared, figures, per_message
from common import cell, describe_machine, show, table
from goals import (GROWN, goal_table, grown, idle_cpu, opening_windows, p99_with_slow,
                   reconnect_costs, reconnect_memory)
from plots import dots, lines
from scenarios import BOTH, FLOORS

NAMES = {"floor": "Floor", "peal": "Peal", "node": "Node"}
DELAYED = ("broadcast-1000", "broadcast-10000", "inflight-8", "inflight-64", "rate-10", "rate-25",
           "rooms", "rooms-rate", "payload-64k", "ack", "poll-1", "slow-without", "slow-with")


def case_table(results, keys):
    rows = []
    for key in keys:
        if key in results:
            rows.append([CASES[key].title, CASES[key].unit,
                         *(cell(figures(results, key, server)) for server in FLOORS),
                         cell(compared(results, key, "peal", "floor")),
                         cell(compared(results, key, "node", "peal"))])
    return table(["Scenario", "Unit", "Floor", "Peal", "Node", "Peal / floor", "Node / Peal"], rows)


def delays(results, key, server, share):
    """In milliseconds."""
    return [answer["delay_us"][share] / 1000 for answer in results.get(key, {}).get(server, [])]


def delay_table(results):
    rows = []
    for key in DELAYED:
        for server in FLOORS:
            if server in results.get(key, {}):
                rows.append([CASES[key].title, NAMES[server]] +
                            [cell(delays(results, key, server, share))
                             for share in ("p50", "p99", "p999", "max")])
    return table(["Scenario", "Server", "Median, ms", "99 %, ms", "99.9 %, ms", "Greatest, ms"],
                 rows)


# --- idle clients


def kernel_half(answer):
    return answer["kernel_kib"]["slab"] / 2


def memory_table(results):
    rows = []
    for key, server, idle_key in (("memory", "peal", "idle"), ("memory", "node", "idle"),
                                  ("most", "peal", "idle-most")):
        answers = results.get(key, {}).get(server, [])
        if answers:
            clients = results[idle_key][server][0]["clients"] if idle_key in results else \
                answers[0].get("clients", "")
            rows.append([NAMES[server], str(clients),
                         cell([a["memory_kib"]["rss"] for a in answers]),
                         cell([kernel_half(a) for a in answers]),
                         cell([a["memory_kib"]["rss"] + kernel_half(a) for a in answers]),
                         cell(idle_cpu(results, idle_key, server))])
    return table(["Server", "Idle clients", "Process, KiB each", "Kernel, KiB each",
                  "Together, KiB each", "CPU, % of a core"], rows)


def kernel_objects(results):
    """What the kernel's share is made of, largest first; empty if this user may not see it."""
    caches = results["most"]["peal"][0]["caches_kib"]
    largest = sorted(caches.items(), key=lambda item: -item[1])[:6]
    return "; of that " + ", ".join(f"`{name}` {show(kib / 2)}" for name, kib in largest) \
        if caches else ""


def opening_table(results):
    most = results["most"]["peal"][0]
    rows = [[name, cell(costs)] for name, costs in opening_windows(most)]
    return table(["Open connections", "µs CPU per connection"], rows)


# --- growth, slow clients, reconnecting


def growth_table(results):
    rows = [[CASES[key].title, _clients(results, key), cell(figures(results, key, "peal")),
             cell(grown(results, key)) if key in GROWN else ""]
            for key in ("grow-100-rooms", "grow-1000-rooms", "grow-20-each", "grow-100-nsps",
                        "grow-1000-nsps", "grow-idle-before", "grow-idle") if key in results]
    return table(["Traffic", "Connections", "µs CPU per delivery", "by few rooms alone"], rows)


def _clients(results, key):
    return str(results[key]["peal"][0]["clients"])


def size_table(results):
    rows = [[CASES[key].title, cell([per_message(a) for a in results[key]["peal"]]),
             cell(figures(results, key, "peal"))]
            for key in ("size-ten", "size-hundred", "size-thousand") if key in results]
    return table(["Rooms", "µs CPU per message", "µs CPU per delivery"], rows)


def slow_table(results):
    rows = []
    for server in BOTH:
        answers = results["slow-with"][server]
        rows.append([NAMES[server], cell(delays(results, "slow-without", server, "p99")),
                     cell(delays(results, "slow-with", server, "p99")),
                     cell(p99_with_slow(results, server)),
                     cell([a["grown_kib"] for a in answers]),
                     f"{sum(a['closed'] for a in answers)} of {sum(a['deaf'] for a in answers)}"])
    return table(["Server", "Without: 99 %, ms", "With them: 99 %, ms", "Ratio",
                  "Memory grown, KiB", "Closed as too slow"], rows)


def reconnect_table(results):
    rows = []
    for server in BOTH:
        answers = results["reconnect"].get(server, [])
        if answers:
            gone = [time["leave_us"] for a in answers for time in a["times"]]
            rows.append([NAMES[server], str(answers[0]["clients"]),
                         cell([a["first_us"] for a in answers]),
                         cell(reconnect_costs(results, server)), cell(gone),
                         cell([a["times"][0]["rss_kib"] / 1024 for a in answers]),
                         cell([a["times"][-1]["rss_kib"] / 1024 for a in answers]),
                         cell(reconnect_memory(results, server))])
    return table(["Server", "Clients", "First time, µs each", "Coming back, µs each",
                  "Leaving, µs each", "After the first, MiB", f"After {lasting.TIMES}, MiB",
                  "Ratio"], rows)


# --- plots


def plot_files(results):
    cpu = [(CASES[key].title, {NAMES[server]: figures(results, key, server)
                               for server in FLOORS if server in results[key]})
           for key in MAIN if key in results and CASES[key].unit.startswith("µs CPU per d")]
    delay = [(f"{CASES[key].title}: {share}", {NAMES[server]: delays(results, key, server, name)
                                               for server in FLOORS if server in results[key]})
             for key in ("broadcast-1000", "inflight-8", "rate-25", "rooms-rate") if key in results
             for share, name in (("median", "p50"), ("99 %", "p99"), ("99.9 %", "p999"))]
    most = results["most"]["peal"][0]
    flat = [cost for marks in most["marks"] for cost in marks]
    step = most["clients"] / len(flat)
    breaks, at = [], 0
    for marks in most["marks"][:-1]:
        at += len(marks) * step
        breaks.append(at)
    about = "CPU time of the server for each connection, in steps of 1000" + \
        ("; a new process at each line" if breaks else "")
    back = {NAMES[server]: [(i + 1, statistics.median(a["times"][i]["rss_kib"]
                                                      for a in answers) / 1024)
                            for i in range(lasting.TIMES)]
            for server, answers in results["reconnect"].items()}
    counts = " and ".join(f"{answers[0]['clients']} of {NAMES[server]}"
                          for server, answers in results["reconnect"].items())
    return {
        "performance/cpu.svg": dots(
            "CPU per delivery", "Median of the rounds, least to greatest; logarithmic", cpu,
            "µs CPU of the server per delivery"),
        "performance/delay.svg": dots(
            "Delay from sending to receipt", "Median of the rounds, least to greatest; logarithmic",
            delay, "ms"),
        "performance/connections.svg": lines(
            "Does a connection cost more when many are open?", about,
            {"Peal": [((i + 1) * step, cost) for i, cost in enumerate(flat)]},
            "open connections", "µs", breaks),
        "performance/reconnect.svg": lines(
            f"All clients leave and come back, {lasting.TIMES} times",
            f"Resident memory of the server when all are back; clients: {counts}", back,
            "times", "MiB"),
    }


def document(results, build, cores, rounds, watch):
    about = describe_machine(build, f"server on core {cores[0]}, clients on core {cores[1]}",
                             ("libwebsockets", "libevent", "libjwt"),
                             ("socket.io", "jsonwebtoken"))
    each = figures(results, "inflight-8", "floor-each")
    most = results["most"]["peal"][0]
    processes = len(most["marks"])
    with open("tests/bench/performance.md.in", encoding="utf-8") as template:
        text = template.read()
    values = {
        "GOALS": goal_table(results), "CASES": case_table(results, MAIN),
        "DELAYS": delay_table(results), "MEMORY": memory_table(results),
        "OPENING": opening_table(results), "GROWTH": growth_table(results),
        "SIZES": size_table(results), "SLOW": slow_table(results),
        "RECONNECT": reconnect_table(results), "MACHINE": about, "WATCH": watch.words(),
        "ROUNDS": str(rounds), "EACH": cell(each),
        "GATHER": cell(figures(results, "inflight-8", "floor")),
        "MOST": str(most["clients"]),
        "PROCESSES": "one server" if processes == 1 else
                     f"{processes} servers (a process may have no more than "
                     f"{len(most['marks'][0]) * lasting.MARK} connections here, by the limit of "
                     "open files)",
        "LIMIT_KIB": str(lasting.SLOW_LIMIT // 1024), "TIMES": str(lasting.TIMES),
        "OBJECTS": kernel_objects(results),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
