"""What is measured of messages and of connecting. A scenario is a function that gets the bench, the
number of the round and, if it shares one, the stage with connected clients; it lets the servers take
turns and keeps an answer of the load generator for each case and server. cases.py names the cases."""

from common import say
from stage import Stage

FLOORS = ("floor", "peal", "node")
BOTH = ("peal", "node")
WARM_NODE = 1.0  # seconds until its compiler has seen the busy parts


def own_room(i):
    return [f"own-{i}"]


def room_of_ten(i):
    return [f"ten-{i // 10}"]


def fan_out(bench, stage, turn, key, seconds=0.8, kinds=FLOORS, **settings):
    for actor in stage.turns(turn):
        if actor.kind in kinds:
            answer = bench.keep(key, actor.kind, actor.fanout(seconds, **settings))
            delay = answer["delay_us"]
            say(f"{key}, {actor.kind}: {answer['cpu_us'][0] / answer['delivered']:.2f} µs a "
                f"delivery; delay {delay['p50'] / 1000:.2f} ms, 99 % {delay['p99'] / 1000:.2f}")


# --- 1000 clients on each server


def thousand(bench):
    n = bench.count(1000)
    return Stage(bench, (*FLOORS, "floor-each"), n,
                 bench.tokens("own", bench.count(1000), own_room))


def fill_thousand(stage):
    """Each client is in a room of its own."""
    for actor in stage.actors:
        actor.join(stage.clients)
        actor.fanout(WARM_NODE if actor.kind == "node" else 0.2, window=8)


def broadcast(bench, stage, turn):
    """In slices: of one measurement by one other, the machine's mood is a third."""
    for i in range(4):
        fan_out(bench, stage, turn + i, "broadcast-1000", seconds=0.5, window=1)


def inflight(bench, stage, turn):
    fan_out(bench, stage, turn, "inflight-8", kinds=(*FLOORS, "floor-each"), window=8)
    fan_out(bench, stage, turn, "inflight-64", window=64)


def rate(bench, stage, turn):
    fan_out(bench, stage, turn, "rate-10", seconds=1.2, rate=10)
    fan_out(bench, stage, turn, "rate-25", seconds=1.2, rate=25)


def payload(bench, stage, turn):
    for name, settings in (("32", {"size": 32}), ("1k", {"size": 1024}),
                           ("64k", {"size": 65536}), ("binary", {"size": 1024, "binary": 1})):
        fan_out(bench, stage, turn, f"payload-{name}", seconds=0.5, **settings)


def ack(bench, stage, turn):
    for actor in stage.turns(turn):
        if actor.kind not in FLOORS:
            continue
        answer = bench.keep("ack", actor.kind, actor.ask(0.6, window=64, event='"echo"'))
        if actor.kind != "floor":
            answer = bench.keep("echo", actor.kind, actor.ask(
                0.6, window=64, event='"room"', room="own-", group=1))
        say(f"ack, {actor.kind}: {answer['cpu_us'][0] / answer['delivered']:.2f} µs each")


# --- 10 000 clients on each server


def large(bench):
    n = bench.count(10000)
    return Stage(bench, FLOORS, n, bench.tokens("ten", n, room_of_ten))


def fill_large(stage):
    """Rooms of ten; what the clients take of memory is measured on the way."""
    for actor in stage.actors:
        answer = actor.join(stage.clients)
        say(f"{stage.clients} clients on {actor.kind}: {answer['cpu_us'][0] / stage.clients:.0f} "
            f"µs, {answer['memory_kib']['rss']:.2f} KiB resident each")
        stage.bench.keep("connect-10000", actor.kind, answer)
        if actor.kind != "floor":
            stage.bench.keep("memory", actor.kind, answer)


def memory(_bench, _stage, _turn):
    """Was measured while the clients connected."""


def broadcast_large(bench, stage, turn):
    fan_out(bench, stage, turn, "broadcast-10000", seconds=1.2, window=1)


def rooms(bench, stage, turn):
    settings = {"event": '"room"', "room": "ten-", "group": 10}
    fan_out(bench, stage, turn, "rooms", window=64, **settings)
    fan_out(bench, stage, turn, "rooms-rate", seconds=1.2, rate=500, **settings)


# --- connecting, long-polling


def connect(bench, turn):
    """Tokens of each kind, one after the other, on the same servers."""
    first, n = bench.count(200), bench.count(1000)
    stage = Stage(bench, FLOORS, first + 3 * n, bench.tokens("own", n, own_room))
    files = {kid: bench.tokens(kid, n, own_room, kid) for kid in ("rs", "es")}
    with stage:
        for actor in stage.turns(turn):
            actor.join(first)
            bench.keep("connect-HS256", actor.kind, actor.join(n))
            for kid, file in files.items():
                if actor.kind != "floor":
                    token = actor.do("tokens", path=file)["tokens"] - n
                    bench.keep(f"connect-{kid.upper()}256", actor.kind, actor.join(n, token))
    for kind in ("HS256", "RS256", "ES256"):
        for server, answers in bench.results[f"connect-{kind}"].items():
            say(f"connect, {kind}, {server}: {answers[-1]['cpu_us'][0] / n:.1f} µs")


def polling(bench, turn):
    n = bench.count(1000)
    with Stage(bench, BOTH, 2 * n, bench.tokens("own", n, own_room)) as stage:
        for actor in stage.actors:
            bench.keep("poll-connect", actor.kind, actor.join(n, polls=1))
            actor.fanout(WARM_NODE if actor.kind == "node" else 0.2, window=8)
        fan_out(bench, stage, turn, "poll-1", window=1)
        fan_out(bench, stage, turn, "poll-8", window=8)
