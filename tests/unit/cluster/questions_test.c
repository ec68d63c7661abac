/* Asking the cluster: by a node that takes requests itself and by one that does not, on a bus that the
 * test plays. What gateways and Node servers make of it is tested with them (tests/integration). */
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
#include "cluster/heard.h"
#include "cluster/questions.h"

#define TIMEOUT 1000

static struct {
    struct bus bus;
    struct wheel wheel;
    struct cfg cfg;
    struct questions *qs;
    uint64_t now;
    unsigned bus_waits;

    /* what the bus was given last, and owes an answer */
    int entered;
    bus_done_cb synced, requested;
    bus_count_cb counted;
    void *sync_arg, *request_arg, *count_arg;
    struct bus_request *request; /* a copy */

    int held;
    bool may_not;

    char told[4096]; /* what askers were told, a word each */
} t;

/* ---- the bus */

static void enter(struct bus *b, struct str_view nsp)
{
    (void)b;
    assert_true(sv_eq(nsp, SV("/n")));
    t.entered++;
}

static void leave(struct bus *b, struct str_view nsp)
{
    (void)b;
    assert_true(sv_eq(nsp, SV("/n")));
    t.entered--;
}

static void sync(struct bus *b, bus_done_cb done, void *arg)
{
    (void)b;
    t.synced = done;
    t.sync_arg = arg;
}

static void count(struct bus *b, struct str_view nsp, bus_count_cb cb, void *arg)
{
    (void)b;
    assert_true(sv_eq(nsp, SV("/n")));
    t.counted = cb;
    t.count_arg = arg;
}

static void request(struct bus *b, const struct bus_request *r, bus_done_cb done, void *arg)
{
    (void)b;
    x_free(t.request);
    t.request = bus_request_new(r);
    t.requested = done;
    t.request_arg = arg;
}

static void say_synced(enum bus_outcome outcome)
{
    bus_done_cb done = t.synced;
    assert_non_null(done);
    t.synced = NULL;
    done(outcome, t.sync_arg);
}

static void say_counted(int64_t nodes, const char *known)
{
    const struct bus_node node = {sv_of(known)};
    bus_count_cb done = t.counted;
    assert_non_null(done);
    t.counted = NULL;
    done(nodes, &node, known ? 1 : 0, t.count_arg);
}

static void say_requested(enum bus_outcome outcome)
{
    bus_done_cb done = t.requested;
    assert_non_null(done);
    t.requested = NULL;
    done(outcome, t.request_arg);
}

static void respond(enum bus_response_type type, const char *uid, const char *json)
{
    const struct bus_response r = {.type = type,
                                   .nsp = SV("/n"),
                                   .id = t.request->id,
                                   .uid = sv_of(uid),
                                   .json = sv_make(json, strlen(json))};
    questions_on_response(t.qs, &r);
}

/* ---- who asks */

static uint64_t now(void *arg)
{
    assert_ptr_equal(arg, &t);
    return t.now;
}

static void bus_waits(void *arg)
{
    assert_ptr_equal(arg, &t);
    t.bus_waits++;
}

static void *hold(struct str_view nsp, void *arg)
{
    assert_true(sv_eq(nsp, SV("/n")));
    if (t.may_not) return NULL;
    t.held++;
    return arg;
}

static void let_go(void *held, void *arg)
{
    assert_ptr_equal(held, arg);
    t.held--;
}

static bool put_own(struct buf *out, const struct bus_request *r, void *arg)
{
    assert_ptr_equal(arg, &t);
    return buf_addf(out, "[\"own-%d\"]", r->type);
}

static void note(const char *what, struct str_view more)
{
    size_t n = strlen(t.told);
    snprintf(t.told + n, sizeof(t.told) - n, "%s%s%.*s", n ? " " : "", what, SV_ARG(more));
}

