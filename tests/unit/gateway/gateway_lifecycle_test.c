/* Connects and disconnects that workers are told. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Tests */
#include "unit/gateway/gateway_work_fixture.h"

/* --- connects and disconnects */

static int start_lifecycle(void **state)
{
    (void)state;
    start_work("routes.lifecycle=/,/l*;routes.events=w=worker;socketio.namespaces=/,/life,/other;"
               "auth.mode=connect");
    return 0;
}

static void workers_are_told_who_comes_and_goes(void **state)
{
    struct sim_client c = {0};
    char *auth = auth_of("ann");
    (void)state;
    sim_connect(&c, "/life", auth);
    const struct work_item *item = next_work_item(WORK_CONNECT);
    assert_text(item->nsp, "/life");
    assert_text(item->sid, c.sid);
    assert_text(item->user, "ann");
    assert_non_null(memmem(item->claims.p, item->claims.n, "\"sub\":\"ann\"", 11));
    assert_text(item->auth, "{\"a\":[1],\"b\":\"\\u0000\"}"); /* the token is not handed on */
    assert_text(item->address, "127.0.0.1");
    assert_text(item->transport, "websocket");
    assert_false(item->asks);
    sim_send(&c, "2/life,[\"w\"]");
    assert_text(next_work_item(WORK_EVENT)->user, "ann");
    sim_send(&c, "1/life,");
    item = next_work_item(WORK_DISCONNECT);
    assert_text(item->reason, "client namespace disconnect");
    assert_text(item->user, "ann");
    assert_text(item->sid, c.sid);
    sim_drop(&c);
    assert_no_work_item();
    x_free(auth);
}

/* If the gateway dies, the disconnect that others tell instead has the data, too. */
static void data_of_a_told_socket_is_remembered(void **state)
{
    struct sim_client c = {0};
    char want[128], *auth = auth_of("ann");
    (void)state;
    sim_connect(&c, "", auth);
    const struct work_item *item = next_work_item(WORK_CONNECT);
    snprintf(want, sizeof(want), "%s %llu {\"seat\":4}", c.sid, (unsigned long long)item->serial);
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(c.sid));
    assert_true(gw_socket_set_data(s, SV("{\"seat\":4}")));
    assert_string_equal(fake_work.renewed, want);
    assert_false(gw_socket_set_data(s, SV("{")));
    assert_string_equal(fake_work.renewed, want);
    sim_drop(&c);
    assert_text(next_work_item(WORK_DISCONNECT)->data, "{\"seat\":4}");
    x_free(auth);
}

static void other_namespaces_are_not_told(void **state)
{
    (void)state;
    assert_no_items_of("/other");
}

static void each_socket_of_a_lost_connection_is_told(void **state)
{
    struct sim_client c = {0};
    char *auth = auth_of("ann"), *more = x_asprintf("0/life,%s", auth);
    (void)state;
    sim_connect(&c, "", auth);
    next_work_item(WORK_CONNECT);
    sim_send(&c, more);
    assert_text(next_work_item(WORK_CONNECT)->nsp, "/life");
    sim_drop(&c);
    assert_text(next_work_item(WORK_DISCONNECT)->reason, "transport close");
    assert_text(next_work_item(WORK_DISCONNECT)->reason, "transport close");
    assert_no_work_item();
    x_free(more);
    x_free(auth);
}

/* The connect's outcome decides whether a disconnect is owed, also if the socket ends before. */
static void a_disconnect_follows_a_connect_that_went(void **state)
{
    static const struct {
        enum work_outcome outcome;
        bool early; /* the socket ends before the outcome is known */
        bool told;
    } cases[] = {{WORK_TAKEN, true, true},    {WORK_UNCERTAIN, true, true},
                 {WORK_REFUSED, true, false}, {WORK_FULL, true, false},
                 {WORK_TAKEN, false, true},   {WORK_UNCERTAIN, false, true},
                 {WORK_REFUSED, false, false}};
    char *auth = auth_of("ann");
    (void)state;
    fake_work.takes_at_once = false;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_client c = {0};
        sim_connect(&c, "", auth);
        next_work_item(WORK_CONNECT);
        unsigned connect = fake_work.seen - 1;
        if (!cases[i].early) tell_item(connect, cases[i].outcome);
        sim_drop(&c);
        sim_turns(10);
        if (cases[i].early) {
            assert_no_work_item();
            tell_item(connect, cases[i].outcome);
        }
        if (cases[i].told) assert_text(next_work_item(WORK_DISCONNECT)->user, "ann");
        assert_no_work_item();
    }
    x_free(auth);
}

static void the_gateways_end_is_a_disconnect(void **state)
{
    struct sim_client c = {0};
    char *auth = auth_of("ann");
    (void)state;
    sim_connect(&c, "", auth);
    next_work_item(WORK_CONNECT);
    sim_turns(3);
    gw_server_stop(sim.gw);
    assert_text(next_work_item(WORK_DISCONNECT)->reason, "server shutting down");
    sim_drop(&c);
    x_free(auth);
}

#define TEST(name, start) cmocka_unit_test_setup_teardown(name, start, stop_work)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(workers_are_told_who_comes_and_goes, start_lifecycle),
        TEST(other_namespaces_are_not_told, start_lifecycle),
        TEST(data_of_a_told_socket_is_remembered, start_lifecycle),
        TEST(each_socket_of_a_lost_connection_is_told, start_lifecycle),
        TEST(a_disconnect_follows_a_connect_that_went, start_lifecycle),
        TEST(the_gateways_end_is_a_disconnect, start_lifecycle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
