/* The way to the workers over a real Redis: entries, notes, back-pressure, outages, partitions. */
/* System */
#include <signal.h>
#include <string.h>
/* Util */
#include "util/log.h"
/* Io */
#include "io/work_redis.h"
/* Tests */
#include "unit/cluster/work_fixture.h"
#include "unit/io/redis_fixture.h"

static struct work_out *out;
static char told[256]; /* T(aken), F(ull), R(efused), L(arge), U(ncertain) */

static void on_done(enum work_outcome outcome, void *arg)
{
    size_t n = strlen(told);
    (void)arg;
    assert_true(n + 1 < sizeof(told));
    told[n] = "TFRLU"[outcome];
    told[n + 1] = '\0';
}

static void forget_told(void)
{
    told[0] = '\0';
}

static void assert_told(const char *want)
{
    assert_string_equal(told, want);
    forget_told();
}

static bool flush(void *arg)
{
    struct work_out **w = arg;
    return *w && (*w)->ops->flush(*w);
}

static void open_out(struct fixture *f)
{
    struct cfg_error err;
    forget_told();
    out = work_redis_new(&f->cfg, f->loop, SV("gateway1"), &err);
    if (!out) fail_msg("%s", err.text);
}

static void submit_in(enum work_type type, unsigned n, const char *sid)
{
    struct work_item item = work_fixture[type];
    char id[32];
    snprintf(id, sizeof(id), "gateway1-%u", n);
    item.id = sv_of(id);
    item.asks = false;
    if (sid) item.sid = sv_of(sid);
    char before[sizeof(told)];
    memcpy(before, told, sizeof(told));
    out->ops->submit(out, &item, on_done, NULL);
    assert_string_equal(told, before); /* never from within */
}

static void submit(enum work_type type, unsigned n)
{
    submit_in(type, n, NULL);
}

static void ask(struct fixture *f, size_t argc, const struct str_view *argv)
{
    UNTIL(f, redis_link_is_up(f->two.link));
    unsigned before = f->two.answers;
    redis_link_command(f->two.link, fixture_on_answer, &f->two, argc, argv);
    UNTIL(f, f->two.answers == before + 1);
}

/* What is in all streams: "e1 c2 d3", partitions separated by '|', empty ones left out. */
static const char *streams(struct fixture *f)
{
    static const char script[] = "local out = {} for p = 0, 255 do local one = {} "
                                 "for _, x in ipairs(redis.call('XRANGE', 'socket.io-peal-work#{' "
                                 ".. p .. '}', '-', '+')) do "
                                 "local f = {} for i = 1, #x[2], 2 do f[x[2][i]] = x[2][i + 1] end "
                                 "one[#one + 1] = f.type:sub(1, 1) .. f.id:sub(10) end "
                                 "if #one > 0 then out[#out + 1] = table.concat(one, ' ') end end "
                                 "return table.concat(out, '|')";
    const struct str_view argv[] = {SV("EVAL"), SV(script), SV("0")};
    ask(f, 3, argv);
    return f->two.last;
}

static void serve(struct fixture *f, const char *const *more)
{
    fixture_set(f, "work.partitions=1");
    fixture_serve(f, more);
    fixture_link(f, &f->two, "look");
    open_out(f);
    UNTIL(f, !out->ops->trouble(out));
}

static void items_are_entries_in_their_order(void **state)
{
    struct fixture *f = *state;
    serve(f, NULL);
    submit(WORK_CONNECT, 1);
    submit(WORK_EVENT, 2);
    submit(WORK_EVENT, 3);
    submit(WORK_DISCONNECT, 4);
    assert_int_equal(out->stats.pending, 4);
    UNTIL(f, out->stats.pending == 0);
    assert_told("TTTT");
    assert_string_equal(streams(f), "c1 e2 e3 d4");
    assert_int_equal(out->stats.taken, 4);
    assert_int_equal(out->stats.pending_bytes, 0);
    assert_int_equal(out->stats.repeated, 0);
    UNTIL(f, out->stats.backlog == 4);
}

