/* Tokens: from the text of a JWT to an identity, or to the words that say why not.
 *
 * The one place that knows libjwt (for minting). Keys come from configuration and are bound to one algorithm
 * each; what the token's header says only has to agree (RFC 8725). It knows no sockets, no timers
 * and reads no clock: the caller passes the time. Token text never reaches a log or an error
 * message. */
#ifndef PEAL_GW_AUTH_H
#define PEAL_GW_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cfg.h"
#include "util/str_view.h"

/* Longest token accepted; bounded also by gateway.max_head or the pending budget. */
#define GW_AUTH_TOKEN_MAX 8192
/* Longest sub and room name, in bytes, and most rooms a token may name. */
#define GW_AUTH_NAME_MAX 256
#define GW_AUTH_ROOMS_MAX 256

/* Who a verified token says the client is. Immutable, shared by reference, one allocation; the
 * views point into it. */
struct gw_identity {
    unsigned refs;
    int64_t exp;         /* seconds since 1970, without the leeway; 0: the token does not expire */
    int64_t iat;         /* 0 if absent */
    struct str_view sub; /* UTF-8 without control characters; "" if absent */
    struct str_view claims; /* the whole payload: a JSON object as the token has it */
    struct str_view rooms;  /* names from auth.rooms_claim, each followed by a NUL; "" if none */
};
struct gw_identity *gw_identity_hold(struct gw_identity *id);
void gw_identity_rele(struct gw_identity *id); /* NULL is fine */

/* Codes of socketio-jwt. */
#define GW_AUTH_REQUIRED "credentials_required"
#define GW_AUTH_BAD_FORMAT "credentials_bad_format"
#define GW_AUTH_INVALID "invalid_token"

/* Why a token was refused: static words that jsonwebtoken users know. */
struct gw_auth_error {
    const char *code;    /* one of the GW_AUTH_ words above */
    const char *message; /* "jwt expired", "invalid signature", "jwt malformed", … */
};

struct gw_auth;

/* Reads keys and rules from configuration (auth.*; key files too). NULL with *err filled (names the
 * key, the value unless it is secret, and what is allowed) on a mistake. Mode "none" needs no key;
 * every other mode needs one. Keeps nothing of cfg. Gives: gw_auth_free. */
struct gw_auth *gw_auth_new(const struct cfg *cfg, struct cfg_error *err);
void gw_auth_free(struct gw_auth *a);

/* Verifies a token at time now (seconds since 1970). True: *id is a new reference. False: *why says
 * why. Structure is judged first, then the algorithm, the signature, and the claims last. */
bool gw_auth_verify(struct gw_auth *a, struct str_view token, int64_t now, struct gw_identity **id,
                    struct gw_auth_error *why) MUST_CHECK;

/* Makes a token for `peal token` and tests: claims is a JSON object text, kid may be NULL, key is a
 * secret or a private key in PEM form. Gives the token (x_free), or NULL with *err. */
char *gw_auth_mint(const char *alg, const char *kid, struct str_view key, const char *claims,
                   struct cfg_error *err);

#endif
