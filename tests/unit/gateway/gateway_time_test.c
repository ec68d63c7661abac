/* What time does to clients of a whole gateway: tokens that expire, authentication that does not
 * come, clients that do not read. The clocks are moved by the test. */
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

#define UNAUTHORIZED(message, code)                                                                \
    "2[\"unauthorized\",{\"message\":\"" message "\",\"data\":{\"message\":\"" message             \
    "\",\"code\":\"" code "\",\"type\":\"UnauthorizedError\"}}]"
#define EXPIRED UNAUTHORIZED("jwt expired", "invalid_token")

static int stop(void **state)
{
    (void)state;
    sim_stop();
    return 0;
}

static unsigned closes(enum close_reason reason)
{
    return (unsigned)sim.gw->count.closes[reason];
}

/* --- tokens */

static int start_connect(void **state)
{
    (void)state;
    sim_start(NULL, "auth.mode=connect;routes.events=*=all");
    return 0;
}

/* A client whose token expires so many seconds from now. */
static void connect_until(struct sim_client *c, int seconds)
{
    char *claims = x_asprintf("{\"sub\":\"ann\",\"exp\":%lld}", (long long)sim.wall + seconds);
    char *token = sim_token(claims);
    char *auth = x_asprintf("{\"token\":\"%s\"}", token);
    *c = (struct sim_client){0};
    sim_connect(c, "", auth);
    x_free(auth);
    x_free(token);
    x_free(claims);
}

static void refresh(struct sim_client *c, const char *sub, int seconds)
{
    char *claims = x_asprintf("{\"sub\":\"%s\",\"exp\":%lld}", sub, (long long)sim.wall + seconds);
    char *token = sim_token(claims);
    char *packet = x_asprintf("2[\"authenticate\",{\"token\":\"%s\"}]", token);
    sim_send(c, packet);
    x_free(packet);
    x_free(token);
    x_free(claims);
}

static void keep_alive(struct sim_client *c, unsigned seconds)
{
    /* Pings are answered by hand; nothing else may come. */
    while (seconds--) {
        sim_pass(1);
        sim_send_frame(c, "3");
    }
}

/* Skips pings. */
static void expect(struct sim_client *c, const char *text)
{
    const char *got = sim_next(c);
    while (strcmp(got, "2") == 0)
        got = sim_next(c);
    if (*got == '4' && *text != '[') got++;
    if (strcmp(got, text) != 0) fail_msg("the client got %s instead of %s", got, text);
}

static void token_is_warned_about_and_then_expires(void **state)
{
    struct sim_client a;
    (void)state;
    connect_until(&a, 100);
    keep_alive(&a, 39);
    sim_expect(&a, "2"); /* the ping at 25 s, so no warning yet */
    keep_alive(&a, 2);
    expect(&a, "2[\"token_expiring\",{\"exp\":1700000100,\"expires_in\":60}]");
    keep_alive(&a, 57);
    sim_send(&a, "2[\"still here\"]");
    expect(&a, "2[\"still here\"]");
    keep_alive(&a, 3);
    expect(&a, EXPIRED);
    expect(&a, "1");
    expect(&a, "[close]");
    assert_int_equal(closes(REASON_AUTH_EXPIRED), 1);
    assert_int_equal(sim.gw->nconns, 0);
    sim_drop(&a);
}

static void token_within_the_warning_is_warned_about_at_once(void **state)
{
    struct sim_client a;
    (void)state;
    connect_until(&a, 10);
    sim_pass(1);
    expect(&a, "2[\"token_expiring\",{\"exp\":1700000010,\"expires_in\":9}]");
    sim_drop(&a);
}

static void refreshed_token_moves_the_expiry(void **state)
{
    struct sim_client a;
    (void)state;
    connect_until(&a, 70);
    keep_alive(&a, 12);
    expect(&a, "2[\"token_expiring\",{\"exp\":1700000070,\"expires_in\":60}]");
    refresh(&a, "ann", 200);
    expect(&a, "2[\"authenticated\"]");
    keep_alive(&a, 130);
    sim_send(&a, "2[\"still here\"]");
    expect(&a, "2[\"still here\"]");
    keep_alive(&a, 12);
    expect(&a, "2[\"token_expiring\",{\"exp\":1700000212,\"expires_in\":60}]");
    sim_drop(&a);
}

static void refresh_for_somebody_else_is_refused(void **state)
{
    struct sim_client a;
    (void)state;
    connect_until(&a, 20);
    sim_pass(1);
    expect(&a, "2[\"token_expiring\",{\"exp\":1700000020,\"expires_in\":19}]");
    refresh(&a, "bob", 1000);
    expect(&a, UNAUTHORIZED("jwt subject differs", "invalid_token"));
    keep_alive(&a, 20);
    expect(&a, EXPIRED);
    sim_drop(&a);
}

static void wall_clock_that_is_set_back_gives_time(void **state)
{
    struct sim_client a;
    (void)state;
    connect_until(&a, 61);
    sim.wall -= 1000;
    keep_alive(&a, 70);
    sim_send(&a, "2[\"still here\"]");
    expect(&a, "2[\"still here\"]");
    sim_drop(&a);
}

static void handshake_token_that_expired_connects_no_more(void **state)
{
    struct sim_client a;
    (void)state;
    connect_until(&a, 30);
    sim.wall += 30; /* the timer has not fired: what counts is the clock */
    char *token = sim_token("{\"sub\":\"ann\",\"exp\":1700000030}");
    char *packet = x_asprintf("0{\"token\":\"%s\"}", token);
    struct sim_client b = {0};
    sim_open(&b, 0);
    sim_send(&b, packet);
    sim_expect(&b, "4{\"message\":\"Authentication error\",\"data\":{\"message\":\"jwt expired\","
                   "\"code\":\"invalid_token\",\"type\":\"UnauthorizedError\"}}");
    x_free(packet);
    x_free(token);
    sim_drop(&a);
    sim_drop(&b);
}

