/* Design notes
 *
 * The turn's end, in order (see gw_server_new): the bus delivers, work goes to
 * the workers, connections write and the closed
 * ones go, HTTP connections write, go on and go, WebSockets get held-back input, sockets that ended
 * are freed. How it ends: gw_drain.h. */

/* System */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
/* Util */
#include "util/x_alloc.h"
/* Io */
#include "io/admin.h"
/* Gateway */
#include "gw_admin.h"
#include "gw_api.h"
#include "gw_ask.h"
#include "gw_auth.h"
#include "gw_bus.h"
#include "gw_conn.h"
#include "gw_engine.h"
#include "gw_fanout.h"
#include "gw_flush.h"
#include "gw_handover.h"
#include "gw_http.h"
#include "gw_listener.h"
#include "gw_node_cmd.h"
#include "gw_parent.h"
#include "gw_reload.h"
#include "gw_routes.h"
#include "gw_server.h"
#include "gw_siblings.h"
#include "gw_sio.h"
#include "gw_socket.h"
#include "gw_work.h"
#include "gw_ws.h"

#define SWEEP_MS 1000
#define SPARE_FDS 96 /* beside connections: listeners, the admin port's, files, the library's own */

/* ---- the turn's end */

static bool phase_bus(void *arg)
{
    struct gateway *gw = arg;
    const struct gw_handler *h = gw->handler;
    bool more = h && h->flush && h->flush(h->ctx);
    gw->bus_waits = false;
    return gw->bus->ops->flush(gw->bus) || more;
}

static bool phase_work(void *arg)
{
    struct gateway *gw = arg;
    bool more = gw_work_phase(gw);
    if (!gw->is_refused && gw_work_refusal(gw)) {
        gw->is_refused = true;
        loop_stop(gw->loop);
    }
    return more;
}

static bool phase_conns(void *arg)
{
    return gw_conn_phase(arg);
}

static bool phase_http(void *arg)
{
    gw_handover_reap(arg);
    bool more = gw_http_phase(arg);
    return more || gw_handover_owes(arg);
}

static bool is_empty(const struct gateway *gw)
{
    return !gw->nconns && !gw->nhttps && !gw->dead_conns && !gw_ws_context_count(gw->ws) &&
           !gw->bus->stats.pending && (!gw->work || !gw->work->stats.pending);
}

static bool has_finished(const struct gateway *gw)
{
    const struct gw_handler *h = gw->handler;
    return !h || !h->finish || h->finish(h->ctx);
}

static bool phase_rest(void *arg)
{
    struct gateway *gw = arg;
    bool more = gw_ws_context_phase(gw->ws);
    gw_siblings_count(gw);
    gw_socket_reap(gw);
    /* Idle HTTP connections stay while a polling session may need one for its last poll. */
    if (gw->stopping && !gw->nconns) gw_http_stop(gw);
    if (gw->stopping && is_empty(gw) && has_finished(gw)) gw_drain_end(gw);
    return more || gw->bus_waits || gw->work_waits || gw->dead_conns || gw->dirty_conns ||
           gw->dead_https || gw->dirty_https;
}

static void on_sweep(struct wheel_entry *e)
{
    struct gateway *gw = (struct gateway *)((char *)e - offsetof(struct gateway, sweep));
    gw_conn_sweep(gw);
    (void)!gw_siblings_tell(gw); /* too long a text: /metrics says it */
    wheel_set(loop_wheel(gw->loop), e, loop_now(gw->loop) + SWEEP_MS);
}

/* ---- limits */

/* The soft limit of descriptors follows the configured connections, no further: libwebsockets 4.1.6
 * looks at every slot at each close. */
