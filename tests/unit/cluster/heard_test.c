/* Which namespaces are heard for answers, and for how long. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Cluster */
#include "cluster/heard.h"

static struct {
    struct bus bus;
    struct wheel wheel;
    struct heard heard;
    uint64_t now;
    unsigned enters, exits;
    char last[16]; /* that was left */
} t;

static void enter(struct bus *b, struct str_view nsp)
{
    (void)b;
    (void)nsp;
    t.enters++;
}

static void leave(struct bus *b, struct str_view nsp)
{
    (void)b;
    t.exits++;
    snprintf(t.last, sizeof(t.last), "%.*s", SV_ARG(nsp));
}

static uint64_t now(void *arg)
{
    (void)arg;
    return t.now;
}

static void pass(uint64_t ms)
{
    t.now += ms;
    wheel_advance(&t.wheel, t.now);
}

static int begin(void **state)
{
    static const struct bus_ops ops = {.enter = enter, .exit = leave};
    (void)state;
    memset(&t, 0, sizeof(t));
    t.bus.ops = &ops;
    wheel_init(&t.wheel, t.now);
    heard_init(&t.heard, &t.bus, &t.wheel, now, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    heard_stop(&t.heard);
    assert_int_equal(t.enters, t.exits);
    assert_null(t.heard.all);
    return 0;
}

static void one_that_is_asked_often_is_entered_once(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct heard_nsp *a = heard_hold(&t.heard, SV("/a")), *b = heard_hold(&t.heard, SV("/a"));
        assert_ptr_equal(a, b);
        heard_rele(&t.heard, a);
        heard_rele(&t.heard, b);
        pass(HEARD_MS - 1000);
        assert_int_equal(t.enters, 1);
        assert_int_equal(t.exits, 0);
    }
    heard_rele(&t.heard, heard_hold(&t.heard, SV("/b")));
    pass(HEARD_MS - 1000);
    assert_string_equal(t.last, "/a");
    assert_int_equal(t.exits, 1);
    pass(2000);
    assert_string_equal(t.last, "/b");
    struct heard_nsp *c = heard_hold(&t.heard, SV("/c"));
    pass(10 * HEARD_MS);
    assert_int_equal(t.exits, 2); /* it is asked all the time */
    heard_rele(&t.heard, c);
}

static void there_are_not_more_than_may_be(void **state)
{
    char name[16];
    (void)state;
    for (int i = 0; i < HEARD_MAX + 2; i++) {
        snprintf(name, sizeof(name), "/%d", i);
        heard_rele(&t.heard, heard_hold(&t.heard, sv_of(name)));
    }
    assert_int_equal(t.exits, 2);
    assert_string_equal(t.last, "/1");
}

static void what_is_held_at_the_end_goes_when_it_is_released(void **state)
{
    (void)state;
    struct heard_nsp *a = heard_hold(&t.heard, SV("/a"));
    heard_rele(&t.heard, heard_hold(&t.heard, SV("/b")));
    heard_stop(&t.heard);
    assert_string_equal(t.last, "/b");
    assert_int_equal(t.exits, 1);
    heard_rele(&t.heard, a);
    assert_int_equal(t.exits, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(one_that_is_asked_often_is_entered_once),
        TEST(there_are_not_more_than_may_be),
        TEST(what_is_held_at_the_end_goes_when_it_is_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
