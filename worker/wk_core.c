/* Design notes
 *
 * A job is moved on in the turn's end only (`advance`): callbacks mark it ready. So a handler may
 * end its job inside handle(), and a feed may revoke inside anything, and no pointer goes bad
 * under them.
 *
 * Revoking a partition raises its epoch; jobs that came under another one are void, which the next
 * turn's end acts upon. Items that come back with a new lease have the new epoch and are told
 * apart.
 *
 * An emit to a room that stands in front of the join of that room, with one behind it, too, is
 * heard by the socket twice: the join goes first, the emits leave together. That is the price of
 * effects that happen once. */

/* System */
#include <assert.h>
/* Third party */
#include <utlist.h>
/* Util */
#include "util/id.h"
#include "util/log.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/node_cmd.h"
/* This process */
#include "wk_core_parts.h"

#define RUNS_A_TURN 256 /* jobs moved on before I/O has its turn again */
#define LEASE_LOOK_MS 50

/* ---- a job's end */

static void job_free(struct wk_job *job)
{
    struct wk_core *core = job->core;
    struct wk_job *found = NULL;
    if (job->line) wk_line_remove(job);
    if (job->is_ready) DL_DELETE2(core->ready, job, ready_prev, ready_next);
    HASH_FIND(hh, core->syncs, &job->token, sizeof(job->token), found);
    if (found == job) HASH_DELETE(hh, core->syncs, job);
    if (job->state == WK_JOB_RUNS) core->stats.running--;
    wheel_drop(loop_wheel(core->loop), &job->timer);
    DL_DELETE(core->jobs, job);
    core->stats.jobs--;
    wk_job_clear(job);
    wk_result_fini(&job->result);
    wk_result_fini(&job->early);
    x_free(job->data);
    x_free(job->item);
    x_free(job);
}

static void log_buried(const struct wk_job *job, struct str_view why)
{
    struct log_line l;
    log_begin(&l, LOG_WARN, "an item is given up: to the dead letters");
    log_kv(&l, "item", job->item->id);
    log_kv(&l, "nsp", job->item->nsp);
    log_kv_c(&l, "type", work_type_name(job->item->type));
    log_kv(&l, "event", job->item->event);
    log_kv(&l, "why", why);
    log_kv_u64(&l, "attempts", job->attempt);
    log_end(&l);
}

static void bury(struct wk_job *job, struct str_view why)
{
    struct wk_core *core = job->core;
    char *kept = x_memdup(why.p, why.n); /* may be the job's own, which clearing frees */
    wk_job_answer_error(job, "handler_failed", "the handler has failed");
    log_buried(job, sv_make(kept, why.n));
    core->feed->ops->bury(core->feed, &job->ticket, job->item, sv_make(kept, why.n), job->attempt,
                          &job->result);
    core->stats.buried++;
    x_free(kept);
    job_free(job);
}

static void finish(struct wk_job *job)
{
    struct wk_core *core = job->core;
    core->feed->ops->finish(core->feed, &job->ticket, &job->result);
    wk_line_set_data(job);
    core->stats.done++;
    job_free(job);
}

/* ---- joins before emits */

static void on_timer(struct wheel_entry *e)
{
    struct wk_job *job = (struct wk_job *)((char *)e - offsetof(struct wk_job, timer));
    if (job->state == WK_JOB_SYNCS) {
        job->core->stats.syncs_late++;
        wk_job_set_state(job, WK_JOB_HEARD);
    }
    wk_job_make_ready(job);
}

static void on_step(void *arg, enum wk_stepped how)
{
    struct wk_job *job = arg;
    struct wk_core *core = job->core;
    if (job->state == WK_JOB_STEPS && how == WK_STEP_TAKEN && !job->is_heard) {
        wk_job_set_state(job, WK_JOB_SYNCS);
        wheel_set(loop_wheel(core->loop), &job->timer, loop_now(core->loop) + WK_SYNC_MS);
        return;
    }
    if (job->state == WK_JOB_STEPS)
        wk_job_set_state(job, how == WK_STEP_REFUSED ? WK_JOB_VOID : WK_JOB_HEARD);
    wk_job_make_ready(job);
}

