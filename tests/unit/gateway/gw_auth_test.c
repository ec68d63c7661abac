/* Every way known to us of forging a token, each with the words of its refusal; and that good
 * tokens of all nine algorithms pass, ours and PyJWT's. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Tests */
#include "unit/gateway/gw_auth_fixture.h"
#include "unit/gateway/gw_auth_vectors.h"

/* --- good tokens */

static const struct {
    const char *alg;
    const struct forge_key *key;
} algorithms[] = {
    {"HS256", NULL}, {"HS384", NULL},  {"HS512", NULL},  {"RS256", &rsa},  {"RS384", &rsa},
    {"RS512", &rsa}, {"ES256", &p256}, {"ES384", &p384}, {"ES512", &p521},
};

static void good_tokens_of_all_algorithms_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        const char *alg = algorithms[i].alg;
        const struct forge_key *key = algorithms[i].key;
        struct str_view signer = key ? sv_of(key->private_pem) : SV(SECRET SECRET);
        struct gw_auth *a = auth_from(cfg_with(alg, key ? key->public_pem : SECRET SECRET));
        struct cfg_error err = {""};
        char header[64];
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", alg);
        char *token = gw_auth_mint(alg, NULL, signer, "{\"sub\":\"a\"}", &err);
        if (!token) fail_msg("%s: %s", alg, err.text);
        assert_verdict(a, token, "ok");
        x_free(token);
        assert_forged(a, forge_token(header, SV("{\"sub\":\"a\"}"), alg, signer), "ok");
        gw_auth_free(a);
    }
}

static void tokens_of_pyjwt_pass(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    struct gw_identity *id = identity_of(a, py_alice);
    assert_true(sv_eq(id->sub, SV("alice")));
    assert_int_equal(id->exp, 4102444800);
    assert_int_equal(id->iat, 1600000000);
    assert_true(
        sv_eq(id->claims,
              SV("{\"sub\":\"alice\",\"exp\":4102444800,\"iat\":1600000000,\"role\":\"admin\"}")));
    gw_identity_rele(id);
    id = identity_of(a, py_zoe); /* its kid does not matter: there is one key, without a name */
    assert_true(sv_eq(id->sub, SV("Zo\xc3\xab")));
    gw_identity_rele(id);
    assert_verdict(a, py_late, "jwt expired");
    assert_verdict(a, py_bob, "invalid algorithm");
    gw_auth_free(a);

    struct cfg c = cfg_with("HS512", SECRET SECRET);
    set(&c.auth_rooms_claim, "rooms");
    a = auth_from(c);
    id = identity_of(a, py_bob);
    assert_int_equal(id->exp, 4102444801); /* 4102444800.5 */
    assert_true(sv_eq(id->rooms, SV("red\0blue\0")));
    gw_identity_rele(id);
    gw_auth_free(a);
    a = auth_from(cfg_with("HS384", SECRET SECRET));
    id = identity_of(a, py_carol);
    assert_int_equal(id->exp, 0);
    gw_identity_rele(id);
    gw_auth_free(a);
}

static void tokens_of_pyjwt_with_public_keys_pass(void **state)
{
    (void)state;
    const struct {
        const char *alg, *pem, *token;
    } cases[] = {{"RS256", py_rsa_pem, py_rs256},
                 {"ES256", py_p256_pem, py_es256},
                 {"ES512", py_p521_pem, py_es512}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_auth *a = auth_from(cfg_with(cases[i].alg, cases[i].pem));
        assert_verdict(a, cases[i].token, "ok");
        for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
            if (k != i) assert_verdict(a, cases[k].token, "invalid algorithm");
        gw_auth_free(a);
    }
}

static void identity_lives_until_its_last_reference(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    struct gw_identity *id = identity_of(a, py_alice);
    gw_auth_free(a); /* nothing of it is borrowed */
    struct gw_identity *second = gw_identity_hold(id);
    assert_ptr_equal(second, id);
    gw_identity_rele(id);
    assert_true(sv_eq(second->sub, SV("alice")));
    assert_int_equal(second->rooms.n, 0);
    gw_identity_rele(second);
    gw_identity_rele(NULL);
}

/* --- headers */

