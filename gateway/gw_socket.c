/* System */
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
/* Gateway */
#include "gw_ask.h"
#include "gw_auth.h"
#include "gw_socket.h"
#include "gw_work.h"

/* Levels of an answer to other nodes around a socket's data: they take no deeper JSON. */
#define DATA_LIES_IN 3

static void log_socket(const struct gw_socket *s, const char *msg, enum close_reason reason)
{
    struct log_line l;
    char addr[64];
    log_begin(&l, LOG_INFO, msg);
    if (!log_wants(LOG_INFO)) return;
    gw_conn_addr(s->conn, addr, sizeof(addr));
    log_kv(&l, "sid", gw_socket_id(s));
    log_kv(&l, "ns", s->nsp->view);
    log_kv(&l, "user", gw_socket_user(s));
    log_kv_c(&l, "addr", addr);
    log_kv_c(&l, "transport", gw_conn_transport(s->conn));
    if (reason) {
        log_kv_c(&l, "reason", close_reason_text(reason));
        log_kv_u64(&l, "age_ms", loop_now(s->conn->gw->loop) - s->connected_at);
    }
    log_end(&l);
}

static size_t make_id(char out[GW_SOCKET_ID_MAX], const struct gw_conn *c, struct str_view nsp)
{
    size_t n = 0;
    if (c->eio.version == EIO_V4) {
        id_make(out, c->gw->node);
        return ID_LEN;
    }
    if (nsp.n > 1) {
        memcpy(out, nsp.p, nsp.n);
        out[nsp.n] = '#';
        n = nsp.n + 1;
    }
    memcpy(out + n, c->sid, ID_LEN);
    return n + ID_LEN;
}

struct gw_socket *gw_socket_new(struct gw_conn *c, struct gw_nsp *nsp)
{
    static uint32_t serials;
    char id[GW_SOCKET_ID_MAX];
    size_t id_len = make_id(id, c, nsp->view);
    struct gw_socket *s = x_calloc(1, sizeof(*s) + id_len);
    s->id_len = (uint16_t)id_len;
    memcpy(s->id, id, id_len);
    s->serial = ++serials;
    s->conn = c;
    s->nsp = nsp;
    gw_room_none(s);
    gw_nsp_hold(nsp);
    s->state = GW_SOCKET_PENDING;
    s->connected_at = loop_now(c->gw->loop);
    HASH_ADD_KEYPTR(hh, nsp->by_id, s->id, id_len, s);
    s->next = c->sockets;
    c->sockets = s;
    return s;
}

struct gw_socket *gw_socket_of(struct gw_conn *c, struct str_view nsp)
{
    for (struct gw_socket *s = c->sockets; s; s = s->next)
        if (sv_eq(s->nsp->view, nsp)) return s;
    return NULL;
}

/* ---- identity and its rooms */

static void user_room(const struct gw_identity *id, gw_room_cb act, void *arg)
{
    static const char user[] = "user:";
    char name[GW_ROOM_MAX];
    size_t n = sizeof(user) - 1;
    if (!id->sub.n || n + id->sub.n > sizeof(name)) return;
    memcpy(name, user, n);
    memcpy(name + n, id->sub.p, id->sub.n);
    act(sv_make(name, n + id->sub.n), arg);
}

static void claim_rooms(const struct gw_identity *id, gw_room_cb act, void *arg)
{
    struct str_view rest = id->rooms;
    while (rest.n) {
        size_t n = sv_find(rest, '\0');
        act(sv_make(rest.p, n), arg);
        rest = sv_skip(rest, n < rest.n ? n + 1 : n);
    }
}

void gw_socket_each_identity_room(const struct gw_identity *id, gw_room_cb act, void *arg)
{
    if (!id) return;
    user_room(id, act, arg);
    claim_rooms(id, act, arg);
}

static void join(struct str_view room, void *arg)
{
    if (!gw_room_join(arg, room)) log_debug("a room of a token's claim cannot be joined");
}

static void leave(struct str_view room, void *arg)
{
    gw_room_leave(arg, room);
}

