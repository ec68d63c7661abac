/* Leases of one worker: shares, times, answers that come late or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/wk_lease.h"

#define P 8u
#define LEASE 1600u
#define PATIENCE 3000u
#define GOOD (LEASE - LEASE / 16)

struct fixture {
    struct wk_lease *l;
    struct wk_lease_ask asks[P];
    enum wk_lease_found found[P];
    char told[256]; /* t(aken) h(eir) v(leaving) r(esumed) l(ost) g(iven), each with its number */
};

static struct fixture fixture;

static void note(char what, unsigned p)
{
    size_t at = strlen(fixture.told);
    snprintf(fixture.told + at, sizeof(fixture.told) - at, "%c%u", what, p);
}

static void on_taken(void *arg, unsigned p, bool is_heir)
{
    (void)arg;
    note(is_heir ? 'h' : 't', p);
}

static void on_leaving(void *arg, unsigned p)
{
    (void)arg;
    note('v', p);
}

static void on_resumed(void *arg, unsigned p)
{
    (void)arg;
    note('r', p);
}

static void on_lost(void *arg, unsigned p)
{
    (void)arg;
    note('l', p);
}

static void on_given(void *arg, unsigned p)
{
    (void)arg;
    note('g', p);
}

static int set_up(void **state)
{
    static const struct wk_lease_events events = {.taken = on_taken,
                                                  .leaving = on_leaving,
                                                  .resumed = on_resumed,
                                                  .lost = on_lost,
                                                  .given = on_given};
    fixture = (struct fixture){.l = wk_lease_new(P, LEASE, PATIENCE, &events, NULL)};
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    wk_lease_free(f->l);
    return 0;
}

static void expect(struct fixture *f, const char *told)
{
    assert_string_equal(f->told, told);
    f->told[0] = '\0';
}

/* Redis does what is asked; what nobody has is free. */
static void obey(struct fixture *f)
{
    for (unsigned i = 0; i < P; i++) {
        if (f->asks[i].want == WK_LEASE_TAKE && f->found[i] == WK_LEASE_IS_FREE)
            f->found[i] = WK_LEASE_IS_MINE;
        if (f->asks[i].want == WK_LEASE_GIVE) f->found[i] = WK_LEASE_IS_FREE;
    }
}

static void ask_and_answer(struct fixture *f, uint64_t sent, uint64_t came, unsigned workers,
                           unsigned rank)
{
    assert_true(wk_lease_wants_to_ask(f->l, sent));
    wk_lease_ask(f->l, sent, f->asks);
    assert_false(wk_lease_wants_to_ask(f->l, sent + LEASE)); /* one at a time */
    obey(f);
    struct wk_lease_answer a = {workers, rank, UINT64_MAX, f->found};
    wk_lease_answered(f->l, came, &a);
}

static void test_shares(void **state)
{
    (void)state;
    for (unsigned p = 1; p <= 64; p++) {
        for (unsigned w = 1; w <= 70; w++) {
            unsigned all = 0;
            for (unsigned r = 0; r < w; r++) {
                unsigned share = wk_lease_share(p, w, r);
                assert_in_range(share, p / w, (p + w - 1) / w);
                if (r) assert_true(share <= wk_lease_share(p, w, r - 1));
                all += share;
            }
            assert_int_equal(all, p);
        }
    }
}

static void test_looks_first_then_takes_its_share(void **state)
{
    struct fixture *f = *state;
    f->found[7] = WK_LEASE_IS_OTHERS;
    ask_and_answer(f, 100, 110, 3, 1); /* 8 of 3: 3, 3, 2 */
    for (unsigned i = 0; i < P; i++)
        assert_int_equal(f->asks[i].want, WK_LEASE_LOOK);
    expect(f, "");
    ask_and_answer(f, 110, 120, 3, 1);
    expect(f, "t2t3t4"); /* begins behind the first third */
    assert_false(wk_lease_wants_to_ask(f->l, 130));
    assert_int_equal(wk_lease_next(f->l), 120 + LEASE / 4);
    assert_true(wk_lease_epoch(f->l, 2) != wk_lease_epoch(f->l, 3));
}

