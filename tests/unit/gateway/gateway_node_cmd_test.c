/* What workers tell a gateway about its sockets, on a whole gateway: each command, in its order, with
 * sockets that are gone, not in yet, or another one's. */
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
#include "gateway/gw_node_cmd.h"
#include "gateway/gw_socket.h"

/* --- a bus that hears when the test says so */

static struct {
    struct bus_ops ops;
    bool is_deaf;
    bus_done_cb waits[16];
    void *args[16];
    unsigned n;
    char told[512];
} t;

static bool is_synced(struct bus *b)
{
    (void)b;
    return !t.is_deaf;
}

static void sync(struct bus *b, bus_done_cb done, void *arg)
{
    (void)b;
    assert_true(t.n < 16);
    t.waits[t.n] = done;
    t.args[t.n++] = arg;
}

/* Tells those who wait now, in their order. */
static void tell_waiting(enum bus_outcome outcome)
{
    unsigned n = t.n;
    bus_done_cb waits[16];
    void *args[16];
    memcpy(waits, t.waits, sizeof(waits));
    memcpy(args, t.args, sizeof(args));
    t.n = 0;
    for (unsigned i = 0; i < n; i++)
        waits[i](outcome, args[i]);
}

/* The next answers are as if rooms had just been wished for. */
static void go_deaf(void)
{
    t.ops = *sim.gw->bus->ops;
    t.ops.is_synced = is_synced;
    t.ops.sync = sync;
    sim.gw->bus->ops = &t.ops;
    t.is_deaf = true;
}

static void tell(const char *what, struct str_view more)
{
    size_t n = strlen(t.told);
    snprintf(t.told + n, sizeof(t.told) - n, "%s%s%.*s", n ? "; " : "", what, SV_ARG(more));
}

static void assert_told(const char *want)
{
    assert_string_equal(t.told, want);
    t.told[0] = '\0';
}

static bool on_event(void *ctx, struct gw_socket *s, const struct gw_event *e)
{
    (void)ctx;
    (void)s;
    return sv_eq(e->name, SV("work")); /* a worker answers */
}

static const struct gw_handler handler = {.event = on_event};

static int start(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    sim_start(&handler, "routes.events=*=all;socketio.namespaces=/,/b;socketio.max_rooms=3;"
                        "bus.pending_max_bytes=65536");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tell_waiting(BUS_REFUSED);
    sim_stop();
    return 0;
}

/* --- sending */

static struct str_view uid(void)
{
    return sim.gw->bus->uid;
}

static struct gw_socket *socket_of(const struct sim_client *c, const char *nsp)
{
    struct gw_socket *s = NULL;
    struct gw_nsp *n = gw_nsp_find(sim.gw, sv_of(nsp));
    assert_non_null(n);
    HASH_FIND(hh, n->by_id, c->sid, strlen(c->sid), s);
    assert_non_null(s);
    return s;
}

static struct node_cmd about(const struct sim_client *c, enum node_cmd_type type)
{
    const struct gw_socket *s = socket_of(c, "/");
    return (struct node_cmd){
        .type = type, .nsp = SV("/"), .sid = sv_of(c->sid), .serial = s->serial};
}

static void send_bytes(struct str_view bytes)
{
    sim.gw->bus->ops->direct(sim.gw->bus, uid(), bytes, NULL, NULL);
    sim_turns(2);
}

static void send_all(const struct node_cmd *c, size_t n)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < n; i++)
        assert_true(node_cmd_encode(&out, &c[i]));
    send_bytes(buf_view(&out));
    buf_fini(&out);
}

static void send_one(struct node_cmd c)
{
    send_all(&c, 1);
}

#define JSON(text) .json = SV(text)

static struct node_cmd with_json(struct node_cmd c, const char *json)
{
    c.json = sv_of(json);
    return c;
}

static struct node_cmd with_room(struct node_cmd c, const struct str_view *room)
{
    c.rooms = room;
    c.nrooms = 1;
    return c;
}

static struct node_cmd sync_for(struct str_view from, uint64_t token)
{
    return (struct node_cmd){.type = NODE_SYNC, .from = from, .token = token};
}

