/* System */
#include <assert.h>
/* Proto */
#include "proto/json_scan.h"
#include "proto/prom_text.h"
/* Io */
#include "io/admin.h"
/* Gateway */
#include "gw_admin.h"
#include "gw_drain.h"
#include "gw_listener.h"
#include "gw_metrics.h"

/* Why clients should not be sent here now: JSON strings, comma-separated. Empty: no reason. */
static void reasons(struct gateway *gw, struct buf *out)
{
    const char *trouble = gw->bus->ops->trouble(gw->bus);
    buf_init(out, 1024);
    bool fits = true;
    if (gw->drain.state != GW_DRAIN_NO) fits = buf_add_sv(out, SV("\"draining\""));
    if (trouble) {
        struct buf text;
        buf_init(&text, 256);
        fits = fits && buf_addf(&text, "bus: %s", trouble) && (!out->n || buf_add_char(out, ',')) &&
               json_string_encode(out, buf_view(&text));
        buf_fini(&text);
    }
    if (gw_listener_is_full(gw)) {
        fits = fits && (!out->n || buf_add_char(out, ',')) &&
               buf_add_sv(out, SV("\"full: gateway.max_connections is reached\""));
    }
    assert(fits); /* static words */
    (void)fits;
}

static void on_health(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    (void)ctx;
    (void)r;
    reply->type = "text/plain; charset=utf-8";
    (void)!buf_add_sv(&reply->body, SV("ok\n"));
}

static void on_ready(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    struct buf why;
    (void)r;
    reasons(ctx, &why);
    reply->status = why.n ? 503 : 200;
    (void)!buf_addf(&reply->body, "{\"ready\":%s,\"reasons\":[%.*s]}\n", why.n ? "false" : "true",
                    SV_ARG(buf_view(&why)));
    buf_fini(&why);
}

static void on_metrics(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    struct buf why;
    (void)r;
    reasons(ctx, &why);
    reply->type = PROM_TEXT_TYPE;
    if (!gw_metrics_write(ctx, !why.n, &reply->body)) {
        buf_clear(&reply->body);
        reply->status = 500;
    }
    buf_fini(&why);
}

static const struct admin_route routes[] = {
    {"GET", "/healthz", on_health},
    {"GET", "/readyz", on_ready},
    {"GET", "/metrics", on_metrics},
};

bool gw_admin_open(struct gateway *gw, struct cfg_error *err)
{
    if (gw->cfg->admin_port < 0) return true;
    gw->admin = admin_new(gw->cfg, gw->loop, routes, sizeof(routes) / sizeof(routes[0]), gw, err);
    if (!gw->admin) return false;
    struct log_line l;
    log_begin(&l, LOG_INFO, "admin listening");
    log_kv_u64(&l, "port", (uint64_t)admin_port(gw->admin));
    log_end(&l);
    return true;
}
