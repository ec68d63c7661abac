/* How a gateway leaves: the phases of gw_drain.h, with the clock in the test's hand. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gateway/gw_conn.h"
/* Tests */
#include "unit/gateway/gateway_sim.h"

#define CLIENTS 40
#define WAIT_MS 3000
#define DRAIN_MS 10000

static int stop(void **state)
{
    (void)state;
    sim_stop();
    return 0;
}

static int start_paced(void **state)
{
    (void)state;
    sim_start(NULL, "gateway.drain_wait=3000;gateway.drain_time=10000;"
                    "gateway.shutdown_timeout=2000;routes.events=*=all");
    return 0;
}

static int start_at_once(void **state)
{
    (void)state;
    sim_start(NULL, "gateway.shutdown_timeout=2000");
    return 0;
}

static void pass_ms(unsigned ms)
{
    for (; ms >= 10; ms -= 10) {
        sim.mono += 10;
        sim_turns(2);
    }
}

static void assert_drain(enum gw_drain_state want)
{
    assert_int_equal(sim.gw->drain.state, want);
}

/* A polling session whose first poll has been answered; its sid. */
static void poll_open(char sid[ID_LEN + 1])
{
    const char *answer = sim_http("GET", "", NULL);
    const char *at = strstr(answer, "\"sid\":\"");
    assert_non_null(at);
    snprintf(sid, ID_LEN + 1, "%s", at + 7);
}

/* --- waiting */

static void waiting_changes_nothing_for_clients(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    sim_connect(&a, "", "");
    gw_server_stop(sim.gw);
    assert_drain(GW_DRAIN_WAIT);
    pass_ms(WAIT_MS / 2);
    sim_connect(&b, "", ""); /* new ones are served, too */
    sim_send(&a, "2[\"x\"]");
    sim_expect(&b, "2[\"x\"]");
    gw_server_stop(sim.gw); /* a second call changes nothing */
    pass_ms(WAIT_MS / 2 - 20);
    assert_drain(GW_DRAIN_WAIT);
    assert_false(sim.gw->stopping);
    pass_ms(100);
    assert_drain(GW_DRAIN_PACE);
    assert_null(sim.gw->listener);
    sim_drop(&a);
    sim_drop(&b);
}

/* --- one after the other */

static void closes_are_even_over_the_time(void **state)
{
    struct sim_client c[CLIENTS];
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        c[i] = (struct sim_client){0};
        sim_connect(&c[i], "", "");
    }
    gw_server_stop(sim.gw);
    pass_ms(WAIT_MS + 10);
    for (unsigned tenth = 0; tenth <= 10; tenth++) {
        unsigned even = CLIENTS - CLIENTS * tenth / 10, left = sim.gw->nconns;
        /* The next one's moment may lie on either side of the border. */
        if (left + 1 < even || left > even + 1) fail_msg("%u left at %u/10", left, tenth);
        pass_ms(DRAIN_MS / 10);
    }
    assert_int_equal(sim.gw->nconns, 0);
    assert_int_equal(sim.gw->count.closes[REASON_SHUTDOWN], CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_expect(&c[i], "[close]");
        sim_drop(&c[i]);
    }
    sim_turns(10);
    assert_drain(GW_DRAIN_DONE); /* before the farewell's time was up */
}

static void lots_decide_the_order(void **state)
{
    struct sim_client c[CLIENTS];
    char came[CLIENTS * ID_LEN];
    size_t n = 0;
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        sim_open(&c[i], 0);
    for (struct gw_conn *conn = sim.gw->conns; conn; conn = conn->hh.next)
        memcpy(came + ID_LEN * n++, conn->sid, ID_LEN);
    assert_int_equal(n, CLIENTS);
    gw_server_stop(sim.gw);
    pass_ms(WAIT_MS + 10);
    assert_int_equal(sim.gw->drain.n, CLIENTS);
    assert_memory_not_equal(sim.gw->drain.sids, came, sizeof(came));
    for (unsigned i = 0; i < CLIENTS; i++) { /* each is in it once */
        unsigned found = 0;
        for (unsigned k = 0; k < CLIENTS; k++)
            found += memcmp(sim.gw->drain.sids + ID_LEN * k, came + ID_LEN * i, ID_LEN) == 0;
        assert_int_equal(found, 1);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        sim_drop(&c[i]);
}

static void polling_clients_are_told_on_their_poll(void **state)
{
    char waits[ID_LEN + 1], idle[ID_LEN + 1], query[64];
    struct sim_client held;
    (void)state;
    poll_open(waits);
    poll_open(idle);
    snprintf(query, sizeof(query), "&sid=%s", waits);
    gw_server_stop(sim.gw);
    pass_ms(WAIT_MS - 20);
    sim_ask(&held, "GET", query, NULL);
    while (sim.gw->drain.state != GW_DRAIN_FAREWELL)
        pass_ms(10);
    assert_string_equal(sim_answer(&held), "1");
    /* Between two polls nobody can be told: that one has the farewell's time for its poll. */
    assert_int_equal(sim.gw->nconns, 1);
    assert_int_equal(sim.gw->gauge.closing, 1);
    assert_drain(GW_DRAIN_FAREWELL);
    pass_ms(2100);
    assert_drain(GW_DRAIN_DONE);
}

static void clients_who_leave_by_themselves_end_it_early(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    gw_server_stop(sim.gw);
    pass_ms(WAIT_MS + 10);
    assert_drain(GW_DRAIN_PACE);
    sim_drop(&a);
    sim_turns(10);
    assert_int_equal(sim.gw->nconns, 0);
    assert_drain(GW_DRAIN_DONE);
}

static void it_may_be_freed_in_the_middle(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    gw_server_stop(sim.gw);
    pass_ms(WAIT_MS + 10);
    assert_drain(GW_DRAIN_PACE);
    sim_drop(&a);
    sim_drop(&b); /* and the teardown frees it */
}

/* --- without times */

static void without_times_all_are_closed_at_once(void **state)
{
    struct sim_client a = {0}, b = {0};
    char sid[ID_LEN + 1];
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    poll_open(sid);
    gw_server_stop(sim.gw);
    assert_drain(GW_DRAIN_FAREWELL);
    sim_expect(&a, "[close]");
    sim_expect(&b, "[close]");
    assert_int_equal(sim.gw->nconns, 1); /* waits for its client's poll */
    pass_ms(2100);
    assert_drain(GW_DRAIN_DONE);
    sim_drop(&a);
    sim_drop(&b);
}

#define TEST(f, start) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waiting_changes_nothing_for_clients, start_paced),
        TEST(closes_are_even_over_the_time, start_paced),
        TEST(lots_decide_the_order, start_paced),
        TEST(polling_clients_are_told_on_their_poll, start_paced),
        TEST(clients_who_leave_by_themselves_end_it_early, start_paced),
        TEST(it_may_be_freed_in_the_middle, start_paced),
        TEST(without_times_all_are_closed_at_once, start_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
