/* System */
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/eio3_payload.h"
/* Gateway */
#include "gw_conn.h"
#include "gw_cors.h"
#include "gw_engine.h"
#include "gw_files.h"
#include "gw_handover.h"
#include "gw_poll.h"
#include "gw_siblings.h"
#include "gw_token.h"

/* The refusals of an Engine.IO server; the index is the code on the wire. */
static const char *const refusal_text[] = {
    "Transport unknown", "Session ID unknown", "Bad handshake method",
    "Bad request",       "Forbidden",          "Unsupported protocol version"};

/* The query of an Engine.IO request, decoded. */
struct question {
    char transport[16];
    char sid[ID_LEN + 1];
    bool has_sid, sid_fits, upgrade;
    struct gw_wire wire;
};

static void count_refusal(struct gateway *gw, enum gw_refusal code)
{
    gw->count.handshake_refusals++;
    gw->count.refusals[code]++;
}

static void refuse(struct gw_http *h, const struct question *q, enum gw_refusal code)
{
    count_refusal(h->gw, code);
    const char *text = refusal_text[code];
    if (q->upgrade) { /* the reference writes these by hand: always 400, plain */
        gw_http_reply(
            h, &(struct gw_reply){
                   .status = 400, .type = SV("text/html"), .body = sv_of(text), .close = true});
        return;
    }
    char body[80];
    int n = snprintf(body, sizeof(body), "{\"code\":%d,\"message\":\"%s\"}", code, text);
    gw_http_reply(h, &(struct gw_reply){.status = code == GW_REFUSAL_FORBIDDEN ? 403 : 400,
                                        .type = SV("application/json"),
                                        .body = sv_make(body, (size_t)n)});
}

/* The client is to try another gateway. Full: a polling session outlives its TCP connections, so
 * these do not bound the sessions. */
static void refuse_here(struct gw_http *h, enum gw_refusal why)
{
    count_refusal(h->gw, why);
    gw_http_reply(h, &(struct gw_reply){.status = 503, .close = true});
}

/* A short query value; false if absent, too long or badly encoded (then *fits tells). */
static bool short_value(struct str_view query, struct str_view key, char *out, size_t size,
                        bool *fits)
{
    struct buf b;
    bool bad = false;
    buf_init(&b, size - 1);
    bool there = http_query_get(query, key, &b, &bad);
    size_t n = there ? b.n : 0;
    /* No value of ours holds a NUL; cut there, "%00" would look like an absent one. */
    if (n && memchr(b.p, '\0', n)) {
        bad = true;
        n = 0;
    }
    if (n) memcpy(out, b.p, n);
    out[n] = '\0';
    if (fits) *fits = !bad;
    buf_fini(&b);
    return there;
}

static uint8_t version_of(const struct cfg *cfg, const struct http_head *head)
{
    char eio[8];
    short_value(head->query, SV("EIO"), eio, sizeof(eio), NULL);
    if (strcmp(eio, "4") == 0) return EIO_V4;
    return cfg->gateway_allow_eio3 && strcmp(eio, "3") == 0 ? EIO_V3 : 0;
}

/* A query of version 4 may have a j for something else. */
static void read_jsonp(const struct http_head *head, struct gw_wire *w)
{
    char j[32];
    uint32_t index = 0;
    bool fits = true;
    bool there = short_value(head->query, SV("j"), j, sizeof(j), &fits);
    if (w->version != EIO_V3 || (!there && fits)) return;
    w->is_bad_jsonp = !there || !eio3_jsonp_index(sv_of(j), &index);
    w->jsonp = index + 1;
}

static void read_question(const struct cfg *cfg, const struct http_head *head, struct question *q)
{
    char b64[4];
    bool b64_fits = true;
    q->wire.version = version_of(cfg, head);
    read_jsonp(head, &q->wire);
    short_value(head->query, SV("transport"), q->transport, sizeof(q->transport), NULL);
    q->has_sid = short_value(head->query, SV("sid"), q->sid, sizeof(q->sid), &q->sid_fits);
    /* An empty sid asks for a new session; one that is too long is unknown. */
    q->has_sid = (q->has_sid && q->sid[0]) || !q->sid_fits;
    q->wire.b64 =
        (short_value(head->query, SV("b64"), b64, sizeof(b64), &b64_fits) && b64[0]) || !b64_fits;
    q->upgrade = head->upgrade;
}

static bool transport_is_on(const struct gw_http *h, const struct question *q)
{
    return q->transport[0] && cfg_list_has(&h->gw->cfg->engine_transports, sv_of(q->transport));
}

