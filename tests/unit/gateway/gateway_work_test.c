/* What a whole gateway hands to workers, with a fake in the place of the way to them: events, connects
 * and disconnects, connects that a worker is asked about. */
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
#include "gateway/gw_ask.h"
#include "gateway/gw_metrics.h"
#include "gateway/gw_work.h"

#define ITEMS_MAX 64

/* --- the fake */

static struct fake {
    struct work_out out;
    struct {
        struct work_item *item; /* NULL: it has been told */
        work_done_cb done;
        void *arg;
    } all[ITEMS_MAX];
    unsigned n;
    unsigned seen; /* by assert_item() */
    char forgotten[256], renewed[256];
    bool takes_at_once;
} fake;

static void tell(unsigned i, enum work_outcome outcome)
{
    work_stats_count(&fake.out.stats, outcome);
    if (fake.all[i].done) fake.all[i].done(outcome, fake.all[i].arg);
    fake.all[i].done = NULL;
}

static void fake_submit(struct work_out *w, const struct work_item *item, work_done_cb done,
                        void *arg)
{
    assert_ptr_equal(w, &fake.out);
    assert_true(fake.n < ITEMS_MAX);
    fake.all[fake.n].item = work_item_new(item);
    fake.all[fake.n].done = done;
    fake.all[fake.n++].arg = arg;
}

static void fake_forget(struct work_out *w, struct str_view nsp, struct str_view sid)
{
    (void)w;
    snprintf(fake.forgotten, sizeof(fake.forgotten), "%.*s %.*s", SV_ARG(nsp), SV_ARG(sid));
}

static void fake_renew(struct work_out *w, const struct work_item *item)
{
    (void)w;
    snprintf(fake.renewed, sizeof(fake.renewed), "%.*s %llu %.*s", SV_ARG(item->sid),
             (unsigned long long)item->serial, SV_ARG(item->data));
}

static bool fake_flush(struct work_out *w)
{
    (void)w;
    for (unsigned i = 0; fake.takes_at_once && i < fake.n; i++)
        if (fake.all[i].done) tell(i, WORK_TAKEN);
    return false;
}

static const char *fake_trouble(struct work_out *w)
{
    (void)w;
    return NULL;
}

static void fake_free(struct work_out *w)
{
    (void)w;
    for (unsigned i = 0; i < fake.n; i++) {
        if (fake.all[i].done) tell(i, WORK_REFUSED);
        x_free(fake.all[i].item);
    }
}

static void start_with(const char *settings)
{
    static const struct work_out_ops ops = {.submit = fake_submit,
                                            .renew = fake_renew,
                                            .forget = fake_forget,
                                            .flush = fake_flush,
                                            .trouble = fake_trouble,
                                            .free = fake_free};
    sim_start(NULL, settings);
    sim.gw->work->ops->free(sim.gw->work);
    memset(&fake, 0, sizeof(fake));
    fake.out.ops = &ops;
    fake.takes_at_once = true;
    sim.gw->work = &fake.out;
}

static int stop(void **state)
{
    (void)state;
    sim_stop();
    return 0;
}

static bool has_item(void *arg)
{
    return fake.n > *(unsigned *)arg;
}

/* The next item in order; lends. */
static const struct work_item *next_item(enum work_type type)
{
    sim_until(has_item, &fake.seen);
    const struct work_item *item = fake.all[fake.seen++].item;
    assert_string_equal(work_type_name(item->type), work_type_name(type));
    char id[32];
    snprintf(id, sizeof(id), "%.*s-%u", SV_ARG(item->gateway), fake.seen);
    assert_true(sv_eq(item->id, sv_of(id)));
    assert_true(sv_eq(item->gateway, sv_make(sim.gw->node, ID_NODE_LEN)));
    assert_true(item->time_ms > UINT64_C(1700000000000));
    return item;
}

static void assert_no_item(void)
{
    sim_turns(5);
    assert_int_equal(fake.n, fake.seen);
}

