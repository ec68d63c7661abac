/* A look is a handful of commands in one pipeline: INFO, who listens to requests, the sets of gateways
 * and of workers, and then for each its heartbeat and how long that lives. The age of a heartbeat is what has
 * gone of bus.heartbeat_timeout by Redis's clock, so no two clocks are compared.
 *
 * Each command owes the look an answer, also when the connection breaks; the last one shows it. */

/* System */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Third party */
#include <jansson.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_names.h"
/* This process */
#include "peal_redis.h"
#include "peal_status.h"
#include "peal_status_view.h"

#define COMMAND "peal status"
#define NODES_MAX 4096 /* more are not looked at */
#define NODES_LAST SV("4095")
#define ID_MAX 64 /* longer ones are none of ours */
#define HEARTBEAT_MAX SV("8191")
#define MAX_REPLY (1u << 20)
#define WATCH_DEFAULT_MS 2000

static const char usage[] =
    "usage: peal status [options]\n"
    "\n"
    "Shows the gateways and workers of the cluster, as the heartbeats that they leave in Redis\n"
    "describe them.\n"
    "\n"
    "  --json              for programs: one JSON document (with --watch one a line)\n"
    "  --watch[=SECONDS]   again and again, until Ctrl-C; every 2 seconds\n"
    "\n" PEAL_REDIS_HELP "\n"
    "Exit status: 0 if there is a gateway and all of them are ready, else 1; 2 for wrong use.\n";

struct options {
    struct peal_redis_options redis;
    bool is_json;
    int64_t watch_ms; /* 0: once */
};

struct status {
    const struct options *o;
    const struct cfg *cfg;
    struct peal_redis *redis;
    struct look *look; /* the one under way */
    struct wheel_entry timer;
    bool is_ready, is_failed; /* of the look shown last */
};

/* One node or worker of a look. */
struct place {
    struct look *look;
    char *id, *heartbeat; /* heartbeat NULL: gone */
    size_t id_len, heartbeat_len;
    int64_t expires_ms;
};

struct places {
    struct look *look;
    struct place *v;
    size_t n;
};

struct look {
    struct status *s;
    json_t *view;
    unsigned owed;
    bool is_lost;
    int64_t subscribers;
    struct places nodes, workers;
};

/* --- options */

enum { JSON = PEAL_REDIS_OWN, WATCH };

static const struct option words[] = {
    PEAL_REDIS_WORDS,
    {"json", no_argument, NULL, JSON},
    {"watch", optional_argument, NULL, WATCH},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool set_watch(struct options *o, const char *text)
{
    o->watch_ms = WATCH_DEFAULT_MS;
    if (!text) return true;
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0.1 && seconds <= 86400))
        return peal_redis_complain(
            COMMAND, "--watch: \"%s\" is not allowed: seconds, from 0.1 to 86400", text);
    o->watch_ms = (int64_t)(seconds * 1000);
    return true;
}

static bool take_option(struct options *o, int option, char **argv)
{
    switch (option) {
    case JSON: return o->is_json = true;
    case WATCH: return set_watch(o, optarg);
    case 'h': return o->redis.wants_help = true;
    default: return peal_redis_take(&o->redis, option, argv);
    }
}

static bool read_options(void *options, int argc, char **argv)
{
    struct options *o = options;
    optind = 0; /* the main program may have used getopt too */
    opterr = 0;
    for (int option;
         (option = getopt_long(argc, argv, ":h" PEAL_REDIS_LETTERS, words, NULL)) != -1;)
        if (!take_option(o, option, argv)) return false;
    return o->redis.wants_help || optind == argc ||
           peal_redis_complain(COMMAND, "unexpected \"%s\"", argv[optind]);
}

/* --- showing */

static void show(struct status *s, json_t *view)
{
    int64_t timeout = s->cfg->bus_heartbeat_timeout;
    bool is_screen = s->o->watch_ms && !s->o->is_json && isatty(STDOUT_FILENO);
    s->is_ready = peal_status_view_is_ready(view);
    if (is_screen) fputs("\033[H\033[J", stdout);
    if (s->o->watch_ms && !s->o->is_json)
        printf("%s\n", json_string_value(json_object_get(view, "time")));
    if (s->o->is_json)
        peal_status_view_print_json(view, s->o->watch_ms > 0, stdout);
    else
        peal_status_view_print_table(view, timeout, stdout);
    if (s->o->watch_ms && !s->o->is_json && !is_screen) putchar('\n');
    if (fflush(stdout) != 0) {
        peal_redis_complain(COMMAND, "standard output: %s", strerror(errno));
        s->is_failed = true;
    }
    if (s->is_failed || !s->o->watch_ms)
        peal_redis_done(s->redis);
    else
        wheel_set(loop_wheel(peal_redis_loop(s->redis)), &s->timer,
                  loop_now(peal_redis_loop(s->redis)) + (uint64_t)s->o->watch_ms);
}

