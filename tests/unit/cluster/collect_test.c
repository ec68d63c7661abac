/* Answers are kept as they came, each node counts once, who was asked and is silent is named, and no
 * flood of answers takes more memory than is allowed. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/collect.h"

static struct collect c;

static int begin(void **state)
{
    (void)state;
    collect_init(&c);
    return 0;
}

static int end(void **state)
{
    (void)state;
    collect_fini(&c);
    return 0;
}

static void parts_keep_their_attachments(void **state)
{
    (void)state;
    char text[] = "[1]";
    const struct str_view two[] = {SV("\0x"), SV("")}, one[] = {SV("third")};
    collect_part(&c, sv_of(text), NULL, 0);
    memset(text, 'x', 3);
    collect_part(&c, SV("\"a\""), two, 2);
    collect_part(&c, SV("null"), one, 1);
    struct answers a = collect_tell(&c, 0);
    assert_int_equal(a.nparts, 3);
    assert_true(sv_eq(a.parts[0], SV("[1]")));
    assert_true(sv_eq(a.parts[1], SV("\"a\"")));
    assert_int_equal(a.binary[0].n, 0);
    assert_int_equal(a.binary[1].n, 2);
    assert_true(sv_eq(a.binary[1].v[0], SV("\0x")));
    assert_true(sv_eq(a.binary[1].v[1], SV("")));
    assert_true(sv_eq(a.binary[2].v[0], SV("third")));
    assert_int_equal(a.nsilent + a.nunnamed, 0);
    assert_false(c.is_lossy);
}

static void nothing_collected_is_told_as_nothing(void **state)
{
    (void)state;
    struct answers a = collect_tell(&c, 2);
    assert_int_equal(a.nparts, 0);
    assert_int_equal(a.nsilent, 0);
    assert_int_equal(a.nunnamed, 2);
}

static void a_node_answers_once_and_the_silent_are_named(void **state)
{
    const struct bus_node nodes[] = {{SV("node-one")}, {SV("node-two")}, {SV("node-six")}};
    (void)state;
    collect_asked(&c, nodes, 3);
    assert_true(collect_answered(&c, SV("node-two")));
    assert_false(collect_answered(&c, SV("node-two")));
    assert_true(collect_answered(&c, SV("unknown")));
    assert_true(collect_answered(&c, SV("")));
    assert_true(collect_answered(&c, SV("")));
    struct answers a = collect_tell(&c, 3);
    assert_int_equal(a.nsilent, 2);
    assert_true(sv_eq(a.silent[0], SV("node-one")));
    assert_true(sv_eq(a.silent[1], SV("node-six")));
    assert_int_equal(a.nunnamed, 1);
}

/* Redis may say that fewer are missing than seem to be silent: no more are named. */
static void no_more_are_named_than_are_missing(void **state)
{
    const struct bus_node nodes[] = {{SV("node-one")}, {SV("node-two")}};
    (void)state;
    collect_asked(&c, nodes, 2);
    struct answers a = collect_tell(&c, 1);
    assert_int_equal(a.nsilent, 1);
    assert_int_equal(a.nunnamed, 0);
}

static void a_flood_is_bounded_and_noted(void **state)
{
    (void)state;
    size_t size = 16u << 20;
    char *big = x_calloc(1, size);
    struct str_view binary[] = {sv_make(big, size)};
    for (int i = 0; i < 4; i++)
        collect_part(&c, SV("1"), binary, 1);
    assert_true(c.is_lossy);
    assert_in_range(c.nparts, 1, 3);
    assert_true(c.bytes.n <= 64u << 20);
    struct answers a = collect_tell(&c, 0);
    assert_int_equal(a.binary[a.nparts - 1].v[0].n, size);
    x_free(big);
}

static void a_flood_of_small_parts_is_bounded_too(void **state)
{
    (void)state;
    for (int i = 0; i < 1000100; i++)
        collect_part(&c, SV("1"), NULL, 0);
    assert_true(c.is_lossy);
    assert_int_equal(c.nparts, 1000000);
    char name[16];
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(name, sizeof(name), "n%d", i);
        assert_true(collect_answered(&c, sv_make(name, (size_t)n)));
    }
    assert_int_equal(c.nanswered, 4096);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_keep_their_attachments),
        TEST(nothing_collected_is_told_as_nothing),
        TEST(a_node_answers_once_and_the_silent_are_named),
        TEST(no_more_are_named_than_are_missing),
        TEST(a_flood_is_bounded_and_noted),
        TEST(a_flood_of_small_parts_is_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