#define assert_text(view, want)                                                                    \
    do {                                                                                           \
        struct str_view view_ = (view);                                                            \
        assert_int_equal(view_.n, strlen(want));                                                   \
        if (view_.n) assert_memory_equal(view_.p, want, view_.n);                                  \
    } while (0)

static void answer(const struct work_item *item, enum node_cmd_type type, const char *json)
{
    gw_ask_answer(sim.gw, &(struct node_cmd){.type = type,
                                             .nsp = item->nsp,
                                             .sid = item->sid,
                                             .serial = item->serial,
                                             .json = json ? sv_of(json) : SV("")});
}

static char *auth_of(const char *sub)
{
    char *claims = x_asprintf("{\"sub\":\"%s\",\"exp\":%lld}", sub, (long long)sim.wall + 1000);
    char *token = sim_token(claims);
    char *auth = x_asprintf("{\"a\":[1],\"token\":\"%s\",\"b\":\"\\u0000\"}", token);
    x_free(token);
    x_free(claims);
    return auth;
}

/* --- events */

static int start_events(void **state)
{
    (void)state;
    start_with("routes.events=w*=worker,*=all;socketio.namespaces=/,/chat");
    return 0;
}

static void events_are_items(void **state)
{
    struct sim_client c = {0};
    (void)state;
    sim_connect(&c, "/chat", "{}");
    assert_no_item(); /* connects are nobody's affair here */
    sim_send(&c, "2/chat,7[\"work\",12345678901234567890,\"\\ud800\",{\"b\":1,\"a\":2}]");
    const struct work_item *item = next_item(WORK_EVENT);
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
    item = next_item(WORK_EVENT);
    assert_text(item->event, "w\xed\xa0\xbd");
    assert_false(item->wants_ack);
    sim_send(&c, "2/chat,[\"other\"]");
    sim_expect(&c, "2/chat,[\"other\"]");
    sim_drop(&c);
    assert_no_item();
}

static void an_items_data_is_the_sockets(void **state)
{
    struct sim_client c = {0};
    (void)state;
    sim_connect(&c, "", "{}");
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(c.sid));
    assert_true(gw_socket_set_data(s, SV("{\"seat\":4}")));
    sim_send(&c, "2[\"w\"]");
    assert_text(next_item(WORK_EVENT)->data, "{\"seat\":4}");
    assert_string_equal(fake.renewed, ""); /* workers were not told its connect */
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
    fake.takes_at_once = false;
    sim_connect(&c, "", "{}");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        sim_send(&c, "2[\"w\"]");
        next_item(WORK_EVENT);
        assert_null(fake.all[fake.seen - 1].done);
        sim_send(&c, "21[\"w\"]");
        next_item(WORK_EVENT);
        tell(fake.seen - 1, cases[i].outcome);
        snprintf(text, sizeof(text), "31%s", cases[i].ack);
        sim_expect(&c, text);
    }
    sim_drop(&c);
}

static void the_client_may_be_gone_by_then(void **state)
{
    struct sim_client c = {0};
    (void)state;
    fake.takes_at_once = false;
    sim_connect(&c, "", "{}");
    sim_send(&c, "21[\"w\"]");
    next_item(WORK_EVENT);
    sim_drop(&c);
    sim_turns(10);
    tell(0, WORK_FULL);
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
    sim.gw->work = &fake.out;
    sim_drop(&c);
}

