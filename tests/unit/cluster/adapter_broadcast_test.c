/* Broadcasts: byte for byte what @socket.io/redis-adapter 8.3 and redis-emitter 5.1 write (the
 * vectors were taken from them), what foreign emitters write instead, and what must be refused. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Cluster */
#include "cluster/adapter_msg.h"
/* Tests */
#include "unit/hex.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_LIST 4

static const struct adapter_limits limits = {
    .max_bytes = 4096, .max_depth = 8, .max_names = 3, .max_attachments = 2};

struct list {
    struct str_view v[MAX_LIST];
    unsigned n;
};

static void assert_list(const struct str_view *v, unsigned n, const struct list *want)
{
    assert_int_equal(n, want->n);
    for (unsigned i = 0; i < n; i++)
        assert_true(sv_eq(v[i], want->v[i]));
}

static void assert_text(struct str_view got, struct str_view want)
{
    if (!sv_eq(got, want)) print_error("%.*s\n", SV_ARG(got));
    assert_true(sv_eq(got, want));
}

static struct adapter_decoder *decoder(void)
{
    static struct adapter_decoder *d;
    if (!d) d = adapter_decoder_new(&limits);
    return d;
}

struct vector {
    const char *hex;
    struct str_view uid, nsp, json;
    struct list rooms, except, attachments;
    unsigned flags;
};

/* Both ways. */
static const struct vector written_by_node[] = {
    {.hex = "93a641623132436483a47479706502a46461746192a568656c6c6f01a36e7370a12f83a5726f6f6d7391a5"
            "726f6f6d31a665786365707490a5666c61677380",
     .uid = B("Ab12Cd"),
     .nsp = B("/"),
     .json = B("[\"hello\",1]"),
     .rooms = {{B("room1")}, 1}},
    {.hex = "93a641623132436483a47479706502a4646174619107a36e7370a12f83a5726f6f6d7390a6657863657074"
            "90a5666c61677380",
     .uid = B("Ab12Cd"),
     .nsp = B("/"),
     .json = B("[7]")},
    {.hex = "93a641623132436483a47479706502a46461746193a3626967dc0011000102030405060708090a0b"
            "0c0d0e0f10d928787878787878787878787878787878787878787878787878787878787878787878"
            "78787878787878a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380",
     .uid = B("Ab12Cd"),
     .nsp = B("/"),
     .json = B("[\"big\",[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"
               "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]")},
    {.hex =
         "93a641623132436483a47479706502a46461746197a165c0c3ffcb3ff8000000000000a9c3a4e282acf09f"
         "9880c4020102a36e7370a62f61646d696e83a5726f6f6d7392a161a162a665786365707491a163a5666c6167"
         "7381a8766f6c6174696c65c3",
     .uid = B("Ab12Cd"),
     .nsp = B("/admin"),
     .json = B("[\"e\",null,true,-1,1.5,\"ä€😀\",{\"_placeholder\":true,\"num\":0}]"),
     .rooms = {{B("a"), B("b")}, 2},
     .except = {{B("c")}, 1},
     .attachments = {{B("\1\2")}, 1},
     .flags = BUS_VOLATILE},
};