static bool set_fd_limit(const struct cfg *cfg, const struct gw_family *family,
                         struct cfg_error *err)
{
    struct rlimit rl;
    rlim_t want = (rlim_t)gw_siblings_share(cfg, family) + SPARE_FDS;
    if (family) want += 2 * family->board->n; /* inboxes, and what is on its way */
    if (getrlimit(RLIMIT_NOFILE, &rl)) return true;
    if (rl.rlim_max != RLIM_INFINITY && rl.rlim_max < want) {
        struct rlimit up = {want, want};
        if (setrlimit(RLIMIT_NOFILE, &up)) {
            snprintf(
                err->text, sizeof(err->text),
                "gateway.max_connections: %lld is not allowed: the system's limit of open files "
                "(%llu) leaves room for %lld%s",
                (long long)cfg->gateway_max_connections, (unsigned long long)rl.rlim_max,
                (long long)(rl.rlim_max - (want - gw_siblings_share(cfg, family))),
                family ? " in each process" : "");
            return false;
        }
        return true;
    }
    rl.rlim_cur = want;
    setrlimit(RLIMIT_NOFILE, &rl);
    return true;
}

static void set_engine(struct gateway *gw)
{
    const struct cfg *cfg = gw->cfg;
    gw->eio = (struct eio_settings){.ping_interval = (uint64_t)cfg->engine_ping_interval,
                                    .ping_timeout = (uint64_t)cfg->engine_ping_timeout,
                                    .upgrade_timeout = (uint64_t)cfg->engine_upgrade_timeout,
                                    .close_timeout = (uint64_t)cfg->engine_close_timeout};
}

/* ---- life */

static bool open_handler(struct gateway *gw, struct cfg_error *err)
{
    const struct gw_handler *h = gw->handler;
    gw->handler_is_open = !h || !h->open || h->open(h->ctx, gw, gw->loop, err);
    return gw->handler_is_open;
}

static struct gateway *make(const struct cfg *cfg, struct loop *loop,
                            const struct gw_handler *handler, const struct gw_upper *upper,
                            const struct gw_family *family, struct cfg_error *err)
{
    struct gw_auth *auth = gw_auth_new(cfg, err);
    struct gw_api *api = auth ? gw_api_new(cfg, err) : NULL;
    if (!api || !set_fd_limit(cfg, family, err)) {
        gw_api_free(api);
        gw_auth_free(auth);
        return NULL;
    }
    struct gateway *gw = x_calloc(1, sizeof(*gw));
    gw->cfg = cfg;
    gw->loop = loop;
    gw->family = family;
    gw->started_s = loop_wall_s(loop);
    gw->auth = auth;
    gw->api = api;
    gw->http_events = &gw_engine_events;
    gw->handler = handler;
    gw->upper = upper ? upper : &gw_sio_upper;
    id_random(gw->node, ID_NODE_LEN);
    set_engine(gw);
    gw->routes = gw_routes_new(cfg);
    if (!gw_bus_open(gw, err)) {
        gw_routes_free(gw->routes);
        gw_api_free(gw->api);
        gw_auth_free(gw->auth);
        x_free(gw);
        return NULL;
    }
    gw_node_cmd_on_answer(gw, gw_ask_answer);
    if (!gw_work_open(gw, err)) {
        gw_bus_close(gw);
        gw_routes_free(gw->routes);
        gw_api_free(gw->api);
        gw_auth_free(gw->auth);
        x_free(gw);
        return NULL;
    }
    gw->ws = gw_ws_context_new(loop, (size_t)cfg->gateway_max_payload, &gw_conn_ws_events);
    gw->listener = gw_listener_new(gw, err);
    if (!gw->listener || !gw_admin_open(gw, err) || !open_handler(gw, err)) {
        gw_server_free(gw);
        return NULL;
    }
    loop_add_phase(loop, phase_bus, gw);
    loop_add_phase(loop, phase_work, gw);
    loop_add_phase(loop, phase_conns, gw);
    loop_add_phase(loop, phase_http, gw);
    loop_add_phase(loop, phase_rest, gw);
    gw->sweep.fire = on_sweep;
    wheel_set(loop_wheel(loop), &gw->sweep, loop_now(loop) + SWEEP_MS);
    if (family) gw->handover = gw_handover_new(gw);
    gw_siblings_up(gw);
    return gw;
}

struct gateway *gw_server_new(const struct cfg *cfg, struct loop *loop,
                              const struct gw_handler *handler, const struct gw_upper *upper,
                              struct cfg_error *err)
{
    return make(cfg, loop, handler, upper, NULL, err);
}

int gw_server_port(const struct gateway *gw)
{
    return gw_listener_port(gw->listener);
}

