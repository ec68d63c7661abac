/* The signature of what is sent to a backend: "t=<unix s>,v1=<hex of HMAC-SHA256(key, t "." body)>".
 * The time is in it so that an old request cannot be played again. */
#ifndef PEAL_WK_SIGN_H
#define PEAL_WK_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cfg.h"

#define WK_SIGN_KEY_MIN 16 /* bytes */
#define WK_SIGN_MAX 128    /* of a signature's text, with its NUL */

/* What the key is read to: bytes that are needed until there is a signer. */
struct wk_sign_key {
    char *p; /* NULL: nothing is signed */
    size_t n;
};

/* worker.http_secret, or the content of worker.http_secret_file. False with *err filled. */
bool wk_sign_key_read(struct wk_sign_key *key, const struct cfg *cfg,
                      struct cfg_error *err) MUST_CHECK;
void wk_sign_key_fini(struct wk_sign_key *key);

/* Keyed once. NULL: nothing is signed. Gives: wk_signer_free. */
struct wk_signer;
struct wk_signer *wk_signer_new(const struct wk_sign_key *key);
void wk_signer_free(struct wk_signer *s);

void wk_sign(const struct wk_signer *s, int64_t t, struct str_view body, char out[WK_SIGN_MAX]);

#endif
