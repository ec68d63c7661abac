/* A backend for tests, in the test's own loop: what it does is chosen by the path of the request. */
#ifndef PEAL_TESTS_HTTP_BACKEND_H
#define PEAL_TESTS_HTTP_BACKEND_H

#include "io/loop.h"
#include "util/buf.h"

enum backend_way {
    BACKEND_SAY,   /* answers `text`, a whole HTTP answer */
    BACKEND_BODY,  /* answers 200 with `text` as the body */
    BACKEND_HANG,  /* reads, and says nothing until backend_release() */
    BACKEND_CLOSE, /* closes without an answer */
    BACKEND_DRIP,  /* a byte of `text` each turn, for ever */
    BACKEND_FLOOD, /* an answer without end */
    BACKEND_CUT,   /* half of `text`, then the end */
};

struct backend_page {
    const char *path;
    enum backend_way way;
    const char *text;
};

struct http_backend {
    struct loop *loop;
    const struct backend_page *pages; /* the last has path NULL */
    int port;
    unsigned accepts, requests, open, held, most_held;
    struct buf head, body; /* of the last request */
    struct backend_conn *conns;
    void *listener;
};

void http_backend_open(struct http_backend *b, struct loop *loop, const struct backend_page *pages);
/* Who hangs gets this answer. */
void http_backend_release(struct http_backend *b, const char *text);
/* Closes connections, the listener too. */
void http_backend_close(struct http_backend *b);

#endif