static void metrics_tell_of_work(void **state)
{
    struct buf text;
    (void)state;
    fake.out.stats = (struct work_stats){.taken = 11,
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
    fake.out.stats = (struct work_stats){0};
}

/* --- connects and disconnects */

static int start_lifecycle(void **state)
{
    (void)state;
    start_with("routes.lifecycle=/,/l*;routes.events=w=worker;socketio.namespaces=/,/life,/other;"
               "auth.mode=connect");
    return 0;
}

static void workers_are_told_who_comes_and_goes(void **state)
{
    struct sim_client c = {0};
    char *auth = auth_of("ann");
    (void)state;
    sim_connect(&c, "/life", auth);
    const struct work_item *item = next_item(WORK_CONNECT);
    assert_text(item->nsp, "/life");
    assert_text(item->sid, c.sid);
    assert_text(item->user, "ann");
    assert_non_null(memmem(item->claims.p, item->claims.n, "\"sub\":\"ann\"", 11));
    assert_text(item->auth, "{\"a\":[1],\"b\":\"\\u0000\"}"); /* the token is not handed on */
    assert_text(item->address, "127.0.0.1");
    assert_text(item->transport, "websocket");
    assert_false(item->asks);
    sim_send(&c, "2/life,[\"w\"]");
    assert_text(next_item(WORK_EVENT)->user, "ann");
    sim_send(&c, "1/life,");
    item = next_item(WORK_DISCONNECT);
    assert_text(item->reason, "client namespace disconnect");
    assert_text(item->user, "ann");
    assert_text(item->sid, c.sid);
    sim_drop(&c);
    assert_no_item();
    x_free(auth);
}

/* If the gateway dies, the disconnect that others tell instead has the data, too. */
static void data_of_a_told_socket_is_remembered(void **state)
{
    struct sim_client c = {0};
    char want[128], *auth = auth_of("ann");
    (void)state;
    sim_connect(&c, "", auth);
    const struct work_item *item = next_item(WORK_CONNECT);
    snprintf(want, sizeof(want), "%s %llu {\"seat\":4}", c.sid, (unsigned long long)item->serial);
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(c.sid));
    assert_true(gw_socket_set_data(s, SV("{\"seat\":4}")));
    assert_string_equal(fake.renewed, want);
    assert_false(gw_socket_set_data(s, SV("{")));
    assert_string_equal(fake.renewed, want);
    sim_drop(&c);
    assert_text(next_item(WORK_DISCONNECT)->data, "{\"seat\":4}");
    x_free(auth);
}

static void other_namespaces_are_not_told(void **state)
{
    struct sim_client c = {0};
    char *auth = auth_of("ann");
    (void)state;
    sim_connect(&c, "/other", auth);
    sim_drop(&c);
    assert_no_item();
    x_free(auth);
}

static void each_socket_of_a_lost_connection_is_told(void **state)
{
    struct sim_client c = {0};
    char *auth = auth_of("ann"), *more = x_asprintf("0/life,%s", auth);
    (void)state;
    sim_connect(&c, "", auth);
    next_item(WORK_CONNECT);
    sim_send(&c, more);
    assert_text(next_item(WORK_CONNECT)->nsp, "/life");
    sim_drop(&c);
    assert_text(next_item(WORK_DISCONNECT)->reason, "transport close");
    assert_text(next_item(WORK_DISCONNECT)->reason, "transport close");
    assert_no_item();
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
    fake.takes_at_once = false;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_client c = {0};
        sim_connect(&c, "", auth);
        next_item(WORK_CONNECT);
        unsigned connect = fake.seen - 1;
        if (!cases[i].early) tell(connect, cases[i].outcome);
        sim_drop(&c);
        sim_turns(10);
        if (cases[i].early) {
            assert_no_item();
            tell(connect, cases[i].outcome);
        }
        if (cases[i].told) assert_text(next_item(WORK_DISCONNECT)->user, "ann");
        assert_no_item();
    }
    x_free(auth);
}

static void the_gateways_end_is_a_disconnect(void **state)
{
    struct sim_client c = {0};
    char *auth = auth_of("ann");
    (void)state;
    sim_connect(&c, "", auth);
    next_item(WORK_CONNECT);
    sim_turns(3);
    gw_server_stop(sim.gw);
    assert_text(next_item(WORK_DISCONNECT)->reason, "server shutting down");
    sim_drop(&c);
    x_free(auth);
}

/* --- a worker is asked */

