/* Handlers over HTTP: each entry of worker.http is a handler that sends its items to a backend as a
 * signed JSON POST, and carries out the commands of the answer (command.h, docs/schema).
 *
 *   204, or 2xx with nothing          done
 *   2xx with commands                 done, with their effects; malformed: fails for good
 *   429, 503                          another attempt, after Retry-After (no longer than worker.retry_max)
 *   no connection could be made       another attempt
 *   anything else in 5xx, time out,   another attempt if the entry says that it is idempotent, since the
 *   connection lost, no HTTP          backend may have done it; else fails for good
 *   3xx, 4xx, answer too large        fails for good
 *
 * Requests beyond worker.http_concurrency wait in order; where there are several backends, no one
 * has more than half of them, so that one that hangs does not stop the others. */
#ifndef PEAL_WK_HTTP_H
#define PEAL_WK_HTTP_H

#include "cluster/cfg.h"
#include "io/loop.h"
#include "proto/prom_text.h"
#include "wk_job.h"

struct wk_http;

enum wk_http_outcome {
    WK_HTTP_DONE,
    WK_HTTP_REFUSED,   /* an answer with `error` */
    WK_HTTP_MALFORMED, /* an answer that is no commands, or whose commands cannot be */
    WK_HTTP_TOO_LARGE,
    WK_HTTP_REDIRECT, /* 3xx */
    WK_HTTP_MISTAKE,  /* 4xx */
    WK_HTTP_BUSY,     /* 429, 503 */
    WK_HTTP_BROKEN,   /* other 5xx */
    WK_HTTP_UNREACHED,
    WK_HTTP_TIMEOUT,
    WK_HTTP_LOST,
    WK_HTTP_ABANDONED, /* the job was taken back */
    WK_HTTP_OUTCOMES,
};

#define WK_HTTP_TIMES 14
struct wk_http_stats {
    uint64_t requests; /* begun */
    uint64_t outcomes[WK_HTTP_OUTCOMES];
    uint64_t times[WK_HTTP_TIMES], time_sum_us; /* from start to the answer's end */
    uint64_t running, waiting, pausing;         /* now */
};

/* Reads worker.http. cfg and loop are borrowed for its life. NULL with *err filled: what is wrong, one
 * line that names worker.http[i].key. Gives: wk_http_free, unless a core has its handlers. */
struct wk_http *wk_http_new(const struct cfg *cfg, struct loop *loop, struct cfg_error *err);
void wk_http_free(struct wk_http *h);

/* The handlers, one for each entry, in order. The last one's free is wk_http_free: a core that has one
 * has all. */
size_t wk_http_count(const struct wk_http *h);
struct wk_handler wk_http_handler(struct wk_http *h, size_t i);

const struct wk_http_stats *wk_http_stats(const struct wk_http *h);
/* peal_worker_http_… */
void wk_http_write_metrics(const struct wk_http *h, struct prom_text *p);

#endif
