/* Design notes
 *
 * A request waits (for a place), runs, or pauses (a busy backend said for how long); it is freed when its
 * job ends, or is taken back. Each backend (scheme, host, port) has a line of its own; free places go
 * round the lines, so one that is long does not hold up the others.
 *
 * The body is made and signed when the request begins: what waits is only the job, and the
 * signature's time is that of the sending. */

/* Third party */
#include <utlist.h>
/* Util */
#include "util/x_alloc.h"
/* This process */
#include "wk_http_parts.h"
#include "wk_sign.h"

#define WHY_MAX 400
#define BODY_SPARE 65536 /* of an item beside what work.max_item counts */

static const uint32_t time_bounds_us[WK_HTTP_TIMES - 1] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};

static const char *const outcome_names[WK_HTTP_OUTCOMES] = {
    "done", "refused",    "malformed", "too_large", "redirect", "status_4xx",
    "busy", "status_5xx", "unreached", "timeout",   "lost",     "abandoned",
};

enum request_state { WAITS, RUNS, PAUSES };

struct request {
    struct request *prev, *next; /* of its backend's line, while it waits */
    struct handler *handler;
    struct wk_job *job;
    enum request_state state;
    struct wk_fetch *fetch;   /* RUNS */
    struct wheel_entry timer; /* PAUSES */
    char why[WHY_MAX];        /* PAUSES */
    size_t why_n;
};

/* A backend; the list is a ring by `turn`. */
struct backend {
    const char *host;
    struct request *line;
    size_t running;
};

/* What a wk_handler's ctx is. */
struct handler {
    struct wk_http *http;
    const struct wk_http_route *route;
    struct backend *backend;
};

struct wk_http {
    const struct cfg *cfg;
    struct loop *loop;
    struct wk_signer *signer; /* NULL: nothing is signed */
    struct wk_http_routes routes;
    struct handler *handlers; /* routes.n */
    struct backend *backends;
    size_t nbackends, turn;
    struct wk_fetcher *fetcher;
    struct wheel_entry filling; /* places have become free while jobs were taken back */
    struct wk_http_stats stats;
};

/* ---- the end of a request */

static void request_free(struct request *r)
{
    struct wk_http *h = r->handler->http;
    switch (r->state) {
    case WAITS:
        DL_DELETE(r->handler->backend->line, r);
        h->stats.waiting--;
        break;
    case RUNS:
        r->handler->backend->running--;
        h->stats.running--;
        break;
    case PAUSES:
        wheel_drop(loop_wheel(h->loop), &r->timer);
        h->stats.pausing--;
        break;
    }
    x_free(r);
}

static void count_time(struct wk_http *h, uint64_t us)
{
    unsigned i = 0;
    while (i < WK_HTTP_TIMES - 1 && us > time_bounds_us[i])
        i++;
    h->stats.times[i]++;
    h->stats.time_sum_us += us;
}

static void on_pause_over(struct wheel_entry *e)
{
    struct request *r = (struct request *)((char *)e - offsetof(struct request, timer));
    struct wk_job *job = r->job;
    char why[WHY_MAX];
    struct str_view text = {why, r->why_n};
    memcpy(why, r->why, r->why_n);
    request_free(r);
    wk_job_fail(job, WK_RETRY, text);
}

/* It is to be tried again: at once (the core makes a pause), or not before the backend wants it. */
static void again(struct request *r, uint64_t after_ms, const struct buf *why)
{
    struct wk_http *h = r->handler->http;
    struct wk_job *job = r->job;
    uint64_t most = (uint64_t)h->cfg->worker_retry_max;
    if (!after_ms) {
        request_free(r);
        wk_job_fail(job, WK_RETRY, buf_view(why));
        return;
    }
    r->handler->backend->running--;
    h->stats.running--;
    h->stats.pausing++;
    r->state = PAUSES;
    r->fetch = NULL;
    r->why_n = why->n;
    if (why->n) memcpy(r->why, why->p, why->n);
    wheel_set(loop_wheel(h->loop), &r->timer,
              loop_now(h->loop) + (after_ms < most ? after_ms : most));
}