/* Carried out, void, refused, malformed. */
static void assert_counts(uint64_t done, uint64_t nothing, uint64_t refused, uint64_t bad)
{
    const struct gw_counters *n = &sim.gw->count;
    if (n->node_cmds != done || n->node_cmds_void != nothing || n->node_cmds_refused != refused ||
        n->node_cmds_bad != bad)
        fail_msg("carried out %d, void %d, refused %d, bad %d", (int)n->node_cmds,
                 (int)n->node_cmds_void, (int)n->node_cmds_refused, (int)n->node_cmds_bad);
}

/* --- each command */

static void an_ack_answers_the_clients_event(void **state)
{
    struct sim_client a = {0};
    const struct str_view binary[] = {SV("\0\1")};
    (void)state;
    sim_connect(&a, "", "");
    sim_send(&a, "27[\"work\",1]");
    sim_expect_quiet(&a);
    struct node_cmd c = with_json(about(&a, NODE_ACK), "[{\"ok\":true},2]");
    c.ack_id = 7;
    send_one(c);
    sim_expect(&a, "37[{\"ok\":true},2]");
    c = with_json(about(&a, NODE_ACK), "[{\"_placeholder\":true,\"num\":0}]");
    c.ack_id = 8;
    c.attachments = binary;
    c.nattachments = 1;
    send_one(c);
    sim_expect(&a, "61-8[{\"_placeholder\":true,\"num\":0}]");
    sim_expect(&a, "[binary]");
    assert_counts(2, 0, 0, 0);
    sim_drop(&a);
}

static void rooms_are_entered_and_left(void **state)
{
    struct sim_client a = {0};
    const struct str_view rooms[] = {SV("r1"), SV("r2")}, all = SV("r2");
    (void)state;
    sim_connect(&a, "", "");
    const struct gw_socket *s = socket_of(&a, "/");
    struct node_cmd c = about(&a, NODE_JOIN);
    c.rooms = rooms;
    c.nrooms = 2;
    send_one(c);
    assert_true(gw_socket_is_in(s, SV("r1")) && gw_socket_is_in(s, SV("r2")));
    gw_broadcast(sim.gw, SV("/"), &(struct bus_target){.rooms = &all, .nrooms = 1},
                 SV("[\"to-r2\"]"), NULL, 0, NULL, NULL);
    sim_expect(&a, "2[\"to-r2\"]");
    c.type = NODE_LEAVE;
    c.nrooms = 1;
    send_one(c);
    assert_false(gw_socket_is_in(s, SV("r1")));
    assert_true(gw_socket_is_in(s, SV("r2")));
    assert_counts(2, 0, 0, 0);
    sim_drop(&a);
}

static void a_room_that_is_not_allowed_is_counted_and_the_others_are_entered(void **state)
{
    char longest[GW_ROOM_MAX + 2];
    struct sim_client a = {0};
    (void)state;
    memset(longest, 'r', sizeof(longest));
    const struct str_view rooms[] = {SV(""),   SV("a\nb"), sv_make(longest, GW_ROOM_MAX + 1),
                                     SV("r1"), SV("r2"),   SV("r3"),
                                     SV("r4"), SV("r2")};
    sim_connect(&a, "", "");
    const struct gw_socket *s = socket_of(&a, "/");
    struct node_cmd c = about(&a, NODE_JOIN);
    c.rooms = rooms;
    c.nrooms = sizeof(rooms) / sizeof(rooms[0]);
    send_one(c);
    assert_true(gw_socket_is_in(s, SV("r3")));
    assert_false(gw_socket_is_in(s, SV("r4")));
    assert_int_equal(s->nrooms, 3);
    assert_counts(1, 0, 4, 0);
    sim_drop(&a);
}

static void a_socket_is_disconnected_or_its_connection(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    struct node_cmd of_a[] = {about(&a, NODE_DISCONNECT), with_json(about(&a, NODE_DATA), "1"),
                              with_json(about(&b, NODE_DATA), "2")};
    send_all(of_a, 3);
    sim_expect(&a, "1");
    sim_expect_quiet(&a);
    assert_true(sv_eq(gw_socket_data(socket_of(&b, "/")), SV("2")));
    assert_counts(2, 1, 0, 0); /* it is gone for what comes behind */
    sim_connect(&b, "/b", "");
    struct gw_socket *in_b = socket_of(&b, "/b");
    struct node_cmd c = {.type = NODE_DISCONNECT,
                         .nsp = SV("/b"),
                         .sid = sv_of(b.sid),
                         .serial = in_b->serial,
                         .close = true};
    send_one(c);
    sim_expect(&b, "1/b,");
    sim_expect(&b, "1");
    sim_expect(&b, "[close]");
    sim_drop(&a);
    sim_drop(&b);
}

