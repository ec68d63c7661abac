/* The way to the workers over Redis: each partition is a stream, an item is one entry of it.
 *
 * A link of its own. While Redis is away items wait, bounded in bytes and time (bus.pending_*); those
 * that were on their way when the link broke are sent again, in their order and with the same ids, so
 * none that was taken is lost and some may come twice. How long a partition's stream is is asked along
 * with what a turn adds to it; over work.max_backlog it is full, until it is found well below that.
 *
 * All programs of a cluster have the same work.partitions: the first that comes writes it down in
 * Redis. One with another count hands over nothing, and trouble() says so. */
#ifndef PEAL_IO_WORK_REDIS_H
#define PEAL_IO_WORK_REDIS_H

#include "cluster/cfg.h"
#include "cluster/work_out.h"
#include "io/loop.h"

/* cfg (work.*, bus.*, redis.*), loop and uid's bytes are borrowed for its life. It connects from the
 * first turn on. NULL with *err filled if the configuration cannot be used. */
struct work_out *work_redis_new(const struct cfg *cfg, struct loop *loop, struct str_view uid,
                                struct cfg_error *err);
/* The cluster has another number of partitions: one line that says so. NULL: it has not, or that is not
 * known yet. Lends. */
const char *work_redis_mismatch(const struct work_out *w);

#endif
