/* The timer wheel against the simplest model: an array of deadlines that is looked through. */
/* System */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/wheel.h"

#define TURN_MS ((uint64_t)WHEEL_SLOTS * WHEEL_TICK_MS)
#define ENTRIES 64

/* --- the model: entry i is due at due[i], or not set */

static struct {
    struct wheel wheel;
    struct wheel_entry e[ENTRIES];
    uint64_t due[ENTRIES]; /* WHEEL_NEVER: not set */
    uint64_t now, seed;
    unsigned fired;
    bool acts; /* entries that fire set and drop others */
} t;

static uint32_t draw(uint32_t below)
{
    t.seed = t.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(t.seed >> 33) % below;
}

static uint64_t any_deadline(void)
{
    switch (draw(8)) {
    case 0: return t.now + draw(WHEEL_TICK_MS * 3);
    case 1: return t.now - draw(t.now > 5000 ? 5000 : 1); /* long past */
    case 2: return t.now + TURN_MS - 20 + draw(40);
    case 3: return t.now + draw(4) * TURN_MS + draw(100); /* further than one turn */
    case 4: return t.now + draw(100 * TURN_MS);
    case 5: return (t.now + draw(5000)) / WHEEL_TICK_MS * WHEEL_TICK_MS;
    default: return t.now + draw(TURN_MS);
    }
}

static void set(unsigned i, uint64_t deadline)
{
    wheel_set(&t.wheel, &t.e[i], deadline);
    t.due[i] = deadline;
}

static void drop(unsigned i)
{
    wheel_drop(&t.wheel, &t.e[i]);
    t.due[i] = WHEEL_NEVER;
}

static void set_or_drop(void)
{
    unsigned i = draw(ENTRIES);
    if (draw(3))
        set(i, any_deadline());
    else
        drop(i);
}

static void on_fire(struct wheel_entry *e)
{
    unsigned i = (unsigned)(e - t.e);
    assert_false(wheel_is_set(e));
    assert_int_not_equal(t.due[i], WHEEL_NEVER); /* it was set, and fires once */
    assert_true(t.due[i] <= t.now);              /* never early */
    t.due[i] = WHEEL_NEVER;
    t.fired++;
    if (!t.acts) return;
    if (draw(2)) set(i, any_deadline());
    while (draw(2))
        set_or_drop();
}

static void begin(uint64_t now)
{
    t.now = now;
    t.fired = 0;
    wheel_init(&t.wheel, now);
    for (unsigned i = 0; i < ENTRIES; i++) {
        t.e[i] = (struct wheel_entry){.fire = on_fire};
        t.due[i] = WHEEL_NEVER;
    }
}

