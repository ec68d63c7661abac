/* Buffers keep to their maximum: what fits is added whole, what does not changes nothing. */
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
#include "util/buf.h"

static void fills_to_its_maximum_and_no_further(void **state)
{
    static const size_t maxima[] = {0, 1, 2, 63, 64, 65, 100, 127, 128, 129, 1000};
    (void)state;
    for (unsigned i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
        struct buf b;
        buf_init(&b, maxima[i]);
        for (size_t n = 0; n < maxima[i]; n++)
            assert_true(buf_add_char(&b, (char)n));
        assert_int_equal(b.n, maxima[i]);
        assert_false(buf_add_char(&b, '!'));
        assert_false(buf_add(&b, "!", 1));
        assert_false(buf_addf(&b, "!"));
        assert_null(buf_cstr(&b));
        assert_true(buf_add(&b, "", 0));
        assert_non_null(buf_room(&b, 0));
        assert_int_equal(b.n, maxima[i]);
        for (size_t n = 0; n < maxima[i]; n++)
            assert_int_equal(b.p[n], (char)n);
        assert_true(b.cap <= (maxima[i] < 64 ? 64 : maxima[i]));
        buf_fini(&b);
    }
}

static void what_does_not_fit_changes_nothing(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    assert_true(buf_add_sv(&b, SV("12345678")));
    assert_false(buf_add_sv(&b, SV("abc")));
    assert_false(buf_addf(&b, "%03d", 7));
    assert_null(buf_room(&b, 3));
    assert_null(buf_room(&b, SIZE_MAX));
    assert_null(buf_room(&b, SIZE_MAX - 7));
    assert_true(sv_eq(buf_view(&b), SV("12345678")));
    assert_true(buf_add_sv(&b, SV("ab")));
    assert_true(sv_eq(buf_view(&b), SV("12345678ab")));
    buf_fini(&b);
}

/* A maximum that was lowered below what is there. */
static void lowered_maximum_refuses(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    assert_true(buf_add_sv(&b, SV("12345678")));
    b.max = 4;
    assert_false(buf_add_char(&b, 'x'));
    assert_null(buf_room(&b, 0));
    buf_drop(&b, 5);
    assert_true(buf_add_char(&b, 'x'));
    assert_true(sv_eq(buf_view(&b), SV("678x")));
    buf_fini(&b);
}

static void unlimited_maximum_grows_step_by_step(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, SIZE_MAX);
    for (unsigned i = 0; i < 5000; i++)
        assert_true(buf_add_char(&b, 'x'));
    assert_int_equal(b.cap, 8192);
    assert_null(buf_room(&b, SIZE_MAX));
    buf_fini(&b);
}

static void printing_is_not_cut(void **state)
{
    static char text[1000];
    static const size_t sizes[] = {0, 1, 254, 255, 256, 257, 511, 512, 999};
    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buf b;
        int n = (int)sizes[i];
        buf_init(&b, sizes[i]);
        assert_true(buf_addf(&b, "%.*s", n, text));
        assert_int_equal(b.n, sizes[i]);
        assert_memory_equal(buf_view(&b).p, text, sizes[i]);
        buf_fini(&b);
        if (!n) continue;
        buf_init(&b, sizes[i] - 1);
        assert_false(buf_addf(&b, "%.*s", n, text));
        assert_int_equal(b.n, 0);
        buf_fini(&b);
    }
}

static void drop_takes_from_the_front(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    buf_drop(&b, 0);
    for (size_t cut = 0; cut <= 6; cut++) {
        buf_clear(&b);
        assert_true(buf_add_sv(&b, SV("abcdef")));
        buf_drop(&b, cut);
        assert_true(sv_eq(buf_view(&b), sv_skip(SV("abcdef"), cut)));
    }
    buf_fini(&b);
}

static void content_as_a_string(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 4);
    assert_string_equal(buf_cstr(&b), "");
    assert_true(buf_add_sv(&b, SV("abc")));
    assert_string_equal(buf_cstr(&b), "abc");
    assert_int_equal(b.n, 3);
    assert_true(buf_add_char(&b, 'd'));
    assert_true(sv_eq(buf_view(&b), SV("abcd")));
    assert_null(buf_cstr(&b));
    buf_fini(&b);
}

static void empty_and_reused(void **state)
{
    struct buf b = {0};
    (void)state;
    buf_fini(&b);
    assert_true(sv_eq(buf_view(&b), SV("")));
    assert_non_null(buf_view(&b).p);
    buf_init(&b, 5);
    assert_true(buf_add_sv(&b, SV("one")));
    buf_fini(&b);
    buf_fini(&b);
    assert_int_equal(b.max, 5);
    assert_true(buf_add_sv(&b, SV("again")));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_to_its_maximum_and_no_further),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
        cmocka_unit_test(lowered_maximum_refuses),
        cmocka_unit_test(unlimited_maximum_grows_step_by_step),
        cmocka_unit_test(printing_is_not_cut),
        cmocka_unit_test(drop_takes_from_the_front),
        cmocka_unit_test(content_as_a_string),
        cmocka_unit_test(empty_and_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
