/* Logging in to a real redis-server: passwords, users, databases, names, TLS; and being refused. */
/* System */
#include <string.h>
#include <unistd.h>
/* Tests */
#include "unit/io/redis_fixture.h"
#include "unit/io/tls_cert.h"

static bool starts_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

/* The link does not come up, and says one of these. */
static void expect_either_refusal(struct fixture *f, const char *why, const char *or_why)
{
    struct noted *n = &f->one;
    memset(n, 0, sizeof(*n));
    fixture_link(f, n, "test");
    UNTIL(f, redis_link_why(n->link)[0]);
    const char *said = redis_link_why(n->link);
    if (!starts_with(said, why) && !starts_with(said, or_why))
        fail_msg("\"%s\" is neither \"%s\" nor \"%s\"", said, why, or_why);
    assert_int_equal(n->ups + n->downs, 0);
    fixture_unlink(n);
}

/* The link does not come up, and says why. */
static void expect_refusal(struct fixture *f, const char *why)
{
    expect_either_refusal(f, why, why);
}

static void expect_up(struct fixture *f)
{
    struct noted *n = &f->one;
    memset(n, 0, sizeof(*n));
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    assert_string_equal(fixture_ask(f, n, "SET a 1"), "OK");
    fixture_unlink(n);
}

static void passwords(void **state)
{
    struct fixture *f = *state;
    const char *const args[] = {"--requirepass", "s3cret@/:", NULL};
    fixture_serve(f, args);
    expect_refusal(f, "CLIENT SETNAME: NOAUTH ");
    fixture_setf(f, "redis.url=redis://:wrong@127.0.0.1:%u", f->server.port);
    expect_refusal(f, "AUTH: WRONGPASS ");
    fixture_setf(f, "redis.url=redis://:s3cret%%40%%2f%%3A@127.0.0.1:%u", f->server.port);
    expect_up(f);
    fixture_setf(f, "redis.url=redis://default:s3cret@%%2F:@127.0.0.1:%u", f->server.port);
    expect_up(f);
    fixture_setf(f, "redis.url=redis://:wrong@127.0.0.1:%u", f->server.port);
    fixture_set(f, "redis.password=s3cret@/:");
    expect_up(f);
}

static void users_of_the_access_list(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    const char *const args[] = {"--user", "peal",     "on",   ">pw", "~peal*",
                                "&peal*", "+publish", "+get", NULL};
    fixture_serve(f, args);
    fixture_setf(f, "redis.url=redis://peal:bad@127.0.0.1:%u", f->server.port);
    expect_refusal(f, "AUTH: WRONGPASS ");
    fixture_setf(f, "redis.url=redis://nobody:pw@127.0.0.1:%u", f->server.port);
    expect_refusal(f, "AUTH: WRONGPASS ");
    /* This user may neither CLIENT nor PING. */
    fixture_setf(f, "redis.url=redis://peal:pw@127.0.0.1:%u", f->server.port);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    assert_string_equal(fixture_ask(f, n, "GET peal1"), "nil");
    assert_memory_equal(fixture_ask(f, n, "GET other"), "!NOPERM", 7);
    assert_int_equal(n->downs, 0);
}

static void databases(void **state)
{
    struct fixture *f = *state;
    const char *const args[] = {"--databases", "4", NULL};
    fixture_serve(f, args);
    fixture_setf(f, "redis.url=redis://127.0.0.1:%u/4", f->server.port);
    expect_refusal(f, "SELECT: ERR DB index is out of range");
    fixture_setf(f, "redis.url=redis://127.0.0.1:%u/3", f->server.port);
    expect_up(f);
}

static void a_server_without_passwords_wants_none(void **state)
{
    struct fixture *f = *state;
    fixture_serve(f, NULL);
    fixture_setf(f, "redis.url=redis://:pw@127.0.0.1:%u", f->server.port);
    expect_refusal(f, "AUTH: ERR AUTH <password> called without any password configured");
}

static void a_full_server(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one, *other = &f->two;
    fixture_serve(f, NULL);
    fixture_link(f, other, "other");
    UNTIL(f, other->ups == 1);
    assert_string_equal(fixture_ask(f, other, "CONFIG SET maxclients 1"), "OK");
    fixture_link(f, n, "test");
    UNTIL(f, redis_link_why(n->link)[0]);
    assert_non_null(strstr(redis_link_why(n->link), "max number of clients"));
    assert_string_equal(fixture_ask(f, other, "CONFIG SET maxclients 10"), "OK");
    UNTIL(f, n->ups == 1);
}

/* --- TLS */

static struct {
    char cert[REDIS_SERVER_PATH + 16], key[REDIS_SERVER_PATH + 16], port[16];
} tls;

