/* The feed over streams: leases, reading, what is in hand, suspects, repeats, and results on their way
 * out. No I/O: what it needs of Redis is a wk_store. The feed that a program has is wk_feed_redis, which
 * is this one with a store; tests/sim has it with another. */
#ifndef PEAL_WK_STREAM_H
#define PEAL_WK_STREAM_H

#include "wk_feed.h"
#include "wk_store.h"

struct wk_stream_settings {
    unsigned partitions;
    uint64_t lease_ms;
    uint64_t patience_ms; /* for what is in hand of a partition that is left */
    unsigned in_hand;     /* of a partition */
    size_t max_item;      /* bytes */
    size_t max_message;   /* bytes of a message of the bus */
};

#define WK_READ_BYTES (8u << 20) /* an answer to a read is meant to be no larger */

/* store and events are borrowed; store's events are set. Ends with ops->free, which frees no store. */
struct wk_feed *wk_stream_new(const struct wk_stream_settings *settings, struct wk_store *store,
                              const struct wk_feed_events *events, void *arg);
/* When flush should be called at the latest, by the store's clock. */
uint64_t wk_stream_next(const struct wk_feed *f);
/* Lends. */
struct wk_store *wk_stream_store(const struct wk_feed *f);
/* The lease's epoch. */
uint64_t wk_stream_epoch(const struct wk_feed *f, unsigned partition);
/* Is the partition this worker's to take items of? */
bool wk_stream_has(const struct wk_feed *f, unsigned partition);

#endif
