/* The load generator of `make bench`: one swarm of clients against one server on 127.0.0.1, one
 * phase of work, one line of JSON on stdout. tests/bench/run starts it and reads that line.
 *
 *   bench_load -p PORT -x PID -T FILE [-n CLIENTS] [-j JOINING] [-u UNCOUNTED] [-m MODE] [-d S] …
 *
 *   idle     connect all, then hold the connections for -d seconds: cost of connecting, memory
 *   fanout   a client publishes, every client is sent it: cost of a delivery. -w messages are in
 *            flight at any time; or, with -r, messages go out at a fixed rate whatever comes back
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
#include <sys/resource.h>
#include <unistd.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* This program */
#include "swarm.h"

enum { STALL_US = 20000000, DRAIN_US = 10000000 };

struct options {
    const char *mode, *token_file;
    long port, pid, clients, joining, uncounted, window, size, publishers;
    double rate, seconds, warmup;
};

struct result {
    struct meter_use before, joined, after_warmup, end;
    uint64_t join_us, run_us, published;
    int counted;
};

static void usage(void)
{
    fputs("usage: bench_load -p port -x pid -T tokens [-n clients] [-j joining] [-u uncounted]\n"
          "                  [-m idle|fanout] [-d seconds] [-W warm-up seconds]\n"
          "                  [-w in flight | -r messages/s] [-k publishers] [-s bytes]\n",
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

static void read_options(struct options *o, int argc, char **argv)
{
    for (int c; (c = getopt(argc, argv, "p:x:T:n:j:u:m:d:W:w:r:k:s:")) != -1;) {
        switch (c) {
        case 'p': o->port = number(optarg, 1, 65535); break;
        case 'x': o->pid = number(optarg, 1, 1L << 30); break;
        case 'T': o->token_file = optarg; break;
        case 'n': o->clients = number(optarg, 1, 1000000); break;
        case 'j': o->joining = number(optarg, 1, 10000); break;
        case 'u': o->uncounted = number(optarg, 0, 1000000); break;
        case 'm': o->mode = optarg; break;
        case 'd': o->seconds = real(optarg); break;
        case 'W': o->warmup = real(optarg); break;
        case 'w': o->window = number(optarg, 1, 10000); break;
        case 'r': o->rate = real(optarg); break;
        case 'k': o->publishers = number(optarg, 1, 10000); break;
        case 's': o->size = number(optarg, 0, 60000); break;
        default: usage();
        }
    }
    bool mode_known = strcmp(o->mode, "idle") == 0 || strcmp(o->mode, "fanout") == 0;
    if (optind < argc || !o->port || !o->pid || !o->token_file || !mode_known) usage();
    if (o->publishers > o->clients || o->uncounted >= o->clients) usage();
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

static struct meter_use use_of(const struct options *o)
{
    struct meter_use use;
    if (!meter_read((pid_t)o->pid, &use)) log_fatal("cannot read /proc/%ld", o->pid);
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
        swarm_turn(s, 100);
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
        swarm_turn(s, 20);
}

/* Returns how many messages were published; all were delivered unless s->delivered says less. */
static uint64_t fan_out(struct swarm *s, const struct options *o, double seconds)
{
    uint64_t start = meter_now_us(), ready = (uint64_t)s->ready, n = 0, now;
    while ((now = meter_now_us()) - start < (uint64_t)(seconds * 1e6) && s->closed == 0) {
        for (;;) {
            uint64_t due = o->rate > 0 ? start + (uint64_t)((double)n / o->rate * 1e6) : now;
            bool wanted =
                o->rate > 0 ? due <= now : n * ready < s->delivered + (uint64_t)o->window * ready;
            if (!wanted) break;
            int publisher = (int)(n % (uint64_t)o->publishers) * (s->ready / (int)o->publishers);
            swarm_publish(s, publisher, due, (size_t)o->size);
            n++;
        }
        swarm_turn(s, o->rate > 0 ? 1 : 20);
    }
    uint64_t sent = meter_now_us();
    while (s->delivered < n * ready && s->closed == 0 && meter_now_us() - sent < DRAIN_US)
        swarm_turn(s, 20);
    return n;
}

static void measure_fan_out(struct swarm *s, const struct options *o, struct result *r)
{
    if (o->warmup > 0) fan_out(s, o, o->warmup);
    swarm_reset(s);
    r->after_warmup = use_of(o);
    uint64_t start = meter_now_us();
    r->published = fan_out(s, o, o->seconds);
    r->run_us = meter_now_us() - start;
}

static void print_result(const struct swarm *s, const struct options *o, const struct result *r)
{
    double joined = r->counted > 0 ? r->counted : 1;
    printf("{\"clients\":%ld,\"ready\":%d,\"failed\":%d,\"closed\":%" PRIu64, o->clients, s->ready,
           s->failed, s->closed);
    printf(",\"join_s\":%.6f,\"join_cpu_us\":%.4f", (double)r->join_us / 1e6,
           (double)(r->joined.cpu_ns - r->before.cpu_ns) / 1e3 / joined);
    printf(",\"rss_before_kib\":%" PRIu64 ",\"rss_end_kib\":%" PRIu64 ",\"rss_kib\":%.4f",
           r->before.rss_kib, r->end.rss_kib,
           ((double)r->end.rss_kib - (double)r->before.rss_kib) / joined);
    if (r->published > 0 && s->delivered > 0) {
        printf(",\"published\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"run_s\":%.6f", r->published,
               s->delivered, (double)r->run_us / 1e6);
        printf(",\"delivery_cpu_us\":%.4f",
               (double)(r->end.cpu_ns - r->after_warmup.cpu_ns) / 1e3 / (double)s->delivered);
        printf(",\"delay_us\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}",
               meter_hist_at(&s->delays, 0.5), meter_hist_at(&s->delays, 0.99), s->delays.max);
    }
    puts("}");
}

int main(int argc, char **argv)
{
    struct options o = {.mode = "fanout", .clients = 100, .joining = 128, .window = 1, .size = 100};
    o.publishers = 1;
    o.seconds = 3;
    read_options(&o, argc, argv);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int ntokens;
    char **tokens = read_tokens(o.token_file, &ntokens);
    static struct swarm s;
    swarm_init(&s, (int)o.clients, (uint16_t)o.port, tokens, ntokens);
    struct result r = {.published = 0};
    join_all(&s, &o, &r);
    bool whole = s.ready == s.n;
    if (whole && strcmp(o.mode, "fanout") == 0) measure_fan_out(&s, &o, &r);
    if (whole && strcmp(o.mode, "idle") == 0) hold(&s, o.seconds);
    r.end = use_of(&o);
    print_result(&s, &o, &r);
    whole = whole && s.closed == 0 && s.delivered == r.published * (uint64_t)s.n;
    swarm_fini(&s);
    for (int i = 0; i < ntokens; i++)
        x_free(tokens[i]);
    x_free(tokens);
    return whole ? 0 : 1;
}
