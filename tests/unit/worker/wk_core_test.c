/* The worker's core on a fake feed: order, attempts, joins before emits, revoking, stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/worker/fake_feed.h"

/* A handler that keeps its jobs for the test to end. */
static struct {
    struct wk_job *v[64];
    size_t n;
    unsigned abandoned, freed;
    bool takes, ends_abandoned;
} held;

static bool on_takes(void *ctx, const struct work_item *item)
{
    (void)ctx;
    (void)item;
    return held.takes;
}

static void on_handle(void *ctx, struct wk_job *job)
{
    (void)ctx;
    assert_true(held.n < 64);
    held.v[held.n++] = job;
}

static void on_abandon(void *ctx, struct wk_job *job)
{
    (void)ctx;
    held.abandoned++;
    if (held.ends_abandoned) wk_job_done(job);
}

static void on_free(void *ctx)
{
    (void)ctx;
    held.freed++;
}

static struct fake_feed *feed_new(const char *const *sets)
{
    static const struct wk_handler handler = {
        .takes = on_takes, .handle = on_handle, .abandon = on_abandon, .free = on_free};
    struct fake_feed *f = fake_feed_new(sets);
    memset(&held, 0, sizeof(held));
    held.takes = true;
    wk_core_add_handler(f->core, &handler);
    return f;
}

static void test_order(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    fake_feed_event(f, "a", "one");
    fake_feed_event(f, "a", "two");
    fake_feed_event(f, "b", "three");
    assert_int_equal(held.n, 0); /* nothing is run inside the feed's callback */
    fake_feed_turn(f, 0);
    assert_int_equal(held.n, 2);
    assert_int_equal(wk_core_stats(f->core)->running, 2);
    assert_true(sv_eq(wk_job_item(held.v[1])->event, SV("three")));
    wk_job_done(held.v[1]);
    assert_told(f, ""); /* nor given back inside the handler's */
    fake_feed_turn(f, 0);
    assert_told(f, "finish 3:; ");
    assert_int_equal(held.n, 2);
    assert_true(wk_job_ack(held.v[0], SV("[1]"), NULL, 0));
    assert_true(wk_job_ack(held.v[0], SV("[2]"), NULL, 0)); /* has one already */
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: ack [1]; ");
    assert_int_equal(held.n, 3);
    assert_true(sv_eq(wk_job_item(held.v[2])->event, SV("two")));
    wk_job_done(held.v[2]);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 2:; ");
    assert_int_equal(wk_core_stats(f->core)->jobs, 0);
    assert_int_equal(wk_core_stats(f->core)->sockets, 0);
    fake_feed_free(f);
    assert_int_equal(held.freed, 1);
}

static void test_same_id_in_two_namespaces_is_two_sockets(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    struct work_item item = {.type = WORK_EVENT,
                             .sid = SV("a"),
                             .nsp = SV("/x"),
                             .event = SV("e"),
                             .args = SV("[\"e\"]")};
    (void)state;
    fake_feed_event(f, "a", "one");
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
    assert_int_equal(held.n, 2);
    fake_feed_free(f);
}

static void test_attempts(void **state)
{
    static const char *const sets[] = {"worker.attempts=3", "worker.retry_min=100", NULL};
    struct fake_feed *f = feed_new(sets);
    (void)state;
    fake_feed_event(f, "a", "one");
    fake_feed_event(f, "a", "two");
    fake_feed_turn(f, 0);
    assert_true(wk_job_ack(held.v[0], SV("[1]"), NULL, 0)); /* leaves only if it succeeds */
    wk_job_fail(held.v[0], WK_RETRY, SV("no"));
    fake_feed_turn(f, 0);
    fake_feed_turn(f, 40); /* the first pause is 50 to 100 ms */
    assert_int_equal(held.n, 1);
    fake_feed_turn(f, 100);
    assert_int_equal(held.n, 2); /* the same, before the next of its socket */
    assert_ptr_equal(held.v[0], held.v[1]);
    assert_int_equal(wk_job_attempt(held.v[1]), 2);
    wk_job_fail(held.v[1], WK_RETRY, SV("no"));
    fake_feed_turn(f, 0);
    fake_feed_turn(f, 300);
    assert_int_equal(wk_job_attempt(held.v[2]), 3);
    assert_told(f, "");
    wk_job_fail(held.v[2], WK_RETRY, SV("still not"));
    fake_feed_turn(f, 0);
    assert_told(f, "bury 1 (still not, 3): ack [{\"status\":\"error\",\"code\":\"handler_failed\","
                   "\"message\":\"the handler has failed\"}]; ");
    assert_int_equal(held.n, 4);
    wk_job_fail(held.v[3], WK_FATAL, SV("bad"));
    fake_feed_turn(f, 0);
    assert_non_null(strstr(fake_feed_told(f), "bury 2 (bad, 1): ack"));
    assert_int_equal(wk_core_stats(f->core)->retries, 2);
    assert_int_equal(wk_core_stats(f->core)->failures, 4);
    fake_feed_free(f);
}

