/* Which key is taken for which token, which keys are refused at start-up and in which words, and
 * which tokens are not minted. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Tests */
#include "unit/gateway/gw_auth_fixture.h"
#include "unit/gateway/gw_auth_vectors.h"
#include "unit/temp_file.h"

/* The words that refuse the configuration, or "ok". Takes c; lends until the next call. */
static const char *mistake(struct cfg c)
{
    static struct cfg_error err;
    struct gw_auth *a = gw_auth_new(&c, &err);
    cfg_fini(&c);
    if (a) snprintf(err.text, sizeof(err.text), "ok");
    gw_auth_free(a);
    return err.text;
}

static void assert_mistake(struct cfg c, const char *words)
{
    const char *got = mistake(c);
    if (!strstr(got, words)) fail_msg("wanted \"%s\", got \"%s\"", words, got);
}

/* A PEM text as a member of auth.keys. Lends until the next call. */
static const char *json_of(const char *pem)
{
    static char out[8192];
    size_t n = 0;
    for (; *pem; pem++) {
        if (*pem == '\n') out[n++] = '\\';
        out[n++] = *pem == '\n' ? 'n' : *pem;
    }
    out[n] = '\0';
    return out;
}

/* --- several keys */

#define K1_K2                                                                                      \
    "[{\"kid\":\"k1\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\"},"                               \
    "{\"kid\":\"k2\",\"alg\":\"HS512\",\"secret\":\"" SECRET SECRET "\"}]"

static void kid_picks_the_key_and_the_key_the_algorithm(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with_keys(K1_K2));
    const struct {
        const char *header, *alg, *secret, *words;
    } cases[] = {
        {"{\"alg\":\"HS256\",\"kid\":\"k1\"}", "HS256", SECRET, "ok"},
        {"{\"alg\":\"HS512\",\"kid\":\"k2\"}", "HS512", SECRET SECRET, "ok"},
        {"{\"alg\":\"HS512\",\"kid\":\"\\u006b2\"}", "HS512", SECRET SECRET, "ok"},
        {"{\"alg\":\"HS256\",\"kid\":\"k2\"}", "HS256", SECRET SECRET, "invalid algorithm"},
        {"{\"alg\":\"HS512\",\"kid\":\"k1\"}", "HS512", SECRET, "invalid algorithm"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\"}", "HS256", SECRET SECRET, "invalid signature"},
        {"{\"alg\":\"HS256\",\"kid\":\"k3\"}", "HS256", SECRET, "unknown kid"},
        {"{\"alg\":\"HS256\",\"kid\":\"K1\"}", "HS256", SECRET, "unknown kid"},
        {"{\"alg\":\"HS256\",\"kid\":\"\"}", "HS256", SECRET, "unknown kid"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\\u0000\"}", "HS256", SECRET, "unknown kid"},
        {"{\"alg\":\"HS256\",\"kid\":\"../k1\"}", "HS256", SECRET, "unknown kid"},
        {"{\"alg\":\"HS256\",\"kid\":1}", "HS256", SECRET, "invalid token"},
        {"{\"alg\":\"HS256\"}", "HS256", SECRET, "unknown kid"}, /* two keys: which? */
        {"{\"alg\":\"none\",\"kid\":\"k1\"}", "HS256", SECRET, "invalid algorithm"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *token = forge_token(cases[i].header, SV("{}"), cases[i].alg, sv_of(cases[i].secret));
        const char *got = verify(a, token);
        if (strcmp(got, cases[i].words) != 0) fail_msg("%s: %s", cases[i].header, got);
        x_free(token);
    }
    gw_auth_free(a);
}

static void without_kid_the_default_or_the_only_key_counts(void **state)
{
    (void)state;
    char *with = signed_hs("{\"alg\":\"HS256\",\"kid\":\"k1\"}", "{}");
    char *wrong = signed_hs("{\"alg\":\"HS256\",\"kid\":\"k9\"}", "{}");
    char *without = signed_hs("{\"alg\":\"HS256\"}", "{}");
    char *other = forge_token("{\"alg\":\"HS256\"}", SV("{}"), "HS256", SV("default-secret"));
    char *stolen =
        forge_token("{\"alg\":\"HS256\",\"kid\":\"k1\"}", SV("{}"), "HS256", SV("default-secret"));
    const char *one = "[{\"kid\":\"k1\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]";
    struct gw_auth *a = auth_from(cfg_with_keys(one));
    assert_verdict(a, with, "ok");
    assert_verdict(a, without, "ok");
    assert_verdict(a, wrong, "unknown kid");
    gw_auth_free(a);
    struct cfg c = cfg_with_keys(one);
    set(&c.auth_secret, "default-secret");
    a = auth_from(c);
    assert_verdict(a, with, "ok");
    assert_verdict(a, without, "invalid signature");
    assert_verdict(a, other, "ok");
    assert_verdict(a, wrong, "unknown kid");
    assert_verdict(a, stolen, "invalid signature");
    gw_auth_free(a);
    char *const all[] = {with, wrong, without, other, stolen};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        x_free(all[i]);
}

