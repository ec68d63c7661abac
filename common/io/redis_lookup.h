/* The addresses of a host name, by libevent's resolver: /etc/hosts, then the name servers of
 * /etc/resolv.conf, IPv4 and IPv6. It never blocks and has no patience of its own beyond the
 * resolver's: who asked gives up with redis_lookup_free(). Used by redis_find. */
#ifndef PEAL_IO_REDIS_LOOKUP_H
#define PEAL_IO_REDIS_LOOKUP_H

#include "io/redis_conn.h"

#define REDIS_FIND_MAX 8 /* addresses of one name that are tried */

struct redis_lookup;

/* places in the resolver's order; n is 0 if there are none, why says so. Lent. Told from the loop,
 * once; redis_lookup_free() may be called in it. */
typedef void (*redis_lookup_cb)(void *arg, const struct redis_place *places, size_t n,
                                const char *why);

/* host: a name or an address (which needs no resolver). server: the name server, "address:port";
 * NULL: the system's. Gives: redis_lookup_free. */
struct redis_lookup *redis_lookup_new(struct event_base *base, const char *host, unsigned port,
                                      const char *server, redis_lookup_cb cb, void *arg);
/* NULL is fine. What the resolver still has to end is ended in the loop's next turn. */
void redis_lookup_free(struct redis_lookup *l);

/* The address, if host is one. */
bool redis_place_numeric(struct redis_place *p, const char *host, unsigned port);
/* The path of a socket; at most 107 bytes (asserted). */
void redis_place_unix(struct redis_place *p, const char *path);

#endif
