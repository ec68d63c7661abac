/* What JSONP adds to Engine.IO 3: the index, the form a payload comes in, the script it leaves in. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/eio3_payload.h"
#include "proto/json_scan.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void index_is_the_digits_of_j(void **state)
{
    static const struct {
        const char *j;
        int64_t index; /* -1: none */
    } rows[] = {
        {"0", 0},
        {"7", 7},
        {"007", 7},
        {"12", 12},
        {"999999999", 999999999},
        {"1234567890", -1},
        {"0000000001", -1},
        {"99999999999999999999", -1},
        {"", -1},
        {"abc", -1},
        {"a1b2", 12},
        {"](alert)(5", 5},
        {"-3", 3},
        {"\xd9\xa3", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t index;
        bool ok = eio3_jsonp_index(sv_of(rows[i].j), &index);
        if (ok != (rows[i].index >= 0)) fail_msg("row %zu", i);
        if (ok) assert_int_equal(index, rows[i].index);
    }
}

/* --- the form */

static void body_is_the_value_of_d(void **state)
{
    static const struct {
        const char *form, *text; /* NULL: no text */
        bool bad;
    } rows[] = {
        {"d=6:4hello", "6:4hello", false},
        {"d=6%3A4hello", "6:4hello", false},
        {"d=6%3a4h+llo", "6:4h llo", false},
        {"d=6%3A4h%2Bllo", "6:4h+llo", false},
        {"d=2%3A4%E2%82%AC", "2:4\xe2\x82\xac", false},
        {"x=1&d=1%3A2&y=2", "1:2", false},
        {"d=1%3A2&d=1%3A1", "1:1", false},
        {"d=", "", false},
        {"d", "", false},
        {"", NULL, false},
        {"x=1", NULL, false},
        {"dd=1", NULL, false},
        {"d=%", NULL, true},
        {"d=%4", NULL, true},
        {"d=%zz", NULL, true},
        /* line feeds and their escapes */
        {"d=\\n", "\n", false},
        {"d=%5Cn", "\n", false},
        {"d=a\\nb\\nc", "a\nb\nc", false},
        {"d=\\n\\n", "\n\n", false},
        {"d=\\\\n", "\\n", false},
        {"d=\\\\\\n", "\\\\n", false},
        {"d=a\\\\nb\\\\n", "a\\nb\\n", false},
        {"d=\\\\n\\n", "\\n\n", false},
        {"d=n", "n", false},
        {"d=\\", "\\", false},
        {"d=\\\\", "\\\\", false},
        {"d=\\t\\\\t", "\\t\\\\t", false},
        {"d=\\\\\\", "\\\\\\", false},
        {"d=\\u\\n", "\\u\n", false},
        {"d=5%3A4%5B%22a%5C%22b%22%5D", "5:4[\"a\\\"b\"]", false},
    };
    struct buf text;
    (void)state;
    buf_init(&text, 100);
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool bad;
        bool ok = eio3_jsonp_body(sv_of(rows[i].form), &text, &bad);
        if (ok != (rows[i].text != NULL) || bad != rows[i].bad) fail_msg("row %zu", i);
        if (ok && !sv_eq(buf_view(&text), sv_of(rows[i].text)))
            fail_msg("row %zu: %.*s", i, SV_ARG(buf_view(&text)));
        if (!ok) assert_int_equal(text.n, 0);
    }
    buf_fini(&text);
}

static void body_is_bounded(void **state)
{
    struct buf text;
    bool bad;
    (void)state;
    buf_init(&text, 8);
    assert_true(eio3_jsonp_body(SV("d=6:4hello"), &text, &bad));
    assert_true(eio3_jsonp_body(SV("d=%36%3a4hello"), &text, &bad));
    assert_false(eio3_jsonp_body(SV("d=7:4hello!"), &text, &bad));
    assert_true(bad);
    buf_fini(&text);
}

/* --- the script */

