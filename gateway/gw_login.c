/* Design notes
 *
 * - The token of the handshake request is verified at the first namespace connect that needs it and
 *   then forgotten; the identity stays for further namespaces of the connection (if it has not
 *   expired by then).
 * - One timer per socket: the authentication deadline while PENDING; then the expiry warning, then
 *   the expiry. The wall clock is asked again when it fires, so a clock that was set or a machine
 *   that slept does not matter.
 * - A refresh must be for the same subject; one that fails leaves the socket as it was until its
 *   own expiry. */

/* System */
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Gateway */
#include "gw_admit.h"
#include "gw_auth.h"
#include "gw_login.h"
#include "gw_metrics.h"
#include "gw_sio.h"

#define MAX_LEFT_S (INT64_C(1) << 40)
#define MAX_SLEEP_MS (3600 * 1000) /* the wall clock is looked at again at least this often */

static bool mode_is(const struct gw_conn *c, const char *mode)
{
    return strcmp(c->gw->cfg->auth_mode, mode) == 0;
}

/* ---- what the client hears */

static void send_packet(struct gw_conn *c, enum sio_type type, struct str_view nsp,
                        struct str_view json)
{
    struct buf head;
    buf_init(&head, nsp.n + 64);
    bool fits = sio_packet_encode_head(&head, type, 0, nsp, NULL);
    assert(fits);
    (void)fits;
    struct eio_msg *m = eio_msg_new(buf_view(&head), json, NULL, 0);
    gw_conn_send(c, m);
    eio_msg_rele(m);
    buf_fini(&head);
}

static bool put_refusal(struct buf *json, const char *message, struct str_view data)
{
    return buf_add_sv(json, SV("{\"message\":")) && json_string_encode(json, sv_of(message)) &&
           (!data.n || (buf_add_sv(json, SV(",\"data\":")) && buf_add_sv(json, data))) &&
           buf_add_char(json, '}');
}

void gw_login_refuse_nsp(struct gw_conn *c, struct str_view nsp)
{
    c->gw->count.connect_refusals++;
    send_packet(c, SIO_CONNECT_ERROR, nsp, SV("{\"message\":\"Invalid namespace\"}"));
}

void gw_login_refuse(struct gw_conn *c, struct str_view nsp, const char *message,
                     struct str_view data)
{
    struct buf json;
    bool fits;
    c->gw->count.connect_refusals++;
    buf_init(&json, 1024);
    if (c->eio.version == EIO_V4)
        fits = put_refusal(&json, message, data);
    else
        fits = data.n ? buf_add_sv(&json, data) : json_string_encode(&json, sv_of(message));
    assert(fits);
    (void)fits;
    send_packet(c, SIO_CONNECT_ERROR, nsp, buf_view(&json));
    buf_fini(&json);
}

static bool put_error(struct buf *b, const struct gw_auth_error *why)
{
    return buf_add_sv(b, SV("{\"message\":")) && json_string_encode(b, sv_of(why->message)) &&
           buf_addf(b, ",\"code\":\"%s\",\"type\":\"UnauthorizedError\"}", why->code);
}

static void refuse_connect(struct gw_conn *c, struct gw_nsp *nsp, const struct gw_auth_error *why)
{
    struct buf data;
    buf_init(&data, 512);
    gw_metrics_auth_refused(c->gw, why);
    if (put_error(&data, why))
        gw_login_refuse(c, nsp->view, "Authentication error", buf_view(&data));
    buf_fini(&data);
}

/* ["unauthorized",{"message":…,"data":{"message":…,"code":…,"type":"UnauthorizedError"}}] */
static void tell_unauthorized(struct gw_socket *s, const struct gw_auth_error *why)
{
    struct buf json;
    buf_init(&json, 1024);
    bool fits = buf_add_sv(&json, SV("[\"unauthorized\",{\"message\":")) &&
                json_string_encode(&json, sv_of(why->message)) &&
                buf_add_sv(&json, SV(",\"data\":")) && put_error(&json, why) &&
                buf_add_sv(&json, SV("}]"));
    assert(fits);
    (void)fits;
    gw_socket_emit(s, buf_view(&json), NULL, 0);
    buf_fini(&json);
}

/* The end of a socket for want of a valid token; with its last socket the connection goes too. */
static void throw_out(struct gw_socket *s, const struct gw_auth_error *why,
                      enum close_reason reason)
{
    struct gw_conn *c = s->conn;
    tell_unauthorized(s, why);
    gw_socket_kick(s, reason);
    if (!c->sockets) gw_conn_doom(c, reason);
}

/* ---- what a worker has refused */

/* What it said, if clients can make an error of it: an object with a message. */
static struct str_view error_of(struct str_view json, struct str_view *message)
{
    if (json_member_get(json, SV("message"), message) && json_kind_of(*message) == JSON_STRING)
        return json;
    *message = SV("\"refused\"");
    return SV("{\"message\":\"refused\"}");
}