/* One way: what others write. */
static const struct vector foreign[] = {
    /* redis-emitter 5.1: the keys of opts in another order */
    {.hex = "93a7656d697474657283a47479706502a46461746192a178c401ffa36e7370a12f83a5726f6f6d7391a172"
            "a5666c61677381a8766f6c6174696c65c3a665786365707490",
     .uid = B("emitter"),
     .nsp = B("/"),
     .json = B("[\"x\",{\"_placeholder\":true,\"num\":0}]"),
     .rooms = {{B("r")}, 1},
     .attachments = {{B("\xff")}, 1},
     .flags = BUS_VOLATILE},
    /* a date, as Node writes it */
    {.hex = "93a641623132436483a47479706502a46461746192a16581a164d6ff6553f100a36e7370a12f83a5726f6f"
            "6d7390a665786365707490a5666c61677380",
     .uid = B("Ab12Cd"),
     .nsp = B("/"),
     .json = B("[\"e\",{\"d\":\"2023-11-14T22:13:20.000Z\"}]")},
    /* no uid, no nsp, no except, no flags, rooms nil */
    {.hex = "92 82 a474797065 02 a464617461 91a165 81 a5726f6f6d73 c0",
     .uid = B(""),
     .nsp = B("/"),
     .json = B("[\"e\"]")},
    /* uid nil, opts nil, and something behind */
    {.hex = "94 c0 82 a474797065 02 a464617461 91a165 c0 01",
     .uid = B(""),
     .nsp = B("/"),
     .json = B("[\"e\"]")},
    /* type 5, numeric rooms, unknown keys and flags */
    {.hex = "93 a165 84 a474797065 05 a464617461 91a165 a36e7370 a12f a2696490"
            "83 a5726f6f6d73 93 07 e0 cb4014000000000000 a5666c616773 82 a8766f6c6174696c65 c2"
            " a8636f6d7072657373 c3 a178 81a179 90",
     .uid = B("e"),
     .nsp = B("/"),
     .json = B("[\"e\"]"),
     .rooms = {{B("7"), B("-32"), B("5")}, 3}},
    /* one kind of string only: bin */
    {.hex = "93 c40165 83 c40474797065 05 c40464617461 91c40165 c4036e7370 c4022f61"
            "81 c405726f6f6d73 91 c40172",
     .uid = B("e"),
     .nsp = B("/a"),
     .json = B("[\"e\"]"),
     .rooms = {{B("r")}, 1}},
    /* str 8, array 16 and map 32 where short forms would do; float32 */
    {.hex = "dc0003 d90165 df00000002 a474797065 02 a464617461 dc0002 d90165 ca3fc00000 80",
     .uid = B("e"),
     .nsp = B("/"),
     .json = B("[\"e\",1.5]")},
    /* a text that is not UTF-8 */
    {.hex = "93 a165 82 a474797065 02 a464617461 92 a165 a3 61ff22 80",
     .uid = B("e"),
     .nsp = B("/"),
     .json = B("[\"e\",\"a\xef\xbf\xbd\\\"\"]")},
    /* a plain object that looks like a placeholder, in a message without binary */
    {.hex = "93 a165 82 a474797065 02 a464617461 92 a165 82 ac5f706c616365686f6c646572 c3 a36e756d"
            "05 80",
     .uid = B("e"),
     .nsp = B("/"),
     .json = B("[\"e\",{\"_placeholder\":true,\"num\":5}]")},
    /* the text as Peal had it: a big integer, and one attachment that is used twice */
    {.hex = "93 a165 82 a474797065 02 a464617461 94 a165 cb4480f0cf064dd592 c40141 c40141"
            "81 a47065616c 82 a46a736f6e d95f"
            "5b2265222c31303030303030303030303030303030303030303030312c7b225f706c616365686f6c"
            "646572223a747275652c226e756d223a317d2c7b225f706c616365686f6c646572223a747275652c"
            "226e756d223a317d5d202020202020 a462696e73 92 c0 00",
     .uid = B("e"),
     .nsp = B("/"),
     .json = B("[\"e\",10000000000000000000001,{\"_placeholder\":true,\"num\":1},"
               "{\"_placeholder\":true,\"num\":1}]      "),
     .attachments = {{B(""), B("A")}, 2}},
};

static void decode_vector(const struct vector *v)
{
    struct str_view bytes = unhex(v->hex), uid;
    struct bus_msg m;
    const char *why;
    enum verdict verdict = adapter_decode_broadcast(decoder(), bytes, v->nsp, &m, &uid, &why);
    if (verdict != VERDICT_OK) print_error("%s\n", why);
    assert_int_equal(verdict, VERDICT_OK);
    assert_string_equal(why, "");
    assert_text(uid, v->uid);
    assert_text(m.nsp, v->nsp);
    assert_text(m.json, v->json);
    assert_int_equal(m.flags, v->flags);
    assert_list(m.rooms, m.nrooms, &v->rooms);
    assert_list(m.except, m.nexcept, &v->except);
    assert_list(m.attachments, m.nattachments, &v->attachments);
    unhex_free(bytes);
}