static int start_asks(void **state)
{
    (void)state;
    start_with(
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
    const struct work_item *item = next_item(WORK_CONNECT);
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
    answer(item, NODE_ADMIT, NULL);
    snprintf(text, sizeof(text), "0/ask,{\"sid\":\"%.*s\"}", SV_ARG(item->sid));
    sim_expect(&c, text);
    assert_int_equal(sim.gw->gauge.asking, 0);
    assert_int_equal(sim.gw->count.asks_admitted, 1);
    assert_int_equal(sim.gw->nsockets, 1);
    assert_true(gw_socket_is_in(gw_socket_find(sim.gw, item->nsp, item->sid), SV("user:ann")));
    answer(item, NODE_ADMIT, NULL); /* a repeat is void */
    answer(item, NODE_REFUSE, "{}");
    assert_int_equal(sim.gw->count.node_cmds_void, 2);
    assert_no_item(); /* it is told once */
    sim_drop(&c);
    item = next_item(WORK_DISCONNECT);
    assert_text(item->user, "ann");
    assert_no_item();
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
        answer(item, NODE_REFUSE, cases[i][0]);
        snprintf(text, sizeof(text), "4%s", cases[i][1] ? cases[i][1] : cases[i][0]);
        sim_expect(&c, text);
        snprintf(gone, sizeof(gone), "/ %.*s", SV_ARG(item->sid));
        assert_string_equal(fake.forgotten, gone);
        sim_drop(&c);
        assert_no_item(); /* who is refused does not leave */
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
    assert_text(next_item(WORK_DISCONNECT)->reason, "admission timeout");
    answer(item, NODE_ADMIT, NULL); /* too late */
    sim_expect_quiet(&c);
    assert_int_equal(sim.gw->count.node_cmds_void, 1);
    assert_int_equal(sim.gw->count.refusals[GW_REFUSAL_ADMISSION_TIMEOUT], 1);
    sim_drop(&c);
    assert_no_item();
}

static void a_refused_one_may_try_again(void **state)
{
    struct sim_client c;
    char text[64];
    char *auth = auth_of("ann"), *packet = x_asprintf("0%s", auth);
    (void)state;
    ask(&c, "");
    answer(next_question(), NODE_REFUSE, "{\"message\":\"no\"}");
    sim_expect(&c, "4{\"message\":\"no\"}");
    sim_send(&c, packet);
    const struct work_item *item = next_question();
    answer(item, NODE_ADMIT, NULL);
    snprintf(text, sizeof(text), "0{\"sid\":\"%.*s\"}", SV_ARG(item->sid));
    sim_expect(&c, text);
    sim_drop(&c);
    next_item(WORK_DISCONNECT);
    x_free(packet);
    x_free(auth);
}

/* The time for joining a namespace begins anew. */
static void a_refused_one_does_not_stay_for_nothing(void **state)
{
    struct sim_client c;
    (void)state;
    ask(&c, "");
    answer(next_question(), NODE_REFUSE, "{\"message\":\"no\"}");
    sim_expect(&c, "4{\"message\":\"no\"}");
    sim_pass((unsigned)sim.cfg.socketio_connect_timeout / 1000 + 2);
    assert_int_equal(sim.gw->count.closes[REASON_CONNECT_TIMEOUT], 1);
    sim_drop(&c);
}

static void a_question_that_cannot_be_asked_is_a_refusal(void **state)
{
    struct sim_client c;
    (void)state;
    fake.takes_at_once = false;
    ask(&c, "");
    next_question();
    tell(fake.seen - 1, WORK_FULL);
    sim_expect(&c, "4{\"message\":\"too much waits for the workers\","
                   "\"data\":{\"code\":\"overloaded\"}}");
    sim_drop(&c);
    assert_no_item();
    ask(&c, "");
    next_question();
    tell(fake.seen - 1, WORK_UNCERTAIN); /* perhaps a worker knows it */
    assert_string_equal(sim_next(&c),
                        "44{\"message\":\"the way to the workers was lost: it may be "
                        "handled or not\",\"data\":{\"code\":\"workers_uncertain\"}}");
    next_item(WORK_DISCONNECT);
    sim_drop(&c);
    sim.gw->work = NULL;
    ask(&c, "");
    sim_expect(&c, "4{\"message\":\"the workers cannot be reached\","
                   "\"data\":{\"code\":\"workers_unavailable\"}}");
    sim.gw->work = &fake.out;
    sim_drop(&c);
    assert_no_item();
    assert_int_equal(sim.gw->count.refusals[GW_REFUSAL_NOT_ASKED], 3);
}

static void who_goes_while_asked_is_told_and_forgotten(void **state)
{
    struct sim_client c;
    (void)state;
    ask(&c, "");
    const struct work_item *item = next_question();
    sim_drop(&c);
    assert_text(next_item(WORK_DISCONNECT)->user, "ann");
    assert_int_equal(sim.gw->gauge.asking, 0);
    answer(item, NODE_ADMIT, NULL);
    assert_int_equal(sim.gw->count.node_cmds_void, 1);
    assert_no_item();
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
    answer(&wrong, NODE_ADMIT, NULL);
    wrong = *second;
    wrong.nsp = SV("/");
    answer(&wrong, NODE_ADMIT, NULL);
    wrong.nsp = SV("/none");
    answer(&wrong, NODE_REFUSE, NULL);
    assert_int_equal(sim.gw->count.node_cmds_void, 3);
    sim_expect_quiet(&a);
    sim_expect_quiet(&b);
    answer(second, NODE_ADMIT, NULL);
    snprintf(text, sizeof(text), "0/ask,{\"sid\":\"%.*s\"}", SV_ARG(second->sid));
    sim_expect(&b, text);
    answer(first, NODE_REFUSE, "{\"message\":\"no\"}");
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
    struct sim_client c = {0};
    char *auth = auth_of("ann");
    (void)state;
    sim_connect(&c, "/other", auth);
    sim_drop(&c);
    assert_no_item();
    x_free(auth);
}

/* --- in the event way */

static int start_event_way(void **state)
{
    (void)state;
    start_with(
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
    assert_no_item();
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
    answer(item, NODE_ADMIT, NULL);
    sim_expect(&c, "35[{\"status\":\"ok\"}]");
    sim_expect(&c, "2[\"authenticated\"]");
    sim_send(&c, "2[\"w\"]");
    assert_text(next_item(WORK_EVENT)->user, "ann");
    sim_drop(&c);
    next_item(WORK_DISCONNECT);
    assert_no_item();
}

static void refused_there_is_unauthorized(void **state)
{
    struct sim_client c;
    (void)state;
    authenticate(&c);
    answer(next_question(), NODE_REFUSE, "{\"message\":\"banned\",\"data\":1}");
    sim_expect(&c, "35[{\"status\":\"error\",\"code\":\"refused\",\"message\":"
                   "\"a worker has not let you in\"}]");
    sim_expect(&c, "2[\"unauthorized\",{\"message\":\"banned\",\"data\":1}]");
    sim_expect(&c, "1");
    sim_turns(5);
    assert_int_equal(sim.gw->count.closes[REASON_NOT_ADMITTED], 1);
    assert_no_item();
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
    assert_text(next_item(WORK_DISCONNECT)->user, "ann");
    sim_drop(&c);
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

#define TEST(name, start) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_are_items, start_events),
        TEST(an_items_data_is_the_sockets, start_events),
        TEST(refusals_are_acked, start_events),
        TEST(the_client_may_be_gone_by_then, start_events),
        TEST(without_a_way_events_are_refused, start_events),
        TEST(metrics_tell_of_work, start_events),
        TEST(workers_are_told_who_comes_and_goes, start_lifecycle),
        TEST(other_namespaces_are_not_told, start_lifecycle),
        TEST(data_of_a_told_socket_is_remembered, start_lifecycle),
        TEST(each_socket_of_a_lost_connection_is_told, start_lifecycle),
        TEST(a_disconnect_follows_a_connect_that_went, start_lifecycle),
        TEST(the_gateways_end_is_a_disconnect, start_lifecycle),
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
        cmocka_unit_test_teardown(a_gateway_alone_has_a_way_in_its_process, stop),
        cmocka_unit_test_teardown(redis_is_asked_for_only_if_needed, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
