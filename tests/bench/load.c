/* The load generator of `make bench`: clients of one or several servers on 127.0.0.1. It reads
 * commands, one a line, from stdin and answers each with a line of JSON on stdout, when the work is
 * done; while it waits for the next one it keeps its clients alive. tests/bench/common.py talks to
 * it; by hand:
 *
 *   printf '%s\n' 'tokens path=FILE' 'server port=3000' 'meter pid=123' 'add n=1000' connect \
 *       'fanout window=8 seconds=3 warm=1' | bench_load
 *
 *   tokens path=                   one token a line; a client takes the one that `token` numbers
 *   server port=                   the next server; the first one is 0
 *   meter pid=                     a process whose CPU time is in all answers, in this order
 *   add n= [server= token= polls= group= mss=]
 *                                  clients that do nothing yet, see swarm.h
 *   connect [first= n= at_once= mark=]
 *                                  until all are ready; mark: CPU time after each so many
 *   leave [first= n=]              all shut their side, until the server has closed theirs
 *   deafen [first= n=]             they read no more
 *   fanout, ask [seconds= warm= …] see traffic.h
 *   hold seconds=                  nothing happens, but for heartbeats
 *
 * Clients are numbered in the order they were added; first and n choose some, else it is all.
 *
 * Exit status 1: what was measured is not worth reading (a client failed, a message was lost). */
/* System */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
/* Util */
#include "util/log.h"
/* This program */
#include "swarm.h"
#include "traffic.h"
#include "words.h"

enum { STALL_US = 20000000, TURN_US = 20000, PIDS_MAX = 8, CLIENTS_MAX = 1000000 };

static struct swarm swarm;
static pid_t pids[PIDS_MAX];
static int npids;

struct moment {
    uint64_t us, cpu_ns[PIDS_MAX];
};

struct range {
    int first, n;
};

static struct moment moment_now(void)
{
    struct moment m = {.us = meter_now_us()};
    for (int i = 0; i < npids; i++)
        if (!meter_cpu_ns(pids[i], &m.cpu_ns[i])) log_fatal("cannot read /proc/%d", (int)pids[i]);
    return m;
}

/* "s":…,"cpu_us":[…]: from one moment to the other, one figure for each process. */
static void print_span(const struct moment *from, const struct moment *to)
{
    printf("\"s\":%.6f,\"cpu_us\":[", (double)(to->us - from->us) / 1e6);
    for (int i = 0; i < npids; i++)
        printf("%s%.1f", i ? "," : "", (double)(to->cpu_ns[i] - from->cpu_ns[i]) / 1e3);
    printf("]");
}

static struct range range_of(struct words *w)
{
    struct range r = {.first = (int)words_long(w, "first", 0, 0, swarm.n)};
    r.n = (int)words_long(w, "n", swarm.n - r.first, 0, swarm.n - r.first);
    return r;
}

/* ---- clients */

static void do_add(struct words *w)
{
    int n = (int)words_long(w, "n", 1, 1, CLIENTS_MAX);
    struct swarm_kind kind = {.server = (int)words_long(w, "server", 0, 0, SWARM_SERVERS - 1),
                              .token = (int)words_long(w, "token", 0, 0, CLIENTS_MAX),
                              .group = (int)words_long(w, "group", 0, 0, CLIENTS_MAX),
                              .mss = (int)words_long(w, "mss", 0, 0, 65535),
                              .polls = words_long(w, "polls", 0, 0, 1)};
    words_done(w);
    if (kind.server >= swarm.nservers || kind.token + n > swarm.ntokens)
        log_fatal("add: no such server, or not so many tokens");
    swarm_add(&swarm, n, &kind);
    printf("{\"first\":%d}\n", swarm.n - n);
}

/* Nothing may stand still for long; what has moved is told by a number that changes. */
static void watch_progress(uint64_t *moved_us, int *last, int now)
{
    if (*last != now) *moved_us = meter_now_us();
    *last = now;
    if (meter_now_us() - *moved_us > STALL_US)
        log_fatal("stalled: %d clients are ready, %d on the way", swarm.ready, swarm.joining);
}

static void do_connect(struct words *w)
{
    struct range r = range_of(w);
    int at_once = (int)words_long(w, "at_once", 128, 1, 10000);
    int mark = (int)words_long(w, "mark", 0, 0, CLIENTS_MAX), marked = 0;
    words_done(w);
    int were = swarm.ready, next = r.first, last = -1;
    uint64_t moved = meter_now_us();
    struct moment start = moment_now(), from = start;
    printf("{\"marks\":[");
    while (swarm.ready < were + r.n && !swarm.failed && !swarm.closed) {
        while (next < r.first + r.n && swarm.joining < at_once)
            swarm_start(&swarm, next++);
        swarm_turn(&swarm, TURN_US);
        watch_progress(&moved, &last, swarm.ready);
        while (mark && swarm.ready - were >= marked + mark) {
            struct moment to = moment_now();
            printf("%s{", marked ? "," : "");
            print_span(&from, &to);
            printf("}");
            from = to;
            marked += mark;
        }
    }
    if (swarm.failed || swarm.closed)
        log_fatal("connect: %d clients failed, %d were closed", swarm.failed, (int)swarm.closed);
    struct moment end = moment_now();
    printf("],\"connected\":%d,", swarm.ready - were);
    print_span(&start, &end);
    puts("}");
}

static void do_leave(struct words *w)
{
    struct range r = range_of(w);
    words_done(w);
    int last = -1, were = swarm.ready;
    uint64_t moved = meter_now_us();
    struct moment start = moment_now();
    for (int i = r.first; i < r.first + r.n; i++)
        swarm_leave(&swarm, i);
    while (swarm.leaving) {
        swarm_turn(&swarm, TURN_US);
        watch_progress(&moved, &last, swarm.leaving);
    }
    struct moment end = moment_now();
    printf("{\"left\":%d,", were - swarm.ready);
    print_span(&start, &end);
    puts("}");
}

