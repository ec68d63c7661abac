/* Engine.IO 3 bodies from a hostile peer. The first byte of the input says what the rest is: 't' a
 * text payload, 'b' a binary one, 'j' a JSONP form; anything else is a payload on its way out
 * through JSONP. What must hold: each packet that decodes is framed by eio_msg as the very same bytes
 * that it came as (but for JSON's escapes), so nothing has two readings; walking ends, once; the scratch buffer's maximum is
 * the bound, exactly; what the reference's client escapes comes back, and nothing leaves a script's
 * string. */
/* System */
#include <assert.h>
#include <stdint.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/eio3_payload.h"
#include "proto/eio_msg.h"
#include "proto/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NULL: no message is like that. */
static struct eio_msg *msg_of(const struct eio_packet *p)
{
    if (!p->binary) return eio_msg_new_control(p->type, p->data);
    return p->type == EIO_MESSAGE ? eio_msg_new_binary(p->data) : NULL;
}

static void check_ws(struct eio_msg *m, const struct eio_packet *p, struct buf *scratch)
{
    struct eio_packet again;
    struct str_view frame = eio_msg_ws3(m), text = eio_msg_ws3_b64(m);
    size_t head = frame.n < 128 ? 2 : frame.n < 65540 ? 4 : 10;
    assert(eio3_packet_decode_binary(sv_skip(frame, head), &again) == VERDICT_OK || !p->binary);
    if (p->binary) assert(again.type == p->type && sv_eq(again.data, p->data));
    head = text.n < 128 ? 2 : text.n < 65540 ? 4 : 10;
    assert(eio3_packet_decode(sv_skip(text, head), scratch, &again) == VERDICT_OK);
    assert(again.type == p->type && again.binary == p->binary && sv_eq(again.data, p->data));
}

/* The escaped text is ASCII, and the same JSON (compared where it is a string). */
static void check_escaped(struct str_view text, struct str_view ascii)
{
    struct buf a, b;
    enum json_kind kind;
    const char *why;
    size_t json = 0;
    while (text.p[json] != '[' && text.p[json] != '{' && text.p[json] != '"')
        json++;
    for (size_t i = 0; i < ascii.n; i++)
        assert((unsigned char)ascii.p[i] < 0x80);
    assert(memcmp(text.p, ascii.p, json) == 0);
    text = sv_skip(text, json);
    ascii = sv_skip(ascii, json);
    assert(json_scan_value(ascii, JSON_DEPTH_LIMIT, -1, &kind, &why) && kind == json_kind_of(text));
    if (kind != JSON_STRING || text.p[text.n - 1] != '"') return;
    buf_init(&a, 3 * text.n);
    buf_init(&b, 3 * text.n);
    assert(json_string_decode(&a, text, NULL) && json_string_decode(&b, ascii, NULL));
    assert(sv_eq(buf_view(&a), buf_view(&b)));
    buf_fini(&a);
    buf_fini(&b);
}

/* bytes is a packet of a text payload. */
static void check_text(struct eio_msg *m, bool binary, struct str_view bytes)
{
    struct str_view text = sv_skip(bytes, sv_find(bytes, ':') + 1);
    struct buf ascii, want;
    buf_init(&ascii, 3 * text.n);
    buf_init(&want, 3 * text.n + 24);
    if (!binary && eio3_escape(text, &ascii)) {
        check_escaped(text, buf_view(&ascii));
        assert(buf_addf(&want, "%zu:", ascii.n) && buf_add_sv(&want, buf_view(&ascii)));
        bytes = buf_view(&want);
    }
    assert(sv_eq(eio_msg_poll3(m), bytes));
    buf_fini(&ascii);
    buf_fini(&want);
}

static void check_packet(const struct eio_packet *p, bool binary, struct str_view bytes)
{
    struct buf scratch;
    struct eio_msg *m = msg_of(p);
    assert(p->type <= EIO_NOOP);
    if (!m) return;
    if (!binary) check_text(m, p->binary, bytes);
    /* Base64 in a binary payload is read, but never written. */
    if (binary && p->binary == (bytes.p[0] == 1)) assert(sv_eq(eio_msg_poll3_binary(m), bytes));
    buf_init(&scratch, p->data.n);
    check_ws(m, p, &scratch);
    buf_fini(&scratch);
    eio_msg_rele(m);
}