/* --- configuration */

static void mode_none_needs_no_key_and_other_modes_do(void **state)
{
    (void)state;
    struct cfg c;
    cfg_init(&c);
    c.auth_mode = "none";
    struct gw_auth *a = auth_from(c);
    assert_verdict(a, py_alice, "secret or public key must be provided");
    gw_auth_free(a);
    cfg_init(&c);
    assert_mistake(c, "auth.secret: missing: set PEAL_AUTH_SECRET, auth.secret_file or auth.keys");
}

static void wrong_secrets_are_named_and_not_shown(void **state)
{
    (void)state;
    const struct {
        const char *alg, *secret, *words;
    } cases[] = {
        {"HS256", "1234567", "auth.secret: has 7 bytes: at least 8"},
        {"HS256", "12345678", "ok"},
        {"HS256", rsa.public_pem, "auth.secret: is a PEM key"},
        {"HS256", rsa.private_pem, "auth.secret: is a PEM key"},
        {"RS256", SECRET, "auth.secret: is not a public key in PEM form"},
        {"RS256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
         "auth.secret: is not a public key in PEM form"},
        {"RS256", rsa.public_pem, "ok"},
        {"RS256", rsa.private_pem, "auth.secret: is a private key: give the public key"},
        {"ES256", p256.private_pem, "auth.secret: is a private key: give the public key"},
        {"RS256", rsa_short.public_pem, "auth.secret: the RSA key has 1024 bits"},
        {"RS256", p256.public_pem, "auth.secret: is not an RSA key, which RS256 needs"},
        {"ES256", rsa.public_pem, "auth.secret: is not an elliptic curve key, which ES256 needs"},
        {"ES256", p384.public_pem, "auth.secret: the key's curve is secp384r1: ES256 needs P-256"},
        {"ES256", k256.public_pem, "auth.secret: the key's curve is secp256k1: ES256 needs P-256"},
        {"ES384", p384.public_pem, "ok"},
        {"ES512", p521.public_pem, "ok"},
        {"ES512", p384.public_pem, "ES512 needs P-521"},
        {"none", SECRET, "auth.algorithm: \"none\" is not allowed: one of HS256"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = mistake(cfg_with(cases[i].alg, cases[i].secret));
        if (!strstr(got, cases[i].words)) fail_msg("%zu: %s", i, got);
        if (strstr(got, cases[i].secret)) fail_msg("%zu shows the secret: %s", i, got);
    }
}

static void wrong_lists_of_keys_are_named_by_place(void **state)
{
    (void)state;
#define HS(kid) "{\"kid\":\"" kid "\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}"
    const struct {
        const char *keys, *words;
    } cases[] = {
        {"[]", "auth.secret: missing"},
        {"[" HS("a") "," HS("b") "]", "ok"},
        {"{}", "auth.keys: must be an array"},
        {"[1]", "auth.keys[0]: must be an object"},
        {"[" HS("a") "," HS("a") "]", "auth.keys[1].kid: \"a\" is there twice"},
        {"[" HS("a") ",{\"kid\":\"b\",\"alg\":\"none\",\"secret\":\"" SECRET "\"}]",
         "auth.keys[1].alg: \"none\" is not allowed: one of HS256 HS384"},
        {"[{\"kid\":\"b\",\"alg\":\"hs256\",\"secret\":\"" SECRET "\"}]",
         "auth.keys[0].alg: \"hs256\" is not allowed"},
        {"[{\"kid\":\"b\",\"secret\":\"" SECRET "\"}]", "auth.keys[0].alg: missing"},
        {"[{\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]", "auth.keys[0].kid: missing"},
        {"[{\"kid\":\"\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]",
         "auth.keys[0].kid: must be a string, not empty"},
        {"[{\"kid\":1,\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]",
         "auth.keys[0].kid: must be a string, not empty"},
        {"[{\"kid\":\"b\",\"alg\":\"HS256\"}]", "auth.keys[0]: give either file or secret"},
        {"[{\"kid\":\"b\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\",\"file\":\"x\"}]",
         "auth.keys[0]: give either file or secret"},
        {"[{\"kid\":\"b\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\",\"use\":\"sig\"}]",
         "auth.keys[0].use: no such key"},
        {"[{\"kid\":\"b\",\"alg\":\"HS256\",\"secret\":\"short\"}]",
         "auth.keys[0].secret: has 5 bytes: at least 8"},
        {"[{\"kid\":\"b\",\"alg\":\"RS256\",\"file\":\"/nonexistent/x.pem\"}]",
         "auth.keys[0].file: \"/nonexistent/x.pem\": No such file or directory"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = mistake(cfg_with_keys(cases[i].keys));
        if (!strstr(got, cases[i].words)) fail_msg("%s: %s", cases[i].keys, got);
        if (strstr(got, SECRET)) fail_msg("%s shows the secret", got);
    }
    char *keys = x_asprintf("[{\"kid\":\"a\",\"alg\":\"RS256\",\"secret\":\"%s\"}]",
                            json_of(rsa.public_pem));
    assert_mistake(cfg_with_keys(keys), "ok");
    x_free(keys);
}

static struct cfg cfg_with_file(const char *alg, const char *path)
{
    struct cfg c = cfg_with(alg, "");
    set(&c.auth_secret_file, path);
    return c;
}

/* Writes text to path, which temp_file_open() made. */
static void write_file(const char *path, struct str_view text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    assert_int_equal(fclose(f), 0);
}

static void secrets_come_from_files(void **state)
{
    (void)state;
    char path[TEMP_PATH_MAX];
    int fd = temp_file_open(path);
    assert_true(fd >= 0);
    close(fd);
    assert_mistake(cfg_with_file("HS256", path), "the file is empty");
    const struct str_view ends[] = {SV(SECRET), SV(SECRET "\n"), SV(SECRET "\r\n")};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        write_file(path, ends[i]);
        struct gw_auth *a = auth_from(cfg_with_file("HS256", path));
        assert_verdict(a, py_alice, "ok");
        gw_auth_free(a);
    }
    write_file(path, SV(SECRET "\n\n")); /* only one is dropped */
    struct gw_auth *a = auth_from(cfg_with_file("HS256", path));
    assert_verdict(a, py_alice, "invalid signature");
    gw_auth_free(a);
    write_file(path, sv_of(py_rsa_pem));
    a = auth_from(cfg_with_file("RS256", path));
    assert_verdict(a, py_rs256, "ok");
    gw_auth_free(a);
    assert_mistake(cfg_with_file("HS256", path), "is a PEM key");
    assert_mistake(cfg_with_file("HS256", path), path);
    struct cfg both = cfg_with_file("RS256", path);
    set(&both.auth_secret, SECRET);
    assert_mistake(both, "auth.secret_file: auth.secret is set too");
    write_file(path, sv_of(rsa.private_pem));
    assert_mistake(cfg_with_file("RS256", path), "give the public key");
    assert_int_equal(unlink(path), 0);
    assert_mistake(cfg_with_file("RS256", path), "No such file or directory");
    assert_mistake(cfg_with_file("RS256", "/tmp"), "auth.secret_file: \"/tmp\": Is a directory");
    assert_mistake(cfg_with_file("HS256", "/dev/zero"), "longer than");
}

/* --- minting */

static void minting_refuses_what_no_gateway_would_take(void **state)
{
    (void)state;
    const struct {
        const char *alg;
        struct str_view key;
        const char *claims, *words;
    } cases[] = {
        {"none", SV(SECRET), "{}", "algorithm: not allowed"},
        {"hs256", SV(SECRET), "{}", "algorithm: not allowed"},
        {"HS256", SV("short"), "{}", "secret: has 5 bytes"},
        {"HS256", sv_of(rsa.private_pem), "{}", "secret: is a PEM key"},
        {"RS256", SV(SECRET), "{}", "key: is not a private key"},
        {"RS256", sv_of(rsa.public_pem), "{}", "key: is not a private key"},
        {"RS256", sv_of(rsa_short.private_pem), "{}", "key: the RSA key has 1024 bits"},
        {"ES256", sv_of(p384.private_pem), "{}", "key: the key's curve is secp384r1"},
        {"HS256", SV(SECRET), "[]", "claims: not a JSON object"},
        {"HS256", SV(SECRET), "{", "claims: not a JSON object"},
        {"HS256", SV(SECRET), "{\"n\":99999999999999999999}", "claims: the token library"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cfg_error err = {""};
        assert_null(gw_auth_mint(cases[i].alg, NULL, cases[i].key, cases[i].claims, &err));
        if (!strstr(err.text, cases[i].words)) fail_msg("%zu: %s", i, err.text);
    }
    char *big = x_asprintf("{\"a\":\"%07000d\"}", 0);
    struct cfg_error err = {""};
    assert_null(gw_auth_mint("HS256", NULL, SV(SECRET), big, &err));
    assert_non_null(strstr(err.text, "longer than gateways accept"));
    x_free(big);
}

static void a_minted_kid_is_found(void **state)
{
    (void)state;
    struct cfg_error err;
    struct gw_auth *a = auth_from(cfg_with_keys(K1_K2));
    char *token = gw_auth_mint("HS512", "k2", SV(SECRET SECRET), "{\"sub\":\"\\u00eb\"}", &err);
    assert_non_null(token);
    struct gw_identity *id = identity_of(a, token);
    assert_true(sv_eq(id->sub, SV("\xc3\xab")));
    gw_identity_rele(id);
    x_free(token);
    gw_auth_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kid_picks_the_key_and_the_key_the_algorithm),
        cmocka_unit_test(without_kid_the_default_or_the_only_key_counts),
        cmocka_unit_test(mode_none_needs_no_key_and_other_modes_do),
        cmocka_unit_test(wrong_secrets_are_named_and_not_shown),
        cmocka_unit_test(wrong_lists_of_keys_are_named_by_place),
        cmocka_unit_test(secrets_come_from_files),
        cmocka_unit_test(minting_refuses_what_no_gateway_would_take),
        cmocka_unit_test(a_minted_kid_is_found),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
