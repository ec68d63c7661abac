/* HTTP requests without waiting: libcurl on the loop. The only place that knows curl.
 *
 * One kind of request: POST of a JSON text. Connections are kept open and used again; redirects are
 * not followed, proxies of the environment not used unless that is asked for, and an answer is bounded while
 * it arrives. Nothing is ever sent a second time: who asks decides about that (is_sent). */
#ifndef PEAL_WK_FETCH_H
#define PEAL_WK_FETCH_H

#include "cluster/cfg.h"
#include "io/loop.h"
#include "util/buf.h"

struct wk_fetcher;
struct wk_fetch;

enum wk_fetch_end {
    WK_FETCH_ANSWERED,  /* in full */
    WK_FETCH_UNREACHED, /* no connection could be made */
    WK_FETCH_TIMEOUT,
    WK_FETCH_LOST,      /* the connection ended early, or what came was no HTTP */
    WK_FETCH_TOO_LARGE, /* the answer */
};

struct wk_fetch_result {
    enum wk_fetch_end end;
    bool is_sent; /* the other side may have the whole request */
    int status;
    uint64_t retry_after_ms; /* 0: not said */
    struct str_view body;    /* good during the call */
    const char *why;         /* in words, of curl; good during the call */
    uint64_t us;             /* from start to end */
};
/* Told once, never from within wk_fetch_start, and not after wk_fetch_cancel. */
typedef void (*wk_fetch_cb)(void *arg, const struct wk_fetch_result *r);

struct wk_fetch_request {
    const char *url;
    const char *const *headers; /* lines, besides those that every request has */
    size_t nheaders;
    uint64_t timeout_ms; /* from start to the answer's last byte */
    bool env_proxy;      /* http_proxy, no_proxy, … count */
};

/* Is it an address that can be asked? http or https, a host, no user and no fragment. Fills *host
 * with "scheme://host:port"; gives: x_free. Else *why in static words. */
bool wk_fetch_check_url(const char *url, char **host, const char **why) MUST_CHECK;

/* connections: to be kept open, in all. loop is borrowed for its life. Gives: wk_fetcher_free. */
struct wk_fetcher *wk_fetcher_new(struct loop *loop, size_t connections, size_t max_answer);
/* Cancels what is under way. */
void wk_fetcher_free(struct wk_fetcher *f);

/* Takes the bytes of body (which is then empty); copies the rest. */
struct wk_fetch *wk_fetch_start(struct wk_fetcher *f, const struct wk_fetch_request *r,
                                struct buf *body, wk_fetch_cb cb, void *arg);
void wk_fetch_cancel(struct wk_fetch *f);

#endif
