/* A queue that is emptied at the end of the turn. What is published while it is emptied (a
 * handler's answer to a delivery) waits for the next turn, so one turn's work stays bounded. */

/* System */
#include <stddef.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus.h"

struct item {
    struct bus_msg *msg;
    bus_done_cb done;
    void *arg;
};

struct local {
    struct bus bus;
    struct item *items;
    size_t n, cap;
};

static void publish(struct bus *b, struct bus_msg *m, bus_done_cb done, void *arg)
{
    struct local *l = (struct local *)b;
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->items = x_realloc(l->items, l->cap * sizeof(*l->items));
    }
    l->items[l->n++] = (struct item){m, done, arg};
}

static bool flush(struct bus *b)
{
    struct local *l = (struct local *)b;
    struct item *items = l->items;
    size_t n = l->n, cap = l->cap;
    l->items = NULL;
    l->n = l->cap = 0;
    for (size_t i = 0; i < n; i++) {
        b->deliver(items[i].msg, b->deliver_arg);
        if (items[i].done) items[i].done(true, items[i].arg);
        bus_msg_rele(items[i].msg);
    }
    bool more = l->n > 0;
    if (!more && cap <= 1024) { /* keep the array for the next turn */
        x_free(l->items);
        l->items = items;
        l->cap = cap;
    } else {
        x_free(items);
    }
    return more;
}

static void free_local(struct bus *b)
{
    struct local *l = (struct local *)b;
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].done) l->items[i].done(false, l->items[i].arg);
        bus_msg_rele(l->items[i].msg);
    }
    x_free(l->items);
    x_free(l);
}

struct bus *bus_local_new(bus_deliver_cb deliver, void *arg)
{
    static const struct bus_ops ops = {publish, flush, free_local};
    struct local *l = x_calloc(1, sizeof(*l));
    l->bus = (struct bus){&ops, deliver, arg};
    return &l->bus;
}
