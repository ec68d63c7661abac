/* A queue that is emptied at the end of the turn, as in bus_local.
 *
 * A disconnect that the taker has no room for waits, since whoever was told the connect is owed it;
 * nothing of its socket comes behind it. All else that there is no room for is refused. */

/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/work_out.h"

struct entry {
    struct entry *next;
    struct work_item *item; /* NULL: only to be told */
    enum work_outcome outcome;
    work_done_cb done;
    void *arg;
    size_t size;
};

struct local {
    struct work_out out;
    size_t max_item;
    work_take_cb take; /* NULL: nobody has attached */
    void *take_arg;
    struct entry *first, **last;
    bool has_new; /* submitted since flush began */
};

void work_stats_count(struct work_stats *s, enum work_outcome outcome)
{
    switch (outcome) {
    case WORK_TAKEN: s->taken++; break;
    case WORK_FULL: s->full++; break;
    case WORK_REFUSED: s->refused++; break;
    case WORK_TOO_LARGE: s->too_large++; break;
    case WORK_UNCERTAIN: s->uncertain++; break;
    }
}

static void settle(struct local *l, struct entry *e, enum work_outcome outcome)
{
    struct work_stats *s = &l->out.stats;
    s->pending--;
    s->pending_bytes -= e->size;
    work_stats_count(s, outcome);
    if (e->done) e->done(outcome, e->arg);
    x_free(e->item);
    x_free(e);
}

static void append(struct local *l, struct entry *e)
{
    e->next = NULL;
    *l->last = e;
    l->last = &e->next;
}

static void submit(struct work_out *w, const struct work_item *item, work_done_cb done, void *arg)
{
    struct local *l = (struct local *)w;
    struct entry *e = x_malloc(sizeof(*e));
    *e = (struct entry){.done = done, .arg = arg, .size = work_item_size(item)};
    if (e->size > l->max_item)
        e->outcome = WORK_TOO_LARGE;
    else if (!l->take)
        e->outcome = WORK_REFUSED;
    else
        e->item = work_item_new(item);
    w->stats.pending++;
    w->stats.pending_bytes += e->size;
    append(l, e);
    l->has_new = true;
}

static void renew(struct work_out *w, const struct work_item *item)
{
    (void)w;
    (void)item;
}

static void forget(struct work_out *w, struct str_view nsp, struct str_view sid)
{
    (void)w;
    (void)nsp;
    (void)sid;
}

static void perform(struct local *l, struct entry *e)
{
    if (!e->item)
        settle(l, e, e->outcome);
    else if (!l->take)
        settle(l, e, WORK_REFUSED);
    else if (l->take(e->item, l->take_arg))
        settle(l, e, WORK_TAKEN);
    else if (e->item->type == WORK_DISCONNECT)
        append(l, e);
    else
        settle(l, e, WORK_FULL);
}

/* What waits for room is tried again in every turn: room comes from something that makes one. */
static bool flush(struct work_out *w)
{
    struct local *l = (struct local *)w;
    struct entry *list = l->first, *next;
    l->first = NULL;
    l->last = &l->first;
    l->has_new = false;
    for (struct entry *e = list; e; e = next) {
        next = e->next;
        perform(l, e);
    }
    return l->has_new;
}

static const char *trouble(struct work_out *w)
{
    return ((struct local *)w)->take ? NULL : "no worker";
}

static void free_local(struct work_out *w)
{
    struct local *l = (struct local *)w;
    while (l->first) {
        struct entry *e = l->first;
        l->first = e->next;
        settle(l, e, WORK_REFUSED);
    }
    x_free(l);
}

struct work_out *work_local_new(size_t max_item)
{
    static const struct work_out_ops ops = {.submit = submit,
                                            .renew = renew,
                                            .forget = forget,
                                            .flush = flush,
                                            .trouble = trouble,
                                            .free = free_local};
    struct local *l = x_calloc(1, sizeof(*l));
    l->out.ops = &ops;
    l->max_item = max_item;
    l->last = &l->first;
    return &l->out;
}

void work_local_attach(struct work_out *w, work_take_cb take, void *arg)
{
    struct local *l = (struct local *)w;
    l->take = take;
    l->take_arg = arg;
}
