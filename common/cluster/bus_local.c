/* A queue that is emptied at the end of the turn. What is published while it is emptied (a
 * handler's answer to a delivery) waits for the next turn, so one turn's work stays bounded.
 *
 * There is one node, so whatever it has entered it hears, requests come back to it only, and
 * nobody waits for its answers. */

/* System */
#include <stddef.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus.h"

/* Something to tell at the turn's end: a broadcast, a request, a direct message, a count, or only
 * `done`. */
struct direct {
    size_t n;
    char bytes[];
};

struct item {
    struct bus_msg *msg;         /* or NULL */
    struct bus_request *request; /* or NULL; one allocation with all it points to */
    struct direct *direct;       /* or NULL */
    bus_done_cb done;            /* or NULL */
    bus_count_cb count;          /* or NULL */
    void *arg;
    enum bus_outcome outcome; /* what done is told */
};

struct local {
    struct bus bus;
    struct bus_node self;
    struct item *items;
    size_t n, cap;
};

static void add(struct bus *b, struct item item)
{
    struct local *l = (struct local *)b;
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->items = x_realloc(l->items, l->cap * sizeof(*l->items));
    }
    l->items[l->n++] = item;
}

static void publish(struct bus *b, struct bus_msg *m, bus_done_cb done, void *arg)
{
    add(b, (struct item){.msg = m, .done = done, .arg = arg});
}

static void request(struct bus *b, const struct bus_request *r, bus_done_cb done, void *arg)
{
    add(b, (struct item){.request = bus_request_new(r), .done = done, .arg = arg});
}

static bool is_for_itself(const struct bus *b, struct str_view node)
{
    return b->events->direct && sv_eq(node, b->uid);
}

static void direct(struct bus *b, struct str_view node, struct str_view bytes, bus_done_cb done,
                   void *arg)
{
    struct item i = {.done = done, .arg = arg, .outcome = BUS_NOBODY};
    if (is_for_itself(b, node)) {
        i.direct = x_malloc(sizeof(*i.direct) + bytes.n);
        i.direct->n = bytes.n;
        if (bytes.n) memcpy(i.direct->bytes, bytes.p, bytes.n);
        i.outcome = BUS_TAKEN;
    }
    add(b, i);
}

static void sync(struct bus *b, bus_done_cb done, void *arg)
{
    add(b, (struct item){.done = done, .arg = arg});
}

static void count(struct bus *b, struct str_view nsp, bus_count_cb cb, void *arg)
{
    (void)nsp;
    add(b, (struct item){.count = cb, .arg = arg});
}

static void release(struct item *i)
{
    bus_msg_rele(i->msg);
    x_free(i->request);
    x_free(i->direct);
}

static void hear(struct bus *b, const struct direct *d)
{
    b->stats.published++;
    b->stats.directs++;
    b->events->direct(sv_make(d->bytes, d->n), b->arg);
}

static void perform(struct bus *b, struct item *i)
{
    bool has_clients = b->events->deliver != NULL;
    if (i->msg) {
        b->stats.published++;
        if (has_clients) b->events->deliver(i->msg, b->arg);
    }
    if (i->request && has_clients) b->events->request(i->request, b->arg);
    if (i->direct) hear(b, i->direct);
    if (i->outcome == BUS_NOBODY) b->stats.nobody++;
    if (i->done) i->done(i->outcome, i->arg);
    if (i->count) i->count(has_clients, NULL, 0, i->arg);
    release(i);
}

static bool flush(struct bus *b)
{
    struct local *l = (struct local *)b;
    struct item *items = l->items;
    size_t n = l->n, cap = l->cap;
    l->items = NULL;
    l->n = l->cap = 0;
    for (size_t i = 0; i < n; i++)
        perform(b, &items[i]);
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

static void name_nothing(struct bus *b, struct str_view nsp)
{
    (void)b;
    (void)nsp;
}

static void room_nothing(struct bus *b, struct str_view nsp, struct str_view room)
{
    (void)b;
    (void)nsp;
    (void)room;
}

static void respond(struct bus *b, const struct bus_response *r)
{
    (void)b;
    (void)r;
}

static bool is_synced(struct bus *b)
{
    (void)b;
    return true;
}

static const char *trouble(struct bus *b)
{
    (void)b;
    return NULL;
}

static const struct bus_node *nodes(struct bus *b, size_t *n)
{
    *n = b->events->deliver != NULL;
    return &((struct local *)b)->self;
}

static void free_local(struct bus *b)
{
    struct local *l = (struct local *)b;
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].done) l->items[i].done(BUS_REFUSED, l->items[i].arg);
        if (l->items[i].count) l->items[i].count(-1, NULL, 0, l->items[i].arg);
        release(&l->items[i]);
    }
    x_free(l->items);
    x_free(l);
}

struct bus *bus_local_new(const struct bus_events *events, void *arg, struct str_view uid)
{
    static const struct bus_ops ops = {.publish = publish,
                                       .enter = name_nothing,
                                       .exit = name_nothing,
                                       .join = room_nothing,
                                       .leave = room_nothing,
                                       .is_synced = is_synced,
                                       .sync = sync,
                                       .request = request,
                                       .respond = respond,
                                       .count = count,
                                       .direct = direct,
                                       .flush = flush,
                                       .trouble = trouble,
                                       .nodes = nodes,
                                       .free = free_local};
    struct local *l = x_calloc(1, sizeof(*l));
    l->bus = (struct bus){.ops = &ops, .events = events, .arg = arg, .uid = uid};
    l->self.id = uid;
    return &l->bus;
}