static void on_answers(void *arg, const struct answers *a)
{
    (void)arg;
    assert_true(a->is_complete);
    assert_int_equal(a->nparts, 1);
    const char *data = memmem(a->parts[0].p, a->parts[0].n, "\"data\":", 7);
    assert_non_null(data);
    size_t at = (size_t)(data - a->parts[0].p);
    tell("", sv_make(data, a->parts[0].n - at - 2)); /* without }] */
}

static void assert_fetched(const char *data)
{
    questions_fetch(gw_questions(sim.gw), SV("/"), NULL, 0, on_answers, NULL);
    sim_turns(4);
    assert_told(data);
}

static void data_stay_with_the_socket(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    const struct gw_socket *s = socket_of(&a, "/");
    assert_true(sv_eq(gw_socket_data(s), SV("null")));
    assert_fetched("\"data\":{}");
    send_one(with_json(about(&a, NODE_DATA), "{\"nick\":\"x\"}"));
    assert_true(sv_eq(gw_socket_data(s), SV("{\"nick\":\"x\"}")));
    assert_fetched("\"data\":{\"nick\":\"x\"}");
    send_one(with_json(about(&a, NODE_DATA), "[1]"));
    assert_fetched("\"data\":[1]");
    send_one(with_json(about(&a, NODE_DATA), "null"));
    assert_null(s->data);
    assert_fetched("\"data\":{}");
    assert_counts(3, 0, 0, 0);
    sim_drop(&a);
}

/* Deeper data would make other nodes refuse the whole answer. */
static void data_are_bounded(void **state)
{
    struct sim_client a = {0};
    char text[GW_DATA_MAX + 2], deep[2 * 254 + 1];
    (void)state;
    sim_connect(&a, "", "");
    const struct gw_socket *s = socket_of(&a, "/");
    memset(text, '1', sizeof(text));
    text[GW_DATA_MAX + 1] = '\0';
    send_one(with_json(about(&a, NODE_DATA), text));
    assert_null(s->data);
    text[GW_DATA_MAX] = '\0';
    send_one(with_json(about(&a, NODE_DATA), text));
    assert_int_equal(gw_socket_data(s).n, GW_DATA_MAX);
    memset(deep, '[', 254);
    memset(deep + 254, ']', 254);
    deep[2 * 254] = '\0';
    send_one(with_json(about(&a, NODE_DATA), deep)); /* of 256 */
    assert_counts(3, 0, 2, 0);
    assert_int_equal(gw_socket_data(s).n, GW_DATA_MAX);
    deep[2 * 254 - 1] = '\0';
    send_one(with_json(about(&a, NODE_DATA), deep + 1));
    assert_int_equal(gw_socket_data(s).n, 2 * 253);
    assert_false(gw_socket_set_data(socket_of(&a, "/"), SV("{\"a\"")));
    assert_false(gw_socket_set_data(socket_of(&a, "/"), SV("\"\xff\"")));
    sim_drop(&a);
}

/* --- whom it is not for */

static void a_command_whose_socket_is_gone_is_void(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    struct node_cmd ok = with_json(about(&a, NODE_DATA), "1");
    struct node_cmd wrong[] = {ok, ok, ok, ok, ok};
    wrong[0].serial++;
    wrong[1].sid = SV("aaaaaaaaaaaaaaaaaaaa");
    wrong[2].nsp = SV("/b");
    wrong[3].nsp = SV("/none");
    wrong[4].serial += 1ull << 32;
    send_all(wrong, 5);
    assert_null(socket_of(&a, "/")->data);
    assert_counts(0, 5, 0, 0);
    assert_null(gw_nsp_find(sim.gw, SV("/none"))); /* nor made for it */
    sim_drop(&a);
}

static void on_ask_answer(struct gateway *gw, const struct node_cmd *c)
{
    assert_ptr_equal(gw, sim.gw);
    tell(c->type == NODE_ADMIT ? "admit " : "refuse ", c->type == NODE_ADMIT ? c->sid : c->json);
}

