/* A partition's states:
 *
 *            TAKE found mine            share shrinks, stop          nothing in hand
 *     NONE ─────────────────▶ MINE ◀──────────────────────▶ LEAVING ────────────────▶ GIVING
 *      ▲                       │      share grows again        │  patience over: lost    │
 *      └─────── lost ──────────┴───────────────────────────────┘                         │
 *      └──────────────────────────────── given ◀─────────────────────────────────────────┘
 *
 * One question is on its way at a time. If its answer does not come, a TAKE may have been carried
 * out: Redis then has this worker's name with an epoch that it does not count as its own, which the
 * next TAKE replaces; and a GIVE is asked again.
 *
 * Two workers that see the same free partitions begin at different ones, by their rank. Who loses a
 * race nevertheless looks again. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Worker */
#include "wk_lease.h"

#define QUESTIONS_A_LEASE 4u /* so that some may get lost */
#define CLOCK_SHARE 16u
#define LEAST_PAUSE_MS 10u /* between two questions that nothing but expiry brings about */

struct lease {
    enum wk_lease_state state;
    uint64_t epoch;
    uint64_t good_until;
    uint64_t leave_until; /* LEAVING */
    bool is_settled;
    enum wk_lease_want asked;
    uint64_t asked_epoch;
};

struct wk_lease {
    unsigned partitions;
    uint64_t lease_ms, patience_ms;
    struct wk_lease_events events;
    void *arg;
    uint64_t epochs; /* given out so far */
    uint64_t asked_at, next;
    bool is_asking, asked_as_member; /* … of those that live */
    bool is_stopping, has_left;
    bool has_been_told; /* how many workers there are, in this connection's life */
    unsigned workers, rank;
    struct lease v[];
};

struct wk_lease *wk_lease_new(unsigned partitions, uint64_t lease_ms, uint64_t patience_ms,
                              const struct wk_lease_events *events, void *arg)
{
    assert(partitions && partitions <= WK_PARTITIONS_MAX);
    struct wk_lease *l = x_calloc(1, sizeof(*l) + partitions * sizeof(l->v[0]));
    l->partitions = partitions;
    l->lease_ms = lease_ms;
    l->patience_ms = patience_ms;
    l->events = *events;
    l->arg = arg;
    return l;
}

void wk_lease_free(struct wk_lease *l)
{
    x_free(l);
}

unsigned wk_lease_share(unsigned partitions, unsigned workers, unsigned rank)
{
    if (workers == 0) workers = 1;
    return partitions / workers + (rank < partitions % workers);
}

/* ---- asking */

static bool holds(const struct lease *p)
{
    return p->state == WK_LEASE_MINE || p->state == WK_LEASE_LEAVING;
}

uint64_t wk_lease_next(const struct wk_lease *l)
{
    uint64_t at = l->is_asking ? UINT64_MAX : l->next;
    for (unsigned i = 0; i < l->partitions; i++) {
        const struct lease *p = &l->v[i];
        if (holds(p) && p->good_until < at) at = p->good_until;
        if (p->state == WK_LEASE_LEAVING && p->leave_until < at) at = p->leave_until;
    }
    return at;
}

bool wk_lease_wants_to_ask(const struct wk_lease *l, uint64_t now)
{
    return !l->is_asking && now >= l->next && !wk_lease_is_over(l);
}

/* Where this worker begins among n free partitions, so that others begin elsewhere. */
static unsigned first_of(const struct wk_lease *l, unsigned n)
{
    if (n == 0 || l->workers == 0) return 0;
    return n < l->workers ? l->rank % n : (unsigned)((uint64_t)n * l->rank / l->workers);
}

/* Of the free partitions (TAKE, without an epoch yet) as many as the share has room for. */
static void choose(struct wk_lease *l, struct wk_lease_ask *asks)
{
    unsigned free[WK_PARTITIONS_MAX], n = 0, has = 0;
    unsigned share = wk_lease_share(l->partitions, l->workers, l->rank);
    for (unsigned i = 0; i < l->partitions; i++) {
        has += holds(&l->v[i]);
        if (asks[i].want == WK_LEASE_TAKE) free[n++] = i;
    }
    unsigned first = first_of(l, n), room = has < share ? share - has : 0;
    for (unsigned i = 0; i < n; i++) {
        struct wk_lease_ask *a = &asks[free[(first + i) % n]];
        if (i < room)
            a->epoch = ++l->epochs;
        else
            a->want = WK_LEASE_LOOK;
    }
}