void gw_login_reject_connect(struct gw_socket *s, const struct gw_rejection *r)
{
    struct gw_conn *c = s->conn;
    struct str_view message, data, json = error_of(r->json, &message);
    c->gw->count.connect_refusals++;
    if (c->eio.version != EIO_V4) json = json_member_get(json, SV("data"), &data) ? data : message;
    gw_socket_send(s, SIO_CONNECT_ERROR, NULL, json, NULL, 0);
    gw_socket_end(s, r->reason);
    if (!c->sockets && !c->is_trusted && !c->is_dead) gw_sio_await_connect(c);
}

void gw_login_reject_event(struct gw_socket *s, const struct gw_event *e,
                           const struct gw_rejection *r)
{
    struct gw_conn *c = s->conn;
    struct str_view message, error = error_of(r->json, &message);
    struct buf json;
    buf_init(&json, error.n + 32);
    bool fits = buf_add_sv(&json, SV("[\"unauthorized\",")) && buf_add_sv(&json, error) &&
                buf_add_char(&json, ']');
    assert(fits);
    (void)fits;
    gw_acks_send_error(s, e, r->code, "a worker has not let you in");
    gw_socket_emit(s, buf_view(&json), NULL, 0);
    buf_fini(&json);
    gw_socket_kick(s, r->reason);
    if (!c->sockets) gw_conn_doom(c, r->reason);
}

/* ---- time */

static void on_ready_timer(struct gw_socket *s)
{
    struct gateway *gw = s->conn->gw;
    int64_t left = s->identity->exp + gw->cfg->auth_leeway - loop_wall_s(gw->loop);
    if (left <= 0) {
        throw_out(s, &(struct gw_auth_error){GW_AUTH_INVALID, "jwt expired"}, REASON_AUTH_EXPIRED);
        return;
    }
    if (!s->warned && left * 1000 <= gw->cfg->auth_expiry_warning) {
        char json[96];
        int n =
            snprintf(json, sizeof(json), "[\"token_expiring\",{\"exp\":%lld,\"expires_in\":%lld}]",
                     (long long)s->identity->exp, (long long)left);
        s->warned = true;
        gw_socket_emit(s, sv_make(json, (size_t)n), NULL, 0);
    }
    gw_login_arm(s);
}

static void on_timer(struct wheel_entry *e)
{
    struct gw_socket *s = (struct gw_socket *)((char *)e - offsetof(struct gw_socket, timer));
    if (s->state == GW_SOCKET_READY)
        on_ready_timer(s);
    else if (s->state == GW_SOCKET_PENDING)
        throw_out(s, &(struct gw_auth_error){GW_AUTH_REQUIRED, "no authentication in time"},
                  REASON_AUTH_TIMEOUT);
}

void gw_login_arm(struct gw_socket *s)
{
    struct gateway *gw = s->conn->gw;
    struct wheel *w = loop_wheel(gw->loop);
    uint64_t now = loop_now(gw->loop);
    s->timer.fire = on_timer;
    if (s->state == GW_SOCKET_PENDING) {
        wheel_set(w, &s->timer, now + (uint64_t)gw->cfg->auth_timeout);
        return;
    }
    wheel_drop(w, &s->timer);
    if (!s->identity || !s->identity->exp) return;
    int64_t left = s->identity->exp + gw->cfg->auth_leeway - loop_wall_s(gw->loop);
    if (left > MAX_LEFT_S) left = MAX_LEFT_S; /* keeps the arithmetic below small */
    int64_t ms = left * 1000;
    /* A token already inside the warning is warned about at once. */
    if (!s->warned && gw->cfg->auth_expiry_warning) ms -= gw->cfg->auth_expiry_warning;
    if (ms > MAX_SLEEP_MS) ms = MAX_SLEEP_MS;
    if (ms < 0) ms = 0;
    wheel_set(w, &s->timer, now + (uint64_t)ms);
}

/* ---- namespace connect */

/* The token a CONNECT packet carries. False: none. A token that is no string is "" in out, which is
 * malformed. */
static bool token_of_connect(const struct gw_conn *c, struct str_view auth, struct buf *out)
{
    struct str_view value;
    if (!c->gw->cfg->auth_from_connect || !json_member_get(auth, SV("token"), &value)) return false;
    if (json_kind_of(value) == JSON_NULL) return false;
    if (json_kind_of(value) != JSON_STRING || !json_string_decode(out, value, NULL)) {
        buf_clear(out);
        (void)!buf_add_sv(out, SV("malformed"));
    }
    return true;
}

enum outcome { ABSENT, GOOD, REFUSED };

static enum outcome verify(struct gw_conn *c, struct str_view token, struct gw_identity **id,
                           struct gw_auth_error *why)
{
    if (!gw_auth_verify(c->gw->auth, token, loop_wall_s(c->gw->loop), id, why)) return REFUSED;
    c->gw->count.auth_ok++;
    return GOOD;
}

