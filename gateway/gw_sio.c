/* Design notes
 *
 * What the reference closes the connection for, is closed here: packets that do not decode, packets
 * for a namespace that is not joined, a second CONNECT, a client's CONNECT_ERROR. While a binary
 * packet waits for its attachments only they may come. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_url.h"
/* Gateway */
#include "gw_events.h"
#include "gw_login.h"
#include "gw_sio.h"
#include "gw_socket.h"

#define JOINS_A_SECOND 64 /* or twice the namespaces that are allowed */

static void violation(struct gw_conn *c)
{
    c->gw->count.packets_bad++;
    gw_conn_close(c, REASON_PROTOCOL_ERROR);
}

/* Joining and leaving costs a few bytes on the wire, and here a socket until the turn's end and two
 * log lines. */
static bool joins_too_often(struct gw_conn *c)
{
    uint64_t now = loop_now(c->gw->loop);
    int64_t max = 2 * c->gw->cfg->socketio_max_namespaces;
    if (now - c->joins_since >= 1000) {
        c->joins_since = now;
        c->joins = 0;
    }
    return ++c->joins > (max > JOINS_A_SECOND ? max : JOINS_A_SECOND);
}

static void enter(struct gw_conn *c, struct gw_nsp *nsp, struct str_view auth)
{
    gw_nsp_hold(nsp);
    gw_login_connect(c, nsp, auth);
    gw_nsp_rele(nsp);
}

static void on_connect(struct gw_conn *c, const struct sio_packet *p)
{
    int64_t n = 0;
    for (struct gw_socket *s = c->sockets; s; s = s->next)
        n++;
    if (joins_too_often(c) || gw_socket_of(c, p->nsp)) {
        violation(c);
        return;
    }
    if (n >= c->gw->cfg->socketio_max_namespaces) {
        c->gw->count.refusals[GW_REFUSAL_TOO_MANY_NAMESPACES]++;
        gw_login_refuse(c, p->nsp, "Too many namespaces", SV(""));
        return;
    }
    struct gw_nsp *nsp = gw_nsp_get(c->gw, p->nsp);
    if (!nsp) {
        c->gw->count.refusals[GW_REFUSAL_INVALID_NAMESPACE]++;
        gw_login_refuse_nsp(c, p->nsp);
        return;
    }
    enter(c, nsp, p->json.n ? p->json : SV("{}"));
}

void gw_sio_await_connect(struct gw_conn *c)
{
    struct loop *loop = c->gw->loop;
    wheel_set(loop_wheel(loop), &c->connect_timer,
              loop_now(loop) + (uint64_t)c->gw->cfg->socketio_connect_timeout);
}

static void on_packet(struct gw_conn *c, const struct sio_packet *p,
                      const struct str_view *attachments)
{
    if (p->type == SIO_CONNECT) {
        on_connect(c, p);
        return;
    }
    struct gw_socket *s = gw_socket_of(c, p->nsp);
    if (!s || p->type == SIO_CONNECT_ERROR) {
        violation(c);
        return;
    }
    switch (p->type) {
    case SIO_DISCONNECT:
        gw_socket_end(s, REASON_CLIENT_DISCONNECT);
        /* Who leaves before authenticating does not keep the connection for ever. */
        if (!c->sockets && !c->is_trusted && !c->is_dead) gw_sio_await_connect(c);
        break;
    case SIO_EVENT:
    case SIO_BINARY_EVENT: gw_events_handle(s, p, attachments); break;
    case SIO_ACK:
    case SIO_BINARY_ACK:
        if (p->has_id && s->state == GW_SOCKET_READY)
            gw_acks_answer(s, p->id, p->json, attachments, p->attachments);
        break;
    case SIO_CONNECT:
    case SIO_CONNECT_ERROR: break;
    }
}

/* ---- clients of Engine.IO 3 */

/* They ask for no CONNECT to the main namespace; where configuration has none, nothing is said, for
 * they would report an error of it in every namespace. */
static void enter_main(struct gw_conn *c)
{
    struct gw_nsp *nsp = gw_nsp_get(c->gw, SV("/"));
    if (nsp) enter(c, nsp, SV("{}"));
}

/* Their namespaces are URLs, and CONNECT's payload is the query. */
static void on_old_packet(struct gw_conn *c, const struct sio_packet *p,
                          const struct str_view *attachments)
{
    struct buf name, auth;
    struct sio_packet plain = *p;
    buf_init(&name, GW_NSP_MAX);
    buf_init(&auth, 8 * p->nsp_query.n + 8); /* a byte becomes six at most */
    if (sio_url_read(p->nsp, p->nsp_query, &name, &auth)) {
        plain.nsp = buf_view(&name);
        if (p->type == SIO_CONNECT) plain.json = buf_view(&auth);
        on_packet(c, &plain, attachments);
    } else {
        violation(c);
    }
    if (auth.p) explicit_bzero(auth.p, auth.n); /* it may hold a token */
    buf_fini(&auth);
    buf_fini(&name);
}

