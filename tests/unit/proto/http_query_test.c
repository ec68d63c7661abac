/* Query keys and paths: what decodes to what, and that a refusal leaves the output as it was. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/http_head.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }

enum outcome { FOUND, ABSENT, BROKEN };

struct query_case {
    enum outcome outcome;
    struct str_view query, key, value;
};

static const struct query_case queries[] = {
    {FOUND, B("a=1"), B("a"), B("1")},
    {FOUND, B("a=1&b=2"), B("b"), B("2")},
    {FOUND, B("a=1&b=2"), B("a"), B("1")},
    {FOUND, B("a=1&a=2&a=3"), B("a"), B("3")},
    {FOUND, B("a=1&a="), B("a"), B("")},
    {FOUND, B("a=1&a"), B("a"), B("")},
    {FOUND, B("a=b=c"), B("a"), B("b=c")},
    {FOUND, B("a=b?c/d"), B("a"), B("b?c/d")},
    {FOUND, B("a="), B("a"), B("")},
    {FOUND, B("a"), B("a"), B("")},
    {FOUND, B("&&a=1&&"), B("a"), B("1")},
    {FOUND, B("a=1&b"), B("a"), B("1")},
    {FOUND, B("a=+%20+"), B("a"), B("   ")},
    {FOUND, B("a=%2B%26%3d%25"), B("a"), B("+&=%")},
    {FOUND, B("a=%2541"), B("a"), B("%41")},
    {FOUND, B("a=x%00y"), B("a"), B("x\0y")},
    {FOUND, B("a=%fF%C3%a4"), B("a"), B("\xff\xc3\xa4")},
    {FOUND, B("%61=1"), B("a"), B("1")},
    {FOUND, B("t%6fk%65n=x"), B("token"), B("x")},
    {FOUND, B("a%3Db=1"), B("a=b"), B("1")},
    {FOUND, B("a+b=1"), B("a b"), B("1")},
    {FOUND, B("a%2bb=1"), B("a+b"), B("1")},
    {FOUND, B("=1"), B(""), B("1")},
    {ABSENT, B(""), B("a"), B("")},
    {ABSENT, B("&"), B("a"), B("")},
    {ABSENT, B("&&"), B(""), B("")},
    {ABSENT, B("="), B("a"), B("")},
    {ABSENT, B("ab=1"), B("a"), B("")},
    {ABSENT, B("a=1"), B("ab"), B("")},
    {ABSENT, B("ba=1"), B("a"), B("")},
    {ABSENT, B("A=1"), B("a"), B("")},
    {ABSENT, B("b=a"), B("a"), B("")},
    {ABSENT, B("b=a=1"), B("a"), B("")},
    {ABSENT, B("a%00=1"), B("a"), B("")},
    {ABSENT, B("a%=1"), B("a"), B("")},
    {ABSENT, B("a%6=1"), B("a"), B("")},
    {ABSENT, B("%6=1"), B("a"), B("")},
    {ABSENT, B("%6x=1"), B("a"), B("")},
    {ABSENT, B("a%3D1"), B("a"), B("")},
    {ABSENT, B("b%26a=1"), B("a"), B("")},
    {ABSENT, B("b=1;a=2"), B("a"), B("")},
    {BROKEN, B("a=%"), B("a"), B("")},
    {BROKEN, B("a=%4"), B("a"), B("")},
    {BROKEN, B("a=%4&b=1"), B("a"), B("")},
    {BROKEN, B("a=1%4g"), B("a"), B("")},
    {BROKEN, B("a=%g4"), B("a"), B("")},
    {BROKEN, B("a=%%41"), B("a"), B("")},
    {BROKEN, B("a=%+1"), B("a"), B("")},
    {BROKEN, B("a=% 1"), B("a"), B("")},
    {BROKEN, B("a=1&a=%"), B("a"), B("")},
    {FOUND, B("a=%&a=1"), B("a"), B("1")},
    {FOUND, B("b=%&a=1&%"), B("a"), B("1")},
};

static void assert_content(const struct buf *b, const char *before, struct str_view after)
{
    struct str_view got = buf_view(b), head = sv_of(before);
    assert_true(sv_starts_with(got, head));
    got = sv_skip(got, head.n);
    if (!sv_eq(got, after)) fail_msg("got '%.*s', want '%.*s'", SV_ARG(got), SV_ARG(after));
}

static void query_values_are_found_and_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        const struct query_case *q = &queries[i];
        for (int with_bad = 0; with_bad < 2; with_bad++) {
            struct buf out;
            buf_init(&out, 64);
            assert_true(buf_add_sv(&out, SV("was")));
            bool bad = i % 2; /* must be written either way */
            bool found = http_query_get(q->query, q->key, &out, with_bad ? &bad : NULL);
            if (found != (q->outcome == FOUND)) fail_msg("'%s': found %d", q->query.p, found);
            if (with_bad) assert_int_equal(bad, q->outcome == BROKEN);
            assert_content(&out, "was", q->value);
            buf_fini(&out);
        }
    }
}

