/* Polling payloads, Engine.IO packets and base64 from a hostile peer. The input is a polling body.
 * What must hold: the segments are the body cut at its separators; a packet that decodes is written
 * anew as the very same bytes, so that nothing has two readings; the scratch buffer's maximum is
 * the bound, exactly. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Proto */
#include "proto/b64.h"
#include "proto/eio_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written_anew(const struct eio_packet *p, struct str_view segment)
{
    struct buf b;
    buf_init(&b, segment.n);
    if (p->binary) {
        assert(buf_add_char(&b, 'b') && b64_encode(&b, p->data.p, p->data.n));
    } else {
        assert(buf_add_char(&b, (char)('0' + p->type)) && buf_add_sv(&b, p->data));
    }
    assert(sv_eq(buf_view(&b), segment));
    buf_fini(&b);
}

/* One byte too few for a binary packet. */
static void check_bound(struct str_view segment, size_t len)
{
    struct buf tight;
    struct eio_packet p;
    buf_init(&tight, len);
    assert(eio_packet_decode(segment, &tight, &p) == VERDICT_OK && p.data.n == len);
    buf_fini(&tight);
    if (len == 0) return;
    buf_init(&tight, len - 1);
    assert(eio_packet_decode(segment, &tight, &p) == VERDICT_BAD && tight.n == 0);
    buf_fini(&tight);
}

static void check_segment(struct str_view segment, struct buf *scratch)
{
    struct eio_packet p;
    enum verdict v = eio_packet_decode(segment, scratch, &p);
    assert(v == VERDICT_OK || (v == VERDICT_BAD && scratch->n == 0));
    if (v != VERDICT_OK) return;
    assert(p.type <= EIO_NOOP && (!p.binary || p.type == EIO_MESSAGE));
    assert(p.binary == (segment.p[0] == 'b'));
    check_written_anew(&p, segment);
    if (p.binary) check_bound(segment, p.data.n);
}

/* The URL alphabet: what decodes encodes to the same text. */
static void check_b64url(struct str_view text)
{
    struct buf bytes, again;
    buf_init(&bytes, text.n);
    buf_init(&again, text.n);
    if (b64url_decode(&bytes, text)) {
        assert(b64url_encode(&again, bytes.p, bytes.n) && sv_eq(buf_view(&again), text));
    } else {
        assert(bytes.n == 0);
    }
    buf_fini(&bytes);
    buf_fini(&again);
}

static void check_round_trip(struct str_view bytes)
{
    struct buf text, back;
    buf_init(&text, B64_ENCODED_LEN(bytes.n));
    buf_init(&back, bytes.n);
    assert(b64_encode(&text, bytes.p, bytes.n) && text.n == text.max);
    assert(b64_decode(&back, buf_view(&text)) && sv_eq(buf_view(&back), bytes));
    buf_fini(&text);
    buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view body = {size ? (const char *)data : "", size}, rest = body, segment;
    struct buf scratch, joined;
    size_t segments = 0, separators = 0;
    bool started = false;
    buf_init(&scratch, size);
    buf_init(&joined, size);
    while (eio_payload_next(&rest, &started, &segment)) {
        assert(sv_find(segment, EIO_SEPARATOR) == segment.n);
        if (segments++) assert(buf_add_char(&joined, EIO_SEPARATOR));
        assert(buf_add_sv(&joined, segment));
        check_segment(segment, &scratch);
        check_b64url(segment);
    }
    for (size_t i = 0; i < body.n; i++)
        separators += body.p[i] == EIO_SEPARATOR;
    assert(segments == separators + 1 && sv_eq(buf_view(&joined), body));
    check_round_trip(body);
    buf_fini(&scratch);
    buf_fini(&joined);
    return 0;
}
