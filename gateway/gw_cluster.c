/* Answers to the cluster: what other nodes (and this one, through the bus) ask for; and the gateway's
 * part in its own questions.
 *
 * Joins, leaves and disconnects are carried out when they come back from the bus, the own ones too,
 * so that all nodes see them in one order with the broadcasts. Every question that wants an answer
 * gets exactly one: Node counts them. */

/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Gateway */
#include "gw_cluster.h"
#include "gw_cluster_list.h"
#include "gw_fanout.h"
#include "gw_socket.h"

#define ANSWER_SPARE 512              /* of bus.max_message: what an answer has beside its list */
#define ACK_TIMEOUT_MAX (600 * 1000u) /* nobody waits longer for an ack, whoever asks (ms) */

/* ---- where an answer goes that is given later */

/* One allocation; the texts stand one behind the other. */
struct return_to {
    size_t nsp_len, id_len, uid_len;
    char text[];
};

/* The text of nothing may be NULL. */
static void put_text(char *to, struct str_view v)
{
    if (v.n) memcpy(to, v.p, v.n);
}

static struct return_to *return_new(const struct bus_request *r)
{
    struct return_to *t = x_malloc(sizeof(*t) + r->nsp.n + r->id.n + r->uid.n);
    *t = (struct return_to){r->nsp.n, r->id.n, r->uid.n};
    put_text(t->text, r->nsp);
    put_text(t->text + r->nsp.n, r->id);
    put_text(t->text + r->nsp.n + r->id.n, r->uid);
    return t;
}

static struct str_view return_id(const struct return_to *t)
{
    return sv_make(t->text + t->nsp_len, t->id_len);
}

static void return_answer(struct gateway *gw, const struct return_to *t, struct bus_response r)
{
    if (gw->is_ending) return;
    r.nsp = sv_make(t->text, t->nsp_len);
    r.id = return_id(t);
    r.to = sv_make(t->text + t->nsp_len + t->id_len, t->uid_len);
    r.uid = gw->bus->uid;
    gw->bus->ops->respond(gw->bus, &r);
    gw->bus_waits = true;
}

/* ---- sockets that are told to do something */

static void carry_out(struct gw_socket *s, const struct bus_request *r)
{
    if (s->state != GW_SOCKET_READY) return;
    for (unsigned i = 0; i < r->ntargets; i++) {
        if (r->type == BUS_REMOTE_JOIN)
            (void)gw_socket_join(s, r->targets[i]);
        else
            gw_socket_leave(s, r->targets[i]);
    }
    if (r->type == BUS_REMOTE_DISCONNECT) gw_socket_disconnect(s, r->close);
}

static struct bus_target which_of(const struct bus_request *r)
{
    return (struct bus_target){
        .rooms = r->rooms, .except = r->except, .nrooms = r->nrooms, .nexcept = r->nexcept};
}

static struct bus_response response_to(struct gateway *gw, const struct bus_request *r,
                                       enum bus_response_type type)
{
    return (struct bus_response){
        .type = type, .nsp = r->nsp, .id = r->id, .to = r->uid, .uid = gw->bus->uid};
}

static void say_done(struct gateway *gw, struct return_to *to)
{
    return_answer(gw, to, (struct bus_response){.type = BUS_DONE});
    x_free(to);
}

struct join_done {
    struct gateway *gw;
    struct return_to *to;
};

static void on_joined(enum bus_outcome outcome, void *arg)
{
    struct join_done *d = arg;
    if (outcome == BUS_TAKEN)
        say_done(d->gw, d->to);
    else
        x_free(d->to);
    x_free(d);
}

/* The old form: one socket, and its node says that it is done; of a join when the room is heard. */
static void on_old_command(struct gateway *gw, const struct bus_request *r)
{
    struct bus *bus = gw->bus;
    struct gw_socket *s = gw_socket_find(gw, r->nsp, r->sid);
    if (!s) return;
    carry_out(s, r);
    if (!r->id.n) return;
    if (bus->ops->is_synced(bus)) {
        say_done(gw, return_new(r));
        return;
    }
    struct join_done *d = x_malloc(sizeof(*d));
    *d = (struct join_done){gw, return_new(r)};
    bus->ops->sync(bus, on_joined, d);
}

static void on_command(struct gateway *gw, const struct bus_request *r)
{
    struct bus_target which = which_of(r);
    struct gw_socket **list;
    size_t n = gw_fanout_select(gw, r->nsp, &which, &list);
    for (size_t i = 0; i < n; i++)
        carry_out(list[i], r);
    x_free(list);
}

/* ---- questions */

static enum bus_response_type answer_type(enum bus_request_type asked)
{
    if (asked == BUS_REMOTE_FETCH) return BUS_FETCHED;
    return asked == BUS_SOCKETS ? BUS_SOCKET_IDS : BUS_ROOMS;
}

static void on_question(struct gateway *gw, const struct bus_request *r)
{
    struct buf json;
    struct question *own = questions_find(gw->questions, r->id);
    if (own) questions_add_own(own);
    if (own || !r->id.n) return;
    buf_init(&json, (size_t)gw->cfg->bus_max_message - ANSWER_SPARE);
    struct bus_response answer = response_to(gw, r, answer_type(r->type));
    answer.is_cut = !gw_cluster_put_list(&json, gw, r);
    answer.json = buf_view(&json);
    if (answer.is_cut) gw->bus->stats.cut++;
    gw->bus->ops->respond(gw->bus, &answer);
    buf_fini(&json);
}

/* ---- events between servers */

struct gw_cluster_ask {
    struct return_to *to;
};

void gw_cluster_ignore(struct gw_cluster_ask *ask)
{
    x_free(ask->to);
    x_free(ask);
}

