/* Connects that a worker is asked about: at CONNECT, and behind `authenticate`. */
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

/* --- a worker is asked */

static int start_asks(void **state)
{
    (void)state;
    start_work(
        "routes.ask_connect=/,/ask;routes.ask_timeout=3000;socketio.namespaces=/,/ask,/other;"
        "auth.mode=connect;engine.ping_interval=600000;routes.events=*=all");
    return 0;
}

static void ask(struct sim_client *c, const char *nsp)
{
    char *auth = auth_of("ann"), *packet = x_asprintf("0%s%s", nsp, auth);
    *c = (struct sim_client){0};
    sim_open(c, 0);
    sim_send(c, packet);
    x_free(packet);
    x_free(auth);
}

static const struct work_item *next_question(void)
{
    const struct work_item *item = next_work_item(WORK_CONNECT);
    assert_true(item->asks);
    assert_text(item->user, "ann");
    return item;
}

static void who_is_admitted_gets_in(void **state)
{
    struct sim_client c;
    char text[64];
    (void)state;
    ask(&c, "/ask,");
    const struct work_item *item = next_question();
    sim_expect_quiet(&c);
    assert_int_equal(sim.gw->gauge.asking, 1);
    assert_int_equal(sim.gw->nsockets, 0);
    answer_item(item, NODE_ADMIT, NULL);
    snprintf(text, sizeof(text), "0/ask,{\"sid\":\"%.*s\"}", SV_ARG(item->sid));
    sim_expect(&c, text);
    assert_int_equal(sim.gw->gauge.asking, 0);
    assert_int_equal(sim.gw->count.asks_admitted, 1);
    assert_int_equal(sim.gw->nsockets, 1);
    assert_true(gw_socket_is_in(gw_socket_find(sim.gw, item->nsp, item->sid), SV("user:ann")));
    answer_item(item, NODE_ADMIT, NULL); /* a repeat is void */
    answer_item(item, NODE_REFUSE, "{}");
    assert_int_equal(sim.gw->count.node_cmds_void, 2);
    assert_no_work_item(); /* it is told once */
    sim_drop(&c);
    item = next_work_item(WORK_DISCONNECT);
    assert_text(item->user, "ann");
    assert_no_work_item();
}