/* Byte for byte, as a reader gets them. */
static void an_entry_has_the_items_fields(void **state)
{
    struct fixture *f = *state;
    serve(f, NULL);
    submit(WORK_EVENT, 17);
    UNTIL(f, out->stats.pending == 0);
    fixture_ask(f, &f->two, "XRANGE socket.io-peal-work#{0} - +");
    const char *fields = strstr(f->two.last, "[type ");
    assert_non_null(fields);
    const char *want =
        "[type event id gateway1-17 nsp /chat sid gateway1AAAAbbbbCCCC gateway gateway1 "
        "serial 4294967295 user J\xc3\xb6rg claims "
        "{\"sub\":\"J\xc3\xb6rg\",\"n\":12345678901234567890} data null time "
        "1700000000123 event m\xed\xa0\x80 args [\"m\\ud800\",";
    assert_memory_equal(fields, want, strlen(want));
}

static void sockets_are_spread_over_partitions(void **state)
{
    struct fixture *f = *state;
    fixture_set(f, "work.partitions=16");
    fixture_serve(f, NULL);
    fixture_link(f, &f->two, "look");
    open_out(f);
    submit_in(WORK_EVENT, 1, "a");      /* 12 */
    submit_in(WORK_EVENT, 2, "foobar"); /* 8 */
    submit_in(WORK_EVENT, 3, "a");
    UNTIL(f, out->stats.pending == 0);
    assert_string_equal(streams(f), "e2|e1 e3");
    fixture_ask(f, &f->two, "GET socket.io-peal-partitions");
    assert_string_equal(f->two.last, "16");
}

static const char *notes(struct fixture *f)
{
    return fixture_ask(f, &f->two, "HGETALL socket.io-peal-sockets#gateway1");
}

static void sockets_are_noted_while_connected(void **state)
{
    struct fixture *f = *state;
    serve(f, NULL);
    submit(WORK_CONNECT, 1);
    submit_in(WORK_CONNECT, 2, "other");
    UNTIL(f, out->stats.pending == 0);
    const char *value = "{\"serial\":1,\"user\":\"\",\"claims\":{},\"data\":null}";
    char want[512];
    snprintf(want, sizeof(want), "[/\ngateway1AAAAbbbbCCCC %s /\nother %s]", value, value);
    assert_string_equal(notes(f), want);
    submit(WORK_DISCONNECT, 3);
    out->ops->forget(out, SV("/"), SV("other"));
    UNTIL(f, out->stats.pending == 0);
    assert_string_equal(notes(f), "[]");
    assert_string_equal(streams(f), "c1 c2 d3");
    assert_int_equal(out->stats.taken, 3);
}

static void a_note_is_renewed_while_it_is_there(void **state)
{
    struct fixture *f = *state;
    struct work_item item = {.type = WORK_CONNECT,
                             .nsp = SV("/"),
                             .sid = SV("gateway1AAAAbbbbCCCC"),
                             .serial = 1,
                             .claims = SV("{}"),
                             .data = SV("{\"seat\":4}")};
    serve(f, NULL);
    out->ops->renew(out, &item); /* not told yet: nothing to renew */
    submit(WORK_CONNECT, 1);
    UNTIL(f, out->stats.pending == 0);
    assert_non_null(strstr(notes(f), "\"data\":null"));
    out->ops->renew(out, &item);
    UNTIL(f, out->stats.pending == 0);
    assert_string_equal(notes(f), "[/\ngateway1AAAAbbbbCCCC {\"serial\":1,\"user\":\"\","
                                  "\"claims\":{},\"data\":{\"seat\":4}}]");
    submit(WORK_DISCONNECT, 2);
    out->ops->renew(out, &item); /* too late */
    UNTIL(f, out->stats.pending == 0);
    assert_string_equal(notes(f), "[]");
    assert_string_equal(streams(f), "c1 d2"); /* nothing of it is an item */
    assert_int_equal(out->stats.pending_bytes, 0);
    assert_int_equal(out->stats.taken, 2);
}

