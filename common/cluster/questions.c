/* A question goes: hear the namespace's answers (sync), count the nodes (NUMSUB, as the reference
 * does), ask, collect until all have answered or the time is up. This node's own part is taken when its
 * own request comes back, so that what the bus has brought before counts (or at the end, if it does not
 * come). Gateways say in their answers who they are; so the silent ones can be named. */

/* System */
#include <assert.h>
/* Util */
#include "util/id.h"
#include "util/table.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/collect.h"
#include "cluster/heard.h"
#include "cluster/questions.h"

#define QUESTION_ID 12           /* characters of a requestId */
#define QUESTIONS_MAX 10000      /* open at a time */
#define ANSWER_BYTES (64u << 20) /* of this node's own part */

struct question {
    UT_hash_handle hh; /* by id */
    char id[QUESTION_ID];
    struct questions *of;
    bool is_held; /* the namespace; false: it may not be asked here */
    void *held;   /* the owner's word for it, or a heard_nsp */
    struct bus_request *request;
    struct wheel_entry timer;
    answers_cb cb;
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
    struct collect got;
};

struct questions {
    const struct questions_owner *owner;
    void *arg;
    struct bus *bus;
    struct wheel *wheel;
    const struct cfg *cfg;
    struct question *open; /* uthash */
    unsigned n;            /* open */
    unsigned nlive;        /* those that are over and that the bus owes something, too */
    struct heard heard;    /* if the owner does not hold */
    bool is_stopped;
};

static bool takes_requests(const struct questions *qs)
{
    return qs->owner->put_own != NULL;
}

static void say_bus_waits(struct questions *qs)
{
    if (qs->owner->bus_waits) qs->owner->bus_waits(qs->arg);
}

/* ---- the namespace is heard while it is asked */

static void hold(struct question *q)
{
    struct questions *qs = q->of;
    struct str_view nsp = q->request->nsp;
    q->held = qs->owner->hold ? qs->owner->hold(nsp, qs->arg) : heard_hold(&qs->heard, nsp);
    q->is_held = q->held != NULL;
}

static void let_go(struct question *q)
{
    struct questions *qs = q->of;
    if (!q->is_held) return;
    if (qs->owner->hold)
        qs->owner->let_go(q->held, qs->arg);
    else
        heard_rele(&qs->heard, q->held);
}

/* ---- this node's part */

/* Acks and servers' events have none. */
static void add_own(struct question *q)
{
    struct questions *qs = q->of;
    enum bus_request_type type = q->request->type;
    struct buf json;
    if (!takes_requests(qs) || q->has_own) return;
    if (type == BUS_BROADCAST || type == BUS_SERVER_SIDE_EMIT) return;
    q->has_own = true;
    buf_init(&json, ANSWER_BYTES);
    if (!qs->owner->put_own(&json, q->request, qs->arg)) q->is_lossy = true;
    collect_part(&q->got, buf_view(&json), NULL, 0);
    buf_fini(&json);
}

/* ---- the end */

static void question_free(struct question *q)
{
    q->of->nlive--;
    let_go(q);
    x_free(q->request);
    collect_fini(&q->got);
    x_free(q);
}

/* Is this node among those that the question is for? */
static bool asks_itself(const struct question *q)
{
    return takes_requests(q->of) && q->request->type != BUS_SERVER_SIDE_EMIT;
}

/* Other nodes that have not answered. */
static size_t count_missing(const struct question *q)
{
    bool waits_for_itself = asks_itself(q) && !q->is_back;
    int64_t missing = q->is_asked ? q->expected - q->answered - waits_for_itself : 0;
    return missing > 0 ? (size_t)missing : 0;
}

static void tell(struct question *q)
{
    bool is_lossy = q->is_lossy || q->got.is_lossy;
    struct answers a = collect_tell(&q->got, count_missing(q));
    a.why = q->why ? q->why : is_lossy ? "not all answers came or fitted" : "";
    a.is_complete = !*a.why;
    q->cb(q->arg, &a);
}

static void end(struct question *q, const char *why)
{
    struct questions *qs = q->of;
    if (q->is_over) return;
    q->is_over = true;
    q->why = why;
    wheel_drop(qs->wheel, &q->timer);
    HASH_DEL(qs->open, q);
    qs->n--;
    add_own(q);
    tell(q);
    if (!q->is_busy) question_free(q);
}

static void end_if_complete(struct question *q)
{
    bool all = q->is_asked && q->answered >= q->expected;
    if (all && q->acks >= q->clients) end(q, NULL);
}

