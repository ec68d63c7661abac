/* The signature of what is sent to a backend: "t=<unix s>,v1=<hex of HMAC-SHA256(key, t "." body)>".
 * The time is in it so that an old request cannot be played again. */
#ifndef PEAL_WK_SIGN_H
#define PEAL_WK_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cfg.h"

#define WK_SIGN_KEY_MIN 16 /* bytes */
#define WK_SIGN_MAX 128    /* of a signature's text, with its NUL */

struct wk_signer;
/* Keyed once, with worker.http_secret or the content of worker.http_secret_file. *out NULL: there is none,
 * nothing is signed. False with *err filled. Gives: wk_signer_free. */
bool wk_signer_new(struct wk_signer **out, const struct cfg *cfg, struct cfg_error *err) MUST_CHECK;
void wk_signer_free(struct wk_signer *s);

void wk_sign(const struct wk_signer *s, int64_t t, struct str_view body, char out[WK_SIGN_MAX]);

#endif
