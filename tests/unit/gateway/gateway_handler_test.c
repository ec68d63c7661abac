/* The handler seam on a whole gateway: what a handler is told, and what becomes of what it asks
 * for. */
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
/* Tests */
#include "unit/gateway/gateway_sim.h"
/* Gateway */
#include "gateway/gw_socket.h"

/* --- a handler that writes down what it is told */

static char told[2048];

static void tell(const char *what, struct str_view more)
{
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%s%s%.*s", n ? "; " : "", what, SV_ARG(more));
}

static void assert_told(const char *text)
{
    assert_string_equal(told, text);
    told[0] = '\0';
}

static void on_connect(void *ctx, struct gw_socket *s, struct str_view auth)
{
    (void)ctx;
    (void)s;
    tell("connect ", auth);
}

static void on_ack(void *arg, bool answered, struct str_view args,
                   const struct str_view *attachments, unsigned n)
{
    (void)arg;
    for (unsigned i = 0; i < n; i++)
        tell("with ", attachments[i]);
    tell(answered ? "answer " : "no answer", args);
}

static bool on_event(void *ctx, struct gw_socket *s, const struct gw_event *e)
{
    (void)ctx;
    tell("event ", e->args);
    if (sv_eq(e->name, SV("echo"))) {
        if (e->wants_ack) gw_socket_ack(s, e->ack_id, e->args, e->attachments, e->nattachments);
        return true;
    }
    if (sv_eq(e->name, SV("ask"))) {
        gw_socket_emit_ack(s, SV("[\"question\"]"), NULL, 0, 5000, on_ack, NULL);
        return true;
    }
    if (sv_eq(e->name, SV("go"))) {
        gw_socket_disconnect(s, false);
        return true;
    }
    if (sv_eq(e->name, SV("go away"))) {
        gw_socket_disconnect(s, true);
        return true;
    }
    return false;
}

static void on_disconnect(void *ctx, struct gw_socket *s, enum close_reason reason)
{
    (void)ctx;
    tell("disconnect ", sv_of(close_reason_text(reason)));
    if (gw_socket_is_in(s, SV("den"))) tell("from the den", SV(""));
}

static const struct gw_handler handler = {
    .connect = on_connect, .event = on_event, .disconnect = on_disconnect};

static int start(void **state)
{
    (void)state;
    told[0] = '\0';
    sim_start(&handler, "routes.events=*=all;socketio.namespaces=/,/b");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sim_stop();
    return 0;
}

static struct gw_socket *socket_of(const struct sim_client *c)
{
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(c->sid));
    assert_non_null(s);
    return s;
}

static bool has_been_told(void *arg)
{
    return strstr(told, arg) != NULL;
}

static void wait_told(const char *text)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", text);
    sim_until(has_been_told, copy);
    assert_told(text);
}

/* --- what it is told */

static void connect_is_told_with_its_payload(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    sim_connect(&a, "", "");
    assert_told("connect {}");
    sim_connect(&b, "", "{\"name\":\"b\"}");
    assert_told("connect {\"name\":\"b\"}");
    sim_connect(&b, "/b", "");
    assert_told("connect {}");
    assert_int_equal(sim.gw->nsockets, 3);
    sim_drop(&a);
    sim_drop(&b);
}

static void event_is_told_and_answered(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    told[0] = '\0';
    sim_send(&a, "27[\"echo\",1]");
    sim_expect(&a, "37[\"echo\",1]");
    assert_told("event [\"echo\",1]");
    sim_send(&a, "2[\"echo\",2]");
    sim_expect_quiet(&a);
    assert_told("event [\"echo\",2]");
    sim_drop(&a);
}

static void event_it_does_not_want_goes_to_the_routes(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_send(&a, "28[\"other\"]");
    sim_expect(&a, "2[\"other\"]");
    sim_expect(&a, "38[{\"status\":\"ok\"}]");
    sim_drop(&a);
}

static void disconnect_is_told_with_its_reason(void **state)
{
    struct sim_client a = {0}, b = {0}, c = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    sim_connect(&c, "", "");
    assert_true(gw_socket_join(socket_of(&a), SV("den")));
    told[0] = '\0';
    sim_send(&a, "1");
    sim_expect_quiet(&a);
    assert_told("disconnect client namespace disconnect; from the den");
    sim_drop(&b);
    wait_told("disconnect transport close");
    sim_send(&c, "2[\"go\"]");
    sim_expect(&c, "1");
    assert_told("event [\"go\"]; disconnect server namespace disconnect");
    sim_expect_quiet(&c); /* the connection stays */
    sim_drop(&a);
    sim_drop(&c);
    assert_int_equal(sim.gw->nsockets, 0);
}

