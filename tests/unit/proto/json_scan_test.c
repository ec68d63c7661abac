/* The JSON scanner against the corners of RFC 8259, and the rule for placeholders. Each text lies
 * in memory of its exact size, so that the sanitizer sees one byte too many. */
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

static bool scan_exact(struct str_view text, unsigned max_depth, int attachments,
                       enum json_kind *kind, const char **why)
{
    char *copy = x_malloc(text.n ? text.n : 1);
    if (text.n) memcpy(copy, text.p, text.n);
    *why = NULL;
    bool ok = json_scan_value(sv_make(copy, text.n), max_depth, attachments, kind, why);
    assert_non_null(*why);
    assert_int_equal(ok, **why == '\0');
    x_free(copy);
    return ok;
}

static bool accepts(struct str_view text, int attachments)
{
    enum json_kind kind;
    const char *why;
    return scan_exact(text, 64, attachments, &kind, &why);
}

static const struct {
    enum json_kind kind;
    struct str_view text;
} good[] = {
    {JSON_NULL, B("null")},
    {JSON_TRUE, B("true")},
    {JSON_FALSE, B("false")},
    {JSON_TRUE, B(" true")},
    {JSON_TRUE, B("true \t\r\n")},
    {JSON_NUMBER, B("0")},
    {JSON_NUMBER, B("-0")},
    {JSON_NUMBER, B("9")},
    {JSON_NUMBER, B("10")},
    {JSON_NUMBER, B("-123")},
    {JSON_NUMBER, B("0.5")},
    {JSON_NUMBER, B("-0.0")},
    {JSON_NUMBER, B("1E+2")},
    {JSON_NUMBER, B("1e-2")},
    {JSON_NUMBER, B("1E22")},
    {JSON_NUMBER, B("0e0")},
    {JSON_NUMBER, B("0e+1")},
    {JSON_NUMBER, B("1.5e10")},
    {JSON_NUMBER, B("1e00007")},
    {JSON_NUMBER, B("1e999999999")},
    {JSON_NUMBER, B("-1e-99999")},
    {JSON_NUMBER, B("123456789012345678901234567890")},
    {JSON_NUMBER, B("0.00000000000000000000000000000000000000001")},
    {JSON_STRING, B("\"\"")},
    {JSON_STRING, B("\"a\"")},
    {JSON_STRING, B("\"\\\"\"")},
    {JSON_STRING, B("\"\\\\\"")},
    {JSON_STRING, B("\"\\\\\\\"\"")},
    {JSON_STRING, B("\"\\b\\f\\n\\r\\t\\/\"")},
    {JSON_STRING, B("\"\\u0000\"")},
    {JSON_STRING, B("\"\\u00e4\\u00E4\\uabCD\"")},
    {JSON_STRING, B("\"\\uD83D\\uDE00\"")},
    {JSON_STRING, B("\"\\uD83D\"")},
    {JSON_STRING, B("\"\\uDE00\"")},
    {JSON_STRING, B("\"\\uDE00\\uD83D\"")},
    {JSON_STRING, B("\"\\ud83d\\n\"")},
    {JSON_STRING, B("\"\x7f\"")},
    {JSON_STRING, B("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"")},
    {JSON_STRING, B("\"\xe2\x80\xa8\xe2\x80\xa9\"")},
    {JSON_STRING, B("\"'/*x*/{}[],:\"")},
    {JSON_STRING, B("\"0123456\"")},
    {JSON_STRING, B("\"01234567\"")},
    {JSON_STRING, B("\"012345678\"")},
    {JSON_STRING, B("\"0123456789abcdef\\n0123456789abcdef\"")},
    {JSON_ARRAY, B("[]")},
    {JSON_ARRAY, B(" [ ] ")},
    {JSON_ARRAY, B("\t[\n1\r,\t2 ]")},
    {JSON_ARRAY, B("[null,true,false,0,\"\",[],{}]")},
    {JSON_ARRAY, B("[[],[[]],[[],[]]]")},
    {JSON_ARRAY, B("[-1,-0,0,1e1]")},
    {JSON_ARRAY, B("[1 , 2\n]")},
    {JSON_OBJECT, B("{}")},
    {JSON_OBJECT, B("{ }")},
    {JSON_OBJECT, B("{\"a\":1}")},
    {JSON_OBJECT, B(" { \"a\" : 1 , \"b\" : [ ] } ")},
    {JSON_OBJECT, B("{\"\":0}")},
    {JSON_OBJECT, B("{\"a\":1,\"a\":2}")},
    {JSON_OBJECT, B("{\"__proto__\":{}}")},
    {JSON_OBJECT, B("{\"a\\u0000\":{\"b\":{\"c\":[{}]}}}")},
    {JSON_OBJECT, B("{\"a\":[{\"b\":[{\"c\":1},{}]}],\"d\":[[{}]]}")},
};

static void json_is_accepted_with_its_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        enum json_kind kind = good[i].kind == JSON_NULL ? JSON_TRUE : JSON_NULL;
        const char *why;
        if (!scan_exact(good[i].text, 64, -1, &kind, &why)) fail_msg("row %zu: %s", i, why);
        assert_int_equal(kind, good[i].kind);
        assert_int_equal(json_kind_of(good[i].text), kind);
        assert_true(accepts(good[i].text, 0)); /* no placeholder among them */
    }
}