static void do_deafen(struct words *w)
{
    struct range r = range_of(w);
    words_done(w);
    for (int i = r.first; i < r.first + r.n; i++)
        swarm_deafen(&swarm, i);
    puts("{}");
}

/* ---- work */

static void do_hold(struct words *w)
{
    double seconds = words_real(w, "seconds", 1);
    words_done(w);
    struct moment start = moment_now();
    while ((double)(meter_now_us() - start.us) < seconds * 1e6)
        swarm_turn(&swarm, TURN_US);
    struct moment end = moment_now();
    printf("{");
    print_span(&start, &end);
    puts("}");
}

static struct traffic traffic_of(struct words *w)
{
    struct range r = range_of(w);
    struct traffic t = {.first = r.first, .n = r.n};
    t.group = (int)words_long(w, "group", 0, 0, r.n);
    t.audience = (uint64_t)words_long(w, "audience", t.group ? t.group : r.n, 1, CLIENTS_MAX);
    t.window = (uint64_t)words_long(w, "window", 1, 1, 100000);
    t.rate = words_real(w, "rate", 0);
    t.publishers = (int)words_long(w, "publishers", 1, 1, r.n);
    t.room = words_text(w, "room", NULL);
    t.event = words_text(w, "event", "\"message\"");
    t.size = (size_t)words_long(w, "size", 100, 0, 1000000);
    t.is_binary = words_long(w, "binary", 0, 0, 1);
    if (t.n == 0 || (t.room && !t.group)) log_fatal("%s: nobody to send, or no group", w->verb);
    return t;
}

/* do_fanout and do_ask differ in what they count as done. */
static void do_traffic(struct words *w, bool asks)
{
    struct traffic t = traffic_of(w);
    double seconds = words_real(w, "seconds", 1), warm = words_real(w, "warm", 0);
    swarm.timed_from = (int)words_long(w, "timed", 0, 0, swarm.n);
    words_done(w);
    uint64_t (*work)(struct swarm *, const struct traffic *, double) =
        asks ? traffic_ask : traffic_fan_out;
    swarm_reset(&swarm);
    if (warm > 0) work(&swarm, &t, warm);
    swarm_reset(&swarm);
    struct moment start = moment_now();
    uint64_t published = work(&swarm, &t, seconds);
    struct moment end = moment_now();
    uint64_t done = asks ? swarm.answered : swarm.delivered;
    if (done != published * (asks ? 1 : t.audience) || swarm.closed)
        log_fatal("%s: %" PRIu64 " published, %" PRIu64 " came back, %" PRIu64 " clients died",
                  w->verb, published, done, swarm.closed);
    printf("{\"published\":%" PRIu64 ",\"delivered\":%" PRIu64 ",", published, done);
    print_span(&start, &end);
    printf(",\"delay_us\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64
           ",\"max\":%" PRIu64 "}}\n",
           meter_hist_at(&swarm.delays, 0.5), meter_hist_at(&swarm.delays, 0.99),
           meter_hist_at(&swarm.delays, 0.999), swarm.delays.max);
}

/* ---- commands */

static void do_tokens(struct words *w)
{
    const char *path = words_text(w, "path", "");
    words_done(w);
    int n = swarm_load_tokens(&swarm, path);
    if (n <= 0) log_fatal("%s holds no token", path);
    printf("{\"tokens\":%d}\n", n);
}

static void do_server(struct words *w)
{
    long port = words_long(w, "port", 0, 1, 65535);
    words_done(w);
    if (!port || swarm.nservers == SWARM_SERVERS) log_fatal("server: no port, or too many");
    swarm.ports[swarm.nservers++] = (uint16_t)port;
    puts("{}");
}

static void do_meter(struct words *w)
{
    long pid = words_long(w, "pid", 0, 1, 1L << 30);
    words_done(w);
    if (!pid || npids == PIDS_MAX) log_fatal("meter: no pid, or too many");
    pids[npids++] = (pid_t)pid;
    puts("{}");
}

static void obey(struct words *w)
{
    static const struct {
        const char *verb;
        void (*f)(struct words *);
    } plain[] = {{"tokens", do_tokens}, {"server", do_server},   {"meter", do_meter},
                 {"add", do_add},       {"connect", do_connect}, {"leave", do_leave},
                 {"deafen", do_deafen}, {"hold", do_hold}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (strcmp(w->verb, plain[i].verb) != 0) continue;
        plain[i].f(w);
        return;
    }
    bool asks = strcmp(w->verb, "ask") == 0;
    if (!asks && strcmp(w->verb, "fanout") != 0) log_fatal("unknown command %s", w->verb);
    do_traffic(w, asks);
}

int main(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    prctl(PR_SET_TIMERSLACK, 1); /* wake up when a message is due, not 50 µs behind */
    static char line[4096];
    struct words w;
    swarm_init(&swarm);
    setvbuf(stdin, NULL, _IONBF, 0); /* or a second line would hide from epoll */
    swarm_also_wait_for(&swarm, STDIN_FILENO);
    while (!swarm.failed && !swarm.closed) {
        if (!swarm_turn(&swarm, 1000000)) continue;
        if (!fgets(line, sizeof line, stdin)) break;
        if (words_read(&w, line)) obey(&w);
        fflush(stdout);
    }
    bool whole = !swarm.failed && !swarm.closed;
    swarm_fini(&swarm);
    return whole ? 0 : 1;
}
