/* What the files of the feed over streams share. Nobody else includes this. */
#ifndef PEAL_WK_STREAM_PARTS_H
#define PEAL_WK_STREAM_PARTS_H

#include "wk_stream.h"
#include "wk_window.h"

struct wk_stream_part {
    struct wk_window window;
    uint64_t epoch;
    bool is_open;          /* leased: what is in hand counts */
    bool is_settled;       /* no suspects any more */
    bool is_doubted;       /* a read of it was lost: not read before it has been sifted */
    bool has_suspect;      /* one is noted or in hand: no other is given out */
    struct wk_kept *noted; /* it, while its note is on its way */
    struct wk_place suspect;
    size_t nread;            /* by the read that is under way */
    bool is_read;            /* is it part of that? */
    struct wk_batch *queued; /* what the next flush sends */
    size_t cap;              /* of queued->v */
};

struct wk_stream {
    struct wk_feed feed;
    struct wk_store *store;
    struct wk_stream_settings set;
    struct wk_lease *lease;
    bool is_beaten; /* Redis has answered since it was connected */
    bool is_stopping, is_stopped;

    /* --- wk_stream_in.c */
    bool is_reading, is_woken;
    size_t count;        /* what the read under way asked for, of each partition */
    uint64_t item_bytes; /* how large an item is thought to be */
    uint64_t largest;    /* of the read under way */
    unsigned first;      /* where the next read begins */
    uint64_t bad_logged_at;

    /* --- wk_stream_out.c */
    struct wk_batch *out, **out_last; /* in their order, sent or to be sent */
    struct wk_batch *refused;         /* steps, to be told so in flush */
    struct wk_batch *again;           /* what the dead letters did not take: once more, later */
    uint64_t again_at;

    struct wk_stream_part parts[];
};

/* In: starts a read, or wakes the one that waits. */
void wk_stream_read(struct wk_stream *s);
void wk_stream_on_entry(void *arg, unsigned partition, struct wk_place place,
                        const struct str_view *v, size_t n, size_t bytes);
void wk_stream_on_read(void *arg, bool is_lost);
/* Gives out what is kept as far as it may be. */
void wk_stream_pump(struct wk_stream *s, unsigned partition);
void wk_stream_on_sifted(void *arg, unsigned partition, const struct str_view *v, size_t n);
/* The answer to a SIFT: so many entries are buried. */
void wk_stream_sift_over(struct wk_stream *s, unsigned partition, int64_t n);
/* The answer to a note: how often the item has been begun since somebody died. */
void wk_stream_on_noted(struct wk_stream *s, unsigned partition, int64_t count);

/* Out: takes r's effects. The act returned is lent until the next one. */
struct wk_act *wk_stream_act(struct wk_stream *s, unsigned partition, enum wk_act_kind kind,
                             struct wk_place place, struct wk_result *r);
void wk_stream_send(struct wk_stream *s);
void wk_stream_on_acted(void *arg, struct wk_batch *b, enum wk_acted how, const int64_t *results);
/* The lease is gone: what has not been sent is dropped. */
void wk_stream_drop_acts(struct wk_stream *s, unsigned partition);
/* A step is not taken: cb is told in flush. */
void wk_stream_refuse(struct wk_stream *s, wk_step_cb cb, void *arg);
/* True: there is more to tell. */
bool wk_stream_tell_refused(struct wk_stream *s);
/* Tells nobody. */
void wk_stream_out_fini(struct wk_stream *s);

/* An entry is out of hand. */
void wk_stream_release(struct wk_stream *s, unsigned partition, struct wk_place place);

#endif
