/* A handler may call anything of its seam from any of its callbacks. Run with sanitizers; the
 * asserts are for what it must come to. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Tests */
#include "gateway/gw_cluster.h"
#include "unit/gateway/gateway_sim.h"

static struct {
    void (*connect)(struct gw_socket *s);
    bool (*event)(struct gw_socket *s, const struct gw_event *e);
    void (*disconnect)(struct gw_socket *s);
    unsigned connects, events, disconnects, answers, failures;
} h;

static void on_connect(void *ctx, struct gw_socket *s, struct str_view auth)
{
    (void)ctx;
    (void)auth;
    h.connects++;
    if (h.connect) h.connect(s);
}

static bool on_event(void *ctx, struct gw_socket *s, const struct gw_event *e)
{
    (void)ctx;
    h.events++;
    return h.event && h.event(s, e);
}

static void on_disconnect(void *ctx, struct gw_socket *s, enum close_reason reason)
{
    (void)ctx;
    (void)reason;
    h.disconnects++;
    if (h.disconnect) h.disconnect(s);
}

static const struct gw_handler handler = {
    .connect = on_connect, .event = on_event, .disconnect = on_disconnect};

static int start(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    sim_start(&handler, "routes.events=*=all;socketio.namespaces=/*;queue.max_bytes=65536");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sim_stop();
    return 0;
}

static bool none_is_left(void *arg)
{
    (void)arg;
    return sim.gw->nconns == 0 && sim.gw->nsockets == 0;
}

static void broadcast(struct str_view nsp, const char *json)
{
    gw_broadcast(sim.gw, nsp, &(struct bus_target){0}, sv_of(json), NULL, 0, NULL, NULL);
}

/* --- ending things from within */

static void leave(struct gw_socket *s)
{
    gw_socket_disconnect(s, false);
}

static void slam(struct gw_socket *s)
{
    gw_socket_disconnect(s, true);
}

static void connect_may_disconnect(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    h.connect = leave;
    sim_connect(&a, "", "");
    sim_expect(&a, "1");
    sim_expect_quiet(&a);
    h.connect = slam;
    sim_connect(&b, "", "");
    sim_expect(&b, "1");
    sim_expect(&b, "[close]");
    sim_drop(&a);
    sim_drop(&b);
    sim_until(none_is_left, NULL);
    assert_int_equal(h.disconnects, 2);
}

static bool leave_and_do_not_handle(struct gw_socket *s, const struct gw_event *e)
{
    (void)e;
    gw_socket_disconnect(s, false);
    return false;
}

static void event_of_a_socket_that_was_just_ended_goes_nowhere(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    h.event = leave_and_do_not_handle;
    sim_send(&a, "2[\"hi\"]");
    sim_expect(&a, "1");
    sim_expect_quiet(&b);
    sim_drop(&a);
    sim_drop(&b);
}

static void disconnect_may_end_the_same_socket_again(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    h.disconnect = slam;
    sim_send(&a, "1");
    sim_expect(&a, "[close]");
    assert_int_equal(h.disconnects, 1);
    assert_true(none_is_left(NULL));
    sim_drop(&a);
}

static char other_id[64];

static void slam_the_other(struct gw_socket *s)
{
    (void)s;
    struct gw_socket *other = gw_socket_find(sim.gw, SV("/b"), sv_of(other_id));
    if (other) gw_socket_disconnect(other, true);
}

static void disconnect_may_close_the_connection_by_another_socket(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&a, "/b", "");
    snprintf(other_id, sizeof(other_id), "%s", a.sid);
    h.disconnect = slam_the_other;
    sim_send(&a, "1");
    sim_expect(&a, "1/b,");
    sim_expect(&a, "[close]");
    assert_int_equal(h.disconnects, 2);
    sim_drop(&a);
}

/* --- the same calls from everywhere */

static void everything(struct gw_socket *s);

static void on_answer(void *arg, bool answered, struct str_view args,
                      const struct str_view *attachments, unsigned n)
{
    char id[64];
    (void)args;
    (void)attachments;
    (void)n;
    (*(answered ? &h.answers : &h.failures))++;
    snprintf(id, sizeof(id), "%s", (const char *)arg);
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(id));
    if (s && h.answers + h.failures < 20) everything(s);
}

static void everything(struct gw_socket *s)
{
    static char ids[64][64];
    static unsigned next;
    char *id = ids[next++ % 64];
    struct str_view sid = gw_socket_id(s), room = SV("room");
    snprintf(id, sizeof(ids[0]), "%.*s", SV_ARG(sid));
    assert_ptr_equal(gw_socket_gateway(s), sim.gw);
    assert_true(sv_eq(gw_socket_user(s), SV("")));
    assert_true(sv_eq(gw_socket_claims(s), SV("{}")));
    assert_true(gw_socket_is_in(s, sid));
    gw_socket_join(s, room);
    gw_socket_join(s, sid);
    gw_socket_emit(s, SV("[\"hello\"]"), NULL, 0);
    gw_socket_emit_ack(s, SV("[\"ask\"]"), NULL, 0, 1000, on_answer, id);
    gw_socket_ack(s, 1, SV("[]"), NULL, 0);
    gw_broadcast(sim.gw, gw_socket_nsp(s), &(struct bus_target){.rooms = &room, .nrooms = 1},
                 SV("[\"all\"]"), NULL, 0, NULL, NULL);
    gw_socket_leave(s, room);
    gw_socket_leave(s, SV("no such room"));
    gw_socket_join(s, room);
}

static bool everything_then_slam(struct gw_socket *s, const struct gw_event *e)
{
    everything(s);
    if (sv_eq(e->name, SV("slam"))) gw_socket_disconnect(s, true);
    return true;
}