/* clang-format off */
static const struct str_view bad[] = {
    /* nothing, or no value */
    B(""), B(" "), B("\n"), B(","), B(":"), B("]"), B("}"), B("a"), B("'a'"), B("\0"), B("/"),
    B("\xef\xbb\xbf{}"), B("\xff"), B("undefined"), B("NaN"), B("Infinity"), B("-Infinity"),
    /* literals */
    B("nul"), B("nulll"), B("null0"), B("tru"), B("True"), B("TRUE"), B("truefalse"), B("fals"),
    B("falsey"), B("t"), B("n"), B("f"), B("true,"), B("true]"), B("nul\0"),
    /* numbers */
    B("-"), B("+1"), B("+"), B("01"), B("00"), B("-01"), B("-00"), B("1."), B(".5"), B("-.5"),
    B("1.e1"), B("1e"), B("1E"), B("1e+"), B("1e-"), B("1e1.5"), B("1e1e1"), B("1.2.3"), B("0x1"),
    B("1x"), B("1 2"), B("--1"), B("- 1"), B("1_000"), B("1,"), B("1,000"), B("0e"), B("1n"),
    B("\xef\xbc\x91"), B("1-1"), B("0.e1"), B("e1"), B("1\0"),
    /* strings */
    B("\""), B("\"a"), B("\"\\\""), B("\"\\"), B("\"\\\\"), B("\"\\x41\""), B("\"\\a\""),
    B("\"\\'\""), B("\"\\v\""), B("\"\\0\""), B("\"\\u\""), B("\"\\u1\""), B("\"\\u12\""),
    B("\"\\u123\""), B("\"\\u123"), B("\"\\u12"), B("\"\\u"), B("\"\\u123g\""), B("\"\\uG123\""),
    B("\"\\u+123\""), B("\"\\U0041\""), B("\"\\u 123\""), B("\"\\u{41}\""), B("\"\n\""),
    B("\"\t\""), B("\"\0\""), B("\"\x1f\""), B("\"0123456\x01\""), B("\"0123456789\x1f" "12345\""),
    B("\"a\"b"), B("\"a\"\"b\""), B("\"a\","), B("\"\\\n\""), B("\"\\\xc3\xa4\""),
    /* arrays */
    B("["), B("[["), B("[]]"), B("[1"), B("[1,"), B("[1,]"), B("[,1]"), B("[,]"), B("[1,,2]"),
    B("[1 2]"), B("[1}"), B("[}"), B("[1:2]"), B("[\"a\""), B("[\"a\":1]"), B("[1]x"), B("[1],"),
    B("[][]"), B("[01]"), B("[1.]"), B("[-]"), B("[a]"), B("[\"a]"), B("[1//\n]"), B("[/**/]"),
    B("[\v1]"), B("[\f1]"), B("[\xc2\xa0]"), B("[1]\0"), B("[\"\\\"]"),
    /* objects */
    B("{"), B("{\"a\""), B("{\"a\":"), B("{\"a\":1"), B("{\"a\":1,"), B("{\"a\":1,}"), B("{,}"),
    B("{\"a\"}"), B("{\"a\":}"), B("{\"a\" 1}"), B("{\"a\",1}"), B("{\"a\"::1}"), B("{a:1}"),
    B("{1:1}"), B("{'a':1}"), B("{\"a\":1]"), B("{]"), B("{\"a\":1 \"b\":2}"), B("{\"a\":1,,}"),
    B("{null:1}"), B("{\"a\":1}}"), B("{\"a\":1}{"), B("{[]:1}"), B("{{}}"), B("{\"a\\x\":1}"),
    B("{\"a\n\":1}"), B("{\"a\":b}"), B("{\"a\":1,b}"), B("{\"a\":1,\"b\"}"),
    B("{\"a\":{\"b\":1]}"), B("{\"a\":[1}]"), B("{\"a:1}"), B("{\"a\":1;\"b\":2}"),
    B("{ ,\"a\":1}"),
};
/* clang-format on */

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        for (int attachments = -1; attachments < 2; attachments++)
            if (accepts(bad[i], attachments)) fail_msg("row %zu: %.*s", i, SV_ARG(bad[i]));
}

