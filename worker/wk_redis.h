/* What the files of the feed on Redis share. Nobody else includes this. */
#ifndef PEAL_WK_REDIS_H
#define PEAL_WK_REDIS_H

#include "cluster/bus_names.h"
#include "cluster/cfg.h"
#include "io/loop.h"
#include "wk_feed_redis.h"
#include "wk_stream.h"
#include "wk_words.h"

#define WK_SCRIPT_SHA 40

struct wk_script {
    const char *text;
    char sha[WK_SCRIPT_SHA + 1]; /* "": Redis is not known to have it */
};
enum { WK_SCRIPT_BEAT, WK_SCRIPT_ACT, WK_SCRIPT_ORPHAN, WK_SCRIPTS };

struct wk_redis {
    struct wk_store store;
    struct wk_feed *feed;
    struct wk_feed_ops ops; /* the feed's, with flush and free replaced */
    const struct wk_feed_ops *stream_ops;
    const struct cfg *cfg;
    struct loop *loop;
    struct str_view key, uid;
    struct redis_link *commands, *reader;
    struct wk_script scripts[WK_SCRIPTS];
    struct wk_words words;
    struct wheel_entry timer;
    char reader_id[24];  /* of the reading connection, for CLIENT UNBLOCK; "": not known */
    uint64_t held_until; /* Redis refuses: not before then */

    /* --- gateways that are not back yet, after Redis was away */
    bool has_been_up;
    uint64_t patient_until; /* until then they are waited for */
    unsigned acts_out;      /* batches that are not answered */
    bool is_held;           /* one of them is to wait: nothing is sent before all are answered */
    uint64_t round;         /* of such a wait */

    uint64_t logged_at;
    bool has_been_beaten; /* the number of partitions is right */

    /* --- wk_janitor.c */
    uint64_t sweep_at;
    bool is_sweeping;
    uint64_t orphans; /* items made so far */
    char cursor[24];
};

/* r->words begin with the script and the number of its keys; keys and arguments follow. */
void wk_redis_begin(struct wk_redis *r, unsigned script, unsigned nkeys);
void wk_redis_send(struct wk_redis *r, redis_reply_cb cb, void *arg);
/* The answer of a script: is it one that can be used? Else why not is logged, and commands wait a little;
 * it may be tried again. */
bool wk_redis_is_good(struct wk_redis *r, unsigned script, const struct redis_reply *reply);
void wk_redis_log(struct wk_redis *r, const char *what, struct str_view why);

/* wk_redis_act.c */
void wk_redis_act(struct wk_store *store, struct wk_batch *b);
/* wk_redis_read.c */
void wk_redis_read(struct wk_store *store, const struct wk_store_cursor *v, size_t n, size_t count);

/* wk_janitor.c: the disconnects of sockets whose gateway is gone, if partition 0 is this worker's. */
void wk_janitor_tick(struct wk_redis *r);

#endif
