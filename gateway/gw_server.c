/* Design notes
 *
 * The turn's end, in order (see gw_server_new): the bus delivers, connections write and the closed
 * ones go, HTTP connections write, go on and go, WebSockets get held-back input, sockets that ended
 * are freed. Stopping: no new connections, every client is told and gets gateway.shutdown_timeout
 * to take what waits for it; the loop stops when the last is gone or the time is up. */

/* System */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_auth.h"
#include "gw_bus.h"
#include "gw_cluster.h"
#include "gw_conn.h"
#include "gw_engine.h"
#include "gw_events.h"
#include "gw_fanout.h"
#include "gw_flush.h"
#include "gw_http.h"
#include "gw_listener.h"
#include "gw_server.h"
#include "gw_sio.h"
#include "gw_socket.h"
#include "gw_ws.h"

#define SWEEP_MS 1000
#define SPARE_FDS 64 /* beside connections: listeners, files, the library's own */

/* ---- the turn's end */

static bool phase_bus(void *arg)
{
    struct gateway *gw = arg;
    gw->bus_waits = false;
    return gw->bus->ops->flush(gw->bus);
}

static bool phase_conns(void *arg)
{
    return gw_conn_phase(arg);
}

static bool phase_http(void *arg)
{
    return gw_http_phase(arg);
}

static bool is_empty(const struct gateway *gw)
{
    return !gw->nconns && !gw->nhttps && !gw->dead_conns && !gw_ws_context_count(gw->ws) &&
           !gw->bus->stats.pending;
}

static bool phase_rest(void *arg)
{
    struct gateway *gw = arg;
    bool more = gw_ws_context_phase(gw->ws);
    gw_socket_reap(gw);
    /* Idle HTTP connections stay while a polling session may need one for its last poll. */
    if (gw->stopping && !gw->nconns) gw_http_stop(gw);
    if (gw->stopping && is_empty(gw)) loop_stop(gw->loop);
    return more || gw->bus_waits || gw->dead_conns || gw->dirty_conns || gw->dead_https ||
           gw->dirty_https;
}

static void on_sweep(struct wheel_entry *e)
{
    struct gateway *gw = (struct gateway *)((char *)e - offsetof(struct gateway, sweep));
    gw_conn_sweep(gw);
    wheel_set(loop_wheel(gw->loop), e, loop_now(gw->loop) + SWEEP_MS);
}

/* ---- limits */

/* The soft limit of descriptors follows the configured connections, no further: libwebsockets 4.1.6
 * looks at every slot at each close. */
