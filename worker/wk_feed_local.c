/* System */
#include <assert.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Worker */
#include "wk_feed_local.h"

struct local_step {
    struct local_step *next;
    wk_step_cb cb;
    void *arg;
};

struct local {
    struct wk_feed feed;
    const struct cfg *cfg;
    struct work_out *out;
    struct bus *bus;
    uint64_t given;                        /* the last ticket's number */
    struct local_step *steps, **last_step; /* to be told in flush */
    bool is_stopping, is_stopped;
};

static bool on_take(const struct work_item *item, void *arg)
{
    struct local *l = arg;
    struct wk_feed_stats *s = &l->feed.stats;
    if (l->is_stopping || s->in_hand >= (uint64_t)l->cfg->work_max_backlog) return false;
    struct wk_ticket t = {0, 0, ++l->given};
    s->items++;
    s->in_hand++;
    l->feed.events->item(l->feed.arg, &t, item, 0);
    return true;
}

static bool is_mine(struct wk_feed *f, unsigned partition)
{
    (void)f;
    return partition == 0;
}

/* Takes the effects out of r. */
static void perform(struct local *l, struct wk_result *r)
{
    struct bus *bus = l->bus;
    for (size_t i = 0; i < r->n; i++) {
        struct wk_effect *e = &r->v[i];
        switch (e->type) {
        case WK_PUBLISH: bus->ops->publish(bus, bus_msg_hold(e->msg), NULL, NULL); break;
        case WK_REQUEST: bus->ops->request(bus, e->request, NULL, NULL); break;
        case WK_DIRECT:
            bus->ops->direct(bus, sv_make(e->direct.node, e->direct.node_len),
                             buf_view(&e->direct.bytes), NULL, NULL);
            break;
        }
    }
    wk_result_fini(r);
}

static void step(struct wk_feed *f, const struct wk_ticket *t, struct wk_result *r, wk_step_cb cb,
                 void *arg)
{
    struct local *l = (struct local *)f;
    struct local_step *s = x_calloc(1, sizeof(*s));
    (void)t;
    perform(l, r);
    s->cb = cb;
    s->arg = arg;
    *l->last_step = s;
    l->last_step = &s->next;
}

static void finish(struct wk_feed *f, const struct wk_ticket *t, struct wk_result *r)
{
    struct local *l = (struct local *)f;
    (void)t;
    assert(f->stats.in_hand);
    perform(l, r);
    f->stats.finished++;
    f->stats.in_hand--;
}

static void bury(struct wk_feed *f, const struct wk_ticket *t, const struct work_item *item,
                 struct str_view why, unsigned attempts, struct wk_result *r)
{
    struct local *l = (struct local *)f;
    struct log_line line;
    (void)t;
    assert(f->stats.in_hand);
    log_begin(&line, LOG_ERROR, "an item is lost: without Redis there are no dead letters");
    log_kv(&line, "item", item->id);
    log_kv(&line, "event", item->event);
    log_kv(&line, "why", why);
    log_kv_u64(&line, "attempts", attempts);
    log_end(&line);
    perform(l, r);
    f->stats.buried++;
    f->stats.in_hand--;
}

static void stop(struct wk_feed *f)
{
    struct local *l = (struct local *)f;
    l->is_stopping = true;
    work_local_attach(l->out, NULL, NULL);
}

static const char *trouble(struct wk_feed *f)
{
    return ((struct local *)f)->is_stopping ? "stopping" : NULL;
}

static void tell_steps(struct local *l, bool tells)
{
    struct local_step *s = l->steps, *next;
    l->steps = NULL;
    l->last_step = &l->steps;
    for (; s; s = next) {
        next = s->next;
        if (tells) s->cb(s->arg, WK_STEP_TAKEN); /* this process is the gateway */
        x_free(s);
    }
}

static bool flush(struct wk_feed *f)
{
    struct local *l = (struct local *)f;
    tell_steps(l, true);
    f->stats.backlog = f->stats.in_hand;
    if (l->is_stopping && !l->is_stopped && !f->stats.in_hand) {
        l->is_stopped = true;
        f->events->stopped(f->arg);
    }
    return l->steps != NULL;
}

static void free_feed(struct wk_feed *f)
{
    struct local *l = (struct local *)f;
    work_local_attach(l->out, NULL, NULL);
    tell_steps(l, false);
    x_free(l);
}

struct wk_feed *wk_feed_local_new(const struct cfg *cfg, struct work_out *out, struct bus *bus,
                                  const struct wk_feed_events *events, void *arg)
{
    static const struct wk_feed_ops ops = {.is_mine = is_mine,
                                           .step = step,
                                           .finish = finish,
                                           .bury = bury,
                                           .stop = stop,
                                           .trouble = trouble,
                                           .flush = flush,
                                           .free = free_feed};
    struct local *l = x_calloc(1, sizeof(*l));
    l->feed = (struct wk_feed){.ops = &ops, .events = events, .arg = arg};
    l->feed.stats.partitions = 1;
    l->cfg = cfg;
    l->out = out;
    l->bus = bus;
    l->last_step = &l->steps;
    work_local_attach(out, on_take, l);
    return &l->feed;
}
