/* One allocation holds the struct, the table of parts and the WebSocket frames; a part is a view
 * into the frames, so no byte is kept twice until another form is asked for. */

/* System */
#include <assert.h>
#include <stdint.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/b64.h"
#include "proto/eio_msg.h"

struct part {
    size_t off, len; /* payload within frames; a text part's begins with its type digit */
    bool binary;
};

struct eio_msg {
    unsigned refs;
    unsigned nparts;
    size_t ws_len;
    char *poll, *b64; /* other forms, made on first use */
    size_t poll_len, b64_len;
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
    x_free(m->poll);
    x_free(m->b64);
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

/* Length of a part where binary is "b" + base64. */
static size_t text_len(const struct part *p)
{
    return p->binary ? 1 + B64_ENCODED_LEN(p->len) : p->len;
}

static char *put_text(char *to, struct eio_msg *m, const struct part *p)
{
    if (!p->binary) return put(to, sv_make(frames_of(m) + p->off, p->len));
    *to++ = 'b';
    /* A buffer over memory of exactly the right size: the encoder never grows it. */
    struct buf b = {.p = to, .cap = B64_ENCODED_LEN(p->len), .max = B64_ENCODED_LEN(p->len)};
    bool fits = b64_encode(&b, frames_of(m) + p->off, p->len);
    assert(fits && b.p == to);
    (void)fits;
    return to + b.n;
}

struct str_view eio_msg_poll(struct eio_msg *m)
{
    if (m->nparts == 1 && !m->parts[0].binary)
        return sv_make(frames_of(m) + m->parts[0].off, m->parts[0].len);
    if (!m->poll) {
        size_t len = m->nparts - 1;
        for (unsigned i = 0; i < m->nparts; i++)
            len += text_len(&m->parts[i]);
        char *to = m->poll = x_malloc(len);
        for (unsigned i = 0; i < m->nparts; i++) {
            if (i) *to++ = EIO_SEPARATOR;
            to = put_text(to, m, &m->parts[i]);
        }
        m->poll_len = len;
    }
    return sv_make(m->poll, m->poll_len);
}

struct str_view eio_msg_ws_b64(struct eio_msg *m)
{
    if (m->nparts == 1 && !m->parts[0].binary) return eio_msg_ws(m);
    if (!m->b64) {
        size_t len = 0;
        for (unsigned i = 0; i < m->nparts; i++)
            len += header_len(text_len(&m->parts[i])) + text_len(&m->parts[i]);
        char *to = m->b64 = x_malloc(len);
        for (unsigned i = 0; i < m->nparts; i++) {
            to = put_header(to, WS_TEXT, text_len(&m->parts[i]));
            to = put_text(to, m, &m->parts[i]);
        }
        m->b64_len = len;
    }
    return sv_make(m->b64, m->b64_len);
}
