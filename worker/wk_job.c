/* Design notes
 *
 * What a handler asks for is proved here, before it is kept: a module's or a backend's mistake
 * fails its own item and reaches no client. `early` holds the joins a second time: if an emit
 * behind a join is for that room, they leave first and once more with the rest, where they then
 * change nothing. */

/* System */
#include <assert.h>
/* Third party */
#include <utlist.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
/* This process */
#include "wk_core_parts.h"

#define NSP_MAX 128  /* bytes of a namespace's name: as in the gateway */
#define ROOM_MAX 261 /* … of a room's */
#define NAMES_MAX 1000
#define MESSAGE_SPARE 256 /* bytes of a message beside its JSON and lists, at least */
#define MESSAGE_TEXT 5    /* … of a list's text beside itself, at most */

/* ---- states */

#define TO(state) (1u << WK_JOB_##state)

void wk_job_set_state(struct wk_job *job, enum wk_job_state state)
{
    static const unsigned legal[WK_JOB_STATES] = {
        [WK_JOB_WAITS] = TO(RUNS),
        [WK_JOB_RUNS] = TO(ENDED) | TO(VOID),
        [WK_JOB_ENDED] = TO(PAUSED) | TO(STEPS),
        [WK_JOB_PAUSED] = TO(RUNS),
        [WK_JOB_STEPS] = TO(SYNCS) | TO(HEARD) | TO(VOID),
        [WK_JOB_SYNCS] = TO(HEARD),
        [WK_JOB_HEARD] = 0,
        [WK_JOB_VOID] = 0,
    };
    assert(legal[job->state] & (1u << state));
    if (job->state == WK_JOB_RUNS) job->core->stats.running--;
    if (state == WK_JOB_RUNS) job->core->stats.running++;
    job->state = state;
}

void wk_job_make_ready(struct wk_job *job)
{
    if (job->is_ready) return;
    job->is_ready = true;
    DL_APPEND2(job->core->ready, job, ready_prev, ready_next);
}

void wk_job_clear(struct wk_job *job)
{
    wk_result_fini(&job->result);
    wk_result_fini(&job->early);
    wk_result_init(&job->result);
    wk_result_init(&job->early);
    for (size_t i = 0; i < job->njoined; i++)
        x_free(job->joined[i].p);
    x_free(job->joined);
    x_free(job->new_data.p);
    x_free(job->refusal.p);
    x_free(job->why);
    job->joined = NULL;
    job->new_data.p = job->refusal.p = job->why = NULL;
    job->njoined = 0;
    job->is_acked = job->emits = job->needs_sync = false;
    job->disconnects = job->closes = job->has_failed = false;
}

/* ---- what it is */

const struct work_item *wk_job_item(const struct wk_job *job)
{
    return job->item;
}

unsigned wk_job_attempt(const struct wk_job *job)
{
    return job->attempt;
}

struct wk_core *wk_job_core(const struct wk_job *job)
{
    return job->core;
}

void wk_job_set_ctx(struct wk_job *job, void *ctx)
{
    job->ctx = ctx;
}

void *wk_job_ctx(const struct wk_job *job)
{
    return job->ctx;
}

/* ---- what is allowed */

static bool is_name(struct str_view name, size_t max)
{
    if (!name.n || name.n > max || !utf8_is_valid(name)) return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f) return false;
    return true;
}

static bool are_rooms(const struct str_view *rooms, unsigned n)
{
    if (n > NAMES_MAX) return false;
    for (unsigned i = 0; i < n; i++)
        if (!is_name(rooms[i], ROOM_MAX)) return false;
    return true;
}

static bool is_place(struct str_view nsp, const struct bus_target *to)
{
    return is_name(nsp, NSP_MAX) && nsp.p[0] == '/' && sv_find(nsp, ',') == nsp.n &&
           (!to || (are_rooms(to->rooms, to->nrooms) && are_rooms(to->except, to->nexcept)));
}

static bool is_json(const struct wk_core *core, struct str_view json, unsigned attachments,
                    enum json_kind *kind)
{
    const char *why;
    unsigned depth = (unsigned)core->cfg->socketio_max_json_depth;
    return attachments <= WORK_ATTACHMENTS_MAX && utf8_is_valid(json) &&
           json_scan_value(json, depth, attachments ? (int)attachments : -1, kind, &why);
}

bool wk_job_may_ask(struct str_view nsp, const struct bus_target *which)
{
    return is_place(nsp, which);
}

