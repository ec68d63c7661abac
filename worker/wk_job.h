/* A job: one item in the hands of a handler. Handlers (C modules, HTTP) get jobs from the core,
 * which gives out those of one socket one after the other, those of different sockets at will, and
 * ends each exactly once by wk_job_done() or wk_job_fail().
 *
 * Effects are kept with the job and leave when it is done (wk_feed.h); none leaves if it fails. A
 * handler that asks for a join and then for an emit gets just that: the core waits in between
 * until the gateway hears the room. */
#ifndef PEAL_WK_JOB_H
#define PEAL_WK_JOB_H

#include "cluster/bus.h"
#include "cluster/work_item.h"

struct wk_core;
struct wk_job;

struct wk_handler {
    void *ctx;
    /* Does it take items like this one? Asked in the handlers' order; the first that does gets it. */
    bool (*takes)(void *ctx, const struct work_item *item);
    /* Handle it, now or later. The job is the handler's until it has ended it, or `abandon`. */
    void (*handle)(void *ctx, struct wk_job *job);
    /* The lease is gone, or the worker stops in a hurry: the job's result does not count any more;
     * end it soon (wk_job_done is fine). For jobs that handle() has returned from. */
    void (*abandon)(void *ctx, struct wk_job *job);
    void (*free)(void *ctx);
    /* What runs for its items is no part of this process (HTTP), so that it cannot end it. */
    bool is_elsewhere;
};

/* The item; lends, for the job's life. attempt counts from 1. */
const struct work_item *wk_job_item(const struct wk_job *job);
unsigned wk_job_attempt(const struct wk_job *job);
struct wk_core *wk_job_core(const struct wk_job *job);
/* The handler's own. */
void wk_job_set_ctx(struct wk_job *job, void *ctx);
void *wk_job_ctx(const struct wk_job *job);

/* Effects. Each copies. False: too many or too large for one item, or a name that is not allowed;
 * the job should fail. nsp: the namespace the target is in. */
bool wk_job_emit(struct wk_job *job, struct str_view nsp, const struct bus_target *to,
                 struct str_view json, const struct str_view *attachments, unsigned n) MUST_CHECK;
/* Answers the client's event; nothing if it asked for no ack, or has one already. json: array. */
bool wk_job_ack(struct wk_job *job, struct str_view json, const struct str_view *attachments,
                unsigned n) MUST_CHECK;
/* The ack will be sent by other means. False: none is wanted, or it is given already. */
bool wk_job_claim_ack(struct wk_job *job) MUST_CHECK;
/* The item's own socket enters or leaves a room … */
bool wk_job_join(struct wk_job *job, struct str_view room) MUST_CHECK;
bool wk_job_leave(struct wk_job *job, struct str_view room) MUST_CHECK;
/* … or is disconnected, when all else has been done. */
bool wk_job_disconnect(struct wk_job *job, bool close) MUST_CHECK;
/* json: any value; what later items of this socket and fetchSockets show as `data`. */
bool wk_job_data(struct wk_job *job, struct str_view json) MUST_CHECK;
/* Sockets of the whole cluster. */
bool wk_job_remote_join(struct wk_job *job, struct str_view nsp, const struct bus_target *which,
                        const struct str_view *rooms, unsigned n) MUST_CHECK;
bool wk_job_remote_leave(struct wk_job *job, struct str_view nsp, const struct bus_target *which,
                         const struct str_view *rooms, unsigned n) MUST_CHECK;
bool wk_job_remote_disconnect(struct wk_job *job, struct str_view nsp,
                              const struct bus_target *which, bool close) MUST_CHECK;
/* For items that ask (connect): refuses instead of admitting; json: {"message":…,"data":…}. */
bool wk_job_refuse(struct wk_job *job, struct str_view json) MUST_CHECK;

/* What the above prove first, for who sends without a job: names, JSON, the event's own rules. */
bool wk_job_may_emit(const struct wk_core *core, struct str_view nsp, const struct bus_target *to,
                     struct str_view json, unsigned attachments);
bool wk_job_may_ack(const struct wk_core *core, struct str_view json, unsigned attachments);
bool wk_job_may_ask(struct str_view nsp, const struct bus_target *which);

/* The end. done: the effects leave, the item is away. */
void wk_job_done(struct wk_job *job);
enum wk_failure {
    WK_RETRY, /* worth another attempt, after a pause, up to worker.attempts */
    WK_FATAL, /* not worth one: to the dead letters */
};
/* why: for the log and the dead letter; the client's ack gets a code and no details. */
void wk_job_fail(struct wk_job *job, enum wk_failure how, struct str_view why);

#endif
