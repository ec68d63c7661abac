/* Walking proved JSON text, its strings both ways, and UTF-8. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool accepts(struct str_view text)
{
    enum json_kind kind;
    const char *why;
    return json_scan_value(text, 64, -1, &kind, &why);
}

static void arrays_are_walked(void **state)
{
    (void)state;
    static const struct str_view text =
        B(" [ 1 ,\"a,]\\\"\\\\\",[2,[\"]\"]] , {\"x\":[1,2],\"}\":\"{\"},null,true ,-1.5e3\t]\n");
    static const struct str_view want[] = {
        B("1"),           B("\"a,]\\\"\\\\\""),
        B("[2,[\"]\"]]"), B("{\"x\":[1,2],\"}\":\"{\"}"),
        B("null"),        B("true"),
        B("-1.5e3"),
    };
    struct json_iter it;
    struct str_view v;
    assert_true(accepts(text));
    json_iter_init(&it, text);
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_true(json_array_next(&it, &v));
        assert_true(sv_eq(v, want[i]));
        assert_true(v.p > text.p && v.p < text.p + text.n);
    }
    assert_false(json_array_next(&it, &v));
    assert_false(json_array_next(&it, &v));
    json_iter_init(&it, SV("[ ]"));
    assert_false(json_array_next(&it, &v));
    json_iter_init(&it, SV("[[]]"));
    assert_true(json_array_next(&it, &v) && sv_eq(v, SV("[]")));
    assert_false(json_array_next(&it, &v));
}

static void objects_are_walked(void **state)
{
    (void)state;
    static const struct str_view text =
        B(" { \"a\" : 1,\"b\\\"\":{\"c\":{}} , \"\":[{}],\"d\":\"x\" } ");
    static const struct str_view want[][2] = {
        {B("\"a\""), B("1")},
        {B("\"b\\\"\""), B("{\"c\":{}}")},
        {B("\"\""), B("[{}]")},
        {B("\"d\""), B("\"x\"")},
    };
    struct json_iter it;
    struct str_view k, v;
    assert_true(accepts(text));
    json_iter_init(&it, text);
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_true(json_object_next(&it, &k, &v));
        assert_true(sv_eq(k, want[i][0]) && sv_eq(v, want[i][1]));
    }
    assert_false(json_object_next(&it, &k, &v));
    json_iter_init(&it, SV("{}"));
    assert_false(json_object_next(&it, &k, &v));
}

static const struct {
    struct str_view object, key;
    const char *value; /* NULL: none */
} gets[] = {
    {B("{\"a\":1}"), B("a"), "1"},
    {B(" {\"a\" : [1] } "), B("a"), "[1]"},
    {B("{\"a\":1,\"b\":2}"), B("b"), "2"},
    {B("{\"a\":1,\"a\":2,\"a\":3}"), B("a"), "3"},
    {B("{\"a\":1,\"\\u0061\":{}}"), B("a"), "{}"},
    {B("{\"\\u0061\":1,\"a\":2,\"b\":3}"), B("a"), "2"},
    {B("{\"\":null}"), B(""), "null"},
    {B("{\"\\u0000\":true}"), B("\0"), "true"},
    {B("{\"\xc3\xa4\":1}"), B("\xc3\xa4"), "1"},
    {B("{\"\\u00E4\":1}"), B("\xc3\xa4"), "1"},
    {B("{\"\\ud83d\\ude00\":1}"), B("\xf0\x9f\x98\x80"), "1"},
    {B("{\"b\":{\"a\":1}}"), B("a"), NULL},
    {B("{\"b\":\"a\",\"c\":[\"a\",1]}"), B("a"), NULL},
    {B("{\"aa\":1,\"A\":2,\"a \":3}"), B("a"), NULL},
    {B("{}"), B("a"), NULL},
    {B("{\"a\":1}"), B(""), NULL},
    {B("{\"\\\\u0061\":1}"), B("a"), NULL},
    {B("[\"a\",1]"), B("a"), NULL},
    {B("\"a\""), B("a"), NULL},
    {B("1"), B("a"), NULL},
    {B("null"), B("a"), NULL},
    {B(""), B("a"), NULL},
};

static void the_last_member_of_a_name_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(gets); i++) {
        struct str_view v = SV("untouched");
        bool found = json_member_get(gets[i].object, gets[i].key, &v);
        if (found != (gets[i].value != NULL)) fail_msg("row %zu", i);
        assert_true(sv_eq(v, found ? sv_of(gets[i].value) : SV("untouched")));
    }
}