/* Signed with the right secret, so the header alone decides. */
static const struct {
    const char *header, *words;
} headers[] = {
    {"{\"alg\":\"HS256\"}", "ok"},
    {HS256, "ok"},
    {"{\"alg\":\"HS256\",\"typ\":\"jwt\",\"jku\":\"https://evil\",\"jwk\":{},\"x5u\":\"x\"}", "ok"},
    {"{\"alg\":\"\\u0048S256\"}", "ok"},
    {"{\"alg\":\"none\"}", "invalid algorithm"},
    {"{\"alg\":\"None\"}", "invalid algorithm"},
    {"{\"alg\":\"nOnE\"}", "invalid algorithm"},
    {"{\"alg\":\"NONE\"}", "invalid algorithm"},
    {"{\"alg\":\"\"}", "invalid algorithm"},
    {"{\"alg\":\"hs256\"}", "invalid algorithm"},
    {"{\"alg\":\"HS256 \"}", "invalid algorithm"},
    {"{\"alg\":\"HS384\"}", "invalid algorithm"},
    {"{\"alg\":\"HS512\"}", "invalid algorithm"},
    {"{\"alg\":\"RS256\"}", "invalid algorithm"},
    {"{\"alg\":\"ES256\"}", "invalid algorithm"},
    {"{\"alg\":\"PS256\"}", "invalid algorithm"},
    {"{\"alg\":1}", "invalid algorithm"},
    {"{\"alg\":null}", "invalid algorithm"},
    {"{\"alg\":true}", "invalid algorithm"},
    {"{\"alg\":[\"HS256\"]}", "invalid algorithm"},
    {"{\"alg\":{\"HS256\":1}}", "invalid algorithm"},
    {"{\"Alg\":\"HS256\"}", "invalid algorithm"},
    {"{\"typ\":\"JWT\"}", "invalid algorithm"},
    {"{}", "invalid algorithm"},
    {"{\"alg\":\"none\",\"alg\":\"HS256\"}", "jwt malformed"},
    {"{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", "jwt malformed"},
    {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "invalid token"},
    {"{\"alg\":\"HS256\",\"crit\":[]}", "invalid token"},
    {"{\"alg\":\"HS256\",\"crit\":null}", "invalid token"},
    {"{\"alg\":\"HS256\",\"cri\\u0074\":[\"b64\"],\"b64\":false}", "invalid token"},
    {"{\"alg\":\"HS256\",\"typ\":\"JWE\"}", "invalid token"},
    {"{\"alg\":\"HS256\",\"typ\":1}", "invalid token"},
    {"{\"alg\":\"HS256\",\"kid\":1}", "invalid token"},
    {"{\"alg\":\"HS256\",\"kid\":null}", "invalid token"},
    {"{\"alg\":\"HS256\",\"kid\":[\"k1\"]}", "invalid token"},
    {"{\"alg\":\"HS256\",\"kid\":\"\\ud800\"}", "invalid token"},
    {"{\"alg\":\"HS256\",\"kid\":\"whatever\"}", "ok"},
    {"[\"HS256\"]", "jwt malformed"},
    {"", "jwt malformed"},
};

static void the_header_chooses_nothing(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        char *token = signed_hs(headers[i].header, "{\"sub\":\"a\"}");
        const char *got = verify(a, token);
        if (strcmp(got, headers[i].words) != 0) fail_msg("%s: %s", headers[i].header, got);
        x_free(token);
    }
    gw_auth_free(a);
}

static void alg_none_is_refused_without_signature_too(void **state)
{
    (void)state;
    const char *const cases[] = {"{\"alg\":\"none\"}", "{\"alg\":\"None\"}", "{\"alg\":\"HS256\"}"};
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *token = forge_token(cases[i], SV("{\"sub\":\"a\"}"), NULL, SV(""));
        assert_verdict(a, token, "jwt signature is required");
        token[strlen(token) - 1] = '\0'; /* without the last dot */
        assert_verdict(a, token, "jwt malformed");
        x_free(token);
    }
    gw_auth_free(a);
}