static json_t *new_view(struct status *s)
{
    return peal_status_view_new(redis_link_where(peal_redis_link(s->redis)), s->cfg->bus_key,
                                loop_wall_s(peal_redis_loop(s->redis)));
}

static void free_places(struct places *all)
{
    for (size_t i = 0; i < all->n; i++) {
        x_free(all->v[i].id);
        x_free(all->v[i].heartbeat);
    }
    x_free(all->v);
}

static void look_free(struct look *l)
{
    if (!l) return;
    free_places(&l->nodes);
    free_places(&l->workers);
    json_decref(l->view);
    x_free(l);
}

/* Those whose heartbeat is there. */
static void add_places(struct look *l, const struct places *all,
                       void (*add)(json_t *view, struct str_view id, struct str_view heartbeat,
                                   int64_t expires_ms, int64_t timeout_ms))
{
    for (size_t i = 0; i < all->n; i++) {
        const struct place *p = &all->v[i];
        if (!p->heartbeat || p->expires_ms == -2) continue;
        add(l->view, sv_make(p->id, p->id_len), sv_make(p->heartbeat, p->heartbeat_len),
            p->expires_ms, l->s->cfg->bus_heartbeat_timeout);
    }
}

/* One answer less is owed. Of a look that is lost, on_away tells. */
static void settle(struct look *l)
{
    struct status *s = l->s;
    if (--l->owed) return;
    s->look = NULL;
    add_places(l, &l->nodes, peal_status_view_add_node);
    add_places(l, &l->workers, peal_status_view_add_worker);
    peal_status_view_finish(l->view, l->subscribers);
    if (!l->is_lost) show(s, l->view);
    look_free(l);
}

/* --- asking */

static void ask(struct look *l, redis_reply_cb cb, void *arg, size_t argc,
                const struct str_view *argv)
{
    l->owed++;
    redis_link_command(peal_redis_link(l->s->redis), cb, arg, argc, argv);
}

static bool is_error(const struct redis_reply *r)
{
    return redis_reply_kind(r) == REDIS_LINK_ERROR;
}

static void on_heartbeat(const struct redis_reply *r, void *arg)
{
    struct place *p = arg;
    struct str_view text = r ? redis_reply_text(r) : SV("");
    if (text.n && !is_error(r)) {
        p->heartbeat = x_memdup(text.p, text.n);
        p->heartbeat_len = text.n;
    }
    p->look->is_lost |= !r;
    settle(p->look);
}

static void on_expiry(const struct redis_reply *r, void *arg)
{
    struct place *p = arg;
    p->expires_ms = r && !is_error(r) ? redis_reply_int(r) : -1;
    p->look->is_lost |= !r;
    settle(p->look);
}

static void ask_for_one(struct places *all, struct str_view id)
{
    struct look *l = all->look;
    struct buf name;
    struct place *p = &all->v[all->n];
    buf_init(&name, BUS_NAME_MAX);
    if (bus_name_node(&name, sv_of(l->s->cfg->bus_key), id)) {
        *p = (struct place){.look = l, .id = x_memdup(id.p, id.n), .id_len = id.n};
        all->n++;
        /* Of a hostile heartbeat no more is wanted than of a good one. */
        const struct str_view get[] = {SV("GETRANGE"), buf_view(&name), SV("0"), HEARTBEAT_MAX};
        const struct str_view pttl[] = {SV("PTTL"), buf_view(&name)};
        ask(l, on_heartbeat, p, 4, get);
        ask(l, on_expiry, p, 2, pttl);
    }
    buf_fini(&name);
}

static void on_members(const struct redis_reply *r, void *arg)
{
    struct places *all = arg;
    struct look *l = all->look;
    size_t n = r ? redis_reply_count(r) : 0;
    if (n > NODES_MAX) n = NODES_MAX;
    l->is_lost |= !r;
    /* Who may not list the workers still sees the gateways. */
    if (r && is_error(r) && all == &l->nodes)
        peal_status_view_set_error(l->view, true, redis_reply_text(r));
    all->v = x_calloc(n + 1, sizeof(*all->v));
    for (size_t i = 0; i < n; i++) {
        struct str_view id = redis_reply_text(redis_reply_at(r, i));
        if (id.n && id.n <= ID_MAX) ask_for_one(all, id);
    }
    settle(l);
}