/* Only base64 needs the scratch buffer: one byte too few for that is a bad packet. */
static void check_bound(bool binary, struct str_view bytes, const struct eio_packet *p, bool base64)
{
    struct eio3_payload in;
    struct eio_packet again;
    struct buf tight;
    buf_init(&tight, base64 ? p->data.n : 0);
    eio3_payload_init(&in, binary, bytes);
    assert(eio3_payload_next(&in, &tight, &again) && sv_eq(again.data, p->data));
    assert(!eio3_payload_next(&in, &tight, &again) && !in.bad);
    buf_fini(&tight);
    if (!base64 || p->data.n == 0) return;
    buf_init(&tight, p->data.n - 1);
    eio3_payload_init(&in, binary, bytes);
    assert(!eio3_payload_next(&in, &tight, &again) && in.bad && tight.n == 0);
    buf_fini(&tight);
}

static void check_payload(bool binary, struct str_view body)
{
    struct eio3_payload in;
    struct eio_packet p;
    struct buf scratch;
    buf_init(&scratch, body.n);
    eio3_payload_init(&in, binary, body);
    for (struct str_view before = in.rest; eio3_payload_next(&in, &scratch, &p); before = in.rest) {
        assert(in.rest.n < before.n && in.rest.p + in.rest.n == body.p + body.n);
        while (!binary && sv_starts_with(before, SV("0:")))
            before = sv_skip(before, 2);
        struct str_view bytes = {before.p, before.n - in.rest.n};
        check_packet(&p, binary, bytes);
        check_bound(binary, bytes, &p, p.binary && p.data.p == scratch.p);
    }
    assert(in.bad || in.rest.n == 0);
    assert(!eio3_payload_next(&in, &scratch, &p));
    buf_fini(&scratch);
}

/* As the client's form does it; every byte is percent-encoded. */
static void put_form(struct buf *form, struct str_view s)
{
    assert(buf_add_sv(form, SV("d=")));
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '\n' || (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == 'n');
        if (escape) assert(buf_add_sv(form, SV("%5C")));
        assert(buf_addf(form, "%%%02x", s.p[i] == '\n' ? 'n' : (unsigned char)s.p[i]));
    }
}

static void check_form(struct str_view form)
{
    struct buf text, made, back;
    bool bad, ambiguous = false;
    buf_init(&text, form.n);
    buf_init(&made, 6 * form.n + 2);
    buf_init(&back, 2 * form.n); /* the escapes come first */
    if (eio3_jsonp_body(form, &text, &bad)) {
        assert(!bad);
        check_payload(false, buf_view(&text));
    } else {
        assert(text.n == 0);
    }
    /* The client itself does not tell a backslash before a line feed from an escape. */
    for (size_t i = 1; i < form.n; i++)
        ambiguous |= form.p[i - 1] == '\\' && form.p[i] == '\n';
    put_form(&made, form);
    assert(eio3_jsonp_body(buf_view(&made), &back, &bad) && !bad);
    assert(ambiguous || sv_eq(buf_view(&back), form));
    buf_fini(&text);
    buf_fini(&made);
    buf_fini(&back);
}

static void check_wrap(struct str_view payload)
{
    struct buf out, back;
    enum json_kind kind;
    const char *why;
    uint32_t index = 0;
    (void)!eio3_jsonp_index(payload, &index);
    assert(index <= 999999999);
    buf_init(&out, EIO3_JSONP_MAX(payload.n));
    buf_init(&back, payload.n);
    assert(eio3_jsonp_wrap(&out, 5, payload));
    struct str_view s = buf_view(&out);
    assert(sv_starts_with(s, SV("___eio[5](\"")) && sv_eq(sv_skip(s, s.n - 3), SV("\");")));
    s = sv_make(s.p + 10, s.n - 12);
    for (size_t i = 0; i < s.n; i++)
        assert((unsigned char)s.p[i] >= ' ' && !strchr("<>&", s.p[i]));
    assert(!memmem(s.p, s.n, "\xe2\x80\xa8", 3) && !memmem(s.p, s.n, "\xe2\x80\xa9", 3));
    if (utf8_is_valid(payload)) {
        assert(json_scan_value(s, 1, -1, &kind, &why) && kind == JSON_STRING);
        assert(json_string_decode(&back, s, NULL) && sv_eq(buf_view(&back), payload));
    }
    buf_fini(&out);
    buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view input = {(const char *)data, size};
    if (size == 0) return 0;
    struct str_view rest = sv_skip(input, 1);
    switch (input.p[0]) {
    case 't': check_payload(false, rest); break;
    case 'b': check_payload(true, rest); break;
    case 'j': check_form(rest); break;
    default: check_wrap(rest);
    }
    return 0;
}
