/* redis_link against a real redis-server: commands, subscriptions, logging in, and coming back. */
/* System */
#include <signal.h>
#include <string.h>
/* Tests */
#include "unit/io/redis_fixture.h"

static void up_then_commands_and_answers_of_all_kinds(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_serve(f, NULL);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    assert_string_equal(fixture_ask(f, n, "SET a 1"), "OK");
    assert_string_equal(fixture_ask(f, n, "GET a"), "1");
    assert_string_equal(fixture_ask(f, n, "INCR a"), "2");
    assert_string_equal(fixture_ask(f, n, "GET none"), "nil");
    assert_string_equal(fixture_ask(f, n, "LPUSH l x y"), "2");
    assert_string_equal(fixture_ask(f, n, "LRANGE l 0 -1"), "[y x]");
    assert_string_equal(fixture_ask(f, n, "MGET a none"), "[2 nil]");
    assert_string_equal(fixture_ask(f, n, "LRANGE none 0 -1"), "[]");
    assert_string_equal(fixture_ask(f, n, "INCR l"),
                        "!WRONGTYPE Operation against a key holding the wrong kind of value");
    assert_string_equal(fixture_ask(f, n, "CLIENT GETNAME"), "peal:test");
    assert_int_equal(n->downs, 0);
}

static void many_commands_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_serve(f, NULL);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    for (unsigned i = 1; i <= 5000; i++)
        fixture_command(n, "INCR count");
    assert_true(redis_link_unsent(n->link) > 5000);
    redis_link_flush(n->link);
    UNTIL(f, n->answers == 5000);
    assert_string_equal(n->last, "5000");
    assert_int_equal(redis_link_unsent(n->link), 0);
    assert_int_equal(n->nulls, 0);
}

static void sub(struct noted *n, bool on, bool is_pattern, const char *name)
{
    struct str_view v = sv_of(name);
    (on ? redis_link_subscribe : redis_link_unsubscribe)(n->link, is_pattern, &v, 1);
}

static void subscriptions_and_patterns(void **state)
{
    struct fixture *f = *state;
    struct noted *ear = &f->one, *mouth = &f->two;
    const struct str_view names[] = {SV("a"), SV("b"), SV("c")};
    fixture_serve(f, NULL);
    fixture_link(f, ear, "in");
    fixture_link(f, mouth, "out");
    UNTIL(f, ear->ups && mouth->ups);
    redis_link_subscribe(ear->link, false, names, 3);
    sub(ear, true, true, "p*");
    UNTIL(f, ear->subscribed == 4);
    assert_string_equal(ear->last, "pattern p*");
    assert_string_equal(fixture_ask(f, mouth, "PUBLISH b hello"), "1");
    UNTIL(f, ear->messages == 1);
    assert_string_equal(ear->last, "|b|hello");
    assert_string_equal(fixture_ask(f, mouth, "PUBLISH pq there"), "1");
    UNTIL(f, ear->messages == 2);
    assert_string_equal(ear->last, "p*|pq|there");
    sub(ear, false, false, "b");
    UNTIL(f, ear->unsubscribed == 1);
    assert_string_equal(fixture_ask(f, mouth, "PUBLISH b x"), "0");
    /* The traps of hiredis: one channel ended and begun again at once, and the last one ended. */
    sub(ear, false, false, "a");
    sub(ear, true, false, "a");
    UNTIL(f, ear->unsubscribed == 2 && ear->subscribed == 5);
    assert_string_equal(fixture_ask(f, mouth, "PUBLISH a again"), "1");
    UNTIL(f, ear->messages == 3);
    sub(ear, false, false, "a");
    sub(ear, false, false, "c");
    sub(ear, false, true, "p*");
    UNTIL(f, ear->unsubscribed == 5);
    sub(ear, true, false, "late");
    UNTIL(f, ear->subscribed == 6);
    assert_string_equal(fixture_ask(f, mouth, "PUBLISH late x"), "1");
    UNTIL(f, ear->messages == 4);
    assert_int_equal(ear->downs + mouth->downs, 0);
}

static void a_killed_connection_comes_back(void **state)
{
    struct fixture *f = *state;
    struct noted *ear = &f->one, *mouth = &f->two;
    fixture_serve(f, NULL);
    fixture_link(f, ear, "in");
    fixture_link(f, mouth, "out");
    UNTIL(f, ear->ups && mouth->ups);
    sub(ear, true, false, "a");
    UNTIL(f, ear->subscribed == 1);
    assert_string_equal(fixture_ask(f, mouth, "CLIENT KILL TYPE pubsub"), "1");
    UNTIL(f, ear->downs == 1);
    assert_string_equal(ear->why, "the server closed the connection");
    UNTIL(f, ear->ups == 2);
    assert_string_equal(ear->order, "udu");
    assert_int_equal(mouth->downs, 0);
}

static void unix_sockets_and_databases(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one, *other = &f->two;
    fixture_serve(f, NULL);
    fixture_link(f, other, "tcp");
    fixture_setf(f, "redis.url=unix://%s?db=3", f->server.path);
    fixture_link(f, n, "unix");
    UNTIL(f, n->ups == 1 && other->ups == 1);
    assert_non_null(strstr(redis_link_where(n->link), "unix:"));
    assert_string_equal(fixture_ask(f, n, "SET a 1"), "OK");
    assert_string_equal(fixture_ask(f, other, "GET a"), "nil");
    assert_string_equal(fixture_ask(f, other, "SELECT 3"), "OK");
    assert_string_equal(fixture_ask(f, other, "GET a"), "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(up_then_commands_and_answers_of_all_kinds),
        TEST(many_commands_are_answered_in_order),
        TEST(subscriptions_and_patterns),
        TEST(a_killed_connection_comes_back),
        TEST(unix_sockets_and_databases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