static void on_answers(void *arg, const struct answers *a)
{
    note(arg, SV(":"));
    for (size_t i = 0; i < a->nparts; i++)
        note("", a->parts[i]);
    for (size_t i = 0; i < a->nsilent; i++)
        note("silent-", a->silent[i]);
    if (a->nunnamed) note("unnamed", SV(""));
    assert_int_equal(a->is_complete, a->why[0] == '\0');
    note("", a->is_complete ? SV("complete") : sv_of(a->why));
}

static void on_done(enum bus_outcome outcome, void *arg)
{
    note(arg, outcome == BUS_TAKEN ? SV("taken") : SV("lost"));
}

static void assert_told(const char *want)
{
    assert_string_equal(t.told, want);
    t.told[0] = '\0';
}

static void pass(uint64_t ms)
{
    t.now += ms;
    wheel_advance(&t.wheel, t.now);
}

static const struct questions_owner server = {
    .now = now, .bus_waits = bus_waits, .hold = hold, .let_go = let_go, .put_own = put_own};
static const struct questions_owner worker = {.now = now};

static void begin_as(const struct questions_owner *owner)
{
    static const struct bus_ops ops = {
        .enter = enter, .exit = leave, .sync = sync, .count = count, .request = request};
    memset(&t, 0, sizeof(t));
    t.bus = (struct bus){.ops = &ops, .uid = SV("me")};
    wheel_init(&t.wheel, t.now);
    cfg_init(&t.cfg);
    t.qs = questions_new(owner, &t, &t.bus, &t.wheel, &t.cfg);
}

static int begin_worker(void **state)
{
    (void)state;
    begin_as(&worker);
    return 0;
}

static int begin_server(void **state)
{
    (void)state;
    begin_as(&server);
    return 0;
}

static int end(void **state)
{
    (void)state;
    questions_stop(t.qs);
    if (t.synced) say_synced(BUS_REFUSED);
    if (t.counted) say_counted(-1, NULL);
    if (t.requested) say_requested(BUS_UNCERTAIN);
    assert_int_equal(t.entered, 0);
    assert_int_equal(t.held, 0);
    questions_free(t.qs);
    x_free(t.request);
    cfg_fini(&t.cfg);
    return 0;
}

static void fetch(const char *name)
{
    union {
        const char *in;
        void *out;
    } arg = {name};
    questions_fetch(t.qs, SV("/n"), NULL, TIMEOUT, on_answers, arg.out);
    assert_told(""); /* nothing from within */
}

/* Until the request is on the bus. */
static void ask(const char *name, int64_t nodes, const char *known)
{
    fetch(name);
    say_synced(BUS_TAKEN);
    say_counted(nodes, known);
    say_requested(BUS_TAKEN);
}

/* ---- a node that takes no requests */

static void a_worker_waits_for_all_that_were_counted(void **state)
{
    (void)state;
    ask("q", 2, "n1");
    assert_int_equal(t.entered, 1);
    assert_true(sv_eq(t.request->uid, SV("me")));
    assert_int_equal(t.request->type, BUS_REMOTE_FETCH);
    respond(BUS_FETCHED, "n1", "[1]");
    respond(BUS_FETCHED, "n1", "[1]"); /* counts once */
    respond(BUS_ROOMS, "n2", "[]");    /* no answer to that */
    assert_told("");
    respond(BUS_FETCHED, "", "[2]");
    assert_told("q: [1] [2] complete");
    assert_int_equal(t.entered, 1);    /* another question may follow */
    respond(BUS_FETCHED, "n3", "[3]"); /* too late */
    assert_told("");
    pass(HEARD_MS + WHEEL_TICK_MS);
    assert_int_equal(t.entered, 0);
}

static void a_worker_is_not_left_out_of_servers_events(void **state)
{
    (void)state;
    questions_emit(t.qs, SV("/n"), SV("[\"e\"]"), TIMEOUT, on_answers, "q");
    say_synced(BUS_TAKEN);
    say_counted(1, NULL);
    say_requested(BUS_TAKEN);
    assert_told(""); /* a gateway would be alone and not ask at all */
    respond(BUS_SERVER_ACK, "", "7");
    assert_told("q: 7 complete");
}

