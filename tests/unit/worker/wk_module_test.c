/* Handler modules, loaded as programs load them: what they read, what they ask for, how they fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/worker/fake_feed.h"
#include "util/x_alloc.h"
#include "worker/wk_module.h"

/* A bus that writes down what it is given. */
static struct buf bus_told;

static void on_publish(struct bus *b, struct bus_msg *m, bus_done_cb done, void *arg)
{
    (void)b;
    (void)done;
    (void)arg;
    assert_true(buf_addf(&bus_told, "publish %.*s %.*s", SV_ARG(m->nsp), SV_ARG(m->json)));
    for (unsigned i = 0; i < m->nrooms; i++)
        assert_true(buf_addf(&bus_told, " to %.*s", SV_ARG(m->rooms[i])));
    for (unsigned i = 0; i < m->nexcept; i++)
        assert_true(buf_addf(&bus_told, " except %.*s", SV_ARG(m->except[i])));
    assert_true(buf_addf(&bus_told, "%s; ", m->flags & BUS_VOLATILE ? " volatile" : ""));
    bus_msg_rele(m);
}

static void on_direct(struct bus *b, struct str_view node, struct str_view bytes, bus_done_cb done,
                      void *arg)
{
    struct node_cmd c;
    struct node_cmd_space space;
    const char *why;
    (void)b;
    (void)done;
    (void)arg;
    assert_true(node_cmd_next(&bytes, &c, &space, &why));
    assert_int_equal(c.type, NODE_ACK);
    assert_true(buf_addf(&bus_told, "direct %.*s: ack %llu %.*s +%u; ", SV_ARG(node),
                         (unsigned long long)c.ack_id, SV_ARG(c.json), c.nattachments));
}

static void assert_bus_told(const char *text)
{
    assert_true(sv_eq(buf_view(&bus_told), sv_of(text)));
    buf_clear(&bus_told);
}

static bool load(struct fake_feed *f, const char *module, struct cfg_error *err)
{
    char *set = x_asprintf("worker.modules=%s", module);
    bool is_set = cfg_set(&f->cfg, set, err);
    x_free(set);
    return is_set && wk_module_load_all(f->core, &f->cfg, err);
}

static struct fake_feed *feed_new(void)
{
    static const struct bus_ops ops = {.publish = on_publish, .direct = on_direct};
    struct cfg_error err = {""};
    struct fake_feed *f = fake_feed_new(NULL);
    f->bus.ops = &ops;
    buf_init(&bus_told, 4096);
    if (!load(f, MODULES "/probe.so", &err)) fail_msg("%s", err.text);
    return f;
}

static void end(struct fake_feed *f)
{
    fake_feed_free(f);
    buf_fini(&bus_told);
}

static void handle(struct fake_feed *f, const char *event)
{
    fake_feed_event(f, "s1", event);
    fake_feed_turn(f, 0);
}

