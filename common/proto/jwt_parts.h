/* Takes the compact form of a JWT apart (RFC 7515 section 7.1) before any library sees it: exactly
 * three segments of strict unpadded base64url, bounded, header and payload proved to be JSON
 * objects without duplicate members at the top level. Knows no keys and checks no signature. */
#ifndef PEAL_PROTO_JWT_PARTS_H
#define PEAL_PROTO_JWT_PARTS_H

#include <stdbool.h>

#include "util/buf.h"
#include "util/str_view.h"

/* Nesting of header and payload, and members at their top level. */
#define JWT_PARTS_MAX_DEPTH 32
#define JWT_PARTS_MAX_MEMBERS 256

/* The reasons jwt_parts_read() gives, in the words of npm's jsonwebtoken. */
#define JWT_PARTS_MISSING "jwt must be provided"
#define JWT_PARTS_MALFORMED "jwt malformed"
#define JWT_PARTS_UNSIGNED "jwt signature is required"

struct jwt_parts {
    struct buf header, payload;  /* decoded JSON texts, UTF-8, with a NUL behind them */
    struct str_view signed_text; /* header "." payload as in the token */
    struct str_view signature;   /* base64url text, never empty after success */
};

/* False with *why (one of the words above) if the token is not of that form. Either way *out must
 * be released with jwt_parts_fini(). max bounds the token's length. */
bool jwt_parts_read(struct str_view token, size_t max, struct jwt_parts *out,
                    const char **why) MUST_CHECK;
void jwt_parts_fini(struct jwt_parts *p);

#endif
