/* Base64 (RFC 4648): the standard alphabet for Engine.IO binary on polling, the URL alphabet
 * without padding for JWT. Decoding is strict: no white space, no missing or extra padding, no set
 * bits behind the end. */
#ifndef PEAL_PROTO_B64_H
#define PEAL_PROTO_B64_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/str_view.h"

/* Characters that n bytes become, padding included. */
#define B64_ENCODED_LEN(n) (((n) + 2) / 3 * 4)

/* Appends the encoding of p to out. False if out's maximum would be passed. */
bool b64_encode(struct buf *out, const void *p, size_t n) MUST_CHECK;
/* Appends the decoded bytes. False (out unchanged in length) if text is not base64 or too long. */
bool b64_decode(struct buf *out, struct str_view text) MUST_CHECK;
/* The same in the URL alphabet, unpadded. */
bool b64url_encode(struct buf *out, const void *p, size_t n) MUST_CHECK;
bool b64url_decode(struct buf *out, struct str_view text) MUST_CHECK;

#endif
