/* Questions to the cluster.
 *
 * A question goes: hear the namespace's answers (sync), count the nodes (NUMSUB, as the reference
 * does), ask, collect until all have answered or the time is up. This node's own part is there from
 * the start, but for acks: those it asks for when its own request comes back, so that the order of
 * the bus holds. Gateways say in their answers who they are; so the silent ones can be named. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Gateway */
#include "gw_cluster_parts.h"

#define QUESTION_ID 12           /* characters of a requestId */
#define QUESTIONS_MAX 10000      /* open at a time */
#define ANSWER_BYTES (64u << 20) /* kept of one question's answers, in all */
#define PARTS_MAX 1000000        /* and as many attachments */
#define ANSWERED_MAX 4096        /* names of nodes kept */

struct part {
    size_t at, n;
    size_t first_binary; /* among the question's attachments */
    unsigned nbinary;
};

struct span {
    size_t at, n;
};

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
    bool is_lossy; /* something did not fit or was not answered */
    const char *why;
    int64_t expected, answered; /* nodes */
    uint64_t clients, acks;     /* asked for acks, and settled */
    struct buf bytes;           /* of parts, attachments and names */
    struct part *parts;
    size_t nparts, cap_parts;
    struct span *binary;
    size_t nbinary, cap_binary;
    struct span *names; /* uids that have answered */
    size_t nnames;
    struct span *asked; /* ids of other gateways that are to answer */
    size_t nasked;
};

struct gw_cluster {
    struct gateway *gw;
    struct gw_question *questions;
    unsigned n;
};

/* ---- collecting */

static bool keep(struct gw_question *q, struct str_view v, size_t *at)
{
    *at = q->bytes.n;
    if (buf_add_sv(&q->bytes, v)) return true;
    q->is_lossy = true;
    return false;
}

static void add_part(struct gw_question *q, struct str_view json,
                     const struct str_view *attachments, unsigned n)
{
    struct part p = {.n = json.n, .first_binary = q->nbinary, .nbinary = n};
    bool fits = q->nparts < PARTS_MAX && q->nbinary + n <= PARTS_MAX;
    if (!fits) q->is_lossy = true;
    if (!fits || !keep(q, json, &p.at)) return;
    if (q->nbinary + n > q->cap_binary) {
        q->cap_binary = q->nbinary + n + q->cap_binary;
        q->binary = x_realloc(q->binary, q->cap_binary * sizeof(*q->binary));
    }
    for (unsigned i = 0; i < n; i++) {
        struct span b = {.n = attachments[i].n};
        if (!keep(q, attachments[i], &b.at)) return;
        q->binary[q->nbinary++] = b;
    }
    if (q->nparts == q->cap_parts) {
        q->cap_parts = q->cap_parts ? q->cap_parts * 2 : 8;
        q->parts = x_realloc(q->parts, q->cap_parts * sizeof(*q->parts));
    }
    q->parts[q->nparts++] = p;
}

static struct str_view view_of(const struct gw_question *q, struct span s)
{
    return sv_make(q->bytes.p + s.at, s.n);
}

static bool has_answered(const struct gw_question *q, struct str_view uid)
{
    for (size_t i = 0; i < q->nnames; i++)
        if (sv_eq(view_of(q, q->names[i]), uid)) return true;
    return false;
}

/* False: this node has answered already. Those without a name are counted, no more. */
static bool note_answer(struct gw_question *q, struct str_view uid)
{
    if (uid.n) {
        struct span s = {.n = uid.n};
        if (has_answered(q, uid)) return false;
        if (q->nnames < ANSWERED_MAX && keep(q, uid, &s.at)) {
            q->names = x_realloc(q->names, (q->nnames + 1) * sizeof(*q->names));
            q->names[q->nnames++] = s;
        }
    }
    q->answered++;
    return true;
}

/* ---- the end */

static void question_free(struct gw_question *q)
{
    if (q->nsp) gw_nsp_rele(q->nsp);
    x_free(q->request);
    x_free(q->parts);
    x_free(q->binary);
    x_free(q->names);
    x_free(q->asked);
    buf_fini(&q->bytes);
    x_free(q);
}

