/* The table of gateways is bounded: every start of a gateway has a name of its own, and anybody who
 * writes to the stream can make one up. When it is full it is emptied; a repeat may then be handled
 * again, which "at least once" allows. */

/* System */
#include <assert.h>
/* Util */
#include "util/table.h"
/* Worker */
#include "wk_window.h"

#define SOURCES_MAX 4096u
#define SOURCE_NAME_MAX 64u

struct wk_held {
    struct wk_place place;
    UT_hash_handle hh;
};

struct wk_source {
    uint64_t last;
    UT_hash_handle hh;
    char name[SOURCE_NAME_MAX];
};

void wk_window_init(struct wk_window *w, unsigned limit)
{
    *w = (struct wk_window){.limit = limit};
    w->last = &w->first;
}

void wk_kept_free(struct wk_kept *k)
{
    if (!k) return;
    x_free(k->item);
    x_free(k);
}

static void forget_sources(struct wk_window *w)
{
    struct wk_source *s, *next;
    HASH_ITER(hh, w->sources, s, next)
    {
        HASH_DEL(w->sources, s);
        x_free(s);
    }
}

void wk_window_fini(struct wk_window *w)
{
    struct wk_held *h, *next;
    while (w->first) {
        struct wk_kept *k = w->first;
        w->first = k->next;
        wk_kept_free(k);
    }
    HASH_ITER(hh, w->held, h, next)
    {
        HASH_DEL(w->held, h);
        x_free(h);
    }
    forget_sources(w);
}

void wk_window_open(struct wk_window *w, unsigned suspects)
{
    unsigned limit = w->limit;
    wk_window_fini(w);
    wk_window_init(w, limit);
    w->suspects = suspects;
}

unsigned wk_window_room(const struct wk_window *w)
{
    unsigned used = w->in_hand + w->nkept;
    return used < w->limit ? w->limit - used : 0;
}

static void hold(struct wk_window *w, struct wk_place place)
{
    struct wk_held *h = x_calloc(1, sizeof(*h));
    h->place = place;
    HASH_ADD(hh, w->held, place, sizeof(h->place), h);
    w->in_hand++;
}

bool wk_window_pass(struct wk_window *w, struct wk_place place)
{
    if (place.ms < w->seen.ms || (place.ms == w->seen.ms && place.seq <= w->seen.seq)) return false;
    w->seen = place;
    hold(w, place);
    return true;
}

/* "<gateway>-<number>"; the name may hold a '-' itself. */
static bool read_id(struct str_view id, struct str_view *name, uint64_t *number)
{
    size_t at = id.n;
    while (at && id.p[at - 1] >= '0' && id.p[at - 1] <= '9')
        at--;
    if (at < 2 || id.p[at - 1] != '-' || !sv_number(sv_skip(id, at), UINT64_MAX, number))
        return false;
    *name = sv_make(id.p, at - 1);
    return name->n <= SOURCE_NAME_MAX;
}

bool wk_window_knows(struct wk_window *w, struct str_view id)
{
    struct str_view name;
    uint64_t number;
    struct wk_source *s;
    if (!read_id(id, &name, &number)) return false;
    HASH_FIND(hh, w->sources, name.p, name.n, s);
    if (s && number <= s->last) return true;
    if (!s) {
        if (HASH_COUNT(w->sources) >= SOURCES_MAX) forget_sources(w);
        s = x_calloc(1, sizeof(*s));
        memcpy(s->name, name.p, name.n);
        HASH_ADD(hh, w->sources, name, name.n, s);
    }
    s->last = number;
    return false;
}

void wk_window_keep(struct wk_window *w, struct wk_place place, const struct work_item *item,
                    bool is_suspect)
{
    bool was_held = wk_window_release(w, place);
    assert(was_held);
    (void)was_held;
    struct wk_kept *k = x_calloc(1, sizeof(*k));
    *k = (struct wk_kept){.place = place, .is_suspect = is_suspect, .item = work_item_new(item)};
    *w->last = k;
    w->last = &k->next;
    w->nkept++;
}

struct wk_kept *wk_window_next(struct wk_window *w)
{
    struct wk_kept *k = w->first;
    if (!k) return NULL;
    w->first = k->next;
    if (!w->first) w->last = &w->first;
    w->nkept--;
    hold(w, k->place);
    return k;
}

static struct wk_held *find(const struct wk_window *w, struct wk_place place)
{
    struct wk_held *h;
    HASH_FIND(hh, w->held, &place, sizeof(place), h);
    return h;
}

bool wk_window_holds(const struct wk_window *w, struct wk_place place)
{
    return find(w, place) != NULL;
}

bool wk_window_release(struct wk_window *w, struct wk_place place)
{
    struct wk_held *h = find(w, place);
    if (!h) return false;
    HASH_DEL(w->held, h);
    x_free(h);
    w->in_hand--;
    return true;
}
