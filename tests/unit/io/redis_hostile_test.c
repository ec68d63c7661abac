/* Servers that send what they must not, or nothing: the link drops them, tells it, and comes back. */
/* System */
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Tests */
#include "unit/io/fake_redis.h"
#include "unit/io/redis_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LOGIN "+OK\r\n+PONG\r\n"
#define NOBODY "the server sent what nobody asked for"

static struct fake_redis fake;

static int begin(void **state)
{
    memset(&fake, 0, sizeof(fake));
    return fixture_begin(state);
}

static int end(void **state)
{
    fake_redis_stop(&fake);
    return fixture_end(state);
}

static void serve(struct fixture *f, const char *then, size_t n, const char *then_to)
{
    fake_redis_stop(&fake);
    fake.login = LOGIN;
    fake.then = then;
    fake.then_n = n;
    fake.then_to = then_to;
    fake_redis_start(&fake, f->loop);
    fixture_setf(f, "redis.url=redis://127.0.0.1:%u", fake.port);
}

static void forget(struct noted *n)
{
    fixture_unlink(n);
    memset(n, 0, sizeof(*n));
}

/* The link loses the connection for this reason, and is up again. */
static void expect_drop(struct fixture *f, const char *why)
{
    struct noted *n = &f->one;
    UNTIL(f, n->downs == 1);
    if (strncmp(n->why, why, strlen(why)) != 0) fail_msg("\"%s\" is not \"%s\"", n->why, why);
    UNTIL(f, n->ups == 2);
    assert_string_equal(n->order, "udu");
    assert_int_equal(n->messages + n->subscribed, 0);
    forget(n);
}

static void unasked(void **state)
{
    static const struct {
        const char *sent, *why;
    } cases[] = {
        {"junk\r\n", "Protocol error"},
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error"},
        {"\0\0\0\0", ""},
        {"+hello\r\n", NOBODY},
        {":1\r\n", NOBODY},
        {"$-1\r\n", NOBODY},
        {"*0\r\n", NOBODY},
        {"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n", NOBODY},
        {"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", NOBODY},
        {"-ERR go away\r\n", "the server refuses: ERR go away"},
        {"*2147483647\r\n", "an answer has more parts than allowed"},
        {"*200000\r\n*200000\r\n", "an answer has more parts than allowed"},
        {"$99999999999999999999\r\n", "Bad bulk"},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", ""},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        serve(f, cases[i].sent, cases[i].sent[0] ? strlen(cases[i].sent) : 4, NULL);
        fixture_link(f, &f->one, "test");
        expect_drop(f, cases[i].why);
    }
}

static void to_a_subscriber(void **state)
{
    static const struct {
        const char *sent, *why;
    } cases[] = {
        {"+OK\r\n", NOBODY},
        {":1\r\n", NOBODY},
        {"*0\r\n", NOBODY},
        {"*1\r\n$9\r\nsubscribe\r\n", NOBODY},
        {"*2\r\n$9\r\nsubscribe\r\n$1\r\na\r\n", NOBODY},
        {"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n$1\r\n1\r\n", NOBODY},
        {"*3\r\n$9\r\nsubscribe\r\n:1\r\n:1\r\n", NOBODY},
        {"*3\r\n:1\r\n$1\r\na\r\n$1\r\na\r\n", NOBODY},
        {"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n", NOBODY},
        {"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n:1\r\n", NOBODY},
        {"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$-1\r\n", NOBODY},
        {"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", NOBODY},
        {"*4\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", NOBODY},
        {"*3\r\n$8\r\npmessage\r\n$1\r\na\r\n$1\r\nb\r\n", NOBODY},
        {"*4\r\n$8\r\npmessage\r\n$1\r\na\r\n$1\r\nb\r\n:1\r\n", NOBODY},
        {"*5\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n", NOBODY},
        {"*3\r\n$4\r\nevil\r\n$1\r\na\r\n:1\r\n", NOBODY},
        {"-NOPERM this user has no permissions to access one of the channels\r\n",
         "the server refuses: NOPERM this user"},
    };
    struct fixture *f = *state;
    const struct str_view name = SV("a");
    for (size_t i = 0; i < COUNT(cases); i++) {
        serve(f, cases[i].sent, strlen(cases[i].sent), "SUBSCRIBE\r\n");
        fixture_link(f, &f->one, "test");
        UNTIL(f, f->one.ups == 1);
        redis_link_subscribe(f->one.link, false, &name, 1);
        expect_drop(f, cases[i].why);
    }
}

