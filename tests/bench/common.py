"""What the parts of the bench share: servers, the load generator, the machine, tables."""

import datetime
import json
import os
import platform
import re
import resource
import select
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = "tests/bench"
SECRET = "only-for-the-bench-0123456789abcdef"  # of servers and tokens
START_TIMEOUT = 15  # seconds until a server listens
STOP_TIMEOUT = 10
LOAD_TIMEOUT = 90


def fail(words):
    sys.exit(f"bench: {words}")


def say(words):
    print(f"bench: {words}", file=sys.stderr, flush=True)


def output_of(*command):
    """First line a program prints, or "" if there is no such program."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip().split("\n")[0]


def read_file(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


# --- servers


class Server:
    """A program pinned to a core, its log in a file; listens when `with` begins, is gone at its end."""

    listens = r"msg=listening\b.* port=(\d+)"

    def __init__(self, command, log, core, redis=None, environment=None):
        self.log = log
        self.command = ["taskset", "-c", str(core)] + command
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("PEAL_")}
        self.environment.update(environment or {}, PEAL_AUTH_SECRET=SECRET, NODE_ENV="production")
        if redis:
            self.environment["PEAL_REDIS_URL"] = f"redis://127.0.0.1:{redis.port}"
        self.process = None
        self.port = 0

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment)
        try:
            self.wait_for_port()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_for_port(self):
        limit = time.monotonic() + START_TIMEOUT
        while not self.port:
            found = re.search(self.listens, read_file(self.log))
            if found:
                self.port = int(found[1])
            elif self.process.poll() is not None or time.monotonic() > limit:
                fail(f"{self.command[3]} does not listen:\n{read_file(self.log)[-2000:]}")
            else:
                time.sleep(0.02)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Load:
    """The load generator, pinned to a core: clients of servers, which it meters, other programs too.
    It is told what to do by lines (see load.c)."""

    def __init__(self, what, build, core, tokens, servers, others=()):
        self.what, self.log, self.programs = what, f"{servers[0].log}.load", [*servers, *others]
        self.command = ""
        command = ["taskset", "-c", str(core), f"{build}/tests/bench/bench_load"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, bufsize=1)
        self.do(f"tokens path={tokens}")
        for server in servers:
            self.do(f"server port={server.port}")
        for program in self.programs:
            self.do(f"meter pid={program.process.pid}")

    def begin(self, command):
        """Lets it work; end() waits for what comes of it."""
        self.command = command
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # end() tells why

    def end(self):
        """Ends the program if the command failed, or a server is gone."""
        ready, _, _ = select.select([self.process.stdout], [], [], LOAD_TIMEOUT)
        answer = self.process.stdout.readline() if ready else ""
        alive = all(program.process.poll() is None for program in self.programs)
        if not answer.endswith("\n") or not alive:
            self.process.kill()
            logs = "".join(read_file(path)[-2000:] for path in
                           [self.log, *(program.log for program in self.programs)])
            fail(f"{self.what}: the measurement failed at `{self.command}`\n{answer}{logs}")
        return json.loads(answer)

    def do(self, command):
        self.begin(command)
        return self.end()

    def __enter__(self):
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *error):
        """Its clients are gone when it has ended."""
        killed = self.process.poll() is not None
        self.process.stdin.close()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process.stdout.close()
        if self.process.returncode != 0 and not killed and not error[0]:
            fail(f"{self.what}: clients died\n{read_file(self.log)[-2000:]}")


# --- memory


def fields_kib(path, names):
    text = read_file(path)
    return {name: int(found[1]) for name in names
            if (found := re.search(rf"^{re.escape(name)}:\s+(\d+) kB$", text, re.M))}


def process_memory(pid):
    """Resident KiB. smaps_rollup, because statm lags by some hundred KiB on new kernels."""
    found = fields_kib(f"/proc/{pid}/smaps_rollup", ("Rss", "Pss"))
    return {"rss": found["Rss"], "pss": found["Pss"]}


def kernel_memory():
    """KiB of all: objects, and what sockets hold in their buffers."""
    slab = fields_kib("/proc/meminfo", ("Slab", "PageTables"))
    pages = re.search(r"^TCP: .* mem (\d+)$", read_file("/proc/net/sockstat"), re.M)
    return {"slab": slab["Slab"], "page tables": slab["PageTables"],
            "socket buffers": int(pages[1]) * os.sysconf("SC_PAGE_SIZE") // 1024}


def spare_memory_kib():
    return fields_kib("/proc/meminfo", ("MemAvailable",))["MemAvailable"]


def slab_caches():
    """KiB of each kind of object in the kernel; empty if this user may not see them."""
    caches = {}
    for line in read_file("/proc/slabinfo").split("\n")[2:]:
        words = line.split()
        if len(words) > 14:
            caches[words[0]] = int(words[14]) * int(words[5]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return caches


# --- the machine


def file_limit():
    """Open files of a process, as many as this one may ask for."""
    wanted = 120000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, wanted))
        except (OSError, ValueError):
            return hard
    return wanted


def busy_seconds():
    """CPU time all cores have spent on something, and what the hypervisor took, since boot."""
    ticks = [int(word) for word in read_file("/proc/stat").split("\n")[0].split()[1:9]]
    hertz = os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
    return (user + nice + system + irq + softirq) / hertz, steal / hertz


def own_seconds():
    return sum(use.ru_utime + use.ru_stime
               for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


class Watch:
    """How long something lasted, and what else the machine did meanwhile."""

    def __init__(self):
        self.start, (self.busy, self.steal), self.own = \
            time.monotonic(), busy_seconds(), own_seconds()

    def stop(self):
        busy, steal = busy_seconds()
        self.lasted = time.monotonic() - self.start
        total = self.lasted * os.cpu_count()
        self.others = max(0, busy - self.busy - (own_seconds() - self.own)) / total
        self.stolen = (steal - self.steal) / total

    def words(self):
        return (f"Beside this: other programs used {self.others:.0%} of all cores, "
                f"the hypervisor withheld {self.stolen:.0%}")


def version_of_module(name):
    return json.loads(read_file(f"{BENCH}/node_modules/{name}/package.json"))["version"]


def cache_entry(build, name):
    found = re.search(rf"^{name}:\w+=(.*)$", read_file(f"{build}/CMakeCache.txt"), re.M)
    return found[1] if found else ""


def describe_machine(build, places, libraries, modules):
    """Lines of a list. places: what ran on which core; libraries of Peal by pkg-config's names."""
    cpuinfo = read_file("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.M)
    virtual = ", a virtual machine" if re.search(r"^flags.*\bhypervisor\b", cpuinfo, re.M) else ""
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', read_file("/etc/os-release"), re.M)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = output_of("git", "--no-optional-locks", "describe", "--always", "--dirty")
    compiler = output_of(cache_entry(build, "CMAKE_C_COMPILER") or "cc", "--version")
    versions = ", ".join(f"{name} {output_of('pkg-config', '--modversion', name).rstrip('-')}"
                         for name in libraries)
    node = ", ".join(f"{name} {version_of_module(name)}" for name in modules)
    lines = (
        ("Date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("CPU", f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores{virtual}; "
                f"{places}"),
        ("Memory", f"{memory:.0f} GiB"),
        ("System", f"{system[1] if system else 'Linux'}, kernel {platform.release()}"),
        ("Peal", f"{output_of(f'{build}/cli/peal', '--version').split()[-1]}"
                 f"{f' ({commit})' if commit else ''}, {compiler}, {versions}"),
        ("Node", f"{output_of('node', '--version')}, {node}"),
    )
    return "\n".join(f"* {name}: {text}" for name, text in lines)


def check(build):
    """The cores this process may use, at least two; ends the program if something is missing."""
    for tool in ("taskset", "node", "redis-server"):
        if not shutil.which(tool):
            fail(f"{tool} is missing; `deploy/setup bench` installs it")
    for path in ("cli/peal", "gateway/peal-gateway", "worker/peal-worker",
                 "tests/bench/bench_load", "tests/bench/bench_floor", "tests/bench/bench_backend",
                 "tests/bench/bench_module.so"):
        if not os.access(f"{build}/{path}", os.X_OK):
            fail(f"{build}/{path} is missing; `make bench` builds it")
    for module in ("socket.io", "@socket.io/redis-adapter"):
        if not os.path.isdir(f"{BENCH}/node_modules/{module}"):
            fail(f"{module} is missing; `deploy/setup bench` installs it")
    if cache_entry(build, "CMAKE_BUILD_TYPE") != "Release" or cache_entry(build, "PEAL_SANITIZE"):
        fail(f"{build} is not a release build")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        fail("two cores are needed, one for the servers and one for the clients")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit != resource.RLIM_INFINITY and limit < 11000:
        fail(f"the hard limit of open files is {limit}; at least 11000 are needed (ulimit -Hn)")
    return cores


# --- the document


def show(value):
    """Three digits that say something."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def cell(values, mark=""):
    if not values:
        return "–"
    return f"{show(statistics.median(values))}{mark} ({show(min(values))}–{show(max(values))})"


def ratios(of, to):
    """Round by round: what the machine did in a round, it did to both."""
    return [a / b for a, b in zip(of, to)] if of and to else []


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
