/* From an answer to the job's end. What is worth another attempt is in wk_http.h's table. */

/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/command.h"
/* This process */
#include "wk_http_parts.h"

static unsigned allowed(const struct work_item *item)
{
    const unsigned always =
        1u << COMMAND_EMIT | 1u << COMMAND_JOIN | 1u << COMMAND_LEAVE | 1u << COMMAND_DISCONNECT;
    switch (item->type) {
    case WORK_EVENT: return always | 1u << COMMAND_DATA | 1u << COMMAND_ACK | 1u << COMMAND_ERROR;
    case WORK_CONNECT: return always | 1u << COMMAND_DATA | (item->asks ? 1u << COMMAND_ERROR : 0);
    default: return always;
    }
}

/* ---- commands */

static bool do_rooms(struct wk_job *job, const struct command *c, struct str_view nsp)
{
    bool joins = c->type == COMMAND_JOIN, ok = true;
    if (!c->is_own)
        return joins ? wk_job_remote_join(job, nsp, &c->which, c->rooms, c->nrooms)
                     : wk_job_remote_leave(job, nsp, &c->which, c->rooms, c->nrooms);
    for (unsigned i = 0; ok && i < c->nrooms; i++)
        ok = joins ? wk_job_join(job, c->rooms[i]) : wk_job_leave(job, c->rooms[i]);
    return ok;
}

/* For the client of an event: [{"status":"error","code":"refused","message":…,"data":…}]. */
static bool do_error_ack(struct wk_job *job, struct str_view error)
{
    struct str_view message = SV("\"\""), data;
    struct buf json;
    buf_init(&json, error.n + 128);
    (void)json_member_get(error, SV("message"), &message);
    bool fits = buf_addf(&json, "[{\"status\":\"error\",\"code\":\"refused\",\"message\":%.*s",
                         SV_ARG(message));
    if (json_member_get(error, SV("data"), &data))
        fits = fits && buf_add_sv(&json, SV(",\"data\":")) && buf_add_sv(&json, data);
    fits = fits && buf_add_sv(&json, SV("}]")) && wk_job_ack(job, buf_view(&json), NULL, 0);
    buf_fini(&json);
    return fits;
}

static bool do_command(struct wk_job *job, const struct command *c)
{
    const struct work_item *item = wk_job_item(job);
    struct str_view nsp = c->nsp.n ? c->nsp : item->nsp;
    switch (c->type) {
    case COMMAND_EMIT:
        return wk_job_emit(job, nsp, &c->which, c->json, c->attachments, c->nattachments);
    case COMMAND_JOIN:
    case COMMAND_LEAVE: return do_rooms(job, c, nsp);
    case COMMAND_DISCONNECT:
        return c->is_own ? wk_job_disconnect(job, c->close)
                         : wk_job_remote_disconnect(job, nsp, &c->which, c->close);
    case COMMAND_ACK: return wk_job_ack(job, c->json, c->attachments, c->nattachments);
    case COMMAND_DATA: return wk_job_data(job, c->json);
    default:
        return item->type == WORK_CONNECT ? wk_job_refuse(job, c->json)
                                          : do_error_ack(job, c->json);
    }
}

/* ---- ends */

static unsigned fail_for_good(struct wk_job *job, enum wk_http_outcome outcome, struct buf *why)
{
    wk_job_fail(job, WK_FATAL, buf_view(why));
    return outcome;
}

/* The backend may have done it: only an idempotent one is asked again. */
static unsigned fail_unsafe(struct wk_job *job, const struct wk_http_route *r,
                            enum wk_http_outcome outcome, struct buf *why)
{
    return r->is_idempotent ? (unsigned)outcome | WK_HTTP_AGAIN : fail_for_good(job, outcome, why);
}

static unsigned carry_out(struct wk_job *job, const struct commands *c, struct buf *why)
{
    unsigned outcome = WK_HTTP_DONE;
    for (size_t i = 0; i < commands_count(c); i++) {
        const struct command *one = commands_at(c, i);
        if (!do_command(job, one)) {
            (void)!buf_addf(why, "the answer: command %zu of %zu cannot be: too many or too large",
                            i + 1, commands_count(c));
            return fail_for_good(job, WK_HTTP_MALFORMED, why);
        }
        if (one->type == COMMAND_ERROR) outcome = WK_HTTP_REFUSED;
    }
    wk_job_done(job);
    return outcome;
}

static bool is_blank(struct str_view body)
{
    for (size_t i = 0; i < body.n; i++)
        if (!memchr(" \t\r\n", body.p[i], 4)) return false;
    return true;
}

static unsigned settle_success(struct wk_job *job, struct str_view body, struct buf *why)
{
    struct buf mistake;
    if (is_blank(body)) {
        wk_job_done(job);
        return WK_HTTP_DONE;
    }
    buf_init(&mistake, why->max > 16 ? why->max - 16 : 0);
    struct commands *c = commands_parse(body, allowed(wk_job_item(job)), &mistake);
    (void)!(c || buf_addf(why, "the answer: %.*s", SV_ARG(buf_view(&mistake))));
    buf_fini(&mistake);
    if (!c) return fail_for_good(job, WK_HTTP_MALFORMED, why);
    unsigned outcome = carry_out(job, c, why);
    commands_free(c);
    return outcome;
}

static unsigned settle_answer(struct wk_job *job, const struct wk_http_route *r,
                              const struct wk_fetch_result *got, struct buf *why)
{
    int status = got->status;
    if (status >= 200 && status <= 299) return settle_success(job, got->body, why);
    (void)!buf_addf(why, "the backend answered %d", status);
    if (status == 429 || status == 503) return WK_HTTP_BUSY | WK_HTTP_AGAIN;
    if (status >= 500) return fail_unsafe(job, r, WK_HTTP_BROKEN, why);
    if (status >= 400) return fail_for_good(job, WK_HTTP_MISTAKE, why);
    (void)!buf_addf(why, ", and redirects are not followed");
    return fail_for_good(job, WK_HTTP_REDIRECT, why);
}

unsigned wk_http_settle(struct wk_job *job, const struct wk_http_route *r,
                        const struct wk_fetch_result *got, struct buf *why)
{
    switch (got->end) {
    case WK_FETCH_ANSWERED: return settle_answer(job, r, got, why);
    case WK_FETCH_UNREACHED:
        (void)!buf_addf(why, "the backend cannot be reached: %s", got->why);
        return WK_HTTP_UNREACHED | WK_HTTP_AGAIN;
    case WK_FETCH_TIMEOUT:
        (void)!buf_addf(why, "the backend did not answer in time: %s", got->why);
        if (!got->is_sent) return WK_HTTP_TIMEOUT | WK_HTTP_AGAIN;
        return fail_unsafe(job, r, WK_HTTP_TIMEOUT, why);
    case WK_FETCH_TOO_LARGE:
        (void)!buf_addf(why, "the backend's answer is larger than worker.http_max_answer");
        return fail_for_good(job, WK_HTTP_TOO_LARGE, why);
    default:
        (void)!buf_addf(why, "the backend's answer was lost: %s", got->why);
        if (!got->is_sent) return WK_HTTP_LOST | WK_HTTP_AGAIN;
        return fail_unsafe(job, r, WK_HTTP_LOST, why);
    }
}
