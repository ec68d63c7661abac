/* A key that is wrong must be found at start-up, by the operator, with the name of the setting, and
 * not by users whose tokens fail. The mistakes looked for are those that are made: a public key as
 * HS secret (anybody could then sign), a private key where a public one belongs, the wrong
 * curve, short keys.
 *
 * The key that was checked is the one that verifies: the file is read once, whatever else it held.
 *
 * auth.keys is small configuration, hence jansson and linear search. */

/* System */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
/* Util */
#include "util/buf.h"
#include "util/log.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg_secret.h"
/* This process */
#include "gw_keys.h"
#include "gw_verify.h"

#define SECRET_MIN 8
#define RSA_MIN_BITS 2048

static const struct gw_alg algs[] = {
    {"HS256", 'H', 32, NULL, NULL},
    {"HS384", 'H', 48, NULL, NULL},
    {"HS512", 'H', 64, NULL, NULL},
    {"RS256", 'R', 32, NULL, NULL},
    {"RS384", 'R', 48, NULL, NULL},
    {"RS512", 'R', 64, NULL, NULL},
    {"ES256", 'E', 32, "prime256v1", "P-256"},
    {"ES384", 'E', 48, "secp384r1", "P-384"},
    {"ES512", 'E', 64, "secp521r1", "P-521"},
};

const struct gw_alg *gw_alg_find(struct str_view name)
{
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
        if (sv_eq(name, sv_of(algs[i].name))) return &algs[i];
    return NULL;
}

/* Fills err and returns false, so that a caller can return it. */
static bool fail(struct cfg_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct cfg_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return false;
}

/* --- checks of key material */

bool gw_keys_check_secret(struct str_view secret, const char *name, struct cfg_error *err)
{
    if (sv_glob(SV("*-----BEGIN *"), secret))
        return fail(err,
                    "%s: is a PEM key, which the HS algorithms cannot use: give a secret, or an "
                    "RS or ES algorithm",
                    name);
    if (secret.n < SECRET_MIN)
        return fail(err, "%s: has %zu bytes: at least %d are needed", name, secret.n, SECRET_MIN);
    return true;
}

/* OpenSSL would ask on the terminal. */
static int on_passphrase(char *text, int size, int writing, void *arg)
{
    (void)text, (void)size, (void)writing, (void)arg;
    return -1;
}

static bool check_pkey(const struct gw_alg *alg, EVP_PKEY *key, const char *name,
                       struct cfg_error *err)
{
    if (alg->family == 'R') {
        if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
            return fail(err, "%s: is not an RSA key, which %s needs", name, alg->name);
        int bits = EVP_PKEY_get_bits(key);
        if (bits < RSA_MIN_BITS)
            return fail(err, "%s: the RSA key has %d bits: at least %d are needed", name, bits,
                        RSA_MIN_BITS);
        return true;
    }
    char curve[64] = "";
    size_t n;
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
        return fail(err, "%s: is not an elliptic curve key, which %s needs", name, alg->name);
    if (EVP_PKEY_get_group_name(key, curve, sizeof(curve), &n) != 1 ||
        strcmp(curve, alg->curve) != 0)
        return fail(err, "%s: the key's curve is %s: %s needs %s", name,
                    curve[0] ? curve : "unnamed", alg->name, alg->label);
    return true;
}

bool gw_keys_check_private(const struct gw_alg *alg, struct str_view pem, const char *name,
                           struct cfg_error *err)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, on_passphrase, NULL) : NULL;
    bool ok = key ? check_pkey(alg, key, name, err)
                  : fail(err,
                         "%s: is not a private key in PEM form without passphrase, which %s "
                         "needs to sign",
                         name, alg->name);
    EVP_PKEY_free(key);
    BIO_free(in);
    ERR_clear_error();
    return ok;
}

static bool cannot_verify(const struct gw_key *key, const char *name, struct cfg_error *err)
{
    return fail(err, "%s: OpenSSL cannot check %s with it", name, key->alg->name);
}

static bool read_public(struct gw_key *key, struct str_view pem, const char *name,
                        struct cfg_error *err)
{
    if (sv_glob(SV("*PRIVATE KEY-----*"), pem))
        return fail(err,
                    "%s: is a private key: give the public key, which is all that checking "
                    "tokens needs",
                    name);
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *pkey = in ? PEM_read_bio_PUBKEY(in, NULL, on_passphrase, NULL) : NULL;
    bool ok =
        pkey ? check_pkey(key->alg, pkey, name, err)
             : fail(err, "%s: is not a public key in PEM form (BEGIN PUBLIC KEY), which %s needs",
                    name, key->alg->name);
    if (ok) {
        key->verifier = gw_verifier_new_public(key->alg, pkey);
        ok = key->verifier || cannot_verify(key, name, err);
    }
    EVP_PKEY_free(pkey);
    BIO_free(in);
    ERR_clear_error();
    return ok;
}

/* --- from configuration to keys */

static bool take_material(struct gw_key *key, struct str_view text, const char *name,
                          struct cfg_error *err)
{
    if (key->alg->family != 'H') return read_public(key, text, name, err);
    if (!gw_keys_check_secret(text, name, err)) return false;
    if (text.n < key->alg->hash)
        log_warn("%s: a secret of %zu bytes is weak: %s wants at least %u random bytes", name,
                 text.n, key->alg->name, key->alg->hash);
    key->verifier = gw_verifier_new_secret(key->alg, text);
    return key->verifier || cannot_verify(key, name, err);
}