bool wk_job_may_emit(const struct wk_core *core, struct str_view nsp, const struct bus_target *to,
                     struct str_view json, unsigned attachments)
{
    enum json_kind kind;
    struct str_view event;
    const char *why;
    return is_place(nsp, to) && is_json(core, json, attachments, &kind) && kind == JSON_ARRAY &&
           sio_event_is_legal(json, &event, &why);
}

bool wk_job_may_ack(const struct wk_core *core, struct str_view json, unsigned attachments)
{
    enum json_kind kind;
    return is_json(core, json, attachments, &kind) && kind == JSON_ARRAY;
}

/* Does it fit into a message of the bus? What does not would be left out when all else has been done,
 * and a client would wait in vain. */
static bool fits_bus(const struct wk_core *core, size_t size)
{
    return size + MESSAGE_SPARE <= (size_t)core->cfg->bus_max_message;
}

static size_t size_of(const struct str_view *v, unsigned n)
{
    size_t size = 0;
    for (unsigned i = 0; i < n; i++)
        size += v[i].n + MESSAGE_TEXT;
    return size;
}

static size_t size_of_target(const struct bus_target *to)
{
    return to ? size_of(to->rooms, to->nrooms) + size_of(to->except, to->nexcept) : 0;
}

/* ---- effects */

bool wk_job_own(struct wk_job *job, struct wk_result *to, struct node_cmd *c)
{
    c->nsp = job->item->nsp;
    c->sid = job->item->sid;
    c->serial = job->item->serial;
    return wk_result_direct(to, job->item->gateway, c, (size_t)job->core->cfg->bus_max_message);
}

bool wk_job_claim_ack(struct wk_job *job)
{
    if (job->item->type != WORK_EVENT || !job->item->wants_ack || job->is_acked) return false;
    job->is_acked = true;
    return true;
}

static bool has_joined(const struct wk_job *job, struct str_view room)
{
    for (size_t i = 0; i < job->njoined; i++)
        if (sv_eq(sv_make(job->joined[i].p, job->joined[i].n), room)) return true;
    return false;
}

/* The gateway hears a room only if it has members of it: is one of the target's new to it,
 * perhaps? A connect that asks is in no room at all before it is admitted. */
static void note_target(struct wk_job *job, const struct bus_target *to)
{
    job->emits = true;
    for (unsigned i = 0; to && i < to->nrooms && !job->needs_sync; i++)
        job->needs_sync = has_joined(job, to->rooms[i]);
}

bool wk_job_emit(struct wk_job *job, struct str_view nsp, const struct bus_target *to,
                 struct str_view json, const struct str_view *attachments, unsigned n)
{
    struct bus_msg m = bus_msg_view(nsp, to, json, attachments, n);
    if (!wk_job_may_emit(job->core, nsp, to, json, n) ||
        !fits_bus(job->core, json.n + size_of(attachments, n) + size_of_target(to)) ||
        !wk_result_publish(&job->result, &m))
        return false;
    note_target(job, to);
    return true;
}

bool wk_job_ack(struct wk_job *job, struct str_view json, const struct str_view *attachments,
                unsigned n)
{
    const struct work_item *item = job->item;
    struct node_cmd c = {.type = NODE_ACK,
                         .ack_id = item->ack_id,
                         .json = json,
                         .attachments = attachments,
                         .nattachments = n};
    if (!wk_job_may_ack(job->core, json, n) ||
        !fits_bus(job->core, json.n + size_of(attachments, n)))
        return false;
    if (item->type != WORK_EVENT || !item->wants_ack || job->is_acked) return true;
    job->is_acked = wk_job_own(job, &job->result, &c);
    return job->is_acked;
}

bool wk_job_join(struct wk_job *job, struct str_view room)
{
    struct node_cmd c = {.type = NODE_JOIN, .rooms = &room, .nrooms = 1};
    if (job->njoined == NODE_CMD_ROOMS_MAX || !is_name(room, ROOM_MAX)) return false;
    if (!wk_job_own(job, &job->result, &c) || !wk_job_own(job, &job->early, &c)) return false;
    if (has_joined(job, room)) return true;
    job->joined = x_realloc(job->joined, (job->njoined + 1) * sizeof(struct wk_name));
    job->joined[job->njoined++] = (struct wk_name){x_memdup(room.p, room.n), room.n};
    return true;
}

