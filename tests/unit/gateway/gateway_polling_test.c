/* Polling sessions on a whole gateway: overlaps, ends, and the upgrade to a WebSocket, with the
 * bytes of every answer. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Tests */
#include "unit/gateway/gateway_sim.h"

#define UNKNOWN "{\"code\":1,\"message\":\"Session ID unknown\"}"

/* Of every test: a polling session that has joined the main namespace. */
static char query[64], id[64];
static struct sim_client get;

static int start(void **state)
{
    (void)state;
    sim_start(NULL, "routes.events=*=all");
    const char *open = sim_http("GET", "", NULL);
    assert_int_equal(open[0], '0');
    snprintf(query, sizeof(query), "&sid=%.20s", strstr(open, "\"sid\":\"") + 7);
    assert_string_equal(sim_http("POST", query, "40"), "ok");
    snprintf(id, sizeof(id), "%.20s", sim_http("GET", query, NULL) + 10);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sim_stop();
    return 0;
}

static struct gw_socket *own_socket(void)
{
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(id));
    assert_non_null(s);
    return s;
}

static void broadcast(const char *json, bool is_volatile)
{
    gw_broadcast(sim.gw, SV("/"), &(struct bus_target){.is_volatile = is_volatile}, sv_of(json),
                 NULL, 0, NULL, NULL);
}

static unsigned closes(enum close_reason reason)
{
    return (unsigned)sim.gw->count.closes[reason];
}

static void poll_is_held_until_there_is_something(void **state)
{
    (void)state;
    sim_ask(&get, "GET", query, NULL);
    sim_pass(5);
    broadcast("[1]", false);
    broadcast("[2]", false);
    assert_string_equal(sim_answer(&get), "42[1]\x1e"
                                          "42[2]");
    sim_ask(&get, "GET", query, NULL);
    sim_pass(21);
    assert_string_equal(sim_answer(&get), "2");
    assert_string_equal(sim_http("POST", query, "3"), "ok");
    sim_pass(24);
    assert_int_equal(sim.gw->nconns, 1);
}

static void volatile_needs_a_poll_that_waits(void **state)
{
    (void)state;
    broadcast("[\"missed\"]", true);
    sim_turns(2);
    sim_ask(&get, "GET", query, NULL);
    broadcast("[\"got\"]", true);
    assert_string_equal(sim_answer(&get), "42[\"got\"]");
    assert_int_equal(sim.gw->count.volatile_skips, 1);
}

static void overlapping_polls_end_the_session(void **state)
{
    (void)state;
    sim_ask(&get, "GET", query, NULL);
    assert_string_equal(sim_http("GET", query, NULL), "");
    assert_string_equal(sim_answer(&get), "1");
    assert_string_equal(sim_http("GET", query, NULL), UNKNOWN);
    assert_int_equal(closes(REASON_TRANSPORT_ERROR), 1);
}

static void aborted_poll_ends_the_session(void **state)
{
    (void)state;
    sim_ask(&get, "GET", query, NULL);
    sim_drop(&get);
    sim_turns(3);
    assert_string_equal(sim_http("GET", query, NULL), UNKNOWN);
    assert_int_equal(closes(REASON_TRANSPORT_ERROR), 1);
    assert_int_equal(sim.gw->nsockets, 0);
}

static void close_from_the_client(void **state)
{
    (void)state;
    sim_ask(&get, "GET", query, NULL);
    assert_string_equal(sim_http("POST", query, "1"), "ok");
    assert_string_equal(sim_answer(&get), "6");
    assert_string_equal(sim_http("POST", query, "4x"), UNKNOWN);
    assert_int_equal(closes(REASON_TRANSPORT_CLOSE), 1);
}

static void bad_packet_ends_the_session_behind_the_good_ones(void **state)
{
    (void)state;
    sim_ask(&get, "GET", query, NULL);
    assert_string_equal(sim_http("POST", query,
                                 "421[\"a\"]\x1e"
                                 "x\x1e"
                                 "422[\"b\"]"),
                        "");
    assert_string_equal(sim_answer(&get), "1");
    assert_int_equal(closes(REASON_PARSE_ERROR), 1);
    assert_int_equal(sim.gw->count.events_in, 1);
}

static void disconnect_is_told_to_a_waiting_poll(void **state)
{
    (void)state;
    sim_ask(&get, "GET", query, NULL);
    gw_socket_disconnect(own_socket(), true);
    assert_string_equal(sim_answer(&get), "41");
    assert_string_equal(sim_http("GET", query, NULL), "6\x1e"
                                                      "1");
    assert_string_equal(sim_http("GET", query, NULL), UNKNOWN);
}

static void disconnect_waits_for_polls(void **state)
{
    (void)state;
    broadcast("[1]", false);
    sim_turns(1);
    gw_socket_disconnect(own_socket(), true);
    sim_turns(1);
    broadcast("[2]", false);
    sim_turns(1);
    assert_string_equal(sim_http("POST", query, "42[\"ignored\"]"), "ok");
    assert_string_equal(sim_http("GET", query, NULL), "42[1]\x1e"
                                                      "41");
    assert_string_equal(sim_http("GET", query, NULL), "6\x1e"
                                                      "1");
    assert_string_equal(sim_http("GET", query, NULL), UNKNOWN);
    assert_int_equal(sim.gw->count.events_in, 0);
    assert_int_equal(closes(REASON_FORCED_CLOSE), 1);
}

