/* Bus messages are whole copies; the bus of one process delivers in order at the turn's end. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus.h"

/* --- messages */

static void message_is_a_copy_of_everything(void **state)
{
    char *nsp = x_strdup("/chat"), *json = x_strdup("[\"e\"]"), *name = x_strdup("room");
    struct str_view rooms[] = {sv_of(name), sv_make(name, 2)}, except[] = {sv_of(name)},
                    attachments[] = {SV("\0\1"), SV(""), sv_of(name)};
    (void)state;
    struct bus_msg *m = bus_msg_new(&(struct bus_msg){.refs = 77,
                                                      .flags = BUS_VOLATILE,
                                                      .nsp = sv_of(nsp),
                                                      .json = sv_of(json),
                                                      .rooms = rooms,
                                                      .except = except,
                                                      .attachments = attachments,
                                                      .nrooms = 2,
                                                      .nexcept = 1,
                                                      .nattachments = 3});
    x_free(nsp);
    x_free(json);
    memset(name, 'x', 4);
    x_free(name);
    memset(rooms, 0, sizeof(rooms));
    assert_int_equal(m->refs, 1);
    assert_int_equal(m->flags, BUS_VOLATILE);
    assert_true(sv_eq(m->nsp, SV("/chat")));
    assert_true(sv_eq(m->json, SV("[\"e\"]")));
    assert_int_equal(m->nrooms, 2);
    assert_true(sv_eq(m->rooms[0], SV("room")));
    assert_true(sv_eq(m->rooms[1], SV("ro")));
    assert_int_equal(m->nexcept, 1);
    assert_true(sv_eq(m->except[0], SV("room")));
    assert_int_equal(m->nattachments, 3);
    assert_true(sv_eq(m->attachments[0], SV("\0\1")));
    assert_true(sv_eq(m->attachments[1], SV("")));
    assert_true(sv_eq(m->attachments[2], SV("room")));
    assert_ptr_equal(bus_msg_hold(m), m);
    bus_msg_rele(m);
    assert_true(sv_eq(m->nsp, SV("/chat")));
    bus_msg_rele(m);
    bus_msg_rele(NULL);
}

static void message_may_be_empty(void **state)
{
    (void)state;
    struct bus_msg *m = bus_msg_new(&(struct bus_msg){0});
    assert_int_equal(m->nsp.n + m->json.n + m->nrooms + m->nexcept + m->nattachments, 0);
    bus_msg_rele(m);
}

/* --- the local bus */

static struct {
    struct bus *bus;
    char log[4096];
    bool echo, echo_done;
} t;

static void note(const char *what, struct str_view more)
{
    size_t n = strlen(t.log);
    if (!*what && !more.n) return;
    snprintf(t.log + n, sizeof(t.log) - n, "%s%s%.*s", n ? " " : "", what, SV_ARG(more));
}

static void assert_log(const char *text)
{
    assert_string_equal(t.log, text);
    t.log[0] = '\0';
}

static void on_done(enum bus_outcome outcome, void *arg);

static void publish(const char *json, const char *done)
{
    union { /* callbacks take what they are given without const */
        const char *in;
        void *out;
    } arg = {done};
    struct bus_msg *m = bus_msg_new(&(struct bus_msg){.json = sv_of(json)});
    t.bus->ops->publish(t.bus, m, done ? on_done : NULL, arg.out);
}

static void on_done(enum bus_outcome outcome, void *arg)
{
    note(outcome == BUS_TAKEN ? "done-" : outcome == BUS_NOBODY ? "nobody-" : "lost-", sv_of(arg));
    if (t.echo_done) {
        t.echo_done = false;
        publish("from-done", "from-done");
    }
}

static void on_deliver(const struct bus_msg *m, void *arg)
{
    assert_ptr_equal(arg, &t);
    note("", m->json);
    if (t.echo) publish("echo", NULL);
}

static void on_request(const struct bus_request *r, void *arg)
{
    assert_ptr_equal(arg, &t);
    assert_true(sv_eq(r->uid, SV("node")));
    note("request-", r->id);
    if (r->ntargets) note("target-", r->targets[r->ntargets - 1]);
}

static void on_count(int64_t nodes, const struct bus_node *known, size_t nknown, void *arg)
{
    (void)known;
    assert_int_equal(nknown, 0);
    note(nodes == 1 ? "one-" : "none-", sv_of(arg));
}

static void on_direct(struct str_view bytes, void *arg)
{
    assert_ptr_equal(arg, &t);
    note("direct-", bytes);
}

static int begin(void **state)
{
    static const struct bus_events events = {
        .deliver = on_deliver, .request = on_request, .direct = on_direct};
    (void)state;
    memset(&t, 0, sizeof(t));
    t.bus = bus_local_new(&events, &t, SV("node"));
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (t.bus) t.bus->ops->free(t.bus);
    return 0;
}

static bool flush(void)
{
    return t.bus->ops->flush(t.bus);
}

static void delivers_in_order_and_says_so_behind_each(void **state)
{
    (void)state;
    assert_false(flush());
    publish("a", "a");
    publish("b", NULL);
    publish("c", "c");
    assert_log(""); /* nothing from within publish */
    assert_false(flush());
    assert_log("a done-a b c done-c");
    assert_false(flush());
    assert_log("");
}