void wk_core_synced(struct wk_core *core, uint64_t token)
{
    struct wk_job *job = NULL;
    HASH_FIND(hh, core->syncs, &token, sizeof(token), job);
    if (!job) return;
    job->is_heard = true;
    if (job->state != WK_JOB_SYNCS) return; /* the feed's answer is still to come */
    wk_job_set_state(job, WK_JOB_HEARD);
    wk_job_make_ready(job);
}

void wk_core_direct(struct wk_core *core, struct str_view bytes)
{
    struct node_cmd c;
    struct node_cmd_space space;
    const char *why;
    while (node_cmd_next(&bytes, &c, &space, &why))
        if (c.type == NODE_SYNCED) wk_core_synced(core, c.token);
}

static bool begin_attempt(struct wk_job *job)
{
    struct node_cmd admit = {.type = NODE_ADMIT};
    return !wk_job_asks(job) ||
           (wk_job_own(job, &job->result, &admit) && wk_job_own(job, &job->early, &admit));
}

static bool add_last(struct wk_job *job, bool syncs)
{
    struct node_cmd end = {.type = NODE_DISCONNECT, .close = job->closes};
    struct node_cmd sync = {
        .type = NODE_SYNC, .from = job->core->bus->uid, .token = job->core->next_token};
    if (job->refusal.p && !wk_job_add_refusal(job)) return false;
    if (job->disconnects && !wk_job_own(job, &job->result, &end)) return false;
    return !syncs || wk_job_own(job, &job->early, &sync);
}

/* The handler is done: its effects leave, at once or in two parts. */
static void settle(struct wk_job *job)
{
    struct wk_core *core = job->core;
    bool syncs = !job->refusal.p && (job->needs_sync || (wk_job_asks(job) && job->emits));
    if (!add_last(job, syncs)) {
        bury(job, SV("too many effects, or too large"));
        return;
    }
    if (!syncs) {
        finish(job);
        return;
    }
    job->token = core->next_token++;
    HASH_ADD(hh, core->syncs, token, sizeof(job->token), job);
    core->stats.syncs++;
    wk_job_set_state(job, WK_JOB_STEPS);
    core->feed->ops->step(core->feed, &job->ticket, &job->early, on_step, job);
}

/* ---- attempts */

static void settle_failure(struct wk_job *job)
{
    struct wk_core *core = job->core;
    core->stats.failures++;
    if (job->how == WK_FATAL || job->attempt >= (unsigned)core->cfg->worker_attempts) {
        bury(job, sv_of(job->why));
        return;
    }
    uint32_t chance;
    id_random_bytes(&chance, sizeof(chance));
    backoff_failed(&job->backoff);
    log_debug("attempt %u of item %.*s failed: %s", job->attempt, SV_ARG(job->item->id), job->why);
    wk_job_clear(job);
    wk_job_set_state(job, WK_JOB_PAUSED);
    wheel_set(loop_wheel(core->loop), &job->timer,
              loop_now(core->loop) + backoff_pause(&job->backoff, chance));
}

static const struct wk_handler *handler_of(const struct wk_core *core, const struct work_item *item)
{
    for (size_t i = 0; i < core->nhandlers; i++)
        if (core->handlers[i].takes(core->handlers[i].ctx, item)) return &core->handlers[i];
    return NULL;
}

/* A connect or a disconnect that nobody wants to know of is no mistake. A connect that asks is not
 * let in by default. */
static void no_handler(struct wk_job *job)
{
    const struct work_item *item = job->item;
    if (item->type == WORK_EVENT || wk_job_asks(job)) {
        job->core->stats.unhandled++;
        wk_job_answer_error(job, "no_handler", "no handler takes this event");
    }
    finish(job);
}

static void run(struct wk_job *job)
{
    struct wk_core *core = job->core;
    if (!core->feed->ops->is_mine(core->feed, job->ticket.partition)) {
        /* Revoking follows, or the lease is renewed a little late. */
        core->waits_for_lease = true;
        return;
    }
    if (job->deaths > (unsigned)core->cfg->worker_attempts) {
        bury(job, SV("workers have died while they had it in hand"));
        return;
    }
    wk_line_show_data(job);
    job->handler = handler_of(core, job->item);
    if (!job->handler) {
        no_handler(job);
        return;
    }
    if (job->state == WK_JOB_PAUSED) {
        job->attempt++;
        core->stats.retries++;
    }
    if (!begin_attempt(job)) {
        bury(job, SV("too many effects, or too large"));
        return;
    }
    wk_job_set_state(job, WK_JOB_RUNS);
    job->handler->handle(job->handler->ctx, job);
}

