"""What is measured of a server that lives on: idle clients, growth, clients that do not read, and
clients that all leave and come back. See scenarios.py."""

from common import kernel_memory, read_file, say, slab_caches, spare_memory_kib
from scenarios import BOTH, WARM_NODE, fan_out, own_room, room_of_ten
from stage import Stage, hold

# --- idle

HEARTBEAT = 25  # seconds, of all servers
MOST = 100000  # idle clients, if the machine allows so many
KIB_EACH = 40  # of both ends, more than enough
MARK = 1000  # clients between two looks at the CPU time


def idle(bench, stage, turn):
    """In the first round only: clients of three servers of Peal and of Node's for one period of
    heartbeats, and as many as the machine allows on further ones."""
    if turn or not bench.wants("peal"):
        return
    extra = Stage(bench, (), stage.clients, stage.token_file)
    many = Stage(bench, (), 0, None)
    with extra, many:
        grow(bench, many)
        for i in (2, 3):
            extra.start("peal", f"peal-{i}").join(stage.clients)
        idle_ones = [actor for actor in stage.actors + extra.actors if actor.kind in BOTH]
        answers = hold(idle_ones + many.actors, HEARTBEAT / (10 if bench.quick else 1))
        for actor, answer in zip(idle_ones, answers):
            bench.keep("idle", actor.kind, {**answer, "clients": stage.clients})
        each = answers[len(idle_ones):]
        bench.keep("idle-most", "peal", {
            "cpu_us": [sum(answer["cpu_us"][0] for answer in each)], "s": each[0]["s"],
            "clients": sum(actor.clients for actor in many.actors)})
        few = extra.start("peal", "peal-few")
        few.clients = bench.count(1000)
        few.join(few.clients)
        for _ in range(7):  # since there is only one round of it
            for key, actor in (("grow-idle-before", few), ("grow-idle", many.actors[0])):
                few_members(bench, key, actor, few.clients, 8,
                            {"event": '"room"', "room": "ten-", "group": 10})
        many.abandon()


def few_members(bench, key, actor, n, window, settings):
    """Traffic to the first n clients, however many there are."""
    answer = bench.keep(key, "peal", actor.fanout(0.5, n=n, window=window, **settings))
    answer["clients"] = actor.clients
    say(f"{key}: {answer['cpu_us'][0] / answer['delivered']:.2f} µs a delivery")


