/* Questions to the cluster.
 *
 * A question goes: hear the namespace's answers (sync), count the nodes (NUMSUB, as the reference
 * does), ask, collect until all have answered or the time is up. This node's own part is taken when its
 * own request comes back, so that what the bus has brought before counts (or at the end, if it does not
 * come). Gateways say in their answers who they are; so the silent ones can be named. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Gateway */
#include "gw_cluster_parts.h"
#include "gw_collect.h"

#define QUESTION_ID 12           /* characters of a requestId */
#define QUESTIONS_MAX 10000      /* open at a time */
#define ANSWER_BYTES (64u << 20) /* of this node's own part */

struct gw_question {
    UT_hash_handle hh; /* the cluster's, by id */
    char id[QUESTION_ID];
    struct gateway *gw;
    struct gw_nsp *nsp; /* held; NULL: not allowed here */
    struct bus_request *request;
    struct wheel_entry timer;
    gw_answers_cb cb;
    void *arg;

    bool is_asked; /* the request is on the bus */
    bool is_busy;  /* the bus still owes a callback: not freed before */
    bool is_over;  /* cb has been called */
    bool is_lossy; /* something was not answered */
    bool has_own;  /* this node's part is there */
    bool is_back;  /* the request has come back to this node */
    const char *why;
    int64_t expected, answered; /* nodes */
    uint64_t clients, acks;     /* asked for acks, and settled */
    struct gw_collect got;
};

struct gw_cluster {
    struct gateway *gw;
    struct gw_question *questions;
    unsigned n;
};

/* ---- this node's part */

/* Acks and servers' events have none. */
static void add_own(struct gw_question *q)
{
    enum bus_request_type type = q->request->type;
    struct buf json;
    if (q->has_own || type == BUS_BROADCAST || type == BUS_SERVER_SIDE_EMIT) return;
    q->has_own = true;
    buf_init(&json, ANSWER_BYTES);
    if (!gw_cluster_put_list(&json, q->gw, q->request)) q->is_lossy = true;
    gw_collect_part(&q->got, buf_view(&json), NULL, 0);
    buf_fini(&json);
}

/* ---- the end */

static void question_free(struct gw_question *q)
{
    if (q->nsp) gw_nsp_rele(q->nsp);
    x_free(q->request);
    gw_collect_fini(&q->got);
    x_free(q);
}

/* Other nodes that have not answered. */
static size_t count_missing(const struct gw_question *q)
{
    bool waits_for_itself = q->request->type != BUS_SERVER_SIDE_EMIT && !q->is_back;
    int64_t missing = q->is_asked ? q->expected - q->answered - waits_for_itself : 0;
    return missing > 0 ? (size_t)missing : 0;
}

static void tell(struct gw_question *q)
{
    bool is_lossy = q->is_lossy || q->got.is_lossy;
    struct gw_answers a = gw_collect_tell(&q->got, count_missing(q));
    a.why = q->why ? q->why : is_lossy ? "not all answers came or fitted" : "";
    a.is_complete = !*a.why;
    q->cb(q->arg, &a);
}

static void end(struct gw_question *q, const char *why)
{
    struct gw_cluster *c = q->gw->cluster;
    if (q->is_over) return;
    q->is_over = true;
    q->why = why;
    wheel_drop(loop_wheel(q->gw->loop), &q->timer);
    HASH_DEL(c->questions, q);
    c->n--;
    add_own(q);
    tell(q);
    if (!q->is_busy) question_free(q);
}

static void end_if_complete(struct gw_question *q)
{
    bool all = q->is_asked && q->answered >= q->expected;
    if (all && q->acks >= q->clients) end(q, NULL);
}

static void on_timeout(struct wheel_entry *e)
{
    struct gw_question *q = (struct gw_question *)((char *)e - offsetof(struct gw_question, timer));
    bool all = q->is_asked && q->answered >= q->expected;
    end(q, !q->nsp       ? "the namespace cannot be asked"
           : all         ? "not all clients have answered"
           : q->is_asked ? "not all nodes have answered"
                         : "the message bus is not available");
}

/* ---- asking: sync, count, request */

/* The bus no longer owes anything. True: go on. */
static bool bus_has_answered(struct gw_question *q)
{
    q->is_busy = false;
    if (!q->is_over) return true;
    question_free(q);
    return false;
}

