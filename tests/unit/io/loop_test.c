/* The turn: callbacks, then timers, then the phases in order; and when it waits. */
/* System */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
#include <event2/event.h>
/* Io */
#include "io/loop.h"

static struct {
    struct loop *loop;
    struct wheel_entry timer;
    uint64_t mono;
    int64_t wall;
    unsigned readings; /* of the clock */
    char log[256];
    unsigned more; /* turns in which the last phase says that there is more */
} t;

static void note(const char *what)
{
    size_t n = strlen(t.log);
    snprintf(t.log + n, sizeof(t.log) - n, "%s%s", n ? " " : "", what);
}

static void assert_log(const char *text)
{
    assert_string_equal(t.log, text);
    t.log[0] = '\0';
}

static uint64_t fake_mono(void *arg)
{
    (void)arg;
    t.readings++;
    return t.mono;
}

static int64_t fake_wall(void *arg)
{
    (void)arg;
    return t.wall;
}

static const struct now_source fake = {fake_mono, fake_wall, NULL};

static void on_timer(struct wheel_entry *e)
{
    (void)e;
    note("timer");
}

static bool phase(void *arg)
{
    note(arg);
    return false;
}

static bool last_phase(void *arg)
{
    (void)arg;
    if (!t.more) return false;
    t.more--;
    return true;
}

static void begin_with(const struct now_source *now)
{
    static char one[] = "one", two[] = "two", three[] = "three";
    memset(&t, 0, sizeof(t));
    t.mono = 5000;
    t.wall = 1700000000;
    t.timer.fire = on_timer;
    t.loop = loop_new(now);
    loop_add_phase(t.loop, phase, one);
    loop_add_phase(t.loop, phase, two);
    loop_add_phase(t.loop, phase, three);
    loop_add_phase(t.loop, last_phase, NULL);
}

static int begin(void **state)
{
    (void)state;
    begin_with(&fake);
    return 0;
}

static int begin_real(void **state)
{
    (void)state;
    begin_with(&now_system);
    return 0;
}

static int end(void **state)
{
    (void)state;
    wheel_drop(loop_wheel(t.loop), &t.timer);
    loop_free(t.loop);
    loop_free(NULL);
    return 0;
}

static void phases_run_in_the_order_of_adding_each_turn(void **state)
{
    (void)state;
    loop_turn(t.loop, false);
    assert_log("one two three");
    loop_turn(t.loop, false);
    assert_log("one two three");
}

static void timers_fire_before_the_phases(void **state)
{
    (void)state;
    wheel_set(loop_wheel(t.loop), &t.timer, 5008);
    t.mono = 5007;
    loop_turn(t.loop, false);
    assert_log("one two three");
    t.mono = 5008;
    loop_turn(t.loop, false);
    assert_log("timer one two three");
    loop_turn(t.loop, false);
    assert_log("one two three");
}

static void time_stands_still_within_a_turn(void **state)
{
    (void)state;
    assert_int_equal(loop_now(t.loop), 5000);
    assert_int_equal(loop_wall_s(t.loop), 1700000000);
    t.mono = 9000;
    t.wall = 1700000004;
    assert_int_equal(loop_now(t.loop), 5000);
    loop_turn(t.loop, false);
    assert_int_equal(loop_now(t.loop), 9000);
    assert_int_equal(loop_wall_s(t.loop), 1700000004);
    t.readings = 0;
    for (unsigned i = 0; i < 10; i++)
        (void)loop_now(t.loop);
    assert_int_equal(t.readings, 0);
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
    char c;
    (void)what;
    (void)arg;
    assert_int_equal(read(fd, &c, 1), 1);
    /* The first to ask in a turn sees the time behind the wait. */
    if (t.mono == 6000) assert_int_equal(loop_now(t.loop), 6000);
    note("fd");
}

static void callbacks_run_before_timers_with_the_new_time(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    struct event *ev = event_new(loop_base(t.loop), fds[0], EV_READ | EV_PERSIST, on_fd, NULL);
    event_add(ev, NULL);
    wheel_set(loop_wheel(t.loop), &t.timer, 5000);
    t.mono = 6000;
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_turn(t.loop, true);
    assert_log("fd timer one two three");
    event_free(ev);
    close(fds[0]);
    close(fds[1]);
}

/* The timer is far, and nothing else is there: a turn that waited would take that long. */
static void more_work_makes_the_next_turn_not_wait(void **state)
{
    (void)state;
    uint64_t began = now_mono_ms();
    wheel_set(loop_wheel(t.loop), &t.timer, began + 300);
    t.more = 3;
    loop_turn(t.loop, false);
    loop_turn(t.loop, true);
    loop_turn(t.loop, true);
    loop_turn(t.loop, true);
    assert_true(now_mono_ms() < began + 250);
    assert_log("one two three one two three one two three one two three");
    loop_turn(t.loop, true); /* now it waits */
    if (!strstr(t.log, "timer")) loop_turn(t.loop, true);
    assert_true(now_mono_ms() >= began + 300);
    assert_non_null(strstr(t.log, "timer"));
}

static void on_stop(struct wheel_entry *e)
{
    (void)e;
    note("stop");
    loop_stop(t.loop);
}

static void run_ends_with_the_turn_that_stops_it(void **state)
{
    (void)state;
    t.timer.fire = on_stop;
    wheel_set(loop_wheel(t.loop), &t.timer, now_mono_ms() + 20);
    loop_run(t.loop);
    assert_string_equal(t.log + strlen(t.log) - 18, "stop one two three");
}

static void on_signal(int signo, void *arg)
{
    assert_ptr_equal(arg, &t);
    note(signo == SIGUSR1 ? "usr1" : signo == SIGUSR2 ? "usr2" : "?");
}

static void signals_come_in_the_loop(void **state)
{
    (void)state;
    loop_on_signal(t.loop, SIGUSR1, on_signal, &t);
    loop_on_signal(t.loop, SIGUSR2, on_signal, &t);
    loop_turn(t.loop, false);
    assert_log("one two three");
    raise(SIGUSR1);
    assert_log("");
    loop_turn(t.loop, true);
    assert_log("usr1 one two three");
    raise(SIGUSR2);
    loop_turn(t.loop, true);
    assert_log("usr2 one two three");
}

#define FAKE(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define REAL(name) cmocka_unit_test_setup_teardown(name, begin_real, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE(phases_run_in_the_order_of_adding_each_turn),
        FAKE(timers_fire_before_the_phases),
        FAKE(time_stands_still_within_a_turn),
        FAKE(callbacks_run_before_timers_with_the_new_time),
        REAL(more_work_makes_the_next_turn_not_wait),
        REAL(run_ends_with_the_turn_that_stops_it),
        REAL(signals_come_in_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