/* RFC 6455 section 4.2.1; versions 13 and 8 as the ws library. Lends the key. */
static bool websocket_key(const struct http_head *head, struct str_view *key)
{
    const struct str_view *k = http_head_get(head, SV("Sec-WebSocket-Key"));
    const struct str_view *v = http_head_get(head, SV("Sec-WebSocket-Version"));
    if (head->method != HTTP_GET || !head->upgrade_websocket || !k || !v) return false;
    if (!sv_eq(*v, SV("13")) && !sv_eq(*v, SV("8"))) return false;
    if (k->n != 24 || k->p[22] != '=' || k->p[23] != '=') return false;
    for (size_t i = 0; i < 22; i++) {
        char c = k->p[i];
        bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/';
        if (!ok) return false;
    }
    *key = *k;
    return true;
}

/* Further lines of the 101 answer: CORS, and the first subprotocol that the client offers. */
static void upgrade_headers(struct gw_http *h, const struct http_head *head, struct buf *out)
{
    const struct str_view *offer = http_head_get(head, SV("Sec-WebSocket-Protocol"));
    (void)!buf_add_sv(out, buf_view(&h->cors));
    if (!offer) return;
    struct str_view first = sv_trim(sv_make(offer->p, sv_find(*offer, ',')));
    if (first.n && first.n <= 128)
        (void)!buf_addf(out, "Sec-WebSocket-Protocol: %.*s\r\n", SV_ARG(first));
}

static void on_upgrade(struct gw_http *h, const struct http_head *head, const struct question *q)
{
    struct str_view key;
    /* A body would be read as frames. Answers to earlier requests leave before the 101, which
     * libwebsockets writes. */
    if (strcmp(q->transport, "websocket") != 0 || !websocket_key(head, &key) || h->unread_body ||
        !gw_http_drain(h)) {
        refuse(h, q, GW_REFUSAL_BAD_REQUEST);
        return;
    }
    struct gw_conn *c = q->has_sid ? gw_conn_find(h->gw, sv_of(q->sid)) : NULL;
    if (q->has_sid && !c) {
        refuse(h, q, GW_REFUSAL_UNKNOWN_SID);
        return;
    }
    if (c ? q->wire.version != c->eio.version : !q->wire.version) {
        refuse(h, q, c ? GW_REFUSAL_BAD_REQUEST : GW_REFUSAL_BAD_VERSION);
        return;
    }
    struct buf headers;
    buf_init(&headers, 4096);
    upgrade_headers(h, head, &headers);
    struct str_view rest = sv_make(h->in.p + head->size, h->in.n - head->size);
    if (c)
        gw_conn_upgrade(c, h, key, buf_view(&headers), rest, &q->wire);
    else
        gw_conn_new_ws(h->gw, h, key, buf_view(&headers), rest, &q->wire,
                       gw_token_take(h->gw->cfg, head, false));
    buf_fini(&headers);
}

static void on_post(struct gw_http *h, const struct http_head *head, struct gw_conn *c)
{
    const struct str_view *type = http_head_get(head, SV("Content-Type"));
    h->is_octets = type && sv_eq(*type, SV("application/octet-stream"));
    if (h->is_octets && c->eio.version == EIO_V4) {
        /* engine.io: "invalid content": not for protocol 4 */
        gw_poll_refuse(h, 400);
        eio_session_lost(&c->eio, REASON_TRANSPORT_ERROR);
        return;
    }
    if (head->length > gw_conn_max_message(c)) {
        h->gw->count.http_bad++;
        gw_poll_refuse(h, 413); /* the session lives on; the client ends it */
        return;
    }
    if (!gw_conn_post_begin(c, h)) return;
    gw_http_read_body(h, head, gw_conn_max_message(c));
}

static void on_session(struct gw_http *h, const struct http_head *head, const struct question *q)
{
    struct gw_conn *c = gw_conn_find(h->gw, sv_of(q->sid));
    if (!c) {
        refuse(h, q, GW_REFUSAL_UNKNOWN_SID);
    } else if (strcmp(q->transport, gw_conn_transport(c)) != 0 || c->eio.transport != EIO_POLLING ||
               q->wire.version != c->eio.version) {
        refuse(h, q, GW_REFUSAL_BAD_REQUEST);
    } else if (head->method == HTTP_GET) {
        gw_conn_poll(c, h);
    } else if (head->method == HTTP_POST) {
        on_post(h, head, c);
    } else {
        gw_poll_refuse(h, 500); /* as the reference */
    }
}

