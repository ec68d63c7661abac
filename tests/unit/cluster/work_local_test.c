/* The way to the workers inside one process. */
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
#include "cluster/work_out.h"
#include "work_fixture.h"

static struct work_out *out;
static char heard[256]; /* e, c, d: taken; T, F, R, L: told */
static unsigned room;

static void hear(char what)
{
    size_t n = strlen(heard);
    assert_true(n + 1 < sizeof(heard));
    heard[n] = what;
    heard[n + 1] = '\0';
}

static void assert_heard(const char *want)
{
    assert_string_equal(heard, want);
    heard[0] = '\0';
}

static bool take(const struct work_item *item, void *arg)
{
    assert_ptr_equal(arg, &room);
    if (room == 0) return false;
    room--;
    hear(work_type_name(item->type)[0]);
    return true;
}

static void on_done(enum work_outcome outcome, void *arg)
{
    (void)arg;
    hear("TFRL"[outcome]);
}

static void submit(enum work_type type)
{
    out->ops->submit(out, &work_fixture[type], on_done, NULL);
}

static void nobody_takes_them_at_first(void **state)
{
    (void)state;
    assert_string_equal(out->ops->trouble(out), "no worker");
    submit(WORK_EVENT);
    assert_heard("");
    assert_int_equal(out->stats.pending, 1);
    assert_false(out->ops->flush(out));
    assert_heard("R");
    assert_int_equal(out->stats.refused, 1);
    assert_int_equal(out->stats.pending, 0);
    assert_int_equal(out->stats.pending_bytes, 0);
}

static void items_leave_in_flush_in_order(void **state)
{
    (void)state;
    work_local_attach(out, take, &room);
    room = 10;
    assert_null(out->ops->trouble(out));
    submit(WORK_CONNECT);
    submit(WORK_EVENT);
    submit(WORK_DISCONNECT);
    out->ops->submit(out, &work_fixture[WORK_EVENT], NULL, NULL);
    assert_heard("");
    assert_false(out->ops->flush(out));
    assert_heard("cTeTdTe");
    assert_int_equal(out->stats.taken, 4);
}

static void a_full_taker_refuses_but_is_owed_disconnects(void **state)
{
    (void)state;
    work_local_attach(out, take, &room);
    room = 1;
    submit(WORK_EVENT);
    submit(WORK_DISCONNECT);
    submit(WORK_EVENT);
    assert_false(out->ops->flush(out));
    assert_heard("eTF");
    assert_int_equal(out->stats.full, 1);
    assert_int_equal(out->stats.pending, 1);
    assert_false(out->ops->flush(out));
    assert_heard("");
    room = 1;
    assert_false(out->ops->flush(out));
    assert_heard("dT");
}

static void large_ones_are_refused(void **state)
{
    struct work_item large = work_fixture[WORK_CONNECT];
    char data[3000];
    (void)state;
    work_local_attach(out, take, &room);
    room = 1;
    memset(data, '1', sizeof(data));
    large.data = sv_make(data, sizeof(data));
    out->ops->submit(out, &large, on_done, NULL);
    submit(WORK_EVENT);
    out->ops->flush(out);
    assert_heard("LeT");
    assert_int_equal(out->stats.too_large, 1);
}

static void on_done_submit(enum work_outcome outcome, void *arg)
{
    on_done(outcome, arg);
    submit(WORK_DISCONNECT);
}

static void what_is_submitted_meanwhile_is_next(void **state)
{
    (void)state;
    work_local_attach(out, take, &room);
    room = 2;
    out->ops->submit(out, &work_fixture[WORK_EVENT], on_done_submit, NULL);
    assert_true(out->ops->flush(out));
    assert_heard("eT");
    assert_false(out->ops->flush(out));
    assert_heard("dT");
}

static void who_leaves_takes_nothing_more(void **state)
{
    (void)state;
    work_local_attach(out, take, &room);
    room = 0;
    submit(WORK_DISCONNECT);
    out->ops->flush(out);
    assert_heard("");
    work_local_attach(out, NULL, NULL);
    out->ops->flush(out);
    assert_heard("R");
}

static void the_end_tells_all(void **state)
{
    (void)state;
    work_local_attach(out, take, &room);
    room = 0;
    submit(WORK_DISCONNECT);
    out->ops->flush(out);
    submit(WORK_EVENT);
    out->ops->free(out);
    assert_heard("RR");
    out = work_local_new(2048);
}

static int set_up(void **state)
{
    (void)state;
    heard[0] = '\0';
    out = work_local_new(2048);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    out->ops->free(out);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_takes_them_at_first),
        TEST(items_leave_in_flush_in_order),
        TEST(a_full_taker_refuses_but_is_owed_disconnects),
        TEST(large_ones_are_refused),
        TEST(what_is_submitted_meanwhile_is_next),
        TEST(who_leaves_takes_nothing_more),
        TEST(the_end_tells_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
