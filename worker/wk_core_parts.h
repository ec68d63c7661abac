/* What wk_core.c, wk_line.c and wk_job*.c share; nobody else includes it. */
#ifndef PEAL_WK_CORE_PARTS_H
#define PEAL_WK_CORE_PARTS_H

#include "util/backoff.h"
#include "util/table.h"
#include "util/wheel.h"
#include "wk_core.h"

#define WK_PARTITIONS_MAX 256

/*   WAITS ─ its turn ─▶ RUNS ─ done, fail ─▶ ENDED ─┬─ nothing to hear ─▶ (finish or bury, freed)
 *     ▲                  │ ▲                        ├─ joins before emits ─▶ STEPS ─▶ SYNCS ─▶ HEARD ─▶ (finish)
 *     │                  │ └──────── PAUSED ◀───────┘ failed, attempts left
 *   item                └─ revoked ─▶ VOID ─ the handler ends ─▶ (freed)
 * */
enum wk_job_state {
    WK_JOB_WAITS,  /* for those of its socket before it */
    WK_JOB_RUNS,   /* in the hands of its handler */
    WK_JOB_ENDED,  /* the handler has ended it; the turn's end settles that */
    WK_JOB_PAUSED, /* between two attempts */
    WK_JOB_STEPS,  /* its joins are on their way; the feed owes an answer */
    WK_JOB_SYNCS,  /* waits for NODE_SYNCED */
    WK_JOB_HEARD,  /* the rest may leave */
    WK_JOB_VOID,   /* revoked while somebody still has it; in no line */
    WK_JOB_STATES,
};

struct wk_name {
    char *p;
    size_t n;
};

struct wk_job {
    struct wk_core *core;
    struct wk_line *line;       /* NULL: VOID */
    struct wk_job *prev, *next; /* of core->jobs */
    struct wk_job *line_prev, *line_next;
    struct wk_job *ready_prev, *ready_next;
    bool is_ready; /* in core->ready */
    enum wk_job_state state;
    struct wk_ticket ticket;
    uint32_t epoch; /* of its partition when it came */
    unsigned deaths, attempt;
    struct work_item *item;
    char *data; /* what item->data shows if an earlier job has set it */
    const struct wk_handler *handler;
    void *ctx;
    struct backoff backoff;
    struct wheel_entry timer; /* PAUSED, SYNCS */

    /* What the handler has asked for; emptied before each attempt. */
    struct wk_result result; /* all effects but the last ones, which wk_job_end.c adds */
    struct wk_result early;  /* the joins once more, for a step */
    struct wk_name *joined;  /* rooms, as long as they are not left again */
    size_t njoined;
    bool is_acked;
    bool emits;      /* there is an effect that clients, or other nodes, hear */
    bool needs_sync; /* one of those is for a room in `joined` */
    bool disconnects, closes;
    struct wk_name new_data; /* p NULL: not set */
    struct wk_name refusal;  /* p NULL: admitted */

    bool has_failed;
    enum wk_failure how;
    char *why;

    uint64_t token; /* STEPS, SYNCS: the key of core->syncs */
    bool is_heard;  /* STEPS: NODE_SYNCED came before the feed's answer */
    UT_hash_handle hh;
};

/* A socket's jobs in their order, and what its data is. */
struct wk_line {
    UT_hash_handle hh;   /* core->lines, by key */
    struct wk_job *jobs; /* the first is the one that runs */
    unsigned partition;
    uint32_t epoch;      /* when data was set */
    struct wk_name data; /* p NULL: as the items have it */
    uint64_t until;      /* in core->idle: when it is forgotten */
    struct wk_line *idle_prev, *idle_next;
    size_t key_len;
    char key[]; /* sid, '\n', namespace */
};

struct wk_core {
    const struct cfg *cfg;
    struct loop *loop;
    struct bus *bus;
    struct questions *questions;
    struct wk_feed *feed;
    struct wk_handler *handlers;
    size_t nhandlers;
    struct wk_job *jobs;   /* all */
    struct wk_job *ready;  /* to be looked at in the turn's end, in order */
    struct wk_job *syncs;  /* uthash by token */
    struct wk_line *lines; /* uthash */
    struct wk_line *idle;  /* lines without jobs that are kept for their data, oldest first */
    struct wheel_entry idle_timer, lease_timer, stop_timer;
    uint32_t epochs[WK_PARTITIONS_MAX]; /* rises when the partition is revoked */
    bool has_revoked;
    bool waits_for_lease;
    uint64_t next_token;
    bool is_stopping, is_over, is_told;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct wk_core_stats stats;
};

/* wk_core.c: who takes items like this one; NULL: nobody. */
const struct wk_handler *wk_core_handler_of(const struct wk_core *core,
                                            const struct work_item *item);

/* wk_line.c: the order of a socket's jobs, and what is remembered of its data. */

/* A job comes last in its socket's line. */
void wk_line_add(struct wk_core *core, struct wk_job *job);
/* It leaves; its successor gets ready, or the line goes (after a while, if data was set). */
void wk_line_remove(struct wk_job *job);
/* The job's data is that of the socket from now on. */
void wk_line_set_data(struct wk_job *job);
/* What the item shows as data, before it is run. */
void wk_line_show_data(struct wk_job *job);
/* All lines go; no job is in one. */
void wk_line_free_all(struct wk_core *core);
/* The timer of the idle ones. */
void wk_line_on_timer(struct wheel_entry *e);

/* wk_job_run.c */

/* In no line yet. Copies the item. */
struct wk_job *wk_job_new(struct wk_core *core, const struct wk_ticket *t,
                          const struct work_item *item, unsigned deaths);
/* It leaves its line and everything else. */
void wk_job_free(struct wk_job *job);
/* In the turn's end: one that was ready goes on, or is gone. */
void wk_job_advance(struct wk_job *job);

/* wk_job_end.c: each of these ends the job, settle perhaps later. */

/* The handler is done: its effects leave, at once or in two parts. */
void wk_job_settle(struct wk_job *job);
/* All that is asked for leaves, and the item is away. */
void wk_job_finish(struct wk_job *job);
/* Given up. why may be the job's own. */
void wk_job_bury(struct wk_job *job, struct str_view why);

/* wk_job.c */

void wk_job_set_state(struct wk_job *job, enum wk_job_state state);
/* To be looked at in the turn's end. */
void wk_job_make_ready(struct wk_job *job);
/* Before an attempt, and in the end: what was asked for is forgotten. */
void wk_job_clear(struct wk_job *job);
/* A command for the item's own socket. */
bool wk_job_own(struct wk_job *job, struct wk_result *to, struct node_cmd *c) MUST_CHECK;
/* Does a client wait for this to be admitted? */
bool wk_job_asks(const struct wk_job *job);
/* The socket is refused: what else was for it makes no sense any more, and is left out. */
bool wk_job_add_refusal(struct wk_job *job) MUST_CHECK;
/* {"status":"error",…} for the event, or a refusal for a connect that asks, as the only effect; none
 * if no message takes it. */
void wk_job_answer_error(struct wk_job *job, const char *code, const char *message);

#endif