static void test_a_lease_counts_from_when_it_was_sent(void **state)
{
    struct fixture *f = *state;
    ask_and_answer(f, 0, 0, 1, 0);
    ask_and_answer(f, 0, 700, 1, 0); /* the answer took long */
    expect(f, "t0t1t2t3t4t5t6t7");
    assert_true(wk_lease_is_good(f->l, 0, GOOD - 1));
    assert_false(wk_lease_is_good(f->l, 0, GOOD));
    ask_and_answer(f, 1100, 1200, 1, 0);
    assert_true(wk_lease_is_good(f->l, 0, 1100 + GOOD - 1));
    assert_false(wk_lease_is_good(f->l, 0, 1100 + GOOD));
    wk_lease_tick(f->l, 1100 + GOOD - 1);
    expect(f, "");
    wk_lease_tick(f->l, 1100 + GOOD);
    expect(f, "l0l1l2l3l4l5l6l7");
}

static void test_leaves_what_is_too_much_and_keeps_it_after_all(void **state)
{
    struct fixture *f = *state;
    ask_and_answer(f, 0, 0, 1, 0);
    ask_and_answer(f, 0, 0, 1, 0);
    expect(f, "t0t1t2t3t4t5t6t7");
    ask_and_answer(f, 400, 400, 2, 0);
    expect(f, "v7v6v5v4");
    assert_true(wk_lease_is_good(f->l, 7, 401)); /* what is in hand may be finished */
    wk_lease_emptied(f->l, 7);
    wk_lease_emptied(f->l, 0);                     /* is not being left */
    assert_true(wk_lease_wants_to_ask(f->l, 401)); /* somebody waits for it */
    ask_and_answer(f, 401, 401, 2, 0);
    assert_int_equal(f->asks[7].want, WK_LEASE_GIVE);
    assert_int_equal(f->asks[6].want, WK_LEASE_HOLD);
    expect(f, "g7");
    ask_and_answer(f, 801, 801, 1, 0); /* the other one has died: 7 is free, the rest resumes */
    expect(f, "r4r5r6");
    ask_and_answer(f, 801, 801, 1, 0);
    expect(f, "t7");
}

static void test_patience_ends(void **state)
{
    struct fixture *f = *state;
    ask_and_answer(f, 0, 0, 1, 0);
    ask_and_answer(f, 0, 0, 1, 0);
    f->told[0] = '\0';
    wk_lease_stop(f->l, 100);
    expect(f, "v7v6v5v4v3v2v1v0");
    for (uint64_t t = 100; t < 100 + PATIENCE; t += 400)
        ask_and_answer(f, t, t, 1, 0);
    expect(f, "");
    wk_lease_tick(f->l, 100 + PATIENCE);
    expect(f, "l0l1l2l3l4l5l6l7");
    assert_false(wk_lease_is_over(f->l));
    ask_and_answer(f, 100 + PATIENCE, 100 + PATIENCE, 1, 0);
    assert_int_equal(f->asks[0].want, WK_LEASE_GIVE);
    expect(f, "g0g1g2g3g4g5g6g7");
    assert_true(wk_lease_is_over(f->l));
    assert_false(wk_lease_wants_to_ask(f->l, 100000));
}

static void test_a_stopping_worker_is_no_member(void **state)
{
    struct fixture *f = *state;
    assert_true(wk_lease_ask(f->l, 0, f->asks));
    wk_lease_stop(f->l, 0);
    assert_false(wk_lease_is_over(f->l));
    struct wk_lease_answer a = {1, 0, UINT64_MAX, f->found};
    wk_lease_answered(f->l, 0, &a); /* that one still said that it lives */
    assert_false(wk_lease_is_over(f->l));
    assert_false(wk_lease_ask(f->l, 0, f->asks));
    wk_lease_answered(f->l, 0, &a);
    assert_true(wk_lease_is_over(f->l));
    expect(f, "");
}

