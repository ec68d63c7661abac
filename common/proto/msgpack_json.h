/* JSON text to MessagePack and back, without a tree of either: values go from text to bytes one by
 * one.
 *
 * Binary: in JSON it is Socket.IO's placeholder {"_placeholder":true,"num":N} with the bytes beside
 * the text, in MessagePack it stands in its place. Numbers are those of JavaScript, but that
 * integers keep 64 bits. What notepack.io 3 reads is read (dates, its old ext types, float32). */
#ifndef PEAL_PROTO_MSGPACK_JSON_H
#define PEAL_PROTO_MSGPACK_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/msgpack.h"
#include "proto/sio_packet.h"
#include "util/buf.h"
#include "util/str_view.h"

#define MSGPACK_NOWHERE UINT8_MAX

/* How a JSON text fared on its way to MessagePack. */
struct msgpack_fare {
    /* Something does not come back as it was: an integer beyond 64 bits, a number with more digits
     * than its double gives back, a lone surrogate (now U+FFFD), or an attachment that is used
     * several times (and stands there several times). */
    bool lossy;
    unsigned nbins; /* binary values written */
    /* Attachment i is binary value place[i], counted in the order of the bytes; or NOWHERE. */
    uint8_t place[SIO_ATTACHMENTS_LIMIT];
};

/* Appends json as MessagePack. json: proved, with nattachments if there are any (then placeholders
 * become binary; without attachments they are plain objects). Members that are given twice are
 * written twice, which every reader takes as JSON.parse does. False, and out as it was: out is
 * full, or there are more than SIO_ATTACHMENTS_LIMIT binary values. Linear in time. */
bool msgpack_from_json(struct buf *out, struct str_view json, const struct str_view *attachments,
                       unsigned nattachments, struct msgpack_fare *fare) MUST_CHECK;

/* Binary values met on the way to JSON, in the order of their placeholders. */
struct msgpack_bins {
    struct str_view *views; /* the caller's, max of them; they are lent from the bytes */
    unsigned n, max;
    bool has_forged; /* a map has the key "_placeholder": the text is to be proved again */
};

/* Takes one value off r and appends it as JSON. Binary values become placeholders, numbered on from
 * bins->n; dates ISO texts; undefined null, or as a member nothing; NaN and infinities null;
 * an unknown ext type [type, binary]; keys that are numbers or words texts. Bytes that are not
 * UTF-8 in a text become U+FFFD, one for each. False, *why in static words and out as it was:
 * malformed, nested deeper than max_depth (<= JSON_DEPTH_LIMIT; placeholders count), a key that is
 * a container, more than bins->max binary values, or out full. */
bool msgpack_to_json(struct msgpack_reader *r, struct buf *out, unsigned max_depth,
                     struct msgpack_bins *bins, const char **why) MUST_CHECK;
/* Appends the bytes as a JSON string, repaired as above. */
bool msgpack_text_to_json(struct buf *out, struct str_view bytes) MUST_CHECK;
/* Is it what notepack once wrote for undefined (fixext 1 of type 0)? */
static inline bool msgpack_is_undefined(const struct msgpack_token *t)
{
    return t->kind == MSGPACK_EXT && t->fixed && t->ext == 0 && t->bytes.n == 1;
}

#endif