static void fill(struct wk_http *h);

static void on_fetched(void *arg, const struct wk_fetch_result *got)
{
    struct request *r = arg;
    struct wk_http *h = r->handler->http;
    struct buf why;
    buf_init(&why, WHY_MAX);
    count_time(h, got->us);
    unsigned outcome = wk_http_settle(r->job, r->handler->route, got, &why);
    h->stats.outcomes[outcome & ~WK_HTTP_AGAIN]++;
    if (outcome & WK_HTTP_AGAIN)
        again(r, got->status == 429 || got->status == 503 ? got->retry_after_ms : 0, &why);
    else
        request_free(r);
    buf_fini(&why);
    fill(h);
}

/* ---- the beginning */

static void start(struct request *r)
{
    struct wk_http *h = r->handler->http;
    const struct work_item *item = wk_job_item(r->job);
    char signature[WK_SIGN_MAX + 16], id[128];
    struct buf body;
    snprintf(id, sizeof(id), "Peal-Item: %.*s", SV_ARG(item->id));
    const char *headers[2] = {id, signature};
    DL_DELETE(r->handler->backend->line, r);
    h->stats.waiting--;
    r->handler->backend->running++;
    h->stats.running++;
    r->state = RUNS;
    /* Names may be escaped, binary is base64: no text becomes longer than this. */
    buf_init(&body, (size_t)h->cfg->work_max_item * 6 + BODY_SPARE);
    if (!wk_http_put_item(&body, item, wk_job_attempt(r->job))) {
        struct wk_job *job = r->job;
        buf_fini(&body);
        h->stats.outcomes[WK_HTTP_TOO_LARGE]++;
        request_free(r);
        wk_job_fail(job, WK_FATAL, SV("the item is too large for a request"));
        return;
    }
    struct wk_fetch_request q = {.url = r->handler->route->url,
                                 .headers = headers,
                                 .nheaders = 1,
                                 .timeout_ms = r->handler->route->timeout_ms,
                                 .env_proxy = r->handler->route->env_proxy};
    if (h->signer) {
        char text[WK_SIGN_MAX];
        wk_sign(h->signer, loop_wall_s(h->loop), buf_view(&body), text);
        snprintf(signature, sizeof(signature), "Peal-Signature: %s", text);
        q.nheaders = 2;
    }
    h->stats.requests++;
    r->fetch = wk_fetch_start(h->fetcher, &q, &body, on_fetched, r);
}

/* Free places go to those that wait, one backend after the other. */
static void fill(struct wk_http *h)
{
    size_t total = (size_t)h->cfg->worker_http_concurrency;
    size_t each = h->nbackends > 1 && total > 1 ? total / 2 : total;
    for (size_t passed = 0;
         h->stats.waiting && h->stats.running < total && passed < h->nbackends;) {
        struct backend *b = &h->backends[h->turn++ % h->nbackends];
        if (b->line && b->running < each) {
            start(b->line);
            passed = 0;
        } else {
            passed++;
        }
    }
}

static bool on_takes(void *ctx, const struct work_item *item)
{
    return wk_http_route_takes(((struct handler *)ctx)->route, item);
}

static void on_handle(void *ctx, struct wk_job *job)
{
    struct handler *handler = ctx;
    struct request *r = x_calloc(1, sizeof(*r));
    r->handler = handler;
    r->job = job;
    r->timer.fire = on_pause_over;
    wk_job_set_ctx(job, r);
    DL_APPEND(handler->backend->line, r);
    handler->http->stats.waiting++;
    fill(handler->http);
}

static void on_filling(struct wheel_entry *e)
{
    fill((struct wk_http *)((char *)e - offsetof(struct wk_http, filling)));
}

