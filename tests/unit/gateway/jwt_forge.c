/* Failures of OpenSSL here are failures of the test: asserts. */
/* System */
#include <assert.h>
#include <string.h>
/* Third party */
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
/* Util */
#include "util/buf.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/b64.h"
/* Tests */
#include "jwt_forge.h"

static char *bio_text(BIO *bio)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    char *text = x_memdup(data, (size_t)n);
    BIO_free(bio);
    return text;
}

void forge_key_init(struct forge_key *k, int bits, const char *curve)
{
    EVP_PKEY *key = bits ? EVP_RSA_gen((unsigned)bits) : EVP_EC_gen(curve);
    BIO *priv = BIO_new(BIO_s_mem()), *pub = BIO_new(BIO_s_mem());
    assert(key && priv && pub);
    int ok = PEM_write_bio_PrivateKey(priv, key, NULL, NULL, 0, NULL, NULL) == 1 &&
             PEM_write_bio_PUBKEY(pub, key) == 1;
    assert(ok);
    k->private_pem = bio_text(priv);
    k->public_pem = bio_text(pub);
    EVP_PKEY_free(key);
}

void forge_key_fini(struct forge_key *k)
{
    x_free(k->private_pem);
    x_free(k->public_pem);
}

static const EVP_MD *hash_of(const char *alg)
{
    const char *bits = alg + 2;
    return strcmp(bits, "256") == 0 ? EVP_sha256()
                                    : (strcmp(bits, "384") == 0 ? EVP_sha384() : EVP_sha512());
}

/* JWS has r and s side by side at the curve's width, OpenSSL has DER. */
static size_t ec_to_raw(unsigned char *sig, size_t n, int bits)
{
    const unsigned char *der = sig;
    int width = (bits + 7) / 8;
    ECDSA_SIG *rs = d2i_ECDSA_SIG(NULL, &der, (long)n);
    assert(rs);
    BN_bn2binpad(ECDSA_SIG_get0_r(rs), sig, width);
    BN_bn2binpad(ECDSA_SIG_get0_s(rs), sig + width, width);
    ECDSA_SIG_free(rs);
    return (size_t)width * 2;
}

static size_t sign(const char *alg, struct str_view key, struct str_view text, unsigned char *sig,
                   size_t max)
{
    unsigned mac_len = 0;
    if (alg[0] == 'H') {
        HMAC(hash_of(alg), key.p, (int)key.n, (const unsigned char *)text.p, text.n, sig, &mac_len);
        return mac_len;
    }
    BIO *in = BIO_new_mem_buf(key.p, (int)key.n);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = max;
    int ok = pkey && EVP_DigestSignInit(ctx, NULL, hash_of(alg), NULL, pkey) == 1 &&
             EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n) == 1;
    assert(ok);
    if (alg[0] == 'E') n = ec_to_raw(sig, n, EVP_PKEY_get_bits(pkey));
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    BIO_free(in);
    return n;
}

char *forge_token(const char *header, struct str_view payload, const char *alg, struct str_view key)
{
    struct buf out;
    unsigned char sig[1024];
    buf_init(&out, 1 << 20);
    bool ok = b64url_encode(&out, header, strlen(header)) && buf_add_char(&out, '.') &&
              b64url_encode(&out, payload.p, payload.n);
    size_t n = alg && ok ? sign(alg, key, buf_view(&out), sig, sizeof(sig)) : 0;
    ok = ok && buf_add_char(&out, '.') && b64url_encode(&out, sig, n);
    assert(ok);
    char *token = x_memdup(out.p, out.n);
    buf_fini(&out);
    return token;
}
