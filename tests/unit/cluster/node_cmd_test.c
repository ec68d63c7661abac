/* Commands to a node: each as its bytes and back, cut anywhere, and everything that must be refused. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Cluster */
#include "cluster/node_cmd.h"
/* Tests */
#include "unit/hex.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct str_view rooms[] = {{"a", 1}, {"r\xc3\xb6m", 4}};
static const struct str_view binary[] = {{"\0\1", 2}, {"", 0}};

#define SOCKET .nsp = {"/", 1}, .sid = {"s1", 2}, .serial = 300
#define JSON(text) .json = {text, sizeof(text) - 1}

static const struct {
    const char *hex;
    struct node_cmd cmd;
} all[] = {
    {"97 00 a12f a27331 cd012c 07 a35b315d 90",
     {.type = NODE_ACK, SOCKET, .ack_id = 7, JSON("[1]")}},
    {"97 00 a12f a27331 cd012c cf0100000000000000 bf"
     "5b7b225f706c616365686f6c646572223a747275652c226e756d223a317d5d 92 c4020001 c400",
     {.type = NODE_ACK,
      SOCKET,
      .ack_id = 1ull << 56,
      JSON("[{\"_placeholder\":true,\"num\":1}]"),
      .attachments = binary,
      .nattachments = 2}},
    {"95 01 a12f a27331 cd012c 92 a161 a472c3b66d",
     {.type = NODE_JOIN, SOCKET, .rooms = rooms, .nrooms = 2}},
    {"95 01 a12f a27331 cd012c 90", {.type = NODE_JOIN, SOCKET}},
    {"95 02 a12f a27331 cd012c 91 a161", {.type = NODE_LEAVE, SOCKET, .rooms = rooms, .nrooms = 1}},
    {"95 03 a12f a27331 cd012c c3", {.type = NODE_DISCONNECT, SOCKET, .close = true}},
    {"95 03 a12f a27331 cd012c c2", {.type = NODE_DISCONNECT, SOCKET}},
    {"95 04 a12f a27331 cd012c a46e756c6c", {.type = NODE_DATA, SOCKET, JSON("null")}},
    {"94 05 a12f a27331 cd012c", {.type = NODE_ADMIT, SOCKET}},
    {"95 06 a12f a27331 cd012c ad7b226d657373616765223a317d",
     {.type = NODE_REFUSE, SOCKET, JSON("{\"message\":1}")}},
    {"93 07 a477726b31 cfffffffffffffffff",
     {.type = NODE_SYNC, .from = {"wrk1", 4}, .token = UINT64_MAX}},
    {"92 08 00", {.type = NODE_SYNCED}},
};

static void assert_list(const struct str_view *a, unsigned na, const struct str_view *b,
                        unsigned nb)
{
    assert_int_equal(na, nb);
    for (unsigned i = 0; i < na; i++)
        assert_true(sv_eq(a[i], b[i]));
}

static void assert_same(const struct node_cmd *a, const struct node_cmd *b)
{
    assert_int_equal(a->type, b->type);
    assert_true(sv_eq(a->nsp, b->nsp) && sv_eq(a->sid, b->sid) && sv_eq(a->from, b->from));
    assert_true(sv_eq(a->json, b->json));
    assert_true(a->serial == b->serial && a->ack_id == b->ack_id && a->token == b->token);
    assert_int_equal(a->close, b->close);
    assert_list(a->rooms, a->nrooms, b->rooms, b->nrooms);
    assert_list(a->attachments, a->nattachments, b->attachments, b->nattachments);
}

static void each_command_is_its_bytes_and_back(void **state)
{
    struct node_cmd_space space;
    (void)state;
    for (size_t i = 0; i < COUNT(all); i++) {
        struct str_view want = unhex(all[i].hex), rest = want;
        struct node_cmd c;
        struct buf out;
        const char *why = "untouched";
        buf_init(&out, want.n);
        assert_true(node_cmd_encode(&out, &all[i].cmd));
        if (!sv_eq(buf_view(&out), want)) {
            char *hex = hex_of(buf_view(&out));
            fail_msg("%s, not %s", hex, all[i].hex);
        }
        assert_true(node_cmd_next(&rest, &c, &space, &why));
        assert_null(why);
        assert_int_equal(rest.n, 0);
        assert_same(&c, &all[i].cmd);
        assert_false(node_cmd_next(&rest, &c, &space, &why));
        assert_null(why);
        buf_fini(&out);
        unhex_free(want);
    }
}

static void what_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(all); i++) {
        struct str_view want = unhex(all[i].hex);
        for (size_t max = 0; max < want.n; max++) {
            struct buf out;
            buf_init(&out, max + 1);
            assert_true(buf_add_char(&out, 'x'));
            assert_false(node_cmd_encode(&out, &all[i].cmd));
            assert_int_equal(out.n, 1);
            buf_fini(&out);
        }
        unhex_free(want);
    }
}

static void many_in_one_message_in_their_order(void **state)
{
    struct node_cmd_space space;
    struct node_cmd c;
    struct buf out;
    const char *why;
    (void)state;
    buf_init(&out, 4096);
    for (size_t i = 0; i < COUNT(all); i++)
        assert_true(node_cmd_encode(&out, &all[i].cmd));
    struct str_view rest = buf_view(&out);
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_true(node_cmd_next(&rest, &c, &space, &why));
        assert_same(&c, &all[i].cmd);
    }
    assert_int_equal(rest.n, 0);
    /* What is before the malformed one counts. */
    assert_true(buf_add_char(&out, '\x90'));
    rest = buf_view(&out);
    size_t n = 0;
    while (node_cmd_next(&rest, &c, &space, &why))
        n++;
    assert_int_equal(n, COUNT(all));
    assert_non_null(why);
    buf_fini(&out);
}

