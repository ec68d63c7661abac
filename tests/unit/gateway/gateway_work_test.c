/* Events of clients on their way to workers, and when there is a way at all. */
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
#include "unit/gateway/gateway_work_fixture.h"
/* Gateway */
#include "gateway/gw_metrics.h"
#include "gateway/gw_work.h"

/* --- events */

static int start_events(void **state)
{
    (void)state;
    start_work("routes.events=w*=worker,*=all;socketio.namespaces=/,/chat");
    return 0;
}

static void events_are_items(void **state)
{
    struct sim_client c = {0};
    (void)state;
    sim_connect(&c, "/chat", "{}");
    assert_no_work_item(); /* connects are nobody's affair here */
    sim_send(&c, "2/chat,7[\"work\",12345678901234567890,\"\\ud800\",{\"b\":1,\"a\":2}]");
    const struct work_item *item = next_work_item(WORK_EVENT);
    assert_text(item->nsp, "/chat");
    assert_text(item->sid, c.sid);
    assert_text(item->event, "work");
    assert_text(item->args, "[\"work\",12345678901234567890,\"\\ud800\",{\"b\":1,\"a\":2}]");
    assert_true(item->wants_ack);
    assert_int_equal(item->ack_id, 7);
    assert_text(item->user, "");
    assert_text(item->claims, "{}");
    assert_text(item->data, "null");
    assert_true(item->serial > 0);
    sim_expect_quiet(&c); /* the worker acks */
    sim_send(&c, "2/chat,[\"w\\ud83d\"]");
    item = next_work_item(WORK_EVENT);
    assert_text(item->event, "w\xed\xa0\xbd");
    assert_false(item->wants_ack);
    sim_send(&c, "2/chat,[\"other\"]");
    sim_expect(&c, "2/chat,[\"other\"]");
    sim_drop(&c);
    assert_no_work_item();
}

static void an_items_data_is_the_sockets(void **state)
{
    struct sim_client c = {0};
    (void)state;
    sim_connect(&c, "", "{}");
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(c.sid));
    assert_true(gw_socket_set_data(s, SV("{\"seat\":4}")));
    sim_send(&c, "2[\"w\"]");
    assert_text(next_work_item(WORK_EVENT)->data, "{\"seat\":4}");
    assert_string_equal(fake_work.renewed, ""); /* workers were not told its connect */
    sim_drop(&c);
}

/* What becomes of an item that is not taken: the client hears it, if it asked. */
static void refusals_are_acked(void **state)
{
    static const struct {
        enum work_outcome outcome;
        const char *ack;
    } cases[] = {
        {WORK_FULL, "[{\"status\":\"error\",\"code\":\"overloaded\",\"message\":"
                    "\"too much waits for the workers\"}]"},
        {WORK_REFUSED, "[{\"status\":\"error\",\"code\":\"workers_unavailable\",\"message\":"
                       "\"the workers cannot be reached\"}]"},
        {WORK_TOO_LARGE, "[{\"status\":\"error\",\"code\":\"too_large\",\"message\":"
                         "\"it is too large for the workers\"}]"},
        {WORK_UNCERTAIN, "[{\"status\":\"error\",\"code\":\"workers_uncertain\",\"message\":"
                         "\"the way to the workers was lost: it may be handled or not\"}]"},
    };
    struct sim_client c = {0};
    (void)state;
    fake_work.takes_at_once = false;
    sim_connect(&c, "", "{}");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        sim_send(&c, "2[\"w\"]");
        next_work_item(WORK_EVENT);
        assert_null(fake_work.all[fake_work.seen - 1].done);
        sim_send(&c, "21[\"w\"]");
        next_work_item(WORK_EVENT);
        tell_item(fake_work.seen - 1, cases[i].outcome);
        snprintf(text, sizeof(text), "31%s", cases[i].ack);
        sim_expect(&c, text);
    }
    sim_drop(&c);
}