/* A session that is closing while its sockets are still members of rooms. */
static void closing_session_hears_nothing_new(void **state)
{
    (void)state;
    broadcast("[1]", false);
    sim_turns(1);
    assert_string_equal(sim_http("POST", query, "4junk"), "ok");
    broadcast("[2]", false);
    sim_turns(2);
    assert_string_equal(sim_http("GET", query, NULL), "42[1]");
    broadcast("[3]", false);
    sim_turns(2);
    assert_string_equal(sim_http("GET", query, NULL), "6\x1e"
                                                      "1");
    assert_int_equal(closes(REASON_PROTOCOL_ERROR), 1);
}

static void closing_session_does_not_wait_for_ever(void **state)
{
    (void)state;
    gw_socket_disconnect(own_socket(), true);
    sim_pass(29);
    assert_int_equal(sim.gw->nconns, 1);
    sim_pass(3);
    assert_int_equal(sim.gw->nconns, 0);
    assert_string_equal(sim_http("GET", query, NULL), UNKNOWN);
}

static void upgrade_takes_the_queue_along(void **state)
{
    struct sim_client ws, second;
    (void)state;
    sim_probe(&ws, query);
    sim_probe(&second, query); /* completed and closed, the first goes on */
    sim_expect(&second, "[close]");
    sim_drop(&second);
    sim_ask(&get, "GET", query, NULL);
    sim_send_frame(&ws, "2probe");
    assert_string_equal(sim_next(&ws), "3probe");
    sim.mono += 120;
    assert_string_equal(sim_answer(&get), "6");
    broadcast("[1]", false);
    sim_turns(2);
    sim_send_frame(&ws, "5");
    sim_expect(&ws, "2[1]");
    broadcast("[2]", false);
    sim_expect(&ws, "2[2]");
    sim_send(&ws, "27[\"x\"]");
    sim_expect(&ws, "2[\"x\"]");
    sim_expect(&ws, "37[{\"status\":\"ok\"}]");
    assert_string_equal(sim_http("GET", query, NULL), "{\"code\":3,\"message\":\"Bad request\"}");
    assert_int_equal(sim.gw->count.upgrades, 1);
    sim_drop(&ws);
}

static void poll_that_waits_at_the_upgrade_is_released(void **state)
{
    struct sim_client ws;
    (void)state;
    sim_probe(&ws, query);
    sim_ask(&get, "GET", query, NULL);
    sim_send_frame(&ws, "2probe");
    sim_send_frame(&ws, "5");
    assert_string_equal(sim_next(&ws), "3probe");
    assert_string_equal(sim_answer(&get), "6");
    broadcast("[1]", false);
    sim_expect(&ws, "2[1]");
    sim_drop(&ws);
}

static void lost_probe_leaves_polling_as_it_is(void **state)
{
    struct sim_client ws;
    (void)state;
    sim_probe(&ws, query);
    sim_send_frame(&ws, "2probe");
    assert_string_equal(sim_next(&ws), "3probe");
    sim_drop(&ws);
    sim_turns(3);
    broadcast("[1]", false);
    sim_turns(1);
    assert_string_equal(sim_http("GET", query, NULL), "42[1]");
    sim_probe(&ws, query);
    sim_send_frame(&ws, "4junk");
    sim_expect(&ws, "[close]");
    sim_drop(&ws);
    assert_string_equal(sim_http("POST", query, "42[\"x\"]"), "ok");
    assert_string_equal(sim_http("GET", query, NULL), "42[\"x\"]");
}

/* Seven bytes make and end a socket: without a bound one POST keeps the gateway busy for long. */
static void joining_and_leaving_without_end_is_abuse(void **state)
{
    static char body[20000];
    (void)state;
    for (unsigned i = 0; i < 10; i++) { /* often is fine */
        snprintf(body, sizeof(body), "41\x1e%s\x1e%s",
                 "40\x1e"
                 "41\x1e"
                 "40\x1e"
                 "41",
                 "40");
        assert_string_equal(sim_http("POST", query, body), "ok");
        sim_pass(1);
    }
    assert_int_equal(sim.gw->nconns, 1);
    size_t n = 0;
    while (n < sizeof(body) - 8)
        n += (size_t)snprintf(body + n, sizeof(body) - n,
                              "%s41\x1e"
                              "40",
                              n ? "\x1e" : "");
    assert_string_equal(sim_http("POST", query, body), "ok");
    assert_true(sim.gw->count.sockets < 200);
    sim_http("GET", query, NULL);
    sim_http("GET", query, NULL);
    assert_int_equal(closes(REASON_PROTOCOL_ERROR), 1);
}

/* Sessions on polling hold no TCP connection, but are bounded all the same. */
static void sessions_are_bounded(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 64; i++)
        assert_int_equal(sim_http("GET", "", NULL)[0], '0');
    assert_int_not_equal(sim_http("GET", "", NULL)[0], '0');
    assert_int_equal(sim.gw->nconns, 64);
    assert_string_equal(sim_http("POST", query, "42[\"x\"]"), "ok"); /* who is in stays in */
    assert_string_equal(sim_http("GET", query, NULL), "42[\"x\"]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(poll_is_held_until_there_is_something),
        TEST(volatile_needs_a_poll_that_waits),
        TEST(overlapping_polls_end_the_session),
        TEST(aborted_poll_ends_the_session),
        TEST(close_from_the_client),
        TEST(bad_packet_ends_the_session_behind_the_good_ones),
        TEST(disconnect_is_told_to_a_waiting_poll),
        TEST(disconnect_waits_for_polls),
        TEST(closing_session_hears_nothing_new),
        TEST(closing_session_does_not_wait_for_ever),
        TEST(upgrade_takes_the_queue_along),
        TEST(poll_that_waits_at_the_upgrade_is_released),
        TEST(joining_and_leaving_without_end_is_abuse),
        TEST(sessions_are_bounded),
        TEST(lost_probe_leaves_polling_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
