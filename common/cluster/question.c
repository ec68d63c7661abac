/* A question goes: hear the namespace's answers (sync), count the nodes (NUMSUB, as the reference
 * does), ask, collect until all have answered or the time is up. This node's own part is taken when its
 * own request comes back, so that what the bus has brought before counts (or at the end, if it does not
 * come). Gateways say in their answers who they are; so the silent ones can be named. */

/* System */
#include <stddef.h>
/* Util */
#include "util/id.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/questions_parts.h"

#define QUESTIONS_MAX 10000      /* open at a time */
#define ANSWER_BYTES (64u << 20) /* of this node's own part */

static bool takes_requests(const struct questions *qs)
{
    return qs->owner->put_own != NULL;
}

/* ---- the namespace is heard while it is asked */

static void hold(struct question *q)
{
    struct questions *qs = q->of;
    struct str_view nsp = q->request->nsp;
    q->held = qs->owner->hold ? qs->owner->hold(nsp, qs->arg) : heard_hold(&qs->heard, nsp);
}

static void let_go(struct question *q)
{
    struct questions *qs = q->of;
    if (!q->held) return;
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

void question_end(struct question *q, const char *why)
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
    if (all && q->acks >= q->clients) question_end(q, NULL);
}

static void on_timeout(struct wheel_entry *e)
{
    struct question *q = (struct question *)((char *)e - offsetof(struct question, timer));
    bool all = q->is_asked && q->answered >= q->expected;
    question_end(q, !q->held      ? "the namespace cannot be asked"
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
    question_end(q, outcome == BUS_TOO_LARGE ? "the request is too large for the message bus"
                                             : "the message bus is not available");
}

static void on_counted(int64_t nodes, const struct bus_node *known, size_t nknown, void *arg)
{
    struct question *q = arg;
    if (!bus_has_answered(q)) return;
    if (nodes < 0) {
        question_end(q, "the message bus is not available");
        return;
    }
    bool is_left_out = takes_requests(q->of) && !asks_itself(q); /* of those that were counted */
    q->expected = nodes - is_left_out;
    q->is_asked = true;
    collect_asked(&q->got, known, nknown);
    if (q->expected <= 0) {
        question_end(q, NULL);
        return;
    }
    q->is_busy = true;
    struct bus *bus = q->of->bus;
    bus->ops->request(bus, q->request, on_requested, q);
    questions_bus_waits(q->of);
}

static void on_synced(enum bus_outcome outcome, void *arg)
{
    struct question *q = arg;
    if (!bus_has_answered(q)) return;
    if (outcome != BUS_TAKEN) {
        question_end(q, "the message bus is not available");
        return;
    }
    q->is_busy = true;
    struct bus *bus = q->of->bus;
    bus->ops->count(bus, q->request->nsp, on_counted, q);
    questions_bus_waits(q->of);
}

void question_ask(struct questions *qs, const struct bus_request *r, uint64_t timeout_ms,
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
    wheel_set(qs->wheel, &q->timer, qs->owner->now(qs->arg) + (q->held ? timeout : 0));
    if (!q->held) return;
    q->is_busy = true;
    qs->bus->ops->sync(qs->bus, on_synced, q);
    questions_bus_waits(qs);
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
