/* Messages for one node, and a node without clients, on a real Redis. What clients see of this bus is
 * tested with them (tests/integration). */
/* System */
#include <string.h>

/* Io */
#include "io/bus_redis.h"
/* Tests */
#include "unit/io/redis_fixture.h"

#define UID_A "nodeAAAA"
#define UID_B "nodeBBBB"

struct node {
    struct bus *bus;
    char heard[4096]; /* what it was told, a word each */
    int64_t counted;
};

static struct {
    struct node a, b;
    struct noted *redis; /* a plain connection */
} t;

static void note(struct node *n, const char *what, struct str_view more)
{
    size_t at = strlen(n->heard);
    snprintf(n->heard + at, sizeof(n->heard) - at, "%s%s%.*s", at ? " " : "", what,
             (int)(more.n < 100 ? more.n : 100), more.p);
}

static void on_deliver(const struct bus_msg *m, void *arg)
{
    note(arg, "", m->json);
}

static void on_request(const struct bus_request *r, void *arg)
{
    struct node *n = arg;
    note(n, "request-", r->id);
    const struct bus_response answer = {.type = BUS_ROOMS,
                                        .nsp = r->nsp,
                                        .id = r->id,
                                        .to = r->uid,
                                        .uid = n->bus->uid,
                                        .json = SV("[\"r\"]")};
    n->bus->ops->respond(n->bus, &answer);
}

static void on_response(const struct bus_response *r, void *arg)
{
    note(arg, "response-", r->json);
}

static void on_direct(struct str_view bytes, void *arg)
{
    note(arg, "direct-", bytes);
}

static void on_gap(uint64_t ms, void *arg)
{
    (void)ms;
    note(arg, "gap", SV(""));
}

static bool describe(struct buf *out, void *arg)
{
    (void)arg;
    return buf_add_sv(out, SV(",\"role\":\"worker\""));
}

static void on_done(enum bus_outcome outcome, void *arg)
{
    static const char *const words[] = {"taken", "refused", "too-large", "uncertain", "nobody"};
    note(arg, words[outcome], SV(""));
}

static void on_counted(int64_t nodes, const struct bus_node *known, size_t nknown, void *arg)
{
    struct node *n = arg;
    n->counted = nodes;
    for (size_t i = 0; i < nknown; i++)
        note(n, "known-", known[i].id);
}

static bool phase(void *arg)
{
    struct node *n = arg;
    return n->bus && n->bus->ops->flush(n->bus);
}

static const struct bus_events gateway_events = {.deliver = on_deliver,
                                                 .request = on_request,
                                                 .response = on_response,
                                                 .direct = on_direct,
                                                 .gap = on_gap};
static const struct bus_events worker_events = {
    .response = on_response, .direct = on_direct, .gap = on_gap, .describe = describe};

static void node_open(struct fixture *f, struct node *n, const char *uid,
                      const struct bus_events *events)
{
    struct cfg_error err;
    n->bus = bus_redis_new(&f->cfg, f->loop, events, n, sv_of(uid), &err);
    if (!n->bus) fail_msg("%s", err.text);
    loop_add_phase(f->loop, phase, n);
}

static void node_close(struct node *n)
{
    if (n->bus) n->bus->ops->free(n->bus);
    n->bus = NULL;
}

static int end(void **state)
{
    node_close(&t.a);
    node_close(&t.b);
    return fixture_end(state);
}

/* Two nodes that hear; the second is a gateway or a worker. */
static void serve(struct fixture *f, const struct bus_events *second)
{
    memset(&t, 0, sizeof(t));
    fixture_set(f, "bus.heartbeat_interval=100");
    fixture_set(f, "bus.canary_interval=100");
    fixture_set(f, "bus.max_message=4096");
    fixture_serve(f, NULL);
    node_open(f, &t.a, UID_A, &gateway_events);
    node_open(f, &t.b, UID_B, second);
    t.redis = &f->one;
    fixture_link(f, t.redis, "test");
    UNTIL(f, t.redis->ups && !t.a.bus->ops->trouble(t.a.bus) && !t.b.bus->ops->trouble(t.b.bus));
}

