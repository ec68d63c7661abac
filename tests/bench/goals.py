"""What Peal must reach, as ratios within one run, and whether it has."""

import statistics
from collections import namedtuple

from cases import compared, figures
from common import cell, ratios, table
from lasting import MARK, SLOW_LIMIT

NODE_CONNECT = 700, 1400  # µs

# values: one a round; must: a function of their median
Goal = namedtuple("Goal", "what must values met mark")


def at_most(limit):
    return lambda value: value <= limit


def at_least(limit):
    return lambda value: value >= limit


def p99_with_slow(results, server):
    """How many times what it was without them: before, and afterwards if that was measured."""
    def p99(key):
        return [a["delay_us"]["p99"] for a in results.get(key, {}).get(server, [])]
    before = p99("slow-without")
    after = p99("slow-after")
    if len(after) != len(before):
        after = before
    return [a / ((b + c) / 2) for a, b, c in zip(p99("slow-with"), before, after)]


def slow_growth(results):
    """Share of what the limits allow that memory grew by."""
    return [a["grown_kib"] * 1024 / (a["deaf"] * SLOW_LIMIT)
            for a in results.get("slow-with", {}).get("peal", [])]


def comparable_connects(results):
    """µs of a connection to Peal in the rounds where Node needs what it does on the machine that
    the goal was set on."""
    return [mine for key in ("connect-HS256", "connect-10000")
            for mine, node in zip(figures(results, key, "peal"), figures(results, key, "node"))
            if NODE_CONNECT[0] <= node <= NODE_CONNECT[1]]


def opening_windows(most):
    """(name, five costs of MARK connections each): the first ones behind the first thousand, the
    last ones of the first process, those up to 50 000, and the last ones of all."""
    flat = [cost for marks in most["marks"] for cost in marks]
    ends = sorted({6, len(most["marks"][0]), 50000 // MARK, len(flat)})
    return [(f"{(end - 5) * MARK} to {end * MARK}", flat[end - 5:end])
            for end in ends if 6 <= end <= len(flat)]


def opening_growth(results):
    """Cost of a connection at 50 000 open ones, or as many as there were, by that at 1000."""
    growth = []
    for most in results.get("most", {}).get("peal", []):
        windows = [costs for name, costs in opening_windows(most)
                   if int(name.split()[-1]) <= 50000]
        if len(windows) > 1:
            growth.append(statistics.median(windows[-1]) / statistics.median(windows[0]))
    return growth


def idle_cpu(results, key, server):
    """Percent of a core."""
    return [a["cpu_us"][0] / a["s"] / 1e4 for a in results.get(key, {}).get(server, [])]


def reconnect_costs(results, server):
    """µs of a connection that came back, all rounds together."""
    return [time["back_us"] for a in results.get("reconnect", {}).get(server, [])
            for time in a["times"]]


def reconnect_memory(results, server):
    """After the last time, by after the first."""
    return [a["times"][-1]["rss_kib"] / a["times"][0]["rss_kib"]
            for a in results.get("reconnect", {}).get(server, [])]


def grown(results, key):
    """Cost of a delivery by that with few of everything, round by round."""
    few = "grow-idle-before" if key == "grow-idle" else "grow-100-rooms"
    return ratios(figures(results, key, "peal"), figures(results, few, "peal"))


GROWN = {"grow-1000-rooms": "900 more rooms", "grow-20-each": "20 rooms each",
         "grow-100-nsps": "100 namespaces", "grow-1000-nsps": "1000 namespaces",
         "grow-idle": "idle connections"}


def goals_of(results):
    first = [a["first_us"] for a in results.get("reconnect", {}).get("peal", [])]
    back = [statistics.median(time["back_us"] for time in a["times"]) / a["first_us"]
            for a in results.get("reconnect", {}).get("peal", [])]
    rows = [Goal(f"{name}: CPU per delivery, Peal / floor", f"≤ {limit}",
                 compared(results, key, "peal", "floor"), at_most(limit), "")
            for name, key, limit in (
                ("One broadcast at a time to 1000", "broadcast-1000", 1.2),
                ("One broadcast at a time to 10 000", "broadcast-10000", 1.2),
                ("8 in flight", "inflight-8", 1.3), ("64 in flight", "inflight-64", 1.3))]
    rows += [
        Goal("8 in flight: CPU per delivery, Node / Peal", "≥ 6",
             compared(results, "inflight-8", "node", "peal"), at_least(6), ""),
        Goal("Connect with HS256, in rounds where Node needs %d to %d µs" % NODE_CONNECT,
             "≤ 80 µs", comparable_connects(results), at_most(80), " µs"),
        Goal("Connect with HS256, Node / Peal", "≥ 10",
             compared(results, "connect-HS256", "node", "peal"), at_least(10), ""),
        Goal("Connect with HS256, 10 000 clients, Node / Peal", "≥ 10",
             compared(results, "connect-10000", "node", "peal"), at_least(10), ""),
        Goal("Cost of a connection at 50 000 open ones / at 1000", "≤ 1.1 (no growth)",
             opening_growth(results), at_most(1.1), ""),
        Goal("Resident memory of an idle connection", "≤ 3 KiB",
             figures(results, "memory", "peal"), at_most(3), " KiB"),
        Goal("CPU with 10 000 idle connections", "≤ 1 % of a core",
             idle_cpu(results, "idle", "peal"), at_most(1), " %"),
        Goal("99 % of the delays beside 1 % that do not read / without them", "≤ 1.2",
             p99_with_slow(results, "peal"), at_most(1.2), ""),
        Goal("Growth of memory by them / what `queue.max_bytes` allows", "≤ 1",
             slow_growth(results), at_most(1), ""),
        Goal("All leave and come back: CPU of one that comes back / of the first time",
             "≤ 1.1", back if first else [], at_most(1.1), ""),
        Goal("Memory after ten times / after the first", "≤ 1.02 (flat)",
             reconnect_memory(results, "peal"), at_most(1.02), "")]
    rows += [Goal(f"Cost of a delivery with {name} / without", "≤ 1.1 (no growth)",
                  grown(results, key), at_most(1.1), "") for key, name in GROWN.items()]
    return [row for row in rows if row.values]


def goal_table(results):
    return table(["What", "Goal", "This run", "Met"],
                 [[row.what, row.must, cell(row.values, row.mark),
                   "yes" if row.met(statistics.median(row.values)) else "**no**"]
                  for row in goals_of(results)])
