/* Notes. A length is compared with what is left of the body while its digits are read, so it can
 * neither overflow nor be long: no content has more UTF-16 units than bytes. A text packet is cut
 * off by counting the bytes that begin a character, and proved to be UTF-8 afterwards; what is not
 * UTF-8 may be cut anywhere, since it is refused then. */

/* System */
#include <string.h>
/* Proto */
#include "proto/b64.h"
#include "proto/eio3_payload.h"
#include "proto/json_scan.h"

#define LENGTH_END '\xff' /* behind the digits of a length in a binary payload */

static bool is_type(unsigned v)
{
    return v <= EIO_NOOP;
}

enum verdict eio3_packet_decode(struct str_view text, struct buf *scratch, struct eio_packet *out)
{
    buf_clear(scratch);
    bool binary = text.n && text.p[0] == 'b';
    if (binary) text = sv_skip(text, 1);
    if (text.n == 0) return VERDICT_BAD;
    unsigned type = (unsigned char)text.p[0] - (unsigned)'0';
    struct str_view data = sv_skip(text, 1);
    if (!is_type(type) || (binary && !b64_decode(scratch, data))) return VERDICT_BAD;
    if (binary) data = buf_view(scratch);
    *out = (struct eio_packet){.type = (enum eio_type)type, .binary = binary, .data = data};
    return VERDICT_OK;
}

