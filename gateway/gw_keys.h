/* The keyring: keys from configuration (auth.secret, auth.secret_file, auth.keys), each bound to
 * one algorithm and checked before the first token comes. Knows no tokens and no libjwt. gw_auth.c
 * calls it, and `peal token` for key files; a secret leaves it only as what a verifier holds, and never
 * enters a message. */
#ifndef PEAL_GW_KEYS_H
#define PEAL_GW_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "cluster/cfg.h"
#include "util/str_view.h"

#define GW_KEYS_FILE_MAX 65536
/* For error messages. */
#define GW_ALG_NAMES "HS256 HS384 HS512 RS256 RS384 RS512 ES256 ES384 ES512"

struct gw_alg {
    const char *name;
    char family;       /* 'H' shared secret, 'R' RSA, 'E' elliptic curve */
    unsigned hash;     /* bytes of the hash: RFC 7518 wants HS keys at least that long */
    const char *curve; /* for 'E', as OpenSSL names it */
    const char *label; /* and as people do */
};
/* The exact name, letter case included. NULL if it is not one of GW_ALG_NAMES. */
const struct gw_alg *gw_alg_find(struct str_view name);

struct gw_key {
    char *kid; /* NULL: the default key */
    const struct gw_alg *alg;
    struct gw_verifier *verifier;
};

struct gw_keys {
    struct gw_key *v;
    size_t n;
};

/* Reads and checks all keys. False with *err filled; either way gw_keys_fini() releases *keys. Logs
 * a warning for each secret shorter than its algorithm's hash. */
bool gw_keys_read(struct gw_keys *keys, const struct cfg *cfg, struct cfg_error *err) MUST_CHECK;
void gw_keys_fini(struct gw_keys *keys);

/* The key for a token with this kid (NULL: it has none). Lends; NULL if no key fits. With only the
 * default key configured a kid does not matter. */
const struct gw_key *gw_keys_find(const struct gw_keys *keys, const struct str_view *kid);

/* Is pem a private key that can sign with alg? name stands before the reason in err. */
bool gw_keys_check_private(const struct gw_alg *alg, struct str_view pem, const char *name,
                           struct cfg_error *err) MUST_CHECK;
/* The same for a secret of an HS algorithm. */
bool gw_keys_check_secret(struct str_view secret, const char *name,
                          struct cfg_error *err) MUST_CHECK;

#endif