static void disconnect_with_close_ends_the_connection(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&a, "/b", "");
    told[0] = '\0';
    sim_send(&a, "2[\"go away\"]");
    sim_expect(&a, "1");
    sim_expect(&a, "1/b,");
    sim_expect(&a, "[close]");
    sim_expect(&a, "[end]");
    assert_int_equal(sim.gw->nconns, 0);
    assert_told("event [\"go away\"]; disconnect server namespace disconnect; "
                "disconnect server namespace disconnect");
    sim_drop(&a);
}

static void stopping_tells_every_client(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    told[0] = '\0';
    gw_server_stop(sim.gw);
    sim_expect(&a, "[close]");
    assert_told("disconnect server shutting down");
    sim_drop(&a);
}

/* --- answers from clients */

static void answer_is_called_back_once(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_send(&a, "2[\"ask\"]");
    sim_expect(&a, "20[\"question\"]");
    told[0] = '\0';
    sim_send(&a, "39[\"not asked\"]");
    sim_send(&a, "30[\"yes\",1]");
    sim_send(&a, "30[\"again\"]");
    sim_expect_quiet(&a);
    assert_told("answer [\"yes\",1]");
    sim_pass(6);
    assert_told("");
    sim_drop(&a);
}

static void answer_with_attachments_is_called_back_whole(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_send(&a, "2[\"ask\"]");
    sim_expect(&a, "20[\"question\"]");
    told[0] = '\0';
    sim_send(&a, "61-0[{\"_placeholder\":true,\"num\":0}]");
    sim_send_frame(&a, "bQUJD");
    sim_expect_quiet(&a);
    assert_told("with ABC; answer [{\"_placeholder\":true,\"num\":0}]");
    sim_drop(&a);
}

static void no_answer_in_time_is_called_back_once(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_send(&a, "2[\"ask\"]");
    sim_expect(&a, "20[\"question\"]");
    told[0] = '\0';
    sim_pass(4);
    assert_told("");
    sim_pass(2);
    assert_told("no answer");
    sim_send(&a, "30[\"too late\"]");
    sim_expect_quiet(&a);
    assert_told("");
    sim_drop(&a);
}

static void count_unanswered(void *arg, bool answered, struct str_view args,
                             const struct str_view *attachments, unsigned n)
{
    (void)args;
    (void)attachments;
    (void)n;
    if (!answered) ++*(unsigned *)arg;
}

static bool all_unanswered(void *arg)
{
    return *(unsigned *)arg == 1 + GW_ACKS_MAX;
}

/* Who never answers does not take memory without end, whoever asks. */
static void a_client_owes_a_thousand_answers_at_most(void **state)
{
    struct sim_client a = {0};
    unsigned unanswered = 0;
    (void)state;
    sim_connect(&a, "", "");
    struct gw_socket *s = sim.gw->nsps->sockets[0];
    for (unsigned i = 0; i < GW_ACKS_MAX; i++)
        assert_true(gw_acks_expect(s, i, 5000, count_unanswered, &unanswered));
    assert_false(gw_acks_expect(s, 9999, 5000, count_unanswered, &unanswered));
    assert_int_equal(unanswered, 0);
    gw_socket_emit_ack(s, SV("[\"more\"]"), NULL, 0, 5000, count_unanswered, &unanswered);
    assert_int_equal(unanswered, 1);
    sim_send(&a, "37[]"); /* one answer makes room for one more */
    sim_expect_quiet(&a);
    assert_true(gw_acks_expect(s, 9999, 5000, count_unanswered, &unanswered));
    sim_drop(&a);
    sim_until(all_unanswered, &unanswered);
}

static void end_of_the_socket_fails_its_answers(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_send(&a, "2[\"ask\"]");
    sim_send(&a, "2[\"ask\"]");
    sim_expect(&a, "20[\"question\"]");
    sim_expect(&a, "21[\"question\"]");
    told[0] = '\0';
    sim_send(&a, "1");
    sim_expect_quiet(&a);
    assert_told("disconnect client namespace disconnect; no answer; no answer");
    sim_pass(6);
    assert_told("");
    sim_drop(&a);
}

/* --- broadcasts */

static void broadcast(const struct bus_target *to, const char *json)
{
    gw_broadcast(sim.gw, SV("/"), to, sv_of(json), NULL, 0, NULL, NULL);
}