static const struct {
    struct str_view raw, plain;
    bool lone;
    const char *encoded; /* NULL: as raw */
} strings[] = {
    {B("\"\""), B(""), false, NULL},
    {B("\"abc\""), B("abc"), false, NULL},
    {B("\"a\\\"b\\\\c\""), B("a\"b\\c"), false, NULL},
    {B("\"\\/\""), B("/"), false, "\"/\""},
    {B("\"\\b\\f\\n\\r\\t\""), B("\b\f\n\r\t"), false, NULL},
    {B("\"\\u0000\\u0001\\u000b\\u001f\""), B("\0\1\x0b\x1f"), false, NULL},
    {B("\"\x7f\""), B("\x7f"), false, NULL},
    {B("\"\\u0041\\u007F\""), B("A\x7f"), false, "\"A\x7f\""},
    {B("\"\\u0080\\u07ff\""), B("\xc2\x80\xdf\xbf"), false, "\"\xc2\x80\xdf\xbf\""},
    {B("\"\\u0800\\uD7FF\""), B("\xe0\xa0\x80\xed\x9f\xbf"), false, "\"\xe0\xa0\x80\xed\x9f\xbf\""},
    {B("\"\\ue000\\uffff\""), B("\xee\x80\x80\xef\xbf\xbf"), false, "\"\xee\x80\x80\xef\xbf\xbf\""},
    {B("\"\\ud800\\udc00\""), B("\xf0\x90\x80\x80"), false, "\"\xf0\x90\x80\x80\""},
    {B("\"\\uDBFF\\uDFFF\""), B("\xf4\x8f\xbf\xbf"), false, "\"\xf4\x8f\xbf\xbf\""},
    {B("\"x\\ud83d\\ude00y\""), B("x\xf0\x9f\x98\x80y"), false, "\"x\xf0\x9f\x98\x80y\""},
    {B("\"\xe2\x82\xac\""), B("\xe2\x82\xac"), false, NULL},
    {B("\"\\\\u0041\""), B("\\u0041"), false, NULL},
    /* lone surrogates, in three bytes */
    {B("\"\\ud83d\""), B("\xed\xa0\xbd"), true, NULL},
    {B("\"\\ude00\""), B("\xed\xb8\x80"), true, NULL},
    {B("\"\\uDFFF\""), B("\xed\xbf\xbf"), true, "\"\\udfff\""},
    {B("\"\\ude00\\ude01\""), B("\xed\xb8\x80\xed\xb8\x81"), true, NULL},
    {B("\"\\ude00\\ud83d\""), B("\xed\xb8\x80\xed\xa0\xbd"), true, NULL},
    {B("\"\\ud83d\\ud83d\\ude00\""), B("\xed\xa0\xbd\xf0\x9f\x98\x80"), true,
     "\"\\ud83d\xf0\x9f\x98\x80\""},
    {B("\"\\ud83dx\\ude00\""), B("\xed\xa0\xbdx\xed\xb8\x80"), true, NULL},
    {B("\"\\ud83d\\n\""), B("\xed\xa0\xbd\n"), true, NULL},
    {B("\"\\ud83d\\u0041\""),
     B("\xed\xa0\xbd"
       "A"),
     true, "\"\\ud83dA\""},
    {B("\"\\ud83d\\\\ude00\""), B("\xed\xa0\xbd\\ude00"), true, NULL},
};

/* Decodes into a buffer that holds n bytes at most, behind one that must stay. */
static bool decodes(struct str_view raw, size_t n, struct buf *out, bool *lone)
{
    buf_init(out, n + 1);
    assert_true(buf_add_char(out, '>'));
    bool ok = json_string_decode(out, raw, lone);
    if (!ok) assert_int_equal(out->n, 1);
    assert_int_equal(out->p[0], '>');
    buf_drop(out, 1);
    return ok;
}

static void strings_decode_to_their_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct str_view plain = strings[i].plain;
        struct buf out;
        bool lone = !strings[i].lone;
        assert_true(accepts(strings[i].raw));
        if (!decodes(strings[i].raw, plain.n, &out, &lone)) fail_msg("row %zu", i);
        assert_true(sv_eq(buf_view(&out), plain));
        assert_int_equal(lone, strings[i].lone);
        assert_int_equal(utf8_is_valid(plain), !lone);
        buf_fini(&out);
        for (size_t n = 0; n < plain.n; n++) {
            assert_false(decodes(strings[i].raw, n, &out, NULL));
            buf_fini(&out);
        }
    }
}