static void a_full_partition_refuses_until_it_is_well_below(void **state)
{
    struct fixture *f = *state;
    fixture_set(f, "work.max_backlog=16");
    serve(f, NULL);
    for (unsigned i = 1; i <= 17; i++)
        submit(WORK_EVENT, i);
    UNTIL(f, out->stats.pending == 0);
    assert_told("TTTTTTTTTTTTTTTTT");
    assert_int_equal(out->stats.partitions_full, 1);
    submit(WORK_EVENT, 18);
    submit(WORK_CONNECT, 19); /* nobody waits for it: up to twice the bound */
    submit(WORK_DISCONNECT, 20);
    UNTIL(f, out->stats.pending == 0);
    assert_int_equal(out->stats.full, 1);
    assert_int_equal(strlen(told), 3);
    assert_non_null(strchr(told, 'F'));
    UNTIL(f, out->stats.backlog == 19);
    fixture_ask(f, &f->two, "XTRIM socket.io-peal-work#{0} MAXLEN 15");
    UNTIL(f, out->stats.backlog == 15); /* by the probe */
    assert_int_equal(out->stats.partitions_full, 1);
    fixture_ask(f, &f->two, "XTRIM socket.io-peal-work#{0} MAXLEN 14");
    UNTIL(f, out->stats.partitions_full == 0);
    forget_told();
    submit(WORK_EVENT, 21);
    UNTIL(f, out->stats.pending == 0);
    assert_told("T");
}

static void connects_pass_the_bound_up_to_twice(void **state)
{
    struct fixture *f = *state;
    fixture_set(f, "work.max_backlog=10");
    serve(f, NULL);
    for (unsigned i = 1; i <= 21; i++) {
        submit(WORK_CONNECT, i);
        UNTIL(f, out->stats.pending == 0);
    }
    assert_told("TTTTTTTTTTTTTTTTTTTTT");
    submit(WORK_CONNECT, 22);
    submit(WORK_DISCONNECT, 23);
    UNTIL(f, out->stats.pending == 0);
    assert_int_equal(out->stats.full, 1);
    assert_int_equal(out->stats.taken, 22);
}

static void one_that_is_asked_about_does_not_pass(void **state)
{
    struct fixture *f = *state;
    fixture_set(f, "work.max_backlog=10");
    serve(f, NULL);
    for (unsigned i = 1; i <= 11; i++)
        submit(WORK_EVENT, i);
    UNTIL(f, out->stats.pending == 0);
    forget_told();
    struct work_item item = work_fixture[WORK_CONNECT];
    assert_true(item.asks);
    out->ops->submit(out, &item, on_done, NULL);
    UNTIL(f, out->stats.pending == 0);
    assert_told("F");
}

static void large_items_are_refused(void **state)
{
    struct fixture *f = *state;
    static char data[2000];
    fixture_set(f, "work.max_item=1024");
    serve(f, NULL);
    struct work_item item = work_fixture[WORK_EVENT];
    memset(data, '1', sizeof(data));
    item.data = sv_make(data, sizeof(data));
    out->ops->submit(out, &item, on_done, NULL);
    submit(WORK_EVENT, 2);
    UNTIL(f, out->stats.pending == 0);
    assert_int_equal(out->stats.too_large, 1);
    assert_string_equal(streams(f), "e2");
}

static void they_wait_while_redis_is_away(void **state)
{
    struct fixture *f = *state;
    serve(f, NULL);
    redis_server_stop(&f->server);
    UNTIL(f, out->ops->trouble(out));
    assert_string_equal(out->ops->trouble(out), "not connected to Redis");
    for (unsigned i = 1; i <= 5; i++)
        submit(WORK_EVENT, i);
    UNTIL(f, f->two.downs == 1);
    assert_told("");
    redis_server_start(&f->server, NULL);
    UNTIL(f, out->stats.pending == 0);
    assert_told("TTTTT");
    assert_string_equal(streams(f), "e1 e2 e3 e4 e5");
    assert_int_equal(out->stats.repeated, 0);
}

static void but_not_for_ever(void **state)
{
    struct fixture *f = *state;
    fixture_set(f, "bus.pending_max_age=150");
    serve(f, NULL);
    redis_server_stop(&f->server);
    UNTIL(f, out->ops->trouble(out));
    submit(WORK_CONNECT, 1);
    submit(WORK_DISCONNECT, 2);
    submit(WORK_EVENT, 3);
    UNTIL(f, strlen(told) == 2);
    assert_told("RR");
    assert_int_equal(out->stats.pending, 1); /* what is owed */
    redis_server_start(&f->server, NULL);
    UNTIL(f, out->stats.pending == 0);
    assert_told("T");
    assert_string_equal(streams(f), "d2");
}

