/* An item stays in the queue, with a copy of its texts, until Redis has answered; the queue's order is
 * that of submitting, of sending, and of the answers. When the link breaks all of it waits again. */

/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/work_note.h"
/* Io */
#include "io/work_redis_parts.h"

#define ENTRY_COST 256  /* bytes that one more entry counts for beside its own */
#define REPLY_MAX 65536 /* of one answer */
#define NOTE_FIELD_MAX 4096
#define NOTE_SPARE 1024 /* beside work.max_item, any byte of which may be escaped */

/* ---- queues */

void work_queue_init(struct work_queue *q)
{
    q->first = NULL;
    q->last = &q->first;
}

void work_queue_add(struct work_queue *q, struct work_entry *e)
{
    e->next = NULL;
    *q->last = e;
    q->last = &e->next;
}

struct work_entry *work_queue_take(struct work_queue *q)
{
    struct work_entry *e = q->first;
    if (!e) return NULL;
    q->first = e->next;
    if (!q->first) q->last = &q->first;
    return e;
}

/* ---- the end of an entry */

void work_redis_settle(struct work_entry *e, enum work_outcome outcome)
{
    struct work_redis *w = e->work;
    w->out.stats.pending--;
    w->out.stats.pending_bytes -= e->size;
    if (!e->note) work_stats_count(&w->out.stats, outcome);
    if (e->done) e->done(outcome, e->arg);
    x_free(e->item);
    x_free(e->note);
    x_free(e->value);
    x_free(e->fresh_id);
    x_free(e);
}

static void owe(struct work_entry *e, enum work_outcome outcome)
{
    e->outcome = outcome;
    work_queue_add(&e->work->owed, e);
}

static void tell_owed(struct work_redis *w)
{
    struct work_queue list = w->owed;
    if (!list.first) return;
    work_queue_init(&w->owed);
    for (struct work_entry *e = list.first, *next; e; e = next) {
        next = e->next;
        work_redis_settle(e, e->outcome);
    }
}

/* ---- the start of an entry */

static struct work_entry *entry_new(struct work_redis *w, size_t size, work_done_cb done, void *arg)
{
    struct work_entry *e = x_malloc(sizeof(*e));
    *e = (struct work_entry){
        .work = w, .done = done, .arg = arg, .since = loop_now(w->loop), .size = ENTRY_COST + size};
    w->out.stats.pending++;
    w->out.stats.pending_bytes += e->size;
    return e;
}

static void enqueue(struct work_redis *w, struct work_entry *e)
{
    work_queue_add(&w->queue, e);
    if (!w->unsent) w->unsent = e;
}

/* Whoever was told a connect is owed the disconnect. */
static bool is_owed(const struct work_item *item)
{
    return item->type == WORK_DISCONNECT;
}

static bool is_full(const struct work_redis *w, const struct work_item *item, unsigned partition)
{
    const struct work_partition *p = &w->partitions[partition];
    if (!p->is_full || is_owed(item)) return false;
    bool is_told = item->type == WORK_CONNECT && !item->asks;
    return !is_told || p->backlog > 2 * (uint64_t)w->cfg->work_max_backlog;
}

/* Bytes that may wait; for what is owed twice as many, so that others cannot take its place. */
static bool has_room(const struct work_redis *w, const struct work_item *item, size_t size)
{
    uint64_t max = (uint64_t)w->cfg->bus_pending_max_bytes;
    return w->out.stats.pending_bytes + ENTRY_COST + size <= (is_owed(item) ? 2 * max : max);
}

/* WORK_TAKEN: nothing is against it now. */
static enum work_outcome judge(const struct work_redis *w, const struct work_item *item,
                               unsigned partition, size_t size)
{
    if (size > (size_t)w->cfg->work_max_item) return WORK_TOO_LARGE;
    if (w->mismatch[0] || !has_room(w, item, size)) return WORK_REFUSED;
    return is_full(w, item, partition) ? WORK_FULL : WORK_TAKEN;
}

