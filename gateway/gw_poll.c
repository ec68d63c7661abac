/* Design notes
 *
 * - A payload of version 4 is its packets with separators between, and text is all it can be. One of
 *   version 3 is packets behind their lengths: text, or binary if the client takes that and one of the
 *   packets is binary.
 * - A JSONP client's answer is the payload as a string in a script; what it posts is a form. */

/* System */
#include <assert.h>
/* Third party */
#include <zlib.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/eio3_payload.h"
#include "proto/json_scan.h"
/* Gateway */
#include "gw_http.h"
#include "gw_poll.h"

#define TEXT_PLAIN SV("text/plain; charset=UTF-8")
#define OCTETS SV("application/octet-stream")
#define NO_STORE "Cache-Control: no-store\r\n"

/* gzip of body into out; false if it does not get smaller. */
static bool compress_body(struct str_view body, struct buf *out)
{
    z_stream z = {0};
    /* Level 1: answers are short-lived and the CPU is everyone's. 15 + 16: gzip framing. */
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
    char *to = buf_room(out, body.n);
    bool done = false;
    if (to) {
        union {
            const char *in;
            Bytef *bytes;
        } from = {body.p};
        z.next_in = from.bytes;
        z.avail_in = (uInt)body.n;
        z.next_out = (Bytef *)to;
        z.avail_out = (uInt)body.n;
        done = deflate(&z, Z_FINISH) == Z_STREAM_END;
        if (done) out->n += z.total_out;
    }
    deflateEnd(&z);
    return done;
}

static void send_body(struct gw_conn *c, struct str_view type, struct str_view body)
{
    const struct cfg *cfg = c->gw->cfg;
    struct gw_http *h = c->get;
    struct buf headers, packed;
    buf_init(&headers, 512);
    buf_init(&packed, body.n);
    bool fits = buf_add_sv(&headers, SV(NO_STORE));
    if (!c->handshake_answered && cfg->engine_cookie[0])
        fits &= buf_addf(&headers, "Set-Cookie: %s=%.*s; Path=/; HttpOnly; SameSite=Lax\r\n",
                         cfg->engine_cookie, ID_LEN, c->sid);
    c->handshake_answered = true;
    size_t threshold = (size_t)cfg->engine_compression_threshold;
    if (threshold && body.n >= threshold && h->gzip && compress_body(body, &packed)) {
        body = buf_view(&packed);
        fits &= buf_add_sv(&headers, SV("Content-Encoding: gzip\r\n"));
    }
    assert(fits); /* the cookie's name is bounded by the configuration */
    (void)fits;
    gw_http_reply(h, &(struct gw_reply){
                         .status = 200, .type = type, .headers = buf_view(&headers), .body = body});
    buf_fini(&headers);
    buf_fini(&packed);
}

static void send_payload(struct gw_conn *c, struct str_view type, struct str_view payload)
{
    struct buf script;
    if (!c->jsonp) {
        send_body(c, type, payload);
        return;
    }
    buf_init(&script, EIO3_JSONP_MAX(payload.n));
    bool fits = eio3_jsonp_wrap(&script, c->jsonp - 1, payload);
    assert(fits);
    (void)fits;
    send_body(c, type, buf_view(&script));
    buf_fini(&script);
}

/* ---- answers */

typedef struct str_view (*form_cb)(struct eio_msg *m);

static bool has_binary(const struct gw_queue *q)
{
    for (uint32_t i = 0; i < q->n; i++)
        if (eio_msg_has_binary(gw_queue_at(q, i))) return true;
    return false;
}

static void answer_in(struct gw_conn *c, struct str_view type, form_cb form, bool separated)
{
    const struct gw_queue *q = &c->queue;
    uint32_t n = q->n;
    if (n == 1) {
        send_payload(c, type, form(gw_queue_at(q, 0)));
        return;
    }
    size_t size = n;
    for (uint32_t i = 0; i < n; i++)
        size += form(gw_queue_at(q, i)).n;
    struct buf body;
    buf_init(&body, size);
    for (uint32_t i = 0; i < n; i++) {
        bool fits = (i == 0 || !separated || buf_add_char(&body, EIO_SEPARATOR)) &&
                    buf_add_sv(&body, form(gw_queue_at(q, i)));
        assert(fits);
        (void)fits;
    }
    send_payload(c, type, buf_view(&body));
    buf_fini(&body);
}

void gw_poll_answer(struct gw_conn *c)
{
    if (c->eio.version == EIO_V4)
        answer_in(c, TEXT_PLAIN, eio_msg_poll, true);
    else if (!c->poll_b64 && has_binary(&c->queue))
        answer_in(c, OCTETS, eio_msg_poll3_binary, false);
    else
        answer_in(c, TEXT_PLAIN, eio_msg_poll3, false);
    gw_conn_polled(c);
}

void gw_poll_release(struct gw_conn *c, enum eio_type type)
{
    const char packet[] = {'1', ':', (char)('0' + type)};
    struct str_view payload = sv_make(packet, sizeof(packet));
    send_payload(c, TEXT_PLAIN, c->eio.version == EIO_V3 ? payload : sv_skip(payload, 2));
    c->get = NULL;
    eio_session_poll_answered(&c->eio);
}

/* ---- what clients post */

static bool dispatch_v4(struct gw_conn *c, struct str_view body, struct buf *scratch)
{
    struct str_view segment;
    bool started = false, good = utf8_is_valid(body);
    while (good && c->eio.state == EIO_STATE_OPEN && eio_payload_next(&body, &started, &segment)) {
        struct eio_packet p;
        good = eio_packet_decode(segment, scratch, &p) == VERDICT_OK;
        if (good) eio_session_packet(&c->eio, &p, loop_now(c->gw->loop));
    }
    return good;
}

static bool dispatch_v3(struct gw_conn *c, bool is_binary, struct str_view body,
                        struct buf *scratch)
{
    struct eio3_payload in;
    struct eio_packet p;
    eio3_payload_init(&in, is_binary, body);
    while (c->eio.state == EIO_STATE_OPEN && eio3_payload_next(&in, scratch, &p))
        eio_session_packet(&c->eio, &p, loop_now(c->gw->loop));
    return !in.bad;
}

static bool dispatch_form(struct gw_conn *c, struct str_view form, struct buf *scratch)
{
    struct buf text;
    bool bad = false;
    buf_init(&text, form.n);
    bool good =
        eio3_jsonp_body(form, &text, &bad) ? dispatch_v3(c, false, buf_view(&text), scratch) : !bad;
    buf_fini(&text);
    return good;
}

bool gw_poll_dispatch(struct gw_conn *c, bool is_octets, struct str_view body)
{
    struct buf scratch;
    bool good;
    buf_init(&scratch, (size_t)c->gw->cfg->gateway_max_payload);
    if (c->eio.version == EIO_V4)
        good = dispatch_v4(c, body, &scratch);
    else if (c->jsonp)
        good = dispatch_form(c, body, &scratch);
    else
        good = dispatch_v3(c, is_octets, body, &scratch);
    buf_fini(&scratch);
    if (!good) {
        c->gw->count.packets_bad++;
        eio_session_bad_packet(&c->eio);
    }
    return good;
}

/* ---- fixed answers */

void gw_poll_ok(struct gw_http *http)
{
    gw_http_reply(http, &(struct gw_reply){.status = 200,
                                           .type = SV("text/html"),
                                           .headers = SV(NO_STORE),
                                           .body = SV("ok")});
}

void gw_poll_refuse(struct gw_http *http, int status)
{
    gw_http_reply(http, &(struct gw_reply){.status = status, .headers = SV(NO_STORE)});
}