static void reasons_name_the_fault(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "unexpected end of JSON"},
        {"[1", "unexpected end of JSON"},
        {"\"\\u12", "unexpected end of JSON"},
        {"1e", "unexpected end of JSON"},
        {"[x]", "unexpected character in JSON"},
        {"[trux]", "unexpected character in JSON"},
        {"[1.x]", "bad number in JSON"},
        {"[\"\\x\"]", "bad escape in JSON string"},
        {"[\"\n\"]", "control character in JSON string"},
        {"{1:1}", "key expected in JSON"},
        {"{\"a\" 1}", "colon expected in JSON"},
        {"[1 1]", "comma expected in JSON"},
        {"[] 1", "characters behind the JSON value"},
        {"[[[]]]", "JSON nested too deep"},
        {"[{\"_placeholder\":true}]", "illegal attachments"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum json_kind kind;
        const char *why;
        assert_false(scan_exact(sv_of(rows[i].text), 2, 0, &kind, &why));
        assert_string_equal(why, rows[i].why);
    }
}

/* No proper beginning of a closed value is a value. */
static void every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct str_view t = good[i].text;
        if (good[i].kind == JSON_NUMBER) continue;
        while (t.n && strchr(" \t\r\n", t.p[t.n - 1]))
            t.n--;
        while (t.n-- > 0)
            assert_false(accepts(t, -1));
    }
}

/* A string's plain bytes are taken eight at a time: what ends them must be seen at each place. */
static void each_byte_at_each_place_of_a_string(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 1; at <= 24; at++) {
            char text[26];
            memset(text, 'x', sizeof(text));
            text[0] = text[25] = '"';
            text[at] = (char)c;
            bool want = c >= 0x20 && c != '"' && c != '\\';
            assert_int_equal(accepts(sv_make(text, sizeof(text)), -1), want);
        }
    }
}

/* open, n times; middle; close, n times. */
static bool accepts_nested(unsigned n, const char *open, const char *middle, const char *close,
                           unsigned max_depth, int attachments)
{
    struct buf b;
    enum json_kind kind;
    const char *why;
    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < n; i++)
        assert_true(buf_add_sv(&b, sv_of(open)));
    assert_true(buf_add_sv(&b, sv_of(middle)));
    for (unsigned i = 0; i < n; i++)
        assert_true(buf_add_sv(&b, sv_of(close)));
    bool ok = scan_exact(buf_view(&b), max_depth, attachments, &kind, &why);
    if (!ok) assert_string_equal(why, "JSON nested too deep");
    buf_fini(&b);
    return ok;
}

static void nesting_is_bounded_exactly(void **state)
{
    (void)state;
    static const unsigned limits[] = {0, 1, 2, 63, 64, 65, 128, 1023, 1024};
    for (size_t i = 0; i < COUNT(limits); i++) {
        for (int attachments = -1; attachments < 1; attachments++) {
            unsigned max = limits[i];
            assert_true(max == 0 || accepts_nested(max, "[", "", "]", max, attachments));
            assert_false(accepts_nested(max + 1, "[", "", "]", max, attachments));
            assert_true(accepts_nested(max, "[", "1", "]", max, attachments));
            assert_false(accepts_nested(max + 1, "[", "1", "]", max, attachments));
            assert_true(accepts_nested(max, "{\"a\":", "\"\"", "}", max, attachments));
            assert_false(accepts_nested(max + 1, "{\"a\":", "\"\"", "}", max, attachments));
            assert_false(accepts_nested(max, "[", "{}", "]", max, attachments));
            assert_true(max < 2 || accepts_nested(max / 2, "[1,{\"a\":", "null", ",\"b\":0},2]",
                                                  max, attachments));
        }
    }
    /* more than the limit cannot be asked for */
    assert_false(accepts_nested(JSON_DEPTH_LIMIT + 1, "[", "1", "]", 5000, -1));
    assert_false(accepts_nested(100000, "[", "", "", JSON_DEPTH_LIMIT, -1));
}