void gw_socket_admit(struct gw_socket *s, struct gw_identity *identity)
{
    assert(s->state == GW_SOCKET_PENDING);
    s->state = GW_SOCKET_READY;
    s->is_admitting = false;
    s->conn->is_trusted = true;
    if (s->conn->ws) gw_ws_set_limit(s->conn->ws, (size_t)s->conn->gw->cfg->gateway_max_payload);
    gw_nsp_add(s->nsp, s);
    s->conn->gw->nsockets++;
    s->conn->gw->count.sockets++;
    s->conn->gw->gauge.by_source[s->auth_from]++;
    if (identity) {
        s->identity = gw_identity_hold(identity);
        gw_socket_each_identity_room(identity, join, s);
    }
    log_socket(s, "connected", REASON_NONE);
}

void gw_socket_renew(struct gw_socket *s, struct gw_identity *identity)
{
    struct gw_identity *old = s->identity;
    s->identity = gw_identity_hold(identity);
    if (old) claim_rooms(old, leave, s);
    claim_rooms(identity, join, s);
    gw_identity_rele(old);
    s->warned = false;
}

/* ---- the end */

static void unlink_from_conn(struct gw_socket *s)
{
    struct gw_socket **p = &s->conn->sockets;
    while (*p != s)
        p = &(*p)->next;
    *p = s->next;
}

void gw_socket_end(struct gw_socket *s, enum close_reason reason)
{
    struct gateway *gw = s->conn->gw;
    if (s->state == GW_SOCKET_GONE) return;
    bool was_ready = s->state == GW_SOCKET_READY;
    s->state = GW_SOCKET_GONE;
    unlink_from_conn(s); /* first: the handler may end the connection's other sockets */
    wheel_drop(loop_wheel(gw->loop), &s->timer);
    log_socket(s, was_ready ? "disconnected" : "not authenticated", reason);
    if (was_ready && gw->handler && gw->handler->disconnect)
        gw->handler->disconnect(gw->handler->ctx, s, reason);
    gw_work_disconnect(s, s->asked ? gw_admit_identity(s->asked) : s->identity, reason);
    gw_ask_drop(s);
    gw_acks_fail_all(s);
    gw_room_leave_all(s);
    if (was_ready) {
        gw_nsp_remove(s->nsp, s);
        gw->nsockets--;
        gw->gauge.by_source[s->auth_from]--;
    }
    HASH_DEL(s->nsp->by_id, s);
    s->next = gw->gone_sockets;
    gw->gone_sockets = s;
}

void gw_socket_kick(struct gw_socket *s, enum close_reason reason)
{
    if (s->state == GW_SOCKET_GONE) return;
    gw_socket_send(s, SIO_DISCONNECT, NULL, SV(""), NULL, 0);
    gw_socket_end(s, reason);
}

void gw_socket_disconnect(struct gw_socket *s, bool close)
{
    struct gw_conn *c = s->conn;
    gw_socket_kick(s, REASON_SERVER_DISCONNECT);
    /* Doomed, not closed: the caller may be in the middle of one of its packets. */
    if (close) {
        while (c->sockets)
            gw_socket_kick(c->sockets, REASON_SERVER_DISCONNECT);
        gw_conn_doom(c, REASON_FORCED_CLOSE);
    }
}

void gw_socket_reap(struct gateway *gw)
{
    while (gw->gone_sockets) {
        struct gw_socket *s = gw->gone_sockets;
        gw->gone_sockets = s->next;
        gw_nsp_rele(s->nsp);
        gw_identity_rele(s->identity);
        x_free(s->data);
        x_free(s);
    }
}

/* ---- sending */

void gw_socket_send(struct gw_socket *s, int sio_type, const uint64_t *id, struct str_view json,
                    const struct str_view *attachments, unsigned n)
{
    struct buf head;
    if (s->state == GW_SOCKET_GONE) return;
    if (n && sio_type == SIO_EVENT) sio_type = SIO_BINARY_EVENT;
    if (n && sio_type == SIO_ACK) sio_type = SIO_BINARY_ACK;
    buf_init(&head, GW_NSP_MAX + 64);
    bool fits = sio_packet_encode_head(&head, (enum sio_type)sio_type, n, s->nsp->view, id);
    assert(fits);
    (void)fits;
    struct eio_msg *m = eio_msg_new(buf_view(&head), json, attachments, n);
    gw_conn_send(s->conn, m);
    eio_msg_rele(m);
    buf_fini(&head);
}