static struct bus_msg msg_of(const struct vector *v, struct list *rooms, struct list *except,
                             struct list *attachments)
{
    *rooms = v->rooms;
    *except = v->except;
    *attachments = v->attachments;
    return (struct bus_msg){
        .nsp = v->nsp,
        .json = v->json,
        .flags = v->flags,
        .rooms = rooms->v,
        .nrooms = rooms->n,
        .except = except->v,
        .nexcept = except->n,
        .attachments = attachments->v,
        .nattachments = attachments->n,
    };
}

static void what_node_writes_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(written_by_node); i++)
        decode_vector(&written_by_node[i]);
}

static void what_we_write_is_what_node_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(written_by_node); i++) {
        struct list rooms, except, attachments;
        struct bus_msg m = msg_of(&written_by_node[i], &rooms, &except, &attachments);
        struct buf out;
        buf_init(&out, 4096);
        assert_true(buf_add_char(&out, 'x'));
        assert_true(adapter_encode_broadcast(&out, written_by_node[i].uid, &m));
        char *hex = hex_of(sv_skip(buf_view(&out), 1));
        assert_string_equal(hex, written_by_node[i].hex);
        x_free(hex);
        buf_fini(&out);
    }
}

/* A buffer that is too small by however much is left as it was. */
static void what_does_not_fit_leaves_nothing(void **state)
{
    struct list rooms, except, attachments;
    struct bus_msg m = msg_of(&written_by_node[3], &rooms, &except, &attachments);
    size_t whole = strlen(written_by_node[3].hex) / 2;
    (void)state;
    for (size_t max = 1; max < whole + 1; max++) {
        struct buf out;
        buf_init(&out, max);
        assert_true(buf_add_char(&out, 'x'));
        assert_false(adapter_encode_broadcast(&out, SV("Ab12Cd"), &m));
        assert_int_equal(out.n, 1);
        buf_fini(&out);
    }
}

static void what_others_write_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(foreign); i++)
        decode_vector(&foreign[i]);
}

static void assert_bad(struct str_view bytes, struct str_view nsp, const char *want)
{
    struct str_view uid;
    struct bus_msg m;
    const char *why = NULL;
    assert_int_equal(adapter_decode_broadcast(decoder(), bytes, nsp, &m, &uid, &why), VERDICT_BAD);
    assert_non_null(why);
    if (want) assert_string_equal(why, want);
    assert_string_not_equal(why, "");
}

static void a_message_cut_short_is_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(written_by_node) + COUNT(foreign); i++) {
        const struct vector *v =
            i < COUNT(written_by_node) ? &written_by_node[i] : &foreign[i - COUNT(written_by_node)];
        struct str_view bytes = unhex(v->hex);
        for (size_t n = 0; n < bytes.n; n++) {
            char *cut = x_memdup(bytes.p, n); /* has one byte more: a NUL */
            cut = x_realloc(cut, n ? n : 1);
            assert_bad(sv_make(cut, n), v->nsp, NULL);
            x_free(cut);
        }
        unhex_free(bytes);
    }
}

#define HEAD "93 a165 82 a474797065 02 a464617461 "
#define WITH_DATA "93 a165 82 a474797065 02 a464617461 91a165 "

