/* Design notes
 *
 * An emit to a room that stands in front of the join of that room, with one behind it, too, is
 * heard by the socket twice: the join goes first, the emits leave together. That is the price of
 * effects that happen once. */

/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/node_cmd.h"
/* This process */
#include "wk_core_parts.h"

/* ---- the end */

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

void wk_job_bury(struct wk_job *job, struct str_view why)
{
    struct wk_core *core = job->core;
    char *kept = x_memdup(why.p, why.n); /* may be the job's own, which clearing frees */
    wk_job_answer_error(job, "handler_failed", "the handler has failed");
    log_buried(job, sv_make(kept, why.n));
    core->feed->ops->bury(core->feed, &job->ticket, job->item, sv_make(kept, why.n), job->attempt,
                          &job->result);
    core->stats.buried++;
    x_free(kept);
    wk_job_free(job);
}

void wk_job_finish(struct wk_job *job)
{
    struct wk_core *core = job->core;
    core->feed->ops->finish(core->feed, &job->ticket, &job->result);
    wk_line_set_data(job);
    core->stats.done++;
    wk_job_free(job);
}

/* ---- joins before emits */

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

static bool add_last(struct wk_job *job, bool syncs)
{
    struct node_cmd end = {.type = NODE_DISCONNECT, .close = job->closes};
    struct node_cmd sync = {
        .type = NODE_SYNC, .from = job->core->bus->uid, .token = job->core->next_token};
    if (job->refusal.p && !wk_job_add_refusal(job)) return false;
    if (job->disconnects && !wk_job_own(job, &job->result, &end)) return false;
    return !syncs || wk_job_own(job, &job->early, &sync);
}

void wk_job_settle(struct wk_job *job)
{
    struct wk_core *core = job->core;
    bool syncs = !job->refusal.p && (job->needs_sync || (wk_job_asks(job) && job->emits));
    if (!add_last(job, syncs)) {
        wk_job_bury(job, SV("too many effects, or too large"));
        return;
    }
    if (!syncs) {
        wk_job_finish(job);
        return;
    }
    job->token = core->next_token++;
    HASH_ADD(hh, core->syncs, token, sizeof(job->token), job);
    core->stats.syncs++;
    wk_job_set_state(job, WK_JOB_STEPS);
    core->feed->ops->step(core->feed, &job->ticket, &job->early, on_step, job);
}