bool wk_lease_ask(struct wk_lease *l, uint64_t now, struct wk_lease_ask *asks)
{
    assert(!l->is_asking);
    bool may_take = l->has_been_told && !l->is_stopping;
    for (unsigned i = 0; i < l->partitions; i++) {
        const struct lease *p = &l->v[i];
        asks[i] = (struct wk_lease_ask){WK_LEASE_LOOK, 0, p->is_settled};
        if (holds(p)) asks[i].want = WK_LEASE_HOLD;
        if (p->state == WK_LEASE_GIVING) asks[i].want = WK_LEASE_GIVE;
        if (p->state != WK_LEASE_NONE) asks[i].epoch = p->epoch;
        if (p->state == WK_LEASE_NONE && may_take && p->asked == WK_LEASE_TAKE)
            asks[i].want = WK_LEASE_TAKE;
    }
    choose(l, asks);
    for (unsigned i = 0; i < l->partitions; i++) {
        l->v[i].asked = asks[i].want;
        l->v[i].asked_epoch = asks[i].epoch;
    }
    l->is_asking = true;
    l->asked_at = now;
    l->asked_as_member = !l->is_stopping;
    return l->asked_as_member;
}

/* ---- answers */

static void lose(struct wk_lease *l, unsigned i)
{
    l->v[i].state = WK_LEASE_NONE;
    l->v[i].asked = WK_LEASE_LOOK;
    l->events.lost(l->arg, i);
}

static void renew(struct wk_lease *l, struct lease *p)
{
    p->good_until = l->asked_at + l->lease_ms - l->lease_ms / CLOCK_SHARE;
}

static void take(struct wk_lease *l, unsigned i, bool is_heir)
{
    struct lease *p = &l->v[i];
    p->state = WK_LEASE_MINE;
    p->epoch = p->asked_epoch;
    p->is_settled = !is_heir;
    renew(l, p);
    l->events.taken(l->arg, i, is_heir);
}

static void take_found(struct wk_lease *l, unsigned i, enum wk_lease_found found)
{
    struct lease *p = &l->v[i];
    bool is_mine = found == WK_LEASE_IS_MINE || found == WK_LEASE_IS_HEIR;
    switch (p->asked) {
    case WK_LEASE_LOOK: break;
    case WK_LEASE_TAKE:
        if (is_mine) take(l, i, found == WK_LEASE_IS_HEIR);
        break;
    case WK_LEASE_HOLD:
        if (p->state == WK_LEASE_NONE || p->epoch != p->asked_epoch) break; /* lost meanwhile */
        if (is_mine)
            renew(l, p);
        else if (holds(p))
            lose(l, i);
        else
            p->state = WK_LEASE_NONE;
        break;
    case WK_LEASE_GIVE:
        p->state = WK_LEASE_NONE;
        l->events.given(l->arg, i);
        break;
    }
    /* The next question may take it (see wk_lease_ask). */
    bool is_free = p->state == WK_LEASE_NONE && found == WK_LEASE_IS_FREE;
    p->asked = is_free ? WK_LEASE_TAKE : WK_LEASE_LOOK;
}

static void leave(struct wk_lease *l, unsigned i, uint64_t now)
{
    l->v[i].state = WK_LEASE_LEAVING;
    l->v[i].leave_until = now + l->patience_ms;
    l->events.leaving(l->arg, i);
}

/* Leaves what is too much, the highest first; keeps after all what has not left yet. */
static void balance(struct wk_lease *l, uint64_t now)
{
    unsigned share = wk_lease_share(l->partitions, l->workers, l->rank), has = 0;
    if (l->is_stopping) share = 0;
    for (unsigned i = 0; i < l->partitions; i++)
        has += l->v[i].state == WK_LEASE_MINE;
    for (unsigned i = l->partitions; i-- > 0 && has > share;) {
        if (l->v[i].state != WK_LEASE_MINE) continue;
        leave(l, i, now);
        has--;
    }
    for (unsigned i = 0; i < l->partitions && has < share; i++) {
        if (l->v[i].state != WK_LEASE_LEAVING) continue;
        l->v[i].state = WK_LEASE_MINE;
        l->events.resumed(l->arg, i);
        has++;
    }
}