static void on_requested(enum bus_outcome outcome, void *arg)
{
    struct gw_question *q = arg;
    if (!bus_has_answered(q) || outcome == BUS_TAKEN) return;
    q->is_asked = false;
    end(q, outcome == BUS_TOO_LARGE ? "the request is too large for the message bus"
                                    : "the message bus is not available");
}

static void on_counted(int64_t nodes, const struct bus_node *known, size_t nknown, void *arg)
{
    struct gw_question *q = arg;
    bool asks_itself = q->request->type != BUS_SERVER_SIDE_EMIT;
    if (!bus_has_answered(q)) return;
    if (nodes < 0) {
        end(q, "the message bus is not available");
        return;
    }
    q->expected = nodes - (asks_itself ? 0 : 1);
    q->is_asked = true;
    gw_collect_asked(&q->got, known, nknown);
    if (q->expected <= 0) {
        end(q, NULL);
        return;
    }
    q->is_busy = true;
    q->gw->bus_waits = true;
    q->gw->bus->ops->request(q->gw->bus, q->request, on_requested, q);
}

static void on_synced(enum bus_outcome outcome, void *arg)
{
    struct gw_question *q = arg;
    if (!bus_has_answered(q)) return;
    if (outcome != BUS_TAKEN) {
        end(q, "the message bus is not available");
        return;
    }
    q->is_busy = true;
    q->gw->bus_waits = true;
    q->gw->bus->ops->count(q->gw->bus, q->nsp->view, on_counted, q);
}

/* Where it may not be asked, cb is told so at the next tick; at the gateway's end nobody is any more. */
static void question_new(struct gateway *gw, const struct bus_request *r, uint64_t timeout_ms,
                         gw_answers_cb cb, void *arg)
{
    struct gw_cluster *c = gw->cluster;
    if (gw->is_ending) return;
    struct gw_question *q = x_calloc(1, sizeof(*q));
    struct bus_request request = *r;
    uint64_t timeout = timeout_ms ? timeout_ms : (uint64_t)gw->cfg->bus_request_timeout;
    *q = (struct gw_question){.gw = gw, .cb = cb, .arg = arg, .timer.fire = on_timeout};
    id_random(q->id, QUESTION_ID);
    request.id = sv_make(q->id, QUESTION_ID);
    request.uid = gw->bus->uid;
    request.timeout_ms = timeout;
    q->request = bus_request_new(&request);
    gw_collect_init(&q->got);
    if (c->n < QUESTIONS_MAX) q->nsp = gw_nsp_get(gw, r->nsp);
    HASH_ADD(hh, c->questions, id, QUESTION_ID, q);
    c->n++;
    wheel_set(loop_wheel(gw->loop), &q->timer, loop_now(gw->loop) + (q->nsp ? timeout : 0));
    if (!q->nsp) return;
    gw_nsp_hold(q->nsp);
    q->is_busy = true;
    gw->bus_waits = true;
    gw->bus->ops->sync(gw->bus, on_synced, q);
}

/* ---- what comes back */

struct gw_question *gw_cluster_question(struct gateway *gw, struct str_view id)
{
    struct gw_question *q = NULL;
    if (id.n == QUESTION_ID) HASH_FIND(hh, gw->cluster->questions, id.p, QUESTION_ID, q);
    return q;
}

/* False: this node has answered already. */
static bool note_answer(struct gw_question *q, struct str_view uid)
{
    if (!gw_collect_answered(&q->got, uid)) return false;
    q->answered++;
    if (sv_eq(uid, q->gw->bus->uid)) q->is_back = true;
    return true;
}

void gw_question_own(struct gw_question *q)
{
    if (!note_answer(q, q->gw->bus->uid)) return;
    add_own(q);
    end_if_complete(q);
}

void gw_question_count(struct gw_question *q, struct str_view uid, uint64_t n)
{
    if (!note_answer(q, uid)) return;
    q->clients += n;
    end_if_complete(q);
}

void gw_question_ack(struct gw_question *q, bool answered, struct str_view json,
                     const struct str_view *attachments, unsigned n)
{
    q->acks++;
    if (answered)
        gw_collect_part(&q->got, json.n ? json : SV("null"), attachments, n);
    else
        q->is_lossy = true;
    end_if_complete(q);
}