static void publish(struct node *n, const char *json, bus_done_cb done)
{
    struct bus_msg *m = bus_msg_new(&(struct bus_msg){.nsp = SV("/"), .json = sv_of(json)});
    n->bus->ops->publish(n->bus, m, done, n);
}

static void direct(struct node *n, const char *to, const char *bytes, bus_done_cb done)
{
    n->bus->ops->direct(n->bus, sv_of(to), sv_of(bytes), done, n);
}

static void assert_heard(struct node *n, const char *want)
{
    assert_string_equal(n->heard, want);
    n->heard[0] = '\0';
}

static bool is_listed(const struct node *by, const char *uid)
{
    size_t n;
    const struct bus_node *nodes = by->bus->ops->nodes(by->bus, &n);
    for (size_t i = 0; i < n; i++)
        if (sv_eq(nodes[i].id, sv_of(uid))) return true;
    return false;
}

static void a_message_for_one_node_is_in_order_with_what_its_sender_publishes(void **state)
{
    struct fixture *f = *state;
    serve(f, &gateway_events);
    t.b.bus->ops->enter(t.b.bus, SV("/"));
    UNTIL(f, t.b.bus->ops->is_synced(t.b.bus));
    publish(&t.a, "[\"1\"]", on_done);
    direct(&t.a, UID_B, "2", on_done);
    publish(&t.a, "[\"3\"]", on_done);
    direct(&t.a, UID_B, "4", on_done);
    direct(&t.a, UID_A, "5", NULL);
    UNTIL(f, strstr(t.b.heard, "direct-4") && strstr(t.a.heard, "direct-5"));
    assert_heard(&t.b, "[\"1\"] direct-2 [\"3\"] direct-4");
    UNTIL(f, t.a.bus->stats.published == 5);
    assert_int_equal(t.b.bus->stats.directs, 2);
    assert_int_equal(t.b.bus->stats.received, 4);
}

static void who_is_not_there_is_nobody(void **state)
{
    char longest[2000];
    struct fixture *f = *state;
    serve(f, &gateway_events);
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    direct(&t.a, UID_B, "1", on_done);
    direct(&t.a, "nodeCCCC", "2", on_done);
    direct(&t.a, UID_B, "3", on_done);
    UNTIL(f, strlen(t.a.heard) >= strlen("taken nobody taken"));
    assert_heard(&t.a, "taken nobody taken");
    direct(&t.a, longest, "4", on_done);
    assert_heard(&t.a, ""); /* nothing from within */
    UNTIL(f, t.a.heard[0]);
    assert_heard(&t.a, "nobody");
    assert_int_equal(t.a.bus->stats.nobody, 2);
    node_close(&t.b);
    UNTIL(f, (direct(&t.a, UID_B, "5", on_done), strstr(t.a.heard, "nobody")));
}

static void a_message_is_bounded_on_both_sides(void **state)
{
    char large[5000];
    struct fixture *f = *state;
    serve(f, &gateway_events);
    memset(large, 'x', sizeof(large) - 1);
    large[4097] = '\0';
    direct(&t.a, UID_B, large, on_done);
    UNTIL(f, t.a.heard[0]);
    assert_heard(&t.a, "too-large");
    struct str_view words[] = {SV("PUBLISH"), SV("socket.io-peal-direct#" UID_B), sv_of(large)};
    redis_link_command(t.redis->link, NULL, NULL, 3, words);
    UNTIL(f, t.b.bus->stats.bad == 1);
    large[4096] = '\0';
    direct(&t.a, UID_B, large, on_done);
    UNTIL(f, t.b.heard[0]);
    assert_int_equal(t.b.bus->stats.directs, 1);
}

/* Hearing means hearing this, too: after a lost connection the channel is there before the node says
 * that it hears, and what waited for that comes. */
