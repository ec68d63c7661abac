/* What one of several processes knows of the others: limits, readiness of the whole. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Gateway */
#include "gateway/gw_siblings.h"

#define N 4
#define START_MS 100000

static uint64_t fake_mono(void *arg)
{
    return *(uint64_t *)arg;
}

static int64_t fake_wall(void *arg)
{
    return (int64_t)fake_mono(arg) / 1000;
}

static struct {
    uint64_t ms;
    struct now_source now;
    struct gw_family family;
    struct gateway gw;
    struct buf why;
} t;

/* Four processes that are up and ready; this one is the second. */
static int begin(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    t.ms = START_MS;
    t.now = (struct now_source){fake_mono, fake_wall, &t.ms};
    t.gw.loop = loop_new(&t.now);
    t.gw.family = &t.family;
    t.family.self = 1;
    t.family.board = gw_board_new(N);
    for (unsigned i = 0; i < N; i++) {
        struct gw_board_process *p = &t.family.board->processes[i];
        atomic_store(&p->pid, 100 + (pid_t)i);
        atomic_store(&p->is_ready, true);
        atomic_store(&p->told_ms, START_MS);
        atomic_store(&p->tcp, 1u << i);
        atomic_store(&p->sessions, 10u << i);
    }
    buf_init(&t.why, 1000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_fini(&t.why);
    gw_board_free(t.family.board);
    loop_free(t.gw.loop);
    return 0;
}

static struct gw_board_process *process(unsigned number)
{
    return &t.family.board->processes[number - 1];
}

static void assert_ready(bool own, bool whole, const char *why)
{
    buf_clear(&t.why);
    assert_int_equal(gw_siblings_ready(&t.gw, own, &t.why), whole);
    assert_string_equal(t.why.n ? buf_cstr(&t.why) : "", why);
}

static void the_whole_is_ready_if_half_of_it_is(void **state)
{
    (void)state;
    assert_ready(true, true, "");
    assert_ready(false, true, ""); /* what this one lacks its caller says */
    atomic_store(&process(1)->is_ready, false);
    assert_ready(true, true, "\"process 1 is not ready\"");
    assert_ready(false, true, "\"process 1 is not ready\"");
    atomic_store(&process(4)->pid, 0);
    assert_ready(true, true, "\"process 1 is not ready\",\"process 4 is not up\"");
    assert_ready(false, false, "\"process 1 is not ready\",\"process 4 is not up\"");
}

static void one_that_hangs_does_not_count(void **state)
{
    (void)state;
    t.ms += 5000;
    loop_turn(t.gw.loop, false);
    assert_ready(true, true, "");
    t.ms++;
    loop_turn(t.gw.loop, false);
    atomic_store(&process(3)->told_ms, t.ms);
    assert_ready(true, true, "\"process 1 is silent\",\"process 4 is silent\"");
    assert_ready(false, false, "\"process 1 is silent\",\"process 4 is silent\"");
}

static void one_that_is_told_to_end_is_not_ready(void **state)
{
    (void)state;
    atomic_store(&t.family.board->stops, 1);
    assert_ready(true, false, "\"draining\"");
    assert_false(gw_siblings_end_at_once(&t.gw));
    atomic_store(&t.family.board->stops, 2);
    assert_true(gw_siblings_end_at_once(&t.gw));
}

static void the_others_are_all_but_this_one(void **state)
{
    (void)state;
    assert_int_equal(gw_siblings_tcp(&t.gw), 1 + 4 + 8);
    assert_int_equal(gw_siblings_sessions(&t.gw), 10 + 40 + 80);
    t.gw.family = NULL; /* alone */
    assert_int_equal(gw_siblings_tcp(&t.gw), 0);
    assert_int_equal(gw_siblings_sessions(&t.gw), 0);
    assert_true(gw_siblings_end_at_once(&t.gw));
}

static void one_may_have_twice_its_share(void **state)
{
    struct cfg cfg = {.gateway_max_connections = 1001};
    (void)state;
    assert_int_equal(gw_siblings_share(&cfg, &t.family), 502);
    t.family.board->n = 2;
    assert_int_equal(gw_siblings_share(&cfg, &t.family), 1001);
    t.family.board->n = 1;
    assert_int_equal(gw_siblings_share(&cfg, &t.family), 1001);
    t.family.board->n = N;
    assert_int_equal(gw_siblings_share(&cfg, NULL), 1001);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_whole_is_ready_if_half_of_it_is),  TEST(one_that_hangs_does_not_count),
        TEST(one_that_is_told_to_end_is_not_ready), TEST(the_others_are_all_but_this_one),
        TEST(one_may_have_twice_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