static void what_a_delivery_publishes_waits_for_the_next_flush(void **state)
{
    (void)state;
    t.echo = true;
    publish("a", NULL);
    publish("b", NULL);
    assert_true(flush());
    assert_log("a b");
    assert_true(flush());
    assert_log("echo echo");
    t.echo = false;
    assert_false(flush());
    assert_log("echo echo");
    assert_false(flush());
    t.echo_done = true;
    publish("c", "c");
    assert_true(flush());
    assert_log("c done-c");
    assert_false(flush());
    assert_log("from-done done-from-done");
}

static void publisher_may_keep_the_message(void **state)
{
    (void)state;
    struct bus_msg *m = bus_msg_new(&(struct bus_msg){.json = SV("kept")});
    t.bus->ops->publish(t.bus, bus_msg_hold(m), NULL, NULL);
    t.bus->ops->publish(t.bus, bus_msg_hold(m), NULL, NULL);
    assert_false(flush());
    assert_log("kept kept");
    assert_int_equal(m->refs, 1);
    bus_msg_rele(m);
}

static void many_in_one_turn(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3000; i++)
            publish("", i % 1000 ? NULL : "k");
        assert_false(flush());
        size_t n = 0;
        for (const char *p = t.log; (p = strstr(p, "done-k")); p++)
            n++;
        assert_int_equal(n, 3);
        t.log[0] = '\0';
    }
}

static void requests_come_back_and_one_node_is_counted(void **state)
{
    (void)state;
    char name[] = "room";
    struct str_view rooms[] = {SV("a"), sv_of(name)};
    const struct bus_request r = {
        .type = BUS_REMOTE_JOIN, .uid = SV("node"), .id = SV("7"), .targets = rooms, .ntargets = 2};
    t.bus->ops->request(t.bus, &r, on_done, "r");
    memset(name, 'x', 4);
    t.bus->ops->enter(t.bus, SV("/"));
    t.bus->ops->join(t.bus, SV("/"), SV("room"));
    assert_true(t.bus->ops->is_synced(t.bus));
    t.bus->ops->sync(t.bus, on_done, "s");
    t.bus->ops->count(t.bus, SV("/"), on_count, "c");
    assert_log("");
    assert_false(flush());
    assert_log("request-7 target-room done-r done-s one-c");
    t.bus->ops->leave(t.bus, SV("/"), SV("room"));
    t.bus->ops->exit(t.bus, SV("/"));
    size_t n = 0;
    assert_true(sv_eq(t.bus->ops->nodes(t.bus, &n)->id, SV("node")));
    assert_int_equal(n, 1);
    assert_null(t.bus->ops->trouble(t.bus));
    t.bus->ops->request(t.bus, &r, on_done, "r");
    t.bus->ops->count(t.bus, SV("/"), on_count, "c");
    t.bus->ops->free(t.bus);
    t.bus = NULL;
    assert_log("lost-r none-c");
}

static void direct_messages_are_for_the_only_node(void **state)
{
    (void)state;
    char bytes[] = "b";
    publish("a", NULL);
    t.bus->ops->direct(t.bus, SV("node"), sv_of(bytes), on_done, "b");
    bytes[0] = 'x';
    publish("c", NULL);
    t.bus->ops->direct(t.bus, SV("nod"), SV("lost"), on_done, "n");
    t.bus->ops->direct(t.bus, SV("other"), SV("lost"), NULL, NULL);
    t.bus->ops->direct(t.bus, SV("node"), SV(""), NULL, NULL);
    assert_log("");
    assert_false(flush());
    assert_log("a direct-b done-b c nobody-n direct-");
    assert_int_equal(t.bus->stats.directs, 2);
    assert_int_equal(t.bus->stats.nobody, 2);
    t.bus->ops->direct(t.bus, SV("node"), SV("b"), on_done, "b");
    t.bus->ops->direct(t.bus, SV("other"), SV("b"), on_done, "o");
    t.bus->ops->free(t.bus);
    t.bus = NULL;
    assert_log("lost-b lost-o");
}

/* It asks nobody and takes nothing; its own messages reach nobody but are on the bus. */
static void a_node_without_clients_hears_none_of_theirs(void **state)
{
    static const struct bus_events events = {.request = on_request};
    (void)state;
    size_t n = 1;
    t.bus->ops->free(t.bus);
    t.bus = bus_local_new(&events, &t, SV("node"));
    publish("a", "a");
    t.bus->ops->request(t.bus, &(struct bus_request){.uid = SV("node")}, on_done, "r");
    t.bus->ops->count(t.bus, SV("/"), on_count, "c");
    t.bus->ops->direct(t.bus, SV("node"), SV("x"), on_done, "d");
    assert_false(flush());
    assert_log("done-a done-r none-c nobody-d");
    (void)t.bus->ops->nodes(t.bus, &n);
    assert_int_equal(n, 0);
}

static void free_answers_the_rest(void **state)
{
    (void)state;
    publish("a", "a");
    publish("b", NULL);
    publish("c", "c");
    t.echo_done = true; /* even what a callback publishes meanwhile */
    t.bus->ops->free(t.bus);
    t.bus = NULL;
    assert_log("lost-a lost-c lost-from-done");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_is_a_copy_of_everything),
        cmocka_unit_test(message_may_be_empty),
        TEST(delivers_in_order_and_says_so_behind_each),
        TEST(what_a_delivery_publishes_waits_for_the_next_flush),
        TEST(publisher_may_keep_the_message),
        TEST(many_in_one_turn),
        TEST(requests_come_back_and_one_node_is_counted),
        TEST(direct_messages_are_for_the_only_node),
        TEST(a_node_without_clients_hears_none_of_theirs),
        TEST(free_answers_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
