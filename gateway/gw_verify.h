/* Signatures of tokens: one verifier for each configured key, made at start-up, so that a token costs
 * the arithmetic and no reading of keys. It decides nothing: gw_keys.c has checked the key, gw_auth.c has
 * found that the token's alg is the key's. Knows no tokens, only bytes. */
#ifndef PEAL_GW_VERIFY_H
#define PEAL_GW_VERIFY_H

#include <stdbool.h>

#include "util/buf.h"
#include "util/str_view.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */
struct gw_alg;
struct gw_verifier;

/* For an HS algorithm. Keeps nothing of the secret but what OpenSSL holds. NULL: OpenSSL does not take
 * it. Gives: gw_verifier_free. */
struct gw_verifier *gw_verifier_new_secret(const struct gw_alg *alg, struct str_view secret);
/* For RS and ES; holds a reference of its own to a public key that fits alg. */
struct gw_verifier *gw_verifier_new_public(const struct gw_alg *alg, struct evp_pkey_st *key);
void gw_verifier_free(struct gw_verifier *v); /* NULL is fine */

/* Is signature (base64url, as in the token) that of text? RFC 7518 section 3. */
bool gw_verifier_check(struct gw_verifier *v, struct str_view text,
                       struct str_view signature) MUST_CHECK;

#endif