static void who_is_refused_hears_why(void **state)
{
    static const char *const cases[][2] = {
        {"{\"message\":\"no \\u00e4\",\"data\":{\"seat\":12345678901234567890}}", NULL},
        {"{\"message\":\"no\"}", NULL},
        {"{\"message\":7}", "{\"message\":\"refused\"}"},
        {"[]", "{\"message\":\"refused\"}"},
        {"", "{\"message\":\"refused\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_client c;
        char text[128], gone[64];
        ask(&c, "");
        const struct work_item *item = next_question();
        answer_item(item, NODE_REFUSE, cases[i][0]);
        snprintf(text, sizeof(text), "4%s", cases[i][1] ? cases[i][1] : cases[i][0]);
        sim_expect(&c, text);
        snprintf(gone, sizeof(gone), "/ %.*s", SV_ARG(item->sid));
        assert_string_equal(fake_work.forgotten, gone);
        sim_drop(&c);
        assert_no_work_item(); /* who is refused does not leave */
    }
    assert_int_equal(sim.gw->count.refusals[GW_REFUSAL_BY_WORKER], 5);
    assert_int_equal(sim.gw->gauge.asking, 0);
}

static void nobody_waits_for_ever(void **state)
{
    struct sim_client c;
    (void)state;
    ask(&c, "");
    const struct work_item *item = next_question();
    sim_pass(2);
    sim_expect_quiet(&c);
    sim_pass(2);
    sim_expect(&c, "4{\"message\":\"admission timed out\"}");
    assert_text(next_work_item(WORK_DISCONNECT)->reason, "admission timeout");
    answer_item(item, NODE_ADMIT, NULL); /* too late */
    sim_expect_quiet(&c);
    assert_int_equal(sim.gw->count.node_cmds_void, 1);
    assert_int_equal(sim.gw->count.refusals[GW_REFUSAL_ADMISSION_TIMEOUT], 1);
    sim_drop(&c);
    assert_no_work_item();
}

static void a_refused_one_may_try_again(void **state)
{
    struct sim_client c;
    char text[64];
    char *auth = auth_of("ann"), *packet = x_asprintf("0%s", auth);
    (void)state;
    ask(&c, "");
    answer_item(next_question(), NODE_REFUSE, "{\"message\":\"no\"}");
    sim_expect(&c, "4{\"message\":\"no\"}");
    sim_send(&c, packet);
    const struct work_item *item = next_question();
    answer_item(item, NODE_ADMIT, NULL);
    snprintf(text, sizeof(text), "0{\"sid\":\"%.*s\"}", SV_ARG(item->sid));
    sim_expect(&c, text);
    sim_drop(&c);
    next_work_item(WORK_DISCONNECT);
    x_free(packet);
    x_free(auth);
}

/* The time for joining a namespace begins anew. */
static void a_refused_one_does_not_stay_for_nothing(void **state)
{
    struct sim_client c;
    (void)state;
    ask(&c, "");
    answer_item(next_question(), NODE_REFUSE, "{\"message\":\"no\"}");
    sim_expect(&c, "4{\"message\":\"no\"}");
    sim_pass((unsigned)sim.cfg.socketio_connect_timeout / 1000 + 2);
    assert_int_equal(sim.gw->count.closes[REASON_CONNECT_TIMEOUT], 1);
    sim_drop(&c);
}

static void a_question_that_cannot_be_asked_is_a_refusal(void **state)
{
    struct sim_client c;
    (void)state;
    fake_work.takes_at_once = false;
    ask(&c, "");
    next_question();
    tell_item(fake_work.seen - 1, WORK_FULL);
    sim_expect(&c, "4{\"message\":\"too much waits for the workers\","
                   "\"data\":{\"code\":\"overloaded\"}}");
    sim_drop(&c);
    assert_no_work_item();
    ask(&c, "");
    next_question();
    tell_item(fake_work.seen - 1, WORK_UNCERTAIN); /* perhaps a worker knows it */
    assert_string_equal(sim_next(&c),
                        "44{\"message\":\"the way to the workers was lost: it may be "
                        "handled or not\",\"data\":{\"code\":\"workers_uncertain\"}}");
    next_work_item(WORK_DISCONNECT);
    sim_drop(&c);
    sim.gw->work = NULL;
    ask(&c, "");
    sim_expect(&c, "4{\"message\":\"the workers cannot be reached\","
                   "\"data\":{\"code\":\"workers_unavailable\"}}");
    sim.gw->work = &fake_work.out;
    sim_drop(&c);
    assert_no_work_item();
    assert_int_equal(sim.gw->count.refusals[GW_REFUSAL_NOT_ASKED], 3);
}

static void who_goes_while_asked_is_told_and_forgotten(void **state)
{
    struct sim_client c;
    (void)state;
    ask(&c, "");
    const struct work_item *item = next_question();
    sim_drop(&c);
    assert_text(next_work_item(WORK_DISCONNECT)->user, "ann");
    assert_int_equal(sim.gw->gauge.asking, 0);
    answer_item(item, NODE_ADMIT, NULL);
    assert_int_equal(sim.gw->count.node_cmds_void, 1);
    assert_no_work_item();
}

static void answers_are_for_the_socket_that_asked(void **state)
{
    struct sim_client a, b;
    char text[64];
    (void)state;
    ask(&a, "");
    const struct work_item *first = next_question();
    ask(&b, "/ask,");
    const struct work_item *second = next_question();
    assert_int_equal(sim.gw->gauge.asking, 2);
    struct work_item wrong = *second;
    wrong.serial = first->serial;
    answer_item(&wrong, NODE_ADMIT, NULL);
    wrong = *second;
    wrong.nsp = SV("/");
    answer_item(&wrong, NODE_ADMIT, NULL);
    wrong.nsp = SV("/none");
    answer_item(&wrong, NODE_REFUSE, NULL);
    assert_int_equal(sim.gw->count.node_cmds_void, 3);
    sim_expect_quiet(&a);
    sim_expect_quiet(&b);
    answer_item(second, NODE_ADMIT, NULL);
    snprintf(text, sizeof(text), "0/ask,{\"sid\":\"%.*s\"}", SV_ARG(second->sid));
    sim_expect(&b, text);
    answer_item(first, NODE_REFUSE, "{\"message\":\"no\"}");
    sim_expect(&a, "4{\"message\":\"no\"}");
    sim_drop(&a);
    sim_drop(&b);
}

static void the_gateway_may_end_meanwhile(void **state)
{
    struct sim_client c;
    (void)state;
    ask(&c, "");
    next_question();
    sim_drop(&c); /* unread: sim_stop ends the socket */
}

static void others_need_not_be_asked(void **state)
{
    (void)state;
    assert_no_items_of("/other");
}

/* --- in the event way */

static int start_event_way(void **state)
{
    (void)state;
    start_work(
        "routes.ask_connect=/;routes.ask_timeout=3000;auth.mode=event;routes.events=w=worker;"
        "engine.ping_interval=600000");
    return 0;
}

static void authenticate(struct sim_client *c)
{
    char *claims = x_asprintf("{\"sub\":\"ann\",\"exp\":%lld}", (long long)sim.wall + 1000);
    char *token = sim_token(claims);
    char *packet = x_asprintf("25[\"authenticate\",{\"token\":\"%s\"}]", token);
    *c = (struct sim_client){0};
    sim_connect(c, "", "{\"lang\":\"en\"}");
    assert_no_work_item();
    sim_send(c, packet);
    x_free(packet);
    x_free(token);
    x_free(claims);
}

static void a_worker_is_asked_behind_authenticate(void **state)
{
    struct sim_client c;
    (void)state;
    authenticate(&c);
    const struct work_item *item = next_question();
    assert_text(item->auth, "{}");
    sim_send(&c, "21[\"w\"]");
    sim_expect(&c, "31[{\"status\":\"error\",\"code\":\"credentials_required\",\"message\":"
                   "\"authenticate first\"}]");
    answer_item(item, NODE_ADMIT, NULL);
    sim_expect(&c, "35[{\"status\":\"ok\"}]");
    sim_expect(&c, "2[\"authenticated\"]");
    sim_send(&c, "2[\"w\"]");
    assert_text(next_work_item(WORK_EVENT)->user, "ann");
    sim_drop(&c);
    next_work_item(WORK_DISCONNECT);
    assert_no_work_item();
}

static void refused_there_is_unauthorized(void **state)
{
    struct sim_client c;
    (void)state;
    authenticate(&c);
    answer_item(next_question(), NODE_REFUSE, "{\"message\":\"banned\",\"data\":1}");
    sim_expect(&c, "35[{\"status\":\"error\",\"code\":\"refused\",\"message\":"
                   "\"a worker has not let you in\"}]");
    sim_expect(&c, "2[\"unauthorized\",{\"message\":\"banned\",\"data\":1}]");
    sim_expect(&c, "1");
    sim_turns(5);
    assert_int_equal(sim.gw->count.closes[REASON_NOT_ADMITTED], 1);
    assert_no_work_item();
    sim_drop(&c);
}

static void timed_out_there_too(void **state)
{
    struct sim_client c;
    (void)state;
    authenticate(&c);
    next_question();
    sim_pass(4);
    sim_expect(&c, "35[{\"status\":\"error\",\"code\":\"admission_timeout\",\"message\":"
                   "\"a worker has not let you in\"}]");
    sim_expect(&c, "2[\"unauthorized\",{\"message\":\"admission timed out\"}]");
    sim_expect(&c, "1");
    assert_text(next_work_item(WORK_DISCONNECT)->user, "ann");
    sim_drop(&c);
}

#define TEST(name, start) cmocka_unit_test_setup_teardown(name, start, stop_work)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_admitted_gets_in, start_asks),
        TEST(who_is_refused_hears_why, start_asks),
        TEST(nobody_waits_for_ever, start_asks),
        TEST(a_refused_one_may_try_again, start_asks),
        TEST(a_refused_one_does_not_stay_for_nothing, start_asks),
        TEST(a_question_that_cannot_be_asked_is_a_refusal, start_asks),
        TEST(who_goes_while_asked_is_told_and_forgotten, start_asks),
        TEST(answers_are_for_the_socket_that_asked, start_asks),
        TEST(the_gateway_may_end_meanwhile, start_asks),
        TEST(others_need_not_be_asked, start_asks),
        TEST(a_worker_is_asked_behind_authenticate, start_event_way),
        TEST(refused_there_is_unauthorized, start_event_way),
        TEST(timed_out_there_too, start_event_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
