/* Design notes
 *
 * - A name's state is what has been sent to Redis (OFF, ASKED, ON, ENDING), its refs are what is
 *   wanted. Where the two differ the name is on the to-do list, unless an answer is under way: that
 *   answer puts it there.
 * - Waves make waiting fair. A name that is wanted and not yet heard belongs to the wave that was
 *   current when the wish came; a waiter belongs to the current wave and waits for it and those before.
 *   A wave ends its growth when the first turn that has waiters in it is over (settle), so a storm
 *   of joins cannot keep anybody waiting. A lost connection puts everything into the oldest wave.
 * - While the connection is away each turn may bring a wave. So those that mean nothing any more go
 *   at once, also from behind one that cannot end, and no turn looks at all that wait. */

/* System */
#include <assert.h>
/* Util */
#include "util/table.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_interest.h"

enum state { OFF, ASKED, ON, ENDING };

struct waiter {
    struct waiter *next;
    bus_done_cb done;
    void *arg;
};

struct wave {
    struct wave *next;
    size_t missing; /* names that are not heard yet */
    uint64_t since; /* of the first waiter */
    struct waiter *first, **last;
};

struct name {
    UT_hash_handle hh;
    struct name *todo_next, *todo_prev;
    struct wave *wave; /* while wanted and not ON */
    uint32_t refs;
    uint8_t state, kind;
    bool is_pattern, in_todo;
    uint16_t nsp_at, nsp_len, len;
    char text[];
};

struct bus_interest {
    struct name *tables[2]; /* uthash: channels, patterns */
    struct name *todo, *todo_last;
    struct wave *oldest, **end; /* list, in the order of their first waiters; where the next goes */
    struct wave *current;       /* the last one, if it still grows; or NULL */
    struct wave *restoring;     /* what a lost connection had */
    size_t count;
};

struct bus_interest *bus_interest_new(void)
{
    struct bus_interest *in = x_calloc(1, sizeof(*in));
    in->end = &in->oldest;
    return in;
}

static struct name *find(struct bus_interest *in, bool is_pattern, struct str_view name)
{
    struct name *n = NULL;
    HASH_FIND(hh, in->tables[is_pattern], name.p, name.n, n);
    return n;
}

/* ---- the to-do list */

static void todo_add(struct bus_interest *in, struct name *n)
{
    if (n->in_todo) return;
    n->in_todo = true;
    n->todo_next = NULL;
    n->todo_prev = in->todo_last;
    *(in->todo_last ? &in->todo_last->todo_next : &in->todo) = n;
    in->todo_last = n;
}

static void todo_drop(struct bus_interest *in, struct name *n)
{
    if (!n->in_todo) return;
    n->in_todo = false;
    *(n->todo_prev ? &n->todo_prev->todo_next : &in->todo) = n->todo_next;
    *(n->todo_next ? &n->todo_next->todo_prev : &in->todo_last) = n->todo_prev;
}

/* ---- waves */

static struct wave *current_wave(struct bus_interest *in)
{
    if (in->current) return in->current;
    struct wave *w = x_calloc(1, sizeof(*w));
    w->last = &w->first;
    *in->end = in->current = w;
    in->end = &w->next;
    return w;
}

/* Takes the wave out of the list; at is what points to it. */
static void wave_unlink(struct bus_interest *in, struct wave **at)
{
    struct wave *w = *at;
    *at = w->next;
    if (!w->next) in->end = at;
    if (in->current == w) in->current = NULL;
    if (in->restoring == w) in->restoring = NULL;
}

static void wave_leave(struct name *n)
{
    if (!n->wave) return;
    assert(n->wave->missing);
    n->wave->missing--;
    n->wave = NULL;
}

static void wave_enter(struct name *n, struct wave *w)
{
    if (n->wave) return;
    n->wave = w;
    w->missing++;
}

static void tell_all(struct wave *w, enum bus_outcome outcome)
{
    struct waiter *list = w->first;
    w->first = NULL;
    w->last = &w->first;
    while (list) {
        struct waiter *next = list->next;
        list->done(outcome, list->arg);
        x_free(list);
        list = next;
    }
}

/* ---- wishes */

static void forget(struct bus_interest *in, struct name *n)
{
    todo_drop(in, n);
    wave_leave(n);
    HASH_DEL(in->tables[n->is_pattern], n);
    in->count--;
    x_free(n);
}

void bus_interest_add(struct bus_interest *in, bool is_pattern, struct str_view name,
                      enum bus_channel_kind kind, size_t nsp_at, size_t nsp_len)
{
    struct name *n = find(in, is_pattern, name);
    assert(name.n <= UINT16_MAX && nsp_at + nsp_len <= name.n);
    if (!n) {
        n = x_malloc(sizeof(*n) + name.n);
        *n = (struct name){.is_pattern = is_pattern,
                           .kind = (uint8_t)kind,
                           .len = (uint16_t)name.n,
                           .nsp_at = (uint16_t)nsp_at,
                           .nsp_len = (uint16_t)nsp_len};
        memcpy(n->text, name.p, name.n);
        HASH_ADD_KEYPTR(hh, in->tables[is_pattern], n->text, n->len, n);
        in->count++;
    }
    if (n->refs++) return;
    if (n->state == ON) { /* its end had not been sent yet */
        todo_drop(in, n);
        return;
    }
    wave_enter(n, current_wave(in));
    if (n->state == OFF) todo_add(in, n);
}

