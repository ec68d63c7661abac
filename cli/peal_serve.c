/* Design notes
 *
 * Without Redis the worker has the gateway's bus, and takes items straight from its way out
 * (wk_feed_local). With Redis it is a whole worker of the cluster that happens to share the
 * gateway's loop: it has a bus, questions and leases of its own, and handles the events of other
 * gateways, too. */

/* Cluster */
#include "cluster/work_out.h"
/* Io */
#include "io/loop.h"
#include "io/program.h"
/* Gateway */
#include "gateway/gw_handler.h"
#include "gateway/gw_node_cmd.h"
#include "gateway/gw_server.h"
/* Worker */
#include "worker/wk_core.h"
#include "worker/wk_feed_local.h"
#include "worker/wk_handlers.h"
#include "worker/wk_metrics.h"
#include "worker/wk_server.h"
/* This process */
#include "peal_serve.h"

struct serve {
    const struct cfg *cfg;
    /* One of the two, or neither if no handlers are named. */
    struct worker *worker;      /* on Redis */
    struct wk_core *core;       /* at the end of the gateway's way out */
    const struct wk_http *http; /* the core's; NULL: no backends */
    struct work_out *out;
    bool is_stopping, has_stopped;
};

static void on_synced(uint64_t token, void *arg)
{
    wk_core_synced(((struct serve *)arg)->core, token);
}

static void on_close(void *ctx)
{
    struct serve *s = ctx;
    wk_server_free(s->worker);
    wk_core_free(s->core);
    s->worker = NULL;
    s->core = NULL;
}

static bool open_local(struct serve *s, struct gateway *gw, struct loop *loop,
                       struct cfg_error *err)
{
    struct bus *bus = gw_bus(gw);
    s->core = wk_core_new(s->cfg, loop, bus, gw_questions(gw), err);
    if (!s->core) return false;
    s->out = gw_work_out(gw);
    wk_core_set_feed(s->core,
                     wk_feed_local_new(s->cfg, s->out, bus, &wk_core_feed_events, s->core));
    gw_node_cmd_on_synced(gw, on_synced, s);
    if (wk_handlers_add(s->core, s->cfg, &s->http, err)) return true;
    on_close(s);
    return false;
}

static bool on_open(void *ctx, struct gateway *gw, struct loop *loop, struct cfg_error *err)
{
    struct serve *s = ctx;
    if (!wk_handlers_are_named(s->cfg)) return true;
    if (!cfg_has_redis(s->cfg)) return open_local(s, gw, loop, err);
    s->worker = wk_server_new(s->cfg, loop, NULL, false, err);
    return s->worker != NULL;
}

/* Items of this turn are handled in it, and what they bring about goes on the bus in it. */
static bool on_flush(void *ctx)
{
    struct serve *s = ctx;
    if (!s->core) return false;
    bool more = s->out->ops->flush(s->out);
    return wk_core_flush(s->core) || more;
}

static void on_metrics(void *ctx, struct prom_text *p)
{
    struct serve *s = ctx;
    if (s->worker) wk_server_write_metrics(s->worker, p);
    if (s->core) wk_metrics_write(p, s->core, s->http);
}

static void on_stopped(void *arg)
{
    ((struct serve *)arg)->has_stopped = true;
}

static bool on_finish(void *ctx)
{
    struct serve *s = ctx;
    if (!s->core && !s->worker) return true;
    if (!s->is_stopping) {
        s->is_stopping = true;
        if (s->worker) wk_server_stop(s->worker, on_stopped, s);
        if (s->core) wk_core_stop(s->core, on_stopped, s);
        if (s->core) wk_core_flush(s->core); /* perhaps that is all: no turn comes by itself */
    }
    return s->has_stopped;
}

int peal_serve_main(int argc, char **argv)
{
    static struct serve serve;
    const struct gw_handler handler = {.ctx = &serve,
                                       .open = on_open,
                                       .flush = on_flush,
                                       .finish = on_finish,
                                       .metrics = on_metrics,
                                       .close = on_close};
    struct cfg cfg;
    int code = 0;
    if (!program_configure(
            argc, argv, "peal serve",
            "A whole Peal in one process; with redis.url it is a gateway of a cluster, and a "
            "worker if worker.modules or worker.http name handlers.",
            &cfg, &code))
        return code;
    serve.cfg = &cfg;
    code = gw_server_run(&cfg, &(struct program_args){argc, argv}, "peal serve", &handler, NULL);
    cfg_fini(&cfg);
    return code;
}
