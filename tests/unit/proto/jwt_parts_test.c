/* What is a JWT in compact form and what is not, long before any signature is looked at. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/b64.h"
#include "proto/jwt_parts.h"

#define MAX 8192
#define HEADER "eyJhbGciOiJIUzI1NiJ9" /* {"alg":"HS256"} */
#define PAYLOAD "eyJzdWIiOiJhIn0"     /* {"sub":"a"} */
#define SIGNATURE "AQID"

/* The token lies in memory of exactly its size, so that a sanitizer sees a read behind it. */
static const char *read_token(struct str_view token, size_t max)
{
    struct jwt_parts parts;
    const char *why = NULL;
    char *exact = x_malloc(token.n);
    if (token.n) memcpy(exact, token.p, token.n);
    bool ok = jwt_parts_read(sv_make(exact, token.n), max, &parts, &why);
    jwt_parts_fini(&parts);
    x_free(exact);
    return ok ? "ok" : why;
}

static char *encode(const char *header, struct str_view payload)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(b64url_encode(&out, header, strlen(header)));
    assert_true(buf_add_char(&out, '.'));
    assert_true(b64url_encode(&out, payload.p, payload.n));
    assert_true(buf_add(&out, ".AQID", 5));
    char *token = x_memdup(out.p, out.n);
    buf_fini(&out);
    return token;
}

static void gives_the_parts(void **state)
{
    (void)state;
    struct jwt_parts p;
    const char *why;
    assert_true(jwt_parts_read(SV(HEADER "." PAYLOAD "." SIGNATURE), MAX, &p, &why));
    assert_true(sv_eq(buf_view(&p.header), SV("{\"alg\":\"HS256\"}")));
    assert_true(sv_eq(buf_view(&p.payload), SV("{\"sub\":\"a\"}")));
    assert_int_equal(p.payload.p[p.payload.n], '\0');
    assert_true(sv_eq(p.signed_text, SV(HEADER "." PAYLOAD)));
    assert_true(sv_eq(p.signature, SV(SIGNATURE)));
    jwt_parts_fini(&p);
    jwt_parts_fini(&p); /* twice is fine */
}

static const struct {
    const char *token, *outcome;
} tokens[] = {
    {"", JWT_PARTS_MISSING},
    {HEADER "." PAYLOAD "." SIGNATURE, "ok"},
    {HEADER "." PAYLOAD ".", JWT_PARTS_UNSIGNED},
    {HEADER "." PAYLOAD, JWT_PARTS_MALFORMED},
    {HEADER, JWT_PARTS_MALFORMED},
    {".", JWT_PARTS_MALFORMED},
    {"..", JWT_PARTS_MALFORMED},
    {"...", JWT_PARTS_MALFORMED},
    {"." PAYLOAD "." SIGNATURE, JWT_PARTS_MALFORMED},
    {HEADER ".." SIGNATURE, JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD "." SIGNATURE ".", JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD "." SIGNATURE "." SIGNATURE, JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".." SIGNATURE, JWT_PARTS_MALFORMED},
    /* padding, white space, the other alphabet, anything else */
    {HEADER "." PAYLOAD "=." SIGNATURE, JWT_PARTS_MALFORMED},
    {HEADER "=." PAYLOAD "." SIGNATURE, JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".AQ==", JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".=", JWT_PARTS_MALFORMED},
    {" " HEADER "." PAYLOAD "." SIGNATURE, JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD "." SIGNATURE " ", JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD "." SIGNATURE "\n", JWT_PARTS_MALFORMED},
    {HEADER ". " PAYLOAD "." SIGNATURE, JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".AQ+D", JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".AQ/D", JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".AQ-_", "ok"},
    {HEADER "." PAYLOAD ".AQ%44", JWT_PARTS_MALFORMED},
    {"Bearer " HEADER "." PAYLOAD "." SIGNATURE, JWT_PARTS_MALFORMED},
    /* bits behind the end, and a length no encoder makes */
    {HEADER "." PAYLOAD ".AQ", "ok"},
    {HEADER "." PAYLOAD ".AR", JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".AQI", "ok"},
    {HEADER "." PAYLOAD ".AQJ", JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".AQIDB", JWT_PARTS_MALFORMED},
    {HEADER "." PAYLOAD ".A", JWT_PARTS_MALFORMED},
};

static void accepts_only_three_strict_segments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        const char *got = read_token(sv_of(tokens[i].token), MAX);
        if (strcmp(got, tokens[i].outcome) != 0)
            fail_msg("%zu \"%s\": %s", i, tokens[i].token, got);
    }
}

static void a_nul_in_the_token_is_malformed(void **state)
{
    (void)state;
    assert_string_equal(read_token(SV(HEADER "." PAYLOAD ".AQ\0D"), MAX), JWT_PARTS_MALFORMED);
    assert_string_equal(read_token(SV(HEADER "." PAYLOAD ".AQID\0"), MAX), JWT_PARTS_MALFORMED);
    assert_string_equal(read_token(SV("\0" HEADER "." PAYLOAD ".AQID"), MAX), JWT_PARTS_MALFORMED);
}