static bool set_fd_limit(const struct cfg *cfg, struct cfg_error *err)
{
    struct rlimit rl;
    rlim_t want = (rlim_t)cfg->gateway_max_connections + SPARE_FDS;
    if (getrlimit(RLIMIT_NOFILE, &rl)) return true;
    if (rl.rlim_max != RLIM_INFINITY && rl.rlim_max < want) {
        struct rlimit up = {want, want};
        if (setrlimit(RLIMIT_NOFILE, &up)) {
            snprintf(
                err->text, sizeof(err->text),
                "gateway.max_connections: %lld is not allowed: the system's limit of open files "
                "(%llu) leaves room for %lld",
                (long long)cfg->gateway_max_connections, (unsigned long long)rl.rlim_max,
                (long long)rl.rlim_max - SPARE_FDS);
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

struct gateway *gw_server_new(const struct cfg *cfg, struct loop *loop,
                              const struct gw_handler *handler, const struct gw_upper *upper,
                              struct cfg_error *err)
{
    struct gw_auth *auth = gw_auth_new(cfg, err);
    if (!auth || !set_fd_limit(cfg, err)) {
        gw_auth_free(auth);
        return NULL;
    }
    struct gateway *gw = x_calloc(1, sizeof(*gw));
    gw->cfg = cfg;
    gw->loop = loop;
    gw->auth = auth;
    gw->http_events = &gw_engine_events;
    gw->handler = handler;
    gw->upper = upper ? upper : &gw_sio_upper;
    id_random(gw->node, ID_NODE_LEN);
    set_engine(gw);
    gw->routes = gw_routes_new(cfg);
    gw->cluster = gw_cluster_new(gw);
    if (!gw_bus_open(gw, err)) {
        gw_cluster_free(gw->cluster);
        gw_routes_free(gw->routes);
        gw_auth_free(gw->auth);
        x_free(gw);
        return NULL;
    }
    gw->ws = gw_ws_context_new(loop, (size_t)cfg->gateway_max_payload, &gw_conn_ws_events);
    gw->listener = gw_listener_new(gw, err);
    if (!gw->listener) {
        gw_server_free(gw);
        return NULL;
    }
    loop_add_phase(loop, phase_bus, gw);
    loop_add_phase(loop, phase_conns, gw);
    loop_add_phase(loop, phase_http, gw);
    loop_add_phase(loop, phase_rest, gw);
    gw->sweep.fire = on_sweep;
    wheel_set(loop_wheel(loop), &gw->sweep, loop_now(loop) + SWEEP_MS);
    return gw;
}

int gw_server_port(const struct gateway *gw)
{
    return gw_listener_port(gw->listener);
}

static void on_stop_timeout(struct wheel_entry *e)
{
    struct gateway *gw = (struct gateway *)((char *)e - offsetof(struct gateway, sweep));
    loop_stop(gw->loop);
}

void gw_server_stop(struct gateway *gw)
{
    if (gw->stopping) return;
    gw->stopping = true;
    gw_listener_free(gw->listener);
    gw->listener = NULL;
    gw_conn_stop(gw);
    /* The sweep's timer is free now and becomes the limit of the farewell. */
    gw->sweep.fire = on_stop_timeout;
    wheel_set(loop_wheel(gw->loop), &gw->sweep,
              loop_now(gw->loop) + (uint64_t)gw->cfg->gateway_shutdown_timeout);
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
    end_all(gw);
    wheel_drop(loop_wheel(gw->loop), &gw->sweep);
    gw_ws_context_free(gw->ws);
    gw_socket_reap(gw);
    gw_cluster_stop(gw->cluster);
    gw_bus_close(gw);
    gw_cluster_free(gw->cluster);
    gw_routes_free(gw->routes);
    gw_auth_free(gw->auth);
    gw_flush_fini();
    x_free(gw);
}

/* ---- a program */

static void on_signal(int signo, void *arg)
{
    struct gateway *gw = arg;
    log_info("signal %d: %s", signo, gw->stopping ? "ending at once" : "stopping");
    if (gw->stopping)
        loop_stop(gw->loop);
    else
        gw_server_stop(gw);
}

int gw_server_run(const struct cfg *cfg, const char *name, const struct gw_handler *handler,
                  const struct gw_upper *upper)
{
    struct cfg_error err;
    struct loop *loop = loop_new(&now_system);
    signal(SIGPIPE, SIG_IGN);
    struct gateway *gw = gw_server_new(cfg, loop, handler, upper, &err);
    if (!gw) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        loop_free(loop);
        return 1;
    }
    loop_on_signal(loop, SIGTERM, on_signal, gw);
    loop_on_signal(loop, SIGINT, on_signal, gw);
    struct log_line l;
    log_begin(&l, LOG_INFO, "listening");
    log_kv_u64(&l, "port", (uint64_t)gw_server_port(gw));
    log_kv_c(&l, "path", cfg->gateway_path);
    log_kv_c(&l, "auth", cfg->auth_mode);
    log_kv(&l, "node", sv_make(gw->node, ID_NODE_LEN));
    log_end(&l);
    loop_run(loop);
    gw_server_free(gw);
    loop_free(loop);
    log_info("stopped");
    return 0;
}
