/* Design notes
 *
 * - OpenSSL's contexts are kept keyed and only started anew for each token. What libjwt does for each
 *   token (fetching the algorithm, reading the PEM) costs 324 µs for RS256 and 441 for ES256; the
 *   signature alone costs 21 and 71 (docs/decisions/023).
 * - A context that is kept serves one thread; a gateway has no other.
 * - The signature's form is fixed by the key: its length for HS and ES, OpenSSL's own check for RS. So
 *   no signature has a second form. */

/* System */
#include <assert.h>
#include <stdio.h>
/* Third party */
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/b64.h"
/* Gateway */
#include "gw_keys.h"
#include "gw_verify.h"

#define SIGNATURE_MAX 2048 /* bytes; an RSA key of 16384 bits signs with as many */
#define DER_MAX 160        /* two integers of 66 bytes each, and their heads */

struct gw_verifier {
    const struct gw_alg *alg;
    EVP_MAC_CTX *mac; /* HS: keyed */
    EVP_MD *hash;     /* RS, ES */
    EVP_PKEY *key;
    EVP_MD_CTX *digest;
    size_t half; /* ES: bytes of each of the signature's two numbers */
};

static const char *hash_name(const struct gw_alg *alg)
{
    return alg->hash == 32 ? "SHA256" : alg->hash == 48 ? "SHA384" : "SHA512";
}

static bool take_secret(struct gw_verifier *v, struct str_view key)
{
    char name[8];
    snprintf(name, sizeof(name), "%s", hash_name(v->alg)); /* the parameter is not const */
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    v->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL; /* holds a reference of its own */
    EVP_MAC_free(hmac);
    return v->mac && EVP_MAC_init(v->mac, (const unsigned char *)key.p, key.n, params) == 1;
}

struct gw_verifier *gw_verifier_new_secret(const struct gw_alg *alg, struct str_view secret)
{
    struct gw_verifier *v = x_calloc(1, sizeof(*v));
    v->alg = alg;
    bool ok = take_secret(v, secret);
    ERR_clear_error();
    if (ok) return v;
    gw_verifier_free(v);
    return NULL;
}

struct gw_verifier *gw_verifier_new_public(const struct gw_alg *alg, struct evp_pkey_st *key)
{
    struct gw_verifier *v = x_calloc(1, sizeof(*v));
    v->alg = alg;
    v->half = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
    v->hash = EVP_MD_fetch(NULL, hash_name(alg), NULL);
    v->digest = EVP_MD_CTX_new();
    if (EVP_PKEY_up_ref(key)) v->key = key;
    ERR_clear_error();
    if (v->key && v->hash && v->digest) return v;
    gw_verifier_free(v);
    return NULL;
}

void gw_verifier_free(struct gw_verifier *v)
{
    if (!v) return;
    EVP_MAC_CTX_free(v->mac);
    EVP_MD_CTX_free(v->digest);
    EVP_MD_free(v->hash);
    EVP_PKEY_free(v->key);
    x_free(v);
}

static bool check_mac(struct gw_verifier *v, struct str_view text, struct str_view signature)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t n = 0;
    return EVP_MAC_init(v->mac, NULL, 0, NULL) == 1 && /* the same key again */
           EVP_MAC_update(v->mac, (const unsigned char *)text.p, text.n) == 1 &&
           EVP_MAC_final(v->mac, mac, &n, sizeof(mac)) == 1 && n == signature.n &&
           CRYPTO_memcmp(mac, signature.p, n) == 0;
}

/* RFC 7518 section 3.4: two numbers of fixed length. OpenSSL reads DER. */
static int der_of(const struct gw_verifier *v, struct str_view signature, unsigned char *der)
{
    const unsigned char *p = (const unsigned char *)signature.p;
    if (signature.n != 2 * v->half) return 0;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, (int)v->half, NULL);
    BIGNUM *s = BN_bin2bn(p + v->half, (int)v->half, NULL);
    if (!sig || !r || !s || !ECDSA_SIG_set0(sig, r, s)) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return 0;
    }
    int n = i2d_ECDSA_SIG(sig, NULL);
    assert(n <= DER_MAX);
    n = n > 0 ? i2d_ECDSA_SIG(sig, &der) : 0;
    ECDSA_SIG_free(sig);
    return n;
}

static bool check_public(struct gw_verifier *v, struct str_view text, struct str_view signature)
{
    unsigned char der[DER_MAX];
    const unsigned char *p = (const unsigned char *)signature.p;
    size_t n = signature.n;
    if (v->alg->family == 'E') {
        int len = der_of(v, signature, der);
        if (len <= 0) return false;
        p = der;
        n = (size_t)len;
    }
    return EVP_DigestVerifyInit(v->digest, NULL, v->hash, NULL, v->key) == 1 &&
           EVP_DigestVerify(v->digest, p, n, (const unsigned char *)text.p, text.n) == 1;
}

bool gw_verifier_check(struct gw_verifier *v, struct str_view text, struct str_view signature)
{
    struct buf bytes;
    buf_init(&bytes, SIGNATURE_MAX);
    bool ok = b64url_decode(&bytes, signature) &&
              (v->alg->family == 'H' ? check_mac(v, text, buf_view(&bytes))
                                     : check_public(v, text, buf_view(&bytes)));
    buf_fini(&bytes);
    if (!ok) ERR_clear_error(); /* else the next TLS user of the thread finds our errors */
    return ok;
}