static void submit(struct work_out *out, const struct work_item *item, work_done_cb done, void *arg)
{
    struct work_redis *w = (struct work_redis *)out;
    size_t size = work_item_size(item);
    unsigned partition = work_partition(item->sid, w->npartitions);
    enum work_outcome outcome = judge(w, item, partition, size);
    if (outcome != WORK_TAKEN) {
        owe(entry_new(w, 0, done, arg), outcome);
        return;
    }
    struct work_entry *e = entry_new(w, size, done, arg);
    e->item = work_item_new(item);
    e->partition = partition;
    enqueue(w, e);
}

static struct work_entry *note_entry_new(struct work_redis *w, size_t size)
{
    struct work_entry *e = entry_new(w, size, NULL, NULL);
    e->note = x_memdup(w->note.p, w->note.n);
    e->note_len = w->note.n;
    return e;
}

static void renew(struct work_out *out, const struct work_item *item)
{
    struct work_redis *w = (struct work_redis *)out;
    buf_clear(&w->note);
    buf_clear(&w->value);
    if (!work_note_field(&w->note, item->nsp, item->sid) || !work_note_value(&w->value, item))
        return;
    size_t size = w->note.n + w->value.n;
    if (!has_room(w, item, size)) return;
    struct work_entry *e = note_entry_new(w, size);
    e->value = x_memdup(w->value.p, w->value.n);
    e->value_len = w->value.n;
    enqueue(w, e);
}

static void forget(struct work_out *out, struct str_view nsp, struct str_view sid)
{
    struct work_redis *w = (struct work_redis *)out;
    buf_clear(&w->note);
    if (!work_note_field(&w->note, nsp, sid)) return; /* none was written either */
    enqueue(w, note_entry_new(w, w->note.n));
}

/* ---- the turn */

static bool may_be_late(const struct work_entry *e)
{
    return e->note || is_owed(e->item);
}

static uint64_t age_limit(const struct work_redis *w, const struct work_entry *e)
{
    return e->since + (uint64_t)w->cfg->bus_pending_max_age;
}

/* What waits is at least as young as what stands before it. */
static struct work_entry *oldest_limited(const struct work_redis *w)
{
    struct work_entry *e = w->unsent;
    while (e && may_be_late(e))
        e = e->next;
    return e;
}

/* Only while nothing can be sent, and when the link has told so: then all of the queue waits. */
static void drop_old(struct work_redis *w)
{
    struct work_entry *oldest = oldest_limited(w);
    if (!oldest || loop_now(w->loop) < age_limit(w, oldest) || w->unsent != w->queue.first) return;
    struct work_queue old = w->queue;
    work_queue_init(&w->queue);
    for (struct work_entry *e = old.first, *next; e; e = next) {
        next = e->next;
        if (may_be_late(e) || loop_now(w->loop) < age_limit(w, e))
            work_queue_add(&w->queue, e);
        else
            owe(e, e->was_sent ? WORK_UNCERTAIN : WORK_REFUSED);
    }
    w->unsent = w->queue.first;
}

void work_redis_refuse_all(struct work_redis *w)
{
    struct work_entry *e;
    w->unsent = NULL;
    while ((e = work_queue_take(&w->queue)))
        owe(e, e->was_sent ? WORK_UNCERTAIN : WORK_REFUSED);
}

/* Its number would be lower than that of what has gone since, which readers take for a repeat; and it is
 * none, for Redis has refused it. */
static void renumber(struct work_redis *w, struct work_entry *e)
{
    if (e->note) return;
    x_free(e->fresh_id);
    e->fresh_id = x_asprintf("%.*s-%llu", SV_ARG(w->uid), (unsigned long long)++w->out.number);
    e->item->id = sv_of(e->fresh_id);
    e->was_sent = false;
}

static void try_again(struct work_redis *w)
{
    struct work_entry *e;
    if (!w->again.first || loop_now(w->loop) < w->again_at) return;
    while ((e = work_queue_take(&w->again))) {
        renumber(w, e);
        enqueue(w, e);
    }
}

