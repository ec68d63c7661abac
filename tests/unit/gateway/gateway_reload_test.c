/* Reloading: what is taken over, what is refused as a whole, and that live clients stay. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gateway/gw_auth.h"
#include "gateway/gw_reload.h"
/* Tests */
#include "unit/gateway/gateway_sim.h"
#include "unit/temp_file.h"

#define FILE_TEXT(auth, more)                                                                      \
    "{\"gateway\":{\"host\":[\"127.0.0.1\"],\"port\":0,\"max_connections\":64},"                   \
    "\"log\":{\"level\":\"error\"},\"auth\":" auth more "}"
#define OLD "{\"secret\":\"" SIM_SECRET "\"}"
#define NEW_SECRET "another-secret-of-32-bytes-45678"
#define NEW "{\"secret\":\"" NEW_SECRET "\"}"

static struct {
    char path[TEMP_PATH_MAX];
    char *argv[6];
    struct program_args args;
} t;

static void write_file(const char *text)
{
    FILE *f = fopen(t.path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static int start(void **state)
{
    static char name[] = "test", option[] = "-c", set[] = "--set", value[] = "queue.max_age=7000";
    (void)state;
    int fd = temp_file_open(t.path);
    assert_true(fd >= 0);
    close(fd);
    char *const argv[] = {name, option, t.path, set, value, NULL};
    memcpy(t.argv, argv, sizeof(argv));
    t.args = (struct program_args){5, t.argv};
    write_file(FILE_TEXT(OLD, ""));
    sim_start(NULL, "auth.mode=connect;log.level=error;queue.max_age=7000");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sim_stop();
    unlink(t.path);
    return 0;
}

static bool reload(void)
{
    return gw_reload(sim.gw, &sim.cfg, &t.args);
}

static char *token_of(const char *secret)
{
    struct cfg_error err = {""};
    char *token = gw_auth_mint("HS256", NULL, sv_of(secret), "{\"sub\":\"ann\"}", &err);
    assert_non_null(token);
    return token;
}

/* Is a new client with a token of this secret let in? Leaves it connected in *c. */
static bool is_let_in(struct sim_client *c, const char *secret)
{
    char *token = token_of(secret);
    char *packet = x_asprintf("0{\"token\":\"%s\"}", token);
    sim_open(c, 0);
    sim_send(c, packet);
    bool in = strncmp(sim_next(c), "40", 2) == 0;
    x_free(packet);
    x_free(token);
    return in;
}

static void a_secret_is_rotated_under_live_clients(void **state)
{
    struct sim_client live, late, later;
    (void)state;
    assert_true(is_let_in(&live, SIM_SECRET));
    write_file(FILE_TEXT(NEW, ""));
    assert_true(reload());
    assert_false(is_let_in(&late, SIM_SECRET));
    assert_true(is_let_in(&later, NEW_SECRET));
    sim_send(&live, "21[\"message\",\"still here\"]");
    sim_expect(&live, "2[\"message\",\"still here\"]");
    sim_expect(&live, "31[{\"status\":\"ok\"}]");
    sim_expect(&later, "2[\"message\",\"still here\"]");
    assert_int_equal(sim.gw->count.reloads, 1);
    sim_drop(&live);
    sim_drop(&late);
    sim_drop(&later);
}

static void routes_and_limits_follow(void **state)
{
    struct sim_client a;
    (void)state;
    assert_true(is_let_in(&a, SIM_SECRET));
    write_file(FILE_TEXT(OLD, ",\"routes\":{\"events\":[\"note=none\"]},"
                              "\"queue\":{\"max_bytes\":65536,\"max_age\":9000},"
                              "\"bus\":{\"request_timeout\":77}"));
    assert_true(reload());
    sim_send(&a, "21[\"note\"]");
    sim_expect(&a, "31[{\"status\":\"ok\"}]");
    sim_send(&a, "22[\"message\"]");
    assert_non_null(strstr(sim_next(&a), "no_route"));
    assert_int_equal(sim.cfg.queue_max_bytes, 65536);
    assert_int_equal(sim.cfg.queue_max_age, 7000); /* --set wins still */
    assert_int_equal(sim.cfg.bus_request_timeout, 77);
    sim_drop(&a);
}

/* Each must leave everything as it was. */
static const char *const bad[] = {
    "{",
    "[]",
    FILE_TEXT(NEW, ",\"routes\":{\"events\":[\"note\"]}"),
    FILE_TEXT("{\"secret\":\"short\"}", ""),
    FILE_TEXT("{}", ""),
    FILE_TEXT("{\"secret_file\":\"/nowhere/at/all\"}", ""),
    FILE_TEXT(NEW, ",\"queue\":{\"max_bytes\":1}"),
    /* a row that needs a restart, beside one that does not */
    FILE_TEXT("{\"secret\":\"" NEW_SECRET "\",\"timeout\":777}", ""),
    FILE_TEXT(NEW, ",\"socketio\":{\"namespaces\":[\"/\",\"/more\"]}"),
    FILE_TEXT(NEW, ",\"admin\":{\"port\":0}"),
};

static void what_cannot_be_taken_over_whole_is_not_at_all(void **state)
{
    (void)state;
    size_t n = sizeof(bad) / sizeof(bad[0]);
    const struct gw_auth *auth = sim.gw->auth;
    for (size_t i = 0; i < n; i++) {
        struct sim_client a, b;
        write_file(bad[i]);
        if (reload()) fail_msg("taken over: %s", bad[i]);
        assert_ptr_equal(sim.gw->auth, auth);
        assert_true(is_let_in(&a, SIM_SECRET));
        assert_false(is_let_in(&b, NEW_SECRET));
        sim_send(&a, "21[\"message\"]");
        sim_expect(&a, "2[\"message\"]");
        sim_expect(&a, "31[{\"status\":\"ok\"}]");
        sim_drop(&a);
        sim_drop(&b);
    }
    unlink(t.path);
    assert_false(reload());
    assert_int_equal(sim.gw->count.reloads_refused, n + 1);
    assert_int_equal(sim.gw->count.reloads, 0);
}

static void the_same_again_changes_nothing(void **state)
{
    struct sim_client a;
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(reload());
    assert_true(is_let_in(&a, SIM_SECRET));
    sim_drop(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_secret_is_rotated_under_live_clients),
        TEST(routes_and_limits_follow),
        TEST(what_cannot_be_taken_over_whole_is_not_at_all),
        TEST(the_same_again_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
