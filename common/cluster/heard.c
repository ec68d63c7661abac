/* System */
#include <assert.h>
#include <stddef.h>
/* Util */
#include "util/table.h"
#include "util/x_alloc.h"
/* Third party */
#include <utlist.h>
/* Cluster */
#include "cluster/heard.h"

struct heard_nsp {
    UT_hash_handle hh;
    struct heard_nsp *prev, *next; /* of idle */
    unsigned refs;
    uint64_t until; /* idle */
    size_t n;
    char name[];
};

static void forget(struct heard *h, struct heard_nsp *n)
{
    assert(!n->refs);
    h->bus->ops->exit(h->bus, sv_make(n->name, n->n));
    HASH_DEL(h->all, n);
    x_free(n);
}

static struct heard_nsp *take_first(struct heard *h)
{
    struct heard_nsp *n = h->idle;
    DL_DELETE(h->idle, n);
    h->nidle--;
    return n;
}

static void on_timer(struct wheel_entry *e)
{
    struct heard *h = (struct heard *)((char *)e - offsetof(struct heard, timer));
    uint64_t now = h->now(h->arg);
    while (h->idle && h->idle->until <= now)
        forget(h, take_first(h));
    if (h->idle) wheel_set(h->wheel, e, h->idle->until);
}

void heard_init(struct heard *h, struct bus *bus, struct wheel *wheel, uint64_t (*now)(void *arg),
                void *arg)
{
    *h = (struct heard){.bus = bus, .wheel = wheel, .now = now, .arg = arg};
    h->timer.fire = on_timer;
}

struct heard_nsp *heard_hold(struct heard *h, struct str_view nsp)
{
    struct heard_nsp *n = NULL;
    HASH_FIND(hh, h->all, nsp.p, nsp.n, n);
    if (!n) {
        n = x_calloc(1, sizeof(*n) + nsp.n);
        n->n = nsp.n;
        memcpy(n->name, nsp.p, nsp.n);
        HASH_ADD_KEYPTR(hh, h->all, n->name, n->n, n);
        h->bus->ops->enter(h->bus, nsp);
    } else if (!n->refs) {
        DL_DELETE(h->idle, n);
        h->nidle--;
    }
    n->refs++;
    return n;
}

void heard_rele(struct heard *h, struct heard_nsp *n)
{
    assert(n->refs);
    if (--n->refs) return;
    if (h->is_stopped) {
        forget(h, n);
        return;
    }
    n->until = h->now(h->arg) + HEARD_MS;
    DL_APPEND(h->idle, n);
    if (++h->nidle > HEARD_MAX) forget(h, take_first(h));
    if (!wheel_is_set(&h->timer)) wheel_set(h->wheel, &h->timer, h->idle->until);
}

void heard_stop(struct heard *h)
{
    h->is_stopped = true;
    wheel_drop(h->wheel, &h->timer);
    while (h->idle)
        forget(h, take_first(h));
}
