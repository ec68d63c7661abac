/* What is wanted and what Redis has been told: counts, order, races between a wish and its end, lost
 * connections, and who waits for what. A model of Redis confirms what was sent. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_interest.h"

static struct {
    struct bus_interest *in;
    char log[4096];
} t;

static void note(const char *text)
{
    size_t n = strlen(t.log);
    snprintf(t.log + n, sizeof(t.log) - n, "%s%s", n ? " " : "", text);
}

static void assert_log(const char *text)
{
    assert_string_equal(t.log, text);
    t.log[0] = '\0';
}

static void on_done(enum bus_outcome outcome, void *arg)
{
    char text[64];
    snprintf(text, sizeof(text), "%s:%s", outcome == BUS_TAKEN ? "heard" : "gave-up",
             (const char *)arg);
    note(text);
}

static int begin(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    t.in = bus_interest_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    bus_interest_free(t.in);
    return 0;
}

static void add(const char *name)
{
    bus_interest_add(t.in, name[0] == '*', sv_of(name), BUS_CHANNEL_BROADCAST, 0, 1);
}

static void drop(const char *name)
{
    bus_interest_drop(t.in, name[0] == '*', sv_of(name));
}

/* One command: "+a,b" to subscribe, "-a" to end. */
static size_t next(size_t max)
{
    struct str_view names[8];
    bool is_pattern, on;
    size_t n = bus_interest_next(t.in, &is_pattern, &on, names, max);
    char text[256] = "";
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(text);
        assert_int_equal(is_pattern, names[i].p[0] == '*');
        snprintf(text + at, sizeof(text) - at, "%s%.*s",
                 i    ? ","
                 : on ? "+"
                      : "-",
                 SV_ARG(names[i]));
    }
    if (n) note(text);
    return n;
}

static void next_all(void)
{
    while (next(8))
        ;
}

static void confirm(const char *name, bool on)
{
    bus_interest_confirmed(t.in, name[0] == '*', sv_of(name), on);
}

static bool is_pending(const char *name)
{
    return bus_interest_is_pending(t.in, false, sv_of(name));
}

static void wait(uint64_t now, char *who)
{
    bus_interest_wait(t.in, now, on_done, who);
}

static void names_are_counted_and_sent_once(void **state)
{
    (void)state;
    add("a");
    add("b");
    add("a");
    add("*p");
    next_all();
    assert_log("+a,b +*p");
    drop("a");
    next_all();
    assert_log("");
    confirm("a", true);
    confirm("b", true);
    drop("a");
    next_all();
    assert_log("-a");
    assert_int_equal(bus_interest_count(t.in), 3);
    confirm("a", false);
    assert_int_equal(bus_interest_count(t.in), 2);
}

static void a_command_has_at_most_max_names(void **state)
{
    (void)state;
    add("a");
    add("b");
    add("c");
    assert_int_equal(next(2), 2);
    assert_int_equal(next(2), 1);
    assert_log("+a,b +c");
}

static void a_wish_taken_back_before_it_was_sent_is_not_sent(void **state)
{
    (void)state;
    add("a");
    drop("a");
    next_all();
    assert_log("");
    assert_int_equal(bus_interest_count(t.in), 0);
    add("b");
    next_all();
    confirm("b", true);
    drop("b");
    add("b");
    next_all();
    assert_log("+b");
    assert_true(bus_interest_is_synced(t.in));
}

/* hiredis 0.14 loses the callback of a name that is subscribed while its end is under way. */
static void a_name_waits_for_the_end_of_its_end(void **state)
{
    (void)state;
    assert_false(is_pending("a"));
    add("a");
    assert_true(is_pending("a"));
    next_all();
    assert_true(is_pending("a"));
    confirm("a", true);
    assert_false(is_pending("a"));
    drop("a");
    next_all();
    add("a");
    next_all();
    assert_log("+a -a");
    assert_false(bus_interest_is_synced(t.in));
    confirm("a", false);
    next_all();
    assert_log("+a");
    assert_true(is_pending("a"));
    confirm("a", true);
    assert_true(bus_interest_is_synced(t.in));
    assert_false(is_pending("a"));
    drop("a");
    assert_false(is_pending("a"));
}

static void an_end_waits_for_the_confirmation(void **state)
{
    (void)state;
    add("a");
    next_all();
    drop("a");
    next_all();
    assert_log("+a");
    confirm("a", true);
    next_all();
    assert_log("-a");
    add("a");
    drop("a");
    confirm("a", false);
    assert_int_equal(bus_interest_count(t.in), 0);
}