/* Is there something that the next question can do at once? */
static bool has_wish(const struct wk_lease *l)
{
    unsigned has = 0;
    bool sees_free = false;
    if (l->is_stopping && !l->has_left) return true;
    for (unsigned i = 0; i < l->partitions; i++) {
        if (l->v[i].state == WK_LEASE_GIVING) return true;
        has += holds(&l->v[i]);
        sees_free |= l->v[i].state == WK_LEASE_NONE && l->v[i].asked == WK_LEASE_TAKE;
    }
    return sees_free && !l->is_stopping && has < wk_lease_share(l->partitions, l->workers, l->rank);
}

static void plan(struct wk_lease *l, uint64_t now, uint64_t expiry_ms)
{
    uint64_t pause = l->lease_ms / QUESTIONS_A_LEASE;
    if (expiry_ms < pause) pause = expiry_ms + 2; /* then it has expired for certain */
    if (pause < LEAST_PAUSE_MS) pause = LEAST_PAUSE_MS;
    l->next = has_wish(l) ? now : now + pause;
}

void wk_lease_answered(struct wk_lease *l, uint64_t now, const struct wk_lease_answer *a)
{
    assert(l->is_asking);
    l->is_asking = false;
    if (!a) {
        l->has_been_told = false;
        l->next = now + LEAST_PAUSE_MS;
        wk_lease_tick(l, now);
        return;
    }
    l->has_been_told = true;
    l->workers = a->workers ? a->workers : 1;
    l->rank = a->rank < l->workers ? a->rank : l->workers - 1;
    for (unsigned i = 0; i < l->partitions; i++)
        take_found(l, i, a->found[i]);
    balance(l, now);
    wk_lease_tick(l, now);
    if (!l->asked_as_member) l->has_left = true;
    plan(l, now, a->expiry_ms);
}

/* ---- what happens in between */

void wk_lease_tick(struct wk_lease *l, uint64_t now)
{
    for (unsigned i = 0; i < l->partitions; i++) {
        struct lease *p = &l->v[i];
        if (!holds(p)) continue;
        if (now >= p->good_until) {
            lose(l, i);
        } else if (p->state == WK_LEASE_LEAVING && now >= p->leave_until) {
            lose(l, i);
            p->state = WK_LEASE_GIVING;
            l->next = now;
        }
    }
}

void wk_lease_emptied(struct wk_lease *l, unsigned p)
{
    if (l->v[p].state != WK_LEASE_LEAVING) return;
    l->v[p].state = WK_LEASE_GIVING;
    l->next = 0;
}

void wk_lease_settled(struct wk_lease *l, unsigned p)
{
    if (holds(&l->v[p])) l->v[p].is_settled = true;
}

void wk_lease_was_fenced(struct wk_lease *l, unsigned p, uint64_t epoch)
{
    if (l->v[p].epoch != epoch || !holds(&l->v[p])) return;
    lose(l, p);
    l->next = 0;
}

void wk_lease_stop(struct wk_lease *l, uint64_t now)
{
    if (l->is_stopping) return;
    l->is_stopping = true;
    balance(l, now);
    l->next = now;
}

bool wk_lease_is_over(const struct wk_lease *l)
{
    if (!l->is_stopping || !l->has_left) return false;
    for (unsigned i = 0; i < l->partitions; i++)
        if (l->v[i].state != WK_LEASE_NONE) return false;
    return true;
}

bool wk_lease_is_good(const struct wk_lease *l, unsigned p, uint64_t now)
{
    return p < l->partitions && holds(&l->v[p]) && now < l->v[p].good_until;
}

enum wk_lease_state wk_lease_state(const struct wk_lease *l, unsigned p)
{
    return l->v[p].state;
}

uint64_t wk_lease_epoch(const struct wk_lease *l, unsigned p)
{
    return l->v[p].epoch;
}