static void any_call_from_any_callback(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    h.connect = everything;
    h.event = everything_then_slam;
    h.disconnect = everything;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    for (unsigned i = 0; i < 5; i++)
        sim_send(&a, "2[\"more\"]");
    sim_send(&a, "30[\"yes\"]");
    sim_pass(2);
    sim_send(&b, "2[\"more\"]");
    sim_send(&a, "2[\"slam\"]");
    sim_pass(3);
    sim_drop(&a);
    sim_drop(&b);
    sim_until(none_is_left, NULL);
    assert_int_equal(h.connects, 2);
    assert_int_equal(h.disconnects, 2);
    assert_true(h.answers >= 1);
    /* Every question asked has come back: 2 connects, 7 events, 2 ends, and the answers' own. */
    assert_true(h.failures >= 10);
}

static void answer_that_asks_again(void *arg, bool answered, struct str_view args,
                                   const struct str_view *attachments, unsigned n)
{
    (void)args;
    (void)attachments;
    (void)n;
    (*(answered ? &h.answers : &h.failures))++;
    gw_socket_disconnect(arg, true);
}

static void answer_may_end_the_socket_that_others_wait_for(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(a.sid));
    for (unsigned i = 0; i < 3; i++)
        gw_socket_emit_ack(s, SV("[\"ask\"]"), NULL, 0, 1000, answer_that_asks_again, s);
    sim_send(&a, "31[]");
    sim_until(none_is_left, NULL);
    assert_int_equal(h.answers, 1);
    assert_int_equal(h.failures, 2);
    sim_drop(&a);
}

/* --- what is asked for late in a turn, or for ever */

static void answer_may_be_waited_for_without_end(void **state)
{
    struct sim_client a = {0};
    static char id[64];
    (void)state;
    sim_connect(&a, "", "");
    snprintf(id, sizeof(id), "%s", a.sid);
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(id));
    gw_socket_emit_ack(s, SV("[\"ask\"]"), NULL, 0, UINT64_MAX, on_answer, id);
    sim_pass(10);
    assert_int_equal(h.failures, 0);
    sim_drop(&a);
    sim_until(none_is_left, NULL);
    assert_int_equal(h.failures, 1);
}

static void say_goodbye(struct gw_socket *s)
{
    broadcast(gw_socket_nsp(s), "[\"goodbye\"]");
}

/* A connection that is closed at the turn's end is told about behind the bus's own phase; what the
 * handler then publishes must not wait for the next event. */
static void broadcast_at_the_turns_end_does_not_wait(void **state)
{
    struct sim_client a = {0}, b = {0};
    static char big[50000];
    (void)state;
    memset(big, 'x', sizeof(big));
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    sim_expect_quiet(&b);
    sim_turns(3);
    h.disconnect = say_goodbye;
    /* The second one is too much: doomed now, closed in the phase of the connections. */
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(a.sid));
    gw_socket_emit(s, sv_make(big, sizeof(big)), NULL, 0);
    gw_socket_emit(s, sv_make(big, sizeof(big)), NULL, 0);
    sim_turns(1);
    assert_int_equal(h.disconnects, 1);
    uint64_t began = now_mono_ms();
    loop_turn(sim.loop, true);
    assert_true(now_mono_ms() - began < 500);
    sim_expect(&b, "2[\"goodbye\"]");
    sim_drop(&a);
    sim_drop(&b);
}

/* --- stopping */

static void stopping_with_a_handler_that_does_everything(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    h.disconnect = everything;
    gw_server_stop(sim.gw);
    gw_server_stop(sim.gw);
    broadcast(SV("/"), "[\"last\"]");
    sim_turns(5);
    assert_int_equal(h.disconnects, 1);
    sim_drop(&a);
}

static unsigned told;

static void publish_again(enum bus_outcome outcome, void *arg)
{
    told++;
    if (outcome != BUS_TAKEN)
        gw_broadcast(arg, SV("/"), &(struct bus_target){0}, SV("[\"again\"]"), NULL, 0,
                     publish_again, arg);
}

static void ask_again(void *arg, const struct answers *a)
{
    told++;
    if (!a->is_complete) questions_fetch(gw_questions(arg), SV("/"), NULL, 0, ask_again, arg);
}

static void ask_instead(enum bus_outcome outcome, void *arg)
{
    told++;
    if (outcome != BUS_TAKEN) questions_rooms(gw_questions(arg), SV("/"), 0, ask_again, arg);
}

static void the_end_does_not_wait_for_those_who_try_again(void **state)
{
    struct bus_target all = {0};
    told = 0;
    gw_broadcast(sim.gw, SV("/"), &all, SV("[\"once\"]"), NULL, 0, publish_again, sim.gw);
    questions_join(gw_questions(sim.gw), SV("/"), &all, NULL, 0, ask_instead, sim.gw);
    questions_fetch(gw_questions(sim.gw), SV("/"), &all, 0, ask_again, sim.gw);
    stop(state);
    assert_int_equal(told, 3);
    start(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connect_may_disconnect),
        TEST(event_of_a_socket_that_was_just_ended_goes_nowhere),
        TEST(disconnect_may_end_the_same_socket_again),
        TEST(disconnect_may_close_the_connection_by_another_socket),
        TEST(any_call_from_any_callback),
        TEST(answer_may_end_the_socket_that_others_wait_for),
        TEST(answer_may_be_waited_for_without_end),
        TEST(broadcast_at_the_turns_end_does_not_wait),
        TEST(stopping_with_a_handler_that_does_everything),
        TEST(the_end_does_not_wait_for_those_who_try_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
