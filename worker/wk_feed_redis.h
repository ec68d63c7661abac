/* The feed on Redis: partition streams under leases (wk_stream), with two connections of its own, one that
 * waits for entries, one for everything else. */
#ifndef PEAL_WK_FEED_REDIS_H
#define PEAL_WK_FEED_REDIS_H

#include "cluster/cfg.h"
#include "io/loop.h"
#include "wk_feed.h"

/* cfg (worker.*, work.*, bus.*, redis.*), loop, events and uid's bytes are borrowed for its life. uid: the
 * worker's name on the bus. It connects from the first turn on. A cluster with another number of
 * partitions ends the process when it is found out at the start. NULL with *err filled if the
 * configuration cannot be used. */
struct wk_feed *wk_feed_redis_new(const struct cfg *cfg, struct loop *loop, struct str_view uid,
                                  const struct wk_feed_events *events, void *arg,
                                  struct cfg_error *err);

#endif
