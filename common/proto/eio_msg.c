/* One allocation holds the struct, the table of parts and the WebSocket frames; a part is a view
 * into the frames, so no byte is kept twice until another form is asked for. Those are behind one
 * pointer, since most messages never have any. */

/* System */
#include <assert.h>
#include <stdint.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/b64.h"
#include "proto/eio3_payload.h"
#include "proto/eio_msg.h"

struct part {
    size_t off, len; /* payload within frames; a text part's begins with its type digit */
    bool binary;
};

/* Forms that are made on first use; the names are those of the functions that give them. */
enum form { WS_B64, POLL, WS3, WS3_B64, POLL3, POLL3_BINARY, FORMS };

struct bytes {
    char *p; /* NULL: not made */
    size_t n;
};

struct eio_msg {
    unsigned refs;
    unsigned nparts;
    size_t ws_len;
    struct bytes *forms; /* NULL, or FORMS of them */
    struct part parts[];
    /* frames follow */
};

#define WS_TEXT 0x81   /* FIN + opcode 1 */
#define WS_BINARY 0x82 /* FIN + opcode 2 */

static char *frames_of(struct eio_msg *m)
{
    return (char *)&m->parts[m->nparts];
}

static size_t header_len(size_t n)
{
    return n < 126 ? 2 : n < 65536 ? 4 : 10;
}

/* RFC 6455 section 5.2, server to client: unmasked. */
static char *put_header(char *to, unsigned char first, size_t n)
{
    *to++ = (char)first;
    if (n < 126) {
        *to++ = (char)n;
    } else if (n < 65536) {
        *to++ = 126;
        *to++ = (char)(n >> 8);
        *to++ = (char)n;
    } else {
        *to++ = 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            *to++ = (char)((uint64_t)n >> shift);
    }
    return to;
}

static char *put(char *to, struct str_view v)
{
    if (v.n) memcpy(to, v.p, v.n);
    return to + v.n;
}

static struct eio_msg *alloc(unsigned nparts, size_t ws_len)
{
    struct eio_msg *m = x_malloc(sizeof(*m) + nparts * sizeof(struct part) + ws_len);
    *m = (struct eio_msg){.refs = 1, .nparts = nparts, .ws_len = ws_len};
    return m;
}

/* Writes one frame; the payload is digit (0: none), a, b. */
static char *put_frame(struct eio_msg *m, unsigned i, char *to, char digit, struct str_view a,
                       struct str_view b)
{
    size_t n = (digit ? 1 : 0) + a.n + b.n;
    to = put_header(to, digit ? WS_TEXT : WS_BINARY, n);
    m->parts[i] = (struct part){(size_t)(to - frames_of(m)), n, !digit};
    if (digit) *to++ = digit;
    return put(put(to, a), b);
}

struct eio_msg *eio_msg_new(struct str_view head, struct str_view tail,
                            const struct str_view *attachments, unsigned n)
{
    size_t text = 1 + head.n + tail.n;
    size_t len = header_len(text) + text;
    for (unsigned i = 0; i < n; i++)
        len += header_len(attachments[i].n) + attachments[i].n;
    struct eio_msg *m = alloc(1 + n, len);
    char *to = put_frame(m, 0, frames_of(m), '0' + EIO_MESSAGE, head, tail);
    for (unsigned i = 0; i < n; i++)
        to = put_frame(m, 1 + i, to, 0, attachments[i], SV(""));
    assert(to == frames_of(m) + len);
    return m;
}

struct eio_msg *eio_msg_new_binary(struct str_view data)
{
    struct eio_msg *m = alloc(1, header_len(data.n) + data.n);
    put_frame(m, 0, frames_of(m), 0, data, SV(""));
    return m;
}

struct eio_msg *eio_msg_new_control(enum eio_type type, struct str_view data)
{
    size_t n = 1 + data.n;
    struct eio_msg *m = alloc(1, header_len(n) + n);
    put_frame(m, 0, frames_of(m), (char)('0' + type), data, SV(""));
    return m;
}

struct eio_msg *eio_msg_hold(struct eio_msg *m)
{
    m->refs++;
    return m;
}

void eio_msg_rele(struct eio_msg *m)
{
    if (!m || --m->refs) return;
    for (unsigned i = 0; m->forms && i < FORMS; i++)
        x_free(m->forms[i].p);
    x_free(m->forms);
    x_free(m);
}

struct str_view eio_msg_ws(struct eio_msg *m)
{
    return sv_make(frames_of(m), m->ws_len);
}

size_t eio_msg_size(const struct eio_msg *m)
{
    return m->ws_len;
}

bool eio_msg_has_binary(const struct eio_msg *m)
{
    return m->nparts > 1 || m->parts[0].binary;
}

/* What stands before a binary part's bytes. */
static struct str_view binary_mark(enum form form)
{
    switch (form) {
    case WS3:
    case POLL3_BINARY: return SV("\x04");
    case WS3_B64:
    case POLL3: return SV("b4");
    default: return SV("b");
    }
}

