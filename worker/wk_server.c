/* Design notes
 *
 * The turn's end: the core moves jobs on and flushes the feed, then the bus sends. A worker's bus has no
 * clients: it hears answers to the questions of its handlers, and what gateways tell it directly.
 *
 * Effects of items leave with the feed's scripts, not by the bus. */

/* System */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/bus_redis.h"
/* Worker */
#include "wk_feed_redis.h"
#include "wk_handlers.h"
#include "wk_metrics.h"
#include "wk_worker.h"

/* ---- the bus's events */

static void on_request(const struct bus_request *r, void *arg)
{
    (void)r; /* gateways' to answer */
    (void)arg;
}

static void on_response(const struct bus_response *r, void *arg)
{
    questions_on_response(((struct worker *)arg)->questions, r);
}

static void on_direct(struct str_view bytes, void *arg)
{
    wk_core_direct(((struct worker *)arg)->core, bytes);
}

static void on_gap(uint64_t ms, void *arg)
{
    (void)ms; /* what was asked meanwhile runs into its time-out */
    (void)arg;
}

static bool describe(struct buf *out, void *arg)
{
    const struct worker *w = arg;
    const struct wk_feed_stats *s = &w->feed->stats;
    return buf_addf(out,
                    ",\"worker\":true,\"pid\":%ld,\"partitions\":%llu,\"in_hand\":%llu,"
                    "\"backlog\":%llu",
                    (long)getpid(), (unsigned long long)s->partitions,
                    (unsigned long long)s->in_hand, (unsigned long long)s->backlog);
}

static const struct bus_events bus_events = {.request = on_request,
                                             .response = on_response,
                                             .direct = on_direct,
                                             .gap = on_gap,
                                             .describe = describe};

static uint64_t owner_now(void *arg)
{
    return loop_now(((struct worker *)arg)->loop);
}

static const struct questions_owner owner = {.now = owner_now};

/* ---- the turn's end */

static bool phase_core(void *arg)
{
    return wk_core_flush(((struct worker *)arg)->core);
}

static bool phase_bus(void *arg)
{
    struct bus *bus = ((struct worker *)arg)->bus;
    return bus->ops->flush(bus);
}

/* ---- life */

static bool make(struct worker *w, wk_handlers_cb own, bool has_admin, struct cfg_error *err)
{
    struct str_view uid = sv_make(w->uid, sizeof(w->uid));
    w->bus = bus_redis_new(w->cfg, w->loop, &bus_events, w, uid, err);
    if (!w->bus) return false;
    w->questions = questions_new(&owner, w, w->bus, loop_wheel(w->loop), w->cfg);
    w->core = wk_core_new(w->cfg, w->loop, w->bus, w->questions, err);
    if (!w->core) return false;
    w->feed = wk_feed_redis_new(w->cfg, w->loop, uid, &wk_core_feed_events, w->core, err);
    if (!w->feed) return false;
    wk_core_set_feed(w->core, w->feed);
    if (own && !own(w->core, w->cfg, w->loop, err)) return false;
    if (!own && !wk_handlers_are_named(w->cfg))
        log_warn("no handlers are named: worker.modules and worker.http are empty");
    if (!wk_handlers_add(w->core, w->cfg, &w->http, err)) return false;
    return !has_admin || wk_admin_open(w, err);
}

struct worker *wk_server_new(const struct cfg *cfg, struct loop *loop, wk_handlers_cb own,
                             bool has_admin, struct cfg_error *err)
{
    if (!cfg_has_redis(cfg)) {
        snprintf(err->text, sizeof(err->text),
                 "redis.url: empty is not allowed: a worker takes its items from Redis");
        return NULL;
    }
    struct worker *w = x_calloc(1, sizeof(*w));
    w->cfg = cfg;
    w->loop = loop;
    id_random(w->uid, sizeof(w->uid));
    if (!make(w, own, has_admin, err)) {
        wk_server_free(w);
        return NULL;
    }
    loop_add_phase(loop, phase_core, w);
    loop_add_phase(loop, phase_bus, w);
    return w;
}

void wk_server_stop(struct worker *w, void (*stopped)(void *arg), void *arg)
{
    w->is_stopping = true;
    wk_core_stop(w->core, stopped, arg);
}

void wk_server_write_metrics(const struct worker *w, struct prom_text *p)
{
    wk_metrics_write(p, w->core, w->http);
}

void wk_server_free(struct worker *w)
{
    if (!w) return;
    admin_free(w->admin);
    wk_core_free(w->core);
    if (w->questions) questions_stop(w->questions);
    if (w->bus) w->bus->ops->free(w->bus);
    questions_free(w->questions);
    x_free(w);
}

/* ---- a program */

struct running {
    struct worker *worker;
    struct loop *loop;
};

static void on_stopped(void *arg)
{
    loop_stop(((struct running *)arg)->loop);
}

static void on_stop_signal(int signo, void *arg)
{
    struct running *r = arg;
    bool again = r->worker->is_stopping;
    log_info("signal %d: %s", signo, again ? "ending at once" : "stopping");
    if (again)
        loop_stop(r->loop);
    else
        wk_server_stop(r->worker, on_stopped, r);
}

/* As gateways are told to reload; a worker is simply started anew. */
static void on_hangup(int signo, void *arg)
{
    (void)signo;
    (void)arg;
    log_warn("SIGHUP: a worker reads its configuration only when it starts");
}

static void log_start(const struct worker *w)
{
    struct log_line l;
    log_begin(&l, LOG_INFO, "working");
    log_kv(&l, "worker", sv_make(w->uid, sizeof(w->uid)));
    log_kv_u64(&l, "partitions", (uint64_t)w->cfg->work_partitions);
    log_end(&l);
}

int wk_server_run(const struct cfg *cfg, const char *name, wk_handlers_cb own)
{
    struct cfg_error err;
    struct loop *loop = loop_new(&now_system);
    signal(SIGPIPE, SIG_IGN);
    struct running r = {wk_server_new(cfg, loop, own, true, &err), loop};
    if (!r.worker) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        loop_free(loop);
        return 1;
    }
    loop_on_signal(loop, SIGTERM, on_stop_signal, &r);
    loop_on_signal(loop, SIGINT, on_stop_signal, &r);
    loop_on_signal(loop, SIGHUP, on_hangup, NULL);
    log_start(r.worker);
    loop_run(loop);
    wk_server_free(r.worker);
    loop_free(loop);
    log_info("stopped");
    return 0;
}
