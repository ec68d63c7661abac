/* Where Redis is and how to log in, read from the redis.* keys. No I/O but the password file.
 *
 * redis://[user:password@]host[:port][/db], rediss:// for TLS, unix://[user:password@]/path[?db=N].
 * User, password and path may hold %XX; an IPv6 address stands in brackets; redis://:password@host
 * has no user. What is wrong is said without showing a byte of the URL: it may hold a password. */
#ifndef PEAL_CLUSTER_REDIS_TARGET_H
#define PEAL_CLUSTER_REDIS_TARGET_H

#include <stdbool.h>

#include "cluster/cfg.h"

#define REDIS_TARGET_PORT 6379
#define REDIS_TARGET_SENTINEL_PORT 26379
#define REDIS_TARGET_MAX_HOST 253 /* bytes of a host name */

struct redis_target {
    bool tls;
    char *path; /* of a Unix socket; NULL: host and port count */
    char *host; /* name or address, without brackets; may be empty */
    unsigned port;
    unsigned db;
    char *user, *password; /* NULL: none */
};

/* Reads one URL. False: *err filled, nothing to free. */
bool redis_target_parse(struct redis_target *t, const char *url, struct cfg_error *err) MUST_CHECK;
/* The URL with redis.username, password and password_file over it. */
bool redis_target_read(struct redis_target *t, const struct cfg *c,
                       struct cfg_error *err) MUST_CHECK;
/* Safe on zeroed memory; wipes the password. */
void redis_target_fini(struct redis_target *t);

/* "host[:port]", "[::1]:port". Gives *host: x_free. False: it has not that shape. */
bool redis_target_host_port(struct str_view text, unsigned default_port, char **host,
                            unsigned *port) MUST_CHECK;
/* Host and port as two texts, as Sentinels tell them. Gives *host: x_free. */
bool redis_target_place(struct str_view host_text, struct str_view port_text, char **host,
                        unsigned *port) MUST_CHECK;

#endif