/* Levels are remembered one by one: a closing of the wrong kind is seen at each depth. */
static void each_level_closes_as_it_opened(void **state)
{
    (void)state;
    for (unsigned wrong = 0; wrong < 200; wrong++) {
        struct buf b;
        enum json_kind kind;
        const char *why;
        buf_init(&b, 1 << 20);
        for (unsigned i = 0; i < 200; i++)
            assert_true(buf_add_sv(&b, i * 7 % 3 ? SV("[") : SV("{\"k\":")));
        assert_true(buf_add_char(&b, '0'));
        size_t end = b.n;
        for (unsigned i = 200; i-- > 0;)
            assert_true(buf_add_char(&b, i * 7 % 3 ? ']' : '}'));
        assert_true(scan_exact(buf_view(&b), 200, -1, &kind, &why));
        b.p[end + wrong] ^= '}' ^ ']';
        assert_false(scan_exact(buf_view(&b), 200, -1, &kind, &why));
        buf_fini(&b);
    }
}

static const struct {
    bool ok;
    int attachments;
    struct str_view text;
} placeholders[] = {
    {true, 1, B("[{\"_placeholder\":true,\"num\":0}]")},
    {true, 1, B("[{\"num\":0,\"_placeholder\":true}]")},
    {true, 1, B(" [ { \"_placeholder\" : true , \"num\" : 0 } ] ")},
    {true, 1, B("{\"_placeholder\":true,\"num\":0}")},
    {true, 2, B("[{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":1}]")},
    {true, 64, B("[{\"_placeholder\":true,\"num\":63}]")},
    {true, 2147483647, B("[{\"_placeholder\":true,\"num\":2147483646}]")},
    {false, 2147483647, B("[{\"_placeholder\":true,\"num\":2147483647}]")},
    {false, 0, B("[{\"_placeholder\":true,\"num\":0}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":1}]")},
    {false, 2, B("[{\"_placeholder\":true,\"num\":10}]")},
    {false, 10, B("[{\"_placeholder\":true,\"num\":10}]")},
    {false, 10, B("[{\"_placeholder\":true,\"num\":18446744073709551616}]")},
    {false, 10, B("[{\"_placeholder\":true,\"num\":4294967296}]")},
    {false, 1, B("[{\"_placeholder\":true}]")},
    {false, 1, B("{\"_placeholder\":true}")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":-1}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":-0}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":0.5}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":0.0}]")},
    {false, 2, B("[{\"_placeholder\":true,\"num\":1e0}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":\"0\"}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":null}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":true}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":[0]}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":[]}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":{\"num\":0}}]")},
    {false, 1, B("[{\"_placeholder\":true,\"nums\":0}]")},
    {false, 1, B("[{\"_placeholder\":true,\"Num\":0}]")},
    /* only true makes a placeholder */
    {true, 0, B("[{\"_placeholder\":false,\"num\":9}]")},
    {true, 0, B("[{\"_placeholder\":\"true\",\"num\":9}]")},
    {true, 0, B("[{\"_placeholder\":1,\"num\":9}]")},
    {true, 0, B("[{\"_placeholder\":null}]")},
    {true, 0, B("[{\"_placeholder\":[true]}]")},
    {true, 0, B("[{\"_placeholder\":{}}]")},
    {true, 0, B("[{\"_Placeholder\":true}]")},
    {true, 0, B("[{\"_placeholder \":true}]")},
    {true, 0, B("[\"_placeholder\",true,{\"num\":-1}]")},
    {true, 0, B("[{\"a\":\"_placeholder\",\"b\":true}]")},
    /* keys are compared unescaped */
    {true, 1, B("[{\"\\u005fplaceholder\":true,\"n\\u0075m\":0}]")},
    {false, 1, B("[{\"\\u005fplaceholder\":true,\"n\\u0075m\":1}]")},
    {false, 1, B("[{\"_placeholde\\u0072\":true}]")},
    {true, 1, B("[{\"_placeholder\\u0000\":true}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\\u0000\":0}]")},
    /* the last of equal keys counts */
    {true, 1, B("[{\"_placeholder\":true,\"num\":7,\"num\":0}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":0,\"num\":7}]")},
    {false, 1, B("[{\"num\":0,\"_placeholder\":true,\"num\":\"0\"}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":0,\"n\\u0075m\":7}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":0,\"num\":{}}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":0,\"num\":[]}]")},
    {true, 0, B("[{\"_placeholder\":true,\"_placeholder\":false}]")},
    {true, 0, B("[{\"_placeholder\":true,\"_placeholder\":[{}]}]")},
    {false, 0, B("[{\"_placeholder\":false,\"_placeholder\":true}]")},
    {false, 0, B("[{\"_placeholder\":{\"_placeholder\":false},\"_placeholder\":true}]")},
    /* each object stands for itself, at every depth */
    {true, 1, B("[\"e\",[{\"a\":[{\"_placeholder\":true,\"num\":0}]}]]")},
    {false, 1, B("[\"e\",[{\"a\":[{\"_placeholder\":true,\"num\":1}]}]]")},
    {false, 1, B("[{\"_placeholder\":true,\"a\":{\"num\":0}}]")},
    {false, 1, B("[{\"a\":{\"num\":0},\"_placeholder\":true}]")},
    {false, 1, B("[{\"num\":0},{\"_placeholder\":true}]")},
    {true, 0, B("[{\"num\":0},{\"a\":true}]")},
    {true, 1, B("[{\"_placeholder\":true,\"a\":{\"num\":7},\"num\":0}]")},
    {true, 1, B("[{\"_placeholder\":true,\"num\":0,\"a\":{\"num\":7,\"_placeholder\":false}}]")},
    {false, 1, B("[{\"_placeholder\":true,\"num\":0,\"a\":{\"_placeholder\":true}}]")},
    {false, 1, B("[{\"a\":{\"_placeholder\":true},\"num\":0}]")},
    {true, 0, B("[{\"_placeholder\":[true,{\"a\":true}],\"num\":[0]}]")},
    {false, 1, B("[{},{\"_placeholder\":true},{}]")},
    {true, 1, B("[{\"_placeholder\":true,\"num\":0},{},[{}],{\"a\":true}]")},
    {true, 1, B("[{\"_placeholder\":true,\"a\":[],\"b\":{},\"num\":0}]")},
};