enum verdict eio3_packet_decode_binary(struct str_view bytes, struct eio_packet *out)
{
    if (bytes.n == 0 || !is_type((unsigned char)bytes.p[0])) return VERDICT_BAD;
    *out = (struct eio_packet){
        .type = (enum eio_type)bytes.p[0], .binary = true, .data = sv_skip(bytes, 1)};
    return VERDICT_OK;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes from the front of s that are ASCII and no more than max; a multiple of eight. */
static size_t ascii_run(struct str_view s, size_t max)
{
    size_t i = 0;
    uint64_t v;
    while (s.n - i >= 8 && max - i >= 8 &&
           (memcpy(&v, s.p + i, 8), (v & UINT64_C(0x8080808080808080)) == 0))
        i += 8;
    return i;
}

/* Bytes of ASCII that s begins with. */
static size_t ascii_len(struct str_view s)
{
    size_t i = ascii_run(s, SIZE_MAX);
    while (i < s.n && (unsigned char)s.p[i] < 0x80)
        i++;
    return i;
}

/* Bytes that the first characters of s take which together have max units, or as many as there are;
 * *units: how many these have, max + 1 if the last one is a pair that max would cut. */
static size_t measure(struct str_view s, size_t max, size_t *units)
{
    size_t i = 0;
    *units = 0;
    while (i < s.n && *units < max) {
        size_t run = ascii_run(sv_skip(s, i), max - *units);
        i += run;
        *units += run;
        if (run) continue;
        /* Above U+FFFF, four bytes here and a surrogate pair there. */
        *units += (unsigned char)s.p[i] >= 0xf0 ? 2 : 1;
        do
            i++;
        while (i < s.n && is_continuation(s.p[i]));
    }
    return i;
}

size_t eio3_units(struct str_view text)
{
    size_t units;
    measure(text, SIZE_MAX, &units);
    return units;
}

/* Where JSON begins in a packet: behind type, namespace and id. */
static size_t json_start(struct str_view text)
{
    size_t i = 0;
    while (i < text.n && text.p[i] != '[' && text.p[i] != '{' && text.p[i] != '"')
        i++;
    return i;
}

/* Takes the character above ASCII that *s, well-formed, begins with. */
static unsigned take_point(struct str_view *s)
{
    unsigned char first = (unsigned char)s->p[0];
    unsigned point = first & (first >= 0xf0 ? 0x07 : first >= 0xe0 ? 0x0f : 0x1f);
    for (*s = sv_skip(*s, 1); s->n && is_continuation(s->p[0]); *s = sv_skip(*s, 1))
        point = point << 6 | ((unsigned char)s->p[0] & 0x3fu);
    return point;
}

static void put_unit(char to[6], unsigned unit)
{
    static const char hex[] = "0123456789abcdef";
    to[0] = '\\';
    to[1] = 'u';
    for (int i = 0; i < 4; i++)
        to[2 + i] = hex[unit >> (12 - 4 * i) & 15];
}

static bool add_escape(struct buf *out, unsigned point)
{
    char escape[12];
    bool pair = point >= 0x10000;
    put_unit(escape, pair ? 0xd800 + ((point - 0x10000) >> 10) : point);
    if (pair) put_unit(escape + 6, 0xdc00 + (point & 0x3ff));
    return buf_add(out, escape, pair ? 12 : 6);
}

bool eio3_escape(struct str_view text, struct buf *out)
{
    size_t start = out->n, plain = ascii_len(text);
    enum json_kind kind;
    const char *why;
    /* JSON has such characters in strings only, where each can be escaped. */
    size_t json = json_start(text);
    if (plain == text.n || plain < json || !utf8_is_valid(text) ||
        !json_scan_value(sv_skip(text, json), JSON_DEPTH_LIMIT, -1, &kind, &why))
        return false;
    bool fits = true;
    while (fits && text.n) {
        plain = ascii_len(text);
        fits = buf_add(out, text.p, plain);
        text = sv_skip(text, plain);
        if (fits && text.n) fits = add_escape(out, take_point(&text));
    }
    if (!fits) out->n = start;
    return fits;
}

void eio3_payload_init(struct eio3_payload *in, bool binary, struct str_view body)
{
    *in = (struct eio3_payload){.rest = body, .binary = binary, .bad = !binary && body.n == 0};
}

/* Takes n bytes off the front of *s. */
static struct str_view take(struct str_view *s, size_t n)
{
    struct str_view head = sv_make(s->p, n);
    *s = sv_skip(*s, n);
    return head;
}

/* Takes a length and the byte behind it off *rest; its digits are counted from zero. False if there
 * is no such thing, or if it is more than the bytes that are left. */
static bool take_length(struct str_view *rest, char zero, char end, size_t *len)
{
    size_t digits = 0;
    *len = 0;
    for (; rest->n && rest->p[0] != end; digits++) {
        unsigned v = (unsigned char)rest->p[0] - (unsigned)(unsigned char)zero;
        if (v > 9 || (digits && *len == 0)) return false;
        *len = *len * 10 + v;
        *rest = sv_skip(*rest, 1);
        if (*len > rest->n) return false;
    }
    if (digits == 0 || rest->n == 0) return false;
    *rest = sv_skip(*rest, 1);
    return *len <= rest->n;
}

/* The next packet of a text payload. */
static enum verdict next_text(struct eio3_payload *in, struct buf *scratch, struct eio_packet *out)
{
    size_t units, got;
    if (!take_length(&in->rest, '0', ':', &units)) return VERDICT_BAD;
    struct str_view text = take(&in->rest, measure(in->rest, units, &got));
    if (got != units || !utf8_is_valid(text)) return VERDICT_BAD;
    return eio3_packet_decode(text, scratch, out);
}

/* The next packet of a binary payload, whose first byte says what its content is. */
static enum verdict next_binary(struct eio3_payload *in, struct buf *scratch,
                                struct eio_packet *out)
{
    unsigned char binary = (unsigned char)take(&in->rest, 1).p[0];
    size_t len;
    if (binary > 1 || !take_length(&in->rest, 0, LENGTH_END, &len)) return VERDICT_BAD;
    struct str_view content = take(&in->rest, len);
    if (binary) return eio3_packet_decode_binary(content, out);
    return utf8_is_valid(content) ? eio3_packet_decode(content, scratch, out) : VERDICT_BAD;
}

bool eio3_payload_next(struct eio3_payload *in, struct buf *scratch, struct eio_packet *out)
{
    buf_clear(scratch);
    if (in->bad) return false;
    /* "0:", an empty list, is passed over wherever it stands, as in the reference. */
    while (!in->binary && sv_starts_with(in->rest, SV("0:")))
        in->rest = sv_skip(in->rest, 2);
    if (in->rest.n == 0) return false;
    enum verdict v = in->binary ? next_binary(in, scratch, out) : next_text(in, scratch, out);
    in->bad = v != VERDICT_OK;
    return !in->bad;
}