static void test_lost_answers(void **state)
{
    struct fixture *f = *state;
    ask_and_answer(f, 0, 0, 2, 0);
    wk_lease_ask(f->l, 0, f->asks);
    assert_int_equal(f->asks[0].want, WK_LEASE_TAKE);
    uint64_t epoch = f->asks[0].epoch;
    wk_lease_answered(f->l, 50, NULL);
    assert_false(wk_lease_is_good(f->l, 0, 51));
    ask_and_answer(f, 60, 60, 2, 0); /* nothing is believed of before */
    assert_int_equal(f->asks[0].want, WK_LEASE_LOOK);
    ask_and_answer(f, 60, 60, 2, 0);
    expect(f, "t0t1t2t3");
    assert_true(f->asks[0].epoch > epoch);

    wk_lease_ask(f->l, 460, f->asks); /* a renewal's answer is lost: the lease is as old as it is */
    wk_lease_answered(f->l, 60 + GOOD, NULL);
    expect(f, "l0l1l2l3");
}

static void test_others_take_it(void **state)
{
    struct fixture *f = *state;
    ask_and_answer(f, 0, 0, 1, 0);
    f->found[3] = WK_LEASE_IS_HEIR; /* somebody died */
    for (unsigned i = 0; i < P; i++)
        if (i != 3) f->found[i] = WK_LEASE_IS_OTHERS;
    ask_and_answer(f, 0, 0, 1, 0);
    expect(f, "h3");
    f->found[3] = WK_LEASE_IS_MINE;
    ask_and_answer(f, 400, 400, 1, 0);
    assert_false(f->asks[3].is_settled);
    wk_lease_settled(f->l, 3);
    ask_and_answer(f, 800, 800, 1, 0);
    assert_true(f->asks[3].is_settled);
    f->found[3] = WK_LEASE_IS_OTHERS;
    ask_and_answer(f, 1200, 1200, 1, 0);
    expect(f, "l3");
    assert_int_equal(wk_lease_state(f->l, 3), WK_LEASE_NONE);
}

static void test_fenced(void **state)
{
    struct fixture *f = *state;
    ask_and_answer(f, 0, 0, 4, 0);
    ask_and_answer(f, 0, 0, 4, 0);
    expect(f, "t0t1");
    wk_lease_was_fenced(f->l, 0, wk_lease_epoch(f->l, 0) + 1); /* of another time */
    expect(f, "");
    wk_lease_was_fenced(f->l, 0, wk_lease_epoch(f->l, 0));
    expect(f, "l0");
    assert_true(wk_lease_wants_to_ask(f->l, 1));
}

/* A dead worker's lease is looked at when it expires, not at the next round. */
static void test_asks_when_a_lease_expires(void **state)
{
    struct fixture *f = *state;
    wk_lease_ask(f->l, 0, f->asks);
    for (unsigned i = 0; i < P; i++)
        f->found[i] = WK_LEASE_IS_OTHERS;
    struct wk_lease_answer a = {2, 0, 150, f->found};
    wk_lease_answered(f->l, 0, &a);
    assert_int_equal(wk_lease_next(f->l), 152);
    wk_lease_ask(f->l, 152, f->asks);
    a.expiry_ms = 0; /* what Redis says cannot make it ask without a pause */
    wk_lease_answered(f->l, 152, &a);
    assert_int_equal(wk_lease_next(f->l), 162);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_shares),
        TEST(test_looks_first_then_takes_its_share),
        TEST(test_a_lease_counts_from_when_it_was_sent),
        TEST(test_leaves_what_is_too_much_and_keeps_it_after_all),
        TEST(test_patience_ends),
        TEST(test_a_stopping_worker_is_no_member),
        TEST(test_lost_answers),
        TEST(test_others_take_it),
        TEST(test_fenced),
        TEST(test_asks_when_a_lease_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
