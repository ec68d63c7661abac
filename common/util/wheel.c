/* One level of hashed slots. A slot holds all deadlines of its tick modulo the wheel's size, so an
 * entry may be looked at before it is due and is then left where it is. With heartbeats of seconds
 * and a turn of 33 s that is rare, and it saves the cascades of a hierarchical wheel. A bit map of
 * used slots makes the search for the next one short, so an idle process sleeps.
 *
 * Firing detaches a slot's list first: entries set while it runs go to the live list and cannot
 * make the loop endless. */

/* System */
#include <assert.h>
/* Util */
#include "util/wheel.h"

static unsigned slot_of(uint64_t tick)
{
    return (unsigned)(tick & (WHEEL_SLOTS - 1));
}

/* Rounded up: an entry never fires early because of the tick. */
static uint64_t tick_of(uint64_t deadline)
{
    return deadline / WHEEL_TICK_MS + (deadline % WHEEL_TICK_MS != 0);
}

static void head_init(struct wheel_entry *h)
{
    h->prev = h->next = h;
}

void wheel_init(struct wheel *w, uint64_t now)
{
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        head_init(&w->slots[i]);
    for (unsigned i = 0; i < WHEEL_SLOTS / 64; i++)
        w->used[i] = 0;
    w->at = now / WHEEL_TICK_MS;
}

void wheel_drop(struct wheel *w, struct wheel_entry *e)
{
    if (!e->next) return;
    struct wheel_entry *prev = e->prev, *next = e->next;
    prev->next = next;
    next->prev = prev;
    e->prev = e->next = NULL;
    if (prev == next && prev >= w->slots && prev < w->slots + WHEEL_SLOTS) {
        size_t i = (size_t)(prev - w->slots);
        w->used[i / 64] &= ~(UINT64_C(1) << (i % 64));
    }
}

void wheel_set(struct wheel *w, struct wheel_entry *e, uint64_t deadline)
{
    assert(e->fire);
    wheel_drop(w, e);
    e->deadline = deadline;
    uint64_t tick = tick_of(deadline);
    if (tick <= w->at) tick = w->at + 1;
    unsigned i = slot_of(tick);
    struct wheel_entry *h = &w->slots[i];
    e->prev = h->prev;
    e->next = h;
    h->prev->next = e;
    h->prev = e;
    w->used[i / 64] |= UINT64_C(1) << (i % 64);
}

static void fire_slot(struct wheel *w, unsigned i, uint64_t now)
{
    struct wheel_entry *h = &w->slots[i], due;
    if (h->next == h) return;
    due.next = h->next;
    due.prev = h->prev;
    due.next->prev = &due;
    due.prev->next = &due;
    head_init(h);
    w->used[i / 64] &= ~(UINT64_C(1) << (i % 64));
    while (due.next != &due) {
        struct wheel_entry *e = due.next;
        e->next->prev = e->prev;
        e->prev->next = e->next;
        e->prev = e->next = NULL;
        if (e->deadline <= now)
            e->fire(e);
        else
            wheel_set(w, e, e->deadline); /* due in a later turn of the wheel */
    }
}

void wheel_advance(struct wheel *w, uint64_t now)
{
    uint64_t to = now / WHEEL_TICK_MS;
    if (to <= w->at) return;
    /* After a long sleep each slot needs one visit only. */
    uint64_t steps = to - w->at > WHEEL_SLOTS ? WHEEL_SLOTS : to - w->at;
    uint64_t first = to - steps + 1;
    w->at = to;
    for (uint64_t t = first; t <= to; t++) {
        unsigned i = slot_of(t);
        if (w->used[i / 64] & (UINT64_C(1) << (i % 64))) fire_slot(w, i, now);
    }
}

uint64_t wheel_next(const struct wheel *w)
{
    unsigned start = slot_of(w->at + 1);
    for (unsigned k = 0; k <= WHEEL_SLOTS / 64; k++) {
        unsigned word = (start / 64 + k) % (WHEEL_SLOTS / 64);
        uint64_t bits = w->used[word];
        if (k == 0) bits &= ~UINT64_C(0) << (start % 64);
        if (k == WHEEL_SLOTS / 64) bits &= ~(~UINT64_C(0) << (start % 64));
        if (!bits) continue;
        unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);
        unsigned ahead = slot_of(slot - start);
        return (w->at + 1 + ahead) * WHEEL_TICK_MS;
    }
    return WHEEL_NEVER;
}