static bool take_file(struct gw_key *key, const char *path, const char *name, struct cfg_error *err)
{
    struct buf text;
    char what[512];
    snprintf(what, sizeof(what), "%s: \"%s\"", name, path);
    bool ok = cfg_secret_read(&text, GW_KEYS_FILE_MAX, path, name, err) &&
              take_material(key, buf_view(&text), what, err);
    cfg_secret_wipe(&text);
    return ok;
}

/* A new last key; v was made large enough. */
static struct gw_key *next_key(struct gw_keys *keys)
{
    return &keys->v[keys->n++];
}

static bool read_default(struct gw_keys *keys, const struct cfg *cfg, struct cfg_error *err)
{
    bool secret = cfg->auth_secret[0] != '\0', file = cfg->auth_secret_file[0] != '\0';
    if (secret && file) return fail(err, "auth.secret_file: auth.secret is set too: give only one");
    if (!secret && !file) return true;
    struct gw_key *key = next_key(keys);
    key->alg = gw_alg_find(sv_of(cfg->auth_algorithm));
    if (!key->alg)
        return fail(err, "auth.algorithm: \"%s\" is not allowed: one of " GW_ALG_NAMES,
                    cfg->auth_algorithm);
    if (file) return take_file(key, cfg->auth_secret_file, "auth.secret_file", err);
    return take_material(key, sv_of(cfg->auth_secret), "auth.secret", err);
}

/* A member that must be a string, not empty if it is there; NULL with ok untouched if absent. */
static const char *text_member(const json_t *entry, const char *member, size_t i, bool *ok,
                               struct cfg_error *err)
{
    const json_t *value = json_object_get(entry, member);
    if (!value) return NULL;
    const char *text = json_string_value(value);
    if (!text || !text[0])
        *ok = fail(err, "auth.keys[%zu].%s: must be a string, not empty", i, member);
    return text;
}

static bool check_members(json_t *entry, size_t i, struct cfg_error *err)
{
    for (void *at = json_object_iter(entry); at; at = json_object_iter_next(entry, at)) {
        const char *key = json_object_iter_key(at);
        if (strcmp(key, "kid") != 0 && strcmp(key, "alg") != 0 && strcmp(key, "file") != 0 &&
            strcmp(key, "secret") != 0)
            return fail(err, "auth.keys[%zu].%s: no such key: one of kid, alg, file, secret", i,
                        key);
    }
    return true;
}

static bool read_entry(struct gw_keys *keys, json_t *entry, size_t i, struct cfg_error *err)
{
    bool ok = true;
    char name[64];
    if (!json_is_object(entry)) return fail(err, "auth.keys[%zu]: must be an object", i);
    if (!check_members(entry, i, err)) return false;
    const char *kid = text_member(entry, "kid", i, &ok, err);
    const char *alg = ok ? text_member(entry, "alg", i, &ok, err) : NULL;
    const char *file = ok ? text_member(entry, "file", i, &ok, err) : NULL;
    const char *secret = ok ? text_member(entry, "secret", i, &ok, err) : NULL;
    if (!ok) return false;
    if (!kid) return fail(err, "auth.keys[%zu].kid: missing", i);
    if (!alg) return fail(err, "auth.keys[%zu].alg: missing: one of " GW_ALG_NAMES, i);
    if (!file == !secret) return fail(err, "auth.keys[%zu]: give either file or secret", i);
    for (size_t k = 0; k < keys->n; k++)
        if (keys->v[k].kid && strcmp(keys->v[k].kid, kid) == 0)
            return fail(err, "auth.keys[%zu].kid: \"%s\" is there twice", i, kid);
    struct gw_key *key = next_key(keys);
    key->kid = x_strdup(kid);
    key->alg = gw_alg_find(sv_of(alg));
    if (!key->alg)
        return fail(err, "auth.keys[%zu].alg: \"%s\" is not allowed: one of " GW_ALG_NAMES, i, alg);
    snprintf(name, sizeof(name), "auth.keys[%zu].%s", i, file ? "file" : "secret");
    return file ? take_file(key, file, name, err) : take_material(key, sv_of(secret), name, err);
}

bool gw_keys_read(struct gw_keys *keys, const struct cfg *cfg, struct cfg_error *err)
{
    json_error_t why;
    json_t *list = json_loads(cfg->auth_keys, JSON_REJECT_DUPLICATES, &why);
    *keys = (struct gw_keys){0};
    if (!list || !json_is_array(list)) {
        json_decref(list);
        return fail(err, "auth.keys: must be an array of objects with kid, alg and file or secret");
    }
    size_t n = json_array_size(list);
    keys->v = x_calloc(n + 1, sizeof(*keys->v));
    bool ok = read_default(keys, cfg, err);
    for (size_t i = 0; ok && i < n; i++)
        ok = read_entry(keys, json_array_get(list, i), i, err);
    json_decref(list);
    return ok;
}

void gw_keys_fini(struct gw_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++) {
        x_free(keys->v[i].kid);
        gw_verifier_free(keys->v[i].verifier);
    }
    x_free(keys->v);
    *keys = (struct gw_keys){0};
}

const struct gw_key *gw_keys_find(const struct gw_keys *keys, const struct str_view *kid)
{
    const struct gw_key *first = keys->n ? &keys->v[0] : NULL;
    /* A single key without a name fits every token: nothing is chosen. */
    if (first && !first->kid && (!kid || keys->n == 1)) return first;
    if (!kid) return keys->n == 1 ? first : NULL;
    for (size_t i = 0; i < keys->n; i++)
        if (keys->v[i].kid && sv_eq(*kid, sv_of(keys->v[i].kid))) return &keys->v[i];
    return NULL;
}
