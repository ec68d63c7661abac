/* The admin server against plain sockets: routes, what they do not know, HEAD, and its bounds. */
/* System */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Io */
#include "io/admin.h"

#define PATIENCE_MS 5000

static struct {
    struct cfg cfg;
    struct loop *loop;
    struct admin *admin;
    uint64_t mono;
    unsigned calls;
    char query[64];
} t;

static uint64_t mono(void *arg)
{
    (void)arg;
    return t.mono;
}

static int64_t wall(void *arg)
{
    (void)arg;
    return 0;
}

static const struct now_source clocks = {mono, wall, NULL};

/* --- routes under test */

static void on_hello(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    assert_ptr_equal(ctx, &t);
    t.calls++;
    snprintf(t.query, sizeof(t.query), "%.*s", SV_ARG(r->query));
    reply->type = "text/plain";
    assert_true(buf_add_sv(&reply->body, SV("hello")));
}

static void on_ill(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    (void)ctx;
    (void)r;
    reply->status = 503;
    assert_true(buf_add_sv(&reply->body, SV("{}")));
}

static const struct admin_route routes[] = {
    {"GET", "/hello", on_hello},
    {"GET", "/ill", on_ill},
    {"POST", "/ill", on_hello},
};

static int begin(void **state)
{
    struct cfg_error err = {""};
    (void)state;
    memset(&t, 0, sizeof(t));
    t.mono = 1000000;
    cfg_init(&t.cfg);
    assert_true(cfg_set(&t.cfg, "admin.port=0", &err));
    assert_true(cfg_set(&t.cfg, "admin.host=127.0.0.1", &err));
    t.loop = loop_new(&clocks);
    t.admin = admin_new(&t.cfg, t.loop, routes, sizeof(routes) / sizeof(routes[0]), &t, &err);
    if (!t.admin) fail_msg("%s", err.text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    admin_free(t.admin);
    loop_free(t.loop);
    cfg_fini(&t.cfg);
    return 0;
}

/* --- a client */

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)admin_port(t.admin)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turns until `end` has come at the end of the answer, or, with NULL, until the server closes.
 * The answer, in static memory. */
static const char *hear(int fd, const char *last)
{
    static char text[65536];
    size_t n = 0;
    uint64_t limit = now_mono_ms() + PATIENCE_MS;
    text[0] = '\0';
    for (;;) {
        ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            if (last) fail_msg("closed behind \"%s\"", text);
            return text;
        }
        if (got > 0) {
            n += (size_t)got;
            text[n] = '\0';
            size_t want = last ? strlen(last) : 0;
            if (last && n >= want && strcmp(text + n - want, last) == 0) return text;
        }
        if (now_mono_ms() > limit) fail_msg("it does not happen; so far: \"%s\"", text);
        loop_turn(t.loop, false);
    }
}

static bool has(const char *answer, const char *part)
{
    return strstr(answer, part) != NULL;
}

/* --- tests */

static void a_route_answers(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /hello?a=b HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *answer = hear(fd, "hello");
    assert_true(has(answer, "HTTP/1.1 200 OK\r\n"));
    assert_true(has(answer, "Content-Type: text/plain\r\n"));
    assert_true(has(answer, "Content-Length: 5\r\n"));
    assert_true(has(answer, "Cache-Control: no-store\r\n"));
    assert_string_equal(t.query, "a=b");
    /* The connection lives on. */
    say(fd, "GET /ill HTTP/1.1\r\nHost: h\r\n\r\n");
    answer = hear(fd, "{}");
    assert_true(has(answer, "HTTP/1.1 503 "));
    assert_true(has(answer, "Content-Type: application/json\r\n"));
    close(fd);
}

static void head_is_get_without_the_body(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "HEAD /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const char *answer = hear(fd, NULL);
    assert_true(has(answer, "200 OK"));
    assert_true(has(answer, "Content-Length: 5\r\n"));
    assert_false(has(answer, "hello"));
    assert_int_equal(t.calls, 1);
    close(fd);
}

static void methods_choose_among_routes_of_a_path(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "POST /ill HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxx");
    assert_true(has(hear(fd, "hello"), "200 OK"));
    close(fd);
}

static const struct {
    const char *request, *status, *field, *body;
} refusals[] = {
    {"GET /", "404", "application/json", "{\"status\":404,\"error\":\"not found\"}\n"},
    {"GET /hello/", "404", "application/json", "not found"},
    {"GET //hello", "404", "application/json", "not found"},
    {"POST /", "404", "application/json", "not found"},
    {"POST /hello", "405", "Allow: GET, HEAD\r\n",
     "{\"status\":405,\"error\":\"method not allowed\"}\n"},
    {"DELETE /ill", "405", "Allow: GET, HEAD, POST\r\n", "method not allowed"},
    {"PUT /hello", "405", "Allow: GET, HEAD\r\n", "method not allowed"},
    {"BREW /hello", "501", "", ""},
};

