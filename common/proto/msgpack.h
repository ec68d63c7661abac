/* MessagePack, token by token: a reader that never leaves its bytes and builds nothing, and writers
 * of the smallest forms (those of notepack.io 3, so that our bytes are Node's bytes).
 *
 * Source: github.com/msgpack/msgpack spec.md. It knows nothing of what ext types mean; see
 * msgpack_json.h for that. */
#ifndef PEAL_PROTO_MSGPACK_H
#define PEAL_PROTO_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/str_view.h"

enum msgpack_kind {
    MSGPACK_NIL,
    MSGPACK_BOOL,     /* truth */
    MSGPACK_UINT,     /* u */
    MSGPACK_NEGATIVE, /* i, below 0 */
    MSGPACK_FLOAT,    /* d */
    MSGPACK_STR,      /* bytes, not proved to be UTF-8 */
    MSGPACK_BIN,      /* bytes */
    MSGPACK_EXT,      /* bytes, ext, fixed */
    MSGPACK_ARRAY,    /* n values follow */
    MSGPACK_MAP,      /* n keys and values follow, in turn */
};

struct msgpack_token {
    enum msgpack_kind kind;
    int8_t ext;
    bool truth;
    bool fixed; /* of the forms without a length; notepack's old types depend on it */
    uint32_t n;
    union {
        uint64_t u;
        int64_t i;
        double d;
    };
    struct str_view bytes;
};

struct msgpack_reader {
    const unsigned char *p, *end;
};

static inline struct msgpack_reader msgpack_reader_of(struct str_view bytes)
{
    const unsigned char *p = (const unsigned char *)(bytes.n ? bytes.p : "");
    return (struct msgpack_reader){p, p + bytes.n};
}

/* Takes the next token; a container's content is left. False: cut short, an unused code, or a
 * container that claims more than what follows can hold. Lends views into the bytes. */
bool msgpack_next(struct msgpack_reader *r, struct msgpack_token *t) MUST_CHECK;
/* Takes a whole value, at any depth, in time linear in its bytes. */
bool msgpack_skip(struct msgpack_reader *r) MUST_CHECK;

/* Each appends; false, and out as it was, if out is full. */
bool msgpack_put_nil(struct buf *out) MUST_CHECK;
bool msgpack_put_bool(struct buf *out, bool v) MUST_CHECK;
bool msgpack_put_uint(struct buf *out, uint64_t v) MUST_CHECK;
bool msgpack_put_int(struct buf *out, int64_t v) MUST_CHECK;
/* Always float64: notepack writes no float32. */
bool msgpack_put_double(struct buf *out, double v) MUST_CHECK;
bool msgpack_put_str(struct buf *out, struct str_view v) MUST_CHECK;
bool msgpack_put_bin(struct buf *out, struct str_view v) MUST_CHECK;
/* The head only. */
bool msgpack_put_array(struct buf *out, size_t n) MUST_CHECK;
bool msgpack_put_map(struct buf *out, size_t n) MUST_CHECK;

#define MSGPACK_HEAD_MAX 5
/* Writes the head of a container or a string to `to`; gives its length. n <= UINT32_MAX. */
size_t msgpack_head(unsigned char to[MSGPACK_HEAD_MAX], enum msgpack_kind kind, size_t n);

#endif