void gw_server_stop(struct gateway *gw)
{
    gw_drain_begin(gw);
}

static void end_all(struct gateway *gw)
{
    struct gw_conn *c, *next;
    HASH_ITER(hh, gw->conns, c, next)
    {
        eio_session_lost(&c->eio, REASON_SHUTDOWN);
    }
    gw_conn_phase(gw);
    gw_http_fini(gw);
    gw_conn_phase(gw);
    gw_socket_reap(gw);
}

void gw_server_free(struct gateway *gw)
{
    if (!gw) return;
    gw_listener_free(gw->listener);
    gw_handover_free(gw->handover);
    gw->handover = NULL;
    admin_free(gw->admin);
    gw_drain_fini(gw);
    end_all(gw);
    wheel_drop(loop_wheel(gw->loop), &gw->sweep);
    gw_ws_context_free(gw->ws);
    gw_socket_reap(gw);
    gw->is_ending = true; /* a handler that tries again at each refusal would never let it end */
    if (gw->handler && gw->handler->close && gw->handler_is_open)
        gw->handler->close(gw->handler->ctx);
    gw_work_close(gw);
    gw_bus_close(gw);
    gw_routes_free(gw->routes);
    gw_api_free(gw->api);
    gw_auth_free(gw->auth);
    gw_flush_fini();
    x_free(gw);
}

/* ---- a program */

struct running {
    struct gateway *gw;
    struct cfg *cfg;
    const struct program_args *args; /* NULL: it has no configuration to read again */
};

static void on_stop_signal(int signo, void *arg)
{
    struct gateway *gw = ((struct running *)arg)->gw;
    bool again = gw->drain.state != GW_DRAIN_NO;
    if (again && !gw_siblings_end_at_once(gw)) return;
    log_info("signal %d: %s", signo, again ? "ending at once" : "stopping");
    if (again)
        gw_drain_end(gw);
    else
        gw_server_stop(gw);
}

static void on_reload_signal(int signo, void *arg)
{
    struct running *r = arg;
    (void)signo;
    if (r->args) gw_reload(r->gw, r->cfg, r->args);
}

static void log_start(const struct gateway *gw)
{
    struct log_line l;
    /* Of several processes the parent says where, once for all. */
    log_begin(&l, LOG_INFO, gw->family ? "process serves" : "listening");
    if (gw->family)
        log_kv_u64(&l, "pid", (uint64_t)getpid());
    else
        log_kv_u64(&l, "port", (uint64_t)gw_server_port(gw));
    log_kv_c(&l, "path", gw->cfg->gateway_path);
    log_kv_c(&l, "auth", gw->cfg->auth_mode);
    log_kv(&l, "node", sv_make(gw->node, ID_NODE_LEN));
    log_end(&l);
}

int gw_server_serve(struct cfg *cfg, const struct program_args *args, const char *name,
                    const struct gw_handler *handler, const struct gw_upper *upper,
                    const struct gw_family *family)
{
    struct cfg_error err;
    struct loop *loop = loop_new(&now_system);
    signal(SIGPIPE, SIG_IGN);
    struct running r = {make(cfg, loop, handler, upper, family, &err), cfg, args};
    if (!r.gw) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        loop_free(loop);
        return 1;
    }
    loop_on_signal(loop, SIGTERM, on_stop_signal, &r);
    loop_on_signal(loop, SIGINT, on_stop_signal, &r);
    loop_on_signal(loop, SIGHUP, on_reload_signal, &r);
    if (family) gw_parent_unblock_signals();
    log_start(r.gw);
    loop_run(loop);
    bool is_refused = r.gw->is_refused;
    if (is_refused) fprintf(stderr, "%s: %s\n", name, gw_work_refusal(r.gw));
    gw_server_free(r.gw);
    loop_free(loop);
    log_info("stopped");
    return is_refused;
}

int gw_server_run(struct cfg *cfg, const struct program_args *args, const char *name,
                  const struct gw_handler *handler, const struct gw_upper *upper)
{
    unsigned n = gw_parent_count(cfg);
    if (n > 1) return gw_parent_run(cfg, args, name, handler, upper, n);
    return gw_server_serve(cfg, args, name, handler, upper, NULL);
}