static void the_client_may_be_gone_by_then(void **state)
{
    struct sim_client c = {0};
    (void)state;
    fake_work.takes_at_once = false;
    sim_connect(&c, "", "{}");
    sim_send(&c, "21[\"w\"]");
    next_work_item(WORK_EVENT);
    sim_drop(&c);
    sim_turns(10);
    tell_item(0, WORK_FULL);
    sim_turns(2);
}

static void without_a_way_events_are_refused(void **state)
{
    struct sim_client c = {0};
    (void)state;
    sim_connect(&c, "", "{}");
    sim.gw->work = NULL;
    sim_send(&c, "21[\"w\"]");
    sim_expect(&c, "31[{\"status\":\"error\",\"code\":\"workers_unavailable\",\"message\":"
                   "\"the workers cannot be reached\"}]");
    sim.gw->work = &fake_work.out;
    sim_drop(&c);
}

static void metrics_tell_of_work(void **state)
{
    struct buf text;
    (void)state;
    fake_work.out.stats = (struct work_stats){.taken = 11,
                                              .full = 12,
                                              .refused = 13,
                                              .too_large = 14,
                                              .uncertain = 15,
                                              .repeated = 16,
                                              .pending = 17,
                                              .pending_bytes = 18,
                                              .backlog = 19,
                                              .partitions_full = 20};
    buf_init(&text, 1 << 20);
    assert_true(gw_metrics_write(sim.gw, true, &text));
    static const char *const lines[] = {
        "peal_work_items_total{outcome=\"taken\"} 11\n",
        "peal_work_items_total{outcome=\"full\"} 12\n",
        "peal_work_items_total{outcome=\"refused\"} 13\n",
        "peal_work_items_total{outcome=\"too_large\"} 14\n",
        "peal_work_items_total{outcome=\"uncertain\"} 15\n",
        "peal_work_repeated_total 16\n",
        "peal_work_pending 17\n",
        "peal_work_pending_bytes 18\n",
        "peal_work_backlog 19\n",
        "peal_work_partitions_full 20\n",
        "peal_work_down 0\n",
        "peal_asks_pending 0\n",
        "peal_asks_total 0\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!strstr(buf_cstr(&text), lines[i])) fail_msg("no %s", lines[i]);
    buf_fini(&text);
    fake_work.out.stats = (struct work_stats){0};
}

/* --- the way itself */

static void a_gateway_alone_has_a_way_in_its_process(void **state)
{
    struct sim_client c = {0};
    (void)state;
    sim_start(NULL, "routes.events=w=worker");
    assert_string_equal(sim.gw->work->ops->trouble(sim.gw->work), "no worker");
    assert_null(gw_work_refusal(sim.gw));
    sim_connect(&c, "", "{}");
    sim_send(&c, "21[\"w\"]");
    sim_expect(&c, "31[{\"status\":\"error\",\"code\":\"workers_unavailable\",\"message\":"
                   "\"the workers cannot be reached\"}]");
    sim_drop(&c);
}

static void redis_is_asked_for_only_if_needed(void **state)
{
    static const struct {
        const char *settings;
        bool opens;
    } cases[] = {
        {"routes.events=*=all", false},
        {"routes.events=worker=all", false},
        {"routes.events=*=all,/x a=b=worker", true},
        {"routes.lifecycle=*", true},
        {"routes.ask_connect=/a", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *settings = x_asprintf("redis.url=redis://127.0.0.1:1;%s", cases[i].settings);
        sim_start(NULL, settings);
        assert_int_equal(sim.gw->work != NULL, cases[i].opens);
        if (i + 1 < sizeof(cases) / sizeof(cases[0])) sim_stop();
        x_free(settings);
    }
}

#define TEST(name, start) cmocka_unit_test_setup_teardown(name, start, stop_work)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_are_items, start_events),
        TEST(an_items_data_is_the_sockets, start_events),
        TEST(refusals_are_acked, start_events),
        TEST(the_client_may_be_gone_by_then, start_events),
        TEST(without_a_way_events_are_refused, start_events),
        TEST(metrics_tell_of_work, start_events),
        cmocka_unit_test_teardown(a_gateway_alone_has_a_way_in_its_process, stop_work),
        cmocka_unit_test_teardown(redis_is_asked_for_only_if_needed, stop_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
