/* What a gateway counts about its clients, and that gauges come back to where they began. */
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
/* Gateway */
#include "gateway/gw_admin.h"
#include "gateway/gw_metrics.h"
/* Tests */
#include "unit/gateway/gateway_sim.h"

static struct buf text;

static int start(void **state)
{
    (void)state;
    buf_init(&text, 1 << 20);
    sim_start(NULL, "socketio.namespaces=/a,/,/room-*,/room-x,/,/\"q;routes.events=*=all;"
                    "routes.client_rooms=*");
    return 0;
}

static int start_either(void **state)
{
    (void)state;
    buf_init(&text, 1 << 20);
    sim_start(NULL, "auth.mode=either;auth.cookie=jwt;socketio.max_namespaces=2");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    buf_fini(&text);
    sim_stop();
    return 0;
}

/* The text has the sample as a line of its own. */
static void assert_sample(const char *sample)
{
    buf_clear(&text);
    assert_true(gw_metrics_write(sim.gw, true, &text));
    char *line = x_asprintf("\n%s\n", sample);
    if (!strstr(buf_cstr(&text), line)) fail_msg("no \"%s\" in:\n%s", sample, buf_cstr(&text));
    x_free(line);
}

static bool all_are_gone(void *arg)
{
    (void)arg;
    return sim.gw->nconns == 0 && !sim.gw->dead_conns;
}

static void assert_gauges_are_zero(void)
{
    static const struct gw_gauges none;
    sim_until(all_are_gone, NULL);
    sim_turns(2);
    assert_memory_equal(&sim.gw->gauge, &none, sizeof(none));
}

static void namespaces_are_known_by_configured_words(void **state)
{
    struct sim_client a = {0}, b = {0}, c = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "/room-1", "");
    sim_connect(&c, "/room-2", "");
    sim_connect(&a, "/room-x", "");
    sim_connect(&a, "/\"q", "");
    assert_sample("peal_sockets{namespace=\"/\"} 1");
    assert_sample("peal_sockets{namespace=\"/a\"} 0");
    assert_sample("peal_sockets{namespace=\"/room-*\"} 2");
    assert_sample("peal_sockets{namespace=\"/room-x\"} 1");
    assert_sample("peal_sockets{namespace=\"/\\\"q\"} 1");
    assert_sample("peal_sockets_by_auth_source{source=\"none\"} 5");
    assert_sample("peal_namespaces 6"); /* the four named in full, and two of the pattern */
    assert_sample("peal_sockets_total 5");
    /* A word that stands in the list twice is one series. */
    const char *first = strstr(buf_cstr(&text), "{namespace=\"/\"}");
    assert_null(strstr(first + 1, "{namespace=\"/\"}"));
    sim_drop(&a);
    sim_drop(&b);
    sim_drop(&c);
    assert_gauges_are_zero();
    assert_sample("peal_sockets{namespace=\"/room-*\"} 0");
    assert_sample("peal_closes_total{reason=\"transport close\"} 3");
}

static void rooms_and_events_are_counted(void **state)
{
    struct sim_client a = {0}, b = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim_connect(&b, "", "");
    sim_send(&a, "21[\"join\",\"red\"]");
    sim_expect(&a, "31[{\"status\":\"ok\"}]");
    sim_send(&b, "22[\"join\",\"red\"]");
    sim_expect(&b, "32[{\"status\":\"ok\"}]");
    assert_sample("peal_rooms 1");
    sim_send(&a, "2[\"hi\"]");
    sim_expect(&a, "2[\"hi\"]");
    sim_expect(&b, "2[\"hi\"]");
    assert_sample("peal_events_in_total 3");
    assert_sample("peal_publishes_total 1");
    assert_sample("peal_deliveries_total 2");
    assert_sample("peal_bus_publishes_total{outcome=\"taken\"} 1");
    sim_drop(&a);
    sim_drop(&b);
    assert_gauges_are_zero();
}

static void transports_states_and_what_waits(void **state)
{
    struct sim_client a = {0}, ws;
    char sid[ID_LEN + 1], query[64];
    (void)state;
    sim_open(&a, 0);
    const char *answer = sim_http("GET", "", NULL);
    snprintf(sid, sizeof(sid), "%s", strstr(answer, "\"sid\":\"") + 7);
    snprintf(query, sizeof(query), "&sid=%s", sid);
    assert_sample("peal_connections_by_transport{transport=\"polling\"} 1");
    assert_sample("peal_connections_by_transport{transport=\"websocket\"} 1");
    assert_sample("peal_connections{state=\"open\"} 2");
    assert_string_equal(sim_http("POST", query, "40"), "ok");
    buf_clear(&text);
    assert_true(sim.gw->gauge.queue_bytes > 0); /* its CONNECT waits for the next poll */
    assert_memory_equal(sim_http("GET", query, NULL), "40", 2);
    assert_sample("peal_queue_bytes 0");
    sim_probe(&ws, query);
    sim_send_frame(&ws, "2probe");
    assert_string_equal(sim_next(&ws), "3probe");
    sim_send_frame(&ws, "5");
    sim_turns(5);
    assert_sample("peal_connections_by_transport{transport=\"polling\"} 0");
    assert_sample("peal_connections_by_transport{transport=\"websocket\"} 2");
    assert_sample("peal_upgrades_total 1");
    sim_drop(&ws);
    sim_drop(&a);
    assert_gauges_are_zero();
    /* One whose close waits for its poll. */
    answer = sim_http("GET", "", NULL);
    snprintf(sid, sizeof(sid), "%s", strstr(answer, "\"sid\":\"") + 7);
    snprintf(query, sizeof(query), "&sid=%s", sid);
    sim_http("POST", query, "4junk");
    assert_sample("peal_connections{state=\"closing\"} 1");
    assert_sample("peal_connections{state=\"open\"} 0");
    assert_sample("peal_closes_total{reason=\"protocol error\"} 1");
    assert_string_equal(sim_http("GET", query, NULL), "6\x1e"
                                                      "1");
    assert_gauges_are_zero();
}

