/* The load generator of `make bench`: one swarm of clients against one server on 127.0.0.1 or
 * several of one cluster, one phase of work, one line of JSON on stdout. tests/bench/run starts it
 * and reads that line.
 *
 *   bench_load -p PORT:CLIENTS… -x PID… -T FILE [-j JOINING] [-u UNCOUNTED] [-m MODE] [-d S] …
 *
 *   idle     connect all, then hold the connections for -d seconds: cost of connecting, memory
 *   fanout   a client publishes, every client is sent it: cost of a delivery. -w messages are in
 *            flight at any time; or, with -r, messages go out at a fixed rate whatever comes back.
 *            With -q nothing is sent for some seconds before: what the processes cost at rest
 *
 * Clients are numbered server by server. -a: only the first so many are sent a message (the members
 * of a room that -e's event goes to); -f: delays are those of client -f and the ones behind it. -x:
 * the first process is the one whose memory and CPU per delivery are told.
 *
 * At a fixed rate a message is stamped with the time it was due, not the time it was sent: so what
 * a stall holds back counts as delay and does not vanish.
 *
 * Exit status 1: what was measured is not worth reading (a client failed, a message was lost). */
/* System */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* This program */
#include "swarm.h"

enum { STALL_US = 20000000, DRAIN_US = 10000000, PIDS_MAX = 4 };

struct options {
    const char *mode, *token_file, *event;
    struct swarm_server servers[SWARM_SERVERS];
    long pids[PIDS_MAX];
    int nservers, npids;
    long clients, joining, uncounted, window, size, publishers, audience, timed_from;
    double rate, seconds, warmup, quiet;
};

/* Of all processes. */
struct use {
    struct meter_use of[PIDS_MAX];
};

struct result {
    struct use before, joined, quiet_start, quiet_end, after_warmup, end;
    uint64_t join_us, run_us, published;
    int counted;
};

static void usage(void)
{
    fputs(
        "usage: bench_load -p port:clients... -x pid... -T tokens [-j joining] [-u uncounted]\n"
        "                  [-m idle|fanout] [-d seconds] [-W warm-up seconds] [-q quiet seconds]\n"
        "                  [-w in flight | -r messages/s] [-k publishers] [-s bytes]\n"
        "                  [-e event] [-a audience] [-f first timed client]\n",
        stderr);
    exit(2);
}

static long number(const char *text, long least, long most)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < least || v > most) {
        fprintf(stderr, "bench_load: %s is not from %ld to %ld\n", text, least, most);
        usage();
    }
    return v;
}

static double real(const char *text)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !(v >= 0 && v <= 1e6)) usage();
    return v;
}

static void read_server(struct options *o, char *text)
{
    char *colon = strchr(text, ':');
    if (!colon || o->nservers == SWARM_SERVERS) usage();
    *colon = '\0';
    struct swarm_server *server = &o->servers[o->nservers++];
    server->port = (uint16_t)number(text, 1, 65535);
    server->clients = (int)number(colon + 1, 1, 1000000);
    o->clients += server->clients;
}

static void read_pid(struct options *o, const char *text)
{
    if (o->npids == PIDS_MAX) usage();
    o->pids[o->npids++] = number(text, 1, 1L << 30);
}

static void read_options(struct options *o, int argc, char **argv)
{
    for (int c; (c = getopt(argc, argv, "p:x:T:j:u:m:d:W:q:w:r:k:s:e:a:f:")) != -1;) {
        switch (c) {
        case 'p': read_server(o, optarg); break;
        case 'x': read_pid(o, optarg); break;
        case 'T': o->token_file = optarg; break;
        case 'j': o->joining = number(optarg, 1, 10000); break;
        case 'u': o->uncounted = number(optarg, 0, 1000000); break;
        case 'm': o->mode = optarg; break;
        case 'd': o->seconds = real(optarg); break;
        case 'W': o->warmup = real(optarg); break;
        case 'q': o->quiet = real(optarg); break;
        case 'w': o->window = number(optarg, 1, 10000); break;
        case 'r': o->rate = real(optarg); break;
        case 'k': o->publishers = number(optarg, 1, 10000); break;
        case 's': o->size = number(optarg, 0, 60000); break;
        case 'e': o->event = optarg; break;
        case 'a': o->audience = number(optarg, 1, 1000000); break;
        case 'f': o->timed_from = number(optarg, 0, 1000000); break;
        default: usage();
        }
    }
    bool mode_known = strcmp(o->mode, "idle") == 0 || strcmp(o->mode, "fanout") == 0;
    if (optind < argc || !o->nservers || !o->npids || !o->token_file || !mode_known) usage();
    if (!o->audience) o->audience = o->clients;
    if (o->publishers > o->clients || o->uncounted >= o->clients) usage();
    if (o->audience > o->clients || o->timed_from >= o->audience) usage();
}

