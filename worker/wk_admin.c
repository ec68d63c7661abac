/* The admin port of a worker: is it alive, does it handle items, what has it counted. */

/* System */
#include <assert.h>
/* Util */
#include "util/log.h"
/* Proto */
#include "proto/json_scan.h"
#include "proto/prom_text.h"
/* Worker */
#include "wk_worker.h"

#define REASONS_MAX 1024

static void add_reason(struct buf *out, const char *what, const char *why)
{
    struct buf text;
    if (!why) return;
    buf_init(&text, 256);
    bool fits = buf_addf(&text, "%s%s", what, why) && (!out->n || buf_add_char(out, ',')) &&
                json_string_encode(out, buf_view(&text));
    buf_fini(&text);
    assert(fits); /* static words */
    (void)fits;
}

static void reasons(const struct worker *w, struct buf *out)
{
    if (w->is_stopping) add_reason(out, "", "stopping");
    add_reason(out, "bus: ", w->bus->ops->trouble(w->bus));
    add_reason(out, "work: ", w->feed->ops->trouble(w->feed));
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
    buf_init(&why, REASONS_MAX);
    reasons(ctx, &why);
    reply->status = why.n ? 503 : 200;
    (void)!buf_addf(&reply->body, "{\"ready\":%s,\"reasons\":[%.*s]}\n", why.n ? "false" : "true",
                    SV_ARG(buf_view(&why)));
    buf_fini(&why);
}

static void on_metrics(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    struct prom_text p;
    struct buf why;
    (void)r;
    buf_init(&why, REASONS_MAX);
    reasons(ctx, &why);
    reply->type = PROM_TEXT_TYPE;
    prom_text_init(&p, &reply->body);
    prom_text_one_gauge(&p, "peal_worker_ready", "1 if it handles items.", !why.n);
    buf_fini(&why);
    wk_server_write_metrics(ctx, &p);
    if (!p.cut) return;
    buf_clear(&reply->body);
    reply->status = 500;
}

static const struct admin_route routes[] = {
    {"GET", "/healthz", on_health},
    {"GET", "/readyz", on_ready},
    {"GET", "/metrics", on_metrics},
};

bool wk_admin_open(struct worker *w, struct cfg_error *err)
{
    if (w->cfg->admin_port < 0) return true;
    w->admin = admin_new(w->cfg, w->loop, routes, sizeof(routes) / sizeof(routes[0]), w, err);
    if (!w->admin) return false;
    struct log_line l;
    log_begin(&l, LOG_INFO, "admin listening");
    log_kv_u64(&l, "port", (uint64_t)admin_port(w->admin));
    log_end(&l);
    return true;
}