static void on_info(const struct redis_reply *r, void *arg)
{
    struct look *l = arg;
    l->is_lost |= !r;
    if (r && !is_error(r)) peal_status_view_set_info(l->view, redis_reply_text(r));
    settle(l);
}

static void on_subscribers(const struct redis_reply *r, void *arg)
{
    struct look *l = arg;
    l->is_lost |= !r;
    if (r && redis_reply_count(r) == 2) l->subscribers = redis_reply_int(redis_reply_at(r, 1));
    settle(l);
}

static void look(struct status *s)
{
    struct str_view key = sv_of(s->cfg->bus_key);
    struct buf requests, nodes, workers;
    struct look *l = x_calloc(1, sizeof(*l));
    buf_init(&requests, BUS_NAME_MAX);
    buf_init(&nodes, BUS_NAME_MAX);
    buf_init(&workers, BUS_NAME_MAX);
    *l = (struct look){.s = s, .view = new_view(s), .subscribers = -1};
    l->nodes.look = l->workers.look = l;
    s->look = l;
    if (bus_name_request(&requests, key, SV("/")) && bus_name_nodes(&nodes, key) &&
        bus_name_workers(&workers, key)) {
        const struct str_view info[] = {SV("INFO"), SV("server")};
        const struct str_view numsub[] = {SV("PUBSUB"), SV("NUMSUB"), buf_view(&requests)};
        const struct str_view members[] = {SV("SMEMBERS"), buf_view(&nodes)};
        ask(l, on_info, l, 2, info);
        ask(l, on_subscribers, l, 3, numsub);
        const struct str_view working[] = {SV("ZRANGE"), buf_view(&workers), SV("0"), NODES_LAST};
        ask(l, on_members, &l->nodes, 2, members);
        ask(l, on_members, &l->workers, 4, working);
    } else {
        peal_status_view_set_error(l->view, true, SV("bus.key is too long"));
        l->owed = 1;
        settle(l);
    }
    buf_fini(&requests);
    buf_fini(&nodes);
    buf_fini(&workers);
}

/* --- events */

static void on_up(void *arg)
{
    struct status *s = arg;
    wheel_drop(loop_wheel(peal_redis_loop(s->redis)), &s->timer);
    look(s);
}

static void on_away(void *arg, const char *why)
{
    struct status *s = arg;
    json_t *view = new_view(s);
    peal_status_view_set_error(view, false, sv_of(why));
    peal_status_view_finish(view, -1);
    show(s, view);
    json_decref(view);
}

static void on_timer(struct wheel_entry *e)
{
    struct status *s = (struct status *)((char *)e - offsetof(struct status, timer));
    struct redis_link *link = peal_redis_link(s->redis);
    if (redis_link_is_up(link))
        look(s);
    else
        on_away(s, redis_link_why(link));
}

static void on_interrupt(int signo, void *arg)
{
    struct status *s = arg;
    (void)signo;
    peal_redis_done(s->redis);
}

static int run(void *options, const struct cfg *cfg)
{
    const struct options *o = options;
    static const struct peal_redis_events events = {.up = on_up, .away = on_away};
    struct status s = {.o = o, .cfg = cfg, .timer = {.fire = on_timer}};
    s.redis = peal_redis_new(cfg, COMMAND, MAX_REPLY, &events, &s);
    if (!s.redis) return 1;
    struct loop *loop = peal_redis_loop(s.redis);
    if (o->watch_ms) {
        loop_on_signal(loop, SIGINT, on_interrupt, &s);
        loop_on_signal(loop, SIGTERM, on_interrupt, &s);
    }
    peal_redis_run(s.redis);
    wheel_drop(loop_wheel(loop), &s.timer);
    if (s.look) s.look->is_lost = true; /* what it is owed is told by the link's end */
    peal_redis_free(s.redis);
    return s.is_ready && !s.is_failed ? 0 : 1;
}

int peal_status_main(int argc, char **argv)
{
    static const struct peal_redis_command command = {usage, read_options, run};
    struct options o = {.redis = {.command = COMMAND}};
    return peal_redis_main(&command, &o.redis, &o, argc, argv);
}