void bus_interest_drop(struct bus_interest *in, bool is_pattern, struct str_view name)
{
    struct name *n = find(in, is_pattern, name);
    assert(n && n->refs);
    if (--n->refs) return;
    wave_leave(n);
    if (n->state == OFF)
        forget(in, n);
    else if (n->state == ON)
        todo_add(in, n);
}

bool bus_interest_find(struct bus_interest *in, bool is_pattern, struct str_view name,
                       enum bus_channel_kind *kind, struct str_view *nsp)
{
    const struct name *n = find(in, is_pattern, name);
    if (!n || !n->refs) return false;
    *kind = (enum bus_channel_kind)n->kind;
    *nsp = sv_make(n->text + n->nsp_at, n->nsp_len);
    return true;
}

bool bus_interest_is_pending(struct bus_interest *in, bool is_pattern, struct str_view name)
{
    const struct name *n = find(in, is_pattern, name);
    return n && n->refs && n->state != ON;
}

size_t bus_interest_count(const struct bus_interest *in)
{
    return in->count;
}

/* ---- what is sent and what comes back */

size_t bus_interest_next(struct bus_interest *in, bool *is_pattern, bool *on,
                         struct str_view *names, size_t max)
{
    size_t count = 0;
    while (in->todo && count < max) {
        struct name *n = in->todo;
        bool wanted = n->refs > 0;
        assert(n->state == (wanted ? OFF : ON));
        if (count && (n->is_pattern != *is_pattern || wanted != *on)) break;
        *is_pattern = n->is_pattern;
        *on = wanted;
        n->state = wanted ? ASKED : ENDING;
        todo_drop(in, n);
        names[count++] = sv_make(n->text, n->len);
    }
    return count;
}

void bus_interest_confirmed(struct bus_interest *in, bool is_pattern, struct str_view name, bool on)
{
    struct name *n = find(in, is_pattern, name);
    if (!n || n->state != (on ? ASKED : ENDING)) return; /* Redis says what nobody asked for */
    n->state = on ? ON : OFF;
    if (on && n->refs)
        wave_leave(n);
    else if (on || n->refs) /* the wish has changed meanwhile */
        todo_add(in, n);
    else
        forget(in, n);
}

void bus_interest_lost(struct bus_interest *in)
{
    in->restoring = in->oldest ? in->oldest : current_wave(in);
    if (in->current == in->restoring) in->current = NULL;
    for (int i = 0; i < 2; i++) {
        struct name *n, *next;
        HASH_ITER(hh, in->tables[i], n, next)
        {
            n->state = OFF;
            if (!n->refs) {
                forget(in, n);
                continue;
            }
            todo_add(in, n);
            wave_enter(n, in->restoring);
        }
    }
}

bool bus_interest_is_restored(const struct bus_interest *in)
{
    return !in->restoring;
}

/* ---- waiting */

bool bus_interest_is_synced(const struct bus_interest *in)
{
    for (const struct wave *w = in->oldest; w; w = w->next)
        if (w->missing) return false;
    return true;
}

void bus_interest_wait(struct bus_interest *in, uint64_t now, bus_done_cb done, void *arg)
{
    struct wave *w = current_wave(in);
    struct waiter *one = x_malloc(sizeof(*one));
    *one = (struct waiter){NULL, done, arg};
    if (!w->first) w->since = now;
    *w->last = one;
    w->last = &one->next;
}

static void tell_heard(struct bus_interest *in)
{
    while (in->oldest && !in->oldest->missing) {
        struct wave *w = in->oldest;
        wave_unlink(in, &in->oldest);
        tell_all(w, BUS_TAKEN);
        x_free(w);
    }
}

/* Those behind the first who may go on waiting began later. */
static void tell_too_late(struct bus_interest *in, uint64_t now, uint64_t max_age)
{
    struct wave **at = &in->oldest, *w;
    while ((w = *at) && !(w->first && now - w->since < max_age)) {
        tell_all(w, BUS_REFUSED);
        if (w->missing) {
            at = &w->next;
        } else { /* who was told has dropped what was missing */
            wave_unlink(in, at);
            x_free(w);
        }
    }
}

void bus_interest_settle(struct bus_interest *in, uint64_t now, uint64_t max_age)
{
    /* What callers wish from now on does not concern those who wait already. */
    if (in->current && in->current->first) in->current = NULL;
    tell_heard(in);
    tell_too_late(in, now, max_age);
}

uint64_t bus_interest_deadline(const struct bus_interest *in, uint64_t max_age)
{
    const struct wave *w = in->oldest;
    while (w && !w->first)
        w = w->next;
    return w ? w->since + max_age : UINT64_MAX;
}

void bus_interest_free(struct bus_interest *in)
{
    if (!in) return;
    for (struct wave *w = in->oldest; w; w = w->next)
        tell_all(w, BUS_REFUSED); /* they may still drop what they wished for */
    for (int i = 0; i < 2; i++) {
        struct name *n, *next;
        HASH_ITER(hh, in->tables[i], n, next) forget(in, n);
    }
    while (in->oldest) {
        struct wave *w = in->oldest;
        in->oldest = w->next;
        x_free(w);
    }
    x_free(in);
}