/* Gateways that have not answered. Returns how many; out has room. */
static size_t find_silent(const struct gw_question *q, struct str_view *out, size_t room)
{
    size_t found = 0;
    for (size_t i = 0; i < q->nasked && found < room; i++) {
        struct str_view id = view_of(q, q->asked[i]);
        if (!has_answered(q, id)) out[found++] = id;
    }
    return found;
}

static void tell(struct gw_question *q)
{
    size_t missing =
        q->is_asked && q->expected > q->answered ? (size_t)(q->expected - q->answered) : 0;
    struct str_view *parts = x_calloc(q->nparts + 1, sizeof(*parts));
    struct str_view *views = x_calloc(q->nbinary + 1, sizeof(*views));
    struct gw_binary *binary = x_calloc(q->nparts + 1, sizeof(*binary));
    size_t named = missing < q->nasked ? missing : q->nasked; /* missing is what Redis says */
    struct str_view *silent = x_calloc(named + 1, sizeof(*silent));
    for (size_t i = 0; i < q->nbinary; i++)
        views[i] = view_of(q, q->binary[i]);
    for (size_t i = 0; i < q->nparts; i++) {
        parts[i] = sv_make(q->bytes.p + q->parts[i].at, q->parts[i].n);
        binary[i] = (struct gw_binary){views + q->parts[i].first_binary, q->parts[i].nbinary};
    }
    struct gw_answers a = {.parts = parts,
                           .nparts = q->nparts,
                           .binary = q->request->type == BUS_BROADCAST ? binary : NULL,
                           .why = q->why        ? q->why
                                  : q->is_lossy ? "not all answers came or fitted"
                                                : "",
                           .silent = silent};
    a.nsilent = find_silent(q, silent, named);
    a.nunnamed = missing - a.nsilent;
    a.is_complete = !*a.why;
    q->cb(q->arg, &a);
    x_free(parts);
    x_free(views);
    x_free(binary);
    x_free(silent);
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

static void note_asked(struct gw_question *q, const struct bus_node *known, size_t n)
{
    q->asked = x_calloc(n + 1, sizeof(*q->asked));
    for (size_t i = 0; i < n; i++) {
        struct span s = {.n = known[i].id.n};
        if (keep(q, known[i].id, &s.at)) q->asked[q->nasked++] = s;
    }
}

static void on_counted(int64_t nodes, const struct bus_node *known, size_t nknown, void *arg)
{
    struct gw_question *q = arg;
    bool asks_itself = q->request->type == BUS_BROADCAST;
    if (!bus_has_answered(q)) return;
    if (nodes < 0) {
        end(q, "the message bus is not available");
        return;
    }
    q->expected = nodes - (asks_itself ? 0 : 1);
    q->is_asked = true;
    note_asked(q, known, nknown);
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

/* Where it may not be asked, cb is told so at the next tick. */
static struct gw_question *question_new(struct gateway *gw, const struct bus_request *r,
                                        uint64_t timeout_ms, gw_answers_cb cb, void *arg)
{
    struct gw_cluster *c = gw->cluster;
    struct gw_question *q = x_calloc(1, sizeof(*q));
    struct bus_request request = *r;
    uint64_t timeout = timeout_ms ? timeout_ms : (uint64_t)gw->cfg->bus_request_timeout;
    *q = (struct gw_question){.gw = gw, .cb = cb, .arg = arg, .timer.fire = on_timeout};
    id_random(q->id, QUESTION_ID);
    request.id = sv_make(q->id, QUESTION_ID);
    request.uid = gw->bus->uid;
    request.timeout_ms = timeout;
    q->request = bus_request_new(&request);
    buf_init(&q->bytes, ANSWER_BYTES);
    if (c->n < QUESTIONS_MAX) q->nsp = gw_nsp_get(gw, r->nsp);
    HASH_ADD(hh, c->questions, id, QUESTION_ID, q);
    c->n++;
    wheel_set(loop_wheel(gw->loop), &q->timer, loop_now(gw->loop) + (q->nsp ? timeout : 0));
    if (!q->nsp) return q;
    gw_nsp_hold(q->nsp);
    q->is_busy = true;
    gw->bus_waits = true;
    gw->bus->ops->sync(gw->bus, on_synced, q);
    return q;
}

/* ---- what comes back */

struct gw_question *gw_cluster_question(struct gateway *gw, struct str_view id)
{
    struct gw_question *q = NULL;
    if (id.n == QUESTION_ID) HASH_FIND(hh, gw->cluster->questions, id.p, QUESTION_ID, q);
    return q;
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
        add_part(q, json.n ? json : SV("null"), attachments, n);
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
    add_part(q, r->json.n ? r->json : SV("null"), NULL, 0);
    end_if_complete(q);
}

/* ---- for handlers */

static void which_of(struct bus_request *r, const struct gw_target *which)
{
    if (!which) return;
    r->rooms = which->rooms;
    r->nrooms = which->nrooms;
    r->except = which->except;
    r->nexcept = which->nexcept;
}

static void command(struct gateway *gw, struct bus_request *r, const struct gw_target *which,
                    bus_done_cb done, void *arg)
{
    r->uid = gw->bus->uid;
    which_of(r, which);
    gw->bus_waits = true;
    gw->bus->ops->request(gw->bus, r, done, arg);
}

void gw_cluster_join(struct gateway *gw, struct str_view nsp, const struct gw_target *which,
                     const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_JOIN, .nsp = nsp, .targets = rooms, .ntargets = n};
    command(gw, &r, which, done, arg);
}

void gw_cluster_leave(struct gateway *gw, struct str_view nsp, const struct gw_target *which,
                      const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_LEAVE, .nsp = nsp, .targets = rooms, .ntargets = n};
    command(gw, &r, which, done, arg);
}