/* The fixture's max_reply is 1 MiB; the fake has more in store than the link may take. */
static void too_much(void **state)
{
    static const char *const heads[] = {"$900000000\r\n", "+", "-", ":",
                                        "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4000000\r\n"};
    struct fixture *f = *state;
    size_t n = 4u << 20;
    char *text = x_malloc(n);
    const struct str_view name = SV("a");
    for (size_t i = 0; i < COUNT(heads); i++) {
        memset(text, 'x', n);
        memcpy(text, heads[i], strlen(heads[i]));
        serve(f, text, n, "SUBSCRIBE\r\n");
        fixture_link(f, &f->one, "test");
        UNTIL(f, f->one.ups == 1);
        redis_link_subscribe(f->one.link, false, &name, 1);
        expect_drop(f, "an answer is larger than allowed");
    }
    x_free(text);
}

/* What was announced but does not come is a lost connection when a command waits for it. */
static void half_an_answer(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    static const char sent[] = "*3\r\n*200000\r\n+x\r\n";
    serve(f, sent, sizeof(sent) - 1, "GET\r\n");
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    fixture_command(n, "GET a");
    fixture_command(n, "GET b");
    UNTIL(f, n->downs == 1);
    assert_string_equal(n->why, "a command was not answered in time");
    UNTIL(f, n->ups == 2);
    assert_string_equal(n->order, "unndu");
}

static void an_answer_may_be_anything(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    static const char sent[] = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n";
    serve(f, sent, sizeof(sent) - 1, "GET\r\n");
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    assert_string_equal(fixture_ask(f, n, "GET a"), "[message a b]");
    assert_int_equal(n->messages, 0);
}

static void a_black_hole_is_left_in_time(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    serve(f, NULL, 0, NULL);
    fake.login = NULL;
    fixture_set(f, "redis.connect_timeout=100");
    fixture_link(f, n, "test");
    UNTIL(f, fake.accepted >= 3);
    assert_int_equal(n->ups + n->downs, 0);
}

/* Up and gone, again and again: the first comes back at once, then the pauses grow. */
static void connections_that_do_not_hold_are_not_hurried(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_set(f, "redis.backoff_min=40");
    fixture_set(f, "redis.backoff_max=400");
    serve(f, NULL, 0, NULL);
    fake.hang_up = true;
    uint64_t began = now_mono_ms();
    fixture_link(f, n, "test");
    UNTIL(f, n->downs == 2);
    assert_true(now_mono_ms() - began < 400);
    UNTIL(f, n->downs == 6);
    /* 0, 0, 40, 80, 160, 320: at least half of each. */
    assert_true(now_mono_ms() - began >= 20 + 40 + 80 + 160);
    assert_string_equal(n->order, "udududududud");
}

/* The same for a caller that finds each connection bad. */
static void restarts_are_not_hurried_either(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_set(f, "redis.backoff_min=40");
    fixture_set(f, "redis.backoff_max=400");
    serve(f, NULL, 0, NULL);
    uint64_t began = now_mono_ms();
    fixture_link(f, n, "test");
    for (unsigned i = 1; i <= 5; i++) {
        UNTIL(f, n->ups == i);
        redis_link_restart(n->link, "deaf");
        assert_int_equal(n->downs, i - 1); /* told from the loop */
        assert_false(redis_link_is_up(n->link));
        redis_link_restart(n->link, "again");
        UNTIL(f, n->downs == i);
        assert_string_equal(n->why, "deaf");
    }
    UNTIL(f, n->ups == 6);
    assert_true(now_mono_ms() - began >= 20 + 40 + 80 + 160);
    assert_string_equal(n->order, "udududududu");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unasked),
        TEST(to_a_subscriber),
        TEST(too_much),
        TEST(half_an_answer),
        TEST(an_answer_may_be_anything),
        TEST(a_black_hole_is_left_in_time),
        TEST(connections_that_do_not_hold_are_not_hurried),
        TEST(restarts_are_not_hurried_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
