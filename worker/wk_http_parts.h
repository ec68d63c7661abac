/* What the files of wk_http share: an entry of worker.http, an item as a request's body, and what
 * becomes of an answer. Nobody else includes this. */
#ifndef PEAL_WK_HTTP_PARTS_H
#define PEAL_WK_HTTP_PARTS_H

#include "wk_fetch.h"
#include "wk_http.h"

/* ---- wk_http_route.c */

struct wk_http_route {
    char *url, *host;       /* host: "scheme://host:port" */
    char *nsp;              /* pattern */
    struct cfg_list events; /* patterns */
    unsigned types;         /* bits 1 << work_type */
    uint64_t timeout_ms;
    bool is_idempotent, env_proxy;
};

struct wk_http_routes {
    struct wk_http_route *v;
    size_t n;
};

/* False with *err filled. Gives either way: wk_http_routes_fini. */
bool wk_http_routes_read(struct wk_http_routes *r, const struct cfg *cfg,
                         struct cfg_error *err) MUST_CHECK;
void wk_http_routes_fini(struct wk_http_routes *r);
bool wk_http_route_takes(const struct wk_http_route *r, const struct work_item *item);

/* ---- wk_http_request.c */

/* Appends the item as docs/schema/item.json has it. False if it does not fit. */
bool wk_http_put_item(struct buf *out, const struct work_item *item, unsigned attempt) MUST_CHECK;

/* ---- wk_http_answer.c */

/* Ends the job, unless it is worth another attempt: then WK_HTTP_AGAIN is in the result, *why says
 * why, and the caller waits and fails it. */
#define WK_HTTP_AGAIN 0x100u
unsigned wk_http_settle(struct wk_job *job, const struct wk_http_route *r,
                        const struct wk_fetch_result *got, struct buf *why) MUST_CHECK;

#endif
