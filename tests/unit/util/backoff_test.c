/* The row of pauses, its bounds, and what a success changes. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/backoff.h"

static void assert_pause(const struct backoff *b, uint64_t least, uint64_t most)
{
    uint64_t seen_least = UINT64_MAX, seen_most = 0;
    for (uint32_t chance = 0; chance < 5000; chance++) {
        uint64_t pause = backoff_pause(b, chance);
        if (pause < seen_least) seen_least = pause;
        if (pause > seen_most) seen_most = pause;
    }
    assert_int_equal(seen_least, least);
    assert_int_equal(seen_most, most);
}

static void pauses_double_up_to_the_most(void **state)
{
    struct backoff b = {.min = 50, .max = 300};
    (void)state;
    assert_pause(&b, 0, 0);
    static const uint64_t most[] = {50, 100, 200, 300, 300};
    for (size_t i = 0; i < 5; i++) {
        backoff_failed(&b);
        assert_pause(&b, most[i] / 2, most[i]);
    }
    for (int i = 0; i < 100000; i++)
        backoff_failed(&b);
    assert_pause(&b, 150, 300);
}

static void the_least_pauses(void **state)
{
    struct backoff b = {.min = 1, .max = 1};
    (void)state;
    backoff_failed(&b);
    assert_pause(&b, 1, 1);
    b.max = 3;
    backoff_failed(&b);
    assert_pause(&b, 1, 2);
    backoff_failed(&b);
    assert_pause(&b, 2, 3);
}

static void what_has_held_begins_anew(void **state)
{
    struct backoff b = {.min = 50, .max = 300};
    (void)state;
    backoff_failed(&b);
    backoff_failed(&b);
    backoff_came_up(&b);
    backoff_lost(&b, 300);
    assert_pause(&b, 0, 0);
    backoff_failed(&b);
    assert_pause(&b, 25, 50);
}

static void what_does_not_hold_waits_from_the_second_time_on(void **state)
{
    struct backoff b = {.min = 50, .max = 300};
    static const uint64_t most[] = {0, 50, 100, 200, 300, 300};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        backoff_came_up(&b);
        backoff_lost(&b, 299);
        assert_pause(&b, most[i] / 2, most[i]);
    }
    /* Failures in between do not make it worse for good. */
    backoff_came_up(&b);
    backoff_lost(&b, 1000);
    assert_pause(&b, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_the_most),
        cmocka_unit_test(the_least_pauses),
        cmocka_unit_test(what_has_held_begins_anew),
        cmocka_unit_test(what_does_not_hold_waits_from_the_second_time_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
