/* Numbers of JSON to doubles and back. */
/* System */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/decimal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    const char *number;
    double value;
    bool exact;
    const char *written;
} cases[] = {
    {"0", 0.0, true, "0"},
    {"-0", -0.0, true, "-0"},
    {"-0.0e5", -0.0, true, "-0"},
    {"0.000", 0.0, true, "0"},
    {"1", 1.0, true, "1"},
    {"-1", -1.0, true, "-1"},
    {"1.50", 1.5, true, "1.5"},
    {"0.1", 0.1, true, "0.1"},
    {"1e2", 100.0, true, "100"},
    {"1E+2", 100.0, true, "100"},
    {"12.5e-1", 1.25, true, "1.25"},
    {"100e-2", 1.0, true, "1"},
    {"0.00001", 0.00001, true, "0.00001"},
    {"0.000001", 0.000001, true, "1e-6"},
    {"0.0000123456789", 0.0000123456789, true, "0.0000123456789"},
    {"-123456789.125", -123456789.125, true, "-123456789.125"},
    {"123456789012345", 123456789012345.0, true, "123456789012345"},
    {"9007199254740991", 9007199254740991.0, true, "9007199254740991"},
    {"9007199254740993", 9007199254740992.0, false, "9.007199254740992e+15"},
    {"1e21", 1e21, true, "1e+21"},
    {"1e22", 1e22, true, "1e+22"},
    {"1e23", 1e23, true, "1e+23"},
    {"123e-25", 123e-25, true, "1.23e-23"},
    {"1000000000000000000000000000000000000000000000000000", 1e51, true, "1e+51"},
    {"0.8394848392839283", 0.8394848392839283, true, "0.8394848392839283"},
    {"0.30000000000000004", 0.30000000000000004, true, "0.30000000000000004"},
    {"0.30000000000000005", 0.30000000000000004, false, "0.30000000000000004"},
    {"3.14159265358979323846", 3.141592653589793, false, "3.141592653589793"},
    {"1.7976931348623157e308", DBL_MAX, true, "1.7976931348623157e+308"},
    {"1e309", INFINITY, false, "null"},
    {"-1e400", -INFINITY, false, "null"},
    {"1e99999999999999999999", INFINITY, false, "null"},
    {"1e-99999999999999999999", 0.0, false, "0"},
    {"5e-324", 5e-324, true, "5e-324"},
    {"4.94e-324", 5e-324, false, "5e-324"},
    {"1e-400", 0.0, false, "0"},
    {"2.2250738585072014e-308", DBL_MIN, true, "2.2250738585072014e-308"},
};

static void numbers_are_read_and_given_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out;
        bool exact = !cases[i].exact;
        double v = decimal_read(sv_of(cases[i].number), &exact);
        if (exact != cases[i].exact) print_error("%s\n", cases[i].number);
        assert_true(v == cases[i].value && !signbit(v) == !signbit(cases[i].value));
        assert_int_equal(exact, cases[i].exact);
        buf_init(&out, 64);
        assert_true(decimal_write(&out, v));
        assert_string_equal(buf_cstr(&out), cases[i].written);
        buf_fini(&out);
    }
}

static void a_long_number_is_bounded(void **state)
{
    char text[5000];
    bool exact;
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('0' + i % 10);
    text[1] = '.';
    assert_true(decimal_read(sv_make(text, sizeof(text)), &exact) ==
                0.2345678901234567890123456789012345678901234567890);
    assert_false(exact);
    for (size_t i = 2; i < sizeof(text); i++)
        text[i] = '0';
    text[0] = '7';
    assert_true(decimal_read(sv_make(text, sizeof(text)), &exact) == 7);
    assert_true(exact);
    text[sizeof(text) - 1] = '1';
    assert_true(decimal_read(sv_make(text, sizeof(text)), &exact) == 7);
    assert_false(exact);
}

/* The same double as the C library's for numbers of every size; seeded, so that it is the same
 * every time. */
static void reading_agrees_with_strtod(void **state)
{
    uint64_t seed = 42;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        bool exact;
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        snprintf(text, sizeof(text), "%llu.%llue%d", (unsigned long long)(seed >> 33) % 1000,
                 (unsigned long long)(seed >> (seed >> 60)), (int)(seed >> 20 & 63) - 32);
        assert_true(decimal_read(sv_of(text), &exact) == strtod(text, NULL));
    }
}

static void doubles_are_read_as_themselves(void **state)
{
    uint64_t bits = 7;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct buf out;
        double v;
        bool exact;
        bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407;
        memcpy(&v, &bits, 8);
        if (!isfinite(v)) continue;
        buf_init(&out, 64);
        assert_true(decimal_write(&out, v));
        assert_true(decimal_read(buf_view(&out), &exact) == v);
        assert_true(exact);
        buf_fini(&out);
    }
}

static void integers_are_written_whole(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 128);
    assert_true(decimal_write_uint(&out, 0) && buf_add_char(&out, ' '));
    assert_true(decimal_write_uint(&out, UINT64_MAX) && buf_add_char(&out, ' '));
    assert_true(decimal_write_int(&out, INT64_MIN) && buf_add_char(&out, ' '));
    assert_true(decimal_write_int(&out, INT64_MAX) && buf_add_char(&out, ' '));
    assert_true(decimal_write_int(&out, -1));
    assert_string_equal(buf_cstr(&out), "0 18446744073709551615 -9223372036854775808 "
                                        "9223372036854775807 -1");
    buf_fini(&out);
    buf_init(&out, 2);
    assert_false(decimal_write_int(&out, -10) || decimal_write(&out, 0.25));
    assert_int_equal(out.n, 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_and_given_back),
        cmocka_unit_test(a_long_number_is_bounded),
        cmocka_unit_test(reading_agrees_with_strtod),
        cmocka_unit_test(doubles_are_read_as_themselves),
        cmocka_unit_test(integers_are_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
