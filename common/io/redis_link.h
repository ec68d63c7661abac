/* A connection to Redis that looks after itself: finds the server (address, Unix socket, or Sentinel),
 * connects, authenticates, selects the database, and comes back after a failure, with back-off and
 * jitter. Commands with answers, and subscriptions.
 *
 * hiredis (0.14 of Debian 12, 1.x of Debian 13) parses what comes, see redis_reply.h; TLS is
 * OpenSSL's. It never blocks: host names are resolved by libevent's resolver. It sends nothing twice and keeps nothing for later: what
 * is outstanding when the connection is lost is told so, and the owner subscribes again. What the
 * server sends is bounded (max_reply). Everything is called from the loop, never from within a
 * function of this module; only redis_link_free() ends a link. */
#ifndef PEAL_IO_REDIS_LINK_H
#define PEAL_IO_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/cfg.h"
#include "io/loop.h"
#include "util/str_view.h"

struct redis_link;

/* An answer; lent for the call. NULL: the connection was lost before it came. */
struct redis_reply;
enum redis_reply_kind {
    REDIS_LINK_NIL,
    REDIS_LINK_INT,
    REDIS_LINK_TEXT, /* bulk string or status */
    REDIS_LINK_ERROR,
    REDIS_LINK_ARRAY,
};
enum redis_reply_kind redis_reply_kind(const struct redis_reply *r);
int64_t redis_reply_int(const struct redis_reply *r);          /* 0 if it is none */
struct str_view redis_reply_text(const struct redis_reply *r); /* TEXT or ERROR, else "" */
size_t redis_reply_count(const struct redis_reply *r);         /* of an array, else 0 */
const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i);

typedef void (*redis_reply_cb)(const struct redis_reply *r, void *arg);

struct redis_link_events {
    /* Connected, authenticated, ready for commands; nothing is subscribed. */
    void (*up)(void *arg);
    /* Lost; told once for each up, behind the outstanding commands' NULLs. why: for the log. */
    void (*down)(void *arg, const char *why);
    /* A message of a subscription. pattern: empty for a plain one. May be NULL. */
    void (*message)(void *arg, struct str_view pattern, struct str_view channel,
                    struct str_view payload);
    /* Redis has confirmed a subscription (on) or its end. May be NULL. */
    void (*subscribed)(void *arg, bool is_pattern, struct str_view channel, bool on);
};

/* cfg's redis.* rows say where and how; name tells the links of a process apart ("bus-out") in logs
 * and CLIENT LIST (as peal:<name>). max_reply: most bytes of one answer or message. cfg,
 * loop, events and name are borrowed. It starts with redis_link_open(). Gives: redis_link_free. NULL
 * with *err filled if the configuration cannot be used. */
struct redis_link *redis_link_new(const struct cfg *cfg, struct loop *loop, const char *name,
                                  size_t max_reply, const struct redis_link_events *events,
                                  void *arg, struct cfg_error *err);
/* Asks this name server ("127.0.0.1:5353", borrowed) instead of the system's; before open. For tests. */
void redis_link_use_name_server(struct redis_link *l, const char *server);
void redis_link_open(struct redis_link *l);
/* Ends everything; outstanding callbacks are told NULL, `down` is not told. NULL is fine. */
void redis_link_free(struct redis_link *l);

bool redis_link_is_up(const struct redis_link *l);
/* The connection cannot be trusted (deaf, silent): drops it now, tells `down`, connects anew at once
 * (or, if that has just been so, when the back-off allows). Nothing if it is not up. */
void redis_link_restart(struct redis_link *l, const char *why);

/* Sends a command; cb (may be NULL) gets its answer. Only while up (asserted). A link that has
 * subscribed can do nothing else (Redis's rule). */
void redis_link_command(struct redis_link *l, redis_reply_cb cb, void *arg, size_t argc,
                        const struct str_view *argv);
/* One command for all n names. Redis confirms each, in the order of asking; a name may be ended and
 * subscribed again without waiting for that. */
void redis_link_subscribe(struct redis_link *l, bool is_pattern, const struct str_view *names,
                          size_t n);
void redis_link_unsubscribe(struct redis_link *l, bool is_pattern, const struct str_view *names,
                            size_t n);
/* Writes what has been queued, now instead of in the next turn. */
void redis_link_flush(struct redis_link *l);
/* Bytes queued that the kernel has not taken. */
size_t redis_link_unsent(const struct redis_link *l);
/* For people: "127.0.0.1:6379", "unix:/run/redis.sock"; never a password. Lends. */
const char *redis_link_where(const struct redis_link *l);
/* Why it is not up, or was not the last time; "" if it never failed. For logs and health. Lends. */
const char *redis_link_why(const struct redis_link *l);

#endif