static void what_nobody_asked_for_changes_nothing(void **state)
{
    (void)state;
    confirm("x", true);
    confirm("x", false);
    add("a");
    confirm("a", true);
    confirm("a", false);
    assert_false(bus_interest_is_synced(t.in));
    next_all();
    confirm("a", false);
    confirm("a", true);
    confirm("a", true);
    assert_true(bus_interest_is_synced(t.in));
    assert_log("+a");
}

static void a_waiter_waits_for_what_was_wanted_before_it(void **state)
{
    (void)state;
    wait(0, "nobody");
    bus_interest_settle(t.in, 0, 1000);
    assert_log("heard:nobody");
    add("a");
    wait(0, "first");
    assert_log("");
    bus_interest_settle(t.in, 0, 1000);
    add("b");
    wait(1, "second");
    next_all();
    confirm("a", true);
    bus_interest_settle(t.in, 2, 1000);
    assert_log("+a,b heard:first");
    confirm("b", true);
    bus_interest_settle(t.in, 2, 1000);
    assert_log("heard:second");
    assert_true(bus_interest_deadline(t.in, 1000) == UINT64_MAX);
}

/* Wishes that keep coming do not keep anybody waiting. */
static void a_storm_of_wishes_starves_nobody(void **state)
{
    char name[16];
    (void)state;
    add("first");
    wait(0, "patient");
    for (int i = 0; i < 50; i++) {
        bus_interest_settle(t.in, 0, 1000);
        snprintf(name, sizeof(name), "n%d", i);
        add(name);
        next_all();
    }
    confirm("first", true);
    t.log[0] = '\0';
    bus_interest_settle(t.in, 0, 1000);
    assert_log("heard:patient");
    assert_false(bus_interest_is_synced(t.in));
}

static void a_waiter_gives_up_in_time(void **state)
{
    (void)state;
    add("a");
    wait(100, "one");
    assert_true(bus_interest_deadline(t.in, 1000) == 1100);
    bus_interest_settle(t.in, 1099, 1000);
    assert_log("");
    bus_interest_settle(t.in, 1100, 1000);
    assert_log("gave-up:one");
    drop("a"); /* a wish taken back is not waited for */
    wait(1200, "two");
    bus_interest_settle(t.in, 1200, 1000);
    assert_log("heard:two");
}

static void a_lost_connection_asks_for_all_again(void **state)
{
    (void)state;
    add("a");
    add("b");
    add("*p");
    next_all();
    confirm("a", true);
    confirm("b", true);
    confirm("*p", true);
    drop("b");
    next_all(); /* its end is under way */
    add("c");
    wait(0, "w");
    t.log[0] = '\0';
    bus_interest_lost(t.in);
    assert_false(bus_interest_is_restored(t.in));
    assert_int_equal(bus_interest_count(t.in), 3);
    next_all();
    assert_log("+c,a +*p");
    confirm("c", true);
    bus_interest_settle(t.in, 0, 1000);
    assert_log(""); /* who waited waits for the old ones, too */
    add("later");
    confirm("a", true);
    confirm("*p", true);
    bus_interest_settle(t.in, 0, 1000);
    assert_log("heard:w");
    assert_true(bus_interest_is_restored(t.in));
    assert_false(bus_interest_is_synced(t.in));
}

static void nothing_wanted_is_restored_at_once(void **state)
{
    (void)state;
    bus_interest_lost(t.in);
    bus_interest_settle(t.in, 0, 1000);
    assert_true(bus_interest_is_restored(t.in));
}

static void names_are_found_with_what_they_are_for(void **state)
{
    enum bus_channel_kind kind;
    struct str_view nsp;
    (void)state;
    bus_interest_add(t.in, false, SV("key#/chat#"), BUS_CHANNEL_REQUEST, 4, 5);
    assert_true(bus_interest_find(t.in, false, SV("key#/chat#"), &kind, &nsp));
    assert_int_equal(kind, BUS_CHANNEL_REQUEST);
    assert_true(sv_eq(nsp, SV("/chat")));
    assert_false(bus_interest_find(t.in, true, SV("key#/chat#"), &kind, &nsp));
    assert_false(bus_interest_find(t.in, false, SV("key#/chat"), &kind, &nsp));
    next_all();
    t.log[0] = '\0';
    drop("key#/chat#");
    assert_false(bus_interest_find(t.in, false, SV("key#/chat#"), &kind, &nsp));
}

static void on_free(enum bus_outcome outcome, void *arg)
{
    on_done(outcome, arg);
    drop("a"); /* takes its wish back, as who is told may do */
}

static void drop_and_count(enum bus_outcome outcome, void *arg)
{
    unsigned *refused = arg;
    assert_int_equal(outcome, BUS_REFUSED);
    drop("user");
    ++*refused;
}

