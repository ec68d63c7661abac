/* Where Redis is right now: the addresses of redis.url's host, or what the Sentinels say the master
 * is. It keeps nothing between two questions but which Sentinel to ask first. Used by redis_link. */
#ifndef PEAL_IO_REDIS_FIND_H
#define PEAL_IO_REDIS_FIND_H

#include "cluster/redis_target.h"
#include "io/redis_conn.h"

struct redis_find;

/* As redis_lookup_cb, but no function of redis_find may be called in it. */
typedef void (*redis_find_cb)(void *arg, const struct redis_place *places, size_t n,
                              const char *why);

/* cfg (its redis.* rows), target, loop, tls (may be NULL) are borrowed. Gives: redis_find_free. */
struct redis_find *redis_find_new(const struct cfg *cfg, const struct redis_target *target,
                                  struct loop *loop, struct redis_tls *tls, redis_find_cb cb,
                                  void *arg);
void redis_find_free(struct redis_find *f);
/* As redis_link_use_name_server(). */
void redis_find_use_name_server(struct redis_find *f, const char *server);

/* Asks; an answer comes by the callback, from the loop, unless redis_find_stop() is first. */
void redis_find_start(struct redis_find *f);
/* Ends a question, answered or not. was_good: the answer led to Redis; if not, another Sentinel is
 * asked first next time. */
void redis_find_stop(struct redis_find *f, bool was_good);

#endif