static void pings_late_are_seen(void **state)
{
    struct sim_client a = {0};
    (void)state;
    sim_connect(&a, "", "");
    sim.mono += (uint64_t)sim.cfg.engine_ping_interval;
    sim_turns(2);
    sim.mono += 8; /* the wheel's tick */
    sim_turns(2);
    sim_expect(&a, "2");
    assert_sample("peal_ping_lateness_seconds_bucket{le=\"0.01\"} 1");
    sim_send_frame(&a, "3");
    sim_turns(3);
    sim.mono += (uint64_t)sim.cfg.engine_ping_interval + 700; /* held up */
    sim_turns(2);
    sim_expect(&a, "2");
    assert_sample("peal_ping_lateness_seconds_bucket{le=\"0.5\"} 1");
    assert_sample("peal_ping_lateness_seconds_bucket{le=\"1\"} 2");
    assert_sample("peal_ping_lateness_seconds_count 2");
    sim_drop(&a);
}

/* --- tokens */

static void log_in(struct sim_client *c, const char *nsp, const char *token)
{
    char *auth = x_asprintf("{\"token\":\"%s\"}", token);
    *c = (struct sim_client){0};
    sim_connect(c, nsp, auth);
    x_free(auth);
}

static void sources_of_tokens_are_known(void **state)
{
    struct sim_client a, b = {0};
    char *token = sim_token("{\"sub\":\"ann\"}");
    (void)state;
    log_in(&a, "", token);
    assert_sample("peal_sockets_by_auth_source{source=\"connect\"} 1");
    sim_connect(&b, "", "{}"); /* no token: the event way */
    assert_sample("peal_sockets_by_auth_source{source=\"event\"} 0");
    char *packet = x_asprintf("2[\"authenticate\",{\"token\":\"%s\"}]", token);
    sim_send(&b, packet);
    sim_expect(&b, "2[\"authenticated\"]");
    assert_sample("peal_sockets_by_auth_source{source=\"event\"} 1");
    sim_send(&a, packet); /* a refresh changes nothing */
    sim_expect(&a, "2[\"authenticated\"]");
    assert_sample("peal_sockets_by_auth_source{source=\"connect\"} 1");
    assert_sample("peal_sockets_by_auth_source{source=\"event\"} 1");
    x_free(packet);
    x_free(token);
    sim_drop(&a);
    sim_drop(&b);
    assert_gauges_are_zero();
}

static void refusals_are_known_by_code(void **state)
{
    struct sim_client a;
    (void)state;
    sim_open(&a, 0);
    sim_send(&a, "0{\"token\":\"x\"}");
    sim_next(&a);
    sim_send(&a, "0{\"token\":\"a.b.c\"}");
    sim_next(&a);
    sim_send(&a, "0/none,{}");
    sim_next(&a);
    assert_sample("peal_refusals_total{layer=\"auth\",code=\"credentials_bad_format\"} 2");
    assert_sample("peal_refusals_total{layer=\"connect\",code=\"invalid_namespace\"} 1");
    assert_sample("peal_auth_refusals_total 2");
    assert_sample("peal_connect_refusals_total 3");
    sim_http("GET", "&sid=unknown", NULL);
    sim_http("POST", "", NULL);
    assert_sample("peal_refusals_total{layer=\"engine.io\",code=\"1\"} 1");
    assert_sample("peal_refusals_total{layer=\"engine.io\",code=\"2\"} 1");
    assert_sample("peal_handshake_refusals_total 2");
    sim_drop(&a);
}

static void a_text_that_does_not_fit_is_no_text(void **state)
{
    (void)state;
    text.max = 1000;
    assert_false(gw_metrics_write(sim.gw, true, &text));
}

#define TEST(f, begin) cmocka_unit_test_setup_teardown(f, begin, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(namespaces_are_known_by_configured_words, start),
        TEST(rooms_and_events_are_counted, start),
        TEST(transports_states_and_what_waits, start),
        TEST(pings_late_are_seen, start),
        TEST(sources_of_tokens_are_known, start_either),
        TEST(refusals_are_known_by_code, start_either),
        TEST(a_text_that_does_not_fit_is_no_text, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
