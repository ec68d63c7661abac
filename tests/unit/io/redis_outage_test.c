/* Outages of a real redis-server: refused, restarted, stopped; what is outstanding; what is logged. */
/* System */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
/* Util */
#include "util/log.h"
/* Tests */
#include "unit/io/redis_fixture.h"
#include "unit/temp_file.h"

static void a_restarted_server_is_found_again(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_serve(f, NULL);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    redis_server_stop(&f->server);
    UNTIL(f, n->downs == 1);
    UNTIL(f, strstr(redis_link_why(n->link), "refused"));
    redis_server_start(&f->server, NULL);
    UNTIL(f, n->ups == 2);
    assert_string_equal(fixture_ask(f, n, "SET a 1"), "OK");
    assert_string_equal(n->order, "udua");
}

static void a_socket_that_is_not_there_yet(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    redis_server_make_folder(&f->server);
    fixture_setf(f, "redis.url=unix://%s", f->server.path);
    fixture_link(f, n, "test");
    UNTIL(f, strstr(redis_link_why(n->link), "No such file"));
    fixture_serve(f, NULL);
    UNTIL(f, n->ups == 1);
}

static void a_stopped_server_is_noticed_by_an_unanswered_command(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_serve(f, NULL);
    fixture_set(f, "redis.connect_timeout=300");
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    fixture_ask(f, n, "SET a 1");
    redis_server_signal(&f->server, SIGSTOP);
    uint64_t began = now_mono_ms();
    fixture_command(n, "GET a");
    fixture_command(n, "GET b");
    UNTIL(f, n->downs == 1);
    uint64_t took = now_mono_ms() - began;
    assert_true(took >= 500 && took < 2000);
    assert_string_equal(n->why, "a command was not answered in time");
    assert_string_equal(n->order, "uannd"); /* each told, before down */
    UNTIL(f, strstr(redis_link_why(n->link), "logging in took too long"));
    redis_server_signal(&f->server, SIGCONT);
    UNTIL(f, n->ups == 2);
    assert_string_equal(fixture_ask(f, n, "GET a"), "1");
}

/* The oldest counts: newer commands do not hide it. */
static void answers_in_time_keep_the_link(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_serve(f, NULL);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    fixture_ask(f, n, "DEBUG SLEEP 0.2");
    uint64_t until = now_mono_ms() + 700;
    while (now_mono_ms() < until)
        fixture_ask(f, n, "PING");
    fixture_command(n, "BLPOP none 0");
    UNTIL(f, n->downs == 1 || (fixture_command(n, "PING"), false));
    assert_string_equal(n->why, "a command was not answered in time");
}

static void a_subscription_may_be_silent(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    const struct str_view name = SV("a");
    fixture_serve(f, NULL);
    fixture_set(f, "redis.command_timeout=100");
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    redis_link_subscribe(n->link, false, &name, 1);
    uint64_t until = now_mono_ms() + 400;
    while (now_mono_ms() < until)
        fixture_turn(f);
    assert_int_equal(n->downs, 0);
    assert_int_equal(n->subscribed, 1);
}

static void freeing_tells_what_is_outstanding(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_serve(f, NULL);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    for (int i = 0; i < 40; i++)
        fixture_command(n, "PING");
    redis_link_command(n->link, NULL, NULL, 1, &SV("PING"));
    fixture_unlink(n);
    assert_int_equal(n->nulls, 40);
    assert_int_equal(n->downs, 0);
}

static void freeing_in_every_state(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_set(f, "redis.url=redis://127.0.0.1:1");
    for (int turns = 0; turns < 6; turns++) {
        fixture_link(f, n, "test");
        for (int i = 0; i < turns; i++)
            loop_turn(f->loop, false);
        fixture_unlink(n);
    }
    fixture_set(f, "redis.url=redis://no-such-host.invalid:1");
    for (int turns = 0; turns < 6; turns++) {
        fixture_link(f, n, "test");
        for (int i = 0; i < turns; i++)
            fixture_turn(f);
        fixture_unlink(n);
    }
}

static void a_lost_link_takes_commands_until_it_is_told(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_serve(f, NULL);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    fixture_command(n, "PING");
    redis_link_restart(n->link, "test");
    fixture_command(n, "PING"); /* a caller that has not been told */
    redis_link_flush(n->link);
    assert_int_equal(redis_link_unsent(n->link), 0);
    assert_int_equal(n->nulls, 0);
    UNTIL(f, n->ups == 2);
    assert_string_equal(n->order, "unndu");
}

static void localhost_is_a_name(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    fixture_serve(f, NULL);
    fixture_setf(f, "redis.url=redis://localhost:%u", f->server.port);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    assert_non_null(strstr(redis_link_where(n->link), "localhost:"));
    assert_non_null(strstr(redis_link_where(n->link), "127.0.0.1"));
}

/* --- the log */

static unsigned lines_with(const char *path, const char *words)
{
    char line[2048];
    unsigned n = 0;
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        n += strstr(line, words) != NULL;
    fclose(f);
    return n;
}

static void an_outage_is_two_lines(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    char path[TEMP_PATH_MAX];
    fixture_serve(f, NULL);
    redis_server_stop(&f->server);
    int fd = temp_file_open(path), old = dup(STDERR_FILENO);
    assert_true(fd >= 0 && old >= 0);
    dup2(fd, STDERR_FILENO);
    log_set_level(LOG_INFO);
    fixture_set(f, "redis.backoff_max=20");
    fixture_link(f, n, "test");
    uint64_t until = now_mono_ms() + 500;
    while (now_mono_ms() < until)
        fixture_turn(f);
    redis_server_start(&f->server, NULL);
    UNTIL(f, n->ups == 1);
    dup2(old, STDERR_FILENO);
    close(old);
    close(fd);
    assert_int_equal(lines_with(path, "level=warn"), 1);
    assert_int_equal(lines_with(path, "msg=\"Redis cannot be used\" link=test where=127.0.0.1:"),
                     1);
    assert_int_equal(lines_with(path, "level=info msg=\"Redis is connected\" link=test"), 1);
    assert_int_equal(lines_with(path, "attempts=1 "), 0);
    assert_int_equal(lines_with(path, "level="), 2);
    unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restarted_server_is_found_again),
        TEST(a_socket_that_is_not_there_yet),
        TEST(a_stopped_server_is_noticed_by_an_unanswered_command),
        TEST(answers_in_time_keep_the_link),
        TEST(a_subscription_may_be_silent),
        TEST(freeing_tells_what_is_outstanding),
        TEST(freeing_in_every_state),
        TEST(a_lost_link_takes_commands_until_it_is_told),
        TEST(localhost_is_a_name),
        TEST(an_outage_is_two_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