static void a_worker_alone_has_its_answer_at_once(void **state)
{
    (void)state;
    fetch("q");
    say_synced(BUS_TAKEN);
    say_counted(0, NULL);
    assert_null(t.requested);
    assert_told("q: complete");
}

static void who_is_silent_is_named(void **state)
{
    (void)state;
    ask("q", 3, "n1");
    respond(BUS_FETCHED, "", "[2]");
    pass(TIMEOUT - 1);
    assert_told("");
    pass(2 * WHEEL_TICK_MS);
    assert_told("q: [2] silent-n1 unnamed not all nodes have answered");
}

static void clients_acks_are_waited_for(void **state)
{
    (void)state;
    questions_broadcast(t.qs, SV("/n"), NULL, SV("[\"e\"]"), NULL, 0, TIMEOUT, on_answers, "q");
    say_synced(BUS_TAKEN);
    say_counted(1, NULL);
    say_requested(BUS_TAKEN);
    assert_int_equal(t.request->timeout_ms, TIMEOUT);
    struct bus_response r = {
        .type = BUS_CLIENT_ACK, .id = t.request->id, .uid = SV("n1"), .json = SV("1")};
    questions_on_response(t.qs, &r);
    r.type = BUS_CLIENT_COUNT;
    r.count = 2;
    questions_on_response(t.qs, &r);
    assert_told("");
    r.type = BUS_CLIENT_ACK;
    r.json = SV("");
    questions_on_response(t.qs, &r);
    assert_told("q: 1 null complete");
}

/* ---- the bus's refusals; the bus may owe an answer for longer than the question lasts */

static void a_bus_that_is_away_is_said_so(void **state)
{
    (void)state;
    fetch("sync");
    say_synced(BUS_REFUSED);
    assert_told("sync: the message bus is not available");
    fetch("count");
    say_synced(BUS_TAKEN);
    say_counted(-1, NULL);
    assert_told("count: the message bus is not available");
    fetch("large");
    say_synced(BUS_TAKEN);
    say_counted(1, "n1");
    say_requested(BUS_TOO_LARGE);
    assert_told("large: the request is too large for the message bus");
    fetch("late");
    pass(TIMEOUT + WHEEL_TICK_MS);
    assert_told("late: the message bus is not available");
    pass(2 * HEARD_MS);
    assert_int_equal(t.entered, 1); /* until the bus has said its word */
    say_synced(BUS_TAKEN);
    pass(HEARD_MS + WHEEL_TICK_MS);
    assert_int_equal(t.entered, 0);
    assert_null(t.counted);
}

static void ask_again(void *arg, const struct answers *a)
{
    on_answers(arg, a);
    questions_fetch(t.qs, SV("/n"), NULL, TIMEOUT, ask_again, arg);
    questions_join(t.qs, SV("/n"), NULL, NULL, 0, on_done, "never");
}

static void at_the_end_all_are_told_once_and_nobody_asks_again(void **state)
{
    (void)state;
    questions_fetch(t.qs, SV("/n"), NULL, TIMEOUT, ask_again, "q");
    questions_stop(t.qs);
    assert_told("q: this node is stopping");
    assert_null(t.requested);
    say_synced(BUS_REFUSED);
    assert_told("");
}

static void what_needs_no_answer_is_a_request_at_once(void **state)
{
    const struct str_view rooms[] = {SV("a"), SV("b")}, who[] = {SV("c")};
    const struct bus_target which = {.rooms = who, .nrooms = 1};
    (void)state;
    questions_join(t.qs, SV("/n"), &which, rooms, 2, on_done, "j-");
    assert_int_equal(t.request->type, BUS_REMOTE_JOIN);
    assert_int_equal(t.request->ntargets, 2);
    assert_true(sv_eq(t.request->rooms[0], SV("c")) && sv_eq(t.request->uid, SV("me")));
    assert_int_equal(t.request->id.n, 0);
    say_requested(BUS_TAKEN);
    questions_disconnect(t.qs, SV("/n"), &which, true, on_done, "d-");
    assert_true(t.request->type == BUS_REMOTE_DISCONNECT && t.request->close);
    say_requested(BUS_REFUSED);
    assert_told("j-taken d-lost");
    questions_emit(t.qs, SV("/n"), SV("[\"e\"]"), 0, NULL, NULL);
    assert_int_equal(t.request->type, BUS_SERVER_SIDE_EMIT);
    assert_int_equal(t.request->id.n, 0);
    t.requested = NULL;
}