static void advance(struct wk_job *job)
{
    switch (job->state) {
    case WK_JOB_WAITS:
    case WK_JOB_PAUSED: run(job); break;
    case WK_JOB_ENDED: job->has_failed ? settle_failure(job) : settle(job); break;
    case WK_JOB_HEARD: finish(job); break;
    case WK_JOB_VOID:
        if (job->line) job->core->stats.dropped++; /* a step that was refused */
        job_free(job);
        break;
    default: assert(!"nothing to do for this job");
    }
}

/* ---- what is void */

/* Who still has the job in his hands ends it later. */
static void drop(struct wk_job *job)
{
    bool is_held = job->state == WK_JOB_RUNS || job->state == WK_JOB_STEPS;
    bool runs = job->state == WK_JOB_RUNS;
    if (job->state == WK_JOB_VOID && !job->line) return;
    job->core->stats.dropped++;
    if (!is_held) {
        job_free(job);
        return;
    }
    wk_job_set_state(job, WK_JOB_VOID);
    wk_line_remove(job);
    if (runs && job->handler->abandon) job->handler->abandon(job->handler->ctx, job);
}

static void drop_where(struct wk_core *core, bool all)
{
    struct wk_job *job, *next;
    DL_FOREACH_SAFE(core->jobs, job, next)
    {
        if (all || job->epoch != core->epochs[job->ticket.partition]) drop(job);
    }
}

/* ---- the feed's events */

static void on_item(void *arg, const struct wk_ticket *t, const struct work_item *item,
                    unsigned deaths)
{
    struct wk_core *core = arg;
    assert(t->partition < WK_PARTITIONS_MAX);
    struct wk_job *job = x_calloc(1, sizeof(*job));
    job->core = core;
    job->state = WK_JOB_WAITS;
    job->ticket = *t;
    job->epoch = core->epochs[t->partition];
    job->deaths = deaths;
    job->attempt = deaths ? deaths : 1;
    job->item = work_item_new(item);
    job->timer.fire = on_timer;
    job->backoff = (struct backoff){.min = (uint64_t)core->cfg->worker_retry_min,
                                    .max = (uint64_t)core->cfg->worker_retry_max};
    wk_result_init(&job->result);
    wk_result_init(&job->early);
    DL_APPEND(core->jobs, job);
    core->stats.items++;
    core->stats.jobs++;
    wk_line_add(core, job);
}

static void on_revoked(void *arg, unsigned partition)
{
    struct wk_core *core = arg;
    assert(partition < WK_PARTITIONS_MAX);
    core->epochs[partition]++;
    core->has_revoked = true;
}

static void on_stopped(void *arg)
{
    ((struct wk_core *)arg)->is_over = true;
}

static bool on_can_kill(void *arg, const struct work_item *item)
{
    const struct wk_handler *handler = handler_of(arg, item);
    return handler && !handler->is_elsewhere;
}

const struct wk_feed_events wk_core_feed_events = {
    .item = on_item, .revoked = on_revoked, .stopped = on_stopped, .can_kill = on_can_kill};

/* ---- the turn's end */

static void on_lease_timer(struct wheel_entry *e)
{
    struct wk_core *core = (struct wk_core *)((char *)e - offsetof(struct wk_core, lease_timer));
    struct wk_line *l, *next;
    HASH_ITER(hh, core->lines, l, next)
    {
        if (l->jobs && l->jobs->state == WK_JOB_WAITS) wk_job_make_ready(l->jobs);
        if (l->jobs && l->jobs->state == WK_JOB_PAUSED && !wheel_is_set(&l->jobs->timer))
            wk_job_make_ready(l->jobs);
    }
}

static void end_stop(struct wk_core *core)
{
    wheel_drop(loop_wheel(core->loop), &core->stop_timer);
    drop_where(core, true);
    core->is_told = true;
    if (core->stopped) core->stopped(core->stopped_arg);
}