void gw_cluster_disconnect(struct gateway *gw, struct str_view nsp, const struct gw_target *which,
                           bool close, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_DISCONNECT, .nsp = nsp, .close = close};
    command(gw, &r, which, done, arg);
}

/* This node's own part. */
static void add_own(struct gw_question *q, bool fits, struct buf *json)
{
    if (fits)
        add_part(q, buf_view(json), NULL, 0);
    else
        q->is_lossy = true;
    buf_fini(json);
}

void gw_cluster_fetch(struct gateway *gw, struct str_view nsp, const struct gw_target *which,
                      uint64_t timeout_ms, gw_answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_FETCH, .nsp = nsp};
    struct buf json;
    which_of(&r, which);
    struct gw_question *q = question_new(gw, &r, timeout_ms, cb, arg);
    buf_init(&json, ANSWER_BYTES);
    add_own(q, gw_cluster_put_sockets(&json, gw, nsp, which), &json);
}

void gw_cluster_rooms(struct gateway *gw, struct str_view nsp, uint64_t timeout_ms,
                      gw_answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_ALL_ROOMS, .nsp = nsp};
    struct buf json;
    struct gw_question *q = question_new(gw, &r, timeout_ms, cb, arg);
    buf_init(&json, ANSWER_BYTES);
    add_own(q, gw_cluster_put_rooms(&json, gw, nsp), &json);
}

void gw_cluster_ids(struct gateway *gw, struct str_view nsp, const struct gw_target *which,
                    uint64_t timeout_ms, gw_answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_SOCKETS, .nsp = nsp};
    struct gw_target in = {0};
    struct buf json;
    if (which) in = (struct gw_target){.rooms = which->rooms, .nrooms = which->nrooms};
    which_of(&r, &in);
    struct gw_question *q = question_new(gw, &r, timeout_ms, cb, arg);
    buf_init(&json, ANSWER_BYTES);
    add_own(q, gw_cluster_put_ids(&json, gw, nsp, &in), &json);
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

void gw_cluster_broadcast(struct gateway *gw, struct str_view nsp, const struct gw_target *to,
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
    while (c->questions) /* a callback may ask again */
        end(c->questions, "the gateway is stopping");
}
