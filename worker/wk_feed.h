/* The feed: where a worker's items come from, and where it gives them back. A seam: wk_feed_redis
 * (partition streams under leases) and wk_feed_local (`peal serve`: one partition, this process).
 *
 * An item is the worker's from the item event until finish, bury or revoked. Finishing is one step:
 * the effects are published and the item is taken out of its stream if, and only if, the lease on the
 * partition is still this worker's and the item is still there. So an item may be handled twice, but its
 * effects happen once. */
#ifndef PEAL_WK_FEED_H
#define PEAL_WK_FEED_H

#include "cluster/work_item.h"
#include "wk_result.h"

/* An item's place: its partition and the entry's id in the stream. */
struct wk_ticket {
    unsigned partition;
    uint64_t ms, seq; /* "<ms>-<seq>"; rises within a partition */
};

struct wk_feed_events {
    /* An item to handle; views are good during the call. is_suspect: a worker has died while it had
     * this one in hand, perhaps of it: the feed has counted that (deaths, this worker's start
     * included) and gives no other item of the partition before it is finished or buried. */
    void (*item)(void *arg, const struct wk_ticket *t, const struct work_item *item,
                 unsigned deaths);
    /* The partition is another worker's now, or soon: what is in hand of it is void. Handlers under way are
     * not waited for; their results are dropped. */
    void (*revoked)(void *arg, unsigned partition);
    /* All that was in hand at wk_feed_stop is given back. */
    void (*stopped)(void *arg);
    /* May handling this item end the process (a C module)? Asked of suspects; the others are given like
     * any item. NULL: yes. */
    bool (*can_kill)(void *arg, const struct work_item *item);
};

/* Outcome of a step. */
enum wk_stepped {
    WK_STEP_TAKEN,
    WK_STEP_NOBODY,  /* published, but the gateway it was for is gone: nothing will answer */
    WK_STEP_REFUSED, /* not published: the lease is gone (revoked follows or came), or the entry */
};
typedef void (*wk_step_cb)(void *arg, enum wk_stepped how);

struct wk_feed;
struct wk_feed_ops {
    /* Is the lease valid now by this worker's own clock? Asked before each handler is run. */
    bool (*is_mine)(struct wk_feed *f, unsigned partition);
    /* Publishes effects of an item that stays in hand (before a wait for NODE_SYNCED). May happen again
     * with the item's repeat, so only for what can be repeated: joins, leaves, admissions, data. r is
     * emptied. */
    void (*step)(struct wk_feed *f, const struct wk_ticket *t, struct wk_result *r, wk_step_cb cb,
                 void *arg);
    /* The item is done: effects out, item away. r is emptied. */
    void (*finish)(struct wk_feed *f, const struct wk_ticket *t, struct wk_result *r);
    /* The item goes to the dead letters instead, with why it failed; the effects of r (an error ack) go
     * out. */
    void (*bury)(struct wk_feed *f, const struct wk_ticket *t, const struct work_item *item,
                 struct str_view why, unsigned attempts, struct wk_result *r);
    /* Takes no further items; `stopped` is told when all in hand is finished or buried and leases are
     * given back. */
    void (*stop)(struct wk_feed *f);
    /* Why items do not come now; NULL: no reason. Static words. */
    const char *(*trouble)(struct wk_feed *f);
    /* Turn-end phase. True: more work is left. */
    bool (*flush)(struct wk_feed *f);
    /* Tells nothing any more, not even of steps. */
    void (*free)(struct wk_feed *f);
};

struct wk_feed_stats {
    uint64_t items, suspects;     /* given out */
    uint64_t finished, buried;    /* and confirmed */
    uint64_t fenced;              /* results dropped because the lease was gone */
    uint64_t bad;                 /* stream entries that are no items: to the dead letters */
    uint64_t unsendable;          /* effects left out: larger than bus.max_message, or a name is */
    uint64_t repeats;             /* known to be done already, by their item's number */
    uint64_t leases, lost, given; /* taken, lost, given back */
    uint64_t partitions, in_hand; /* now */
    uint64_t backlog;             /* of the own partitions, as last seen */
};

struct wk_feed {
    const struct wk_feed_ops *ops;
    const struct wk_feed_events *events;
    void *arg;
    struct wk_feed_stats stats;
};

#endif
