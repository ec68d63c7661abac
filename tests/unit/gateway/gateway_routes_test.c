/* What becomes of clients' events by configuration alone: routes, and rooms joined by event. */
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

#define S10 "0123456789"
#define S50 S10 S10 S10 S10 S10
#define S250 S50 S50 S50 S50 S50
#define OK "[{\"status\":\"ok\"}]"
#define ERROR(code, message)                                                                       \
    "[{\"status\":\"error\",\"code\":\"" code "\",\"message\":\"" message "\"}]"
#define NO_ROUTE ERROR("no_route", "this event is not routed")
#define BAD_ROOM ERROR("bad_room", "the first argument must name a room")
#define NOT_A_MEMBER ERROR("not_a_member", "you are not in this room")
#define FORBIDDEN ERROR("forbidden_room", "clients may not join or leave this room")

/* Of every test: a and b in the main namespace. */
static struct sim_client a, b;

static int start(void **state)
{
    (void)state;
    a = b = (struct sim_client){0};
    sim_start(NULL, "socketio.namespaces=/,/chat;socketio.max_rooms=3;routes.client_rooms=pub-*;"
                    "routes.events=all=all,x=none,others=others,room=room,x=all,none=none,"
                    "eq=eq=all,/chat *=all");
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sim_drop(&a);
    sim_drop(&b);
    sim_stop();
    return 0;
}

static void route_all_reaches_everybody(void **state)
{
    (void)state;
    sim_send(&a, "25[\"all\",{\"k\":[1,2]}]");
    sim_expect(&a, "2[\"all\",{\"k\":[1,2]}]");
    sim_expect(&a, "35" OK);
    sim_expect(&b, "2[\"all\",{\"k\":[1,2]}]");
    sim_send(&b, "2[\"all\"]");
    sim_expect(&b, "2[\"all\"]");
    sim_expect(&a, "2[\"all\"]");
    sim_expect_quiet(&b);
}

static void route_all_takes_attachments_along(void **state)
{
    (void)state;
    sim_send(&a, "51-[\"all\",{\"_placeholder\":true,\"num\":0}]");
    sim_send_frame(&a, "bQUJD");
    sim_expect(&b, "51-[\"all\",{\"_placeholder\":true,\"num\":0}]");
    sim_expect(&b, "[binary]");
    sim_expect(&a, "51-[\"all\",{\"_placeholder\":true,\"num\":0}]");
    sim_expect(&a, "[binary]");
}

static void route_others_leaves_the_sender_out(void **state)
{
    (void)state;
    sim_send(&a, "26[\"others\"]");
    sim_expect(&a, "36" OK);
    sim_expect(&b, "2[\"others\"]");
    sim_expect_quiet(&a);
}

static void route_none_is_acknowledged_only(void **state)
{
    (void)state;
    sim_send(&a, "27[\"none\"]");
    sim_expect(&a, "37" OK);
    sim_send(&a, "2[\"none\"]");
    sim_expect_quiet(&a);
    sim_expect_quiet(&b);
}

static void first_match_counts(void **state)
{
    (void)state;
    sim_send(&a, "28[\"x\"]");
    sim_expect(&a, "38" OK);
    sim_expect_quiet(&b);
}

static void last_equals_sign_ends_the_pattern(void **state)
{
    (void)state;
    sim_send(&a, "2[\"eq=eq\"]");
    sim_expect(&b, "2[\"eq=eq\"]");
}

static void event_without_route_is_refused(void **state)
{
    (void)state;
    sim_send(&a, "20[\"nobody\"]");
    sim_expect(&a, "30" NO_ROUTE);
    sim_send(&a, "21[\"" S250 S10 "\"]");
    sim_expect(&a, "31" ERROR("no_route", "the event's name is too long"));
    sim_send(&a, "22[\"ALL\"]");
    sim_expect(&a, "32" NO_ROUTE);
    sim_expect_quiet(&b);
    assert_int_equal(sim.gw->count.events_refused, 3);
}

static void room_event_needs_membership(void **state)
{
    (void)state;
    sim_send(&a, "21[\"room\",\"pub-1\",\"hi\"]");
    sim_expect(&a, "31" NOT_A_MEMBER);
    sim_send(&a, "22[\"join\",\"pub-1\"]");
    sim_expect(&a, "32" OK);
    sim_send(&a, "23[\"room\",\"pub-1\",\"hi\"]");
    sim_expect(&a, "2[\"room\",\"pub-1\",\"hi\"]");
    sim_expect(&a, "33" OK);
    sim_expect_quiet(&b);
    sim_send(&b, "21[\"join\",\"pub-1\"]");
    sim_expect(&b, "31" OK);
    sim_send(&b, "2[\"room\",\"pub-1\",\"both\"]");
    sim_expect(&a, "2[\"room\",\"pub-1\",\"both\"]");
    sim_expect(&b, "2[\"room\",\"pub-1\",\"both\"]");
    sim_send(&a, "24[\"leave\",\"pub-1\"]");
    sim_expect(&a, "34" OK);
    sim_send(&a, "25[\"room\",\"pub-1\",\"hi\"]");
    sim_expect(&a, "35" NOT_A_MEMBER);
    sim_expect_quiet(&b);
}

static void socket_is_in_the_room_of_its_id(void **state)
{
    char text[128];
    (void)state;
    snprintf(text, sizeof(text), "2[\"room\",\"%s\"]", a.sid);
    sim_send(&a, text);
    sim_expect(&a, text);
    snprintf(text, sizeof(text), "29[\"room\",\"%s\"]", a.sid);
    sim_send(&b, text);
    sim_expect(&b, "39" NOT_A_MEMBER);
    sim_expect_quiet(&a);
}

