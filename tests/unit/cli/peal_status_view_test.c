/* What `peal status` makes of heartbeats, good ones and hostile ones. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
#include <jansson.h>
/* Util */
#include "util/x_alloc.h"
/* Cli */
#include "cli/peal_status_view.h"

#define GOOD                                                                                       \
    "{\"id\":\"x\",\"host\":\"h1\",\"pid\":7,\"version\":\"0.1\",\"port\":3000,\"connections\":5," \
    "\"sockets\":4,\"rooms\":3,\"channels\":9,\"canary_age_ms\":1250,\"lag_us\":431,\"gaps\":2,"   \
    "\"pending\":1,\"stopping\":false,\"trouble\":\"\"}"

static json_t *view_of(const char *const *beats, size_t n, int64_t subscribers)
{
    json_t *view = peal_status_view_new("127.0.0.1:6379", "socket.io", 0);
    for (size_t i = 0; i < n; i++) {
        char id[8];
        snprintf(id, sizeof(id), "node%zu", i);
        peal_status_view_add_node(view, sv_of(id), sv_of(beats[i]), 9000, 10000);
    }
    peal_status_view_finish(view, subscribers);
    return view;
}

static json_t *node(const json_t *view, size_t i)
{
    return json_array_get(json_object_get(view, "nodes"), i);
}

/* The table's text; x_free. */
static char *table(const json_t *view)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    peal_status_view_print_table(view, 10000, f);
    fclose(f);
    return text;
}

static void assert_shown(const json_t *view, const char *what, bool is_shown)
{
    char *text = table(view);
    if ((strstr(text, what) != NULL) != is_shown) fail_msg("\"%s\" in:\n%s", what, text);
    x_free(text);
}

static void a_good_heartbeat(void **state)
{
    static const char *const beats[] = {GOOD, GOOD};
    json_t *view = view_of(beats, 2, 5);
    json_t *want =
        json_loads("{\"nodes\":2,\"ready\":2,\"connections\":10,\"sockets\":8,\"gaps\":4,"
                   "\"pending\":2}",
                   0, NULL);
    (void)state;
    assert_true(peal_status_view_is_ready(view));
    assert_true(json_equal(json_object_get(view, "totals"), want));
    assert_int_equal(json_integer_value(json_object_get(view, "other_servers")), 3);
    assert_int_equal(json_integer_value(json_object_get(node(view, 0), "heartbeat_age_ms")), 1000);
    assert_string_equal(json_string_value(json_object_get(node(view, 0), "id")), "node0");
    assert_shown(view, "0.4ms    1.2s     2        1  1.0s  ready\n", true);
    assert_shown(view, "2 gateways, 2 ready; 10 connections, 8 sockets\n+3 other servers on /",
                 true);
    json_decref(want);
    json_decref(view);
}

