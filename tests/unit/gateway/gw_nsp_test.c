/* Rooms: two indexes that agree whatever the order of joining and leaving, against a table of who
 * is where. And which namespaces there are, and when they go. */
/* System */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* Third party */
#include <cmocka.h>
/* Gateway */
#include "gateway/gw_nsp.h"
#include "gateway/gw_socket.h"

#define SOCKETS 40
#define ROOMS 25
#define MAX_ROOMS 12
#define STEPS 40000

/* --- a gateway of which only the rooms are real, and a bus that keeps count of what it is told */

static struct {
    struct cfg cfg;
    struct gateway gw;
    struct gw_conn conn;
    struct gw_nsp *nsp;
    struct gw_socket sockets[SOCKETS];
    bool in[SOCKETS][ROOMS]; /* the model */
    uint64_t seed;
    struct bus bus;
    int namespaces, rooms; /* entered and joined on the bus */
} t;

static void on_enter(struct bus *b, struct str_view nsp)
{
    assert_true(b == &t.bus && nsp.n);
    t.namespaces++;
}

static void on_exit_nsp(struct bus *b, struct str_view nsp)
{
    assert_true(b == &t.bus && nsp.n);
    t.namespaces--;
}

static void on_join(struct bus *b, struct str_view nsp, struct str_view room)
{
    assert_true(b == &t.bus && nsp.n && room.n);
    t.rooms++;
}

static void on_leave(struct bus *b, struct str_view nsp, struct str_view room)
{
    assert_true(b == &t.bus && nsp.n && room.n);
    t.rooms--;
}

static uint32_t draw(uint32_t below)
{
    t.seed = t.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(t.seed >> 33) % below;
}

static int begin(void **state)
{
    static const struct bus_ops bus_ops = {
        .enter = on_enter, .exit = on_exit_nsp, .join = on_join, .leave = on_leave};
    struct cfg_error err = {""};
    (void)state;
    memset(&t, 0, sizeof(t));
    cfg_init(&t.cfg);
    if (!cfg_set(&t.cfg, "socketio.namespaces=/,/room-*", &err)) fail_msg("%s", err.text);
    t.cfg.socketio_max_rooms = MAX_ROOMS;
    t.gw.cfg = &t.cfg;
    t.gw.bus = &t.bus;
    t.bus.ops = &bus_ops;
    t.conn.gw = &t.gw;
    t.nsp = gw_nsp_get(&t.gw, SV("/"));
    assert_non_null(t.nsp);
    gw_nsp_hold(t.nsp);
    for (unsigned i = 0; i < SOCKETS; i++) {
        t.sockets[i].nsp = t.nsp;
        t.sockets[i].conn = &t.conn;
        gw_room_none(&t.sockets[i]);
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOCKETS; i++)
        gw_room_leave_all(&t.sockets[i]);
    gw_nsp_rele(t.nsp);
    assert_int_equal(t.namespaces, 0);
    assert_int_equal(t.rooms, 0);
    cfg_fini(&t.cfg);
    return 0;
}

/* The first rooms' names are prefixes of others', one is as long as is allowed. */
static struct str_view name_of(unsigned room)
{
    static char text[GW_ROOM_MAX + 1];
    if (room == 0) {
        memset(text, 'x', GW_ROOM_MAX);
        return sv_make(text, GW_ROOM_MAX);
    }
    snprintf(text, sizeof(text), "room%u", room * 7);
    return sv_of(text);
}

static unsigned rooms_of(unsigned socket)
{
    unsigned n = 0;
    for (unsigned r = 0; r < ROOMS; r++)
        n += t.in[socket][r];
    return n;
}

/* --- both indexes say what the model says */

static void check_room(unsigned room)
{
    struct gw_room *r = gw_nsp_room(t.nsp, name_of(room));
    unsigned n = 0;
    for (unsigned s = 0; s < SOCKETS; s++) {
        n += t.in[s][room];
        if (r) assert_int_equal(gw_room_has(r, &t.sockets[s]), t.in[s][room]);
    }
    assert_int_equal(r != NULL, n > 0); /* an empty room is gone */
    if (!r) return;
    assert_int_equal(r->n, n);
    for (unsigned i = 0; i < r->n; i++) {
        const struct gw_member *m = &r->members[i];
        assert_true(t.in[m->socket - t.sockets][room]);
        assert_true(m->slot < m->socket->nrooms);
        assert_ptr_equal(m->socket->rooms[m->slot].room, r);
        assert_int_equal(m->socket->rooms[m->slot].index, i);
    }
}

static void check_all(void)
{
    unsigned live = 0;
    for (unsigned r = 0; r < ROOMS; r++) {
        check_room(r);
        live += gw_nsp_room(t.nsp, name_of(r)) != NULL;
    }
    assert_int_equal(HASH_COUNT(t.nsp->rooms), live);
    for (unsigned s = 0; s < SOCKETS; s++)
        assert_int_equal(t.sockets[s].nrooms, rooms_of(s));
}

static void step(void)
{
    unsigned s = draw(SOCKETS), r = draw(2) ? draw(3) : draw(ROOMS);
    uint32_t what = draw(100);
    if (what < 55) {
        bool fits = t.in[s][r] || rooms_of(s) < MAX_ROOMS;
        assert_int_equal(gw_room_join(&t.sockets[s], name_of(r)), fits);
        t.in[s][r] |= fits;
    } else if (what < 97) {
        gw_room_leave(&t.sockets[s], name_of(r));
        t.in[s][r] = false;
    } else {
        gw_room_leave_all(&t.sockets[s]);
        memset(t.in[s], 0, sizeof(t.in[s]));
    }
    check_room(r);
}