/* The handshake request's token, or what it was verified to be. */
static enum outcome verify_handshake(struct gw_conn *c, struct gw_identity **id,
                                     struct gw_auth_error *why)
{
    if (c->identity) {
        int64_t exp = c->identity->exp;
        if (exp && loop_wall_s(c->gw->loop) >= exp + c->gw->cfg->auth_leeway) {
            *why = (struct gw_auth_error){GW_AUTH_INVALID, "jwt expired"};
            return REFUSED;
        }
        *id = gw_identity_hold(c->identity);
        return GOOD;
    }
    if (!c->token) return ABSENT;
    enum outcome o = verify(c, sv_of(c->token), id, why);
    if (o != GOOD) return o;
    c->identity = gw_identity_hold(*id);
    x_free_secret(c->token, strlen(c->token));
    c->token = NULL;
    return GOOD;
}

static enum outcome verify_any(struct gw_conn *c, struct str_view auth, struct gw_identity **id,
                               uint8_t *from, struct gw_auth_error *why)
{
    struct buf token;
    buf_init(&token, GW_AUTH_TOKEN_MAX + 1);
    bool there = token_of_connect(c, auth, &token);
    *from = there ? GW_AUTH_FROM_CONNECT : c->token_from;
    enum outcome o = there ? verify(c, buf_view(&token), id, why) : verify_handshake(c, id, why);
    if (token.p) explicit_bzero(token.p, token.n);
    buf_fini(&token);
    return o;
}

void gw_login_connect(struct gw_conn *c, struct gw_nsp *nsp, struct str_view auth)
{
    struct gw_identity *id = NULL;
    struct gw_auth_error why = {GW_AUTH_REQUIRED, "jwt must be provided"};
    enum outcome o = ABSENT;
    uint8_t from = GW_AUTH_FROM_NONE;
    if (mode_is(c, "connect") || mode_is(c, "either")) o = verify_any(c, auth, &id, &from, &why);
    bool open = mode_is(c, "none");
    if (o == REFUSED || (o == ABSENT && mode_is(c, "connect"))) {
        refuse_connect(c, nsp, &why);
        return;
    }
    struct gw_socket *s = gw_socket_new(c, nsp);
    s->auth_from = from;
    if (open || o == GOOD) {
        gw_admit_connect(s, id, auth);
    } else {
        gw_socket_say_connected(s);
        gw_login_arm(s);
    }
    gw_identity_rele(id);
}

/* ---- the event `authenticate` */

/* Its argument is {"token": "…"} or the token itself. */
static bool token_of_event(const struct gw_event *e, struct buf *out)
{
    struct json_iter it;
    struct str_view arg, token;
    json_iter_init(&it, e->args);
    if (!json_array_next(&it, &arg) || !json_array_next(&it, &arg)) return false;
    token = arg;
    if (json_kind_of(arg) == JSON_OBJECT && !json_member_get(arg, SV("token"), &token))
        return false;
    return json_kind_of(token) == JSON_STRING && json_string_decode(out, token, NULL);
}

static bool same_user(const struct gw_socket *s, const struct gw_identity *id)
{
    return s->identity && sv_eq(s->identity->sub, id->sub);
}

static void accept_token(struct gw_socket *s, const struct gw_event *e, struct gw_identity *id)
{
    if (s->state == GW_SOCKET_PENDING) {
        s->auth_from = GW_AUTH_FROM_EVENT;
        gw_admit_authenticate(s, id, e);
    } else {
        gw_admit_renew(s, id, e);
    }
}

void gw_login_authenticate(struct gw_socket *s, const struct gw_event *e)
{
    struct gw_identity *id = NULL;
    struct gw_auth_error why = {GW_AUTH_BAD_FORMAT, "jwt must be a string"};
    struct buf token;
    buf_init(&token, GW_AUTH_TOKEN_MAX + 1);
    bool good = token_of_event(e, &token) && verify(s->conn, buf_view(&token), &id, &why) == GOOD;
    if (token.p) explicit_bzero(token.p, token.n);
    buf_fini(&token);
    if (good && s->state == GW_SOCKET_READY && !same_user(s, id)) {
        why = (struct gw_auth_error){GW_AUTH_INVALID, "jwt subject differs"};
        good = false;
    }
    if (good) {
        accept_token(s, e, id);
    } else {
        gw_metrics_auth_refused(s->conn->gw, &why);
        gw_acks_send_error(s, e, why.code, why.message);
        if (s->state == GW_SOCKET_PENDING)
            throw_out(s, &why, REASON_AUTH_REFUSED);
        else
            tell_unauthorized(s, &why);
    }
    gw_identity_rele(id);
}

void gw_login_refuse_event(struct gw_socket *s, const struct gw_event *e)
{
    s->conn->gw->count.events_refused++;
    gw_acks_send_error(s, e, GW_AUTH_REQUIRED, "authenticate first");
}