static void room_must_be_named_by_a_string(void **state)
{
    static const char *const bad[] = {
        "[\"E\"]",
        "[\"E\",1]",
        "[\"E\",null]",
        "[\"E\",{\"a\":1}]",
        "[\"E\",[\"pub\"]]",
        "[\"E\",\"\"]",
        "[\"E\",\"a\\nb\"]",
        "[\"E\",\"a\\u0000b\"]",
        "[\"E\",\"\\ud800\"]",
        "[\"E\",\"" S250 S10 "xx\"]",
    };
    static const char *const events[] = {"room", "join", "leave"};
    char packet[512];
    (void)state;
    for (unsigned e = 0; e < 3; e++) {
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            snprintf(packet, sizeof(packet), "21[\"%s%s", events[e], bad[i] + 3);
            sim_send(&a, packet);
            sim_expect(&a, "31" BAD_ROOM);
        }
    }
}

static void rooms_that_are_not_offered_cannot_be_joined(void **state)
{
    static const char *const names[] = {"priv-1", "user:alice", "pub", "pub-890123456789abcd",
                                        "xpub-1"};
    char packet[128];
    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(packet, sizeof(packet), "21[\"join\",\"%s\"]", names[i]);
        sim_send(&a, packet);
        sim_expect(&a, "31" FORBIDDEN);
        snprintf(packet, sizeof(packet), "21[\"leave\",\"%s\"]", names[i]);
        sim_send(&a, packet);
        sim_expect(&a, "31" FORBIDDEN);
    }
}

static void rooms_of_one_socket_are_bounded(void **state)
{
    (void)state;
    sim_send(&a, "21[\"join\",\"pub-1\"]");
    sim_send(&a, "22[\"join\",\"pub-2\"]");
    sim_send(&a, "23[\"join\",\"pub-3\"]");
    sim_send(&a, "24[\"join\",\"pub-3\"]");
    sim_send(&a, "25[\"join\",\"pub-4\"]");
    sim_send(&a, "26[\"leave\",\"pub-1\"]");
    sim_send(&a, "27[\"join\",\"pub-4\"]");
    sim_expect(&a, "31" OK);
    sim_expect(&a, "32" OK);
    sim_expect(&a, "33" OK);
    sim_expect(&a, "34" OK);
    sim_expect(&a, "35" ERROR("too_many_rooms", "you are in too many rooms"));
    sim_expect(&a, "36" OK);
    sim_expect(&a, "37" OK);
}

static void ack_of_a_client_that_left_meanwhile_is_nobodys(void **state)
{
    (void)state;
    sim_send(&a, "21[\"all\",1]");
    sim_send(&a, "1");
    sim_expect(&b, "2[\"all\",1]");
    sim_send(&b, "21[\"all\",2]");
    sim_expect(&b, "2[\"all\",2]");
    sim_expect(&b, "31" OK);
}

static void polling_clients_are_reached_too(void **state)
{
    char query[128];
    (void)state;
    const char *open = sim_http("GET", "", NULL);
    assert_int_equal(open[0], '0');
    snprintf(query, sizeof(query), "&sid=%.20s", strstr(open, "\"sid\":\"") + 7);
    assert_string_equal(sim_http("POST", query, "40"), "ok");
    assert_memory_equal(sim_http("GET", query, NULL), "40{\"sid\":\"", 10);
    sim_send(&a, "2[\"all\",1]");
    sim_expect(&a, "2[\"all\",1]");
    sim_send(&a, "51-[\"all\",{\"_placeholder\":true,\"num\":0}]");
    sim_send_frame(&a, "bQUJD");
    sim_expect(&a, "51-[\"all\",{\"_placeholder\":true,\"num\":0}]");
    assert_string_equal(sim_http("GET", query, NULL),
                        "42[\"all\",1]\x1e"
                        "451-[\"all\",{\"_placeholder\":true,\"num\":0}]\x1e"
                        "bQUJD");
    assert_string_equal(sim_http("POST", query,
                                 "421[\"all\",2]\x1e"
                                 "421[\"nobody\"]"),
                        "ok");
    assert_string_equal(sim_http("GET", query, NULL), "431" NO_ROUTE "\x1e"
                                                      "42[\"all\",2]\x1e"
                                                      "431" OK);
    sim_expect(&b, "2[\"all\",1]");
}

static void route_may_be_for_one_namespace(void **state)
{
    (void)state;
    sim_connect(&a, "/chat", "");
    sim_send(&a, "2/chat,7[\"whatever\"]");
    sim_expect(&a, "2/chat,[\"whatever\"]");
    sim_expect(&a, "3/chat,7" OK);
    sim_send(&a, "27[\"whatever\"]");
    sim_expect(&a, "37" NO_ROUTE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(route_all_reaches_everybody),
        TEST(route_all_takes_attachments_along),
        TEST(route_others_leaves_the_sender_out),
        TEST(route_none_is_acknowledged_only),
        TEST(first_match_counts),
        TEST(last_equals_sign_ends_the_pattern),
        TEST(event_without_route_is_refused),
        TEST(room_event_needs_membership),
        TEST(socket_is_in_the_room_of_its_id),
        TEST(room_must_be_named_by_a_string),
        TEST(rooms_that_are_not_offered_cannot_be_joined),
        TEST(rooms_of_one_socket_are_bounded),
        TEST(ack_of_a_client_that_left_meanwhile_is_nobodys),
        TEST(polling_clients_are_reached_too),
        TEST(route_may_be_for_one_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
