/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Io */
#include "io/redis_owed.h"

static void grow(struct redis_owed *o)
{
    size_t cap = o->cap ? o->cap * 2 : 16;
    struct redis_owed_one *ring = x_calloc(cap, sizeof(*ring));
    for (size_t i = 0; i < o->n; i++)
        ring[i] = o->ring[(o->first + i) % o->cap];
    x_free(o->ring);
    o->ring = ring;
    o->cap = cap;
    o->first = 0;
}

void redis_owed_add(struct redis_owed *o, redis_reply_cb cb, void *arg, uint64_t now)
{
    if (o->n == o->cap) grow(o);
    o->ring[(o->first + o->n++) % o->cap] = (struct redis_owed_one){cb, arg, now};
}

void redis_owed_tell(struct redis_owed *o, const struct redis_reply *r)
{
    assert(o->n > 0);
    struct redis_owed_one one = o->ring[o->first];
    o->first = (o->first + 1) % o->cap;
    o->n--;
    if (one.cb) one.cb(r, one.arg);
}

uint64_t redis_owed_since(const struct redis_owed *o)
{
    assert(o->n > 0);
    return o->ring[o->first].since;
}

void redis_owed_fini(struct redis_owed *o)
{
    x_free(o->ring);
    *o = (struct redis_owed){0};
}