static void broadcast_reaches_rooms_without_the_excepted(void **state)
{
    struct sim_client a = {0}, b = {0}, c = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    sim_connect(&c, "", "");
    assert_true(gw_socket_join(socket_of(&a), SV("r1")));
    assert_true(gw_socket_join(socket_of(&b), SV("r1")));
    assert_true(gw_socket_join(socket_of(&b), SV("r2")));
    struct str_view both[] = {SV("r1"), SV("r2")}, b_id = sv_of(b.sid), c_id = sv_of(c.sid);
    broadcast(&(struct bus_target){.rooms = both, .nrooms = 2}, "[\"both\"]");
    broadcast(&(struct bus_target){.rooms = both, .nrooms = 2, .except = &b_id, .nexcept = 1},
              "[\"not b\"]");
    broadcast(&(struct bus_target){.rooms = &c_id, .nrooms = 1}, "[\"c alone\"]");
    broadcast(&(struct bus_target){.except = both + 1, .nexcept = 1}, "[\"not r2\"]");
    gw_socket_leave(socket_of(&a), SV("r1"));
    broadcast(&(struct bus_target){0}, "[\"all\"]");
    sim_turns(1);
    broadcast(&(struct bus_target){.rooms = both, .nrooms = 1}, "[\"a has left\"]");
    /* Rooms are looked up at delivery: a had left when the turn ended. */
    sim_expect(&a, "2[\"not r2\"]");
    sim_expect(&a, "2[\"all\"]");
    sim_expect(&b, "2[\"both\"]");
    sim_expect(&b, "2[\"all\"]");
    sim_expect(&b, "2[\"a has left\"]");
    sim_expect(&c, "2[\"c alone\"]");
    sim_expect(&c, "2[\"not r2\"]");
    sim_expect(&c, "2[\"all\"]");
    sim_expect_quiet(&a);
    sim_expect_quiet(&b);
    sim_expect_quiet(&c);
    sim_drop(&a);
    sim_drop(&b);
    sim_drop(&c);
}

static void broadcast_stays_in_its_namespace(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&a, "/b", "");
    gw_broadcast(sim.gw, SV("/b"), &(struct bus_target){0}, SV("[\"b\"]"), NULL, 0, NULL, NULL);
    gw_broadcast(sim.gw, SV("/c"), &(struct bus_target){0}, SV("[\"c\"]"), NULL, 0, NULL, NULL);
    sim_expect(&a, "2/b,[\"b\"]");
    sim_expect_quiet(&a);
    sim_drop(&a);
}

static void volatile_skips_who_cannot_take_it_at_once(void **state)
{
    struct sim_client slow = {0}, good = {0};
    char *big = x_malloc(600001);
    (void)state;
    memset(big, 'x', 600000);
    memcpy(big, "[\"", 2);
    memcpy(big + 599998, "\"]", 3);
    sim_open(&slow, 4096);
    sim_connect(&slow, "", "");
    sim_connect(&good, "", "");
    struct str_view slow_id = sv_of(slow.sid);
    for (unsigned i = 0; i < 6; i++) {
        broadcast(&(struct bus_target){.rooms = &slow_id, .nrooms = 1}, big);
        sim_turns(2);
    }
    broadcast(&(struct bus_target){.is_volatile = true}, "[\"now\"]");
    sim_expect(&good, "2[\"now\"]");
    assert_int_equal(sim.gw->count.volatile_skips, 1);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(strlen(sim_next(&slow)), 600002);
    sim_expect_quiet(&slow);
    broadcast(&(struct bus_target){.is_volatile = true}, "[\"later\"]");
    sim_expect(&slow, "2[\"later\"]");
    assert_int_equal(sim.gw->count.volatile_skips, 1);
    sim_drop(&slow);
    sim_drop(&good);
    x_free(big);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connect_is_told_with_its_payload),
        TEST(event_is_told_and_answered),
        TEST(event_it_does_not_want_goes_to_the_routes),
        TEST(disconnect_is_told_with_its_reason),
        TEST(disconnect_with_close_ends_the_connection),
        TEST(stopping_tells_every_client),
        TEST(answer_is_called_back_once),
        TEST(answer_with_attachments_is_called_back_whole),
        TEST(no_answer_in_time_is_called_back_once),
        TEST(a_client_owes_a_thousand_answers_at_most),
        TEST(end_of_the_socket_fails_its_answers),
        TEST(broadcast_reaches_rooms_without_the_excepted),
        TEST(broadcast_stays_in_its_namespace),
        TEST(volatile_skips_who_cannot_take_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