void gw_socket_say_connected(struct gw_socket *s)
{
    struct gw_conn *c = s->conn;
    char json[ID_LEN + 16];
    int n = 0;
    if (c->eio.version == EIO_V4)
        n = snprintf(json, sizeof(json), "{\"sid\":\"%.*s\"}", SV_ARG(gw_socket_id(s)));
    gw_socket_send(s, SIO_CONNECT, NULL, sv_make(json, (size_t)n), NULL, 0);
    wheel_drop(loop_wheel(c->gw->loop), &c->connect_timer);
}

void gw_socket_emit(struct gw_socket *s, struct str_view json, const struct str_view *attachments,
                    unsigned n)
{
    gw_socket_send(s, SIO_EVENT, NULL, json, attachments, n);
}

void gw_socket_ack(struct gw_socket *s, uint64_t ack_id, struct str_view json,
                   const struct str_view *attachments, unsigned n)
{
    gw_socket_send(s, SIO_ACK, &ack_id, json, attachments, n);
}

/* ---- for handlers */

/* Most names of rooms are not, and need not be looked for. */
static bool is_id_like(struct str_view nsp, struct str_view id)
{
    return id.n == ID_LEN || (id.n == nsp.n + 1 + ID_LEN && id.p[nsp.n] == '#');
}

struct gw_socket *gw_socket_find_same(struct gateway *gw, struct str_view nsp, struct str_view id,
                                      uint64_t serial)
{
    struct gw_nsp *n = gw_nsp_find(gw, nsp);
    struct gw_socket *s = NULL;
    if (n) HASH_FIND(hh, n->by_id, id.p, id.n, s);
    return s && s->serial == serial ? s : NULL;
}

struct gw_socket *gw_socket_find(struct gateway *gw, struct str_view nsp, struct str_view id)
{
    struct gw_nsp *n = gw_nsp_find(gw, nsp);
    struct gw_socket *s = NULL;
    if (!n || !is_id_like(n->view, id)) return NULL;
    HASH_FIND(hh, n->by_id, id.p, id.n, s);
    return s && s->state == GW_SOCKET_READY ? s : NULL;
}

struct str_view gw_socket_id(const struct gw_socket *s)
{
    return sv_make(s->id, s->id_len);
}

struct str_view gw_socket_nsp(const struct gw_socket *s)
{
    return s->nsp->view;
}

struct gateway *gw_socket_gateway(const struct gw_socket *s)
{
    return s->conn->gw;
}

struct str_view gw_socket_user(const struct gw_socket *s)
{
    return s->identity ? s->identity->sub : SV("");
}

struct str_view gw_socket_claims(const struct gw_socket *s)
{
    return s->identity ? s->identity->claims : SV("{}");
}

struct str_view gw_socket_data(const struct gw_socket *s)
{
    return s->data ? sv_of(s->data) : SV("null");
}

bool gw_socket_set_data(struct gw_socket *s, struct str_view json)
{
    int64_t depth = s->conn->gw->cfg->socketio_max_json_depth - DATA_LIES_IN;
    enum json_kind kind;
    const char *why;
    if (json.n > GW_DATA_MAX || !utf8_is_valid(json) ||
        !json_scan_value(json, depth > 0 ? (unsigned)depth : 0, -1, &kind, &why))
        return false;
    x_free(s->data);
    s->data = kind == JSON_NULL ? NULL : x_memdup(json.p, json.n);
    gw_work_data_changed(s);
    return true;
}

bool gw_socket_is_in(const struct gw_socket *s, struct str_view room)
{
    const struct gw_room *r = gw_nsp_room(s->nsp, room);
    return (r && gw_room_has(r, s)) || sv_eq(room, gw_socket_id(s));
}

bool gw_socket_join(struct gw_socket *s, struct str_view room)
{
    if (s->state != GW_SOCKET_READY) return false;
    return sv_eq(room, gw_socket_id(s)) || gw_room_join(s, room);
}

void gw_socket_leave(struct gw_socket *s, struct str_view room)
{
    gw_room_leave(s, room);
}
