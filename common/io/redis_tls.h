/* TLS for connections to Redis, by OpenSSL: the server's certificate is always checked, its name
 * too. It owns no descriptor and waits for nothing. Used by redis_conn. */
#ifndef PEAL_IO_REDIS_TLS_H
#define PEAL_IO_REDIS_TLS_H

#include <stdbool.h>
#include <sys/types.h>

#include "cluster/cfg.h"

struct redis_tls;        /* what redis.tls_* say; for all connections of a link */
struct redis_tls_stream; /* one connection's */

/* Reads the files that redis.tls_* name. NULL with *err filled if they are of no use. Gives:
 * redis_tls_free. From now on the process ignores SIGPIPE: OpenSSL has no other way. */
struct redis_tls *redis_tls_new(const struct cfg *cfg, struct cfg_error *err);
void redis_tls_free(struct redis_tls *t);

/* host: name or address that the certificate must be for, unless redis.tls_name says another. t and
 * fd are borrowed for the stream's life. Gives: redis_tls_close. */
struct redis_tls_stream *redis_tls_open(struct redis_tls *t, int fd, const char *host);
void redis_tls_close(struct redis_tls_stream *s);

/* As recv and send: bytes, 0 for the end, or -1 with errno. EAGAIN: redis_tls_wants_write() says for
 * what; EPROTO: redis_tls_why(). The handshake gives 1 when it is done. */
int redis_tls_handshake(struct redis_tls_stream *s);
ssize_t redis_tls_recv(struct redis_tls_stream *s, void *to, size_t n);
ssize_t redis_tls_send(struct redis_tls_stream *s, const void *from, size_t n);
bool redis_tls_wants_write(const struct redis_tls_stream *s);
/* For the log. Lends. */
const char *redis_tls_why(const struct redis_tls_stream *s);

#endif