static void placeholders_name_an_attachment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(placeholders); i++) {
        enum json_kind kind;
        const char *why;
        bool ok = scan_exact(placeholders[i].text, 64, placeholders[i].attachments, &kind, &why);
        if (ok != placeholders[i].ok) fail_msg("row %zu", i);
        if (!ok) assert_string_equal(why, "illegal attachments");
        assert_true(accepts(placeholders[i].text, -1)); /* in other packets: plain data */
    }
}

static void placeholders_are_seen_at_each_depth(void **state)
{
    (void)state;
    for (unsigned depth = 1; depth < 200; depth++) {
        struct buf b;
        enum json_kind kind;
        const char *why;
        buf_init(&b, 1 << 16);
        /* every level is a placeholder itself, with what comes between its two keys */
        for (unsigned i = 0; i < depth; i++)
            assert_true(buf_add_sv(&b, SV("{\"_placeholder\":true,\"a\":[1,")));
        assert_true(buf_add_sv(&b, SV("{\"_placeholder\":true,\"num\":2}")));
        for (unsigned i = 0; i < depth; i++)
            assert_true(buf_add_sv(&b, SV("],\"num\":2}")));
        assert_true(scan_exact(buf_view(&b), 1024, 3, &kind, &why));
        b.p[b.n - 2 - 10 * (depth / 2)] = '3'; /* one of them out of range */
        assert_false(scan_exact(buf_view(&b), 1024, 3, &kind, &why));
        assert_string_equal(why, "illegal attachments");
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_accepted_with_its_kind),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(reasons_name_the_fault),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(each_byte_at_each_place_of_a_string),
        cmocka_unit_test(nesting_is_bounded_exactly),
        cmocka_unit_test(each_level_closes_as_it_opened),
        cmocka_unit_test(placeholders_name_an_attachment),
        cmocka_unit_test(placeholders_are_seen_at_each_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