/* Several are taken back, one after the other: the next to begin must not be one of them. */
static void on_abandon(void *ctx, struct wk_job *job)
{
    struct wk_http *h = ((struct handler *)ctx)->http;
    struct request *r = wk_job_ctx(job);
    if (r->state == RUNS) wk_fetch_cancel(r->fetch);
    h->stats.outcomes[WK_HTTP_ABANDONED]++;
    request_free(r);
    wk_job_done(job);
    wheel_set(loop_wheel(h->loop), &h->filling, loop_now(h->loop));
}

/* ---- life */

static struct backend *backend_of(struct wk_http *h, const char *host)
{
    size_t i = 0;
    while (i < h->nbackends && strcmp(h->backends[i].host, host) != 0)
        i++;
    if (i == h->nbackends) h->backends[h->nbackends++].host = host;
    return &h->backends[i];
}

struct wk_http *wk_http_new(const struct cfg *cfg, struct loop *loop, struct cfg_error *err)
{
    struct wk_http *h = x_calloc(1, sizeof(*h));
    h->cfg = cfg;
    h->loop = loop;
    h->filling.fire = on_filling;
    if (!wk_http_routes_read(&h->routes, cfg, err) || !wk_signer_new(&h->signer, cfg, err)) {
        wk_http_free(h);
        return NULL;
    }
    h->fetcher = wk_fetcher_new(loop, (size_t)cfg->worker_http_concurrency,
                                (size_t)cfg->worker_http_max_answer);
    h->handlers = x_calloc(h->routes.n + 1, sizeof(*h->handlers));
    h->backends = x_calloc(h->routes.n + 1, sizeof(*h->backends));
    for (size_t i = 0; i < h->routes.n; i++)
        h->handlers[i] = (struct handler){h, &h->routes.v[i], backend_of(h, h->routes.v[i].host)};
    return h;
}

void wk_http_free(struct wk_http *h)
{
    if (!h) return;
    wheel_drop(loop_wheel(h->loop), &h->filling);
    wk_fetcher_free(h->fetcher);
    wk_http_routes_fini(&h->routes);
    wk_signer_free(h->signer);
    x_free(h->handlers);
    x_free(h->backends);
    x_free(h);
}

size_t wk_http_count(const struct wk_http *h)
{
    return h->routes.n;
}

/* The core frees its handlers one after the other and asks none meanwhile: the last takes all along. */
static void on_free(void *ctx)
{
    struct handler *handler = ctx;
    struct wk_http *h = handler->http;
    if (handler == &h->handlers[h->routes.n - 1]) wk_http_free(h);
}

struct wk_handler wk_http_handler(struct wk_http *h, size_t i)
{
    return (struct wk_handler){.ctx = &h->handlers[i],
                               .takes = on_takes,
                               .handle = on_handle,
                               .abandon = on_abandon,
                               .free = on_free,
                               .is_elsewhere = true};
}

const struct wk_http_stats *wk_http_stats(const struct wk_http *h)
{
    return &h->stats;
}

void wk_http_write_metrics(const struct wk_http *h, struct prom_text *p)
{
    const struct wk_http_stats *s = &h->stats;
    const struct {
        const char *name;
        uint64_t n;
    } states[] = {{"running", s->running}, {"waiting", s->waiting}, {"pausing", s->pausing}};
    prom_text_one_counter(p, "peal_worker_http_requests_total",
                          "Requests to backends that were begun.", s->requests);
    prom_text_counter(p, "peal_worker_http_ends_total", "What became of items for backends.");
    for (unsigned i = 0; i < WK_HTTP_OUTCOMES; i++)
        prom_text_sample_of(p, "outcome", outcome_names[i], s->outcomes[i]);
    prom_text_gauge(p, "peal_worker_http_requests", "Items for backends by what they do now.");
    for (unsigned i = 0; i < 3; i++)
        prom_text_sample_of(p, "state", states[i].name, states[i].n);
    prom_text_histogram(p, "peal_worker_http_seconds",
                        "From a request's start to its answer's end.", time_bounds_us, s->times,
                        WK_HTTP_TIMES, s->time_sum_us);
}
