/* The core of a worker: takes items from a feed, gives them as jobs to handlers, and gives the
 * results back to the feed.
 *
 * Jobs of one socket run one after the other, in the order of their items; those of different
 * sockets at will. Nothing is run, and nothing given back, inside a callback of the feed or of a
 * handler: that happens in wk_core_flush, a phase of the turn's end. It knows no Redis, no module
 * and no HTTP.
 *
 * Order of making: core, feed (wk_core_feed_events, the core as arg), wk_core_set_feed, handlers. */
#ifndef PEAL_WK_CORE_H
#define PEAL_WK_CORE_H

#include "cluster/cfg.h"
#include "io/loop.h"
#include "wk_feed.h"
#include "wk_job.h"

struct questions;
struct wk_core;

/* For metrics. */
struct wk_core_stats {
    uint64_t items;         /* taken from the feed */
    uint64_t done;          /* finished, with their effects */
    uint64_t failures;      /* of attempts */
    uint64_t retries;       /* attempts behind the first */
    uint64_t buried;        /* given up: to the dead letters */
    uint64_t unhandled;     /* no handler took them */
    uint64_t dropped;       /* of revoked partitions, and what was left at the end */
    uint64_t syncs;         /* waits for a gateway to hear a room */
    uint64_t syncs_late;    /* of those, that lasted WK_SYNC_MS */
    uint64_t jobs, sockets; /* now in hand, and their sockets */
    uint64_t running;       /* of those, in the hands of a handler */
};

#define WK_SYNC_MS 2000 /* the longest wait for a gateway to say that it hears a room */

/* cfg, loop, bus and questions are borrowed for its life; questions may be NULL (then nothing can
 * be asked). NULL with *err filled if the configuration does not allow it. Gives: wk_core_free. */
struct wk_core *wk_core_new(const struct cfg *cfg, struct loop *loop, struct bus *bus,
                            struct questions *q, struct cfg_error *err);
/* Takes the feed, which is freed with the core. */
void wk_core_set_feed(struct wk_core *core, struct wk_feed *feed);
/* What to give a feed, with the core as its arg. */
extern const struct wk_feed_events wk_core_feed_events;
/* Copies the struct; the core calls its free in the end. Asked in the order of adding. */
void wk_core_add_handler(struct wk_core *core, const struct wk_handler *handler);
/* A direct message for this node: NODE_SYNCED is what counts, anything else is passed over. */
void wk_core_direct(struct wk_core *core, struct str_view bytes);
/* The same, for who has read it already. */
void wk_core_synced(struct wk_core *core, uint64_t token);
/* Turn-end phase, before the bus's: runs what can run, gives back what has ended, then flushes the
 * feed. True: more work is left. */
bool wk_core_flush(struct wk_core *core);
/* Finishes what is in hand, but takes no longer than worker.shutdown_timeout: what is left then is
 * abandoned, and other workers do it. stopped is told once, from a timer or a turn's end. */
void wk_core_stop(struct wk_core *core, void (*stopped)(void *arg), void *arg);
/* Abandons what is in hand. Before the bus and the questions go. */
void wk_core_free(struct wk_core *core);

const struct wk_core_stats *wk_core_stats(const struct wk_core *core);
const struct wk_feed_stats *wk_core_feed_stats(const struct wk_core *core); /* if it has a feed */
/* Why items are not handled now; NULL: no reason. Static words. */
const char *wk_core_trouble(const struct wk_core *core);

/* --- for handlers */
const struct cfg *wk_core_cfg(const struct wk_core *core);
struct loop *wk_core_loop(const struct wk_core *core);
struct bus *wk_core_bus(const struct wk_core *core);
struct questions *wk_core_questions(const struct wk_core *core); /* NULL: none */

#endif
