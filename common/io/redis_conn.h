/* One connection to one Redis: a socket, perhaps TLS, commands out, answers in.
 *
 * It knows no login and no retry, and is used once. It never blocks. What it tells, it tells from
 * the event loop, never from within its functions; behind failed() or redis_conn_stop() it tells
 * nothing more. It may not be freed from within what it tells. Used by redis_link and redis_find. */
#ifndef PEAL_IO_REDIS_CONN_H
#define PEAL_IO_REDIS_CONN_H

#include <stddef.h>
#include <sys/socket.h>

#include "io/redis_link.h"

struct event_base;
struct redis_conn;
struct redis_tls;

/* An address to connect to, and how to call it in a log. */
struct redis_place {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    char host[256];  /* the name or address that was asked for; "" of a Unix socket */
    char where[320]; /* for people */
};

struct redis_conn_events {
    void (*reply)(void *arg, const struct redis_reply *r); /* lent */
    void (*failed)(void *arg, const char *why);            /* told once */
};

/* Starts to connect. tls: NULL for none, else borrowed for the connection's life. max_reply as in
 * redis_link_new(). Gives: redis_conn_free. */
struct redis_conn *redis_conn_new(struct event_base *base, const struct redis_place *place,
                                  struct redis_tls *tls, size_t max_reply,
                                  const struct redis_conn_events *events, void *arg);
/* NULL is fine. */
void redis_conn_free(struct redis_conn *c);
/* It is over: no more is read, written or told. */
void redis_conn_stop(struct redis_conn *c);
/* The same for a server that cannot be trusted to be there: what it has not taken yet is not sent after
 * all, not even by the kernel when the network comes back minutes later. */
void redis_conn_abort(struct redis_conn *c);

/* Adds a command; it leaves when the connection is open, with redis_conn_flush(), or in the loop if
 * nobody calls that. */
void redis_conn_add(struct redis_conn *c, size_t argc, const struct str_view *argv);
/* The same with a head ("SUBSCRIBE") before argv. */
void redis_conn_add_with(struct redis_conn *c, struct str_view head, size_t argc,
                         const struct str_view *argv);
void redis_conn_flush(struct redis_conn *c);
size_t redis_conn_unsent(const struct redis_conn *c);

#endif