static void a_lost_connection_is_subscribed_again_before_the_node_hears(void **state)
{
    struct fixture *f = *state;
    serve(f, &gateway_events);
    assert_string_equal(fixture_ask(f, t.redis, "CLIENT KILL TYPE pubsub"), "2");
    UNTIL(f, t.b.bus->ops->trouble(t.b.bus));
    direct(&t.b, UID_B, "mine", on_done);
    UNTIL(f, !t.b.bus->ops->trouble(t.b.bus));
    assert_string_equal(fixture_ask(f, t.redis, "PUBSUB NUMSUB socket.io-peal-direct#" UID_B),
                        "[socket.io-peal-direct#" UID_B " 1]");
    UNTIL(f, strstr(t.b.heard, "direct-mine"));
    assert_int_equal(t.b.bus->stats.gaps, 1);
}

static void a_node_without_clients_hears_what_is_for_it_only(void **state)
{
    struct fixture *f = *state;
    serve(f, &worker_events);
    struct bus *worker = t.b.bus;
    t.a.bus->ops->enter(t.a.bus, SV("/"));
    worker->ops->enter(worker, SV("/"));
    worker->ops->join(worker, SV("/"), SV("room"));
    UNTIL(f, t.a.bus->ops->is_synced(t.a.bus) && worker->ops->is_synced(worker));
    assert_string_equal(fixture_ask(f, t.redis, "PUBSUB NUMSUB socket.io-request#/# socket.io#/#"),
                        "[socket.io-request#/# 1 socket.io#/# 1]");
    assert_string_equal(fixture_ask(f, t.redis, "PUBSUB NUMPAT"), "1");
    worker->ops->count(worker, SV("/"), on_counted, &t.b);
    UNTIL(f, t.b.counted == 1);
    publish(&t.b, "[\"e\"]", NULL);
    worker->ops->request(
        worker,
        &(struct bus_request){
            .type = BUS_ALL_ROOMS, .nsp = SV("/"), .uid = SV(UID_B), .id = SV("q")},
        NULL, NULL);
    direct(&t.a, UID_B, "d", NULL);
    UNTIL(f, strstr(t.b.heard, "direct-d") && strstr(t.b.heard, "response-"));
    assert_non_null(strstr(t.b.heard, "response-[\"r\"]"));
    assert_null(strstr(t.b.heard, "[\"e\"]"));
    assert_null(strstr(t.b.heard, "request"));
    assert_non_null(strstr(t.a.heard, "[\"e\"] request-q"));
    worker->ops->leave(worker, SV("/"), SV("room"));
    worker->ops->exit(worker, SV("/"));
    UNTIL(f, worker->stats.channels == 2); /* its own: canary, direct */
}

static void a_node_without_clients_is_not_listed_but_knows_the_others(void **state)
{
    struct fixture *f = *state;
    serve(f, &worker_events);
    UNTIL(f, is_listed(&t.a, UID_A) && is_listed(&t.b, UID_A));
    UNTIL(f, strcmp(fixture_ask(f, t.redis, "GET socket.io-peal-node#" UID_B),
                    "{\"id\":\"" UID_B "\",\"role\":\"worker\"}") == 0);
    assert_string_equal(fixture_ask(f, t.redis, "SMEMBERS socket.io-peal-nodes"), "[" UID_A "]");
    assert_false(is_listed(&t.b, UID_B));
    t.a.bus->ops->enter(t.a.bus, SV("/"));
    UNTIL(f, t.a.bus->ops->is_synced(t.a.bus));
    t.b.bus->ops->count(t.b.bus, SV("/"), on_counted, &t.b);
    UNTIL(f, t.b.counted == 1);
    assert_heard(&t.b, "known-" UID_A);
    node_close(&t.b);
    UNTIL(f, strcmp(fixture_ask(f, t.redis, "EXISTS socket.io-peal-node#" UID_B), "0") == 0);
    assert_string_equal(fixture_ask(f, t.redis, "SMEMBERS socket.io-peal-nodes"), "[" UID_A "]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_for_one_node_is_in_order_with_what_its_sender_publishes),
        TEST(who_is_not_there_is_nobody),
        TEST(a_message_is_bounded_on_both_sides),
        TEST(a_lost_connection_is_subscribed_again_before_the_node_hears),
        TEST(a_node_without_clients_hears_what_is_for_it_only),
        TEST(a_node_without_clients_is_not_listed_but_knows_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