/* One token a line. */
static char **read_tokens(const char *path, int *n)
{
    FILE *in = fopen(path, "r");
    if (!in) log_fatal("%s: %s", path, strerror(errno));
    char **tokens = NULL;
    static char line[8192];
    for (*n = 0; fgets(line, sizeof line, in); ++*n) {
        tokens = x_realloc(tokens, (size_t)(*n + 1) * sizeof *tokens);
        tokens[*n] = x_memdup(line, strcspn(line, "\r\n"));
    }
    fclose(in);
    if (*n == 0) log_fatal("%s holds no token", path);
    return tokens;
}

static struct use use_of(const struct options *o)
{
    struct use use = {.of = {{0}}};
    for (int i = 0; i < o->npids; i++)
        if (!meter_read((pid_t)o->pids[i], &use.of[i]))
            log_fatal("cannot read /proc/%ld", o->pids[i]);
    return use;
}

/* Until `upto` clients are ready or dead, with never more than -j of them on the way. */
static void join(struct swarm *s, const struct options *o, int upto)
{
    int done = -1;
    uint64_t moved = meter_now_us();
    while (s->ready + s->failed + (int)s->closed < upto) {
        while (s->started < upto && s->joining < o->joining)
            swarm_start(s);
        swarm_turn(s, 100000);
        if (s->ready + s->failed != done) {
            done = s->ready + s->failed;
            moved = meter_now_us();
        }
        if (meter_now_us() - moved > STALL_US) log_fatal("stalled: %d clients are ready", s->ready);
    }
}

static void join_all(struct swarm *s, const struct options *o, struct result *r)
{
    if (o->uncounted) join(s, o, (int)o->uncounted);
    int uncounted = s->ready;
    r->before = use_of(o);
    uint64_t start = meter_now_us();
    join(s, o, s->n);
    r->join_us = meter_now_us() - start;
    r->joined = use_of(o);
    r->counted = s->ready - uncounted;
}

static void hold(struct swarm *s, double seconds)
{
    uint64_t start = meter_now_us();
    while ((double)(meter_now_us() - start) < seconds * 1e6)
        swarm_turn(s, 20000);
}

/* Deliveries that may be owed at any time. */
static uint64_t window_of(const struct options *o)
{
    return (uint64_t)o->window * (uint64_t)o->audience;
}

/* Returns how many messages were published; all were delivered unless s->delivered says less. */
static uint64_t fan_out(struct swarm *s, const struct options *o, double seconds)
{
    uint64_t start = meter_now_us(), each = (uint64_t)o->audience, n = 0, now;
    while ((now = meter_now_us()) - start < (uint64_t)(seconds * 1e6) && s->closed == 0) {
        uint64_t wait = 20000;
        for (;;) {
            uint64_t due = o->rate > 0 ? start + (uint64_t)((double)n / o->rate * 1e6) : now;
            if (due > now) wait = due - now < wait ? due - now : wait;
            if (due > now || (o->rate <= 0 && n * each >= s->delivered + window_of(o))) break;
            int publisher = (int)(n % (uint64_t)o->publishers) * (s->ready / (int)o->publishers);
            swarm_publish(s, publisher, o->event, due, (size_t)o->size);
            n++;
        }
        swarm_turn(s, wait);
    }
    uint64_t sent = meter_now_us();
    while (s->delivered < n * each && s->closed == 0 && meter_now_us() - sent < DRAIN_US)
        swarm_turn(s, 20000);
    return n;
}