bool wk_job_leave(struct wk_job *job, struct str_view room)
{
    struct node_cmd c = {.type = NODE_LEAVE, .rooms = &room, .nrooms = 1};
    if (!is_name(room, ROOM_MAX) || !wk_job_own(job, &job->result, &c)) return false;
    for (size_t i = 0; i < job->njoined; i++) {
        if (!sv_eq(sv_make(job->joined[i].p, job->joined[i].n), room)) continue;
        x_free(job->joined[i].p);
        job->joined[i] = job->joined[--job->njoined];
        break;
    }
    return true;
}

bool wk_job_disconnect(struct wk_job *job, bool close)
{
    job->disconnects = true;
    job->closes |= close;
    return true;
}

bool wk_job_data(struct wk_job *job, struct str_view json)
{
    struct node_cmd c = {.type = NODE_DATA, .json = json};
    enum json_kind kind;
    if (!is_json(job->core, json, 0, &kind) || !wk_job_own(job, &job->result, &c)) return false;
    x_free(job->new_data.p);
    job->new_data = (struct wk_name){x_memdup(json.p, json.n), json.n};
    return true;
}

static bool ask_all(struct wk_job *job, struct bus_request *q, const struct bus_target *which)
{
    if (!is_place(q->nsp, which) || !are_rooms(q->targets, q->ntargets) ||
        !fits_bus(job->core, size_of(q->targets, q->ntargets) + size_of_target(which)))
        return false;
    if (which) {
        q->rooms = which->rooms;
        q->nrooms = which->nrooms;
        q->except = which->except;
        q->nexcept = which->nexcept;
    }
    q->uid = job->core->bus->uid;
    if (!wk_result_request(&job->result, q)) return false;
    note_target(job, which);
    return true;
}

bool wk_job_remote_join(struct wk_job *job, struct str_view nsp, const struct bus_target *which,
                        const struct str_view *rooms, unsigned n)
{
    struct bus_request q = {.type = BUS_REMOTE_JOIN, .nsp = nsp, .targets = rooms, .ntargets = n};
    return ask_all(job, &q, which);
}

bool wk_job_remote_leave(struct wk_job *job, struct str_view nsp, const struct bus_target *which,
                         const struct str_view *rooms, unsigned n)
{
    struct bus_request q = {.type = BUS_REMOTE_LEAVE, .nsp = nsp, .targets = rooms, .ntargets = n};
    return ask_all(job, &q, which);
}

bool wk_job_remote_disconnect(struct wk_job *job, struct str_view nsp,
                              const struct bus_target *which, bool close)
{
    struct bus_request q = {.type = BUS_REMOTE_DISCONNECT, .nsp = nsp, .close = close};
    return ask_all(job, &q, which);
}

bool wk_job_asks(const struct wk_job *job)
{
    return job->item->type == WORK_CONNECT && job->item->asks;
}

bool wk_job_refuse(struct wk_job *job, struct str_view json)
{
    enum json_kind kind;
    if (!is_json(job->core, json, 0, &kind) || kind != JSON_OBJECT) return false;
    if (!wk_job_asks(job)) return true;
    x_free(job->refusal.p);
    job->refusal = (struct wk_name){x_memdup(json.p, json.n), json.n};
    return true;
}

bool wk_job_add_refusal(struct wk_job *job)
{
    struct wk_result *r = &job->result, own;
    size_t kept = 0;
    struct node_cmd c = {.type = NODE_REFUSE, .json = sv_make(job->refusal.p, job->refusal.n)};
    wk_result_init(&own);
    own.v = x_calloc(r->n + 1, sizeof(*own.v));
    for (size_t i = 0; i < r->n; i++) {
        if (r->v[i].type == WK_DIRECT)
            own.v[own.n++] = r->v[i];
        else
            r->v[kept++] = r->v[i];
    }
    r->n = kept;
    wk_result_fini(&own);
    job->disconnects = false;
    return wk_job_own(job, r, &c);
}

void wk_job_answer_error(struct wk_job *job, const char *code, const char *message)
{
    wk_job_clear(job);
    wk_result_error(&job->result, job->item, code, message,
                    (size_t)job->core->cfg->bus_max_message);
}

/* ---- the end */

static void end(struct wk_job *job)
{
    if (job->state != WK_JOB_VOID) wk_job_set_state(job, WK_JOB_ENDED);
    wk_job_make_ready(job);
}

void wk_job_done(struct wk_job *job)
{
    end(job);
}

void wk_job_fail(struct wk_job *job, enum wk_failure how, struct str_view why)
{
    job->has_failed = true;
    job->how = how;
    x_free(job->why);
    job->why = x_asprintf("%.*s", SV_ARG(why));
    end(job);
}