static void test_what_cannot_be_loaded(void **state)
{
    static const struct {
        const char *module, *why;
    } cases[] = {
        {MODULES "/nowhere.so", "cannot open shared object file"},
        {MODULES "/old.so", "its ABI is 2, this program's is 1: compile it anew"},
        {MODULES "/none.so", "it is no handler module (it defines no peal_module)"},
        {MODULES "/needs.so", "undefined symbol: peal_of_the_future"},
        {MODULES "/probe.so=not=now", "it does not feel like it"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_feed *f = fake_feed_new(NULL);
        struct cfg_error err = {""};
        assert_false(load(f, cases[i].module, &err));
        assert_non_null(strstr(err.text, "worker.modules: \""));
        assert_non_null(strstr(err.text, ".so\" cannot be used: "));
        assert_non_null(strstr(err.text, cases[i].why));
        assert_null(strchr(err.text, '\n'));
        fake_feed_free(f);
    }
}

static void test_reading(void **state)
{
    struct fake_feed *f = feed_new();
    struct str_view bytes = SV("abc");
    struct work_item item = {.type = WORK_EVENT,
                             .sid = SV("s1"),
                             .user = SV("ann"),
                             .data = SV("{\"d\":1}"),
                             .event = SV("read"),
                             .args = SV("[\"read\", {\"_placeholder\":true,\"num\":0},{\"a\":2}]"),
                             .attachments = &bytes,
                             .nattachments = 1,
                             .wants_ack = true};
    (void)state;
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: ack [\"gw000001-1\",\"/\",\"s1\",\"ann\",{},{\"d\":1},[\"read\", "
                   "{\"_placeholder\":true,\"num\":0},{\"a\":2}],2,47,1,\"abc\",2,0]; ");
    handle(f, "odd one");
    assert_told(f, "finish 2: ack [\"odd\",\"odd one\"]; ");
    handle(f, "even");
    assert_told(f, "finish 3: ack [\"any\",\"even\"]; ");
    end(f);
}

static void test_effects(void **state)
{
    struct fake_feed *f = feed_new();
    (void)state;
    handle(f, "emit");
    assert_told(f,
                "finish 1: emit r1 s user:ann r2 r3 -x [\"many\"] emit [\"all\"] emit volatile "
                "[\"other\"] emit s1 [\"own\"] emit +1 [\"b\",{\"_placeholder\":true,\"num\":0}] "
                "emit [\"json\",5]; ");
    handle(f, "do");
    assert_told(f, "finish 2: join in leave out data {\"k\":1} request 2 request 3 request 4 "
                   "disconnect all; ");
    end(f);
}

static void test_failing(void **state)
{
    struct fake_feed *f = feed_new();
    (void)state;
    handle(f, "retry");
    fake_feed_turn(f, 200);
    fake_feed_turn(f, 400);
    assert_told(f, "finish 1:; ");
    assert_int_equal(wk_core_stats(f->core)->retries, 2);
    handle(f, "fail");
    assert_non_null(strstr(fake_feed_told(f), "bury 2 (not like this, 1): ack"));
    end(f);
}

static void test_holding(void **state)
{
    struct fake_feed *f = feed_new();
    (void)state;
    handle(f, "hold");
    handle(f, "hold-none");
    assert_told(f, ""); /* the same socket's next one waits */
    fake_feed_turn(f, 120);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: join held; finish 2:; ");
    handle(f, "hold-fail");
    fake_feed_turn(f, 120);
    assert_non_null(strstr(fake_feed_told(f), "bury 3 (held too long, 1): ack"));
    handle(f, "hold-ever");
    end(f); /* the module looks that it is void, and ends it */
}

static void test_held_and_revoked(void **state)
{
    struct fake_feed *f = feed_new();
    (void)state;
    handle(f, "hold");
    f->feed.events->revoked(f->feed.arg, 3);
    fake_feed_turn(f, 0);
    fake_feed_turn(f, 120);
    assert_told(f, "");
    assert_int_equal(wk_core_stats(f->core)->jobs, 0);
    end(f);
}

static void test_later(void **state)
{
    struct fake_feed *f = feed_new();
    (void)state;
    handle(f, "reply");
    assert_told(f, "finish 1:; ");
    handle(f, "later");
    assert_bus_told("");
    fake_feed_turn(f, 70);
    assert_bus_told("direct gw000001: ack 7 [{\"_placeholder\":true,\"num\":0}] +1; ");
    fake_feed_turn(f, 70);
    assert_bus_told("publish /n [\"later\"] to r to user:ann except x volatile; ");
    handle(f, "later"); /* the timers end with the module */
    handle(f, "reply");
    end(f);
}

static void test_connects(void **state)
{
    struct fake_feed *f = feed_new();
    struct work_item item = {
        .type = WORK_CONNECT, .sid = SV("s2"), .auth = SV("{\"who\":\"friend\"}"), .asks = true};
    (void)state;
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 1: admit join friends; ");
    item.auth = SV("{}");
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
    assert_told(
        f, "finish 2: refuse {\"message\":\"not you, \\\"friend\\\"\",\"data\":{\"code\":7}}; ");
    item.type = WORK_DISCONNECT;
    item.reason = SV("transport close");
    fake_feed_item(f, &item, 0);
    fake_feed_turn(f, 0);
    assert_told(f, "finish 3: emit watchers [\"gone\",\"s2\",\"transport close\"]; ");
    end(f);
}

static void test_example(void **state)
{
    struct fake_feed *f = fake_feed_new(NULL);
    struct cfg_error err = {""};
    (void)state;
    if (!load(f, EXAMPLE, &err)) fail_msg("%s", err.text);
    handle(f, "enter");
    assert_told(f, "finish 1: join lobby ack [{\"status\":\"ok\"}]; ");
    handle(f, "chat");
    assert_told(f, "finish 2: emit lobby [\"chat\",\"s1\",1] ack [{\"status\":\"ok\"}]; ");
    fake_feed_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_be_loaded),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_effects),
        cmocka_unit_test(test_failing),
        cmocka_unit_test(test_holding),
        cmocka_unit_test(test_held_and_revoked),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_connects),
        cmocka_unit_test(test_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