static void on_timeout(struct wheel_entry *e)
{
    struct question *q = (struct question *)((char *)e - offsetof(struct question, timer));
    bool all = q->is_asked && q->answered >= q->expected;
    end(q, !q->is_held   ? "the namespace cannot be asked"
           : all         ? "not all clients have answered"
           : q->is_asked ? "not all nodes have answered"
                         : "the message bus is not available");
}

/* ---- asking: sync, count, request */

/* The bus no longer owes anything. True: go on. */
static bool bus_has_answered(struct question *q)
{
    q->is_busy = false;
    if (!q->is_over) return true;
    question_free(q);
    return false;
}

static void on_requested(enum bus_outcome outcome, void *arg)
{
    struct question *q = arg;
    if (!bus_has_answered(q) || outcome == BUS_TAKEN) return;
    q->is_asked = false;
    end(q, outcome == BUS_TOO_LARGE ? "the request is too large for the message bus"
                                    : "the message bus is not available");
}

static void on_counted(int64_t nodes, const struct bus_node *known, size_t nknown, void *arg)
{
    struct question *q = arg;
    if (!bus_has_answered(q)) return;
    if (nodes < 0) {
        end(q, "the message bus is not available");
        return;
    }
    bool is_left_out = takes_requests(q->of) && !asks_itself(q); /* of those that were counted */
    q->expected = nodes - is_left_out;
    q->is_asked = true;
    collect_asked(&q->got, known, nknown);
    if (q->expected <= 0) {
        end(q, NULL);
        return;
    }
    q->is_busy = true;
    struct bus *bus = q->of->bus;
    bus->ops->request(bus, q->request, on_requested, q);
    say_bus_waits(q->of);
}

static void on_synced(enum bus_outcome outcome, void *arg)
{
    struct question *q = arg;
    if (!bus_has_answered(q)) return;
    if (outcome != BUS_TAKEN) {
        end(q, "the message bus is not available");
        return;
    }
    q->is_busy = true;
    struct bus *bus = q->of->bus;
    bus->ops->count(bus, q->request->nsp, on_counted, q);
    say_bus_waits(q->of);
}

/* Where it may not be asked, cb is told so at the next tick; at the owner's end nobody is any more. */
static void question_new(struct questions *qs, const struct bus_request *r, uint64_t timeout_ms,
                         answers_cb cb, void *arg)
{
    if (qs->is_stopped) return;
    struct question *q = x_calloc(1, sizeof(*q));
    struct bus_request request = *r;
    uint64_t timeout = timeout_ms ? timeout_ms : (uint64_t)qs->cfg->bus_request_timeout;
    *q = (struct question){.of = qs, .cb = cb, .arg = arg, .timer.fire = on_timeout};
    id_random(q->id, QUESTION_ID);
    request.id = sv_make(q->id, QUESTION_ID);
    request.uid = qs->bus->uid;
    request.timeout_ms = timeout;
    q->request = bus_request_new(&request);
    collect_init(&q->got);
    if (qs->n < QUESTIONS_MAX) hold(q);
    HASH_ADD(hh, qs->open, id, QUESTION_ID, q);
    qs->n++;
    qs->nlive++;
    wheel_set(qs->wheel, &q->timer, qs->owner->now(qs->arg) + (q->is_held ? timeout : 0));
    if (!q->is_held) return;
    q->is_busy = true;
    qs->bus->ops->sync(qs->bus, on_synced, q);
    say_bus_waits(qs);
}

/* ---- what comes back */

struct question *questions_find(struct questions *qs, struct str_view id)
{
    struct question *q = NULL;
    if (id.n == QUESTION_ID) HASH_FIND(hh, qs->open, id.p, QUESTION_ID, q);
    return q;
}

/* False: this node has answered already. */
static bool note_answer(struct question *q, struct str_view uid)
{
    if (!collect_answered(&q->got, uid)) return false;
    q->answered++;
    if (sv_eq(uid, q->of->bus->uid)) q->is_back = true;
    return true;
}

void questions_add_own(struct question *q)
{
    if (!note_answer(q, q->of->bus->uid)) return;
    add_own(q);
    end_if_complete(q);
}

void questions_add_count(struct question *q, struct str_view uid, uint64_t n)
{
    if (!note_answer(q, uid)) return;
    q->clients += n;
    end_if_complete(q);
}

void questions_add_ack(struct question *q, bool answered, struct str_view json,
                       const struct str_view *attachments, unsigned n)
{
    q->acks++;
    if (answered)
        collect_part(&q->got, json.n ? json : SV("null"), attachments, n);
    else
        q->is_lossy = true;
    end_if_complete(q);
}