def grow(bench, stage):
    """Opens as many connections as the machine allows; several servers, if a process may not have so
    many files. The cost of each MARK of them is kept, and the memory of all."""
    most = min(bench.count(MOST), spare_memory_kib() // KIB_EACH) // MARK * MARK
    limit = bench.most_clients() // MARK * MARK
    before, caches = kernel_memory(), slab_caches()
    clients, used, marks = 0, 0, []
    while clients < most:
        n = min(limit, most - clients)
        stage.clients, stage.token_file = n, bench.tokens("most", min(limit, most), room_of_ten)
        actor = stage.start("peal", f"peal-most-{len(stage.actors)}")
        actor.clients = n
        answer = actor.join(n, mark=MARK)
        used += answer["memory_kib"]["rss"] * n
        clients += n
        marks.append([mark["cpu_us"][0] / MARK for mark in answer["marks"]])
        say(f"{clients} clients: {marks[-1][-1]:.1f} µs for one more")
    kernel = {name: (value - before[name]) / clients for name, value in kernel_memory().items()}
    grew = {name: (size - caches.get(name, 0)) / clients for name, size in slab_caches().items()}
    bench.keep("most", "peal", {"clients": clients, "marks": marks, "kernel_kib": kernel,
                                "caches_kib": grew,
                                "memory_kib": {"rss": used / clients}})


# --- does it grow?


def sizes(i):
    return [f"ten-{i // 10}", f"hundred-{i // 100}", f"thousand-{i // 1000}"]


def twenty(i):
    return [f"ten-{i // 10}"] + [f"more-{k}" for k in range(19)]


def growth(bench, turn):
    """Peal alone: the same traffic, 100 rooms or namespaces of 10 and 8 messages in flight, on servers
    with ever more of everything; then rooms of other sizes."""
    if not bench.wants("peal"):
        return
    few, many = bench.count(1000), bench.count(10000)
    rooms, nsps = {"event": '"room"', "room": "ten-", "group": 10}, {"group": 10}
    cases = {}  # actor -> key, settings of its traffic
    with Stage(bench, (), 0, None) as stage:
        for key, n, of, settings in (("grow-100-rooms", few, sizes, rooms),
                                     ("grow-1000-rooms", many, sizes, rooms),
                                     ("grow-20-each", few, twenty, rooms),
                                     ("grow-100-nsps", few, own_room, nsps),
                                     ("grow-1000-nsps", many, own_room, nsps)):
            stage.clients, stage.token_file = n, bench.tokens(f"{of.__name__}-{n}", n, of)
            stage.settings = ["socketio.namespaces=/n*"] if settings is nsps else []
            actor = stage.start("peal", key)
            actor.clients = n
            actor.join(n, group=10 if settings is nsps else 0)
            cases[actor] = (key, settings)
        for actor in stage.turns(turn):
            key, settings = cases[actor]
            few_members(bench, key, actor, few, 8, settings)
        actor = stage.actors[1]
        for name, size in (("ten", 10), ("hundred", 100), ("thousand", 1000)):
            few_members(bench, f"size-{name}", actor, many, 1,
                        {"event": '"room"', "room": f"{name}-", "group": size})


# --- clients that do not read

SLOW_LIMIT = 131072  # bytes that may wait for a client: few, so that they are there within seconds
ETHERNET_MSS = 1460  # for loopback's segments the kernel itself would hold back a megabyte


def slow(bench, turn):
    """The same traffic to the same readers: alone, beside 1 % that read nothing, and with Peal, which
    closes those meanwhile, alone again, since a machine's mood is not the same for long."""
    deaf = bench.count(1000) // 100
    n = bench.count(1000) - deaf
    traffic = {"n": n, "rate": 40, "size": 4096}
    with Stage(bench, BOTH, n + deaf, bench.tokens("own", n + deaf, own_room),
               [f"queue.max_bytes={SLOW_LIMIT}"]) as stage:
        for actor in stage.actors:
            actor.join(n)
            actor.fanout(WARM_NODE if actor.kind == "node" else 0.2, window=8)
        fan_out(bench, stage, turn, "slow-without", seconds=2, kinds=BOTH, **traffic)
        resident = {actor: actor.memory()["rss"] for actor in stage.actors}
        for actor in stage.actors:
            actor.join(deaf, token=n, mss=ETHERNET_MSS)
            actor.do("deafen", first=n, n=deaf)
        fan_out(bench, stage, turn, "slow-with", seconds=2, kinds=BOTH, **traffic)
        for actor in stage.actors:
            answer = bench.results["slow-with"][actor.kind][-1]
            answer["grown_kib"] = actor.memory()["rss"] - resident[actor]
            answer["deaf"] = deaf
            answer["closed"] = read_file(actor.server.log).count("slow consumer")
            say(f"slow, {actor.kind}: grown by {answer['grown_kib']} KiB, {answer['closed']} of "
                f"{deaf} closed")
            if answer["closed"] == deaf:
                fan_out(bench, stage, turn, "slow-after", seconds=2, kinds=(actor.kind,), **traffic)


# --- all leave, all come back

TIMES = 10


def reconnect(bench, turn):
    for kind, clients in (("peal", 3000), ("node", 500)):
        if not bench.wants(kind) or (kind == "node" and turn):
            continue  # ten times are many already, at Node's pace
        n = bench.count(clients)
        with Stage(bench, (kind,), n, bench.tokens("ten", bench.count(10000), room_of_ten)) \
                as stage:
            actor, = stage.actors
            first = actor.join(n)
            times = []
            for _ in range(TIMES):
                left = actor.do("leave")
                back = actor.do("connect", at_once=512)
                times.append({"leave_us": left["cpu_us"][0] / n, "back_us": back["cpu_us"][0] / n,
                              "back": back["connected"], "rss_kib": actor.memory()["rss"]})
            bench.keep("reconnect", kind, {"clients": n, "first_us": first["cpu_us"][0] / n,
                                           "times": times})
            say(f"reconnect, {kind}, µs each: {first['cpu_us'][0] / n:.0f}, then " +
                " ".join(f"{time['back_us']:.0f}" for time in times) + "; MiB " +
                " ".join(f"{time['rss_kib'] / 1024:.1f}" for time in times))