static void indexes_agree_with_the_model(void **state)
{
    const char *given = getenv("PEAL_TEST_SEED");
    (void)state;
    t.seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("PEAL_TEST_SEED=%" PRIu64 "\n", t.seed);
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        if (i % 50 == 0) check_all();
    }
    for (unsigned s = 0; s < SOCKETS; s++) {
        gw_room_leave_all(&t.sockets[s]);
        memset(t.in[s], 0, sizeof(t.in[s]));
        check_all();
    }
    assert_null(t.nsp->rooms);
}

static void rooms_of_one_socket_are_bounded(void **state)
{
    struct gw_socket *s = &t.sockets[0];
    (void)state;
    for (unsigned r = 0; r < MAX_ROOMS; r++)
        assert_true(gw_room_join(s, name_of(r)));
    assert_false(gw_room_join(s, name_of(MAX_ROOMS)));
    assert_null(gw_nsp_room(t.nsp, name_of(MAX_ROOMS))); /* nor was it made */
    assert_true(gw_room_join(s, name_of(3)));            /* it is in there already */
    gw_room_leave(s, name_of(3));
    assert_true(gw_room_join(s, name_of(MAX_ROOMS)));
}

static void names_of_rooms_are_bounded(void **state)
{
    static char longest[GW_ROOM_MAX + 1];
    (void)state;
    memset(longest, 'r', sizeof(longest));
    const struct {
        struct str_view name;
        bool good;
    } cases[] = {
        {SV("a"), true},
        {SV("user:zo\xc3\xab"), true},
        {SV(" "), true},
        {sv_make(longest, GW_ROOM_MAX), true},
        {sv_make(longest, GW_ROOM_MAX + 1), false},
        {SV(""), false},
        {SV("a\nb"), false},
        {SV("a\0b"), false},
        {SV("\x7f"), false},
        {SV("\x1e"), false},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(gw_room_name_is_valid(cases[i].name), cases[i].good);
        assert_int_equal(gw_room_join(&t.sockets[1], cases[i].name), cases[i].good);
        gw_room_leave(&t.sockets[1], cases[i].name);
    }
    assert_null(t.nsp->rooms);
}

/* --- namespaces */

static void namespaces_are_those_of_the_configuration(void **state)
{
    static char longest[GW_NSP_MAX + 1];
    (void)state;
    memset(longest, 'n', sizeof(longest));
    memcpy(longest, "/room-", 6);
    assert_ptr_equal(gw_nsp_get(&t.gw, SV("/")), t.nsp);
    assert_null(gw_nsp_get(&t.gw, SV("/other")));
    assert_null(gw_nsp_get(&t.gw, SV("")));
    assert_null(gw_nsp_get(&t.gw, SV("/room")));
    assert_null(gw_nsp_get(&t.gw, sv_make(longest, GW_NSP_MAX + 1)));
    assert_null(gw_nsp_find(&t.gw, SV("/room-1")));
    struct gw_nsp *n = gw_nsp_get(&t.gw, sv_make(longest, GW_NSP_MAX));
    assert_non_null(n);
    gw_nsp_hold(n);
    gw_nsp_rele(n);
}

static void namespace_goes_with_its_last_holder(void **state)
{
    (void)state;
    struct gw_nsp *n = gw_nsp_get(&t.gw, SV("/room-1"));
    assert_non_null(n);
    gw_nsp_hold(n);
    gw_nsp_hold(n);
    assert_ptr_equal(gw_nsp_get(&t.gw, SV("/room-1")), n);
    gw_nsp_rele(n);
    assert_ptr_equal(gw_nsp_find(&t.gw, SV("/room-1")), n);
    gw_nsp_rele(n);
    assert_null(gw_nsp_find(&t.gw, SV("/room-1")));
    assert_int_equal(HASH_COUNT(t.gw.nsps), 1);
    assert_int_equal(t.namespaces, 1);
}

static void the_bus_is_told_of_rooms_with_members(void **state)
{
    (void)state;
    assert_true(gw_room_join(&t.sockets[0], SV("a")));
    assert_true(gw_room_join(&t.sockets[1], SV("a")));
    assert_true(gw_room_join(&t.sockets[1], SV("a")));
    assert_int_equal(t.rooms, 1);
    assert_true(gw_room_join(&t.sockets[0], SV("b")));
    assert_int_equal(t.rooms, 2);
    gw_room_leave(&t.sockets[0], SV("a"));
    assert_int_equal(t.rooms, 2);
    gw_room_leave(&t.sockets[1], SV("a"));
    assert_int_equal(t.rooms, 1);
    assert_int_equal(t.gw.nrooms, 1);
}

static void walk_list_stays_packed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOCKETS; i++)
        gw_nsp_add(t.nsp, &t.sockets[i]);
    t.seed = 1;
    for (unsigned left = SOCKETS; left; left--) {
        assert_int_equal(t.nsp->n, left);
        for (unsigned i = 0; i < left; i++)
            assert_int_equal(t.nsp->sockets[i]->index, i);
        struct gw_socket *gone = t.nsp->sockets[draw(left)];
        gw_nsp_remove(t.nsp, gone);
        for (unsigned i = 0; i < t.nsp->n; i++)
            assert_ptr_not_equal(t.nsp->sockets[i], gone);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_bus_is_told_of_rooms_with_members),
        TEST(indexes_agree_with_the_model),
        TEST(rooms_of_one_socket_are_bounded),
        TEST(names_of_rooms_are_bounded),
        TEST(namespaces_are_those_of_the_configuration),
        TEST(namespace_goes_with_its_last_holder),
        TEST(walk_list_stays_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
