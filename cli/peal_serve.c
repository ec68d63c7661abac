/* Design notes
 *
 * Without Redis the worker has the gateway's bus, and takes items straight from its way out
 * (wk_feed_local). With Redis it is a whole worker of the cluster that happens to share the gateway's
 * loop: it has a bus, questions and leases of its own, and handles the events of other
 * gateways, too. */

/* System */
#include <string.h>
/* Cluster */
#include "cluster/questions.h"
#include "cluster/work_out.h"
/* Util */
#include "util/id.h"
/* Io */
#include "io/bus_redis.h"
#include "io/loop.h"
#include "io/program.h"
/* Gateway */
#include "gateway/gw_handler.h"
#include "gateway/gw_node_cmd.h"
#include "gateway/gw_server.h"
/* Worker */
#include "worker/wk_core.h"
#include "worker/wk_feed_local.h"
#include "worker/wk_feed_redis.h"
#include "worker/wk_module.h"
/* This process */
#include "peal_serve.h"

struct serve {
    const struct cfg *cfg;
    struct loop *loop;
    struct wk_core *core;    /* NULL: no handlers */
    struct work_out *out;    /* the gateway's, if the worker stands at its end */
    struct bus *bus;         /* on Redis: the worker's own */
    struct questions *own_q; /* on Redis */
    char uid[ID_NODE_LEN];
    bool is_stopping, has_stopped;
};

static bool has_redis(const struct cfg *cfg)
{
    return cfg->redis_url[0] || cfg->redis_sentinels.n;
}

static bool names_handlers(const struct cfg *cfg)
{
    return cfg->worker_modules.n || strcmp(cfg->worker_http, "[]") != 0;
}

/* ---- the worker's own bus */

static void on_response(const struct bus_response *r, void *arg)
{
    struct serve *s = arg;
    if (s->own_q) questions_on_response(s->own_q, r);
}

static void on_direct(struct str_view bytes, void *arg)
{
    struct serve *s = arg;
    if (s->core) wk_core_direct(s->core, bytes);
}

static void on_synced(uint64_t token, void *arg)
{
    wk_core_synced(((struct serve *)arg)->core, token);
}

static uint64_t on_now(void *arg)
{
    return loop_now(((struct serve *)arg)->loop);
}

/* ---- life */

static void on_close(void *ctx)
{
    struct serve *s = ctx;
    if (!s->core) return;
    wk_core_free(s->core);
    s->core = NULL;
    if (s->own_q) questions_stop(s->own_q);
    if (s->bus) s->bus->ops->free(s->bus);
    questions_free(s->own_q);
    s->own_q = NULL;
    s->bus = NULL;
}

static bool open_redis(struct serve *s, struct cfg_error *err)
{
    static const struct bus_events events = {.response = on_response, .direct = on_direct};
    static const struct questions_owner owner = {.now = on_now};
    struct str_view uid = sv_make(s->uid, ID_NODE_LEN);
    id_random(s->uid, ID_NODE_LEN);
    s->bus = bus_redis_new(s->cfg, s->loop, &events, s, uid, err);
    if (!s->bus) return false;
    s->own_q = questions_new(&owner, s, s->bus, loop_wheel(s->loop), s->cfg);
    s->core = wk_core_new(s->cfg, s->loop, s->bus, s->own_q, err);
    struct wk_feed *feed =
        s->core ? wk_feed_redis_new(s->cfg, s->loop, uid, &wk_core_feed_events, s->core, err)
                : NULL;
    if (feed) wk_core_set_feed(s->core, feed);
    return feed != NULL;
}

static bool open_local(struct serve *s, struct gateway *gw, struct cfg_error *err)
{
    struct bus *bus = gw_bus(gw);
    s->core = wk_core_new(s->cfg, s->loop, bus, gw_questions(gw), err);
    if (!s->core) return false;
    s->out = gw_work_out(gw);
    wk_core_set_feed(s->core,
                     wk_feed_local_new(s->cfg, s->out, bus, &wk_core_feed_events, s->core));
    gw_node_cmd_on_synced(gw, on_synced, s);
    return true;
}

static bool on_open(void *ctx, struct gateway *gw, struct loop *loop, struct cfg_error *err)
{
    struct serve *s = ctx;
    s->loop = loop;
    if (!names_handlers(s->cfg)) return true;
    if ((has_redis(s->cfg) ? open_redis(s, err) : open_local(s, gw, err)) &&
        wk_module_load_all(s->core, s->cfg, err))
        return true;
    on_close(s);
    return false;
}

/* Items of this turn are handled in it, and what they bring about goes on the bus in it. */
static bool on_flush(void *ctx)
{
    struct serve *s = ctx;
    bool more = false;
    if (!s->core) return false;
    if (s->out) more = s->out->ops->flush(s->out);
    if (wk_core_flush(s->core)) more = true;
    if (s->bus && s->bus->ops->flush(s->bus)) more = true;
    return more;
}

static void on_stopped(void *arg)
{
    ((struct serve *)arg)->has_stopped = true;
}

static bool on_finish(void *ctx)
{
    struct serve *s = ctx;
    if (!s->core) return true;
    if (!s->is_stopping) wk_core_stop(s->core, on_stopped, s);
    s->is_stopping = true;
    return s->has_stopped;
}

int peal_serve_main(int argc, char **argv)
{
    static struct serve serve;
    const struct gw_handler handler = {
        .ctx = &serve, .open = on_open, .flush = on_flush, .finish = on_finish, .close = on_close};
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