static void test_deaths(void **state)
{
    static const char *const sets[] = {"worker.attempts=3", NULL};
    struct fake_feed *f = feed_new(sets);
    struct work_item item = {
        .type = WORK_EVENT, .sid = SV("a"), .event = SV("e"), .args = SV("[\"e\"]")};
    (void)state;
    fake_feed_item(f, &item, 3);
    fake_feed_turn(f, 0);
    assert_int_equal(wk_job_attempt(held.v[0]), 3);
    wk_job_done(held.v[0]);
    fake_feed_item(f, &item, 4);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1:; bury 2 (workers have died while they had it in hand, 4):; ");
    assert_int_equal(held.n, 1);
    fake_feed_free(f);
}

static void test_nobody_takes_it(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    struct work_item item = {.type = WORK_CONNECT, .sid = SV("b")};
    (void)state;
    held.takes = false;
    fake_feed_event(f, "a", "one");
    fake_feed_item(f, &item, 0);
    item.asks = true;
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: ack [{\"status\":\"error\",\"code\":\"no_handler\",\"message\":\"no "
                   "handler takes this event\"}]; finish 2:; finish 3: refuse "
                   "{\"message\":\"not available\"}; ");
    assert_int_equal(wk_core_stats(f->core)->unhandled, 2);
    fake_feed_free(f);
}

static bool emit_to(struct wk_job *job, const char *room)
{
    struct str_view name = sv_of(room);
    struct bus_target to = {.rooms = &name, .nrooms = 1};
    return wk_job_emit(job, SV("/"), &to, SV("[\"x\"]"), NULL, 0);
}

static void test_join_is_heard_before_emit(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    for (int way = 0; way < 4;
         way++) { /* answer, then synced; the other way; too late; not at all */
        held.n = 0;
        fake_feed_event(f, "a", "one");
        fake_feed_event(f, "a", "two");
        fake_feed_turn(f, 0);
        assert_true(wk_job_join(held.v[0], SV("r")));
        assert_true(emit_to(held.v[0], "r"));
        assert_true(wk_job_disconnect(held.v[0], true));
        wk_job_done(held.v[0]);
        fake_feed_turn(f, 0);
        assert_non_null(strstr(fake_feed_told(f), ": join r sync; "));
        assert_int_equal(held.n, 1); /* the next one waits */
        fake_feed_synced(f, f->token + 1);
        if (way == 1) fake_feed_synced(f, f->token);
        fake_feed_turn(f, 0);
        assert_told(f, "");
        fake_feed_answer_step(f, WK_STEP_TAKEN);
        fake_feed_turn(f, 0);
        if (way == 0) fake_feed_synced(f, f->token);
        if (way >= 2) {
            fake_feed_turn(f, WK_SYNC_MS - 50);
            assert_told(f, "");
            fake_feed_turn(f, 100);
            if (way == 2) fake_feed_synced(f, f->token);
        }
        fake_feed_turn(f, 0);
        assert_non_null(strstr(fake_feed_told(f), ": join r emit r [\"x\"] disconnect all; "));
        assert_int_equal(held.n, 2);
        wk_job_done(held.v[1]);
        fake_feed_turn(f, 0);
        fake_feed_told(f);
    }
    assert_int_equal(wk_core_stats(f->core)->syncs_late, 2);
    fake_feed_free(f);
}

static void test_no_wait_where_none_is_needed(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    fake_feed_event(f, "a", "one");
    fake_feed_turn(f, 0);
    assert_true(emit_to(held.v[0], "r"));
    assert_true(wk_job_join(held.v[0], SV("r")));
    assert_true(emit_to(held.v[0], "a"));
    assert_true(wk_job_leave(held.v[0], SV("r")));
    assert_true(emit_to(held.v[0], "r"));
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: emit r [\"x\"] join r emit a [\"x\"] leave r emit r [\"x\"]; ");
    fake_feed_free(f);
}

/* The gateway is gone: it will never say that it hears. */
static void test_nobody_is_waited_for(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    fake_feed_event(f, "a", "one");
    fake_feed_turn(f, 0);
    assert_true(wk_job_join(held.v[0], SV("r")));
    assert_true(emit_to(held.v[0], "r"));
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    assert_told(f, "step 1: join r sync; ");
    fake_feed_answer_step(f, WK_STEP_NOBODY);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: join r emit r [\"x\"]; ");
    assert_int_equal(wk_core_stats(f->core)->syncs_late, 0);
    fake_feed_free(f);
}

static bool takes_connects(void *ctx, const struct work_item *item)
{
    (void)ctx;
    return item->type == WORK_CONNECT;
}

/* After a death the feed holds back what can have been the reason, and nothing else. */
static void test_what_can_kill(void **state)
{
    static const struct wk_handler elsewhere = {
        .takes = takes_connects, .handle = on_handle, .is_elsewhere = true};
    struct fake_feed *f = fake_feed_new(NULL);
    struct work_item event = {.type = WORK_EVENT}, connect = {.type = WORK_CONNECT};
    bool (*can_kill)(void *, const struct work_item *) = f->feed.events->can_kill;
    (void)state;
    assert_false(can_kill(f->core, &event)); /* nobody handles it */
    wk_core_add_handler(f->core, &elsewhere);
    wk_core_add_handler(
        f->core, &(struct wk_handler){.takes = on_takes, .handle = on_handle, .free = on_free});
    held.takes = true;
    assert_false(can_kill(f->core, &connect));
    assert_true(can_kill(f->core, &event));
    fake_feed_free(f);
}

static void ask(struct fake_feed *f, const char *sid)
{
    struct work_item item = {
        .type = WORK_CONNECT, .sid = sv_of(sid), .auth = SV("{}"), .asks = true};
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
}

static void test_admission(void **state)
{
    static const char *const sets[] = {"worker.attempts=1", NULL};
    struct fake_feed *f = feed_new(sets);
    (void)state;
    ask(f, "a");
    assert_true(wk_job_join(held.v[0], SV("r")));
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: admit join r; ");
    ask(f, "b");
    assert_true(emit_to(held.v[1], "b"));
    wk_job_done(held.v[1]);
    fake_feed_turn(f, 0);
    assert_told(f, "step 2: admit sync; ");
    fake_feed_answer_step(f, WK_STEP_TAKEN);
    fake_feed_synced(f, f->token);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 2: admit emit b [\"x\"]; ");
    ask(f, "c");
    assert_true(wk_job_join(held.v[2], SV("r")));
    assert_true(emit_to(held.v[2], "admins"));
    assert_false(wk_job_refuse(held.v[2], SV("\"no\"")));
    assert_true(wk_job_refuse(held.v[2], SV("{\"message\":\"no\"}")));
    assert_true(wk_job_disconnect(held.v[2], false));
    wk_job_done(held.v[2]);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 3: emit admins [\"x\"] refuse {\"message\":\"no\"}; ");
    ask(f, "d");
    wk_job_fail(held.v[3], WK_RETRY, SV("down"));
    fake_feed_turn(f, 0);
    assert_told(f, "bury 4 (down, 1): refuse {\"message\":\"not available\"}; ");
    fake_feed_free(f);
}

/* Brings a job of socket a into a state. */
enum at {
    AT_WAITS,
    AT_RUNS,
    AT_ENDED,
    AT_PAUSED,
    AT_STEPS,
    AT_SYNCS,
    AT_HEARD,
    AT_REFUSED,
    AT_END
};

static void bring(struct fake_feed *f, enum at at)
{
    fake_feed_event(f, "a", "one");
    if (at == AT_WAITS) return;
    fake_feed_turn(f, 0);
    if (at == AT_RUNS) return;
    if (at == AT_PAUSED) {
        wk_job_fail(held.v[0], WK_RETRY, SV("no"));
        fake_feed_turn(f, 0);
        return;
    }
    assert_true(wk_job_join(held.v[0], SV("r")));
    assert_true(emit_to(held.v[0], "r"));
    wk_job_done(held.v[0]);
    if (at == AT_ENDED) return;
    fake_feed_turn(f, 0);
    if (at == AT_STEPS) return;
    fake_feed_answer_step(f, at == AT_REFUSED ? WK_STEP_REFUSED : WK_STEP_TAKEN);
    if (at == AT_HEARD) fake_feed_synced(f, f->token);
}

static void test_revoked_in_every_state(void **state)
{
    (void)state;
    for (enum at at = AT_WAITS; at < AT_END; at++) {
        struct fake_feed *f = feed_new(NULL);
        bring(f, at);
        fake_feed_event(f, "a", "behind");
        fake_feed_told(f);
        f->feed.events->revoked(f->feed.arg, 3);
        /* With the new lease both come again, before the turn has ended. */
        fake_feed_event(f, "a", "one");
        held.n = at == AT_RUNS ? 1 : 0;
        fake_feed_turn(f, 5000);
        assert_int_equal(held.abandoned, at == AT_RUNS);
        assert_int_equal(wk_core_stats(f->core)->dropped, 2);
        assert_told(f, "");
        if (at == AT_RUNS) wk_job_done(held.v[0]); /* counts no more */
        if (at == AT_STEPS) fake_feed_answer_step(f, WK_STEP_TAKEN);
        fake_feed_turn(f, 0);
        assert_told(f, "");
        assert_int_equal(wk_core_stats(f->core)->jobs, 1);
        wk_job_done(held.v[at == AT_RUNS ? 1 : 0]);
        fake_feed_turn(f, 0);
        assert_told(f, "finish 3:; ");
        fake_feed_free(f);
    }
}

static void test_freed_in_every_state(void **state)
{
    (void)state;
    for (enum at at = AT_WAITS; at < AT_END; at++) {
        struct fake_feed *f = feed_new(NULL);
        held.ends_abandoned = at % 2;
        bring(f, at);
        fake_feed_event(f, "a", "behind");
        fake_feed_free(f);
        assert_int_equal(held.abandoned, at == AT_RUNS);
    }
}

static void test_other_partitions_stay(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    bring(f, AT_RUNS);
    f->feed.events->revoked(f->feed.arg, 4);
    fake_feed_turn(f, 0);
    assert_int_equal(held.abandoned, 0);
    fake_feed_free(f);
}

static void test_a_late_lease_is_waited_for(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    f->mine = false;
    fake_feed_event(f, "a", "one");
    fake_feed_turn(f, 0);
    fake_feed_turn(f, 60);
    assert_int_equal(held.n, 0);
    f->mine = true;
    fake_feed_turn(f, 60);
    assert_int_equal(held.n, 1);
    fake_feed_free(f);
}

static void on_stopped(void *arg)
{
    (*(int *)arg)++;
}

static void test_stop(void **state)
{
    int stopped = 0;
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    bring(f, AT_RUNS);
    fake_feed_event(f, "a", "two");
    wk_core_stop(f->core, on_stopped, &stopped);
    fake_feed_turn(f, 0);
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    assert_int_equal(stopped, 0);
    wk_job_done(held.v[1]);
    fake_feed_turn(f, 0);
    fake_feed_turn(f, 0);
    assert_int_equal(stopped, 1);
    assert_told(f, "finish 1:; finish 2:; ");
    fake_feed_turn(f, 20000);
    assert_int_equal(stopped, 1);
    fake_feed_free(f);
}

static void test_stop_takes_no_longer_than_it_may(void **state)
{
    static const char *const sets[] = {"worker.shutdown_timeout=1000", NULL};
    int stopped = 0;
    struct fake_feed *f = feed_new(sets);
    (void)state;
    bring(f, AT_RUNS);
    fake_feed_event(f, "a", "two");
    wk_core_stop(f->core, on_stopped, &stopped);
    fake_feed_turn(f, 900);
    assert_int_equal(stopped, 0);
    fake_feed_turn(f, 200);
    assert_int_equal(stopped, 1);
    assert_int_equal(held.abandoned, 1);
    assert_told(f, "");
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    assert_int_equal(wk_core_stats(f->core)->jobs, 0);
    fake_feed_free(f);
}

static void test_data_is_seen_by_later_items(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    fake_feed_event(f, "a", "one");
    fake_feed_event(f, "a", "two");
    fake_feed_turn(f, 0);
    assert_true(wk_job_data(held.v[0], SV("{\"n\":1}")));
    assert_false(wk_job_data(held.v[0], SV("{\"n\":")));
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: data {\"n\":1}; ");
    assert_true(sv_eq(wk_job_item(held.v[1])->data, SV("{\"n\":1}")));
    wk_job_done(held.v[1]);
    fake_feed_turn(f, 0);
    fake_feed_event(f, "a", "three"); /* was on its way before the gateway knew */
    fake_feed_turn(f, 0);
    assert_true(sv_eq(wk_job_item(held.v[2])->data, SV("{\"n\":1}")));
    wk_job_done(held.v[2]);
    fake_feed_turn(f, 0);
    assert_int_equal(wk_core_stats(f->core)->sockets, 1);
    fake_feed_turn(f, 6000);
    assert_int_equal(wk_core_stats(f->core)->sockets, 0);
    fake_feed_event(f, "a", "four"); /* by now the gateway says what it is */
    fake_feed_turn(f, 0);
    assert_true(sv_eq(wk_job_item(held.v[3])->data, SV("null")));
    fake_feed_free(f);
}

/* What this worker remembers of a socket's data another one may have changed meanwhile. */
static void test_data_is_forgotten_with_the_lease(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    (void)state;
    fake_feed_event(f, "a", "one");
    fake_feed_turn(f, 0);
    unsigned partition = f->last.partition;
    assert_true(wk_job_data(held.v[0], SV("{\"n\":1}")));
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    f->feed.events->revoked(f->feed.arg, partition);
    fake_feed_event(f, "a", "two");
    fake_feed_turn(f, 0);
    assert_true(sv_eq(wk_job_item(held.v[1])->data, SV("null")));
    fake_feed_free(f);
}

static void test_what_no_message_can_hold(void **state)
{
    static const char *const sets[] = {"bus.max_message=1024", NULL};
    struct fake_feed *f = feed_new(sets);
    struct bus_target all = {0};
    struct str_view bytes[2], rooms[4];
    struct bus_target many = {.rooms = rooms, .nrooms = 3, .except = rooms, .nexcept = 1};
    char json[1024], binary[500] = {0}, room[200];
    (void)state;
    memset(room, 'r', sizeof(room));
    for (int i = 0; i < 4; i++)
        rooms[i] = sv_make(room, sizeof(room));
    snprintf(json, sizeof(json), "[\"%0900d\"]", 0);
    bytes[0] = bytes[1] = sv_make(binary, sizeof(binary));
    fake_feed_event(f, "a", "one");
    fake_feed_turn(f, 0);
    assert_false(wk_job_ack(held.v[0], sv_of(json), NULL, 0));
    assert_false(wk_job_emit(held.v[0], SV("/"), &all, sv_of(json), NULL, 0));
    assert_false(wk_job_emit(held.v[0], SV("/"), &many, SV("[\"x\"]"), NULL, 0));
    assert_false(wk_job_remote_disconnect(held.v[0], SV("/"), &many, false));
    assert_false(wk_job_remote_join(held.v[0], SV("/"), NULL, rooms, 4));
    assert_false(wk_job_ack(
        held.v[0], SV("[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"),
        bytes, 2));
    wk_job_fail(held.v[0], WK_FATAL, SV("too large"));
    fake_feed_turn(f, 0);
    assert_non_null(strstr(fake_feed_told(f), "bury 1 (too large, 1): ack [{\"status\":\"error\""));
    fake_feed_free(f);
}

/* One message cannot hold them all: they leave in several, in their order. */
static void test_what_fits_alone_but_not_together(void **state)
{
    static const char *const sets[] = {"bus.max_message=1024", NULL};
    struct fake_feed *f = feed_new(sets);
    char data[700], ack[704], room[200] = "", told[4096];
    int n = 0;
    (void)state;
    snprintf(data, sizeof(data), "\"%0600d\"", 0);
    snprintf(ack, sizeof(ack), "[%s]", data);
    memset(room, 'r', sizeof(room) - 1);
    fake_feed_event(f, "a", "one");
    fake_feed_turn(f, 0);
    for (int i = 0; i < 8; i++) { /* the joins alone are too much, and leave first */
        room[0] = (char)('a' + i);
        assert_true(wk_job_join(held.v[0], sv_of(room)));
        n += snprintf(told + n, sizeof(told) - (size_t)n, " join %s", room);
    }
    assert_true(emit_to(held.v[0], room));
    assert_true(wk_job_data(held.v[0], sv_of(data)));
    assert_true(wk_job_ack(held.v[0], sv_of(ack), NULL, 0));
    wk_job_done(held.v[0]);
    fake_feed_turn(f, 0);
    assert_non_null(strstr(fake_feed_told(f), told));
    fake_feed_answer_step(f, WK_STEP_NOBODY);
    fake_feed_turn(f, 0);
    snprintf(told + n, sizeof(told) - (size_t)n, " emit %s [\"x\"] data %s ack %s; ", room, data,
             ack);
    assert_non_null(strstr(fake_feed_told(f), told));
    fake_feed_free(f);
}

/* Names as long as an item's may be: not even the answer fits. */
static void test_names_that_no_message_can_hold(void **state)
{
    static const char *const sets[] = {"bus.max_message=1024", NULL};
    struct fake_feed *f = feed_new(sets);
    char sid[1020];
    struct work_item item = {.type = WORK_EVENT,
                             .sid = sv_make(sid, sizeof(sid)),
                             .event = SV("e"),
                             .args = SV("[\"e\"]"),
                             .wants_ack = true};
    (void)state;
    memset(sid, 's', sizeof(sid));
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
    assert_false(wk_job_join(held.v[0], SV("r")));
    assert_false(wk_job_data(held.v[0], SV("1")));
    assert_true(wk_job_disconnect(held.v[0], false));
    wk_job_done(held.v[0]);
    item.type = WORK_CONNECT;
    item.asks = true;
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
    fake_feed_turn(f, 0);
    assert_told(f, "bury 1 (too many effects, or too large, 1):; "
                   "bury 2 (too many effects, or too large, 1):; ");
    fake_feed_free(f);
}

static void test_what_is_not_allowed(void **state)
{
    struct fake_feed *f = feed_new(NULL);
    struct bus_target all = {0};
    char name[300];
    (void)state;
    memset(name, 'r', sizeof(name));
    fake_feed_event(f, "a", "one");
    fake_feed_turn(f, 0);
    struct wk_job *job = held.v[0];
    assert_false(wk_job_join(job, SV("")));
    assert_false(wk_job_join(job, SV("a\nb")));
    assert_false(wk_job_join(job, SV("\xff")));
    assert_false(wk_job_join(job, sv_make(name, sizeof(name))));
    assert_false(wk_job_emit(job, SV("x"), &all, SV("[\"x\"]"), NULL, 0));
    assert_false(wk_job_emit(job, SV("/a,b"), &all, SV("[\"x\"]"), NULL, 0));
    assert_false(wk_job_emit(job, SV("/"), &all, SV("{}"), NULL, 0));
    assert_false(wk_job_emit(job, SV("/"), &all, SV("[]"), NULL, 0));
    assert_false(wk_job_emit(job, SV("/"), &all, SV("[\"connect\"]"), NULL, 0));
    assert_false(wk_job_emit(job, SV("/"), &all, SV("[\"x\"}"), NULL, 0));
    assert_false(wk_job_ack(job, SV("1"), NULL, 0));
    assert_false(wk_job_remote_join(job, SV("/"), NULL, &(struct str_view){"", 0}, 1));
    size_t sent = 0;
    while (wk_job_emit(job, SV("/"), &all, SV("[\"x\"]"), NULL, 0))
        assert_true(++sent <= WK_RESULT_EFFECTS_MAX);
    assert_true(sent > 900);
    fake_feed_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_same_id_in_two_namespaces_is_two_sockets),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_deaths),
        cmocka_unit_test(test_nobody_takes_it),
        cmocka_unit_test(test_join_is_heard_before_emit),
        cmocka_unit_test(test_no_wait_where_none_is_needed),
        cmocka_unit_test(test_nobody_is_waited_for),
        cmocka_unit_test(test_what_can_kill),
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_revoked_in_every_state),
        cmocka_unit_test(test_freed_in_every_state),
        cmocka_unit_test(test_other_partitions_stay),
        cmocka_unit_test(test_a_late_lease_is_waited_for),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_takes_no_longer_than_it_may),
        cmocka_unit_test(test_data_is_seen_by_later_items),
        cmocka_unit_test(test_data_is_forgotten_with_the_lease),
        cmocka_unit_test(test_what_no_message_can_hold),
        cmocka_unit_test(test_what_fits_alone_but_not_together),
        cmocka_unit_test(test_names_that_no_message_can_hold),
        cmocka_unit_test(test_what_is_not_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
