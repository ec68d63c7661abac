/* Host names, by a name server of the test's own: several addresses, none, and no answer. */
/* System */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>
/* Third party */
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>
#include <event2/util.h>
/* Io */
#include "io/redis_lookup.h"
/* Tests */
#include "unit/io/fake_redis.h"
#include "unit/io/redis_fixture.h"

#define LOGIN "+OK\r\n+PONG\r\n"

static struct {
    struct evdns_server_port *port;
    char address[32];
    unsigned questions;
    bool is_silent;
} dns;
static struct fake_redis fake, other;

/* two.test has 127.0.0.2 and 127.0.0.1, six.test only ::1, none.test nothing; else: no such name. */
static void on_question(struct evdns_server_request *request, void *arg)
{
    (void)arg;
    dns.questions++;
    if (dns.is_silent) {
        evdns_server_request_drop(request);
        return;
    }
    int rc = 0;
    for (int i = 0; i < request->nquestions; i++) {
        const struct evdns_server_question *q = request->questions[i];
        uint32_t two[] = {htonl(0x7f000002), htonl(0x7f000001)};
        bool is_two = evutil_ascii_strcasecmp(q->name, "two.test") == 0;
        bool is_six = evutil_ascii_strcasecmp(q->name, "six.test") == 0;
        bool is_none = evutil_ascii_strcasecmp(q->name, "none.test") == 0;
        if (is_two && q->type == EVDNS_TYPE_A)
            evdns_server_request_add_a_reply(request, q->name, 2, two, 60);
        else if (is_six && q->type == EVDNS_TYPE_AAAA)
            evdns_server_request_add_aaaa_reply(request, q->name, 1, &in6addr_loopback, 60);
        else if (!is_two && !is_six && !is_none)
            rc = 3;
    }
    evdns_server_request_respond(request, rc);
}

static int begin(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(addr);
    int rc = fixture_begin(state);
    struct fixture *f = *state;
    memset(&dns, 0, sizeof(dns));
    memset(&fake, 0, sizeof(fake));
    memset(&other, 0, sizeof(other));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &n), 0);
    snprintf(dns.address, sizeof(dns.address), "127.0.0.1:%u", ntohs(addr.sin_port));
    dns.port = evdns_add_server_port_with_base(loop_base(f->loop), fd, 0, on_question, NULL);
    assert_non_null(dns.port);
    f->name_server = dns.address;
    return rc;
}

static int end(void **state)
{
    fake_redis_stop(&fake);
    fake_redis_stop(&other);
    evdns_close_server_port(dns.port);
    return fixture_end(state);
}

static void serve(struct fixture *f)
{
    fake.login = LOGIN;
    fake_redis_start(&fake, f->loop);
    fixture_setf(f, "redis.url=redis://two.test:%u", fake.port);
}

static void if_the_first_refuses_the_next_is_tried(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    char where[64];
    serve(f);
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    snprintf(where, sizeof(where), "two.test:%u (127.0.0.1)", fake.port);
    assert_string_equal(redis_link_where(n->link), where);
    assert_string_equal(redis_link_why(n->link), ""); /* in one attempt */
}

static void if_the_first_is_silent_the_next_is_first_next_time(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    serve(f);
    other.host = "127.0.0.2";
    other.port = fake.port;
    fake_redis_start(&other, f->loop);
    fixture_set(f, "redis.connect_timeout=300");
    fixture_link(f, n, "test");
    UNTIL(f, n->ups == 1);
    assert_int_equal(other.accepted, 1);
    assert_non_null(strstr(redis_link_where(n->link), "(127.0.0.1)"));
    assert_string_equal(redis_link_why(n->link), "connecting and logging in took too long");
}

static void a_silent_name_server_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    serve(f);
    dns.is_silent = true;
    fixture_set(f, "redis.connect_timeout=200");
    fixture_link(f, n, "test");
    UNTIL(f, redis_link_why(n->link)[0]);
    assert_string_equal(redis_link_why(n->link), "finding the server took too long");
    assert_true(dns.questions >= 1);
    UNTIL(f, dns.questions >= 3);
    dns.is_silent = false;
    UNTIL(f, n->ups == 1);
}

static void freeing_while_the_name_server_thinks(void **state)
{
    struct fixture *f = *state;
    struct noted *n = &f->one;
    serve(f);
    dns.is_silent = true;
    for (unsigned i = 1; i <= 3; i++) {
        fixture_link(f, n, "test");
        UNTIL(f, dns.questions >= 2 * i - 1);
        fixture_unlink(n); /* the last one without a turn behind it */
    }
}

static void expect_failure(struct fixture *f, const char *name, const char *why)
{
    struct noted *n = &f->one;
    fixture_setf(f, "redis.url=redis://%s", name);
    fixture_link(f, n, "test");
    UNTIL(f, redis_link_why(n->link)[0]);
    if (strncmp(redis_link_why(n->link), why, strlen(why)) != 0)
        fail_msg("%s", redis_link_why(n->link));
    fixture_unlink(n);
}

static void names_without_addresses(void **state)
{
    struct fixture *f = *state;
    expect_failure(f, "none.test", "host \"none.test\" not found: ");
    expect_failure(f, "unknown.test", "host \"unknown.test\" not found: ");
    /* Sentinels' names, too. */
    fixture_set(f, "redis.sentinels=none.test,unknown.test:1");
    expect_failure(f, "", "Sentinel unknown.test:1: host \"unknown.test\" not found: ");
}

static void on_found(void *arg, const struct redis_place *places, size_t n, const char *why)
{
    struct redis_place *out = arg;
    assert_int_equal(n, 1);
    assert_string_equal(why, "");
    *out = *places;
}

static void ipv6(void **state)
{
    struct fixture *f = *state;
    struct redis_place p = {.addr_len = 0};
    struct redis_lookup *l =
        redis_lookup_new(loop_base(f->loop), "six.test", 7, dns.address, on_found, &p);
    UNTIL(f, p.addr_len);
    redis_lookup_free(l);
    assert_int_equal(p.addr.ss_family, AF_INET6);
    assert_string_equal(p.where, "six.test:7 (::1)");
    assert_string_equal(p.host, "six.test");
    assert_true(redis_place_numeric(&p, "::1", 7));
    assert_int_equal(p.addr.ss_family, AF_INET6);
    assert_string_equal(p.where, "[::1]:7");
    assert_true(redis_place_numeric(&p, "127.0.0.1", 7));
    assert_string_equal(p.where, "127.0.0.1:7");
    assert_false(redis_place_numeric(&p, "localhost", 7));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(if_the_first_refuses_the_next_is_tried),
        TEST(if_the_first_is_silent_the_next_is_first_next_time),
        TEST(a_silent_name_server_is_not_waited_for),
        TEST(freeing_while_the_name_server_thinks),
        TEST(names_without_addresses),
        TEST(ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
