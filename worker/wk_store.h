/* What the feed of streams (wk_stream) needs of Redis: a seam, so that the feed's logic does no I/O.
 * wk_feed_redis implements it; tests/sim has another one.
 *
 * Everything asked is answered later, once, by the table of events, never from within the function that
 * asked; "lost" is the answer if the connection broke: it may have been carried out or not. */
#ifndef PEAL_WK_STORE_H
#define PEAL_WK_STORE_H

#include "cluster/work_item.h"
#include "wk_feed.h"
#include "wk_lease.h"

/* Bytes of an entry that no item makes. Larger ones are not read; see WK_ACT_SIFT. */
static inline size_t wk_entry_max(size_t max_item)
{
    return max_item * 2 + 65536;
}

/* A stream entry's id, "<ms>-<seq>". */
struct wk_place {
    uint64_t ms, seq;
};

/* Something to be done with an entry, if the lease is this worker's and the entry is still there. */
enum wk_act_kind {
    WK_ACT_FINISH, /* take it out, publish the effects */
    WK_ACT_BURY,   /* the same, and its fields go to the dead letters */
    WK_ACT_STEP,   /* publish the effects, leave it */
    WK_ACT_NOTE,   /* count that handling it is begun; the answer is the count */
    WK_ACT_SIFT,   /* bury what is too large to be read, of the first ones behind it */
    WK_ACT_TELL,   /* publish the effects: of an entry that is away already */
};
struct wk_act {
    enum wk_act_kind kind;
    struct wk_place place;
    struct wk_result result;
    char *why;          /* BURY: words; owned */
    unsigned attempts;  /* BURY */
    wk_step_cb step_cb; /* STEP */
    void *step_arg;
};

/* Acts on one partition, all carried out at once, or none. */
struct wk_batch {
    struct wk_batch *next; /* the feed's */
    unsigned partition;
    uint64_t epoch;
    bool is_sent; /* the feed's */
    size_t n, bytes;
    struct wk_act *v;
};

enum wk_acted { WK_ACTED, WK_FENCED, WK_ACT_LOST };

struct wk_store_cursor {
    unsigned partition;
    struct wk_place behind; /* entries behind this one are wanted */
};

struct wk_store_events {
    /* a NULL: lost. backlog: entries in the streams that are this worker's. */
    void (*beaten)(void *arg, const struct wk_lease_answer *a, uint64_t backlog);
    /* results: one for each act, if WK_ACTED: 0 if the entry was not there, else 1; of a STEP 2 if
     * somebody heard it; of a NOTE the count; of a SIFT how many were buried. Below 0: the dead
     * letters do not take it, nothing has happened to it. */
    void (*acted)(void *arg, struct wk_batch *b, enum wk_acted how, const int64_t *results);
    /* An entry that a SIFT has buried: of its fields and values what says who waits for it. Told before
     * acted. */
    void (*sifted)(void *arg, unsigned partition, const struct str_view *v, size_t n);
    /* An entry that was read; n texts, fields and values in turn. Views are good during the call. */
    void (*entry)(void *arg, unsigned partition, struct wk_place place, const struct str_view *v,
                  size_t n, size_t bytes);
    /* The read is over. */
    void (*read)(void *arg, bool is_lost);
};

struct wk_store;
struct wk_store_ops {
    uint64_t (*now)(struct wk_store *s); /* monotonic milliseconds */
    /* Can it be asked? Reading and the rest have a connection each. */
    bool (*is_up)(const struct wk_store *s);
    bool (*can_read)(const struct wk_store *s);
    /* Borrows asks; one for each partition. */
    void (*beat)(struct wk_store *s, bool is_member, const struct wk_lease_ask *asks);
    /* Lends b until it is answered. */
    void (*act)(struct wk_store *s, struct wk_batch *b);
    /* Waits some time for entries if there are none; at most count from each. Borrows v. */
    void (*read)(struct wk_store *s, const struct wk_store_cursor *v, size_t n, size_t count);
    /* Ends the wait of the read that is under way, as well as it can. */
    void (*wake)(struct wk_store *s);
};
struct wk_store {
    const struct wk_store_ops *ops;
    const struct wk_store_events *events; /* set by the feed */
    void *arg;
};

#endif