static void strings_equal_their_characters_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct str_view plain = strings[i].plain;
        assert_true(json_string_equals(strings[i].raw, plain));
        for (size_t n = 0; n < plain.n; n++)
            assert_false(json_string_equals(strings[i].raw, sv_make(plain.p, n)));
        for (size_t at = 0; at <= plain.n; at++) {
            char other[32] = {0};
            memcpy(other, plain.p, plain.n);
            other[at] ^= 1;
            assert_false(
                json_string_equals(strings[i].raw, sv_make(other, plain.n + (at == plain.n))));
        }
    }
}

static void strings_encode_as_json_stringify_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct str_view want = strings[i].encoded ? sv_of(strings[i].encoded) : strings[i].raw;
        for (size_t max = 0; max <= want.n; max++) {
            struct buf out;
            buf_init(&out, max + 1);
            assert_true(buf_add_char(&out, '>'));
            bool ok = json_string_encode(&out, strings[i].plain);
            assert_int_equal(ok, max == want.n);
            if (!ok) assert_int_equal(out.n, 1);
            if (ok) assert_true(sv_eq(sv_skip(buf_view(&out), 1), want));
            buf_fini(&out);
        }
        assert_true(accepts(want));
    }
    struct buf out;
    buf_init(&out, 100);
    assert_true(json_string_encode(&out, SV("\xed\xa0"))); /* cut short: no surrogate, no overrun */
    assert_int_equal(out.n, 4);
    buf_fini(&out);
}

/* The table of RFC 3629 section 4, asked directly. */
static bool is_char(const unsigned char *p, size_t n)
{
    if (n == 1) return p[0] < 0x80;
    for (size_t i = 1; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf) return false;
    unsigned c = p[0];
    if (n == 2) return c >= 0xc2 && c <= 0xdf;
    if (n == 3 && c == 0xe0) return p[1] >= 0xa0;
    if (n == 3 && c == 0xed) return p[1] <= 0x9f;
    if (n == 3) return c >= 0xe1 && c <= 0xef;
    if (n == 4 && c == 0xf0) return p[1] >= 0x90;
    if (n == 4 && c == 0xf4) return p[1] <= 0x8f;
    return n == 4 && c >= 0xf1 && c <= 0xf3;
}

static bool is_text(const unsigned char *p, size_t n)
{
    if (n == 0) return true;
    for (size_t len = 1; len <= n && len <= 4; len++)
        if (is_char(p, len)) return is_text(p + len, n - len);
    return false;
}

static void utf8_is_as_rfc_3629_has_it(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                          0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                          0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    size_t k = COUNT(edges);
    unsigned char *b = x_malloc(4);
    for (size_t i = 0; i < k * k * k * k; i++) {
        b[0] = edges[i % k];
        b[1] = edges[i / k % k];
        b[2] = edges[i / k / k % k];
        b[3] = edges[i / k / k / k];
        for (size_t n = 1; n <= 4; n++) /* the end is where the memory ends */
            if (utf8_is_valid(sv_make((char *)b + 4 - n, n)) != is_text(b + 4 - n, n))
                fail_msg("%02x %02x %02x %02x, last %zu", b[0], b[1], b[2], b[3], n);
    }
    x_free(b);
    assert_true(utf8_is_valid(SV("")));
}

static void utf8_faults_are_seen_at_each_place(void **state)
{
    (void)state;
    for (size_t n = 1; n < 40; n++) {
        char *text = x_malloc(n);
        memset(text, 'x', n);
        assert_true(utf8_is_valid(sv_make(text, n)));
        for (size_t at = 0; at < n; at++) {
            text[at] = (char)0x80;
            assert_false(utf8_is_valid(sv_make(text, n)));
            if (at + 1 < n) {
                text[at] = (char)0xc3, text[at + 1] = (char)0xa4;
                assert_true(utf8_is_valid(sv_make(text, n)));
                text[at + 1] = 'x';
            }
            text[at] = (char)0xc3;
            assert_false(utf8_is_valid(sv_make(text, n)));
            text[at] = 'x';
        }
        x_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_walked),
        cmocka_unit_test(objects_are_walked),
        cmocka_unit_test(the_last_member_of_a_name_is_found),
        cmocka_unit_test(strings_decode_to_their_characters),
        cmocka_unit_test(strings_equal_their_characters_only),
        cmocka_unit_test(strings_encode_as_json_stringify_does),
        cmocka_unit_test(utf8_is_as_rfc_3629_has_it),
        cmocka_unit_test(utf8_faults_are_seen_at_each_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