static void measure_fan_out(struct swarm *s, const struct options *o, struct result *r)
{
    r->quiet_start = use_of(o);
    hold(s, o->quiet);
    r->quiet_end = use_of(o);
    if (o->warmup > 0) fan_out(s, o, o->warmup);
    swarm_reset(s);
    r->after_warmup = use_of(o);
    uint64_t start = meter_now_us();
    r->published = fan_out(s, o, o->seconds);
    r->run_us = meter_now_us() - start;
}

static double cpu_us(const struct use *from, const struct use *to, int i)
{
    return (double)(to->of[i].cpu_ns - from->of[i].cpu_ns) / 1e3;
}

/* One figure for each process. */
static void print_cpu(const char *name, const struct options *o, const struct use *from,
                      const struct use *to)
{
    printf(",\"%s\":[", name);
    for (int i = 0; i < o->npids; i++)
        printf("%s%.1f", i ? "," : "", cpu_us(from, to, i));
    printf("]");
}

static void print_result(const struct swarm *s, const struct options *o, const struct result *r)
{
    double joined = r->counted > 0 ? r->counted : 1;
    printf("{\"clients\":%ld,\"ready\":%d,\"failed\":%d,\"closed\":%" PRIu64, o->clients, s->ready,
           s->failed, s->closed);
    printf(",\"join_s\":%.6f,\"join_cpu_us\":%.4f", (double)r->join_us / 1e6,
           cpu_us(&r->before, &r->joined, 0) / joined);
    uint64_t rss_before = r->before.of[0].rss_kib, rss_end = r->end.of[0].rss_kib;
    printf(",\"rss_before_kib\":%" PRIu64 ",\"rss_end_kib\":%" PRIu64 ",\"rss_kib\":%.4f",
           rss_before, rss_end, ((double)rss_end - (double)rss_before) / joined);
    if (r->published > 0 && s->delivered > 0) {
        printf(",\"published\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"run_s\":%.6f", r->published,
               s->delivered, (double)r->run_us / 1e6);
        printf(",\"delivery_cpu_us\":%.4f",
               cpu_us(&r->after_warmup, &r->end, 0) / (double)s->delivered);
        print_cpu("cpu_us", o, &r->after_warmup, &r->end);
        print_cpu("quiet_cpu_us", o, &r->quiet_start, &r->quiet_end);
        printf(",\"quiet_s\":%.3f", o->quiet);
        printf(",\"delay_us\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}",
               meter_hist_at(&s->delays, 0.5), meter_hist_at(&s->delays, 0.99), s->delays.max);
    }
    puts("}");
}

int main(int argc, char **argv)
{
    struct options o = {.mode = "fanout", .event = "\"message\"", .joining = 128, .window = 1};
    o.size = 100;
    o.publishers = 1;
    o.seconds = 3;
    read_options(&o, argc, argv);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    prctl(PR_SET_TIMERSLACK, 1); /* wake up when a message is due, not 50 µs behind */
    int ntokens;
    char **tokens = read_tokens(o.token_file, &ntokens);
    static struct swarm s;
    swarm_init(&s, o.servers, o.nservers, tokens, ntokens);
    s.timed_from = (int)o.timed_from;
    struct result r = {.published = 0};
    join_all(&s, &o, &r);
    bool whole = s.ready == s.n;
    if (whole && strcmp(o.mode, "fanout") == 0) measure_fan_out(&s, &o, &r);
    if (whole && strcmp(o.mode, "idle") == 0) hold(&s, o.seconds);
    r.end = use_of(&o);
    print_result(&s, &o, &r);
    whole = whole && s.closed == 0 && s.delivered == r.published * (uint64_t)o.audience;
    swarm_fini(&s);
    for (int i = 0; i < ntokens; i++)
        x_free(tokens[i]);
    x_free(tokens);
    return whole ? 0 : 1;
}
