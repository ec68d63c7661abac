/* Design notes
 *
 * An item carries the socket's data as the gateway had it when the item was sent. A job before it
 * may have set other data meanwhile, which only the worker knows; so the line keeps what was set
 * last, also for a while after its last job: items that were sent before the gateway heard of it
 * are still on their way. Nobody else sets the data of a socket, whose items are all in one
 * partition. */

/* Util */
#include "util/x_alloc.h"
/* This process */
#include "wk_core_parts.h"
/* Third party */
#include <utlist.h>

#define REMEMBER_MS 5000

static struct wk_line *line_get(struct wk_core *core, const struct work_item *item)
{
    size_t n = item->sid.n + 1 + item->nsp.n;
    struct wk_line *l = x_calloc(1, sizeof(*l) + n), *found = NULL;
    l->key_len = n;
    memcpy(l->key, item->sid.p, item->sid.n);
    l->key[item->sid.n] = '\n';
    memcpy(l->key + item->sid.n + 1, item->nsp.p, item->nsp.n);
    HASH_FIND(hh, core->lines, l->key, n, found);
    if (found) {
        x_free(l);
        return found;
    }
    HASH_ADD_KEYPTR(hh, core->lines, l->key, n, l);
    core->stats.sockets++;
    return l;
}

static void forget_data(struct wk_line *l)
{
    x_free(l->data.p);
    l->data = (struct wk_name){NULL, 0};
}

static void line_free(struct wk_core *core, struct wk_line *l)
{
    HASH_DELETE(hh, core->lines, l);
    core->stats.sockets--;
    forget_data(l);
    x_free(l);
}

static void leave_idle(struct wk_core *core, struct wk_line *l)
{
    if (!l->until) return;
    DL_DELETE2(core->idle, l, idle_prev, idle_next);
    l->until = 0;
}

void wk_line_add(struct wk_core *core, struct wk_job *job)
{
    struct wk_line *l = line_get(core, job->item);
    leave_idle(core, l);
    l->partition = job->ticket.partition;
    if (l->data.p && l->epoch != job->epoch) forget_data(l); /* another worker may know better */
    job->line = l;
    bool is_first = !l->jobs;
    DL_APPEND2(l->jobs, job, line_prev, line_next);
    if (is_first) wk_job_make_ready(job);
}

void wk_line_remove(struct wk_job *job)
{
    struct wk_core *core = job->core;
    struct wk_line *l = job->line;
    bool was_first = l->jobs == job;
    DL_DELETE2(l->jobs, job, line_prev, line_next);
    job->line = NULL;
    if (l->jobs) {
        if (was_first) wk_job_make_ready(l->jobs);
    } else if (!l->data.p || job->item->type == WORK_DISCONNECT) {
        line_free(core, l);
    } else {
        l->until = loop_now(core->loop) + REMEMBER_MS;
        DL_APPEND2(core->idle, l, idle_prev, idle_next);
        if (!wheel_is_set(&core->idle_timer))
            wheel_set(loop_wheel(core->loop), &core->idle_timer, l->until);
    }
}

void wk_line_set_data(struct wk_job *job)
{
    struct wk_line *l = job->line;
    if (!job->new_data.p) return;
    forget_data(l);
    l->data = job->new_data;
    l->epoch = job->epoch;
    job->new_data.p = NULL;
}

void wk_line_show_data(struct wk_job *job)
{
    const struct wk_name *data = &job->line->data;
    if (!data->p) return;
    x_free(job->data);
    job->data = x_memdup(data->p, data->n);
    job->item->data = sv_make(job->data, data->n);
}

void wk_line_on_timer(struct wheel_entry *e)
{
    struct wk_core *core = (struct wk_core *)((char *)e - offsetof(struct wk_core, idle_timer));
    uint64_t now = loop_now(core->loop);
    while (core->idle && core->idle->until <= now) {
        struct wk_line *l = core->idle;
        leave_idle(core, l);
        line_free(core, l);
    }
    if (core->idle) wheel_set(loop_wheel(core->loop), e, core->idle->until);
}

void wk_line_free_all(struct wk_core *core)
{
    struct wk_line *l, *next;
    wheel_drop(loop_wheel(core->loop), &core->idle_timer);
    HASH_ITER(hh, core->lines, l, next)
    {
        leave_idle(core, l);
        line_free(core, l);
    }
}