void gw_cluster_answer(struct gateway *gw, struct gw_cluster_ask *ask, struct str_view json)
{
    return_answer(gw, ask->to, (struct bus_response){.type = BUS_SERVER_ACK, .json = json});
    gw_cluster_ignore(ask);
}

static struct gw_cluster_ask *ask_new(const struct bus_request *r)
{
    struct gw_cluster_ask *a = x_malloc(sizeof(*a));
    a->to = return_new(r);
    return a;
}

static void on_server_event(struct gateway *gw, const struct bus_request *r)
{
    const struct gw_handler *h = gw->handler;
    struct gw_cluster_ask *ask;
    if (sv_eq(r->uid, gw->bus->uid)) return; /* it is for the others */
    ask = r->id.n ? ask_new(r) : NULL;
    if (h && h->server_event)
        h->server_event(h->ctx, gw, r->nsp, r->json, ask);
    else if (ask) /* nobody here has an opinion, and the asker counts answers */
        gw_cluster_answer(gw, ask, SV("null"));
}

/* ---- broadcasts with acks */

/* What the acks of one broadcast share; one reference for each client that is asked. */
struct ack_group {
    struct gateway *gw;
    size_t refs;
    bool is_own;
    struct return_to *to;
};

static void group_rele(struct ack_group *g)
{
    if (--g->refs) return;
    x_free(g->to);
    x_free(g);
}

/* The rest is dropped, as the reference does it. Placeholders keep their numbers: all attachments go
 * along. */
static struct str_view first_argument(struct str_view args)
{
    struct json_iter it;
    struct str_view first = SV("");
    if (!args.n) return first;
    json_iter_init(&it, args);
    if (!json_array_next(&it, &first)) first = SV("");
    return first;
}

static void on_client_ack(void *arg, bool answered, struct str_view args,
                          const struct str_view *attachments, unsigned n)
{
    struct ack_group *g = arg;
    struct str_view first = first_argument(args);
    struct question *own = g->is_own ? questions_find(g->gw->questions, return_id(g->to)) : NULL;
    if (own)
        questions_add_ack(own, answered, first, attachments, n);
    else if (answered && !g->is_own)
        return_answer(g->gw, g->to,
                      (struct bus_response){.type = BUS_CLIENT_ACK,
                                            .json = first,
                                            .attachments = attachments,
                                            .nattachments = n});
    group_rele(g);
}

static struct ack_group *group_new(struct gateway *gw, const struct bus_request *r)
{
    struct ack_group *g = x_malloc(sizeof(*g));
    *g = (struct ack_group){
        .gw = gw, .is_own = questions_find(gw->questions, r->id) != NULL, .to = return_new(r)};
    return g;
}

static void on_broadcast(struct gateway *gw, const struct bus_request *r)
{
    uint64_t timeout = r->timeout_ms ? r->timeout_ms : (uint64_t)gw->cfg->bus_request_timeout;
    if (timeout > ACK_TIMEOUT_MAX) timeout = ACK_TIMEOUT_MAX;
    struct bus_msg m = {.nsp = r->nsp,
                        .json = r->json,
                        .rooms = r->rooms,
                        .except = r->except,
                        .attachments = r->attachments,
                        .nrooms = r->nrooms,
                        .nexcept = r->nexcept,
                        .nattachments = r->nattachments};
    struct ack_group *g = group_new(gw, r);
    size_t n = gw_fanout_ask(gw, &m, timeout, on_client_ack, g);
    g->refs = n + 1; /* no ack can have come from within the walk */
    struct question *own = g->is_own ? questions_find(gw->questions, r->id) : NULL;
    if (own) {
        questions_add_count(own, gw->bus->uid, n);
    } else if (r->id.n) {
        struct bus_response count = response_to(gw, r, BUS_CLIENT_COUNT);
        count.count = n;
        gw->bus->ops->respond(gw->bus, &count);
    }
    group_rele(g);
}

void gw_cluster_on_request(const struct bus_request *r, void *arg)
{
    struct gateway *gw = arg;
    gw->bus_waits = true; /* answers leave in this turn */
    switch (r->type) {
    case BUS_SOCKETS:
    case BUS_ALL_ROOMS:
    case BUS_REMOTE_FETCH: on_question(gw, r); break;
    case BUS_REMOTE_JOIN:
    case BUS_REMOTE_LEAVE:
    case BUS_REMOTE_DISCONNECT:
        if (r->sid.n)
            on_old_command(gw, r);
        else
            on_command(gw, r);
        break;
    case BUS_SERVER_SIDE_EMIT: on_server_event(gw, r); break;
    case BUS_BROADCAST: on_broadcast(gw, r); break;
    }
}

void gw_cluster_on_response(const struct bus_response *r, void *arg)
{
    questions_on_response(((struct gateway *)arg)->questions, r);
}

/* ---- the gateway's part in its own questions */

static uint64_t now(void *arg)
{
    return loop_now(((struct gateway *)arg)->loop);
}

static void bus_waits(void *arg)
{
    ((struct gateway *)arg)->bus_waits = true;
}

static void *hold(struct str_view nsp, void *arg)
{
    struct gw_nsp *n = gw_nsp_get(arg, nsp);
    if (n) gw_nsp_hold(n);
    return n;
}

static void let_go(void *held, void *arg)
{
    (void)arg;
    gw_nsp_rele(held);
}

static bool put_own(struct buf *out, const struct bus_request *r, void *arg)
{
    return gw_cluster_put_list(out, arg, r);
}

struct questions *gw_cluster_questions_new(struct gateway *gw)
{
    static const struct questions_owner owner = {
        .now = now, .bus_waits = bus_waits, .hold = hold, .let_go = let_go, .put_own = put_own};
    return questions_new(&owner, gw, gw->bus, loop_wheel(gw->loop), gw->cfg);
}
