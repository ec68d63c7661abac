/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Third party */
#include <cmocka.h>
/* Tests */
#include "unit/worker/fake_job.h"

void fake_job_init(struct wk_job *job)
{
    *job = (struct wk_job){
        .item = {.type = WORK_EVENT,
                 .id = SV("gate0001-1"),
                 .nsp = SV("/"),
                 .sid = SV("sid-1"),
                 .gateway = SV("gate0001"),
                 .user = SV("ann"),
                 .claims = SV("{\"sub\":\"ann\"}"),
                 .data = SV("null"),
                 .time_ms = 1700000000123,
                 .event = SV("chat"),
                 .args = SV("[\"chat\", 1, \"two\"]"),
                 .wants_ack = true},
        .attempt = 1,
    };
    buf_init(&job->notes, 1 << 16);
    buf_init(&job->why, 1024);
}

void fake_job_fini(struct wk_job *job)
{
    buf_fini(&job->notes);
    buf_fini(&job->why);
}

const char *fake_job_notes(struct wk_job *job)
{
    return job->notes.n ? buf_cstr(&job->notes) : "";
}

const char *fake_job_why(struct wk_job *job)
{
    return job->why.n ? buf_cstr(&job->why) : "";
}

/* ---- wk_job.h */

const struct work_item *wk_job_item(const struct wk_job *job)
{
    return &job->item;
}

unsigned wk_job_attempt(const struct wk_job *job)
{
    return job->attempt;
}

void wk_job_set_ctx(struct wk_job *job, void *ctx)
{
    job->ctx = ctx;
}

void *wk_job_ctx(const struct wk_job *job)
{
    return job->ctx;
}

static void note(struct wk_job *job, struct str_view v)
{
    assert_int_equal(job->end, FAKE_OPEN);
    assert_true(buf_add_sv(&job->notes, v));
}

static void note_list(struct wk_job *job, const char *what, const struct str_view *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        note(job, i ? SV("|") : sv_of(what));
        note(job, v[i]);
    }
}

static void note_target(struct wk_job *job, struct str_view nsp, const struct bus_target *to)
{
    note(job, SV(" in "));
    note(job, nsp);
    note_list(job, " to ", to->rooms, to->nrooms);
    note_list(job, " except ", to->except, to->nexcept);
    if (to->is_volatile) note(job, SV(" volatile"));
}

static bool end_note(struct wk_job *job)
{
    note(job, SV("\n"));
    return !job->is_full;
}

bool wk_job_emit(struct wk_job *job, struct str_view nsp, const struct bus_target *to,
                 struct str_view json, const struct str_view *attachments, unsigned n)
{
    note(job, SV("emit "));
    note(job, json);
    note_list(job, " with ", attachments, n);
    note_target(job, nsp, to);
    return end_note(job);
}

bool wk_job_ack(struct wk_job *job, struct str_view json, const struct str_view *attachments,
                unsigned n)
{
    note(job, SV("ack "));
    note(job, json);
    note_list(job, " with ", attachments, n);
    return end_note(job);
}

static bool one(struct wk_job *job, const char *what, struct str_view v)
{
    note(job, sv_of(what));
    note(job, v);
    return end_note(job);
}

bool wk_job_join(struct wk_job *job, struct str_view room)
{
    return one(job, "join ", room);
}

bool wk_job_leave(struct wk_job *job, struct str_view room)
{
    return one(job, "leave ", room);
}

bool wk_job_disconnect(struct wk_job *job, bool close)
{
    return one(job, "disconnect", close ? SV(" close") : SV(""));
}

bool wk_job_data(struct wk_job *job, struct str_view json)
{
    return one(job, "data ", json);
}

bool wk_job_refuse(struct wk_job *job, struct str_view json)
{
    return one(job, "refuse ", json);
}

static bool remote(struct wk_job *job, const char *what, struct str_view nsp,
                   const struct bus_target *which, const struct str_view *rooms, unsigned n)
{
    note(job, sv_of(what));
    note_list(job, " ", rooms, n);
    note_target(job, nsp, which);
    return end_note(job);
}

bool wk_job_remote_join(struct wk_job *job, struct str_view nsp, const struct bus_target *which,
                        const struct str_view *rooms, unsigned n)
{
    return remote(job, "others join", nsp, which, rooms, n);
}

bool wk_job_remote_leave(struct wk_job *job, struct str_view nsp, const struct bus_target *which,
                         const struct str_view *rooms, unsigned n)
{
    return remote(job, "others leave", nsp, which, rooms, n);
}

bool wk_job_remote_disconnect(struct wk_job *job, struct str_view nsp,
                              const struct bus_target *which, bool close)
{
    return remote(job, close ? "others close" : "others disconnect", nsp, which, NULL, 0);
}

void wk_job_done(struct wk_job *job)
{
    assert_int_equal(job->end, FAKE_OPEN);
    job->end = FAKE_DONE;
}

void wk_job_fail(struct wk_job *job, enum wk_failure how, struct str_view why)
{
    assert_int_equal(job->end, FAKE_OPEN);
    job->end = how == WK_RETRY ? FAKE_RETRY : FAKE_FATAL;
    assert_true(buf_add_sv(&job->why, why));
}
