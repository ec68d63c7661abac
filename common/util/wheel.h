/* A timer wheel: many deadlines, cheap to set, move and drop.
 *
 * The entries are embedded in the objects that wait (no allocation, 40 bytes). Deadlines are
 * absolute milliseconds; an entry fires at the first wheel_advance() whose time is at or past its
 * deadline rounded up to a tick, never before the deadline. Setting and dropping is O(1); a
 * deadline further away than one turn of the wheel is looked at once a turn. It reads no clock and
 * calls nothing from anywhere but wheel_advance(). */
#ifndef PEAL_UTIL_WHEEL_H
#define PEAL_UTIL_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_SLOTS 4096u /* a power of two */
#define WHEEL_TICK_MS 8u  /* a power of two */
#define WHEEL_NEVER UINT64_MAX

struct wheel_entry {
    struct wheel_entry *prev, *next; /* NULL when not set */
    uint64_t deadline;
    void (*fire)(struct wheel_entry *e); /* may set or drop any entry, this one too */
};

struct wheel {
    struct wheel_entry slots[WHEEL_SLOTS]; /* list heads */
    uint64_t used[WHEEL_SLOTS / 64];       /* bit: the slot's list is not empty */
    uint64_t at;                           /* the tick that was advanced to last */
};

void wheel_init(struct wheel *w, uint64_t now);
/* fire must be set already. Moves the entry if it is set. */
void wheel_set(struct wheel *w, struct wheel_entry *e, uint64_t deadline);
void wheel_drop(struct wheel *w, struct wheel_entry *e);
static inline bool wheel_is_set(const struct wheel_entry *e)
{
    return e->next != NULL;
}
/* Fires what is due at now. */
void wheel_advance(struct wheel *w, uint64_t now);
/* When wheel_advance() should be called next: no later than the next deadline (rounded up to a
 * tick), at most one turn of the wheel away; WHEEL_NEVER if nothing is set. */
uint64_t wheel_next(const struct wheel *w);

#endif
