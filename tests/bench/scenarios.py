"""What is measured on one server. A scenario is a function that gets the bench and the number of the
round; it starts servers, lets them take turns, and keeps an answer of the load generator for each
case and server. Cases, their names and goals are in cases.py."""

from common import say
from stage import Stage

FLOORS = ("floor", "peal", "node")
WARM_NODE = 1.0  # seconds until its compiler has seen the busy parts


def own_room(i):
    return [f"own-{i}"]


def room_of_ten(i):
    return [f"ten-{i // 10}"]


def thousand(bench):
    n = bench.count(1000)
    return Stage(bench, (*FLOORS, "floor-each"), n,
                 bench.tokens("own", bench.count(1500), own_room))


def fill_thousand(bench, stage):
    """Each client is in a room of its own."""
    for actor in stage.actors:
        actor.join(stage.clients)
        actor.fanout(bench.seconds(WARM_NODE if actor.kind == "node" else 0.2), window=8)


def fan_out(bench, stage, turn, key, seconds=0.8, kinds=(), **settings):
    for actor in stage.turns(turn):
        if actor.kind in (kinds or FLOORS):
            answer = bench.keep(key, actor.kind, actor.fanout(bench.seconds(seconds), **settings))
            say(f"{key}, {actor.kind}: {answer['cpu_us'][0] / answer['delivered']:.2f} µs a "
                f"delivery, 99 % {answer['delay_us']['p99'] / 1000:.1f} ms")


# --- 1000 clients on each server


def connect(bench, turn):
    """Each kind of token, one after the other on the same servers."""
    first, n = bench.count(500), bench.count(1000)
    files = {"HS256": bench.tokens("own", first + n, own_room),
             "RS256": bench.tokens("rs", n, own_room, "rs"),
             "ES256": bench.tokens("es", n, own_room, "es")}
    for kind in ("HS256", "RS256", "ES256"):
        servers = FLOORS if kind == "HS256" else ("peal", "node")
        with Stage(bench, servers, first + n, files["HS256"]) as stage:
            for actor in stage.turns(turn):
                actor.join(first)
                token = first if kind == "HS256" else \
                    actor.load.do(f"tokens path={files[kind]}")["tokens"] - n
                answer = bench.keep(f"connect-{kind}", actor.kind, actor.join(n, token))
                say(f"connect, {kind}, {actor.kind}: {answer['cpu_us'][0] / n:.1f} µs")


def broadcast(bench, stage, turn):
    fan_out(bench, stage, turn, "broadcast-1000", window=1)


def inflight(bench, stage, turn):
    fan_out(bench, stage, turn, "inflight-8", kinds=(*FLOORS, "floor-each"), window=8)
    fan_out(bench, stage, turn, "inflight-64", window=64)


def rate(bench, stage, turn):
    fan_out(bench, stage, turn, "rate-10", seconds=1.5, rate=10)
    fan_out(bench, stage, turn, "rate-40", seconds=1.5, rate=40)


def payload(bench, stage, turn):
    for name, settings in (("32", {"size": 32}), ("1k", {"size": 1024}),
                           ("64k", {"size": 65536}), ("binary", {"size": 1024, "binary": 1})):
        fan_out(bench, stage, turn, f"payload-{name}", window=2, **settings)


def echo(bench, stage, turn):
    for actor in stage.turns(turn):
        kind, seconds = actor.kind, bench.seconds(0.8)
        if kind == "floor-each":
            continue
        answer = bench.keep("ack", kind, actor.ask(seconds, window=64, event='"echo"'))
        say(f"ack, {kind}: {answer['cpu_us'][0] / answer['delivered']:.2f} µs")
        if kind != "floor":
            bench.keep("echo", kind, actor.ask(seconds, window=64, event='"room"', room="own-",
                                               group=1))


# --- 10 000 clients on each server


def large(bench):
    n = bench.count(10000)
    return Stage(bench, FLOORS, n, bench.tokens("ten", n, room_of_ten))


