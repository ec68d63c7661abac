/* System */
#include <stdio.h>
/* Third party */
#include <openssl/core_names.h>
#include <openssl/evp.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg_row.h"
#include "cluster/cfg_secret.h"
/* This process */
#include "wk_sign.h"

#define KEY_MAX 4096

struct wk_signer {
    EVP_MAC_CTX *keyed;
};

static struct wk_signer *signer_new(struct str_view key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    struct wk_signer *s = x_calloc(1, sizeof(*s));
    s->keyed = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (!s->keyed || !EVP_MAC_init(s->keyed, (const unsigned char *)key.p, key.n, params))
        log_fatal("OpenSSL gives no HMAC-SHA256");
    return s;
}

static bool of_file(struct wk_signer **out, const char *path, struct cfg_error *err)
{
    static const char name[] = "worker.http_secret_file";
    struct buf text;
    bool ok = cfg_secret_read(&text, KEY_MAX, path, name, err);
    bool is_strong = ok && text.n >= WK_SIGN_KEY_MIN;
    if (is_strong) *out = signer_new(buf_view(&text));
    if (ok && !is_strong)
        cfg_row_error(err, "%s: \"%s\": has %zu bytes: at least %d are needed", name, path, text.n,
                      WK_SIGN_KEY_MIN);
    cfg_secret_wipe(&text);
    return is_strong;
}

bool wk_signer_new(struct wk_signer **out, const struct cfg *cfg, struct cfg_error *err)
{
    *out = NULL;
    if (cfg->worker_http_secret_file[0]) return of_file(out, cfg->worker_http_secret_file, err);
    if (cfg->worker_http_secret[0]) *out = signer_new(sv_of(cfg->worker_http_secret));
    return true;
}

void wk_signer_free(struct wk_signer *s)
{
    if (!s) return;
    EVP_MAC_CTX_free(s->keyed);
    x_free(s);
}

static bool update(EVP_MAC_CTX *ctx, const char *p, size_t n)
{
    return EVP_MAC_update(ctx, (const unsigned char *)p, n);
}

static void put_hex(char *to, const unsigned char *from, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = hex[from[i] >> 4];
        to[2 * i + 1] = hex[from[i] & 15];
    }
    to[2 * n] = '\0';
}

void wk_sign(const struct wk_signer *s, int64_t t, struct str_view body, char out[WK_SIGN_MAX])
{
    unsigned char mac[32];
    size_t n = 0;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(s->keyed);
    int at = snprintf(out, WK_SIGN_MAX, "t=%lld", (long long)t);
    bool ok = ctx && update(ctx, out + 2, (size_t)at - 2) && update(ctx, ".", 1) &&
              update(ctx, body.p, body.n) && EVP_MAC_final(ctx, mac, &n, sizeof(mac)) &&
              n == sizeof(mac);
    EVP_MAC_CTX_free(ctx);
    if (!ok) log_fatal("OpenSSL gives no HMAC-SHA256");
    at += snprintf(out + at, (size_t)(WK_SIGN_MAX - at), ",v1=");
    put_hex(out + at, mac, sizeof(mac));
}