static void value_that_does_not_fit_is_bad(void **state)
{
    (void)state;
    for (size_t max = 0; max <= 5; max++) {
        struct buf out;
        bool bad = false;
        buf_init(&out, max);
        bool found = http_query_get(SV("a=%41%42+x&b="), SV("a"), &out, &bad);
        assert_int_equal(found, max >= 4); /* what counts is the decoded length */
        assert_int_equal(bad, max < 4);
        assert_content(&out, "", found ? SV("AB x") : SV(""));
        /* An empty value fits anywhere. */
        assert_true(http_query_get(SV("a=%41%42+x&b="), SV("b"), &out, &bad));
        assert_false(bad);
        buf_fini(&out);
    }
}

static void views_end_where_they_say(void **state)
{
    (void)state;
    /* Cut inside an escape: the digits behind the end of the view are not looked at. */
    struct buf out;
    bool bad;
    buf_init(&out, 64);
    assert_false(http_query_get(sv_make("a=x%41", 4), SV("a"), &out, &bad));
    assert_true(bad);
    assert_false(http_query_get(sv_make("a=x%41", 5), SV("a"), &out, &bad));
    assert_true(bad);
    assert_true(http_query_get(sv_make("a=x%41", 6), SV("a"), &out, &bad));
    assert_content(&out, "", SV("xA"));
    /* Nor what is behind the end of the key. */
    static const char key[1] = {'a'};
    assert_false(http_query_get(SV("ab=1"), sv_make(key, 1), &out, &bad));
    assert_false(http_query_get(SV("a%00=1"), sv_make(key, 1), &out, &bad));
    buf_fini(&out);
}

struct path_case {
    bool ok;
    struct str_view path, want;
};

static void paths_are_decoded_without_the_plus_rule(void **state)
{
    (void)state;
    static const struct path_case cases[] = {
        {true, B(""), B("")},
        {true, B("/a/b"), B("/a/b")},
        {true, B("/a+b"), B("/a+b")},
        {true, B("/%61%2f%2E%2e"), B("/a/..")},
        {true, B("/%25%32%35"), B("/%25")},
        {true, B("/%ff"), B("/\xff")},
        {false, B("/%00"), B("")},
        {false, B("/a%"), B("")},
        {false, B("/a%1"), B("")},
        {false, B("/a%zz"), B("")},
        {false, B("/\0"), B("")},
        {true, B("/1234567890"), B("/1234567890")},
        {false, B("/12345678901"), B("")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out;
        buf_init(&out, 14);
        assert_true(buf_add_sv(&out, SV("was")));
        if (http_path_decode(cases[i].path, &out) != cases[i].ok) fail_msg("%s", cases[i].path.p);
        assert_content(&out, "was", cases[i].want);
        buf_fini(&out);
    }
}

static void every_byte_survives_its_escape(void **state)
{
    (void)state;
    for (int b = 0; b < 256; b++) {
        char query[16];
        struct buf out;
        bool bad;
        int n = snprintf(query, sizeof(query), b % 2 ? "k=%%%02x" : "k=%%%02X", (unsigned)b);
        buf_init(&out, 1);
        assert_true(http_query_get(sv_make(query, (size_t)n), SV("k"), &out, &bad));
        assert_int_equal((unsigned char)out.p[0], b);
        buf_clear(&out);
        assert_int_equal(http_path_decode(sv_make(query + 2, 3), &out), b != 0);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_values_are_found_and_decoded),
        cmocka_unit_test(value_that_does_not_fit_is_bad),
        cmocka_unit_test(views_end_where_they_say),
        cmocka_unit_test(paths_are_decoded_without_the_plus_rule),
        cmocka_unit_test(every_byte_survives_its_escape),
    };
    return cmocka_run_group_tests_name("http_query", tests, NULL, NULL);
}
