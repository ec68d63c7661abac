/* A small HTTP server for people, probes and scrapers, on a port of its own (admin.host,
 * admin.port).
 *
 * Its owner gives it a table of routes; it answers what the table does not know with 404 and 405,
 * in JSON, and HEAD from the route of GET. Heads, bodies, connections and the time of a request
 * are bounded. It is not for clients: it knows no TLS and no log-in, and relies on libevent's HTTP
 * server (docs/decisions/013). Everything is called from the loop. */
#ifndef PEAL_IO_ADMIN_H
#define PEAL_IO_ADMIN_H

#include "cluster/cfg.h"
#include "io/loop.h"
#include "util/buf.h"
#include "util/str_view.h"

#define ADMIN_REPLY_MAX (4u << 20) /* bytes of an answer's body */
#define ADMIN_CONNS_MAX 32         /* connections at a time; further ones are closed */
#define ADMIN_HEAD_MAX 8192        /* bytes of a request's head */
#define ADMIN_BODY_MAX 65536       /* bytes of a request's body, unless admin_set_max_body() */
#define ADMIN_REQUEST_MS 30000     /* from a connection's last answer to the end of its next */

struct admin;
struct listen_set;

struct admin_call; /* a request's place in the server */
struct admin_later;

/* Views are good during the call. */
struct admin_request {
    struct str_view method, path, query;
    struct str_view authorization; /* the header's value; empty: there is none */
    struct str_view body;
    struct admin_call *call; /* for admin_defer() */
};
struct admin_reply {
    int status;            /* 200 if not set */
    const char *type;      /* Content-Type; static */
    const char *challenge; /* WWW-Authenticate, of a 401; static, or NULL */
    struct buf body;       /* at most ADMIN_REPLY_MAX; the server's to free */
};
typedef void (*admin_cb)(void *ctx, const struct admin_request *r, struct admin_reply *reply);

struct admin_route {
    const char *method, *path; /* both exact */
    admin_cb handle;
};

/* Listens on admin.host and admin.port, which must not be -1. cfg is not kept; routes and ctx are
 * borrowed for its life. NULL with *err filled if that port cannot be had. Gives: admin_free. */
struct admin *admin_new(const struct cfg *cfg, struct loop *loop, const struct admin_route *routes,
                        size_t nroutes, void *ctx, struct cfg_error *err);
/* The same on sockets that listen already: takes the set's. */
struct admin *admin_new_on(struct listen_set *set, struct loop *loop,
                           const struct admin_route *routes, size_t nroutes, void *ctx);
int admin_port(const struct admin *a);
/* Larger bodies are refused with 413. */
void admin_set_max_body(struct admin *a, size_t max);

/* For a handler that cannot answer now; within its call. What it has put in the reply does not count.
 * The answer is given by admin_send(), which must be called some time, even if the client or the
 * server has gone meanwhile. */
struct admin_later *admin_defer(const struct admin_request *r);
/* Lends: what the answer will be. */
struct admin_reply *admin_later_reply(struct admin_later *l);
/* Sends it, if anybody is there. Frees l. */
void admin_send(struct admin_later *l);

/* --- what all programs answer alike */

/* GET /healthz */
void admin_on_health(void *ctx, const struct admin_request *r, struct admin_reply *reply);
/* Reasons for not being ready are JSON strings with commas between them. Adds one; nothing if why is
 * NULL. Both are static words. */
void admin_add_reason(struct buf *reasons, const char *what, const char *why);
/* GET /readyz */
void admin_say_ready(struct admin_reply *reply, bool is_ready, struct str_view reasons);

/* Closes everything. NULL is fine. */
void admin_free(struct admin *a);

#endif
