/* A job from when it is made to when its handler has it, as often as it takes. How it ends is in
 * wk_job_end.c. */

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

/* ---- life */

static void on_timer(struct wheel_entry *e)
{
    struct wk_job *job = (struct wk_job *)((char *)e - offsetof(struct wk_job, timer));
    if (job->state == WK_JOB_SYNCS) {
        job->core->stats.syncs_late++;
        wk_job_set_state(job, WK_JOB_HEARD);
    }
    wk_job_make_ready(job);
}

struct wk_job *wk_job_new(struct wk_core *core, const struct wk_ticket *t,
                          const struct work_item *item, unsigned deaths)
{
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
    return job;
}

void wk_job_free(struct wk_job *job)
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

/* ---- attempts */

static void settle_failure(struct wk_job *job)
{
    struct wk_core *core = job->core;
    core->stats.failures++;
    if (job->how == WK_FATAL || job->attempt >= (unsigned)core->cfg->worker_attempts) {
        wk_job_bury(job, sv_of(job->why));
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

/* A connect or a disconnect that nobody wants to know of is no mistake. A connect that asks is not
 * let in by default. */
static void no_handler(struct wk_job *job)
{
    const struct work_item *item = job->item;
    if (item->type == WORK_EVENT || wk_job_asks(job)) {
        job->core->stats.unhandled++;
        wk_job_answer_error(job, "no_handler", "no handler takes this event");
    }
    wk_job_finish(job);
}

static bool begin_attempt(struct wk_job *job)
{
    struct node_cmd admit = {.type = NODE_ADMIT};
    return !wk_job_asks(job) ||
           (wk_job_own(job, &job->result, &admit) && wk_job_own(job, &job->early, &admit));
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
        wk_job_bury(job, SV("workers have died while they had it in hand"));
        return;
    }
    wk_line_show_data(job);
    job->handler = wk_core_handler_of(core, job->item);
    if (!job->handler) {
        no_handler(job);
        return;
    }
    if (job->state == WK_JOB_PAUSED) {
        job->attempt++;
        core->stats.retries++;
    }
    if (!begin_attempt(job)) {
        wk_job_bury(job, SV("too many effects, or too large"));
        return;
    }
    wk_job_set_state(job, WK_JOB_RUNS);
    job->handler->handle(job->handler->ctx, job);
}

void wk_job_advance(struct wk_job *job)
{
    switch (job->state) {
    case WK_JOB_WAITS:
    case WK_JOB_PAUSED: run(job); break;
    case WK_JOB_ENDED: job->has_failed ? settle_failure(job) : wk_job_settle(job); break;
    case WK_JOB_HEARD: wk_job_finish(job); break;
    case WK_JOB_VOID:
        if (job->line) job->core->stats.dropped++; /* a step that was refused */
        wk_job_free(job);
        break;
    default: assert(!"nothing to do for this job");
    }
}
