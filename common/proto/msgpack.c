/* System */
#include <assert.h>
#include <string.h>
/* Proto */
#include "proto/msgpack.h"

/* --- reading */

static bool has(const struct msgpack_reader *r, uint64_t n)
{
    return (uint64_t)(r->end - r->p) >= n;
}

/* A big-endian number of n bytes. */
static bool take_be(struct msgpack_reader *r, unsigned n, uint64_t *v)
{
    if (!has(r, n)) return false;
    *v = 0;
    for (unsigned i = 0; i < n; i++)
        *v = *v << 8 | r->p[i];
    r->p += n;
    return true;
}

static bool take_bytes(struct msgpack_reader *r, uint64_t n, struct str_view *bytes)
{
    if (!has(r, n)) return false;
    *bytes = sv_make((const char *)r->p, (size_t)n);
    r->p += n;
    return true;
}

/* Of a length that n bytes give. */
static bool take_sized(struct msgpack_reader *r, struct msgpack_token *t, enum msgpack_kind kind,
                       unsigned n)
{
    uint64_t size;
    t->kind = kind;
    return take_be(r, n, &size) && take_bytes(r, size, &t->bytes);
}

/* Every element takes a byte at least: what claims more is refused before anyone loops over it. */
static bool take_container(struct msgpack_reader *r, struct msgpack_token *t,
                           enum msgpack_kind kind, uint64_t n)
{
    t->kind = kind;
    t->n = (uint32_t)n;
    return has(r, kind == MSGPACK_MAP ? 2 * n : n);
}

static bool take_ext(struct msgpack_reader *r, struct msgpack_token *t, uint64_t n, bool fixed)
{
    uint64_t type;
    t->kind = MSGPACK_EXT;
    t->fixed = fixed;
    if (!take_be(r, 1, &type)) return false;
    t->ext = (int8_t)(uint8_t)type;
    return take_bytes(r, n, &t->bytes);
}

static bool take_uint(struct msgpack_reader *r, struct msgpack_token *t, unsigned n)
{
    t->kind = MSGPACK_UINT;
    return take_be(r, n, &t->u);
}

static bool take_int(struct msgpack_reader *r, struct msgpack_token *t, unsigned n)
{
    uint64_t v;
    if (!take_be(r, n, &v)) return false;
    if (n < 8 && v >> (8 * n - 1)) v |= ~UINT64_C(0) << 8 * n;
    t->i = (int64_t)v;
    t->kind = t->i < 0 ? MSGPACK_NEGATIVE : MSGPACK_UINT;
    return true;
}

static bool take_float(struct msgpack_reader *r, struct msgpack_token *t, unsigned n)
{
    uint64_t v;
    float f;
    uint32_t half;
    t->kind = MSGPACK_FLOAT;
    if (!take_be(r, n, &v)) return false;
    if (n == 8) {
        memcpy(&t->d, &v, 8);
        return true;
    }
    half = (uint32_t)v;
    memcpy(&f, &half, 4);
    t->d = (double)f;
    return true;
}

/* The codes 0xc0 to 0xdf. */
static bool take_coded(struct msgpack_reader *r, struct msgpack_token *t, unsigned char code)
{
    uint64_t n;
    switch (code) {
    case 0xc0: t->kind = MSGPACK_NIL; return true;
    case 0xc2:
    case 0xc3:
        t->kind = MSGPACK_BOOL;
        t->truth = code == 0xc3;
        return true;
    case 0xc4:
    case 0xc5:
    case 0xc6: return take_sized(r, t, MSGPACK_BIN, 1u << (code - 0xc4));
    case 0xc7:
    case 0xc8:
    case 0xc9: return take_be(r, 1u << (code - 0xc7), &n) && take_ext(r, t, n, false);
    case 0xca: return take_float(r, t, 4);
    case 0xcb: return take_float(r, t, 8);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf: return take_uint(r, t, 1u << (code - 0xcc));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return take_int(r, t, 1u << (code - 0xd0));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8: return take_ext(r, t, 1u << (code - 0xd4), true);
    case 0xd9:
    case 0xda:
    case 0xdb: return take_sized(r, t, MSGPACK_STR, 1u << (code - 0xd9));
    case 0xdc:
    case 0xdd: return take_be(r, 2u << (code - 0xdc), &n) && take_container(r, t, MSGPACK_ARRAY, n);
    case 0xde:
    case 0xdf: return take_be(r, 2u << (code - 0xde), &n) && take_container(r, t, MSGPACK_MAP, n);
    default: return false;
    }
}

bool msgpack_next(struct msgpack_reader *r, struct msgpack_token *t)
{
    if (r->p == r->end) return false;
    unsigned char code = *r->p++;
    if (code < 0x80) {
        t->kind = MSGPACK_UINT;
        t->u = code;
        return true;
    }
    if (code < 0x90) return take_container(r, t, MSGPACK_MAP, code & 0x0f);
    if (code < 0xa0) return take_container(r, t, MSGPACK_ARRAY, code & 0x0f);
    if (code < 0xc0) {
        t->kind = MSGPACK_STR;
        return take_bytes(r, code & 0x1f, &t->bytes);
    }
    if (code < 0xe0) return take_coded(r, t, code);
    t->kind = MSGPACK_NEGATIVE;
    t->i = (int64_t)code - 0x100;
    return true;
}