static void serve_tls(struct fixture *f)
{
    const char *const args[] = {"--tls-port",
                                tls.port,
                                "--tls-cert-file",
                                tls.cert,
                                "--tls-key-file",
                                tls.key,
                                "--tls-ca-cert-file",
                                tls.cert,
                                "--tls-auth-clients",
                                "optional",
                                NULL};
    redis_server_make_folder(&f->server);
    snprintf(tls.cert, sizeof(tls.cert), "%s/cert.pem", f->server.folder);
    snprintf(tls.key, sizeof(tls.key), "%s/key.pem", f->server.folder);
    snprintf(tls.port, sizeof(tls.port), "%u", redis_server_free_port());
    tls_cert_write(tls.cert, tls.key);
    fixture_serve(f, args);
}

static void tls_checks_the_server(void **state)
{
    struct fixture *f = *state;
    serve_tls(f);
    fixture_setf(f, "redis.url=rediss://127.0.0.1:%s", tls.port);
    expect_refusal(f, "TLS: the server's certificate: ");
    fixture_setf(f, "redis.tls_ca=%s", tls.cert);
    expect_up(f);
    fixture_setf(f, "redis.url=rediss://localhost:%s", tls.port);
    expect_up(f);
    fixture_set(f, "redis.tls_name=other.example");
    expect_refusal(f, "TLS: the server's certificate: hostname mismatch");
    fixture_set(f, "redis.tls_name=127.0.0.2");
    expect_refusal(f, "TLS: the server's certificate: IP address mismatch");
    fixture_set(f, "redis.tls_name=localhost");
    fixture_setf(f, "redis.tls_cert=%s", tls.cert);
    fixture_setf(f, "redis.tls_key=%s", tls.key);
    expect_up(f);
    /* The port without TLS behind a URL with it: Redis waits for the end of a line, or finds one
     * in the length of the hello, which depends on OpenSSL's version, and answers in plain text. */
    fixture_set(f, "redis.connect_timeout=300");
    fixture_setf(f, "redis.url=rediss://127.0.0.1:%u", f->server.port);
    expect_either_refusal(f, "connecting and logging in took too long",
                          "TLS: wrong version number");
}

/* More than the socket takes at once, both ways, in pieces that are no whole records. */
static void tls_carries_much(void **state)
{
    static char words[700000];
    struct fixture *f = *state;
    struct noted *n = &f->one;
    serve_tls(f);
    fixture_setf(f, "redis.url=rediss://127.0.0.1:%s", tls.port);
    fixture_setf(f, "redis.tls_ca=%s", tls.cert);
    fixture_set(f, "redis.command_timeout=20000");
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    int head = snprintf(words, sizeof(words), "SET big ");
    memset(words + head, 'x', sizeof(words) - 1 - (size_t)head);
    for (int i = 0; i < 20; i++)
        fixture_command(n, words);
    assert_true(redis_link_unsent(n->link) > 13000000);
    redis_link_flush(n->link);
    UNTIL(f, n->answers == 20);
    for (int i = 0; i < 20; i++)
        fixture_command(n, "GET big");
    UNTIL(f, n->answers == 40);
    assert_memory_equal(n->last, "xxx", 3);
    assert_string_equal(fixture_ask(f, n, "STRLEN big"), "699991");
    assert_int_equal(n->nulls, 0);
    redis_server_stop(&f->server);
    UNTIL(f, n->downs == 1);
    assert_string_equal(n->why, "the server closed the connection");
}

static void expect_no_link(struct fixture *f, const char *text)
{
    static const struct redis_link_events none;
    struct cfg_error err;
    assert_null(redis_link_new(&f->cfg, f->loop, "test", 4096, &none, NULL, &err));
    if (!starts_with(err.text, text)) fail_msg("%s", err.text);
}

static void files_of_no_use_are_told_at_the_start(void **state)
{
    struct fixture *f = *state;
    redis_server_make_folder(&f->server);
    snprintf(tls.cert, sizeof(tls.cert), "%s/cert.pem", f->server.folder);
    snprintf(tls.key, sizeof(tls.key), "%s/key.pem", f->server.folder);
    tls_cert_write(tls.cert, tls.key);
    fixture_set(f, "redis.url=rediss://127.0.0.1");
    fixture_set(f, "redis.tls_ca=no/such.pem");
    expect_no_link(f, "redis.tls_ca: \"no/such.pem\" cannot be used: ");
    fixture_setf(f, "redis.tls_ca=%s", tls.key);
    expect_no_link(f, "redis.tls_ca: \"");
    fixture_setf(f, "redis.tls_ca=%s", tls.cert);
    fixture_setf(f, "redis.tls_cert=%s", tls.cert);
    fixture_setf(f, "redis.tls_key=%s", tls.cert);
    expect_no_link(f, "redis.tls_key: \"");
    fixture_set(f, "redis.url=redis://:hush@h:x");
    expect_no_link(f, "redis.url: host and port");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(passwords),        TEST(users_of_the_access_list),
        TEST(databases),        TEST(a_server_without_passwords_wants_none),
        TEST(a_full_server),    TEST(tls_checks_the_server),
        TEST(tls_carries_much), TEST(files_of_no_use_are_told_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