static void arm(struct work_redis *w)
{
    uint64_t at = work_redis_may_send(w) ? w->probe_at : WHEEL_NEVER;
    const struct work_entry *oldest = oldest_limited(w);
    if (oldest && age_limit(w, oldest) < at) at = age_limit(w, oldest);
    if (w->again.first && w->again_at < at) at = w->again_at;
    if (at == WHEEL_NEVER)
        wheel_drop(loop_wheel(w->loop), &w->timer);
    else if (!wheel_is_set(&w->timer) || w->timer.deadline != at)
        wheel_set(loop_wheel(w->loop), &w->timer, at);
}

/* The flush of the same turn does what is due. */
static void on_timer(struct wheel_entry *e)
{
    (void)e;
}

static bool flush(struct work_out *out)
{
    struct work_redis *w = (struct work_redis *)out;
    try_again(w);
    work_redis_send(w);
    if (!work_redis_may_send(w)) drop_old(w);
    tell_owed(w);
    arm(w);
    return w->owed.first || (w->unsent && work_redis_may_send(w));
}

static const char *trouble(struct work_out *out)
{
    const struct work_redis *w = (const struct work_redis *)out;
    if (w->mismatch[0]) return "the cluster has another number of partitions";
    return work_redis_may_send(w) ? NULL : "not connected to Redis";
}

const char *work_redis_mismatch(const struct work_out *out)
{
    const struct work_redis *w = (const struct work_redis *)out;
    return w->mismatch[0] ? w->mismatch : NULL;
}

/* ---- life */

static void settle_all(struct work_queue *q)
{
    struct work_entry *e;
    while ((e = work_queue_take(q)))
        work_redis_settle(e, e->was_sent ? WORK_UNCERTAIN : WORK_REFUSED);
}

static void free_out(struct work_out *out)
{
    struct work_redis *w = (struct work_redis *)out;
    redis_link_free(w->link); /* its callbacks leave the entries in the queue */
    w->link = NULL;
    w->unsent = NULL;
    tell_owed(w);
    settle_all(&w->queue);
    settle_all(&w->again);
    settle_all(&w->owed);
    wheel_drop(loop_wheel(w->loop), &w->timer);
    buf_fini(&w->name);
    buf_fini(&w->note);
    buf_fini(&w->value);
    buf_fini(&w->scratch);
    x_free(w->partitions);
    x_free(w);
}

struct work_out *work_redis_new(const struct cfg *cfg, struct loop *loop, struct str_view uid,
                                struct cfg_error *err)
{
    static const struct work_out_ops ops = {.submit = submit,
                                            .renew = renew,
                                            .forget = forget,
                                            .flush = flush,
                                            .trouble = trouble,
                                            .free = free_out};
    static const struct redis_link_events events = {.up = work_redis_on_up,
                                                    .down = work_redis_on_down};
    struct work_redis *w = x_calloc(1, sizeof(*w));
    w->out.ops = &ops;
    w->cfg = cfg;
    w->loop = loop;
    w->key = sv_of(cfg->bus_key);
    w->uid = uid;
    w->timer.fire = on_timer;
    w->npartitions = (unsigned)cfg->work_partitions;
    w->partitions = x_calloc(w->npartitions, sizeof(*w->partitions));
    for (unsigned i = 0; i < w->npartitions; i++)
        w->partitions[i].work = w;
    w->probe_at = WHEEL_NEVER;
    work_queue_init(&w->queue);
    work_queue_init(&w->owed);
    work_queue_init(&w->again);
    buf_init(&w->name, 2 * BUS_NAME_MAX);
    buf_init(&w->note, NOTE_FIELD_MAX);
    buf_init(&w->value, 6 * (size_t)cfg->work_max_item + NOTE_SPARE);
    buf_init(&w->scratch, WORK_SCRATCH_MAX);
    w->link = redis_link_new(cfg, loop, "work", REPLY_MAX, &events, w, err);
    if (!w->link) {
        free_out(&w->out);
        return NULL;
    }
    redis_link_open(w->link);
    return &w->out;
}