bool wk_core_flush(struct wk_core *core)
{
    struct wheel *wheel = loop_wheel(core->loop);
    if (core->has_revoked) drop_where(core, false);
    core->has_revoked = false;
    for (int n = 0; core->ready && n < RUNS_A_TURN; n++) {
        struct wk_job *job = core->ready;
        DL_DELETE2(core->ready, job, ready_prev, ready_next);
        job->is_ready = false;
        advance(job);
    }
    if (core->waits_for_lease && !wheel_is_set(&core->lease_timer))
        wheel_set(wheel, &core->lease_timer, loop_now(core->loop) + LEASE_LOOK_MS);
    core->waits_for_lease = false;
    bool more = core->feed && core->feed->ops->flush(core->feed);
    if (core->is_over && !core->is_told) end_stop(core);
    return more || core->ready || core->has_revoked;
}

/* ---- life */

static void on_stop_timer(struct wheel_entry *e)
{
    struct wk_core *core = (struct wk_core *)((char *)e - offsetof(struct wk_core, stop_timer));
    log_warn("handlers have not ended in time: %llu items go to other workers",
             (unsigned long long)core->stats.jobs);
    core->is_over = true;
}

struct wk_core *wk_core_new(const struct cfg *cfg, struct loop *loop, struct bus *bus,
                            struct questions *q, struct cfg_error *err)
{
    if (cfg->worker_retry_min > cfg->worker_retry_max) {
        snprintf(err->text, sizeof(err->text),
                 "worker.retry_max: %lld is not allowed: it must be at least worker.retry_min",
                 (long long)cfg->worker_retry_max);
        return NULL;
    }
    struct wk_core *core = x_calloc(1, sizeof(*core));
    core->cfg = cfg;
    core->loop = loop;
    core->bus = bus;
    core->questions = q;
    core->next_token = 1;
    core->idle_timer.fire = wk_line_on_timer;
    core->lease_timer.fire = on_lease_timer;
    core->stop_timer.fire = on_stop_timer;
    return core;
}

void wk_core_set_feed(struct wk_core *core, struct wk_feed *feed)
{
    core->feed = feed;
}

void wk_core_add_handler(struct wk_core *core, const struct wk_handler *handler)
{
    size_t size = (core->nhandlers + 1) * sizeof(*handler);
    assert(!core->jobs); /* they point into the array */
    core->handlers = x_realloc(core->handlers, size);
    core->handlers[core->nhandlers++] = *handler;
}

void wk_core_stop(struct wk_core *core, void (*stopped)(void *arg), void *arg)
{
    if (core->is_stopping) return;
    core->is_stopping = true;
    core->stopped = stopped;
    core->stopped_arg = arg;
    wheel_set(loop_wheel(core->loop), &core->stop_timer,
              loop_now(core->loop) + (uint64_t)core->cfg->worker_shutdown_timeout);
    if (core->feed)
        core->feed->ops->stop(core->feed);
    else
        core->is_over = true;
}

void wk_core_free(struct wk_core *core)
{
    if (!core) return;
    struct wheel *wheel = loop_wheel(core->loop);
    drop_where(core, true);
    for (size_t i = 0; i < core->nhandlers; i++)
        if (core->handlers[i].free) core->handlers[i].free(core->handlers[i].ctx);
    if (core->feed) core->feed->ops->free(core->feed);
    while (core->jobs)
        job_free(core->jobs);
    wk_line_free_all(core);
    wheel_drop(wheel, &core->lease_timer);
    wheel_drop(wheel, &core->stop_timer);
    x_free(core->handlers);
    x_free(core);
}

/* ---- what it has */

const struct wk_core_stats *wk_core_stats(const struct wk_core *core)
{
    return &core->stats;
}

const char *wk_core_trouble(const struct wk_core *core)
{
    return core->feed ? core->feed->ops->trouble(core->feed) : NULL;
}

const struct cfg *wk_core_cfg(const struct wk_core *core)
{
    return core->cfg;
}

struct loop *wk_core_loop(const struct wk_core *core)
{
    return core->loop;
}

struct bus *wk_core_bus(const struct wk_core *core)
{
    return core->bus;
}

struct questions *wk_core_questions(const struct wk_core *core)
{
    return core->questions;
}
