/* The master found by real Sentinels, and found anew when they make another one the master. */
/* System */
#include <signal.h>
#include <string.h>
/* Tests */
#include "unit/io/redis_fixture.h"

static struct {
    struct redis_server replica, sentinel, stale;
} t;

static int end(void **state)
{
    int rc = fixture_end(state);
    redis_server_remove(&t.sentinel);
    redis_server_remove(&t.stale);
    redis_server_remove(&t.replica);
    return rc;
}

static void serve(struct fixture *f)
{
    char port[16];
    fixture_serve(f, NULL);
    snprintf(port, sizeof(port), "%u", f->server.port);
    const char *const replica[] = {"--replicaof", "127.0.0.1", port, NULL};
    memset(&t, 0, sizeof(t));
    redis_server_start(&t.replica, replica);
    redis_server_start_sentinel(&t.sentinel, f->server.port);
    fixture_set(f, "redis.url=redis://");
}

static void the_new_master_is_found(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    struct noted *asker = &f->two;
    char where[64];
    serve(f);
    fixture_setf(f, "redis.url=redis://127.0.0.1:%u", t.sentinel.port);
    fixture_link(f, asker, "asker");
    UNTIL(f, asker->ups == 1);
    /* One of the two is not there: the other answers. */
    fixture_set(f, "redis.url=redis://");
    fixture_setf(f, "redis.sentinels=127.0.0.1:%u,127.0.0.1:%u", redis_server_free_port(),
                 t.sentinel.port);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    snprintf(where, sizeof(where), "127.0.0.1:%u", f->server.port);
    assert_string_equal(redis_link_where(n->link), where);
    assert_string_equal(fixture_ask(f, n, "SET a 1"), "OK");
    /* The Sentinel must know the replica, and the replica the data, before the master goes. */
    UNTIL(f, strcmp(fixture_ask(f, n, "WAIT 1 100"), "1") == 0);
    UNTIL(f, strstr(fixture_ask(f, asker, "SENTINEL REPLICAS mymaster"), "name"));
    redis_server_stop(&f->server);
    UNTIL(f, n->downs == 1);
    UNTIL(f, n->ups == 2);
    snprintf(where, sizeof(where), "127.0.0.1:%u", t.replica.port);
    assert_string_equal(redis_link_where(n->link), where);
    assert_string_equal(fixture_ask(f, n, "GET a"), "1");
    assert_string_equal(fixture_ask(f, n, "SET a 2"), "OK");
}

static void what_sentinels_do_not_know(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    serve(f);
    fixture_setf(f, "redis.sentinels=127.0.0.1:%u", t.sentinel.port);
    fixture_set(f, "redis.sentinel_master=other");
    fixture_link(f, n, "test");
    UNTIL(f, strstr(redis_link_why(n->link), ": it does not know the master"));
    fixture_unlink(n);
    fixture_set(f, "redis.sentinel_master=mymaster");
    fixture_set(f, "redis.sentinel_password=wrong");
    fixture_link(f, n, "test");
    UNTIL(f, strstr(redis_link_why(n->link), "AUTH <password> called without any password"));
    fixture_unlink(n);
    fixture_set(f, "redis.sentinel_password=");
    redis_server_stop(&t.sentinel);
    fixture_link(f, n, "test");
    UNTIL(f, strstr(redis_link_why(n->link), "Connection refused"));
    assert_int_equal(n->ups, 0);
}

/* A Sentinel that says so of a replica is stale: not believed, and another one is asked. */
static void a_replica_is_no_master(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    char where[64];
    serve(f);
    redis_server_start_sentinel(&t.stale, t.replica.port);
    fixture_setf(f, "redis.sentinels=127.0.0.1:%u", t.stale.port);
    fixture_link(f, n, "test");
    UNTIL(f, redis_link_why(n->link)[0]);
    assert_string_equal(redis_link_why(n->link),
                        "the server that the Sentinel named is not a master");
    assert_int_equal(n->ups, 0);
    fixture_unlink(n);
    fixture_setf(f, "redis.sentinels=127.0.0.1:%u,127.0.0.1:%u", t.stale.port, t.sentinel.port);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    assert_string_equal(redis_link_why(n->link),
                        "the server that the Sentinel named is not a master");
    snprintf(where, sizeof(where), "127.0.0.1:%u", f->server.port);
    assert_string_equal(redis_link_where(n->link), where);
}

/* One that takes the question and says nothing costs a part of the time only. */
static void a_silent_sentinel_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    serve(f);
    redis_server_start_sentinel(&t.stale, f->server.port);
    redis_server_signal(&t.stale, SIGSTOP);
    fixture_set(f, "redis.connect_timeout=1200");
    fixture_setf(f, "redis.sentinels=127.0.0.1:%u,127.0.0.1:%u", t.stale.port, t.sentinel.port);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    assert_string_equal(redis_link_why(n->link), ""); /* in the first attempt */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_new_master_is_found),
        TEST(what_sentinels_do_not_know),
        TEST(a_replica_is_no_master),
        TEST(a_silent_sentinel_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
