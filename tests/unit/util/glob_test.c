/* Shell-like patterns, and the small functions on borrowed text. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/str_view.h"

static const struct {
    const char *pattern, *text;
    bool match;
} globs[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"a", "a", true},
    {"a", "b", false},
    {"a", "aa", false},
    {"*", "", true},
    {"*", "anything", true},
    {"**", "", true},
    {"**", "x", true},
    {"?", "", false},
    {"?", "x", true},
    {"?", "xy", false},
    {"*?", "", false},
    {"*?", "x", true},
    {"?*", "xyz", true},
    {"a*", "a", true},
    {"a*", "abc", true},
    {"a*", "ba", false},
    {"*a", "a", true},
    {"*a", "cba", true},
    {"*a", "ab", false},
    {"a*b", "ab", true},
    {"a*b", "axxb", true},
    {"a*b", "axxbc", false},
    {"a*b*c", "abbcbc", true},
    {"*ab*", "aab", true},
    {"*aab", "aaab", true},
    {"*aab", "aaaab", true},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"/room-*", "/room-", true},
    {"/room-*", "/room-1", true},
    {"/room-*", "/room", false},
    {"/*", "/", true},
    {"A", "a", false},
    {"[a]", "a", false},
    {"[a]", "[a]", true},
    {"\\*", "*", false},
    {"\\*", "\\x", true},
    {"*.*.*", "a.b", false},
    {"*.*.*", "..", true},
    {"pub-*", "pub-\xc3\xab", true},
    {"??", "\xc3\xab", true},
};

static void patterns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
        if (sv_glob(sv_of(globs[i].pattern), sv_of(globs[i].text)) != globs[i].match)
            fail_msg("\"%s\" and \"%s\"", globs[i].pattern, globs[i].text);
}

/* The obvious definition. */
static bool matches(const char *p, const char *s)
{
    if (*p == '*') return matches(p + 1, s) || (*s && matches(p, s + 1));
    if (!*s) return !*p;
    return (*p == '?' || *p == *s) && matches(p + 1, s + 1);
}

static void word(unsigned n, const char *letters, unsigned base, char *out)
{
    for (; n; n /= base)
        *out++ = letters[n % base];
    *out = '\0';
}

static void agrees_with_the_definition(void **state)
{
    char p[16], s[16];
    (void)state;
    for (unsigned i = 0; i < 1024; i++) {
        word(i, "a*?b", 4, p);
        for (unsigned k = 0; k < 243; k++) {
            word(k, "abc", 3, s);
            if (sv_glob(sv_of(p), sv_of(s)) != matches(p, s)) fail_msg("\"%s\" and \"%s\"", p, s);
        }
    }
}

static void text_may_hold_any_byte(void **state)
{
    (void)state;
    assert_true(sv_glob(SV("a?b"), SV("a\0b")));
    assert_true(sv_glob(SV("a*"), SV("a\0\n\xff")));
    assert_false(sv_glob(SV("a"), SV("a\0")));
}

static void small_functions(void **state)
{
    struct str_view none = sv_of(NULL);
    (void)state;
    assert_int_equal(none.n, 0);
    assert_true(sv_eq(none, SV("")));
    assert_true(sv_eq_nocase(none, SV("")));
    assert_true(sv_eq_nocase(SV("aBc"), SV("AbC")));
    assert_false(sv_eq_nocase(SV("abc"), SV("abd")));
    assert_true(sv_starts_with(SV("abc"), SV("ab")));
    assert_true(sv_starts_with(none, none));
    assert_false(sv_starts_with(SV("a"), SV("ab")));
    assert_int_equal(sv_find(SV("abc"), 'c'), 2);
    assert_int_equal(sv_find(SV("abc"), 'x'), 3);
    assert_int_equal(sv_find(none, 'x'), 0);
    assert_true(sv_eq(sv_trim(SV(" \t a b \t")), SV("a b")));
    assert_true(sv_eq(sv_trim(SV(" \t ")), SV("")));
    assert_true(sv_eq(sv_trim(SV("\na")), SV("\na")));
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool is_one;
        uint64_t value;
    } v[] = {
        {"0", 0, true, 0},
        {"7", 7, true, 7},
        {"8", 7, false, 0}, /* less than a digit may be */
        {"10", 9, false, 0},
        {"007", 10, false, 0},
        {"00", 10, false, 0},
        {"", 10, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"1:", 100, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999", UINT64_MAX, false, 0},
        {"184467440737095516150", UINT64_MAX, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        uint64_t n = 99;
        assert_int_equal(sv_number(sv_of(v[i].text), v[i].max, &n), v[i].is_one);
        assert_true(n == (v[i].is_one ? v[i].value : 99));
    }
    uint64_t n = 7;
    assert_true(sv_to_u64(SV("0"), 0, &n));
    assert_int_equal(n, 0);
    assert_true(sv_to_u64(SV("0042"), 42, &n));
    assert_int_equal(n, 42);
    assert_true(sv_to_u64(SV("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    static const struct {
        const char *text;
        uint64_t max;
    } bad[] = {{"", 9},    {"1", 0},   {"10", 9}, {"43", 42}, {"18446744073709551616", UINT64_MAX},
               {"-1", 9},  {"+1", 9},  {" 1", 9}, {"1 ", 9},  {"99999999999999999999", UINT64_MAX},
               {"1x", 99}, {"0x1", 99}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sv_to_u64(sv_of(bad[i].text), bad[i].max, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(agrees_with_the_definition),
        cmocka_unit_test(text_may_hold_any_byte),
        cmocka_unit_test(small_functions),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