static void on_any_packet(struct gw_conn *c, const struct sio_packet *p,
                          const struct str_view *attachments)
{
    if (c->eio.version == EIO_V3 && (p->nsp.n > 1 || p->nsp_query.n))
        on_old_packet(c, p, attachments);
    else
        on_packet(c, p, attachments);
}

/* ---- packets with attachments */

static struct sio_limits limits_of(const struct gw_conn *c)
{
    const struct cfg *cfg = c->gw->cfg;
    return (struct sio_limits){.max_attachments = (unsigned)cfg->socketio_max_attachments,
                               .max_depth = (unsigned)cfg->socketio_max_json_depth,
                               .max_nsp = GW_NSP_MAX};
}

static void drop_assembler(struct gw_conn *c)
{
    if (!c->assembler) return;
    sio_assembler_fini(c->assembler);
    x_free(c->assembler);
    c->assembler = NULL;
}

/* The last attachment is here: the kept text is decoded again, now for good. */
static void on_assembled(struct gw_conn *c)
{
    struct sio_assembler *a = c->assembler;
    struct sio_limits limits = limits_of(c);
    struct str_view attachments[SIO_ATTACHMENTS_LIMIT];
    struct sio_packet p;
    const char *why;
    c->assembler = NULL; /* handling may end the connection */
    for (unsigned i = 0; i < a->want; i++)
        attachments[i] = sio_assembler_get(a, i);
    if (sio_packet_decode(buf_view(&a->text), &limits, &p, &why) == VERDICT_OK)
        on_any_packet(c, &p, attachments);
    sio_assembler_fini(a);
    x_free(a);
}

static void on_binary(struct gw_conn *c, struct str_view data)
{
    if (!c->assembler) {
        violation(c);
        return;
    }
    switch (sio_assembler_add(c->assembler, data.p, data.n)) {
    case VERDICT_OK: on_assembled(c); break;
    case VERDICT_MORE: break;
    case VERDICT_BAD: violation(c); break;
    }
}

static void on_text(struct gw_conn *c, struct str_view data)
{
    struct sio_limits limits = limits_of(c);
    struct sio_packet p;
    const char *why = "";
    if (c->assembler || sio_packet_decode(data, &limits, &p, &why) != VERDICT_OK) {
        violation(c);
    } else if (p.attachments) {
        c->assembler = x_calloc(1, sizeof(*c->assembler));
        if (!sio_assembler_begin(c->assembler, data, p.attachments, gw_conn_max_message(c)))
            violation(c);
    } else {
        on_any_packet(c, &p, NULL);
    }
}

/* What a client may send before any of its sockets is authenticated. */
static bool spend_budget(struct gw_conn *c, size_t n)
{
    const struct cfg *cfg = c->gw->cfg;
    if (c->is_trusted) return true;
    c->pending_packets++;
    c->pending_bytes += (uint32_t)(n < UINT32_MAX / 2 ? n : UINT32_MAX / 2);
    return c->pending_packets <= cfg->auth_pending_max_packets &&
           c->pending_bytes <= cfg->auth_pending_max_bytes;
}

/* ---- upper layer */

static void on_connect_timeout(struct wheel_entry *e)
{
    struct gw_conn *c = (struct gw_conn *)((char *)e - offsetof(struct gw_conn, connect_timer));
    gw_conn_close(c, REASON_CONNECT_TIMEOUT);
}

static void opened(struct gw_conn *c)
{
    c->connect_timer.fire = on_connect_timeout;
    gw_sio_await_connect(c);
    if (c->eio.version == EIO_V3) enter_main(c);
}

static void message(struct gw_conn *c, bool binary, struct str_view data)
{
    if (!spend_budget(c, data.n))
        gw_conn_close(c, REASON_PENDING_BUDGET);
    else if (binary)
        on_binary(c, data);
    else
        on_text(c, data);
}

static void closed(struct gw_conn *c, enum close_reason reason)
{
    wheel_drop(loop_wheel(c->gw->loop), &c->connect_timer);
    drop_assembler(c);
    while (c->sockets)
        gw_socket_end(c->sockets, reason);
}

const struct gw_upper gw_sio_upper = {opened, message, closed};