static void a_public_key_is_no_secret(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("RS256", rsa.public_pem));
    struct str_view pem = sv_of(rsa.public_pem);
    assert_forged(a, forge_token("{\"alg\":\"HS256\"}", SV("{}"), "HS256", pem),
                  "invalid algorithm");
    /* what the header says is not how it is signed */
    assert_forged(a, forge_token("{\"alg\":\"RS256\"}", SV("{}"), "HS256", pem),
                  "invalid signature");
    pem.n--; /* nor without the final newline */
    assert_forged(a, forge_token("{\"alg\":\"RS256\"}", SV("{}"), "HS256", pem),
                  "invalid signature");
    assert_forged(a, forge_token("{\"alg\":\"none\"}", SV("{}"), NULL, pem),
                  "jwt signature is required");
    gw_auth_free(a);
}

static void keys_of_others_do_not_sign(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("RS256", rsa.public_pem));
    struct str_view other = sv_of(rsa_other.private_pem), ec = sv_of(p256.private_pem);
    assert_forged(a, forge_token("{\"alg\":\"RS256\"}", SV("{}"), "RS256", other),
                  "invalid signature");
    assert_forged(a, forge_token("{\"alg\":\"RS256\"}", SV("{}"), "RS512", sv_of(rsa.private_pem)),
                  "invalid signature");
    assert_forged(a, forge_token("{\"alg\":\"RS256\"}", SV("{}"), "ES256", ec),
                  "invalid signature");
    gw_auth_free(a);
    a = auth_from(cfg_with("ES256", p256.public_pem));
    assert_forged(a, forge_token("{\"alg\":\"ES256\"}", SV("{}"), "ES384", sv_of(p384.private_pem)),
                  "invalid signature");
    assert_forged(a, forge_token("{\"alg\":\"ES256\"}", SV("{}"), "ES256", sv_of(k256.private_pem)),
                  "invalid signature");
    /* r = s = 0, which a broken verifier accepts for any text */
    char *token = forge_token("{\"alg\":\"ES256\"}", SV("{}"), NULL, ec);
    char *zeros = x_asprintf("%s%086d", token, 0);
    memset(zeros + strlen(token), 'A', 86);
    x_free(token);
    assert_forged(a, zeros, "invalid signature");
    gw_auth_free(a);
    a = auth_from(cfg_with("HS256", SECRET));
    assert_forged(a, forge_token(HS256, SV("{}"), "HS256", SV(SECRET "x")), "invalid signature");
    assert_forged(a, forge_token(HS256, SV("{}"), "HS256", SV("")), "invalid signature");
    assert_forged(a, forge_token(HS256, SV("{}"), "HS512", SV(SECRET)), "invalid signature");
    gw_auth_free(a);
}

/* --- signatures */

/* Each bit of each character of a token matters: no other token passes. */
static void any_other_character_anywhere_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *alg;
        const struct forge_key *key;
    } cases[] = {{"HS256", NULL}, {"RS256", &rsa}, {"ES256", &p256}};
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        ".=+/ %\n";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct forge_key *key = cases[i].key;
        struct cfg_error err;
        struct gw_auth *a = auth_from(cfg_with(cases[i].alg, key ? key->public_pem : SECRET));
        char *token = gw_auth_mint(cases[i].alg, NULL, key ? sv_of(key->private_pem) : SV(SECRET),
                                   "{\"sub\":\"a\"}", &err);
        assert_non_null(token);
        assert_verdict(a, token, "ok");
        size_t step = key ? 7 : 1; /* public keys are slow to check */
        for (size_t at = 0, n = strlen(token); at < n; at += step) {
            char was = token[at];
            for (size_t c = 0; c < sizeof(alphabet) - 1; c += step) {
                if (alphabet[c] == was) continue;
                token[at] = alphabet[c];
                if (strcmp(verify(a, token), "ok") == 0) fail_msg("%s: %zu", cases[i].alg, at);
            }
            token[at] = was;
        }
        x_free(token);
        gw_auth_free(a);
    }
}

