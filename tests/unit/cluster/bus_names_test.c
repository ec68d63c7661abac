/* Names of channels and keys, patterns, and reading a room back from a channel. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Cluster */
#include "cluster/bus_names.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct buf out;

static void assert_out(bool ok, const char *want)
{
    assert_true(ok);
    assert_string_equal(buf_cstr(&out), want);
    buf_clear(&out);
}

static void names_are_those_of_the_wire(void **state)
{
    struct str_view key = SV("socket.io"), root = SV("/"), admin = SV("/admin");
    (void)state;
    assert_out(bus_name_broadcast(&out, key, root, SV("")), "socket.io#/#");
    assert_out(bus_name_broadcast(&out, key, admin, SV("room1")), "socket.io#/admin#room1#");
    assert_out(bus_name_request(&out, key, root), "socket.io-request#/#");
    assert_out(bus_name_response(&out, key, root, SV("")), "socket.io-response#/#");
    assert_out(bus_name_response(&out, key, admin, SV("Ab12Cd")),
               "socket.io-response#/admin#Ab12Cd#");
    assert_out(bus_name_canary(&out, key, SV("n1")), "socket.io-peal-canary#n1");
    assert_out(bus_name_nodes(&out, key), "socket.io-peal-nodes");
    assert_out(bus_name_node(&out, key, SV("n1")), "socket.io-peal-node#n1");
}

static void names_of_the_way_to_workers(void **state)
{
    struct str_view key = SV("socket.io");
    (void)state;
    assert_out(bus_name_work(&out, key, 0), "socket.io-peal-work#{0}");
    assert_out(bus_name_lease(&out, key, 15), "socket.io-peal-lease#{15}");
    assert_out(bus_name_tries(&out, key, 255), "socket.io-peal-tries#{255}");
    assert_out(bus_name_held(&out, key, 0), "socket.io-peal-held#{0}");
    assert_out(bus_name_dead(&out, key), "socket.io-peal-dead");
    assert_out(bus_name_workers(&out, key), "socket.io-peal-workers");
    assert_out(bus_name_partitions(&out, key), "socket.io-peal-partitions");
    assert_out(bus_name_sockets(&out, key, SV("n1")), "socket.io-peal-sockets#n1");
}

static void the_pattern_of_sockets_takes_the_key_as_it_is(void **state)
{
    (void)state;
    assert_out(bus_name_all_sockets(&out, SV("my[app]*?\\")),
               "my\\[app\\]\\*\\?\\\\-peal-sockets#*");
}

static void patterns_take_names_as_they_are(void **state)
{
    (void)state;
    assert_out(bus_name_everything(&out, SV("socket.io"), SV("/")), "socket.io#/#*");
    assert_out(bus_name_everything(&out, SV("k*"), SV("/a?[b]\\c*")),
               "k\\*#/a\\?\\[b\\]\\\\c\\*#*");
    assert_out(bus_name_own_ids(&out, SV("socket.io"), SV("ab12CD_-")), "socket.io#*#ab12CD_-*");
    assert_out(bus_name_own_ids(&out, SV("k?"), SV("*")), "k\\?#*#\\**");
}

static void names_add_to_what_is_there(void **state)
{
    (void)state;
    assert_true(buf_add_sv(&out, SV("PUBLISH ")));
    assert_out(bus_name_nodes(&out, SV("k")), "PUBLISH k-peal-nodes");
}

static void too_long_a_name_is_none(void **state)
{
    char room[BUS_NAME_MAX + 1];
    struct buf small;
    (void)state;
    memset(room, '*', sizeof(room));
    assert_true(buf_add_char(&out, 'x'));
    assert_true(bus_name_broadcast(&out, SV("k"), SV("/"), sv_make(room, BUS_NAME_MAX - 5)));
    assert_int_equal(out.n, 1 + BUS_NAME_MAX);
    out.n = 1;
    assert_false(bus_name_broadcast(&out, SV("k"), SV("/"), sv_make(room, BUS_NAME_MAX - 4)));
    assert_false(bus_name_everything(&out, SV("k"), sv_make(room, sizeof(room))));
    assert_false(bus_name_own_ids(&out, SV("k"), sv_make(room, BUS_NAME_MAX / 2)));
    assert_false(bus_name_own_ids(&out, sv_make(room, sizeof(room)), SV("n")));
    assert_int_equal(out.n, 1);
    buf_clear(&out);
    buf_init(&small, 12);
    assert_false(bus_name_request(&small, SV("socket.io"), SV("/")));
    assert_int_equal(small.n, 0);
    buf_fini(&small);
}

static void a_room_is_read_from_a_channel(void **state)
{
    static const struct {
        struct str_view channel, nsp;
        const char *room; /* NULL: not one of the namespace */
    } cases[] = {
        {{"socket.io#/#", 12}, {"/", 1}, ""},
        {{"socket.io#/#r#", 14}, {"/", 1}, "r"},
        {{"socket.io#/#a#b#", 16}, {"/", 1}, "a#b"},
        {{"socket.io#/##", 13}, {"/", 1}, ""},
        {{"socket.io#/#r", 13}, {"/", 1}, NULL},
        {{"socket.io#/admin#r#", 19}, {"/", 1}, NULL},
        {{"socket.io#/admin#r#", 19}, {"/admin", 6}, "r"},
        {{"socket.io#/adm", 14}, {"/admin", 6}, NULL},
        {{"socket.io#/", 11}, {"/", 1}, NULL},
        {{"socket.io", 9}, {"/", 1}, NULL},
        {{"socket.io-request#/#", 20}, {"/", 1}, NULL},
        {{"other#/#", 8}, {"/", 1}, NULL},
        {{"", 0}, {"/", 1}, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str_view room = SV("untouched");
        bool ok = bus_name_room_of(cases[i].channel, SV("socket.io"), cases[i].nsp, &room);
        assert_int_equal(ok, cases[i].room != NULL);
        assert_true(sv_eq(room, cases[i].room ? sv_of(cases[i].room) : SV("untouched")));
    }
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&out, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_wire),
        cmocka_unit_test(names_of_the_way_to_workers),
        cmocka_unit_test(the_pattern_of_sockets_takes_the_key_as_it_is),
        cmocka_unit_test(patterns_take_names_as_they_are),
        cmocka_unit_test(names_add_to_what_is_there),
        cmocka_unit_test(too_long_a_name_is_none),
        cmocka_unit_test(a_room_is_read_from_a_channel),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