/* A wave for each of them that stayed would make the last turn some thousand times as long as the
 * first. */
static void who_gave_up_while_it_was_away_costs_nothing_later(void **state)
{
    enum { TURNS = 50000, TURN_MS = 10, AGE_MS = 1000 };
    unsigned refused = 0;
    (void)state;
    add("a");
    bus_interest_lost(t.in);
    clock_t start = clock();
    for (uint64_t i = 0; i < TURNS; i++) {
        add("user");
        bus_interest_wait(t.in, i * TURN_MS, drop_and_count, &refused);
        bus_interest_settle(t.in, i * TURN_MS, AGE_MS);
        uint64_t first = i < AGE_MS / TURN_MS ? 0 : i - AGE_MS / TURN_MS + 1;
        assert_int_equal(bus_interest_deadline(t.in, AGE_MS), first * TURN_MS + AGE_MS);
    }
    assert_int_equal(refused, TURNS - AGE_MS / TURN_MS);
    assert_true(clock() - start < CLOCKS_PER_SEC);
    bus_interest_settle(t.in, (TURNS + AGE_MS) * TURN_MS, AGE_MS);
    assert_int_equal(refused, TURNS);
    assert_int_equal(bus_interest_count(t.in), 1);
}

static void free_tells_who_waits(void **state)
{
    (void)state;
    add("a");
    bus_interest_wait(t.in, 0, on_free, "w");
    bus_interest_free(t.in);
    t.in = bus_interest_new();
    assert_log("gave-up:w");
}

/* Any order of wishes, confirmations and losses ends with Redis having what is wanted. */
static void random_walks_end_with_what_is_wanted(void **state)
{
    static const char *const all[] = {"a", "b", "c", "*p", "*q"};
    enum { N = sizeof(all) / sizeof(all[0]) };
    unsigned seed = 1;
    (void)state;
    for (int round = 0; round < 200; round++) {
        unsigned refs[N] = {0};
        int sent[N] = {0}; /* 1: subscribe under way, -1: its end */
        bool on[N] = {false};
        for (int step = 0; step < 200; step++) {
            seed = seed * 1103515245 + 12345;
            unsigned i = seed / 65536 % N, what = seed / 1048576 % 6;
            struct str_view names[1];
            bool is_pattern, wants;
            if (what == 0 || step > 150) {
                if (bus_interest_next(t.in, &is_pattern, &wants, names, 1)) {
                    for (unsigned k = 0; k < N; k++) {
                        if (!sv_eq(names[0], sv_of(all[k]))) continue;
                        assert_int_equal(sent[k], 0); /* never two things under way */
                        assert_int_equal(on[k], !wants);
                        sent[k] = wants ? 1 : -1;
                    }
                }
                for (unsigned k = 0; step > 150 && k < N; k++) {
                    if (!sent[k]) continue;
                    on[k] = sent[k] > 0;
                    sent[k] = 0;
                    confirm(all[k], on[k]);
                }
            } else if (what == 1 && sent[i]) {
                on[i] = sent[i] > 0;
                sent[i] = 0;
                confirm(all[i], on[i]);
            } else if (what == 2 && refs[i]) {
                refs[i]--;
                drop(all[i]);
            } else if (what == 3 && seed % 7 == 0) {
                memset(sent, 0, sizeof(sent));
                memset(on, 0, sizeof(on));
                bus_interest_lost(t.in);
            } else if (what >= 4) {
                refs[i]++;
                add(all[i]);
            }
            bus_interest_settle(t.in, 0, 1000);
        }
        assert_true(bus_interest_is_synced(t.in));
        assert_true(bus_interest_is_restored(t.in));
        for (unsigned k = 0; k < N; k++) {
            assert_int_equal(on[k], refs[k] > 0);
            while (refs[k]--)
                drop(all[k]);
        }
        bus_interest_free(t.in);
        t.in = bus_interest_new();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_counted_and_sent_once),
        TEST(a_command_has_at_most_max_names),
        TEST(a_wish_taken_back_before_it_was_sent_is_not_sent),
        TEST(a_name_waits_for_the_end_of_its_end),
        TEST(an_end_waits_for_the_confirmation),
        TEST(what_nobody_asked_for_changes_nothing),
        TEST(a_waiter_waits_for_what_was_wanted_before_it),
        TEST(a_storm_of_wishes_starves_nobody),
        TEST(a_waiter_gives_up_in_time),
        TEST(a_lost_connection_asks_for_all_again),
        TEST(nothing_wanted_is_restored_at_once),
        TEST(names_are_found_with_what_they_are_for),
        TEST(who_gave_up_while_it_was_away_costs_nothing_later),
        TEST(free_tells_who_waits),
        TEST(random_walks_end_with_what_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
