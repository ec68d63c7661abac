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

void wk_server_reasons(const struct worker *w, struct buf *out)
{
    if (w->is_stopping) add_reason(out, "", "stopping");
    add_reason(out, "bus: ", w->bus->ops->trouble(w->bus));
    add_reason(out, "work: ", w->feed->ops->trouble(w->feed));
}

static void counter(struct prom_text *p, const char *name, const char *help, uint64_t n)
{
    prom_text_counter(p, name, help);
    prom_text_sample(p, NULL, 0, n);
}

static void gauge(struct prom_text *p, const char *name, const char *help, uint64_t n)
{
    prom_text_gauge(p, name, help);
    prom_text_sample(p, NULL, 0, n);
}

static void write_feed(struct prom_text *p, const struct wk_feed_stats *s)
{
    counter(p, "peal_worker_items_total", "Items taken from streams.", s->items);
    counter(p, "peal_worker_suspects_total", "Of those, items that a worker may have died of.",
            s->suspects);
    counter(p, "peal_worker_finished_total", "Items finished, with their effects.", s->finished);
    counter(p, "peal_worker_dead_letters_total", "Items that went to the dead letters.", s->buried);
    counter(p, "peal_worker_fenced_total", "Results dropped because the lease was another's.",
            s->fenced);
    counter(p, "peal_worker_bad_entries_total", "Stream entries that are no items.", s->bad);
    counter(p, "peal_worker_unsendable_total",
            "Effects left out: larger than bus.max_message, or a name is too long.",
            s->unsendable);
    counter(p, "peal_worker_repeats_total", "Items dropped because they came a second time.",
            s->repeats);
    counter(p, "peal_worker_leases_taken_total", "Leases taken.", s->leases);
    counter(p, "peal_worker_leases_lost_total", "Leases lost.", s->lost);
    counter(p, "peal_worker_leases_given_total", "Leases given back.", s->given);
    gauge(p, "peal_worker_partitions", "Partitions this worker has now.", s->partitions);
    gauge(p, "peal_worker_in_hand", "Items in hand, until Redis has confirmed their end.",
          s->in_hand);
    gauge(p, "peal_worker_backlog", "Items in the streams of its partitions, as last seen.",
          s->backlog);
}

static void write_core(struct prom_text *p, const struct wk_core_stats *s)
{
    counter(p, "peal_worker_failures_total", "Attempts of handlers that failed.", s->failures);
    counter(p, "peal_worker_retries_total", "Attempts behind the first.", s->retries);
    counter(p, "peal_worker_unhandled_total", "Items that no handler takes.", s->unhandled);
    counter(p, "peal_worker_abandoned_total",
            "Jobs dropped because their partition went to another worker.", s->dropped);
    counter(p, "peal_worker_syncs_total", "Waits for a gateway to hear a room.", s->syncs);
    counter(p, "peal_worker_syncs_late_total", "Of those, waits that were given up.",
            s->syncs_late);
    gauge(p, "peal_worker_running", "Jobs in the hands of handlers.", s->running);
    gauge(p, "peal_worker_sockets", "Sockets with items in hand.", s->sockets);
}

bool wk_server_write_metrics(struct worker *w, struct buf *out)
{
    struct prom_text p;
    struct buf why;
    buf_init(&why, 1024);
    wk_server_reasons(w, &why);
    prom_text_init(&p, out);
    gauge(&p, "peal_worker_ready", "1 if it handles items.", !why.n);
    write_feed(&p, &w->feed->stats);
    write_core(&p, wk_core_stats(w->core));
    if (w->http) wk_http_write_metrics(w->http, &p);
    buf_fini(&why);
    return !p.cut;
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
    buf_init(&why, 1024);
    wk_server_reasons(ctx, &why);
    reply->status = why.n ? 503 : 200;
    (void)!buf_addf(&reply->body, "{\"ready\":%s,\"reasons\":[%.*s]}\n", why.n ? "false" : "true",
                    SV_ARG(buf_view(&why)));
    buf_fini(&why);
}

static void on_metrics(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    (void)r;
    reply->type = PROM_TEXT_TYPE;
    if (wk_server_write_metrics(ctx, &reply->body)) return;
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