/* An empty list of sockets does not show of what: it is taken for BUS_FETCHED. */
static bool is_wanted(const struct question *q, const struct bus_response *r)
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

void questions_on_response(struct questions *qs, const struct bus_response *r)
{
    struct question *q = questions_find(qs, r->id);
    if (!q) return; /* another node's question, or too late */
    if (q->request->type == BUS_BROADCAST) {
        if (r->type == BUS_CLIENT_COUNT) questions_add_count(q, r->uid, r->count);
        if (r->type == BUS_CLIENT_ACK)
            questions_add_ack(q, true, r->json, r->attachments, r->nattachments);
        return;
    }
    if (!is_wanted(q, r) || !note_answer(q, r->uid)) return;
    if (r->is_cut) q->is_lossy = true;
    collect_part(&q->got, r->json.n ? r->json : SV("null"), NULL, 0);
    end_if_complete(q);
}

/* ---- asking */

static void which_of(struct bus_request *r, const struct bus_target *which)
{
    if (!which) return;
    r->rooms = which->rooms;
    r->nrooms = which->nrooms;
    r->except = which->except;
    r->nexcept = which->nexcept;
}

static void command(struct questions *qs, struct bus_request *r, const struct bus_target *which,
                    bus_done_cb done, void *arg)
{
    if (qs->is_stopped) return;
    r->uid = qs->bus->uid;
    which_of(r, which);
    qs->bus->ops->request(qs->bus, r, done, arg);
    say_bus_waits(qs);
}

void questions_join(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                    const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_JOIN, .nsp = nsp, .targets = rooms, .ntargets = n};
    command(qs, &r, which, done, arg);
}

void questions_leave(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                     const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_LEAVE, .nsp = nsp, .targets = rooms, .ntargets = n};
    command(qs, &r, which, done, arg);
}

void questions_disconnect(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                          bool close, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_DISCONNECT, .nsp = nsp, .close = close};
    command(qs, &r, which, done, arg);
}

void questions_fetch(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                     uint64_t timeout_ms, answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_FETCH, .nsp = nsp};
    which_of(&r, which);
    question_new(qs, &r, timeout_ms, cb, arg);
}

void questions_rooms(struct questions *qs, struct str_view nsp, uint64_t timeout_ms, answers_cb cb,
                     void *arg)
{
    struct bus_request r = {.type = BUS_ALL_ROOMS, .nsp = nsp};
    question_new(qs, &r, timeout_ms, cb, arg);
}

void questions_ids(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                   uint64_t timeout_ms, answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_SOCKETS, .nsp = nsp};
    if (which) {
        r.rooms = which->rooms;
        r.nrooms = which->nrooms;
    }
    question_new(qs, &r, timeout_ms, cb, arg);
}

void questions_emit(struct questions *qs, struct str_view nsp, struct str_view json,
                    uint64_t timeout_ms, answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_SERVER_SIDE_EMIT, .nsp = nsp, .json = json};
    if (cb)
        question_new(qs, &r, timeout_ms, cb, arg);
    else
        command(qs, &r, NULL, NULL, NULL);
}

void questions_broadcast(struct questions *qs, struct str_view nsp, const struct bus_target *to,
                         struct str_view json, const struct str_view *attachments, unsigned n,
                         uint64_t timeout_ms, answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_BROADCAST,
                            .nsp = nsp,
                            .json = json,
                            .attachments = attachments,
                            .nattachments = n};
    which_of(&r, to);
    question_new(qs, &r, timeout_ms, cb, arg);
}

/* ---- life */

struct questions *questions_new(const struct questions_owner *owner, void *arg, struct bus *bus,
                                struct wheel *wheel, const struct cfg *cfg)
{
    struct questions *qs = x_calloc(1, sizeof(*qs));
    *qs = (struct questions){.owner = owner, .arg = arg, .bus = bus, .wheel = wheel, .cfg = cfg};
    heard_init(&qs->heard, bus, wheel, owner->now, arg);
    return qs;
}

void questions_stop(struct questions *qs)
{
    qs->is_stopped = true; /* whoever tries again at each refusal would never let it end */
    while (qs->open)
        end(qs->open, "this node is stopping");
    heard_stop(&qs->heard);
}

void questions_free(struct questions *qs)
{
    if (!qs) return;
    assert(qs->is_stopped && !qs->nlive);
    x_free(qs);
}