static void nor_too_many(void **state)
{
    struct fixture *f = *state;
    fixture_set(f, "bus.pending_max_bytes=65536");
    fixture_set(f, "bus.pending_max_age=600000");
    serve(f, NULL);
    redis_server_stop(&f->server);
    UNTIL(f, out->ops->trouble(out));
    for (unsigned i = 1; out->stats.refused == 0; i++) {
        submit(WORK_EVENT, i);
        fixture_turn(f);
    }
    assert_told("R");
    assert_true(out->stats.pending_bytes <= 65536 && out->stats.pending_bytes > 60000);
    uint64_t pending = out->stats.pending;
    submit(WORK_DISCONNECT, 1000); /* has a place of its own */
    fixture_turn(f);
    assert_int_equal(out->stats.pending, pending + 1);
    for (unsigned i = 1001; out->stats.refused == 1; i++) {
        submit(WORK_DISCONNECT, i);
        fixture_turn(f);
    }
    assert_told("R");
    assert_true(out->stats.pending_bytes <= 2 * 65536);
}

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

/* Redis takes what it has been sent only when it goes on: killed before, it has seen none of it. */
static void what_was_on_its_way_is_sent_again_in_order(void **state)
{
    struct fixture *f = *state;
    serve(f, durable);
    submit(WORK_CONNECT, 1);
    UNTIL(f, out->stats.pending == 0);
    redis_server_signal(&f->server, SIGSTOP);
    for (unsigned i = 2; i <= 5; i++) {
        submit(WORK_EVENT, i);
        fixture_turn(f);
    }
    submit(WORK_DISCONNECT, 6);
    fixture_turn(f);
    redis_server_stop(&f->server);
    UNTIL(f, out->ops->trouble(out));
    submit(WORK_EVENT, 7);
    redis_server_start(&f->server, durable);
    UNTIL(f, out->stats.pending == 0);
    assert_told("TTTTTTT");
    assert_string_equal(streams(f), "c1 e2 e3 e4 e5 d6 e7");
    assert_int_equal(out->stats.repeated, 5);
    assert_string_equal(notes(f), "[]");
    assert_int_equal(out->stats.connects, 2);
    assert_int_equal(out->stats.disconnects, 1);
}

/* Stopped for longer than the link's patience, Redis takes all of it when it goes on, and again. */
static void a_repeat_has_the_same_id(void **state)
{
    struct fixture *f = *state;
    serve(f, NULL);
    redis_server_signal(&f->server, SIGSTOP);
    submit(WORK_EVENT, 1);
    submit(WORK_EVENT, 2);
    UNTIL(f, out->stats.disconnects == 1);
    redis_server_signal(&f->server, SIGCONT);
    UNTIL(f, out->stats.pending == 0);
    assert_told("TT");
    const char *all = streams(f);
    assert_true(strcmp(all, "e1 e2 e1 e2") == 0 || strcmp(all, "e1 e2") == 0);
    assert_int_equal(out->stats.repeated, 2);
}

static void what_was_on_its_way_may_be_uncertain(void **state)
{
    struct fixture *f = *state;
    fixture_set(f, "bus.pending_max_age=700");
    serve(f, NULL);
    redis_server_signal(&f->server, SIGSTOP);
    submit(WORK_EVENT, 1);
    fixture_turn(f);
    redis_server_stop(&f->server);
    UNTIL(f, out->ops->trouble(out));
    submit(WORK_EVENT, 2);
    UNTIL(f, strlen(told) == 2);
    assert_told("UR");
    assert_int_equal(out->stats.uncertain, 1);
    assert_int_equal(out->stats.pending, 0);
}