static void what_is_asked_about_a_connect_is_anothers_affair(void **state)
{
    struct node_cmd c[] = {{.type = NODE_ADMIT, .nsp = SV("/"), .sid = SV("s"), .serial = 1},
                           {.type = NODE_REFUSE,
                            .nsp = SV("/"),
                            .sid = SV("s"),
                            .serial = 1,
                            JSON("{\"message\":\"no\"}")}};
    (void)state;
    send_all(c, 2);
    assert_told("");
    assert_counts(0, 2, 0, 0);
    gw_node_cmd_on_answer(sim.gw, on_ask_answer);
    send_all(c, 2);
    assert_told("admit s; refuse {\"message\":\"no\"}");
}

static void what_is_malformed_ends_its_message(void **state)
{
    struct sim_client a = {0};
    struct buf out;
    (void)state;
    sim_connect(&a, "", "");
    buf_init(&out, 4096);
    struct node_cmd c = with_json(about(&a, NODE_DATA), "1");
    assert_true(node_cmd_encode(&out, &c) && buf_add_char(&out, '\xc1'));
    c.json = SV("2");
    assert_true(node_cmd_encode(&out, &c));
    send_bytes(buf_view(&out));
    assert_true(sv_eq(gw_socket_data(socket_of(&a, "/")), SV("1")));
    assert_counts(1, 0, 0, 1);
    send_bytes(SV(""));
    send_bytes(SV("junk"));
    assert_counts(1, 0, 0, 3);
    assert_int_equal(sim.gw->bus->stats.bad, 3);
    buf_fini(&out);
    sim_drop(&a);
}

/* --- does the bus hear it? */

static void on_synced(uint64_t token, void *arg)
{
    char text[32];
    assert_ptr_equal(arg, &t);
    snprintf(text, sizeof(text), "synced %llu", (unsigned long long)token);
    tell(text, SV(""));
}

static void sync_is_answered_when_the_bus_hears(void **state)
{
    (void)state;
    send_one(sync_for(uid(), 1));
    assert_counts(1, 1, 0, 0); /* no worker in this process */
    gw_node_cmd_on_synced(sim.gw, on_synced, &t);
    send_one(sync_for(uid(), 2));
    assert_told("synced 2");
    send_one(sync_for(SV("elsewhere"), 3));
    assert_told("");
    assert_int_equal(sim.gw->bus->stats.nobody, 1);
    go_deaf();
    const struct node_cmd two[] = {sync_for(uid(), 4), sync_for(uid(), 5)};
    send_all(two, 2);
    assert_told("");
    tell_waiting(BUS_TAKEN);
    sim_turns(2);
    assert_told("synced 4; synced 5");
    send_one(sync_for(uid(), 6));
    tell_waiting(BUS_REFUSED); /* not in time: no answer */
    sim_turns(2);
    assert_told("");
    assert_int_equal(t.n, 0);
}

static void what_is_behind_a_sync_does_not_wait(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    go_deaf();
    const struct node_cmd c[] = {sync_for(uid(), 1), with_json(about(&a, NODE_DATA), "1")};
    send_all(c, 2);
    assert_int_equal(t.n, 1);
    assert_true(sv_eq(gw_socket_data(socket_of(&a, "/")), SV("1")));
    sim_drop(&a);
}

/* --- sockets that are being let in */

static bool is_waiting(void *arg)
{
    return t.n >= *(const unsigned *)arg;
}

/* A client that waits for the bus; its socket's id is known here. */
static void knock(struct sim_client *c)
{
    unsigned one = 1;
    sim_open(c, 0);
    go_deaf();
    sim_send(c, "0");
    sim_until(is_waiting, &one);
    const struct gw_socket *s = gw_nsp_find(sim.gw, SV("/"))->by_id;
    assert_true(s && s->is_admitting);
    snprintf(c->sid, sizeof(c->sid), "%.*s", SV_ARG(gw_socket_id(s)));
}