static void on_handshake(struct gw_http *h, const struct http_head *head, const struct question *q)
{
    if (head->method != HTTP_GET)
        refuse(h, q, GW_REFUSAL_BAD_HANDSHAKE_METHOD);
    else if (strcmp(q->transport, "websocket") == 0)
        refuse(h, q, GW_REFUSAL_BAD_REQUEST);
    else if (!q->wire.version)
        refuse(h, q, GW_REFUSAL_BAD_VERSION);
    else if (q->wire.is_bad_jsonp)
        refuse(h, q, GW_REFUSAL_BAD_REQUEST);
    else if (h->gw->nconns + gw_siblings_sessions(h->gw) >=
             (unsigned)h->gw->cfg->gateway_max_connections)
        refuse_here(h, GW_REFUSAL_FULL);
    else
        gw_conn_new_polling(h->gw, h, &q->wire,
                            gw_token_take(h->gw->cfg, head, q->wire.jsonp != 0));
}

/* The order of checks is the reference's: it decides which code a doubly wrong request gets. */
static void on_engine(struct gw_http *h, const struct http_head *head)
{
    struct question q = {0};
    read_question(h->gw->cfg, head, &q);
    int home = h->is_given ? -1 : gw_handover_home(h->gw, sv_of(q.sid));
    if (home >= 0) {
        gw_http_move(h, (unsigned)home);
        return;
    }
    h->gzip = http_head_has_token(head, SV("Accept-Encoding"), SV("gzip"));
    if (h->gw->stopping && !q.has_sid) {
        refuse_here(h, GW_REFUSAL_DRAINING);
    } else if (!transport_is_on(h, &q)) {
        refuse(h, &q, GW_REFUSAL_UNKNOWN_TRANSPORT);
    } else if (q.upgrade) {
        on_upgrade(h, head, &q);
    } else if (q.has_sid) {
        on_session(h, head, &q);
    } else {
        on_handshake(h, head, &q);
    }
}

static void on_preflight(struct gw_http *h, const struct http_head *head)
{
    struct buf lines;
    buf_init(&lines, 4096);
    gw_cors_preflight(h->gw->cfg, head, &lines);
    gw_http_reply(h, &(struct gw_reply){.status = 204, .headers = buf_view(&lines)});
    buf_fini(&lines);
}

/* The part of the path behind gateway.path; the path itself may lack its final slash. */
static bool under_path(const struct cfg *cfg, struct str_view path, struct str_view *rest)
{
    struct str_view base = sv_of(cfg->gateway_path);
    *rest = SV("");
    if (sv_eq(path, sv_make(base.p, base.n - 1))) return base.n > 1;
    if (!sv_starts_with(path, base)) return false;
    *rest = sv_skip(path, base.n);
    return true;
}

static void on_request(struct gw_http *h, const struct http_head *head)
{
    struct str_view rest;
    gw_cors_headers(h->gw->cfg, head, &h->cors);
    if (!under_path(h->gw->cfg, head->path, &rest)) {
        gw_files_static(h, head);
    } else if (head->method == HTTP_OPTIONS && gw_cors_is_on(h->gw->cfg)) {
        on_preflight(h, head);
    } else if (!rest.n || head->upgrade || !gw_files_client(h, head, rest)) {
        on_engine(h, head);
    }
}

static void on_body(struct gw_http *h)
{
    struct gw_conn *c = h->owner;
    struct question q = {0};
    if (!c) { /* the session ended while its body came in */
        refuse(h, &q, GW_REFUSAL_UNKNOWN_SID);
        return;
    }
    struct buf body = h->body;
    h->body = (struct buf){0};
    h->owner = NULL;
    gw_conn_post_body(c, h, buf_view(&body));
    buf_fini(&body);
}

static void on_body_refused(struct gw_http *h, int status)
{
    struct gw_conn *c = h->owner;
    h->gw->count.http_bad++;
    h->owner = NULL;
    if (c) c->post = NULL;
    gw_poll_refuse(h, status);
    /* Too long is the client's to end; bytes that are no chunks end the session. */
    if (c && status != 413) eio_session_lost(&c->eio, REASON_TRANSPORT_ERROR);
}

static void on_lost(void *owner, struct gw_http *h)
{
    gw_conn_http_lost(owner, h);
}

const struct gw_http_events gw_engine_events = {on_request, on_body, on_body_refused, on_lost};
