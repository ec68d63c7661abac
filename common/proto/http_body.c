/* Notes. A state machine over bytes, because the body comes in pieces and the framing must not be
 * kept. Strict where readers are known to differ: a size is hex digits and nothing else (no sign,
 * no "0x", no blanks), line ends are CRLF, the CRLF behind the data is checked and not skipped.
 * Extensions and trailers are read, bounded and forgotten; a trailer must look like a field, so
 * that a second request cannot hide there for a reader that is laxer than we are.
 *
 * The size is held against the maximum of the body when its line ends, before data comes. */

/* Proto */
#include "proto/http_head.h"
#include "proto/http_class.h"

#define SIZE_DIGITS_MAX 16 /* also the overflow check: 16 hex digits are 64 bits */
#define SIZE_LINE_MAX 256
#define TRAILER_MAX 4096

enum {
    AT_SIZE, /* zero: the start */
    AT_EXTENSION,
    AT_SIZE_LF,
    AT_DATA,
    AT_DATA_CR,
    AT_DATA_LF,
    AT_TRAILER, /* first byte of a trailer line */
    AT_TRAILER_NAME,
    AT_TRAILER_VALUE,
    AT_TRAILER_LF,
    AT_LAST_LF,
    AT_END,
    AT_BAD,       /* 400 */
    AT_TOO_LARGE, /* 413 */
};

static int on_size_byte(struct http_chunked *c, char b)
{
    int digit = http_hex(b);
    if (digit >= 0) {
        if (c->line > SIZE_DIGITS_MAX) return AT_BAD;
        c->left = c->left << 4 | (uint64_t)digit;
        return AT_SIZE;
    }
    if (c->line == 1) return AT_BAD; /* no digit yet */
    if (b == ';') return AT_EXTENSION;
    return b == '\r' ? AT_SIZE_LF : AT_BAD;
}

static int on_size_end(struct http_chunked *c, char b, const struct buf *body)
{
    if (b != '\n') return AT_BAD;
    c->line = 0;
    if (!c->left) return AT_TRAILER;
    size_t room = body->max > body->n ? body->max - body->n : 0;
    return c->left > room ? AT_TOO_LARGE : AT_DATA;
}

static int on_extension_byte(const struct http_chunked *c, char b)
{
    if (b == '\r') return AT_SIZE_LF;
    return c->line > SIZE_LINE_MAX || !http_is(b, HTTP_VALUE) ? AT_BAD : AT_EXTENSION;
}

static int on_trailer_byte(struct http_chunked *c, char b)
{
    if (++c->trailer > TRAILER_MAX) return AT_BAD;
    switch (c->state) {
    case AT_TRAILER:
        if (b == '\r') return AT_LAST_LF;
        return http_is(b, HTTP_TOKEN) ? AT_TRAILER_NAME : AT_BAD;
    case AT_TRAILER_NAME:
        if (b == ':') return AT_TRAILER_VALUE;
        return http_is(b, HTTP_TOKEN) ? AT_TRAILER_NAME : AT_BAD;
    case AT_TRAILER_VALUE:
        if (b == '\r') return AT_TRAILER_LF;
        return http_is(b, HTTP_VALUE) ? AT_TRAILER_VALUE : AT_BAD;
    case AT_TRAILER_LF: return b == '\n' ? AT_TRAILER : AT_BAD;
    default: return b == '\n' ? AT_END : AT_BAD; /* AT_LAST_LF */
    }
}

/* Any byte that is not data: the state behind it. */
static int next_state(struct http_chunked *c, char b, const struct buf *body)
{
    switch (c->state) {
    case AT_SIZE: c->line++; return on_size_byte(c, b);
    case AT_EXTENSION: c->line++; return on_extension_byte(c, b);
    case AT_SIZE_LF: return on_size_end(c, b, body);
    case AT_DATA_CR: return b == '\r' ? AT_DATA_LF : AT_BAD;
    case AT_DATA_LF: return b == '\n' ? AT_SIZE : AT_BAD;
    default: return on_trailer_byte(c, b);
    }
}

enum verdict http_chunked_feed(struct http_chunked *c, const char *p, size_t n, size_t *used,
                               struct buf *body, int *status)
{
    size_t i = 0;

    while (i < n && c->state < AT_END) {
        if (c->state != AT_DATA) {
            c->state = next_state(c, p[i++], body);
            continue;
        }
        size_t take = n - i < c->left ? n - i : (size_t)c->left;
        if (!buf_add(body, p + i, take)) { /* the caller put something else in */
            c->state = AT_TOO_LARGE;
            break;
        }
        i += take;
        c->left -= take;
        if (!c->left) c->state = AT_DATA_CR;
    }
    *used = i;
    if (c->state == AT_END) return VERDICT_OK;
    if (c->state < AT_END) return VERDICT_MORE;
    *status = c->state == AT_BAD ? 400 : 413;
    return VERDICT_BAD;
}
