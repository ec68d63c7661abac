/* What a worker has of one partition's stream: how far it has read, what it keeps for later, what is in
 * hand, which items it has seen. No I/O. Used by wk_stream.
 *
 * An item that comes again (a gateway submits again after a lost connection, with the same id) is known
 * by its number: those of one gateway rise within a partition. */
#ifndef PEAL_WK_WINDOW_H
#define PEAL_WK_WINDOW_H

#include "wk_store.h"

struct wk_kept {
    struct wk_kept *next;
    struct wk_place place;
    bool is_suspect;
    struct work_item *item; /* owned */
};

struct wk_held;   /* an entry in hand */
struct wk_source; /* a gateway, and the number of its last item */

struct wk_window {
    unsigned limit;       /* in hand and kept together */
    unsigned in_hand;     /* given out, or on their way out of the stream */
    unsigned nkept;       /* read, to be given out later, in order */
    unsigned suspects;    /* so many of the entries to come are suspects */
    struct wk_place seen; /* everything up to here has been read */
    struct wk_kept *first, **last;
    struct wk_held *held;
    struct wk_source *sources;
};

void wk_window_init(struct wk_window *w, unsigned limit);
/* Safe on zeroed memory. */
void wk_window_fini(struct wk_window *w);
/* Forgets everything; reads from the stream's start. */
void wk_window_open(struct wk_window *w, unsigned suspects);

/* How many more entries may be read. */
unsigned wk_window_room(const struct wk_window *w);
/* An entry has been read: has it been read before? If not it is in hand. */
bool wk_window_pass(struct wk_window *w, struct wk_place place) MUST_CHECK;
/* Is its item one that has been there? id: the item's. */
bool wk_window_knows(struct wk_window *w, struct str_view id) MUST_CHECK;
/* Copies an item that is given out later; it is not in hand meanwhile. */
void wk_window_keep(struct wk_window *w, struct wk_place place, const struct work_item *item,
                    bool is_suspect);
/* Takes the first of the kept ones, which is in hand then. Gives: wk_kept_free. */
struct wk_kept *wk_window_next(struct wk_window *w);
void wk_kept_free(struct wk_kept *k);
bool wk_window_holds(const struct wk_window *w, struct wk_place place);
/* Not in hand any more. False: it was not. */
bool wk_window_release(struct wk_window *w, struct wk_place place) MUST_CHECK;

#endif
