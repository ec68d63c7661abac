/* What clients bring over their transports: how a session begins on each, the requests of polling ones,
 * the frames of WebSockets. */

/* Proto */
#include "proto/eio3_payload.h"
/* Gateway */
#include "gw_conn_parts.h"
#include "gw_http.h"
#include "gw_poll.h"
#include "gw_ws.h"

/* ---- birth */

static uint8_t ws_form_of(const struct gw_wire *wire)
{
    if (wire->version == EIO_V3) return wire->b64 ? GW_WS_V3_B64 : GW_WS_V3;
    return wire->b64 ? GW_WS_B64 : GW_WS_PLAIN;
}

struct gw_conn *gw_conn_new_polling(struct gateway *gw, struct gw_http *http,
                                    const struct gw_wire *wire, struct gw_token token)
{
    struct gw_conn *c = gw_conn_new(gw, http, EIO_POLLING, wire, token);
    c->jsonp = wire->jsonp;
    c->poll_b64 = wire->b64 || wire->jsonp; /* a script holds text */
    gw_conn_send_open(c);
    gw_conn_arm(c);
    gw->upper->opened(c);
    gw_conn_poll(c, http);
    return c;
}

void gw_conn_new_ws(struct gateway *gw, struct gw_http *http, struct str_view key,
                    struct str_view headers, struct str_view rest, const struct gw_wire *wire,
                    struct gw_token token)
{
    struct gw_conn *c = gw_conn_new(gw, http, EIO_WEBSOCKET, wire, token);
    c->ws_form = ws_form_of(wire);
    gw_conn_send_open(c);
    gw_conn_arm(c);
    gw->upper->opened(c);
    struct gw_ws *ws = gw_ws_adopt(gw->ws, gw_http_detach(http), key, headers, rest, true, c);
    if (!ws) {
        c->ws = NULL;
        eio_session_lost(&c->eio, REASON_TRANSPORT_CLOSE);
    }
}

/* ---- polling requests */

void gw_conn_poll(struct gw_conn *c, struct gw_http *http)
{
    if (!eio_session_poll_begin(&c->eio, c->queue.n == 0)) {
        gw_poll_refuse(http, 400);
        return;
    }
    c->get = http;
    http->owner = c;
    gw_http_hold(http);
    if (c->queue.n) gw_conn_mark_dirty(c);
    gw_conn_arm(c);
}

bool gw_conn_post_begin(struct gw_conn *c, struct gw_http *http)
{
    if (c->post) { /* overlapping POSTs: the first loses its connection, the session ends */
        struct gw_http *first = c->post;
        c->post = NULL;
        gw_http_abort(first);
        gw_poll_refuse(http, 400);
        eio_session_lost(&c->eio, REASON_TRANSPORT_ERROR);
        return false;
    }
    c->post = http;
    http->owner = c;
    return true;
}

void gw_conn_post_body(struct gw_conn *c, struct gw_http *http, struct str_view body)
{
    c->post = NULL;
    bool good = gw_poll_dispatch(c, http->is_octets, body);
    if (good)
        gw_poll_ok(http);
    else
        gw_poll_refuse(http, 400);
    gw_conn_arm(c);
}

void gw_conn_http_lost(struct gw_conn *c, struct gw_http *http)
{
    if (c->get == http) {
        c->get = NULL;
        eio_session_poll_answered(&c->eio);
    }
    if (c->post == http) c->post = NULL;
    eio_session_lost(&c->eio, REASON_TRANSPORT_ERROR);
}

/* ---- WebSocket */

void gw_conn_upgrade(struct gw_conn *c, struct gw_http *http, struct str_view key,
                     struct str_view headers, struct str_view rest, const struct gw_wire *wire)
{
    struct gateway *gw = c->gw;
    /* The handshake is completed in any case; a second WebSocket is then closed cleanly. */
    bool may_probe = eio_session_probe_open(&c->eio, loop_now(gw->loop));
    if (may_probe) c->ws_form = ws_form_of(wire);
    gw_conn_arm(c);
    struct gw_ws *ws =
        gw_ws_adopt(gw->ws, gw_http_detach(http), key, headers, rest, false, may_probe ? c : NULL);
    if (may_probe && !ws) {
        c->probe = NULL;
        eio_session_probe_lost(&c->eio);
    }
}

static void on_ws_opened(void *owner, struct gw_ws *ws)
{
    struct gw_conn *c = owner;
    *(c->eio.transport == EIO_WEBSOCKET ? &c->ws : &c->probe) = ws;
    gw_ws_set_limit(ws, gw_conn_max_message(c));
}

static bool decode_frame(const struct gw_conn *c, bool binary, struct str_view data,
                         struct buf *scratch, struct eio_packet *p)
{
    if (c->eio.version == EIO_V3)
        return (binary ? eio3_packet_decode_binary(data, p)
                       : eio3_packet_decode(data, scratch, p)) == VERDICT_OK;
    *p = (struct eio_packet){EIO_MESSAGE, true, data};
    return binary || eio_packet_decode(data, scratch, p) == VERDICT_OK;
}

static void on_ws_message(void *owner, struct gw_ws *ws, bool binary, struct str_view data)
{
    struct gw_conn *c = owner;
    uint64_t now = loop_now(c->gw->loop);
    struct eio_packet p;
    struct buf scratch;
    buf_init(&scratch, (size_t)c->gw->cfg->gateway_max_payload);
    bool good = decode_frame(c, binary, data, &scratch, &p);
    if (ws == c->probe) {
        eio_session_probe_packet(&c->eio, good && !binary ? &p : NULL, now);
    } else if (good) {
        eio_session_packet(&c->eio, &p, now);
    } else {
        c->gw->count.packets_bad++;
        eio_session_bad_packet(&c->eio);
    }
    buf_fini(&scratch);
    gw_conn_arm(c);
}

static void on_ws_writable(void *owner, struct gw_ws *ws)
{
    struct gw_conn *c = owner;
    if (ws != c->ws) return;
    c->progress_at = loop_now(c->gw->loop);
    if (c->queue.n) gw_conn_mark_dirty(c);
}

static void on_ws_closed(void *owner, struct gw_ws *ws, enum close_reason reason)
{
    struct gw_conn *c = owner;
    if (ws == c->probe) {
        c->probe = NULL;
        eio_session_probe_lost(&c->eio);
    } else if (ws == c->ws) {
        c->ws = NULL;
        eio_session_lost(&c->eio, reason);
    }
}

const struct gw_ws_events gw_conn_ws_events = {on_ws_opened, on_ws_message, on_ws_writable,
                                               on_ws_closed};
