/* Where items become jobs, and what moves them on.
 *
 *   wk_line.c     a socket's jobs in their order
 *   wk_job_run.c  attempts: a job and its handler
 *   wk_job.c      what a handler asks for
 *   wk_job_end.c  the effects leave, joins first; the item is away, or buried
 *
 * A job is moved on in the turn's end only (wk_job_advance): callbacks mark it ready. So a handler may
 * end its job inside handle(), and a feed may revoke inside anything, and no pointer goes bad
 * under them.
 *
 * Revoking a partition raises its epoch; jobs that came under another one are void, which the next
 * turn's end acts upon. Items that come back with a new lease have the new epoch and are told
 * apart. */

/* System */
#include <assert.h>
/* Third party */
#include <utlist.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* This process */
#include "wk_core_parts.h"

#define RUNS_A_TURN 256 /* jobs moved on before I/O has its turn again */
#define LEASE_LOOK_MS 50

/* ---- handlers */

const struct wk_handler *wk_core_handler_of(const struct wk_core *core,
                                            const struct work_item *item)
{
    for (size_t i = 0; i < core->nhandlers; i++)
        if (core->handlers[i].takes(core->handlers[i].ctx, item)) return &core->handlers[i];
    return NULL;
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
        wk_job_free(job);
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
    wk_line_add(core, wk_job_new(core, t, item, deaths));
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
    const struct wk_handler *handler = wk_core_handler_of(arg, item);
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
        wk_job_advance(job);
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
        wk_job_free(core->jobs);
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

const struct wk_feed_stats *wk_core_feed_stats(const struct wk_core *core)
{
    return &core->feed->stats;
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