static const struct {
    const char *hex, *why;
} refused[] = {
    {"", "malformed MessagePack"},
    {"c1", "malformed MessagePack"},
    {"80", "not a broadcast"},
    {"91c0", "not a broadcast"},
    {"7b7d", "not a broadcast"},
    {HEAD "91a165 80 00", "bytes behind the message"},
    {"93 01 80 80", "text expected"},
    {"93 a165 90 80", "map expected"},
    {"93 a165 c0 80", "not an event"},
    {"93 a165 81 90 00 80", "text expected"},
    {"93 a165 81 a464617461 91a165 80", "not an event"},
    {"93 a165 81 a474797065 02 80", "illegal event"},
    {"93 a165 82 a474797065 03 a464617461 91a165 80", "not an event"},
    {"93 a165 82 a474797065 a132 a464617461 91a165 80", "number expected"},
    {"93 a165 82 a474797065 02 a464617461 90 80", "illegal event"},
    {"93 a165 82 a474797065 02 a464617461 80 80", "illegal event"},
    {"93 a165 82 a474797065 02 a464617461 91c0 80", "invalid payload"},
    {"93 a165 82 a474797065 02 a464617461 91c3 80", "invalid payload"},
    {"93 a165 82 a474797065 02 a464617461 9190 80", "invalid payload"},
    {HEAD "91cb7ff8000000000000 80", "invalid payload"},
    {HEAD "91a7636f6e6e656374 80", "reserved event name"},
    {HEAD "91c40a646973636f6e6e656374 80", "reserved event name"},
    /* containers that claim more than there is */
    {"ddffffffff", "malformed MessagePack"},
    {"93 a165 dfffffffff 80", "malformed MessagePack"},
    {HEAD "ddffffffff a165 80", "malformed MessagePack"},
    {HEAD "92a165 ddffffffff 80", "malformed MessagePack"},
    {HEAD "92a165 df7fffffff 80", "malformed MessagePack"},
    {HEAD "92a165 c6ffffffff 80", "malformed MessagePack"},
    {HEAD "92a165 81 90 00 80", "a key that is no text"},
    {WITH_DATA "81 a5726f6f6d73 a161", "illegal rooms"},
    {WITH_DATA "81 a5726f6f6d73 80", "illegal rooms"},
    {WITH_DATA "81 a5726f6f6d73 91 c3", "illegal room"},
    {WITH_DATA "81 a5726f6f6d73 91 90", "illegal room"},
    {WITH_DATA "81 a5726f6f6d73 91 cb3ff8000000000000", "illegal room"},
    {WITH_DATA "81 a5726f6f6d73 91 cb7ff0000000000000", "illegal room"},
    {WITH_DATA "81 a5726f6f6d73 94 00 01 02 03", "too many rooms"},
    {WITH_DATA "81 a6657863657074 94 00 01 02 03", "too many rooms"},
    {WITH_DATA "81 a5666c616773 90", "map expected"},
    {WITH_DATA "91 c0", "map expected"},
    {HEAD "92a165 9191919191919191 90 80", "nested too deep"},
    {HEAD "92a165 91919191919191 c40100 80", "nested too deep"},
    {HEAD "94a165 c40100 c40100 c40100 80", "too many attachments"},
    /* a forged placeholder beside real binary */
    {HEAD "93a165 c40100 82 ac5f706c616365686f6c646572 c3 a36e756d 01 80", "illegal attachments"},
    {HEAD "93a165 c40100 82 ac5f706c616365686f6c646572 c3 a36e756d a130 80", "illegal attachments"},
    /* the raw text is not believed: junk, no array, a reserved name, cut, not UTF-8, too deep */
    {WITH_DATA "81 a47065616c 81 a46a736f6e a178", "unexpected character in JSON"},
    {WITH_DATA "81 a47065616c 81 a46a736f6e a27b7d", "illegal event"},
    {WITH_DATA "81 a47065616c 81 a46a736f6e a25b5d", "invalid payload"},
    {WITH_DATA "81 a47065616c 81 a46a736f6e ab5b22636f6e6e656374225d", "reserved event name"},
    {WITH_DATA "81 a47065616c 81 a46a736f6e a45b2265225d5b", "bytes behind the message"},
    {WITH_DATA "81 a47065616c 81 a46a736f6e a55b22ff225d", "not UTF-8"},
    {WITH_DATA "81 a47065616c 81 a46a736f6e b45b312c5b5b5b5b5b5b5b5b5d5d5d5d5d5d5d5d5d",
     "JSON nested too deep"},
    {WITH_DATA "81 a47065616c 81 a46a736f6e 01", "text expected"},
    {WITH_DATA "81 a47065616c 91 c0", "map expected"},
    /* … and its attachments must be there */
    {WITH_DATA "81 a47065616c 82 a46a736f6e a35b315d a462696e73 91 00", "illegal attachments"},
    {WITH_DATA "81 a47065616c 82 a46a736f6e a35b315d a462696e73 91 cd0100", "illegal attachments"},
    {WITH_DATA "81 a47065616c 82 a46a736f6e a35b315d a462696e73 91 a0", "illegal attachments"},
    {WITH_DATA "81 a47065616c 82 a46a736f6e a35b315d a462696e73 93 c0c0c0", "illegal attachments"},
    {HEAD "92a165 c40100 81 a47065616c 82 a46a736f6e"
          "d9215b312c7b225f706c616365686f6c646572223a747275652c226e756d223a317d5d a462696e73 91 00",
     "illegal attachments"},
};