static void commands_wait_until_their_socket_is_in(void **state)
{
    struct sim_client a = {0};
    const struct str_view one = SV("r1"), two = SV("r2");
    (void)state;
    gw_node_cmd_on_synced(sim.gw, on_synced, &t);
    knock(&a);
    struct gw_socket *s = socket_of(&a, "/");
    const struct node_cmd c[] = {with_room(about(&a, NODE_JOIN), &one),
                                 with_room(about(&a, NODE_JOIN), &two),
                                 with_room(about(&a, NODE_LEAVE), &one), sync_for(uid(), 1)};
    send_all(c, 4);
    assert_int_equal(t.n, 5); /* the admission, too */
    assert_int_equal(s->nrooms, 0);
    sim_expect_quiet(&a);
    tell_waiting(BUS_TAKEN); /* then the rooms are wished for */
    assert_true(gw_socket_is_in(s, two) && !gw_socket_is_in(s, one));
    assert_int_equal(s->nwaiting, 0);
    sim_turns(2);
    assert_told("");
    assert_int_equal(t.n, 1);
    tell_waiting(BUS_TAKEN);
    sim_turns(2);
    assert_told("synced 1");
    assert_counts(4, 0, 0, 0);
    assert_non_null(strstr(sim_next(&a), "40{\"sid\":"));
    sim_drop(&a);
}

/* Its admission has been told by then, but what came before is still outstanding. */
static void later_commands_stay_behind_those_that_wait(void **state)
{
    struct sim_client a = {0};
    (void)state;
    knock(&a);
    struct gw_socket *s = socket_of(&a, "/");
    send_one(with_json(about(&a, NODE_DATA), "1"));
    assert_int_equal(t.n, 2);
    t.waits[0](BUS_TAKEN, t.args[0]);
    assert_int_equal(s->state, GW_SOCKET_READY);
    send_one(with_json(about(&a, NODE_DATA), "2"));
    assert_null(s->data);
    assert_int_equal(t.n, 3);
    t.n--; /* the admission has been told */
    memmove(t.waits, t.waits + 1, t.n * sizeof(t.waits[0]));
    memmove(t.args, t.args + 1, t.n * sizeof(t.args[0]));
    tell_waiting(BUS_TAKEN);
    assert_true(sv_eq(gw_socket_data(s), SV("2")));
    sim_drop(&a);
}

static void what_waits_for_a_socket_that_is_not_let_in_is_void(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    knock(&a);
    send_one(with_json(about(&a, NODE_DATA), "1"));
    tell_waiting(BUS_REFUSED);
    assert_counts(0, 1, 0, 0);
    sim_expect(&a, "[close]");
    sim_turns(2);
    knock(&b);
    send_one(with_json(about(&b, NODE_DATA), "1"));
    sim_drop(&b);
    sim_turns(5);
    assert_null(gw_nsp_find(sim.gw, SV("/"))->by_id); /* gone meanwhile */
    tell_waiting(BUS_TAKEN);
    assert_counts(0, 2, 0, 0);
    sim_drop(&a);
}

static void what_waits_is_bounded(void **state)
{
    struct sim_client a = {0};
    char text[40000];
    (void)state;
    knock(&a);
    memset(text, '1', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    send_one(with_json(about(&a, NODE_DATA), text));
    assert_int_equal(t.n, 2);
    send_one(with_json(about(&a, NODE_DATA), text)); /* 80 000 of 65 536 bytes */
    assert_int_equal(t.n, 2);
    assert_counts(0, 0, 1, 0);
    text[24000] = '\0';
    send_one(sync_for(sv_of(text), 1));
    assert_int_equal(t.n, 3);
    send_one(sync_for(sv_of(text), 2));
    assert_counts(1, 0, 2, 0);
    tell_waiting(BUS_TAKEN);
    tell_waiting(BUS_TAKEN); /* the second round of the sync */
    assert_int_equal(t.n, 0);
    text[39999] = '1';
    send_one(sync_for(sv_make(text, 39999), 3)); /* room again */
    assert_int_equal(t.n, 1);
    sim_drop(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_ack_answers_the_clients_event),
        TEST(rooms_are_entered_and_left),
        TEST(a_room_that_is_not_allowed_is_counted_and_the_others_are_entered),
        TEST(a_socket_is_disconnected_or_its_connection),
        TEST(data_stay_with_the_socket),
        TEST(data_are_bounded),
        TEST(a_command_whose_socket_is_gone_is_void),
        TEST(what_is_asked_about_a_connect_is_anothers_affair),
        TEST(what_is_malformed_ends_its_message),
        TEST(sync_is_answered_when_the_bus_hears),
        TEST(what_is_behind_a_sync_does_not_wait),
        TEST(commands_wait_until_their_socket_is_in),
        TEST(later_commands_stay_behind_those_that_wait),
        TEST(what_waits_for_a_socket_that_is_not_let_in_is_void),
        TEST(what_waits_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