static void cut_anywhere_it_is_malformed(void **state)
{
    struct node_cmd_space space;
    (void)state;
    for (size_t i = 0; i < COUNT(all); i++) {
        struct str_view whole = unhex(all[i].hex);
        for (size_t n = 1; n < whole.n; n++) {
            char *bytes = x_malloc(n);
            memcpy(bytes, whole.p, n);
            struct str_view cut = sv_make(bytes, n);
            struct node_cmd c;
            const char *why = NULL;
            assert_false(node_cmd_next(&cut, &c, &space, &why));
            assert_string_equal(why, "malformed MessagePack");
            assert_int_equal(cut.n, n);
            x_free(bytes);
        }
        unhex_free(whole);
    }
}

static const struct {
    const char *hex, *why;
} refused[] = {
    {"c0", "another kind of value expected"},
    {"90", "malformed MessagePack"},
    {"91 a0", "another kind of value expected"},
    {"91 ff", "another kind of value expected"},
    {"92 09 00", "a command of a type that is not known"},
    {"91 cfffffffffffffffff", "a command of a type that is not known"},
    {"91 08", "a command with another number of elements"},
    {"93 08 00 00", "a command with another number of elements"},
    {"95 05 a12f a173 01 c0", "a command with another number of elements"},
    {"94 05 a0 a173 01", "a name is empty"},
    {"94 05 a12f a0 01", "a name is empty"},
    {"94 05 c4012f a173 01", "another kind of value expected"},
    {"94 05 a12f a173 ff", "another kind of value expected"},
    {"94 05 a12f a1ff 01", "not UTF-8"},
    {"94 05 a1c0 a173 01", "not UTF-8"},
    {"95 01 a12f a173 01 a161", "another kind of value expected"},
    {"95 01 a12f a173 01 91 01", "another kind of value expected"},
    {"95 01 a12f a173 01 91 a2c080", "not UTF-8"},
    {"95 02 a12f a173 01 91 c0", "another kind of value expected"},
    {"95 03 a12f a173 01 01", "another kind of value expected"},
    {"95 04 a12f a173 01 a0", "unexpected end of JSON"},
    {"95 04 a12f a173 01 a17b", "unexpected end of JSON"},
    {"95 04 a12f a173 01 a322ff22", "not UTF-8"},
    {"95 06 a12f a173 01 a25b5d", "another kind of JSON expected"},
    {"97 00 a12f a173 01 01 a27b7d 90", "another kind of JSON expected"},
    {"97 00 a12f a173 01 01 a25b5d 91 a161", "another kind of value expected"},
    {"97 00 a12f a173 01 ff a25b5d 90", "another kind of value expected"},
    {"97 00 a12f a173 01 01 bf"
     "5b7b225f706c616365686f6c646572223a747275652c226e756d223a317d5d 91 c400",
     "illegal attachments"},
    {"93 07 a0 01", "a name is empty"},
    {"93 07 a161 c3", "another kind of value expected"},
    {"92 08 a161", "another kind of value expected"},
    {"92 08 ca00000000", "another kind of value expected"},
};

static void everything_else_is_refused(void **state)
{
    struct node_cmd_space space;
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct str_view bytes = unhex(refused[i].hex), rest = bytes;
        struct node_cmd c;
        const char *why = NULL;
        assert_false(node_cmd_next(&rest, &c, &space, &why));
        if (!why || !strstr(why, refused[i].why))
            fail_msg("%s: %s, not %s", refused[i].hex, why ? why : "nothing", refused[i].why);
        unhex_free(bytes);
    }
}

static bool next(struct buf *bytes, const char **why)
{
    struct node_cmd_space *space = x_malloc(sizeof(*space)); /* for the sanitizer */
    struct str_view rest = buf_view(bytes);
    struct node_cmd c;
    bool ok = node_cmd_next(&rest, &c, space, why);
    x_free(space);
    return ok;
}

static void lists_are_bounded_on_both_sides(void **state)
{
    struct str_view many[NODE_CMD_ROOMS_MAX + 1];
    struct node_cmd join = {.type = NODE_JOIN, SOCKET, .rooms = many},
                    ack = {.type = NODE_ACK, SOCKET, JSON("[]"), .attachments = many};
    struct buf out;
    const char *why;
    (void)state;
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = SV("r");
    buf_init(&out, 65536);
    join.nrooms = NODE_CMD_ROOMS_MAX;
    assert_true(node_cmd_encode(&out, &join));
    assert_true(next(&out, &why));
    /* One more, by hand: an array of 256 is dc0100. */
    char *at = memchr(out.p, '\xdc', out.n);
    at[2] = 1;
    assert_true(buf_add_sv(&out, SV("\xa1r")));
    assert_false(next(&out, &why));
    assert_string_equal(why, "too many in a list");
    buf_clear(&out);
    ack.nattachments = NODE_CMD_ATTACHMENTS_MAX;
    assert_true(node_cmd_encode(&out, &ack));
    assert_true(next(&out, &why));
    join.nrooms++;
    ack.nattachments++;
    size_t before = out.n;
    assert_false(node_cmd_encode(&out, &join));
    assert_false(node_cmd_encode(&out, &ack));
    assert_int_equal(out.n, before);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_is_its_bytes_and_back),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
        cmocka_unit_test(many_in_one_message_in_their_order),
        cmocka_unit_test(cut_anywhere_it_is_malformed),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(lists_are_bounded_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
