/* The gateway's end of the way to the workers: a seam, with one implementation in this process
 * (work_local, for `peal serve`) and one over Redis streams (io/work_redis).
 *
 * Items that are taken are handled at least once, those of one socket in the order of submitting. A
 * connect that was taken is owed a disconnect, or a forget: until then it is remembered where the
 * workers can see it, so that they are told the disconnect even if this process cannot do it any more.
 * So a disconnect is not refused for a backlog, and waits as long as it must; connects that nobody
 * waits for (not asks) may pass the backlog's bound up to twice. */
#ifndef PEAL_CLUSTER_WORK_OUT_H
#define PEAL_CLUSTER_WORK_OUT_H

#include "cluster/work_item.h"

enum work_outcome {
    WORK_TAKEN,     /* it is in its partition */
    WORK_FULL,      /* it is not: the partition's backlog is over work.max_backlog */
    WORK_REFUSED,   /* it is not: Redis has been away for too long, or too much waits for it */
    WORK_TOO_LARGE, /* it is not: larger than work.max_item */
    WORK_UNCERTAIN, /* the connection broke before the answer and has not come back: it may be */
};
/* Told once. Never called from within the function that was given it. */
typedef void (*work_done_cb)(enum work_outcome outcome, void *arg);

struct work_stats {
    uint64_t taken, full, refused, too_large, uncertain; /* by outcome */
    uint64_t repeated; /* submitted again after a lost connection: workers may see them twice */
    uint64_t pending, pending_bytes; /* wait or are on their way */
    uint64_t backlog;                /* items in all partitions, as last seen */
    uint64_t partitions_full;        /* refuse events now */
    uint64_t connects, disconnects;  /* of the connection to Redis */
};

struct work_out;
struct work_out_ops {
    /* Copies. done may be NULL. */
    void (*submit)(struct work_out *w, const struct work_item *item, work_done_cb done, void *arg);
    /* What is remembered of a connect is not so any more: its data is another. Takes nsp, sid, serial, user,
     * claims and data of the item; nothing if the connect is not remembered, or too much waits. */
    void (*renew)(struct work_out *w, const struct work_item *item);
    /* The workers have refused this connect: no disconnect is owed. */
    void (*forget)(struct work_out *w, struct str_view nsp, struct str_view sid);
    /* Turn-end phase. True: more work is left. */
    bool (*flush)(struct work_out *w);
    /* Why events cannot be handed to workers now; NULL: no reason. Static words. */
    const char *(*trouble)(struct work_out *w);
    /* What is still owed is told WORK_REFUSED (WORK_UNCERTAIN if it was on its way). */
    void (*free)(struct work_out *w);
};
struct work_out {
    const struct work_out_ops *ops;
    struct work_stats stats;
    uint64_t number; /* of the last item that was submitted: its id ends with it */
};

void work_stats_count(struct work_stats *s, enum work_outcome outcome);

/* Who takes the items in this process; the item's views are good during the call. False: it has as
 * many as it can hold (WORK_FULL). */
typedef bool (*work_take_cb)(const struct work_item *item, void *arg);
/* The way inside one process. Items leave in flush. While nobody is attached (take NULL), all are
 * refused. A disconnect that there is no room for waits until there is. */
struct work_out *work_local_new(size_t max_item);
void work_local_attach(struct work_out *w, work_take_cb take, void *arg);

#endif
