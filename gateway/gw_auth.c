/* The algorithm is the key's, never the token's: a token is looked at only after jwt_parts_read() gave
 * it one reading and its alg was found to be the key's, and the signature is checked by a verifier that
 * knows no other (RFC 8725). libjwt mints tokens; it would take the algorithm from the token, and
 * verify HS256 with the text of an RSA key if the token asked for it (docs/decisions/023).
 *
 * typ: as libjwt's verification did, only "JWT" (in any case) or none. */

/* System */
#include <assert.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <jwt.h>
#include <openssl/err.h>
/* Util */
#include "util/buf.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
#include "proto/jwt_parts.h"
/* This process */
#include "gw_auth.h"
#include "gw_claims.h"
#include "gw_keys.h"
#include "gw_verify.h"

struct gw_auth {
    struct gw_keys keys;
    struct gw_claims_rules rules;
};

/* --- identity */

struct gw_identity *gw_identity_hold(struct gw_identity *id)
{
    assert(id->refs > 0 && id->refs < UINT32_MAX);
    id->refs++;
    return id;
}

void gw_identity_rele(struct gw_identity *id)
{
    if (!id) return;
    assert(id->refs > 0);
    if (--id->refs == 0) x_free(id);
}

/* --- the keyring and the rules */

struct gw_auth *gw_auth_new(const struct cfg *cfg, struct cfg_error *err)
{
    struct gw_auth *a = x_calloc(1, sizeof(*a));
    gw_claims_rules_init(&a->rules, cfg);
    bool ok = gw_keys_read(&a->keys, cfg, err);
    if (ok && a->keys.n == 0 && strcmp(cfg->auth_mode, "none") != 0) {
        snprintf(err->text, sizeof(err->text),
                 "auth.secret: missing: set PEAL_AUTH_SECRET, auth.secret_file or auth.keys (or "
                 "auth.mode=none)");
        ok = false;
    }
    if (ok) return a;
    gw_auth_free(a);
    return NULL;
}

void gw_auth_free(struct gw_auth *a)
{
    if (!a) return;
    gw_keys_fini(&a->keys);
    gw_claims_rules_fini(&a->rules);
    x_free(a);
}

/* --- header and signature; each step returns NULL or the words of the refusal */

struct header {
    struct str_view alg, kid, typ; /* raw values; .p NULL if absent */
    bool crit;
};

static struct header read_header(struct str_view text)
{
    struct header h = {0};
    struct json_iter it;
    struct str_view key, value;
    json_iter_init(&it, text);
    while (json_object_next(&it, &key, &value)) {
        if (json_string_equals(key, SV("alg"))) h.alg = value;
        if (json_string_equals(key, SV("kid"))) h.kid = value;
        if (json_string_equals(key, SV("typ"))) h.typ = value;
        if (json_string_equals(key, SV("crit"))) h.crit = true;
    }
    return h;
}

static const char *choose_key(const struct gw_auth *a, struct str_view text,
                              const struct gw_key **key)
{
    struct header h = read_header(text);
    struct str_view kid, typ;
    struct buf scratch;
    buf_init(&scratch, GW_AUTH_TOKEN_MAX);
    const char *why = NULL;
    if (h.crit) why = "invalid token"; /* we know no extension, RFC 7515 section 4.1.11 */
    if (!why && h.typ.p &&
        (!gw_claims_is_string(h.typ) || !gw_claims_text(h.typ, &scratch, &typ) ||
         !sv_eq_nocase(typ, SV("JWT"))))
        why = "invalid token";
    if (!why && h.kid.p && (!gw_claims_is_string(h.kid) || !gw_claims_text(h.kid, &scratch, &kid)))
        why = "invalid token";
    if (!why) {
        *key = gw_keys_find(&a->keys, h.kid.p ? &kid : NULL);
        if (a->keys.n == 0)
            why = "secret or public key must be provided";
        else if (!*key)
            why = "unknown kid";
        else if (!gw_claims_is_string(h.alg) ||
                 !json_string_equals(h.alg, sv_of((*key)->alg->name)))
            why = "invalid algorithm";
    }
    buf_fini(&scratch);
    return why;
}

bool gw_auth_verify(struct gw_auth *a, struct str_view token, int64_t now, struct gw_identity **id,
                    struct gw_auth_error *why)
{
    struct jwt_parts parts;
    const struct gw_key *key = NULL;
    *why = (struct gw_auth_error){.code = GW_AUTH_INVALID};
    if (jwt_parts_read(token, GW_AUTH_TOKEN_MAX, &parts, &why->message)) {
        why->message = choose_key(a, buf_view(&parts.header), &key);
        if (!why->message && !gw_verifier_check(key->verifier, parts.signed_text, parts.signature))
            why->message = "invalid signature";
        if (!why->message)
            why->message = gw_claims_check(&a->rules, buf_view(&parts.payload), now, id);
    } else if (strcmp(why->message, JWT_PARTS_MISSING) == 0) {
        why->code = GW_AUTH_REQUIRED;
    } else if (strcmp(why->message, JWT_PARTS_MALFORMED) == 0) {
        why->code = GW_AUTH_BAD_FORMAT;
    }
    jwt_parts_fini(&parts);
    return !why->message;
}

/* --- minting */

static bool mint_fail(struct cfg_error *err, const char *what)
{
    snprintf(err->text, sizeof(err->text), "%s", what);
    return false;
}

static bool check_mint(const struct gw_alg *alg, struct str_view key, const char *claims,
                       struct cfg_error *err)
{
    enum json_kind kind;
    const char *why;
    struct str_view text = sv_of(claims);
    if (!alg) return mint_fail(err, "algorithm: not allowed: one of " GW_ALG_NAMES);
    if (text.n > GW_AUTH_TOKEN_MAX || !utf8_is_valid(text) ||
        !json_scan_value(text, JWT_PARTS_MAX_DEPTH, -1, &kind, &why) || kind != JSON_OBJECT)
        return mint_fail(err, "claims: not a JSON object, or too long");
    if (alg->family == 'H') return gw_keys_check_secret(key, "secret", err);
    return gw_keys_check_private(alg, key, "key", err);
}

char *gw_auth_mint(const char *alg, const char *kid, struct str_view key, const char *claims,
                   struct cfg_error *err)
{
    const struct gw_alg *known = gw_alg_find(sv_of(alg));
    jwt_t *jwt = NULL;
    char *token = NULL;
    if (!check_mint(known, key, claims, err)) return NULL;
    if (jwt_new(&jwt) == 0 && (!kid || jwt_add_header(jwt, "kid", kid) == 0) &&
        jwt_add_grants_json(jwt, claims) == 0 &&
        jwt_set_alg(jwt, jwt_str_alg(known->name), (const unsigned char *)key.p, (int)key.n) == 0)
        token = jwt_encode_str(jwt);
    if (!token) mint_fail(err, "claims: the token library refuses them");
    if (token && strlen(token) > GW_AUTH_TOKEN_MAX) {
        mint_fail(err, "claims: the token would be longer than gateways accept");
        x_free(token);
        token = NULL;
    }
    jwt_free(jwt);
    ERR_clear_error();
    return token;
}
