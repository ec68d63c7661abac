/* Tokens as attackers and strange issuers make them: any header, any payload, signed by OpenSSL
 * without libjwt, so that the code under test is judged by something else than itself. */
#ifndef PEAL_TESTS_JWT_FORGE_H
#define PEAL_TESTS_JWT_FORGE_H

#include "util/str_view.h"

/* A private key and its public half in PEM form. */
struct forge_key {
    char *private_pem, *public_pem; /* x_free, by forge_key_fini() */
};
/* bits: an RSA key of so many bits; or curve: an elliptic curve by OpenSSL's name. */
void forge_key_init(struct forge_key *k, int bits, const char *curve);
void forge_key_fini(struct forge_key *k);

/* header.payload.signature; alg (one of the nine, or NULL for an empty signature) says how to sign,
 * and header may claim anything else. key: the secret's bytes or a private key in PEM form. x_free.
 */
char *forge_token(const char *header, struct str_view payload, const char *alg,
                  struct str_view key);

#endif