static void what_must_be_refused_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct str_view bytes = unhex(refused[i].hex);
        struct str_view uid;
        struct bus_msg m;
        const char *why = NULL;
        enum verdict v = adapter_decode_broadcast(decoder(), bytes, SV("/"), &m, &uid, &why);
        if (v != VERDICT_BAD || strcmp(why, refused[i].why) != 0)
            print_error("%s: %s\n", refused[i].hex, why);
        assert_int_equal(v, VERDICT_BAD);
        assert_string_equal(why, refused[i].why);
        unhex_free(bytes);
    }
}

static void the_namespace_must_be_the_channels(void **state)
{
    struct str_view uid, bytes = unhex(written_by_node[3].hex);
    struct bus_msg m;
    const char *why;
    (void)state;
    assert_bad(bytes, SV("/"), "another namespace");
    assert_bad(bytes, SV("/admin2"), "another namespace");
    assert_int_equal(adapter_decode_broadcast(decoder(), bytes, SV(""), &m, &uid, &why),
                     VERDICT_OK);
    assert_text(m.nsp, SV("/admin"));
    unhex_free(bytes);
}

static void too_long_a_message_is_bad(void **state)
{
    char *bytes = x_calloc(limits.max_bytes + 1, 1);
    (void)state;
    assert_bad(sv_make(bytes, limits.max_bytes + 1), SV("/"), "too large");
    assert_bad(sv_make(bytes, limits.max_bytes), SV("/"), "not a broadcast");
    x_free(bytes);
}

/* A text that MessagePack cannot carry comes back as it was; nrefs is of the bytes on the wire. */
static const struct {
    struct str_view json;
    struct list attachments;
} unchanged[] = {
    {B("[\"e\",18446744073709551616,-9223372036854775809,1e400,3.14159265358979323846]"), {.n = 0}},
    {B("[ \"e\", \"\\ud800\", \"\\udc00\\ud800\", {\"a\":1,\"a\":2} ]"), {.n = 0}},
    {B("[\"e\",1e400,{\"_placeholder\":true,\"num\":1},{\"num\":0,\"_placeholder\":true}]"),
     {{B("A"), B("B")}, 2}},
    {B("[\"e\",{\"_placeholder\":true,\"num\":1},{\"num\":1,\"_placeholder\":true}]"),
     {{B("A"), B("B")}, 2}},
    {B("[\"\\ud800\",{\"_placeholder\":true,\"num\":5}]"), {.n = 0}},
};

static void text_that_messagepack_cannot_carry_survives(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unchanged); i++) {
        struct list attachments = unchanged[i].attachments;
        struct bus_msg m = {.nsp = SV("/"),
                            .json = unchanged[i].json,
                            .attachments = attachments.v,
                            .nattachments = attachments.n},
                       got;
        struct str_view uid;
        struct buf out;
        const char *why;
        buf_init(&out, 4096);
        assert_true(adapter_encode_broadcast(&out, SV("u"), &m));
        assert_int_equal(
            adapter_decode_broadcast(decoder(), buf_view(&out), SV("/"), &got, &uid, &why),
            VERDICT_OK);
        assert_text(got.json, m.json);
        assert_int_equal(got.nattachments, attachments.n);
        for (unsigned k = 0; k < attachments.n; k++)
            assert_true(sv_eq(got.attachments[k], attachments.v[k]) ||
                        (i == 3 && k == 0 && got.attachments[k].n == 0));
        buf_fini(&out);
    }
}

static int free_decoder(void **state)
{
    (void)state;
    adapter_decoder_free(decoder());
    adapter_decoder_free(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_node_writes_is_read),
        cmocka_unit_test(what_we_write_is_what_node_writes),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
        cmocka_unit_test(what_others_write_is_read),
        cmocka_unit_test(a_message_cut_short_is_bad),
        cmocka_unit_test(what_must_be_refused_is),
        cmocka_unit_test(the_namespace_must_be_the_channels),
        cmocka_unit_test(too_long_a_message_is_bad),
        cmocka_unit_test(text_that_messagepack_cannot_carry_survives),
    };
    return cmocka_run_group_tests(tests, NULL, free_decoder);
}