/* --- authentication by event */

static int start_event(void **state)
{
    (void)state;
    sim_start(NULL, "auth.mode=event;routes.events=*=all");
    return 0;
}

static void authentication_has_a_deadline(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    sim_pass(13);
    refresh(&b, "bob", 1000);
    sim_expect(&b, "2[\"authenticated\"]");
    sim_send(&b, "2[\"hello\"]");
    sim_expect(&b, "2[\"hello\"]");
    sim_pass(1);
    sim_expect_quiet(&a);
    sim_pass(2);
    sim_expect(&a, UNAUTHORIZED("no authentication in time", "credentials_required"));
    sim_expect(&a, "1");
    sim_expect(&a, "[close]");
    assert_int_equal(closes(REASON_AUTH_TIMEOUT), 1);
    sim_expect_quiet(&b);
    sim_drop(&a);
    sim_drop(&b);
}

/* Who leaves the namespace again before the deadline must not keep the connection for ever. */
static void leaving_does_not_dodge_the_deadline(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_pass(5);
    sim_send(&a, "1");
    for (unsigned i = 0; i < 60; i++) {
        sim_send_frame(&a, "3"); /* Engine.IO's heartbeat is kept up */
        sim_pass(1);
    }
    assert_int_equal(sim.gw->nconns, 0);
    sim_drop(&a);
}

static void connection_that_joins_nothing_is_closed(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_open(&a, 0);
    keep_alive(&a, 44);
    assert_int_equal(sim.gw->nconns, 1);
    keep_alive(&a, 2);
    assert_int_equal(sim.gw->nconns, 0);
    assert_int_equal(closes(REASON_CONNECT_TIMEOUT), 1);
    sim_drop(&a);
}

/* --- slow clients, and a slow gateway */

static int start_open(void **state)
{
    (void)state;
    sim_start(NULL, "routes.events=*=all;queue.max_bytes=16777216");
    return 0;
}

static char big[600000];

/* More than the system's buffers take for a client that does not read. */
static void flood(const struct sim_client *c)
{
    struct gw_socket *s = gw_socket_find(sim.gw, SV("/"), sv_of(c->sid));
    assert_non_null(s);
    memset(big, 'x', sizeof(big));
    for (unsigned i = 0; i < 10; i++)
        gw_socket_emit(s, sv_make(big, sizeof(big)), NULL, 0);
    sim_turns(3);
}

static void client_that_takes_nothing_is_closed_by_age(void **state)
{
    struct sim_client slow = {0}, good = {0};
    (void)state;
    sim_open(&slow, 4096);
    sim_connect(&slow, "", "");
    sim_connect(&good, "", "");
    flood(&slow);
    sim_pass(19);
    assert_int_equal(sim.gw->nconns, 2);
    sim_pass(3);
    assert_int_equal(sim.gw->nconns, 1);
    assert_int_equal(closes(REASON_SLOW_AGE), 1);
    sim_expect_quiet(&good);
    sim_drop(&slow);
    sim_drop(&good);
}

static void client_that_takes_a_little_is_not(void **state)
{
    struct sim_client slow = {0};
    (void)state;
    sim_open(&slow, 4096);
    sim_connect(&slow, "", "");
    flood(&slow);
    for (unsigned i = 0; i < 3; i++) { /* some messages every 15 s, and a pong */
        sim_pass(15);
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(strlen(sim_next(&slow)), 600002);
        sim_send_frame(&slow, "3");
    }
    assert_int_equal(sim.gw->nconns, 1);
    sim_drop(&slow);
}

/* The process was stopped for a minute: pings are late, sweeps are late, nobody is to blame. */
static void pause_of_ours_closes_nobody(void **state)
{
    struct sim_client a[10] = {{0}};
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        sim_connect(&a[i], "", "");
        sim_pass(1);
    }
    sim_pass(14); /* the first one's ping is due soon, before the next sweep */
    sim.mono += 500;
    sim_turns(1);
    sim.mono += 60000;
    sim.wall += 60;
    sim_turns(5);
    for (unsigned i = 0; i < 10; i++) {
        sim_expect(&a[i], "2");
        sim_send_frame(&a[i], "3");
    }
    sim_pass(2);
    assert_int_equal(sim.gw->nconns, 10);
    for (unsigned i = 0; i < 10; i++)
        sim_drop(&a[i]);
}

#define CONNECT(name) cmocka_unit_test_setup_teardown(name, start_connect, stop)
#define EVENT(name) cmocka_unit_test_setup_teardown(name, start_event, stop)
#define OPEN(name) cmocka_unit_test_setup_teardown(name, start_open, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECT(token_is_warned_about_and_then_expires),
        CONNECT(token_within_the_warning_is_warned_about_at_once),
        CONNECT(refreshed_token_moves_the_expiry),
        CONNECT(refresh_for_somebody_else_is_refused),
        CONNECT(wall_clock_that_is_set_back_gives_time),
        CONNECT(handshake_token_that_expired_connects_no_more),
        EVENT(authentication_has_a_deadline),
        EVENT(leaving_does_not_dodge_the_deadline),
        EVENT(connection_that_joins_nothing_is_closed),
        OPEN(client_that_takes_nothing_is_closed_by_age),
        OPEN(client_that_takes_a_little_is_not),
        OPEN(pause_of_ours_closes_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