static void states(void **state)
{
    static const struct {
        const char *beat, *state;
    } cases[] = {
        {"{\"stopping\":false,\"trouble\":\"\"}", "ready"},
        {"{\"stopping\":true,\"trouble\":\"\"}", "stopping"},
        {"{\"stopping\":false,\"trouble\":\"no canary\"}", "no canary"},
        {"{\"stopping\":false,\"trouble\":\"a\\u001b[2Jb\\u00e9\"}", "a?[2Jb??"},
        {"{}", "unknown"},
        {"{\"stopping\":false}", "unknown"},
        {"{\"stopping\":0,\"trouble\":[]}", "unknown"},
        {"[]", "unreadable heartbeat"},
        {"{", "unreadable heartbeat"},
        {"{\"trouble\":\"\\u0000\"}", "unreadable heartbeat"},
        {"{\"trouble\":\"\",\"trouble\":\"\"}", "unreadable heartbeat"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const beats[] = {cases[i].beat};
        json_t *view = view_of(beats, 1, 1);
        const char *got = json_string_value(json_object_get(node(view, 0), "state"));
        if (strcmp(got, cases[i].state) != 0) fail_msg("%s: %s", cases[i].beat, got);
        assert_int_equal(peal_status_view_is_ready(view), strcmp(got, "ready") == 0);
        json_decref(view);
    }
}

static void wrong_members_are_left_out(void **state)
{
    static const char *const beats[] = {
        "{\"pid\":-1,\"port\":\"x\",\"connections\":1.5,\"sockets\":9000000000000000000,"
        "\"gaps\":null,\"host\":5,\"secret\":\"x\",\"rooms\":[1],\"stopping\":\"no\"}"};
    json_t *view = view_of(beats, 1, 0);
    (void)state;
    assert_int_equal(json_object_size(node(view, 0)), 3); /* id, state, heartbeat_age_ms */
    assert_int_equal(json_integer_value(json_object_get(view, "other_servers")), 0);
    assert_shown(view, "node0  -       -  -           -      -        -", true);
    json_decref(view);
}

static void strange_ids(void **state)
{
    json_t *view = peal_status_view_new("w", "k", 0);
    char id[200];
    (void)state;
    memset(id, 'x', sizeof(id));
    memcpy(id, "\x1b]0;\n\xff\0", 7);
    peal_status_view_add_node(view, sv_make(id, sizeof(id)), SV(GOOD), -1, 10000);
    peal_status_view_add_node(view, SV("late"), SV(GOOD), 20000, 10000);
    peal_status_view_finish(view, -1);
    assert_null(json_object_get(node(view, 0), "heartbeat_age_ms"));
    assert_null(json_object_get(node(view, 1), "heartbeat_age_ms"));
    assert_null(json_object_get(view, "other_servers"));
    const char *shown = json_string_value(json_object_get(node(view, 0), "id"));
    assert_true(shown[0] == '?' && strlen(shown) == 67 && strcmp(shown + 64, "...") == 0);
    assert_shown(view, "\x1b", false);
    json_decref(view);
}

static void workers_have_a_table_of_their_own(void **state)
{
    json_t *view = peal_status_view_new("w", "k", 0);
    (void)state;
    peal_status_view_add_worker(view, SV("b"),
                                SV("{\"worker\":true,\"pid\":7,\"partitions\":16,\"in_hand\":3,"
                                   "\"backlog\":250,\"secret\":1}"),
                                9000, 10000);
    peal_status_view_add_worker(view, SV("a\x1b"), SV("["), -1, 10000);
    peal_status_view_finish(view, 0);
    assert_false(peal_status_view_is_ready(view)); /* of gateways */
    assert_shown(view,
                 "WORKER  PID  PARTITIONS  IN HAND  BACKLOG  SEEN\n"
                 "a?        -           -        -        -  -\n"
                 "b         7          16        3      250  1.0s\n",
                 true);
    assert_int_equal(json_object_size(json_array_get(json_object_get(view, "workers"), 1)), 6);
    json_decref(view);
}

/* Most nodes, largest numbers: sums do not overflow. */
static void many_nodes(void **state)
{
    json_t *view = peal_status_view_new("w", "k", 0);
    (void)state;
    for (int i = 0; i < 4096; i++)
        peal_status_view_add_node(view, SV("n"), SV("{\"sockets\":1000000000000000}"), 1, 10000);
    peal_status_view_finish(view, 4097);
    json_t *sum = json_object_get(json_object_get(view, "totals"), "sockets");
    assert_true(json_integer_value(sum) == 4096000000000000000);
    json_decref(view);
}

static void no_nodes_and_no_redis(void **state)
{
    json_t *view = view_of(NULL, 0, 0);
    (void)state;
    assert_false(peal_status_view_is_ready(view));
    assert_shown(view, "No gateway has been heard of in the last 10.0 s.", true);
    json_decref(view);

    view = peal_status_view_new("w", "k", 0);
    peal_status_view_add_node(view, SV("a"), SV(GOOD), 1, 10000);
    peal_status_view_set_error(view, true, SV("NOPERM"));
    peal_status_view_finish(view, 0);
    assert_false(peal_status_view_is_ready(view));
    assert_shown(view, "connected: NOPERM\n", true);
    char why[1000];
    memset(why, 'y', sizeof(why));
    peal_status_view_set_error(view, false, sv_make(why, sizeof(why)));
    const char *error = json_string_value(json_object_get(json_object_get(view, "redis"), "error"));
    assert_true(strlen(error) == 203 && strcmp(error + 199, "y...") == 0);
    json_decref(view);
}

static void the_version_of_redis(void **state)
{
    json_t *view = peal_status_view_new("w", "k", 0), *redis = json_object_get(view, "redis");
    (void)state;
    peal_status_view_set_info(view, SV("# Server\r\nredis_version_x:1\r\nno"));
    assert_null(json_object_get(redis, "version"));
    peal_status_view_set_info(view, SV("# Server\r\nredis_version:7.0.15\r\nredis_mode:a\r\n"));
    assert_string_equal(json_string_value(json_object_get(redis, "version")), "7.0.15");
    json_decref(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_heartbeat),
        cmocka_unit_test(states),
        cmocka_unit_test(wrong_members_are_left_out),
        cmocka_unit_test(strange_ids),
        cmocka_unit_test(workers_have_a_table_of_their_own),
        cmocka_unit_test(many_nodes),
        cmocka_unit_test(no_nodes_and_no_redis),
        cmocka_unit_test(the_version_of_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
