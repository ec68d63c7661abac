/* What the files of the way to the workers share. Nobody else includes this. */
#ifndef PEAL_IO_WORK_REDIS_PARTS_H
#define PEAL_IO_WORK_REDIS_PARTS_H

#include "cluster/bus_names.h"
#include "io/redis_link.h"
#include "io/work_redis.h"

/* Something that is handed to Redis: an item, or a note's change. In `owed` neither is needed any more. */
struct work_entry {
    struct work_entry *next;
    struct work_redis *work;
    struct work_item *item;
    char *note;  /* renew, forget: the field; else NULL */
    char *value; /* renew: what it is now; else NULL */
    size_t note_len, value_len;
    char *fresh_id; /* that the item has got since; or NULL */
    work_done_cb done;
    void *arg;
    uint64_t since;
    size_t size; /* what it counts for in pending_bytes */
    enum work_outcome outcome;
    unsigned partition;
    bool was_sent;
};

struct work_queue {
    struct work_entry *first, **last;
};

struct work_partition {
    struct work_redis *work;
    uint64_t backlog; /* as last seen, and what was added since */
    bool is_full;
    bool is_touched; /* has been added to in this turn */
    bool is_asked;   /* its length; no answer yet */
};

struct work_redis {
    struct work_out out;
    const struct cfg *cfg;
    struct loop *loop;
    struct str_view key, uid;
    struct redis_link *link;
    struct wheel_entry timer;
    struct buf name, note, value, scratch;

    bool has_agreed;    /* with Redis, on this connection */
    char mismatch[128]; /* not empty: it has another number of partitions */
    uint64_t logged_at; /* a refusal */

    struct work_queue queue; /* the sent ones first, then those that wait; in order of submitting */
    struct work_entry *unsent; /* the first of those; NULL: none */
    struct work_queue owed;    /* settled, to be told in flush */
    struct work_queue again;   /* disconnects that Redis has refused: tried again a little later */
    uint64_t again_at;

    struct work_partition *partitions;
    unsigned npartitions;
    bool is_touched; /* one of them is */
    uint64_t probe_at;
};

void work_queue_init(struct work_queue *q);
void work_queue_add(struct work_queue *q, struct work_entry *e);
struct work_entry *work_queue_take(struct work_queue *q); /* NULL: it is empty */

/* Tells, counts and frees it. */
void work_redis_settle(struct work_entry *e, enum work_outcome outcome);
/* Everything in the queue is told so in flush. */
void work_redis_refuse_all(struct work_redis *w);
/* The link's events. */
void work_redis_on_up(void *arg);
void work_redis_on_down(void *arg, const char *why);
/* Turn-end: sends what waits, if it may, and asks how long the streams are. */
void work_redis_send(struct work_redis *w);
bool work_redis_may_send(const struct work_redis *w);

/* Lengths are asked for again after this time, while they matter. */
#define WORK_REDIS_PROBE_MS 250
#define WORK_REDIS_AGAIN_MS 1000
#define WORK_REDIS_LOG_MS 10000

#endif