static void cut_and_longer_tokens_are_refused(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    char *token = signed_hs(HS256, "{\"sub\":\"a\"}");
    size_t n = strlen(token), signature = (size_t)(strrchr(token, '.') - token) + 1;
    for (size_t i = 0; i < n; i++) {
        const char *code, *got = verify_sv(a, sv_make(token, i), NOW, &code);
        if (strcmp(got, "ok") == 0) fail_msg("%zu of %zu bytes pass", i, n);
        if (i < signature - 1 && i > 0) assert_string_equal(code, GW_AUTH_BAD_FORMAT);
    }
    assert_string_equal(verify_sv(a, sv_make(token, signature), NOW, NULL),
                        "jwt signature is required");
    const char *const tails[] = {"A", "AA", "AAA", "AAAA", ".", ".AAAA",
                                 "=", "==", " ",   "\n",   "\t"};
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        char *longer = x_asprintf("%s%s", token, tails[i]);
        if (strcmp(verify(a, longer), "ok") == 0) fail_msg("\"%s\" behind it passes", tails[i]);
        x_free(longer);
    }
    char *before = x_asprintf(" %s", token);
    assert_forged(a, before, "jwt malformed");
    x_free(token);
    gw_auth_free(a);
}

/* A signature's last character has spare bits; other values of them decode to the same bytes in
 * careless decoders, so that one token would have many spellings. */
static void spare_bits_of_base64_are_refused(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    char *token = signed_hs(HS256, "{\"sub\":\"a\"}");
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *last = token + strlen(token) - 1;
    size_t value = (size_t)(strchr(alphabet, *last) - alphabet);
    assert_int_equal(value % 4, 0); /* 32 bytes: 43 characters, 2 spare bits */
    for (size_t spare = 1; spare < 4; spare++) {
        *last = alphabet[value + spare];
        assert_verdict(a, token, "jwt malformed");
    }
    x_free(token);
    gw_auth_free(a);
}

static void codes_tell_missing_malformed_and_invalid_apart(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    const struct {
        const char *token, *words, *code;
    } cases[] = {{"", "jwt must be provided", GW_AUTH_REQUIRED},
                 {" ", "jwt malformed", GW_AUTH_BAD_FORMAT},
                 {"a", "jwt malformed", GW_AUTH_BAD_FORMAT},
                 {"a.b.c", "jwt malformed", GW_AUTH_BAD_FORMAT},
                 {"e30.e30.", "jwt signature is required", GW_AUTH_INVALID},
                 {"e30.e30.AAAA", "invalid algorithm", GW_AUTH_INVALID},
                 {"e30.e30.AAAA.AAAA", "jwt malformed", GW_AUTH_BAD_FORMAT},
                 {"null", "jwt malformed", GW_AUTH_BAD_FORMAT},
                 {py_late, "jwt expired", GW_AUTH_INVALID}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *code, *got = verify_sv(a, sv_of(cases[i].token), NOW, &code);
        assert_string_equal(got, cases[i].words);
        assert_string_equal(code, cases[i].code);
    }
    gw_auth_free(a);
}

static void the_length_is_bounded(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    const size_t sizes[] = {6000, 6040, 6750, 9000, 1000000 / 2};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *payload = x_asprintf("{\"pad\":\"%0*d\"}", (int)sizes[i], 0);
        char *token = signed_hs(HS256, payload);
        const char *words = strlen(token) <= GW_AUTH_TOKEN_MAX ? "ok" : "jwt malformed";
        assert_string_equal(verify(a, token), words);
        x_free(token);
        x_free(payload);
    }
    gw_auth_free(a);
}

static void a_claim_is_not_judged_before_the_signature(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    const char *const payloads[] = {"{\"exp\":1}", "{\"exp\":\"x\"}", "{\"nbf\":9999999999}",
                                    "{\"sub\":1}"};
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        assert_forged(a, forge_token(HS256, sv_of(payloads[i]), "HS256", SV("another-secret")),
                      "invalid signature");
    gw_auth_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tokens_of_all_algorithms_pass),
        cmocka_unit_test(tokens_of_pyjwt_pass),
        cmocka_unit_test(tokens_of_pyjwt_with_public_keys_pass),
        cmocka_unit_test(identity_lives_until_its_last_reference),
        cmocka_unit_test(the_header_chooses_nothing),
        cmocka_unit_test(alg_none_is_refused_without_signature_too),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(keys_of_others_do_not_sign),
        cmocka_unit_test(any_other_character_anywhere_is_refused),
        cmocka_unit_test(cut_and_longer_tokens_are_refused),
        cmocka_unit_test(spare_bits_of_base64_are_refused),
        cmocka_unit_test(codes_tell_missing_malformed_and_invalid_apart),
        cmocka_unit_test(the_length_is_bounded),
        cmocka_unit_test(a_claim_is_not_judged_before_the_signature),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
