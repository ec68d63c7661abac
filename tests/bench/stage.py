"""Servers that are up together, each with a load generator of its own, and take turns at a scenario:
so what they are compared by was measured within seconds. One that waits costs nothing."""

from contextlib import ExitStack

import tokens
from common import BENCH, Load, Server, file_limit, kernel_memory, process_memory

SPARE_FILES = 200  # of a process, beside its connections


class Bench:
    """What all scenarios share: where to run, what to connect with, and what has come out."""

    def __init__(self, build, cores, quick, servers=()):
        self.build, self.cores, self.quick = build, cores, quick
        self.servers = servers  # only these kinds; none: all
        self.results = {}  # key of a case -> server -> one answer a round
        self.files = {}
        self.signers = None

    def seconds(self, full):
        return full / 5 if self.quick else full

    def count(self, full):
        """Clients; multiples of 100 in a quick run, too, or rooms would not come out even."""
        return max(100, full // 1000 * 100) if self.quick else full

    def keep(self, key, server, answer):
        self.results.setdefault(key, {}).setdefault(server, []).append(answer)
        return answer

    def wants(self, kind):
        return not self.servers or kind in self.servers

    def tokens(self, name, n, rooms, kid=None):
        """A file that is written once a run."""
        if name not in self.files:
            path = f"{self.build}/bench/{name}.tokens"
            if kid:
                self.keys()
                self.signers.write(path, n, kid, rooms)
            else:
                tokens.write(path, n, rooms)
            self.files[name] = path
        return self.files[name]

    def keys(self):
        if not self.signers:
            self.signers = tokens.Signers(f"{self.build}/bench/keys")
        return self.signers

    def most_clients(self):
        """Connections that one process may hold."""
        return file_limit() - SPARE_FILES

    def server(self, kind, clients, settings=(), name=None):
        environment = {}
        if kind == "peal":
            limit = max(10000, clients + 100)  # 10000 is the default
            command = [f"{self.build}/cli/peal", "serve"]
            for setting in ("gateway.host=127.0.0.1", "gateway.port=0",
                            f"gateway.max_connections={limit}", "log.level=info",
                            "auth.rooms_claim=rooms",
                            "routes.events=message=all,room=room,echo=none",
                            f"auth.keys={self.keys().peal_keys()}", *settings):
                command += ["--set", setting]
        elif kind == "node":
            command = ["node", f"{BENCH}/node-peer.js"]
            environment["BENCH_KEYS"] = self.keys().folder
        else:
            command = [f"{self.build}/tests/bench/bench_floor",
                       "each" if kind == "floor-each" else "gather"]
        return Server(command, f"{self.build}/bench/{name or kind}.log", self.cores[0],
                      environment=environment)


def command(verb, settings):
    return " ".join([verb, *(f"{name}={value}" for name, value in settings.items())])


class Actor:
    """A server and its clients."""

    def __init__(self, bench, kind, load, server):
        self.bench, self.kind, self.load, self.server = bench, kind, load, server

    def do(self, verb, **settings):
        return self.load.do(command(verb, settings))

    def join(self, n, token=0, mark=0, **settings):
        """Adds and connects. The answer has the memory of a connection, too: the server's, and the
        kernel's, which holds both ends here."""
        before, kernel = self.memory(), kernel_memory()
        first = self.do("add", n=n, token=token, **settings)["first"]
        answer = self.do("connect", first=first, n=n, mark=mark)
        after = self.memory()
        answer["memory_kib"] = {name: (after[name] - before[name]) / n for name in after}
        answer["kernel_kib"] = {name: (value - kernel[name]) / n
                                for name, value in kernel_memory().items()}
        return answer

    def fanout(self, seconds, warm=0.2, **settings):
        return self.do("fanout", seconds=self.bench.seconds(seconds), warm=self.bench.seconds(warm),
                       **settings)

    def ask(self, seconds, **settings):
        return self.do("ask", seconds=self.bench.seconds(seconds), warm=self.bench.seconds(0.2),
                       **settings)

    def memory(self):
        return process_memory(self.server.process.pid)


def hold(actors, seconds):
    """All at once; the answers in their order."""
    for actor in actors:
        actor.load.begin(command("hold", {"seconds": seconds}))
    return [actor.load.end() for actor in actors]


class Stage:
    """Servers of some kinds, up while `with` lasts."""

    def __init__(self, bench, kinds, clients, token_file, settings=()):
        self.bench, self.clients = bench, clients
        self.kinds = [kind for kind in kinds if bench.wants(kind)]
        self.token_file, self.settings = token_file, settings
        self.stack = ExitStack()
        self.actors = []

    def __enter__(self):
        try:
            for kind in self.kinds:
                self.start(kind)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def abandon(self):
        """Kills all that are up: to take leave of very many clients takes a server seconds."""
        for actor in self.actors:
            actor.load.kill()
            actor.server.kill()

    def start(self, kind, name=None):
        """One more; name: of its log."""
        server = self.stack.enter_context(
            self.bench.server(kind, self.clients, self.settings, name))
        load = self.stack.enter_context(
            Load(f"{name or kind} with {self.clients} clients", self.bench.build,
                 self.bench.cores[1], self.token_file, [server]))
        actor = Actor(self.bench, kind, load, server)
        self.actors.append(actor)
        return actor

    def turns(self, turn):
        """The actors in an order that changes, so that nobody is always the first."""
        k = turn % max(1, len(self.actors))
        return self.actors[k:] + self.actors[:k]
