/* Tokens with a good signature whose claims decide. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/buf.h"
#include "util/x_alloc.h"
/* Tests */
#include "unit/gateway/gw_auth_fixture.h"
#include "unit/gateway/gw_auth_vectors.h"

static void add_audience(struct cfg *c, const char *word)
{
    struct cfg_list *l = &c->auth_audience;
    l->v = x_realloc(l->v, (l->n + 1) * sizeof(char *));
    l->v[l->n++] = x_strdup(word);
}

/* --- claims */

static const struct {
    const char *payload, *words;
} claims[] = {
    {"{}", "ok"},
    {" { } ", "ok"},
    {"{\"any\":[1,2.5,true,null,{\"x\":{\"y\":[]}}],\"exp\":1700000001}", "ok"},
    /* exp: NOW is 1700000000 */
    {"{\"exp\":1700000000}", "jwt expired"},
    {"{\"exp\":1699999999}", "jwt expired"},
    {"{\"exp\":1700000000.1}", "ok"},
    {"{\"exp\":1699999999.9}", "jwt expired"},
    {"{\"exp\":1.7000000005e9}", "ok"},
    {"{\"\\u0065xp\":1}", "jwt expired"},
    {"{\"exp\":0}", "jwt expired"},
    {"{\"exp\":-0}", "jwt expired"},
    {"{\"exp\":-1}", "jwt expired"},
    {"{\"exp\":-1e15}", "jwt expired"},
    {"{\"exp\":9007199254740992}", "ok"},
    {"{\"exp\":9007199254740994}", "invalid exp value"},
    {"{\"exp\":-9007199254740994}", "invalid exp value"},
    {"{\"exp\":1e16}", "invalid exp value"},
    {"{\"exp\":1e308}", "invalid exp value"},
    {"{\"exp\":1e400}", "invalid exp value"}, /* no double holds it */
    {"{\"exp\":99999999999999999999999}", "invalid exp value"},
    {"{\"exp\":\"1800000000\"}", "invalid exp value"},
    {"{\"exp\":\"\"}", "invalid exp value"},
    {"{\"exp\":null}", "invalid exp value"},
    {"{\"exp\":true}", "invalid exp value"},
    {"{\"exp\":[1800000000]}", "invalid exp value"},
    {"{\"exp\":{}}", "invalid exp value"},
    {"{\"exp\":1800000000,\"exp\":1}", "jwt malformed"},
    {"{\"exp\":1,\"exp\":1800000000}", "jwt malformed"},
    {"{\"exp\":1,\"ex\\u0070\":1800000000}", "jwt malformed"},
    {"{\"Exp\":1}", "ok"},
    {"{\"exp\":01}", "jwt malformed"},
    {"{\"exp\":+1}", "jwt malformed"},
    {"{\"exp\":0x10}", "jwt malformed"},
    {"{\"exp\":Infinity}", "jwt malformed"},
    {"{\"exp\":NaN}", "jwt malformed"},
    /* nbf */
    {"{\"nbf\":1700000000}", "ok"},
    {"{\"nbf\":1700000000.5}", "jwt not active"},
    {"{\"nbf\":1700000001}", "jwt not active"},
    {"{\"nbf\":-5}", "ok"},
    {"{\"nbf\":\"1\"}", "invalid nbf value"},
    {"{\"nbf\":null}", "invalid nbf value"},
    {"{\"nbf\":1e300}", "invalid nbf value"},
    /* iat */
    {"{\"iat\":1700000000}", "ok"},
    {"{\"iat\":1700000000.9}", "ok"},
    {"{\"iat\":1700000030}", "ok"},
    {"{\"iat\":1700000031}", "jwt issued in the future"},
    {"{\"iat\":\"1\"}", "invalid iat value"},
    {"{\"iat\":false}", "invalid iat value"},
    /* sub, jti, iss, aud: types are judged even when nothing is required of them */
    {"{\"sub\":\"\"}", "ok"},
    {"{\"sub\":\"" S250 "012345\"}", "ok"},
    {"{\"sub\":\"" S250 "0123456\"}", "invalid sub value"},
    {"{\"sub\":\"\\u00eb" S250 "0123\"}", "ok"},
    {"{\"sub\":\"\\u00eb" S250 "01234\"}", "invalid sub value"},
    {"{\"sub\":1}", "invalid sub value"},
    {"{\"sub\":null}", "invalid sub value"},
    {"{\"sub\":[\"a\"]}", "invalid sub value"},
    {"{\"sub\":\"a\\nb\"}", "invalid sub value"},
    {"{\"sub\":\"a\\u001fb\"}", "invalid sub value"},
    {"{\"sub\":\"a\\u007fb\"}", "invalid sub value"},
    {"{\"sub\":\"a\x7f\"}", "invalid sub value"},
    {"{\"sub\":\"a\\u0000b\"}", "invalid sub value"},
    {"{\"sub\":\"\\ud800\"}", "invalid sub value"},
    {"{\"sub\":\"a b:c/d\\\"e\"}", "ok"},
    {"{\"jti\":1}", "invalid jti value"},
    {"{\"jti\":\"x\"}", "ok"},
    {"{\"iss\":1}", "invalid iss value"},
    {"{\"iss\":[\"x\"]}", "invalid iss value"},
    {"{\"aud\":1}", "invalid aud value"},
    {"{\"aud\":null}", "invalid aud value"},
    {"{\"aud\":{}}", "invalid aud value"},
    {"{\"aud\":[1]}", "invalid aud value"},
    {"{\"aud\":[\"a\",1]}", "invalid aud value"},
    {"{\"aud\":[[\"a\"]]}", "invalid aud value"},
    {"{\"aud\":[]}", "ok"},
    /* not objects, not JSON */
    {"[]", "jwt malformed"},
    {"\"x\"", "jwt malformed"},
    {"", "jwt malformed"},
    {"{\"a\":}", "jwt malformed"},
    {"{\"a\":1", "jwt malformed"},
    {"{\"a\":1}x", "jwt malformed"},
    {"{\"a\":\"\xc0\x80\"}", "jwt malformed"},
};