static const struct {
    struct str_view payload, script;
} scripts[] = {
    {{"1:3", 3}, {"___eio[0](\"1:3\");", 17}},
#define ROW(from, to)                                                                              \
    {                                                                                              \
        {from, sizeof(from) - 1},                                                                  \
        {                                                                                          \
            "___eio[0](\"" to "\");", sizeof(to) - 1 + 14                                          \
        }                                                                                          \
    }
    ROW("", ""),
    ROW("\"", "\\\""),
    ROW("\\", "\\\\"),
    ROW("11:42[\"a\\\"b\"]", "11:42[\\\"a\\\\\\\"b\\\"]"),
    ROW("\n\r\t\b\x0b", "\\u000a\\u000d\\u0009\\u0008\\u000b"),
    ROW("a\0b\x1f", "a\\u0000b\\u001f"),
    ROW("\x7f", "\x7f"),
    ROW("\xe2\x80\xa8", "\\u2028"),
    ROW("\xe2\x80\xa9x", "\\u2029x"),
    ROW("\xe2\x80\xa7\xe2\x80\xaa", "\xe2\x80\xa7\xe2\x80\xaa"),
    ROW("\xe2\x82\xa8", "\xe2\x82\xa8"),
    ROW("\xe2\x80", "\xe2\x80"),
    ROW("\xe2", "\xe2"),
    ROW("\xe2\x80\"", "\xe2\x80\\\""),
    ROW("</script><!--&", "\\u003c/script\\u003e\\u003c!--\\u0026"),
    ROW("2:4\xe2\x82\xac", "2:4\xe2\x82\xac"),
#undef ROW
};

static void payload_is_a_string_of_a_script(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct buf out;
        size_t n = scripts[i].script.n;
        buf_init(&out, n + 3);
        assert_true(buf_add_sv(&out, SV("abc")));
        assert_true(eio3_jsonp_wrap(&out, 0, scripts[i].payload));
        if (!sv_eq(sv_skip(buf_view(&out), 3), scripts[i].script))
            fail_msg("row %zu: %.*s", i, SV_ARG(buf_view(&out)));
        buf_fini(&out);
        /* one byte less does not fit, wherever the end is */
        for (size_t max = 3; max < n + 3; max++) {
            buf_init(&out, max);
            assert_true(buf_add_sv(&out, SV("abc")));
            assert_false(eio3_jsonp_wrap(&out, 0, scripts[i].payload));
            assert_true(sv_eq(buf_view(&out), SV("abc")));
            buf_fini(&out);
        }
    }
}

/* The greatest index before a payload of nothing but escapes takes what the macro says at most. */
static void the_bound_holds(void **state)
{
    struct buf out;
    char payload[100];
    (void)state;
    memset(payload, '<', sizeof(payload));
    buf_init(&out, EIO3_JSONP_MAX(sizeof(payload)));
    assert_true(eio3_jsonp_wrap(&out, UINT32_MAX, sv_make(payload, sizeof(payload))));
    buf_fini(&out);
}

/* Whatever the bytes, what stands between the parentheses is a JSON string of the same text. */
static void every_ascii_character_comes_back(void **state)
{
    struct buf out, back;
    char payload[128];
    enum json_kind kind;
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (char)i;
    buf_init(&out, EIO3_JSONP_MAX(sizeof(payload)));
    buf_init(&back, sizeof(payload));
    assert_true(eio3_jsonp_wrap(&out, 12, sv_make(payload, sizeof(payload))));
    struct str_view script = buf_view(&out);
    assert_true(sv_starts_with(script, SV("___eio[12](\"")));
    struct str_view string = sv_make(script.p + 11, script.n - 13);
    assert_true(json_scan_value(string, 1, -1, &kind, &why) && kind == JSON_STRING);
    assert_true(json_string_decode(&back, string, NULL));
    assert_true(sv_eq(buf_view(&back), sv_make(payload, sizeof(payload))));
    buf_fini(&out);
    buf_fini(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_is_the_digits_of_j),
        cmocka_unit_test(body_is_the_value_of_d),
        cmocka_unit_test(body_is_bounded),
        cmocka_unit_test(payload_is_a_string_of_a_script),
        cmocka_unit_test(the_bound_holds),
        cmocka_unit_test(every_ascii_character_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
