/* The admin port of a worker: is it alive, does it handle items, what has it counted. */

/* Proto */
#include "proto/prom_text.h"
/* Worker */
#include "wk_worker.h"

#define REASONS_MAX 1024

static void add_reasons(const struct worker *w, struct buf *out)
{
    if (w->is_stopping) admin_add_reason(out, "", "stopping");
    admin_add_reason(out, "bus: ", w->bus->ops->trouble(w->bus));
    admin_add_reason(out, "work: ", w->feed->ops->trouble(w->feed));
}

static void on_ready(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    struct buf why;
    (void)r;
    buf_init(&why, REASONS_MAX);
    add_reasons(ctx, &why);
    admin_say_ready(reply, !why.n, buf_view(&why));
    buf_fini(&why);
}

static void on_metrics(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    struct prom_text p;
    struct buf why;
    (void)r;
    buf_init(&why, REASONS_MAX);
    add_reasons(ctx, &why);
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
    {"GET", "/healthz", admin_on_health},
    {"GET", "/readyz", on_ready},
    {"GET", "/metrics", on_metrics},
};

bool wk_admin_open(struct worker *w, struct cfg_error *err)
{
    if (w->cfg->admin_port < 0) return true;
    w->admin = admin_new(w->cfg, w->loop, routes, sizeof(routes) / sizeof(routes[0]), w, err);
    return w->admin != NULL;
}
