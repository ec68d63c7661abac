/* System */
#include <assert.h>
/* Third party */
#include <zlib.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Gateway */
#include "gw_http.h"
#include "gw_poll.h"

#define TEXT_PLAIN SV("text/plain; charset=UTF-8")
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

static void send_payload(struct gw_conn *c, struct str_view body)
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
    gw_http_reply(
        h, &(struct gw_reply){
               .status = 200, .type = TEXT_PLAIN, .headers = buf_view(&headers), .body = body});
    buf_fini(&headers);
    buf_fini(&packed);
}

void gw_poll_answer(struct gw_conn *c)
{
    const struct gw_queue *q = &c->queue;
    uint32_t n = q->n;
    if (n == 1) {
        send_payload(c, eio_msg_poll(gw_queue_at(q, 0)));
    } else {
        size_t size = n;
        for (uint32_t i = 0; i < n; i++)
            size += eio_msg_poll(gw_queue_at(q, i)).n;
        struct buf body;
        buf_init(&body, size);
        for (uint32_t i = 0; i < n; i++) {
            bool fits = (i == 0 || buf_add_char(&body, EIO_SEPARATOR)) &&
                        buf_add_sv(&body, eio_msg_poll(gw_queue_at(q, i)));
            assert(fits);
            (void)fits;
        }
        send_payload(c, buf_view(&body));
        buf_fini(&body);
    }
    gw_conn_polled(c);
}

void gw_poll_release(struct gw_conn *c, enum eio_type type)
{
    char digit = (char)('0' + type);
    send_payload(c, sv_make(&digit, 1));
    c->get = NULL;
    eio_session_poll_answered(&c->eio);
}

bool gw_poll_dispatch(struct gw_conn *c, struct str_view body)
{
    struct str_view segment;
    struct buf scratch;
    bool started = false, good = utf8_is_valid(body);
    buf_init(&scratch, (size_t)c->gw->cfg->gateway_max_payload);
    while (good && c->eio.state == EIO_STATE_OPEN && eio_payload_next(&body, &started, &segment)) {
        struct eio_packet p;
        good = eio_packet_decode(segment, &scratch, &p) == VERDICT_OK;
        if (good) eio_session_packet(&c->eio, &p, loop_now(c->gw->loop));
    }
    buf_fini(&scratch);
    if (!good) {
        c->gw->count.packets_bad++;
        eio_session_bad_packet(&c->eio);
    }
    return good;
}

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
