/* Design notes
 *
 * While it waits for the bus a socket stays PENDING: in no room, hears nothing. What it will need is
 * wished for on the bus meanwhile; when it enters the rooms these wish for the same, and the first
 * wishes are taken back. It may be gone when the bus answers: found again by its id. */

/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_admit.h"
#include "gw_ask.h"
#include "gw_auth.h"
#include "gw_login.h"
#include "gw_work.h"

struct gw_admission {
    struct gateway *gw;
    struct gw_nsp *nsp;           /* held */
    struct gw_identity *identity; /* held; may be NULL */
    uint32_t serial;              /* the socket's; its id may have gone to another one by then */
    size_t id_len;
    char id[GW_SOCKET_ID_MAX];
    bool by_event, wants_ack, is_renewal;
    uint64_t ack_id;
    struct str_view
        auth; /* what the client said at CONNECT; a waiting one's is behind the struct */
};

/* ---- wishes */

static void wish(struct str_view room, void *arg)
{
    const struct gw_admission *a = arg;
    a->gw->bus->ops->join(a->gw->bus, a->nsp->view, room);
}

static void unwish(struct str_view room, void *arg)
{
    const struct gw_admission *a = arg;
    a->gw->bus->ops->leave(a->gw->bus, a->nsp->view, room);
}

static void release(struct gw_admission *a)
{
    gw_socket_each_identity_room(a->identity, unwish, a);
    gw_nsp_rele(a->nsp);
    gw_identity_rele(a->identity);
}

/* ---- the end of waiting */

static void say_authenticated(struct gw_socket *s, const struct gw_admission *a)
{
    struct gw_event e = {.wants_ack = a->wants_ack, .ack_id = a->ack_id};
    gw_acks_send_ok(s, &e);
    gw_socket_emit(s, SV("[\"authenticated\"]"), NULL, 0);
}

static void admit(struct gw_socket *s, const struct gw_admission *a)
{
    const struct gw_handler *handler = a->gw->handler;
    if (a->by_event)
        say_authenticated(s, a);
    else
        gw_socket_say_connected(s);
    gw_socket_admit(s, a->identity);
    gw_login_arm(s);
    gw_work_connect(s, a->auth);
    if (handler && handler->connect) handler->connect(handler->ctx, s, a->auth);
}

static void decide(struct gw_socket *s, enum bus_outcome outcome, const struct gw_admission *a)
{
    if (outcome == BUS_TAKEN && a->is_renewal)
        say_authenticated(s, a);
    else if (outcome == BUS_TAKEN)
        admit(s, a);
    else /* a refusal would be final for the client; so it tries again, perhaps elsewhere */
        gw_conn_doom(s->conn, REASON_BUS_UNAVAILABLE);
}

static void on_heard(enum bus_outcome outcome, void *arg)
{
    struct gw_admission *a = arg;
    struct gw_socket *s = NULL;
    HASH_FIND(hh, a->nsp->by_id, a->id, a->id_len, s);
    if (s && s->serial == a->serial) decide(s, outcome, a);
    release(a);
    x_free(a);
}

static struct gw_admission *keep(const struct gw_socket *s, const struct gw_admission *a)
{
    struct gw_admission *kept = x_malloc(sizeof(*kept) + a->auth.n);
    *kept = *a;
    kept->serial = s->serial;
    kept->id_len = s->id_len;
    memcpy(kept->id, s->id, s->id_len);
    if (a->auth.n) memcpy(kept + 1, a->auth.p, a->auth.n);
    kept->auth.p = (const char *)(kept + 1);
    return kept;
}

/* If the bus hears already (it always does without Redis) nothing is kept. */
static void ask_bus(struct gw_socket *s, struct gw_identity *identity, struct gw_admission *a)
{
    struct bus *bus = s->conn->gw->bus;
    a->gw = s->conn->gw;
    a->nsp = s->nsp;
    gw_nsp_hold(a->nsp);
    if (identity) a->identity = gw_identity_hold(identity);
    gw_socket_each_identity_room(a->identity, wish, a);
    if (bus->ops->is_synced(bus)) {
        decide(s, BUS_TAKEN, a);
        release(a);
        return;
    }
    a->gw->bus_waits = true;
    bus->ops->sync(bus, on_heard, keep(s, a));
}

static void begin(struct gw_socket *s, struct gw_identity *identity, struct gw_admission *a)
{
    s->is_admitting = true;
    wheel_drop(loop_wheel(s->conn->gw->loop), &s->timer);
    if (gw_ask_wants(s->conn->gw, s->nsp->view)) {
        if (identity) a->identity = gw_identity_hold(identity);
        gw_ask_begin(s, keep(s, a));
    } else {
        ask_bus(s, identity, a);
    }
}

/* ---- what a worker has been asked about */

struct str_view gw_admit_auth(const struct gw_admission *a)
{
    return a->auth;
}

const struct gw_identity *gw_admit_identity(const struct gw_admission *a)
{
    return a->identity;
}

void gw_admit_drop(struct gw_admission *a)
{
    gw_identity_rele(a->identity);
    x_free(a);
}

void gw_admit_go_on(struct gw_socket *s, struct gw_admission *a)
{
    struct gw_admission now = *a;
    now.identity = NULL;
    ask_bus(s, a->identity, &now);
    gw_admit_drop(a);
}

void gw_admit_reject(struct gw_socket *s, const struct gw_admission *a,
                     const struct gw_rejection *r)
{
    struct gw_event e = {.wants_ack = a->wants_ack, .ack_id = a->ack_id};
    if (a->by_event)
        gw_login_reject_event(s, &e, r);
    else
        gw_login_reject_connect(s, r);
}

/* ---- the start */

void gw_admit_connect(struct gw_socket *s, struct gw_identity *identity, struct str_view auth)
{
    begin(s, identity, &(struct gw_admission){.auth = auth});
}

static struct gw_admission asked_by(const struct gw_event *e)
{
    return (struct gw_admission){
        .by_event = true, .wants_ack = e->wants_ack, .ack_id = e->ack_id, .auth = SV("{}")};
}

void gw_admit_authenticate(struct gw_socket *s, struct gw_identity *identity,
                           const struct gw_event *e)
{
    struct gw_admission a = asked_by(e);
    begin(s, identity, &a);
}

void gw_admit_renew(struct gw_socket *s, struct gw_identity *identity, const struct gw_event *e)
{
    struct gw_admission a = asked_by(e);
    a.is_renewal = true;
    gw_socket_renew(s, identity);
    gw_login_arm(s);
    ask_bus(s, NULL, &a);
}