static void claims_are_judged_by_type_and_time(void **state)
{
    (void)state;
    struct gw_auth *a = auth_from(cfg_with("HS256", SECRET));
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        char *token = signed_hs(HS256, claims[i].payload);
        const char *got = verify(a, token);
        if (strcmp(got, claims[i].words) != 0) fail_msg("%s: %s", claims[i].payload, got);
        x_free(token);
    }
    gw_auth_free(a);
}

static void leeway_shifts_every_edge_by_exactly_itself(void **state)
{
    (void)state;
    struct cfg c = cfg_with("HS256", SECRET);
    c.auth_leeway = 30;
    struct gw_auth *a = auth_from(c);
    const struct {
        const char *payload, *words;
    } cases[] = {
        {"{\"exp\":1699999971}", "ok"}, {"{\"exp\":1699999970}", "jwt expired"},
        {"{\"nbf\":1700000030}", "ok"}, {"{\"nbf\":1700000031}", "jwt not active"},
        {"{\"iat\":1700000060}", "ok"}, {"{\"iat\":1700000061}", "jwt issued in the future"},
        {"{\"exp\":0}", "jwt expired"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_forged(a, signed_hs(HS256, cases[i].payload), cases[i].words);
    /* an exp of 0 would read as "never" in the identity, even with a clock at 1970 */
    char *token = signed_hs(HS256, "{\"exp\":0}");
    assert_string_equal(verify_sv(a, sv_of(token), 0, NULL), "jwt expired");
    x_free(token);
    gw_auth_free(a);
}

static void issuer_audience_and_exp_can_be_required(void **state)
{
    (void)state;
    struct cfg c = cfg_with("HS256", SECRET);
    set(&c.auth_issuer, "https://login.example");
    add_audience(&c, "chat");
    add_audience(&c, "news");
    c.auth_require_exp = true;
    struct gw_auth *a = auth_from(c);
#define ISS "\"iss\":\"https://login.example\""
#define EXP "\"exp\":1800000000"
    const struct {
        const char *payload, *words;
    } cases[] = {
        {"{" ISS "," EXP ",\"aud\":\"chat\"}", "ok"},
        {"{" ISS "," EXP ",\"aud\":\"news\"}", "ok"},
        {"{" ISS "," EXP ",\"aud\":[\"x\",\"\\u006eews\"]}", "ok"},
        {"{" ISS "," EXP ",\"aud\":\"chat \"}", "jwt audience invalid"},
        {"{" ISS "," EXP ",\"aud\":\"Chat\"}", "jwt audience invalid"},
        {"{" ISS "," EXP ",\"aud\":\"chat,news\"}", "jwt audience invalid"},
        {"{" ISS "," EXP ",\"aud\":[]}", "jwt audience invalid"},
        {"{" ISS "," EXP ",\"aud\":[\"x\",\"y\"]}", "jwt audience invalid"},
        {"{" ISS "," EXP ",\"aud\":[\"chat\",1]}", "invalid aud value"},
        {"{" ISS "," EXP ",\"aud\":{\"chat\":1}}", "invalid aud value"},
        {"{" ISS "," EXP "}", "jwt audience invalid"},
        {"{" EXP ",\"aud\":\"chat\"}", "jwt issuer invalid"},
        {"{\"iss\":\"\"," EXP ",\"aud\":\"chat\"}", "jwt issuer invalid"},
        {"{\"iss\":\"https://login.example/\"," EXP ",\"aud\":\"chat\"}", "jwt issuer invalid"},
        {"{" ISS ",\"aud\":\"chat\"}", "jwt exp required"},
        {py_late, "jwt malformed"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_forged(a, signed_hs(HS256, cases[i].payload), cases[i].words);
    assert_verdict(a, py_zoe, "ok");
    gw_auth_free(a);
}

/* --- rooms */

static void rooms_come_from_the_configured_claim(void **state)
{
    (void)state;
    struct cfg c = cfg_with("HS256", SECRET);
    set(&c.auth_rooms_claim, "https://example/rooms");
    struct gw_auth *a = auth_from(c);
#define ROOMS(v) "{\"https:\\/\\/example\\/rooms\":" v "}"
    const struct {
        const char *payload;
        const char *words; /* NULL: passes, with these rooms */
        struct str_view rooms;
    } cases[] = {{"{\"rooms\":[\"x\"]}", NULL, SV("")},
                 {ROOMS("\"red\""), NULL, SV("red\0")},
                 {ROOMS("[\"red\",\"blue\"]"), NULL, SV("red\0blue\0")},
                 {ROOMS("[\"\\u00eb\",\"a b\"]"), NULL, SV("\xc3\xab\0a b\0")},
                 {ROOMS("[]"), NULL, SV("")},
                 {ROOMS("\"\""), "invalid rooms value", SV("")},
                 {ROOMS("[\"red\",\"\"]"), "invalid rooms value", SV("")},
                 {ROOMS("[\"red\",1]"), "invalid rooms value", SV("")},
                 {ROOMS("[[\"red\"]]"), "invalid rooms value", SV("")},
                 {ROOMS("null"), "invalid rooms value", SV("")},
                 {ROOMS("{\"red\":1}"), "invalid rooms value", SV("")},
                 {ROOMS("\"a\\nb\""), "invalid rooms value", SV("")},
                 {ROOMS("\"a\\u0000b\""), "invalid rooms value", SV("")},
                 {ROOMS("\"" S250 "0123456\""), "invalid rooms value", SV("")}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *token = signed_hs(HS256, cases[i].payload);
        if (cases[i].words) {
            assert_verdict(a, token, cases[i].words);
        } else {
            struct gw_identity *id = identity_of(a, token);
            if (!sv_eq(id->rooms, cases[i].rooms)) fail_msg("%s", cases[i].payload);
            gw_identity_rele(id);
        }
        x_free(token);
    }
    gw_auth_free(a);
}

static void the_number_of_rooms_is_bounded(void **state)
{
    (void)state;
    struct cfg c = cfg_with("HS256", SECRET);
    set(&c.auth_rooms_claim, "rooms");
    struct gw_auth *a = auth_from(c);
    for (int n = GW_AUTH_ROOMS_MAX; n <= GW_AUTH_ROOMS_MAX + 1; n++) {
        struct buf p;
        buf_init(&p, 8192);
        assert_true(buf_addf(&p, "{\"rooms\":[\"r\""));
        for (int i = 1; i < n; i++)
            assert_true(buf_addf(&p, ",\"r%d\"", i));
        assert_true(buf_addf(&p, "]}"));
        assert_forged(a, forge_token(HS256, buf_view(&p), "HS256", SV(SECRET)),
                      n == GW_AUTH_ROOMS_MAX ? "ok" : "invalid rooms value");
        buf_fini(&p);
    }
    gw_auth_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_judged_by_type_and_time),
        cmocka_unit_test(leeway_shifts_every_edge_by_exactly_itself),
        cmocka_unit_test(issuer_audience_and_exp_can_be_required),
        cmocka_unit_test(rooms_come_from_the_configured_claim),
        cmocka_unit_test(the_number_of_rooms_is_bounded),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