static uint64_t round_up(uint64_t ms)
{
    return (ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS * WHEEL_TICK_MS;
}

static uint64_t earliest(void)
{
    uint64_t first = WHEEL_NEVER;
    for (unsigned i = 0; i < ENTRIES; i++)
        if (t.due[i] < first) first = t.due[i];
    return first;
}

/* What holds between any two calls. */
static void check(void)
{
    uint64_t first = earliest(), next = wheel_next(&t.wheel);
    for (unsigned i = 0; i < ENTRIES; i++)
        assert_int_equal(wheel_is_set(&t.e[i]), t.due[i] != WHEEL_NEVER);
    if (first == WHEEL_NEVER) {
        assert_true(next == WHEEL_NEVER);
        return;
    }
    uint64_t soon = t.now / WHEEL_TICK_MS * WHEEL_TICK_MS + WHEEL_TICK_MS;
    assert_true(next <= (round_up(first) > soon ? round_up(first) : soon));
    assert_true(next >= soon);
    assert_true(next <= t.now + TURN_MS);
}

/* What was due by the current tick has fired, what is due in the future has not. */
static void advance(uint64_t to)
{
    uint64_t before[ENTRIES], was = t.now;
    memcpy(before, t.due, sizeof(before));
    t.now = to;
    wheel_advance(&t.wheel, to);
    if (t.acts) return;
    for (unsigned i = 0; i < ENTRIES; i++) {
        bool must = before[i] <= to && round_up(before[i]) <= to;
        /* Set in the past, it comes with the next tick. */
        if (before[i] <= was) must = to / WHEEL_TICK_MS > was / WHEEL_TICK_MS;
        if (must) assert_int_equal(t.due[i], WHEEL_NEVER);
        if (before[i] > to) assert_int_equal(t.due[i], before[i]);
    }
}

static void walk(bool acts)
{
    const char *given = getenv("PEAL_TEST_SEED");
    unsigned fired = 0;
    t.seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("PEAL_TEST_SEED=%" PRIu64 "\n", t.seed);
    t.acts = acts;
    for (unsigned run = 0; run < 20; run++) {
        begin(run % 2 ? draw(100000) : UINT64_C(1) << 40);
        for (unsigned i = 0; i < 2000; i++) {
            uint32_t what = draw(10);
            if (what < 6)
                set_or_drop();
            else if (what < 8)
                advance(t.now + draw(40));
            else if (what == 8)
                advance(t.now + (draw(20) ? draw(5000) : draw(3 * TURN_MS))); /* a long sleep */
            else if (wheel_next(&t.wheel) != WHEEL_NEVER)
                advance(wheel_next(&t.wheel)); /* as the loop does */
            check();
        }
        fired += t.fired;
    }
    assert_true(fired > 1000);
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    walk(false);
}

static void agrees_when_entries_set_and_drop_others(void **state)
{
    (void)state;
    walk(true);
}

/* --- cases worth a name */

static void fires_at_its_tick_and_once(void **state)
{
    (void)state;
    t.acts = false;
    begin(1000);
    set(1, 1017);
    assert_int_equal(wheel_next(&t.wheel), 1024);
    set(0, 1016);
    assert_int_equal(wheel_next(&t.wheel), 1016);
    advance(1015);
    assert_int_equal(t.fired, 0);
    advance(1016);
    assert_int_equal(t.fired, 1);
    assert_int_equal(wheel_next(&t.wheel), 1024);
    advance(1023);
    assert_int_equal(t.fired, 1);
    advance(1024);
    assert_int_equal(t.fired, 2);
    assert_true(wheel_next(&t.wheel) == WHEEL_NEVER);
    advance(1000000);
    assert_int_equal(t.fired, 2);
}

static void far_deadline_waits_its_turns(void **state)
{
    (void)state;
    t.acts = false;
    begin(0);
    set(0, 10 * TURN_MS + 4);
    unsigned wakes = 0;
    while (!t.fired) {
        assert_true(++wakes < 20);
        advance(wheel_next(&t.wheel));
    }
    assert_int_equal(t.now, 10 * TURN_MS + 8);
}

static void sleep_of_many_turns_fires_all(void **state)
{
    (void)state;
    t.acts = false;
    begin(77);
    for (unsigned i = 0; i < ENTRIES; i++)
        set(i, 77 + i * TURN_MS / 7);
    advance(77 + 100 * TURN_MS);
    assert_int_equal(t.fired, ENTRIES);
}

static void set_again_moves(void **state)
{
    (void)state;
    t.acts = false;
    begin(0);
    set(0, 100);
    set(0, 5000);
    advance(200);
    assert_int_equal(t.fired, 0);
    set(0, 300);
    advance(304);
    assert_int_equal(t.fired, 1);
    drop(0);
    drop(0);
}

static void on_again(struct wheel_entry *e)
{
    t.fired++;
    wheel_set(&t.wheel, e, 0);
}

/* An entry that asks for the past each time fires once a tick, not for ever. */
static void past_set_from_within_waits_for_the_next_tick(void **state)
{
    (void)state;
    begin(0);
    t.e[0].fire = on_again;
    wheel_set(&t.wheel, &t.e[0], 0);
    wheel_advance(&t.wheel, 8);
    assert_int_equal(t.fired, 1);
    wheel_advance(&t.wheel, 8 + 50 * TURN_MS);
    assert_int_equal(t.fired, 2);
    wheel_drop(&t.wheel, &t.e[0]);
}

static void on_drop_all(struct wheel_entry *e)
{
    (void)e;
    t.fired++;
    for (unsigned i = 0; i < ENTRIES; i++)
        wheel_drop(&t.wheel, &t.e[i]);
}

static void entries_of_one_slot_may_drop_each_other(void **state)
{
    (void)state;
    begin(0);
    for (unsigned i = 0; i < ENTRIES; i++) {
        t.e[i].fire = on_drop_all;
        wheel_set(&t.wheel, &t.e[i], 16);
    }
    wheel_advance(&t.wheel, 16);
    assert_int_equal(t.fired, 1);
    assert_true(wheel_next(&t.wheel) == WHEEL_NEVER);
}

static void time_that_goes_back_does_nothing(void **state)
{
    (void)state;
    t.acts = false;
    begin(1000);
    set(0, 1100);
    wheel_advance(&t.wheel, 500);
    assert_int_equal(t.fired, 0);
    advance(1104);
    assert_int_equal(t.fired, 1);
}

static void never_is_far_enough(void **state)
{
    (void)state;
    begin(0);
    wheel_set(&t.wheel, &t.e[0], WHEEL_NEVER);
    t.now = 3 * TURN_MS;
    wheel_advance(&t.wheel, t.now);
    assert_int_equal(t.fired, 0);
    wheel_drop(&t.wheel, &t.e[0]);
    assert_true(wheel_next(&t.wheel) == WHEEL_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model),
        cmocka_unit_test(agrees_when_entries_set_and_drop_others),
        cmocka_unit_test(fires_at_its_tick_and_once),
        cmocka_unit_test(far_deadline_waits_its_turns),
        cmocka_unit_test(sleep_of_many_turns_fires_all),
        cmocka_unit_test(set_again_moves),
        cmocka_unit_test(past_set_from_within_waits_for_the_next_tick),
        cmocka_unit_test(entries_of_one_slot_may_drop_each_other),
        cmocka_unit_test(time_that_goes_back_does_nothing),
        cmocka_unit_test(never_is_far_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
