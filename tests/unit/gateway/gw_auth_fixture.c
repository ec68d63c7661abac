/* Keys are made once a program: 2048-bit RSA keys take a while. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Tests */
#include "unit/gateway/gw_auth_fixture.h"

struct forge_key rsa, rsa_other, rsa_short, p256, p384, p521, k256;

int make_keys(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    forge_key_init(&rsa, 2048, NULL);
    forge_key_init(&rsa_other, 2048, NULL);
    forge_key_init(&rsa_short, 1024, NULL);
    forge_key_init(&p256, 0, "P-256");
    forge_key_init(&p384, 0, "P-384");
    forge_key_init(&p521, 0, "P-521");
    forge_key_init(&k256, 0, "secp256k1");
    return 0;
}

int drop_keys(void **state)
{
    (void)state;
    struct forge_key *all[] = {&rsa, &rsa_other, &rsa_short, &p256, &p384, &p521, &k256};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        forge_key_fini(all[i]);
    return 0;
}

/* --- configuration */

void set(char **field, const char *value)
{
    x_free(*field);
    *field = x_strdup(value);
}

struct cfg cfg_with(const char *alg, const char *secret)
{
    struct cfg c;
    cfg_init(&c);
    c.auth_algorithm = alg;
    set(&c.auth_secret, secret);
    return c;
}

struct gw_auth *auth_from(struct cfg c)
{
    struct cfg_error err = {""};
    struct gw_auth *a = gw_auth_new(&c, &err);
    cfg_fini(&c);
    if (!a) fail_msg("%s", err.text);
    return a;
}

struct cfg cfg_with_keys(const char *keys)
{
    struct cfg c;
    cfg_init(&c);
    set(&c.auth_keys, keys);
    return c;
}

/* --- verdicts */

/* The token lies in memory of exactly its size. */
const char *verify_sv(struct gw_auth *a, struct str_view token, int64_t now, const char **code)
{
    struct gw_identity *id = NULL;
    struct gw_auth_error why;
    char *exact = x_malloc(token.n);
    if (token.n) memcpy(exact, token.p, token.n);
    bool ok = gw_auth_verify(a, sv_make(exact, token.n), now, &id, &why);
    x_free(exact);
    if (code) *code = why.code;
    assert_true(ok == (id != NULL));
    gw_identity_rele(id);
    return ok ? "ok" : why.message;
}

const char *verify(struct gw_auth *a, const char *token)
{
    return verify_sv(a, sv_of(token), NOW, NULL);
}

void assert_verdict(struct gw_auth *a, const char *token, const char *words)
{
    const char *got = verify(a, token);
    if (strcmp(got, words) != 0) fail_msg("wanted \"%s\", got \"%s\"", words, got);
}

void assert_forged(struct gw_auth *a, char *token, const char *words)
{
    assert_verdict(a, token, words);
    x_free(token);
}

char *signed_hs(const char *header, const char *payload)
{
    return forge_token(header, sv_of(payload), "HS256", SV(SECRET));
}

struct gw_identity *identity_of(struct gw_auth *a, const char *token)
{
    struct gw_identity *id = NULL;
    struct gw_auth_error why;
    if (!gw_auth_verify(a, sv_of(token), NOW, &id, &why)) fail_msg("%s", why.message);
    return id;
}