static void what_is_not_in_the_table_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        char text[200];
        int fd = dial();
        snprintf(text, sizeof(text),
                 "%s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                 refusals[i].request);
        say(fd, text);
        const char *answer = hear(fd, NULL);
        if (!has(answer, refusals[i].status) || !has(answer, refusals[i].field) ||
            !has(answer, refusals[i].body))
            fail_msg("%s: %s", refusals[i].request, answer);
        close(fd);
    }
    assert_int_equal(t.calls, 0);
}

static void junk_is_survived(void **state)
{
    static const char *const junk[] = {"\r\n\r\n", "GET\r\n\r\n", "GET /hello HTTP/9.9\r\n\r\n",
                                       "\x16\x03\x01\x02",
                                       "GET /hello HTTP/1.1\r\nno colon\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        int fd = dial();
        say(fd, junk[i]);
        shutdown(fd, SHUT_WR);
        assert_false(has(hear(fd, NULL), "hello"));
        close(fd);
    }
    assert_int_equal(t.calls, 0);
}

static void heads_are_bounded(void **state)
{
    (void)state;
    char *long_value = x_malloc(ADMIN_HEAD_MAX + 1);
    memset(long_value, 'x', ADMIN_HEAD_MAX);
    long_value[ADMIN_HEAD_MAX] = '\0';
    int fd = dial();
    say(fd, "GET /hello HTTP/1.1\r\nX: ");
    say(fd, long_value);
    say(fd, "\r\n\r\n");
    assert_false(has(hear(fd, NULL), "hello"));
    close(fd);
    x_free(long_value);
    assert_int_equal(t.calls, 0);
}

static void bodies_are_bounded(void **state)
{
    char text[160];
    (void)state;
    snprintf(text, sizeof(text), "POST /ill HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\n\r\n",
             ADMIN_BODY_MAX + 1);
    int fd = dial();
    say(fd, text);
    assert_true(has(hear(fd, NULL), " 413 "));
    close(fd);
    assert_int_equal(t.calls, 0);
}

/* Turns until the connection is seen to be served: its answer comes. */
static void use(int fd)
{
    say(fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(fd, "hello");
}

static void connections_are_bounded(void **state)
{
    (void)state;
    int fds[ADMIN_CONNS_MAX];
    for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++)
        use(fds[i] = dial());
    int a = dial(), b = dial(); /* in one turn */
    loop_turn(t.loop, true);
    t.mono += 100;
    assert_string_equal(hear(a, NULL), "");
    assert_string_equal(hear(b, NULL), "");
    close(a);
    close(b);
    /* Those within the bound are served still, and one that goes makes room. */
    use(fds[0]);
    close(fds[1]);
    use(fds[0]); /* the close has been seen by then */
    use(fds[1] = dial());
    for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++)
        close(fds[i]);
}

static void requests_have_their_time(void **state)
{
    (void)state;
    int idle = dial(), slow = dial(), busy = dial();
    say(slow, "GET /hello HTTP/1.1\r\nX: ");
    use(busy);
    t.mono += ADMIN_REQUEST_MS / 2;
    say(slow, "x");
    use(busy); /* its time begins anew */
    t.mono += ADMIN_REQUEST_MS / 2 + 100;
    assert_string_equal(hear(idle, NULL), "");
    assert_string_equal(hear(slow, NULL), "");
    use(busy);
    close(idle);
    close(slow);
    close(busy);
}

static void a_port_in_use_is_a_mistake_of_the_configuration(void **state)
{
    struct cfg_error err = {""};
    char want[200];
    (void)state;
    t.cfg.admin_port = admin_port(t.admin);
    assert_null(admin_new(&t.cfg, t.loop, routes, 1, &t, &err));
    snprintf(want, sizeof(want),
             "admin.port: %d is in use by another program (on 127.0.0.1); choose another with "
             "admin.port or PEAL_ADMIN_PORT",
             admin_port(t.admin));
    assert_string_equal(err.text, want);
    assert_true(cfg_set(&t.cfg, "admin.host=192.0.2.1", &err));
    assert_null(admin_new(&t.cfg, t.loop, routes, 1, &t, &err));
    assert_true(has(err.text, "admin.host: cannot listen on \"192.0.2.1\" port "));
}

static void it_ends_in_the_middle_of_requests(void **state)
{
    (void)state;
    int fds[3];
    for (unsigned i = 0; i < 3; i++)
        fds[i] = dial();
    use(fds[0]);
    say(fds[1], "GET /hello HTTP/1.1\r\n");
    use(fds[0]);
    admin_free(t.admin);
    t.admin = NULL;
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(hear(fds[i], NULL), "");
        close(fds[i]);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_route_answers),
        TEST(head_is_get_without_the_body),
        TEST(methods_choose_among_routes_of_a_path),
        TEST(what_is_not_in_the_table_is_refused),
        TEST(junk_is_survived),
        TEST(heads_are_bounded),
        TEST(bodies_are_bounded),
        TEST(connections_are_bounded),
        TEST(requests_have_their_time),
        TEST(a_port_in_use_is_a_mistake_of_the_configuration),
        TEST(it_ends_in_the_middle_of_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