#define P(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
static const struct {
    const char *outcome;
    const char *header;
    struct str_view payload;
} texts[] = {
    {"ok", "{}", P("{}")},
    {"ok", " {\"alg\" : \"x\"}\n", P("\t{ \"a\":[{\"b\":1},{\"b\":2}] } ")},
    {"ok", "{}", P("{\"a\":1,\"A\":2,\"b\":3}")},
    {"ok", "{}", P("{\"a\":{\"x\":1,\"x\":2}}")}, /* only the top level names claims */
    {"ok", "{}", P("{\"n\\u0061me\":1,\"nbme\":2,\"\\ud83d\\ude00\":3}")},
    {"ok", "{}", P("{\"\xc3\xab\":1}")},
    {JWT_PARTS_MALFORMED, "", P("{}")},
    {JWT_PARTS_MALFORMED, "[]", P("{}")},
    {JWT_PARTS_MALFORMED, "\"x\"", P("{}")},
    {JWT_PARTS_MALFORMED, "null", P("{}")},
    {JWT_PARTS_MALFORMED, "{", P("{}")},
    {JWT_PARTS_MALFORMED, "{}", P("[]")},
    {JWT_PARTS_MALFORMED, "{}", P("1")},
    {JWT_PARTS_MALFORMED, "{}", P("{}{}")},
    {JWT_PARTS_MALFORMED, "{}", P("{},")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"a\":1,}")},
    {JWT_PARTS_MALFORMED, "{}", P("{'a':1}")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"a\":NaN}")},
    {JWT_PARTS_MALFORMED, "{}", P("{}\0")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"a\":\"\0\"}")},
    {JWT_PARTS_MALFORMED, "{}", P("\xef\xbb\xbf{}")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"a\":\"\xff\"}")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"a\":\"\xed\xa0\x80\"}")},
    /* duplicates at the top level, also when one is written with escapes */
    {JWT_PARTS_MALFORMED, "{\"alg\":\"none\",\"alg\":\"HS256\"}", P("{}")},
    {JWT_PARTS_MALFORMED, "{\"alg\":\"none\",\"\\u0061lg\":\"HS256\"}", P("{}")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"exp\":1,\"exp\":2}")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"exp\":1,\"a\":0,\"b\":0,\"exp\":1}")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"e\\u0078p\":1,\"\\u0065xp\":2}")},
    {JWT_PARTS_MALFORMED, "{}", P("{\"\":1,\"\":2}")},
};

static void header_and_payload_are_objects_with_distinct_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *token = encode(texts[i].header, texts[i].payload);
        const char *got = read_token(sv_of(token), MAX);
        if (strcmp(got, texts[i].outcome) != 0) fail_msg("text %zu: %s", i, got);
        x_free(token);
    }
}

static void the_length_is_bounded(void **state)
{
    (void)state;
    struct str_view token = SV(HEADER "." PAYLOAD "." SIGNATURE);
    assert_string_equal(read_token(token, token.n), "ok");
    assert_string_equal(read_token(token, token.n - 1), JWT_PARTS_MALFORMED);
    assert_string_equal(read_token(token, 0), JWT_PARTS_MALFORMED);
    assert_string_equal(read_token(SV(""), 0), JWT_PARTS_MISSING);
}

static const char *read_nested(unsigned depth)
{
    struct buf p;
    buf_init(&p, 4096);
    assert_true(buf_add(&p, "{\"a\":", 5));
    for (unsigned i = 0; i < depth; i++)
        assert_true(buf_add_char(&p, '['));
    for (unsigned i = 0; i < depth; i++)
        assert_true(buf_add_char(&p, ']'));
    assert_true(buf_add_char(&p, '}'));
    char *token = encode("{}", buf_view(&p));
    const char *got = read_token(sv_of(token), MAX);
    x_free(token);
    buf_fini(&p);
    return got;
}

static void the_depth_is_bounded(void **state)
{
    (void)state;
    assert_string_equal(read_nested(JWT_PARTS_MAX_DEPTH - 1), "ok");
    assert_string_equal(read_nested(JWT_PARTS_MAX_DEPTH), JWT_PARTS_MALFORMED);
    assert_string_equal(read_nested(1000), JWT_PARTS_MALFORMED);
}

static const char *read_members(unsigned n)
{
    struct buf p;
    buf_init(&p, 1 << 16);
    for (unsigned i = 0; i < n; i++)
        assert_true(buf_addf(&p, "%s\"%u\":0", i ? "," : "{", i));
    assert_true(buf_add_char(&p, '}'));
    char *token = encode("{}", buf_view(&p));
    const char *got = read_token(sv_of(token), MAX);
    x_free(token);
    buf_fini(&p);
    return got;
}

static void the_number_of_members_is_bounded(void **state)
{
    (void)state;
    assert_string_equal(read_members(JWT_PARTS_MAX_MEMBERS), "ok");
    assert_string_equal(read_members(JWT_PARTS_MAX_MEMBERS + 1), JWT_PARTS_MALFORMED);
}

/* No prefix and no token with one character left out is read as a whole one with other parts. */
static void cut_tokens_are_refused_or_shorter(void **state)
{
    (void)state;
    struct str_view token = SV(HEADER "." PAYLOAD "." SIGNATURE);
    for (size_t n = 0; n < token.n - 3; n++) {
        const char *got = read_token(sv_make(token.p, n), MAX);
        if (strcmp(got, "ok") == 0) fail_msg("%zu bytes are accepted", n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_parts),
        cmocka_unit_test(accepts_only_three_strict_segments),
        cmocka_unit_test(a_nul_in_the_token_is_malformed),
        cmocka_unit_test(header_and_payload_are_objects_with_distinct_members),
        cmocka_unit_test(the_length_is_bounded),
        cmocka_unit_test(the_depth_is_bounded),
        cmocka_unit_test(the_number_of_members_is_bounded),
        cmocka_unit_test(cut_tokens_are_refused_or_shorter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
