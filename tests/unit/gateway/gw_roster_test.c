/* Who is started when, and what an end means. */
/* System */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Third party */
#include <cmocka.h>
/* Gateway */
#include "gateway/gw_roster.h"

#define STATUS(code) ((code) << 8) /* as waitpid() tells it */

static struct gw_roster r;
static unsigned place;

static void start(unsigned i, pid_t pid, uint64_t now)
{
    assert_int_equal(gw_roster_due(&r, now), (int)i);
    gw_roster_started(&r, i, pid, now, 0);
}

static enum gw_roster_end ended(pid_t pid, int status, uint64_t now)
{
    return gw_roster_ended(&r, pid, status, now, 0, &place);
}

/* Three processes that are up at 0, with pids 100, 101, 102. */
static int begin(void **state)
{
    (void)state;
    gw_roster_init(&r, 3);
    start(0, 100, 0);
    gw_roster_up(&r, 0, 0);
    start(1, 101, 0);
    start(2, 102, 0);
    gw_roster_up(&r, 1, 0);
    gw_roster_up(&r, 2, 0);
    return 0;
}

static void the_first_goes_ahead(void **state)
{
    (void)state;
    gw_roster_init(&r, 2);
    start(0, 100, 5);
    assert_int_equal(gw_roster_due(&r, 1000000), -1);
    assert_true(gw_roster_next(&r) == GW_ROSTER_NEVER);
    assert_false(gw_roster_all_up(&r));
    gw_roster_up(&r, 0, 7);
    assert_int_equal(gw_roster_next(&r), 0);
    start(1, 101, 8);
    assert_int_equal(gw_roster_due(&r, 9), -1);
    gw_roster_up(&r, 1, 9);
    assert_true(gw_roster_all_up(&r));
}

static void a_mistake_at_the_start_ends_the_whole(void **state)
{
    (void)state;
    gw_roster_init(&r, 3);
    start(0, 100, 0);
    assert_int_equal(ended(100, STATUS(1), 1), GW_ROSTER_GIVE_UP);
    assert_true(gw_roster_is_over(&r));
    assert_true(r.failed);
    assert_int_equal(gw_roster_due(&r, 1000000), -1);
}

static void a_crash_at_the_start_is_tried_again(void **state)
{
    (void)state;
    gw_roster_init(&r, 2);
    start(0, 100, 0);
    assert_int_equal(ended(100, SIGSEGV, 1), GW_ROSTER_AGAIN);
    assert_int_equal(gw_roster_due(&r, 1), -1);
    assert_int_equal(gw_roster_next(&r), 1 + GW_ROSTER_PAUSE_MIN / 2);
    start(0, 103, 1000);
}

static void later_a_mistake_leaves_the_others_alone(void **state)
{
    (void)state;
    assert_int_equal(ended(101, SIGKILL, 50), GW_ROSTER_AGAIN);
    assert_int_equal(place, 1);
    start(1, 103, 50);
    assert_int_equal(ended(103, STATUS(1), 60), GW_ROSTER_AGAIN);
    assert_false(r.stopping);
    assert_int_equal(gw_roster_next(&r), 60 + GW_ROSTER_PAUSE_MIN / 2);
}

static void who_does_not_hold_rests_longer_and_longer(void **state)
{
    static const uint64_t rests[] = {0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
    uint64_t now = 0;
    pid_t pid = 100;
    (void)state;
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        assert_int_equal(ended(pid, SIGABRT, now += 20), GW_ROSTER_AGAIN);
        assert_int_equal(gw_roster_next(&r), now + rests[i]);
        if (rests[i]) assert_int_equal(gw_roster_due(&r, now + rests[i] - 1), -1);
        pid = (pid_t)(1000 + i);
        start(0, pid, now += rests[i]);
        gw_roster_up(&r, 0, now);
    }
    now += GW_ROSTER_PAUSE_MAX; /* that was long enough: it is new again */
    assert_int_equal(ended(pid, SIGABRT, now), GW_ROSTER_AGAIN);
    assert_int_equal(gw_roster_due(&r, now), 0);
}

static void who_leaves_in_good_order_is_replaced_at_once(void **state)
{
    (void)state;
    for (pid_t pid = 102; pid < 110; pid++) {
        assert_int_equal(ended(pid, STATUS(0), 10), GW_ROSTER_AGAIN);
        start(2, pid + 1, 10);
        gw_roster_up(&r, 2, 10);
    }
}

static void a_fork_that_fails_is_tried_again(void **state)
{
    (void)state;
    assert_int_equal(ended(101, SIGKILL, 10), GW_ROSTER_AGAIN);
    gw_roster_started(&r, 1, -1, 10, 0);
    assert_int_equal(gw_roster_due(&r, 10), -1);
    start(1, 103, 10 + GW_ROSTER_PAUSE_MIN / 2);
}

static void strangers_change_nothing(void **state)
{
    (void)state;
    place = 77;
    assert_int_equal(ended(55, STATUS(1), 10), GW_ROSTER_STRANGER);
    assert_int_equal(ended(0, STATUS(1), 10), GW_ROSTER_STRANGER);
    assert_int_equal(place, 77);
    assert_true(gw_roster_all_up(&r));
}

static void stopping_ends_when_all_are_out(void **state)
{
    (void)state;
    assert_int_equal(ended(101, SIGKILL, 10), GW_ROSTER_AGAIN);
    assert_false(gw_roster_is_over(&r));
    gw_roster_stop(&r);
    assert_int_equal(gw_roster_due(&r, 1000000), -1);
    assert_true(gw_roster_next(&r) == GW_ROSTER_NEVER);
    assert_int_equal(ended(100, STATUS(0), 20), GW_ROSTER_LEFT);
    assert_false(gw_roster_is_over(&r));
    assert_int_equal(ended(102, STATUS(0), 30), GW_ROSTER_LEFT);
    assert_true(gw_roster_is_over(&r));
    assert_false(r.failed);
}

static void an_unclean_end_shows_in_the_status(void **state)
{
    (void)state;
    gw_roster_stop(&r);
    for (pid_t pid = 100; pid < 103; pid++)
        assert_int_equal(ended(pid, pid == 101 ? SIGABRT : STATUS(0), 20), GW_ROSTER_LEFT);
    assert_true(gw_roster_is_over(&r));
    assert_true(r.failed);
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_goes_ahead),
        TEST(a_mistake_at_the_start_ends_the_whole),
        TEST(a_crash_at_the_start_is_tried_again),
        TEST(later_a_mistake_leaves_the_others_alone),
        TEST(who_does_not_hold_rests_longer_and_longer),
        TEST(who_leaves_in_good_order_is_replaced_at_once),
        TEST(a_fork_that_fails_is_tried_again),
        TEST(strangers_change_nothing),
        TEST(stopping_ends_when_all_are_out),
        TEST(an_unclean_end_shows_in_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