static bool is_base64(enum form form)
{
    return form != WS3 && form != POLL3_BINARY;
}

/* Length of a packet of n bytes, without what frames it. */
static size_t packet_len(enum form form, bool binary, size_t n)
{
    if (!binary) return n;
    return binary_mark(form).n + (is_base64(form) ? B64_ENCODED_LEN(n) : n);
}

static char *put_packet(enum form form, char *to, bool binary, struct str_view data)
{
    if (binary) to = put(to, binary_mark(form));
    if (!binary || !is_base64(form)) return put(to, data);
    /* A buffer over memory of exactly the right size: the encoder never grows it. */
    struct buf b = {.p = to, .cap = B64_ENCODED_LEN(data.n), .max = B64_ENCODED_LEN(data.n)};
    bool fits = b64_encode(&b, data.p, data.n);
    assert(fits && b.p == to);
    (void)fits;
    return to + b.n;
}

static size_t digits_of(size_t n)
{
    size_t digits = 1;
    for (; n > 9; n /= 10)
        digits++;
    return digits;
}

/* Writes n in decimal; zero is the character or the byte that its digits count from. */
static char *put_digits(char *to, size_t n, char zero)
{
    char *end = to + digits_of(n), *p = end;
    for (; p > to; n /= 10)
        *--p = (char)(zero + (char)(n % 10));
    return end;
}

/* Most bytes that frame a packet of n bytes. */
static size_t frame_len(enum form form, size_t n)
{
    switch (form) {
    case POLL: return 1;
    case POLL3: return digits_of(n) + 1; /* n has no more UTF-16 units than bytes */
    case POLL3_BINARY: return 1 + digits_of(n) + 1;
    default: return header_len(n);
    }
}

/* first: the packet is the message's first one. */
static char *put_framing(enum form form, char *to, bool first, bool binary, struct str_view data)
{
    size_t n = packet_len(form, binary, data.n);
    switch (form) {
    case POLL:
        if (!first) *to++ = EIO_SEPARATOR;
        return to;
    case POLL3:
        to = put_digits(to, binary ? n : eio3_units(data), '0');
        *to++ = ':';
        return to;
    case POLL3_BINARY:
        *to++ = binary;
        to = put_digits(to, n, 0);
        *to++ = '\xff';
        return to;
    case WS3: return put_header(to, binary ? WS_BINARY : WS_TEXT, n);
    default: return put_header(to, WS_TEXT, n);
    }
}

static struct str_view data_of(struct eio_msg *m, unsigned i)
{
    return sv_make(frames_of(m) + m->parts[i].off, m->parts[i].len);
}

/* first: what is to stand for the first packet's data. */
static struct bytes put_form(struct eio_msg *m, enum form form, struct str_view first)
{
    size_t room = 0;
    for (unsigned i = 0; i < m->nparts; i++) {
        size_t n = packet_len(form, m->parts[i].binary, i ? m->parts[i].len : first.n);
        room += frame_len(form, n) + n;
    }
    char *start = x_malloc(room), *to = start;
    for (unsigned i = 0; i < m->nparts; i++) {
        struct str_view data = i ? data_of(m, i) : first;
        to = put_framing(form, to, i == 0, m->parts[i].binary, data);
        to = put_packet(form, to, m->parts[i].binary, data);
    }
    assert(to <= start + room);
    return (struct bytes){start, (size_t)(to - start)};
}

static struct bytes make_form(struct eio_msg *m, enum form form)
{
    struct str_view first = data_of(m, 0);
    struct buf escaped;
    buf_init(&escaped, 3 * first.n);
    if (form == POLL3 && !m->parts[0].binary && eio3_escape(first, &escaped))
        first = buf_view(&escaped);
    struct bytes made = put_form(m, form, first);
    buf_fini(&escaped);
    return made;
}

static struct str_view get_form(struct eio_msg *m, enum form form)
{
    if (!m->forms) m->forms = x_calloc(FORMS, sizeof(*m->forms));
    struct bytes *b = &m->forms[form];
    if (!b->p) *b = make_form(m, form);
    return sv_make(b->p, b->n);
}

struct str_view eio_msg_ws_b64(struct eio_msg *m)
{
    return eio_msg_has_binary(m) ? get_form(m, WS_B64) : eio_msg_ws(m);
}

struct str_view eio_msg_poll(struct eio_msg *m)
{
    if (eio_msg_has_binary(m)) return get_form(m, POLL);
    return data_of(m, 0);
}

struct str_view eio_msg_ws3(struct eio_msg *m)
{
    return eio_msg_has_binary(m) ? get_form(m, WS3) : eio_msg_ws(m);
}

struct str_view eio_msg_ws3_b64(struct eio_msg *m)
{
    return eio_msg_has_binary(m) ? get_form(m, WS3_B64) : eio_msg_ws(m);
}

struct str_view eio_msg_poll3(struct eio_msg *m)
{
    return get_form(m, POLL3);
}

struct str_view eio_msg_poll3_binary(struct eio_msg *m)
{
    return get_form(m, POLL3_BINARY);
}