static void only_so_many_are_open_at_a_time(void **state)
{
    void *args[10000];
    (void)state;
    for (size_t i = 0; i < 10000; i++) {
        questions_fetch(t.qs, SV("/n"), NULL, TIMEOUT, on_answers, "");
        args[i] = t.sync_arg;
    }
    assert_int_equal(t.entered, 1);
    fetch("one-more");
    pass(WHEEL_TICK_MS);
    assert_told("one-more: the namespace cannot be asked");
    bus_done_cb done = t.synced;
    for (size_t i = 0; i < 10000; i++) {
        t.told[0] = '\0';
        done(BUS_REFUSED, args[i]);
    }
    t.synced = NULL;
}

/* ---- a node that takes requests */

static void a_server_adds_its_part_when_its_request_comes_back(void **state)
{
    (void)state;
    ask("q", 2, "n1");
    assert_int_equal(t.held, 1);
    assert_int_equal(t.entered, 0);
    assert_int_equal(t.bus_waits, 3); /* sync, count, request */
    assert_null(questions_find(t.qs, SV("")));
    struct question *q = questions_find(t.qs, t.request->id);
    questions_add_own(q);
    questions_add_own(q);
    respond(BUS_FETCHED, "n1", "[1]");
    assert_told("q: [\"own-5\"] [1] complete");
    assert_int_equal(t.held, 0);
}

static void a_server_has_its_part_though_its_request_is_lost(void **state)
{
    (void)state;
    ask("q", 1, NULL);
    pass(TIMEOUT + WHEEL_TICK_MS);
    assert_told("q: [\"own-5\"] not all nodes have answered");
    fetch("r");
    say_synced(BUS_REFUSED);
    assert_told("r: [\"own-5\"] the message bus is not available");
}

static void a_server_is_none_of_those_its_event_is_for(void **state)
{
    (void)state;
    questions_emit(t.qs, SV("/n"), SV("[\"e\"]"), TIMEOUT, on_answers, "q");
    say_synced(BUS_TAKEN);
    say_counted(1, NULL);
    assert_null(t.requested);
    assert_told("q: complete");
}

static void a_namespace_that_is_not_allowed_is_not_asked(void **state)
{
    (void)state;
    t.may_not = true;
    fetch("q");
    assert_null(t.synced);
    pass(WHEEL_TICK_MS);
    assert_told("q: [\"own-5\"] the namespace cannot be asked");
}

#define WORKER(name) cmocka_unit_test_setup_teardown(name, begin_worker, end)
#define SERVER(name) cmocka_unit_test_setup_teardown(name, begin_server, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER(a_worker_waits_for_all_that_were_counted),
        WORKER(a_worker_is_not_left_out_of_servers_events),
        WORKER(a_worker_alone_has_its_answer_at_once),
        WORKER(who_is_silent_is_named),
        WORKER(clients_acks_are_waited_for),
        WORKER(a_bus_that_is_away_is_said_so),
        WORKER(at_the_end_all_are_told_once_and_nobody_asks_again),
        WORKER(what_needs_no_answer_is_a_request_at_once),
        WORKER(only_so_many_are_open_at_a_time),
        SERVER(a_server_adds_its_part_when_its_request_comes_back),
        SERVER(a_server_has_its_part_though_its_request_is_lost),
        SERVER(a_server_is_none_of_those_its_event_is_for),
        SERVER(a_namespace_that_is_not_allowed_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