bool msgpack_skip(struct msgpack_reader *r)
{
    struct msgpack_token t;
    /* Each step takes a byte; what is wanted grows by no more than what is left then. */
    for (uint64_t wanted = 1; wanted; wanted--) {
        if (!msgpack_next(r, &t)) return false;
        if (t.kind == MSGPACK_ARRAY) wanted += t.n;
        if (t.kind == MSGPACK_MAP) wanted += 2 * (uint64_t)t.n;
        if (!has(r, wanted - 1)) return false;
    }
    return true;
}

/* --- writing */

/* A code and the n low bytes of v, big-endian; gives the length. */
static size_t coded(unsigned char *to, unsigned char code, uint64_t v, unsigned n)
{
    to[0] = code;
    for (unsigned i = n; i > 0; i--, v >>= 8)
        to[i] = (unsigned char)v;
    return n + 1;
}

static bool put_coded(struct buf *out, unsigned char code, uint64_t v, unsigned n)
{
    unsigned char bytes[9];
    return buf_add(out, bytes, coded(bytes, code, v, n));
}

bool msgpack_put_nil(struct buf *out)
{
    return put_coded(out, 0xc0, 0, 0);
}

bool msgpack_put_bool(struct buf *out, bool v)
{
    return put_coded(out, v ? 0xc3 : 0xc2, 0, 0);
}

bool msgpack_put_uint(struct buf *out, uint64_t v)
{
    if (v < 0x80) return put_coded(out, (unsigned char)v, 0, 0);
    if (v <= UINT8_MAX) return put_coded(out, 0xcc, v, 1);
    if (v <= UINT16_MAX) return put_coded(out, 0xcd, v, 2);
    if (v <= UINT32_MAX) return put_coded(out, 0xce, v, 4);
    return put_coded(out, 0xcf, v, 8);
}

bool msgpack_put_int(struct buf *out, int64_t v)
{
    if (v >= 0) return msgpack_put_uint(out, (uint64_t)v);
    if (v >= -0x20) return put_coded(out, (unsigned char)v, 0, 0);
    if (v >= INT8_MIN) return put_coded(out, 0xd0, (uint64_t)v, 1);
    if (v >= INT16_MIN) return put_coded(out, 0xd1, (uint64_t)v, 2);
    if (v >= INT32_MIN) return put_coded(out, 0xd2, (uint64_t)v, 4);
    return put_coded(out, 0xd3, (uint64_t)v, 8);
}

bool msgpack_put_double(struct buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    return put_coded(out, 0xcb, bits, 8);
}

size_t msgpack_head(unsigned char to[MSGPACK_HEAD_MAX], enum msgpack_kind kind, size_t n)
{
    /* Codes of the fixed form and its end, and of the forms with 8 (0: none), 16 and 32 bits. */
    static const struct {
        unsigned char fixed, below, code8, code16, code32;
    } forms[] = {
        [MSGPACK_STR] = {0xa0, 0x20, 0xd9, 0xda, 0xdb},
        [MSGPACK_BIN] = {0, 0, 0xc4, 0xc5, 0xc6},
        [MSGPACK_ARRAY] = {0x90, 0x10, 0, 0xdc, 0xdd},
        [MSGPACK_MAP] = {0x80, 0x10, 0, 0xde, 0xdf},
    };
    assert(n <= UINT32_MAX);
    if (n < forms[kind].below) return coded(to, (unsigned char)(forms[kind].fixed | n), 0, 0);
    if (n <= UINT8_MAX && forms[kind].code8) return coded(to, forms[kind].code8, n, 1);
    if (n <= UINT16_MAX) return coded(to, forms[kind].code16, n, 2);
    return coded(to, forms[kind].code32, n, 4);
}

/* A head and, but for containers, what it announces. */
static bool put(struct buf *out, enum msgpack_kind kind, size_t n, struct str_view bytes)
{
    unsigned char head[MSGPACK_HEAD_MAX];
    if (n > UINT32_MAX) return false;
    size_t size = msgpack_head(head, kind, n), start = out->n;
    if (buf_add(out, head, size) && buf_add_sv(out, bytes)) return true;
    out->n = start;
    return false;
}

bool msgpack_put_str(struct buf *out, struct str_view v)
{
    return put(out, MSGPACK_STR, v.n, v);
}

bool msgpack_put_bin(struct buf *out, struct str_view v)
{
    return put(out, MSGPACK_BIN, v.n, v);
}

bool msgpack_put_array(struct buf *out, size_t n)
{
    return put(out, MSGPACK_ARRAY, n, SV(""));
}

bool msgpack_put_map(struct buf *out, size_t n)
{
    return put(out, MSGPACK_MAP, n, SV(""));
}