/* An empty list of sockets does not show of what: it is taken for BUS_FETCHED. */
static bool is_wanted(const struct gw_question *q, const struct bus_response *r)
{
    static const enum bus_response_type wanted[] = {[BUS_SOCKETS] = BUS_SOCKET_IDS,
                                                    [BUS_ALL_ROOMS] = BUS_ROOMS,
                                                    [BUS_REMOTE_FETCH] = BUS_FETCHED,
                                                    [BUS_SERVER_SIDE_EMIT] = BUS_SERVER_ACK};
    struct json_iter it;
    struct str_view first;
    if (r->type == wanted[q->request->type]) return true;
    if (q->request->type != BUS_SOCKETS || r->type != BUS_FETCHED) return false;
    json_iter_init(&it, r->json);
    return !json_array_next(&it, &first);
}

void gw_cluster_on_response(const struct bus_response *r, void *arg)
{
    struct gw_question *q = gw_cluster_question(arg, r->id);
    if (!q) return; /* another node's question, or too late */
    if (q->request->type == BUS_BROADCAST) {
        if (r->type == BUS_CLIENT_COUNT) gw_question_count(q, r->uid, r->count);
        if (r->type == BUS_CLIENT_ACK)
            gw_question_ack(q, true, r->json, r->attachments, r->nattachments);
        return;
    }
    if (!is_wanted(q, r) || !note_answer(q, r->uid)) return;
    if (r->is_cut) q->is_lossy = true;
    gw_collect_part(&q->got, r->json.n ? r->json : SV("null"), NULL, 0);
    end_if_complete(q);
}

/* ---- for handlers */

static void which_of(struct bus_request *r, const struct bus_target *which)
{
    if (!which) return;
    r->rooms = which->rooms;
    r->nrooms = which->nrooms;
    r->except = which->except;
    r->nexcept = which->nexcept;
}

static void command(struct gateway *gw, struct bus_request *r, const struct bus_target *which,
                    bus_done_cb done, void *arg)
{
    if (gw->is_ending) return;
    r->uid = gw->bus->uid;
    which_of(r, which);
    gw->bus_waits = true;
    gw->bus->ops->request(gw->bus, r, done, arg);
}

void gw_cluster_join(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                     const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_JOIN, .nsp = nsp, .targets = rooms, .ntargets = n};
    command(gw, &r, which, done, arg);
}

void gw_cluster_leave(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                      const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_LEAVE, .nsp = nsp, .targets = rooms, .ntargets = n};
    command(gw, &r, which, done, arg);
}

void gw_cluster_disconnect(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                           bool close, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_DISCONNECT, .nsp = nsp, .close = close};
    command(gw, &r, which, done, arg);
}

void gw_cluster_fetch(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                      uint64_t timeout_ms, gw_answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_FETCH, .nsp = nsp};
    which_of(&r, which);
    question_new(gw, &r, timeout_ms, cb, arg);
}

void gw_cluster_rooms(struct gateway *gw, struct str_view nsp, uint64_t timeout_ms,
                      gw_answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_ALL_ROOMS, .nsp = nsp};
    question_new(gw, &r, timeout_ms, cb, arg);
}

void gw_cluster_ids(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                    uint64_t timeout_ms, gw_answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_SOCKETS, .nsp = nsp};
    if (which) {
        r.rooms = which->rooms;
        r.nrooms = which->nrooms;
    }
    question_new(gw, &r, timeout_ms, cb, arg);
}

void gw_cluster_emit(struct gateway *gw, struct str_view nsp, struct str_view json,
                     uint64_t timeout_ms, gw_answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_SERVER_SIDE_EMIT, .nsp = nsp, .json = json};
    if (cb)
        question_new(gw, &r, timeout_ms, cb, arg);
    else
        command(gw, &r, NULL, NULL, NULL);
}

void gw_cluster_broadcast(struct gateway *gw, struct str_view nsp, const struct bus_target *to,
                          struct str_view json, const struct str_view *attachments, unsigned n,
                          uint64_t timeout_ms, gw_answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_BROADCAST,
                            .nsp = nsp,
                            .json = json,
                            .attachments = attachments,
                            .nattachments = n};
    which_of(&r, to);
    question_new(gw, &r, timeout_ms, cb, arg);
}

/* ---- life */

struct gw_cluster *gw_cluster_new(struct gateway *gw)
{
    struct gw_cluster *c = x_calloc(1, sizeof(*c));
    c->gw = gw;
    return c;
}

void gw_cluster_free(struct gw_cluster *c)
{
    if (!c) return;
    assert(!c->n);
    x_free(c);
}

void gw_cluster_stop(struct gw_cluster *c)
{
    while (c->questions) /* nobody asks again: gw->is_ending */
        end(c->questions, "the gateway is stopping");
}