def fill_large(bench, stage):
    """Rooms of ten; what the clients take of memory is measured on the way."""
    for actor in stage.actors:
        answer = actor.join(stage.clients)
        say(f"{stage.clients} clients on {actor.kind}: "
            f"{answer['memory_kib']['rss']:.2f} KiB resident each")
        if actor.kind != "floor":
            bench.keep("memory", actor.kind, answer)


def memory(_bench, _stage, _turn):
    """Measured while the clients of the stage connect."""


def broadcast_large(bench, stage, turn):
    fan_out(bench, stage, turn, "broadcast-10000", seconds=1.2, window=1)


def rooms(bench, stage, turn):
    settings = {"event": '"room"', "room": "ten-", "group": 10}
    fan_out(bench, stage, turn, "rooms", window=64, **settings)
    fan_out(bench, stage, turn, "rooms-rate", seconds=1.5, rate=500, **settings)


# --- others


def polling(bench, turn):
    n = bench.count(1000)
    with Stage(bench, ("peal", "node"), 2 * n, bench.tokens("own", bench.count(1500), own_room)) \
            as stage:
        for actor in stage.actors:
            bench.keep("poll-connect", actor.kind, actor.join(n, polls=1))
            actor.fanout(bench.seconds(WARM_NODE), window=8)
        fan_out(bench, stage, turn, "poll-1", window=1)
        fan_out(bench, stage, turn, "poll-8", window=8)


SLOW_LIMIT = 262144  # bytes that may wait for a client, so that it is passed within seconds


def slow(bench, turn):
    """1 % stop reading; the same traffic before that and after."""
    n, deaf = bench.count(1000), max(1, bench.count(1000) // 100)
    with Stage(bench, ("peal", "node"), n, bench.tokens("own", bench.count(1500), own_room),
               [f"queue.max_bytes={SLOW_LIMIT}"]) as stage:
        for actor in stage.turns(turn):
            from common import process_memory
            pid = actor.server.process.pid
            actor.join(n)
            traffic = {"rate": 40, "size": 4096}
            actor.fanout(bench.seconds(WARM_NODE), window=8)
            bench.keep("slow-without", actor.kind, actor.fanout(bench.seconds(2), **traffic))
            before = process_memory(pid)["rss"]
            actor.load.do(f"deafen first={n - deaf} n={deaf}")
            answer = actor.fanout(bench.seconds(4), warm=0, n=n - deaf, **traffic)
            answer["grown_kib"] = process_memory(pid)["rss"] - before
            answer["dropped"] = actor.load.do(f"dropped first={n - deaf} n={deaf}")["dropped"]
            answer["deaf"] = deaf
            bench.keep("slow-with", actor.kind, answer)
            say(f"slow, {actor.kind}: 99 % {answer['delay_us']['p99']} µs, grown by "
                f"{answer['grown_kib']} KiB, {answer['dropped']} of {deaf} dropped")


RECONNECTS = 10


def reconnect(bench, turn):
    from common import process_memory
    for kind, clients in (("peal", 5000), ("node", 1000)):
        if kind == "node" and turn:
            continue  # ten rounds are many already
        n = bench.count(clients)
        with Stage(bench, (kind,), n, bench.tokens("ten", bench.count(10000), room_of_ten)) \
                as stage:
            actor, = stage.actors
            first = actor.join(n)
            answer = {"n": n, "first": first, "rounds": []}
            for _ in range(RECONNECTS):
                left = actor.leave(0, n)
                back = actor.connect(0, n, at_once=512)
                back["leave_cpu_us"] = left["cpu_us"][0]
                back["rss"] = process_memory(actor.server.process.pid)["rss"]
                answer["rounds"].append(back)
            bench.keep("reconnect", kind, answer)
            say(f"reconnect, {kind}: µs each " +
                " ".join(f"{b['cpu_us'][0] / n:.0f}" for b in answer["rounds"]) + "; KiB " +
                " ".join(str(b["rss"]) for b in answer["rounds"]))