static void redis_may_refuse(void **state)
{
    struct fixture *f = *state;
    serve(f, NULL);
    submit(WORK_CONNECT, 1);
    UNTIL(f, out->stats.pending == 0);
    forget_told();
    fixture_ask(f, &f->two, "RENAME socket.io-peal-work#{0} aside");
    fixture_ask(f, &f->two, "SET socket.io-peal-work#{0} none");
    submit(WORK_EVENT, 2);
    submit(WORK_DISCONNECT, 3); /* is owed: tried again, as the next one */
    out->number = 3;
    UNTIL(f, out->stats.refused == 1);
    fixture_turn(f);
    assert_told("R");
    assert_int_equal(out->stats.pending, 1);
    fixture_ask(f, &f->two, "RENAME aside socket.io-peal-work#{0}");
    UNTIL(f, out->stats.pending == 0);
    assert_told("T");
    assert_string_equal(streams(f), "c1 d4");
}

static void another_number_of_partitions_is_no_cluster(void **state)
{
    struct fixture *f = *state;
    fixture_set(f, "work.partitions=4");
    fixture_serve(f, NULL);
    fixture_link(f, &f->two, "look");
    UNTIL(f, f->two.ups == 1);
    fixture_ask(f, &f->two, "SET socket.io-peal-partitions 16");
    log_set_level(LOG_FATAL);
    open_out(f);
    submit(WORK_EVENT, 1);
    assert_null(work_redis_mismatch(out));
    UNTIL(f, out->stats.pending == 0);
    assert_told("R");
    assert_string_equal(out->ops->trouble(out), "the cluster has another number of partitions");
    assert_string_equal(
        work_redis_mismatch(out),
        "work.partitions: 4 is not allowed: the programs that use this Redis have 16");
    submit(WORK_EVENT, 2);
    UNTIL(f, out->stats.pending == 0);
    assert_told("R");
    assert_string_equal(streams(f), "");
}

static void the_count_may_be_nonsense(void **state)
{
    struct fixture *f = *state;
    fixture_serve(f, NULL);
    fixture_link(f, &f->two, "look");
    UNTIL(f, f->two.ups == 1);
    fixture_ask(f, &f->two, "SET socket.io-peal-partitions 16\nx");
    log_set_level(LOG_FATAL);
    open_out(f);
    UNTIL(f, work_redis_mismatch(out));
    assert_string_equal(
        work_redis_mismatch(out),
        "work.partitions: 16 is not allowed: the programs that use this Redis have another count");
    fixture_ask(f, &f->two, "DEL socket.io-peal-partitions");
    fixture_ask(f, &f->two, "LPUSH socket.io-peal-partitions 16");
    out->ops->free(out);
    open_out(f);
    UNTIL(f, out->stats.disconnects == 2); /* it tries again */
    assert_null(work_redis_mismatch(out));
    fixture_ask(f, &f->two, "DEL socket.io-peal-partitions");
    UNTIL(f, !out->ops->trouble(out));
}

static void the_end_tells_all(void **state)
{
    struct fixture *f = *state;
    serve(f, NULL);
    redis_server_signal(&f->server, SIGSTOP);
    submit(WORK_EVENT, 1);
    submit(WORK_DISCONNECT, 2);
    fixture_turn(f);
    submit(WORK_EVENT, 3);
    out->ops->forget(out, SV("/"), SV("x"));
    out->ops->free(out);
    out = NULL;
    assert_told("UUR");
}

static int begin(void **state)
{
    fixture_begin(state);
    loop_add_phase(((struct fixture *)*state)->loop, flush, &out);
    return 0;
}

static int end(void **state)
{
    if (out) out->ops->free(out);
    out = NULL;
    return fixture_end(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(items_are_entries_in_their_order),
        TEST(an_entry_has_the_items_fields),
        TEST(sockets_are_spread_over_partitions),
        TEST(sockets_are_noted_while_connected),
        TEST(a_note_is_renewed_while_it_is_there),
        TEST(a_full_partition_refuses_until_it_is_well_below),
        TEST(connects_pass_the_bound_up_to_twice),
        TEST(one_that_is_asked_about_does_not_pass),
        TEST(large_items_are_refused),
        TEST(they_wait_while_redis_is_away),
        TEST(but_not_for_ever),
        TEST(nor_too_many),
        TEST(what_was_on_its_way_is_sent_again_in_order),
        TEST(a_repeat_has_the_same_id),
        TEST(what_was_on_its_way_may_be_uncertain),
        TEST(redis_may_refuse),
        TEST(another_number_of_partitions_is_no_cluster),
        TEST(the_count_may_be_nonsense),
        TEST(the_end_tells_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
