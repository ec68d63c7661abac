/* Socket.IO packets: the reference's own vectors, the grammar's corners, that what is decoded can
 * be encoded, and the assembler of binary packets. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/sio_packet.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct sio_limits limits = {.max_attachments = 10, .max_depth = 8, .max_nsp = 16};

/* From memory of exactly that size; views of the packet point into *copy. */
static enum verdict decode_exact(struct str_view text, const struct sio_limits *l,
                                 struct sio_packet *p, const char **why, char **copy)
{
    *copy = x_malloc(text.n ? text.n : 1);
    if (text.n) memcpy(*copy, text.p, text.n);
    *why = NULL;
    enum verdict v = sio_packet_decode(sv_make(*copy, text.n), l, p, why);
    assert_true(v == VERDICT_OK || v == VERDICT_BAD);
    assert_non_null(*why);
    return v;
}

#define NO_ID UINT64_MAX

static const struct {
    struct str_view text;
    enum sio_type type;
    unsigned attachments;
    struct str_view nsp;
    uint64_t id;
    struct str_view json, event;
} good[] = {
    {B("0"), SIO_CONNECT, 0, B("/"), NO_ID, B(""), B("")},
    {B("0{\"token\":\"123\"}"), SIO_CONNECT, 0, B("/"), NO_ID, B("{\"token\":\"123\"}"), B("")},
    {B("0{}"), SIO_CONNECT, 0, B("/"), NO_ID, B("{}"), B("")},
    {B("0/admin,"), SIO_CONNECT, 0, B("/admin"), NO_ID, B(""), B("")},
    {B("0/admin"), SIO_CONNECT, 0, B("/admin"), NO_ID, B(""), B("")},
    {B("0/admin,{\"token\":\"123\"}"), SIO_CONNECT, 0, B("/admin"), NO_ID, B("{\"token\":\"123\"}"),
     B("")},
    {B("0/admin?token=1234&uid=abcd,"), SIO_CONNECT, 0, B("/admin"), NO_ID, B(""), B("")},
    {B("0/admin?token=1234&uid=abcd,{}"), SIO_CONNECT, 0, B("/admin"), NO_ID, B("{}"), B("")},
    {B("0/admin?a=1"), SIO_CONNECT, 0, B("/admin"), NO_ID, B(""), B("")},
    {B("0/?a=1,{}"), SIO_CONNECT, 0, B("/"), NO_ID, B("{}"), B("")},
    {B("0/admin?a?b,"), SIO_CONNECT, 0, B("/admin"), NO_ID, B(""), B("")},
    {B("0/a?a-query-longer-than-any-namespace-may-be,"), SIO_CONNECT, 0, B("/a"), NO_ID, B(""),
     B("")},
    {B("0/,"), SIO_CONNECT, 0, B("/"), NO_ID, B(""), B("")},
    {B("0/"), SIO_CONNECT, 0, B("/"), NO_ID, B(""), B("")},
    {B("0/a/b/c,{}"), SIO_CONNECT, 0, B("/a/b/c"), NO_ID, B("{}"), B("")},
    {B("0/\xc3\xa9{[\"-1,"), SIO_CONNECT, 0, B("/\xc3\xa9{[\"-1"), NO_ID, B(""), B("")},
    {B("0/fifteen-letters,"), SIO_CONNECT, 0, B("/fifteen-letters"), NO_ID, B(""), B("")},
    {B("1"), SIO_DISCONNECT, 0, B("/"), NO_ID, B(""), B("")},
    {B("1/admin,"), SIO_DISCONNECT, 0, B("/admin"), NO_ID, B(""), B("")},
    {B("2[\"foo\",1]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"foo\",1]"), B("\"foo\"")},
    {B("2/admin,[\"foo\"]"), SIO_EVENT, 0, B("/admin"), NO_ID, B("[\"foo\"]"), B("\"foo\"")},
    {B("212[\"foo\"]"), SIO_EVENT, 0, B("/"), 12, B("[\"foo\"]"), B("\"foo\"")},
    {B("2/admin,13[\"foo\"]"), SIO_EVENT, 0, B("/admin"), 13, B("[\"foo\"]"), B("\"foo\"")},
    {B("20[\"a\"]"), SIO_EVENT, 0, B("/"), 0, B("[\"a\"]"), B("\"a\"")},
    {B("2007[\"a\"]"), SIO_EVENT, 0, B("/"), 7, B("[\"a\"]"), B("\"a\"")},
    {B("29007199254740991[\"a\"]"), SIO_EVENT, 0, B("/"), SIO_ID_MAX, B("[\"a\"]"), B("\"a\"")},
    {B("2[ \"a\" , 1 ] \r\n\t"), SIO_EVENT, 0, B("/"), NO_ID, B("[ \"a\" , 1 ]"), B("\"a\"")},
    {B("2[1]"), SIO_EVENT, 0, B("/"), NO_ID, B("[1]"), B("1")},
    {B("2[-1.5e3,2]"), SIO_EVENT, 0, B("/"), NO_ID, B("[-1.5e3,2]"), B("-1.5e3")},
    {B("2[\"\"]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"\"]"), B("\"\"")},
    {B("2[\"a,]\\\"\",1]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"a,]\\\"\",1]"), B("\"a,]\\\"\"")},
    {B("2[\"error\"]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"error\"]"), B("\"error\"")},
    {B("2[\"message\"]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"message\"]"), B("\"message\"")},
    {B("2[\"Connect\"]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"Connect\"]"), B("\"Connect\"")},
    {B("2[\"connect \"]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"connect \"]"), B("\"connect \"")},
    {B("2[\"connec\"]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"connec\"]"), B("\"connec\"")},
    {B("2[\"connect\\u0000\"]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"connect\\u0000\"]"),
     B("\"connect\\u0000\"")},
    {B("2[\"a\",\"connect\"]"), SIO_EVENT, 0, B("/"), NO_ID, B("[\"a\",\"connect\"]"), B("\"a\"")},
    /* plain data here, whatever it looks like */
    {B("2[\"a\",{\"_placeholder\":true,\"num\":9}]"), SIO_EVENT, 0, B("/"), NO_ID,
     B("[\"a\",{\"_placeholder\":true,\"num\":9}]"), B("\"a\"")},
    {B("31[{\"_placeholder\":true}]"), SIO_ACK, 0, B("/"), 1, B("[{\"_placeholder\":true}]"),
     B("")},
    {B("312[\"bar\"]"), SIO_ACK, 0, B("/"), 12, B("[\"bar\"]"), B("")},
    {B("3/admin,13[]"), SIO_ACK, 0, B("/admin"), 13, B("[]"), B("")},
    {B("3[]"), SIO_ACK, 0, B("/"), NO_ID, B("[]"), B("")},
    {B("31[\"connect\"]"), SIO_ACK, 0, B("/"), 1, B("[\"connect\"]"), B("")},
    {B("4/random,{\"message\":\"Invalid namespace\"}"), SIO_CONNECT_ERROR, 0, B("/random"), NO_ID,
     B("{\"message\":\"Invalid namespace\"}"), B("")},
    {B("4\"Not authorized\""), SIO_CONNECT_ERROR, 0, B("/"), NO_ID, B("\"Not authorized\""), B("")},
    {B("51-[\"baz\",{\"_placeholder\":true,\"num\":0}]"), SIO_BINARY_EVENT, 1, B("/"), NO_ID,
     B("[\"baz\",{\"_placeholder\":true,\"num\":0}]"), B("\"baz\"")},
    {B("52-/admin,[\"baz\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"),
     SIO_BINARY_EVENT, 2, B("/admin"), NO_ID,
     B("[\"baz\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"),
     B("\"baz\"")},
    {B("51-12[\"a\"]"), SIO_BINARY_EVENT, 1, B("/"), 12, B("[\"a\"]"), B("\"a\"")},
    {B("510-[\"a\",{\"_placeholder\":true,\"num\":9}]"), SIO_BINARY_EVENT, 10, B("/"), NO_ID,
     B("[\"a\",{\"_placeholder\":true,\"num\":9}]"), B("\"a\"")},
    {B("61-/admin,1[{\"_placeholder\":true,\"num\":0}]"), SIO_BINARY_ACK, 1, B("/admin"), 1,
     B("[{\"_placeholder\":true,\"num\":0}]"), B("")},
    {B("61-1[]"), SIO_BINARY_ACK, 1, B("/"), 1, B("[]"), B("")},
    {B("2[1,[[[[[[[]]]]]]]]"), SIO_EVENT, 0, B("/"), NO_ID, B("[1,[[[[[[[]]]]]]]]"), B("1")},
};

static void packets_decode_field_by_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct sio_packet p;
        const char *why;
        char *copy;
        enum verdict v = decode_exact(good[i].text, &limits, &p, &why, &copy);
        if (v != VERDICT_OK) fail_msg("row %zu: %s", i, why);
        assert_string_equal(why, "");
        assert_int_equal(p.type, good[i].type);
        assert_int_equal(p.attachments, good[i].attachments);
        assert_int_equal(p.has_id, good[i].id != NO_ID);
        if (p.has_id) assert_true(p.id == good[i].id);
        if (!sv_eq(p.nsp, good[i].nsp)) fail_msg("row %zu: %.*s", i, SV_ARG(p.nsp));
        if (!sv_eq(p.json, good[i].json)) fail_msg("row %zu: %.*s", i, SV_ARG(p.json));
        if (!sv_eq(p.event, good[i].event)) fail_msg("row %zu: %.*s", i, SV_ARG(p.event));
        x_free(copy);
    }
}

#define PAYLOAD "invalid payload"
#define ILLEGAL "illegal attachments"
#define TOO_MANY "too many attachments"
#define UNKNOWN "unknown packet type"
#define RESERVED "reserved event name"
#define ID "illegal id"
#define SPACE "white space before the payload"
#define JSON_END "unexpected end of JSON"

static const struct {
    struct str_view text;
    const char *why;
} bad[] = {
    /* the reference parser's own vectors */
    {B("442[\"some\",\"data\""), JSON_END},
    {B("0/admin,\"invalid\""), PAYLOAD},
    {B("0[]"), PAYLOAD},
    {B("1/admin,{}"), PAYLOAD},
    {B("2/admin,\"invalid"), JSON_END},
    {B("2/admin,{}"), PAYLOAD},
    {B("2[{\"toString\":\"foo\"}]"), PAYLOAD},
    {B("2[true,\"foo\"]"), PAYLOAD},
    {B("2[null,\"bar\"]"), PAYLOAD},
    {B("2[\"connect\"]"), RESERVED},
    {B("2[\"disconnect\",\"123\"]"), RESERVED},
    {B("5"), ILLEGAL},
    {B("51"), ILLEGAL},
    {B("5a-"), ILLEGAL},
    {B("51.23-"), ILLEGAL},
    {B("999"), UNKNOWN},
    /* type */
    {B(""), UNKNOWN},
    {B(" "), UNKNOWN},
    {B(" 0"), UNKNOWN},
    {B("7"), UNKNOWN},
    {B("/"), UNKNOWN},
    {B("-1"), UNKNOWN},
    {B("[\"a\"]"), UNKNOWN},
    {B("\0"), UNKNOWN},
    {B("\xff"), UNKNOWN},
    /* number of attachments */
    {B("5-"), ILLEGAL},
    {B("50-[\"a\"]"), ILLEGAL},
    {B("60-[]"), ILLEGAL},
    {B("501-[\"a\"]"), ILLEGAL},
    {B("5-1-[\"a\"]"), ILLEGAL},
    {B("5+1-[\"a\"]"), ILLEGAL},
    {B("5 1-[\"a\"]"), ILLEGAL},
    {B("51 -[\"a\"]"), ILLEGAL},
    {B("51e1-[\"a\"]"), ILLEGAL},
    {B("50x1-[\"a\"]"), ILLEGAL},
    {B("5[\"a\"]"), ILLEGAL},
    {B("51[\"a\"]"), ILLEGAL},
    {B("5/admin,[\"a\"]"), ILLEGAL},
    {B("51/admin,[\"a\"]"), ILLEGAL},
    {B("599999999999999999999999"), ILLEGAL},
    {B("511-[\"a\"]"), TOO_MANY},
    {B("611-[]"), TOO_MANY},
    {B("5100-[\"a\"]"), TOO_MANY},
    {B("54294967297-[\"a\"]"), TOO_MANY},
    {B("518446744073709551617-[\"a\"]"), TOO_MANY},
    {B("5999999999999999999999999999-[\"a\"]"), TOO_MANY},
    {B("21-[\"a\"]"), "bad number in JSON"},
    {B("31-[]"), "bad number in JSON"},
    /* placeholders */
    {B("51-[\"a\",{\"_placeholder\":true,\"num\":1}]"), ILLEGAL},
    {B("51-[\"a\",{\"_placeholder\":true,\"num\":-1}]"), ILLEGAL},
    {B("51-[\"a\",{\"_placeholder\":true,\"num\":\"0\"}]"), ILLEGAL},
    {B("51-[\"a\",{\"_placeholder\":true}]"), ILLEGAL},
    {B("51-[\"a\",[{\"b\":{\"\\u005fplaceholder\":true,\"num\":1}}]]"), ILLEGAL},
    {B("61-1[{\"_placeholder\":true,\"num\":1}]"), ILLEGAL},
    {B("51-[{\"_placeholder\":true,\"num\":0}]"), PAYLOAD},
    /* namespace */
    {B("0/sixteen-letters-,"), "namespace too long"},
    {B("0/sixteen-letters-"), "namespace too long"},
    {B("2/sixteen-letters-?a,[\"a\"]"), "namespace too long"},
    {B("0admin,"), "unexpected character in JSON"},
    {B("0,"), "unexpected character in JSON"},
    {B("0/a,/b,"), "unexpected character in JSON"},
    {B("212/admin,[\"a\"]"), "unexpected character in JSON"},
    {B("2/admin[\"a\"]"), PAYLOAD},
    {B("2/admin[\"a\",1]"), "unexpected character in JSON"},
    /* id */
    {B("29007199254740992[\"a\"]"), ID},
    {B("218446744073709551616[\"a\"]"), ID},
    {B("2100000000000000000000000000000000[\"a\"]"), ID},
    {B("2-1[\"a\"]"), "characters behind the JSON value"},
    {B("21.5[\"a\"]"), "unexpected character in JSON"},
    {B("2 1[\"a\"]"), SPACE},
    {B("21 [\"a\"]"), SPACE},
    /* payload */
    {B("2"), PAYLOAD},
    {B("212"), PAYLOAD},
    {B("2/admin,"), PAYLOAD},
    {B("2/admin,1"), PAYLOAD},
    {B("2 [\"a\"]"), SPACE},
    {B("0 "), SPACE},
    {B("0\n{}"), SPACE},
    {B("0\t"), SPACE},
    {B("2\r[\"a\"]"), SPACE},
    {B("2[]"), PAYLOAD},
    {B("2[ ]"), PAYLOAD},
    {B("2[[\"a\"]]"), PAYLOAD},
    {B("2[false]"), PAYLOAD},
    {B("2{\"0\":\"a\"}"), PAYLOAD},
    {B("2\"a\""), PAYLOAD},
    {B("2null"), PAYLOAD},
    {B("2[\"a\"]x"), "characters behind the JSON value"},
    {B("2[\"a\",]"), "unexpected character in JSON"},
    {B("2[\"a\n\"]"), "control character in JSON string"},
    {B("2[\"a\"]\0"), "characters behind the JSON value"},
    {B("2[1,[[[[[[[[]]]]]]]]]"), "JSON nested too deep"},
    {B("3"), PAYLOAD},
    {B("31"), PAYLOAD},
    {B("31{}"), PAYLOAD},
    {B("31\"a\""), PAYLOAD},
    {B("31null"), PAYLOAD},
    {B("61-1{}"), PAYLOAD},
    {B("61-1"), PAYLOAD},
    {B("51-"), PAYLOAD},
    {B("51-[]"), PAYLOAD},
    {B("0null"), PAYLOAD},
    {B("0true"), PAYLOAD},
    {B("0\"a\""), PAYLOAD},
    {B("0/admin,[]"), PAYLOAD},
    {B("0{"), JSON_END},
    {B("1{}"), PAYLOAD},
    {B("1[]"), PAYLOAD},
    {B("1null"), PAYLOAD},
    {B("1x"), PAYLOAD},
    {B("4"), PAYLOAD},
    {B("4[]"), PAYLOAD},
    {B("4null"), PAYLOAD},
    {B("4true"), PAYLOAD},
    {B("4/random,"), PAYLOAD},
    /* reserved names, however they are written */
    {B("2[\"connect_error\"]"), RESERVED},
    {B("2[\"disconnect\"]"), RESERVED},
    {B("2[\"disconnecting\"]"), RESERVED},
    {B("2[\"newListener\"]"), RESERVED},
    {B("2[\"removeListener\"]"), RESERVED},
    {B("2[\"\\u0063onnect\"]"), RESERVED},
    {B("2[\"c\\u006Fnnect\"]"), RESERVED},
    {B("2[\"\\u0063\\u006f\\u006e\\u006e\\u0065\\u0063\\u0074\"]"), RESERVED},
    {B("2[ \"connect\" ,1]"), RESERVED},
    {B("2/admin,7[\"newListener\"]"), RESERVED},
    {B("51-[\"connect\",{\"_placeholder\":true,\"num\":0}]"), RESERVED},
};

static void bad_packets_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct sio_packet p;
        const char *why;
        char *copy;
        enum verdict v = decode_exact(bad[i].text, &limits, &p, &why, &copy);
        if (v != VERDICT_BAD || strcmp(why, bad[i].why) != 0)
            fail_msg("row %zu: %.*s: %s", i, SV_ARG(bad[i].text), why);
        x_free(copy);
    }
}

static void attachments_are_bounded_by_the_hard_limit(void **state)
{
    (void)state;
    struct sio_limits wide = limits;
    struct sio_packet p;
    const char *why;
    wide.max_attachments = 1000;
    assert_int_equal(sio_packet_decode(SV("564-[\"a\"]"), &wide, &p, &why), VERDICT_OK);
    assert_int_equal(p.attachments, SIO_ATTACHMENTS_LIMIT);
    assert_int_equal(sio_packet_decode(SV("565-[\"a\"]"), &wide, &p, &why), VERDICT_BAD);
    assert_string_equal(why, TOO_MANY);
    wide.max_attachments = 0;
    assert_int_equal(sio_packet_decode(SV("51-[\"a\"]"), &wide, &p, &why), VERDICT_BAD);
    assert_string_equal(why, TOO_MANY);
}

static void a_packet_cut_short_is_bad_or_another_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct str_view t = good[i].text;
        while (t.n-- > 1) {
            struct sio_packet p;
            const char *why;
            char *copy;
            /* what is left of an array or object is never taken for a whole one */
            if (decode_exact(t, &limits, &p, &why, &copy) == VERDICT_OK)
                assert_true(p.json.n == 0 || p.json.n == good[i].json.n);
            x_free(copy);
        }
    }
}

static const struct {
    enum sio_type type;
    unsigned attachments;
    struct str_view nsp;
    uint64_t id;
    const char *head;
} heads[] = {
    {SIO_CONNECT, 0, B("/"), NO_ID, "0"},
    {SIO_CONNECT, 0, B("/admin"), NO_ID, "0/admin,"},
    {SIO_DISCONNECT, 0, B("/admin"), NO_ID, "1/admin,"},
    {SIO_EVENT, 0, B("/"), 0, "20"},
    {SIO_EVENT, 0, B("/"), 12, "212"},
    {SIO_EVENT, 0, B("/admin"), 13, "2/admin,13"},
    {SIO_ACK, 0, B("/"), SIO_ID_MAX, "39007199254740991"},
    {SIO_ACK, 0, B("/"), UINT64_MAX - 1, "318446744073709551614"},
    {SIO_CONNECT_ERROR, 0, B("/random"), NO_ID, "4/random,"},
    {SIO_BINARY_EVENT, 1, B("/"), NO_ID, "51-"},
    {SIO_BINARY_EVENT, 64, B("/a"), 5, "564-/a,5"},
    {SIO_BINARY_EVENT, UINT32_MAX, B("/"), NO_ID, "54294967295-"},
    {SIO_BINARY_ACK, 10, B("/admin"), 1, "610-/admin,1"},
};

static void heads_encode_as_the_reference_writes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        size_t len = strlen(heads[i].head);
        for (size_t max = 0; max <= len; max++) {
            struct buf out;
            const uint64_t *id = heads[i].id == NO_ID ? NULL : &heads[i].id;
            buf_init(&out, max + 1);
            assert_true(buf_add_char(&out, '>'));
            bool ok =
                sio_packet_encode_head(&out, heads[i].type, heads[i].attachments, heads[i].nsp, id);
            assert_int_equal(ok, max == len);
            if (ok)
                assert_true(sv_eq(sv_skip(buf_view(&out), 1), sv_of(heads[i].head)));
            else
                assert_int_equal(out.n, 1);
            buf_fini(&out);
        }
    }
}

static void what_decodes_encodes_to_the_same_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct sio_packet p, q;
        struct buf out;
        const char *why;
        buf_init(&out, 1000);
        assert_int_equal(sio_packet_decode(good[i].text, &limits, &p, &why), VERDICT_OK);
        assert_true(
            sio_packet_encode_head(&out, p.type, p.attachments, p.nsp, p.has_id ? &p.id : NULL));
        assert_true(buf_add_sv(&out, p.json));
        assert_int_equal(sio_packet_decode(buf_view(&out), &limits, &q, &why), VERDICT_OK);
        assert_true(p.type == q.type && p.attachments == q.attachments && p.has_id == q.has_id);
        assert_true(p.id == q.id && sv_eq(p.nsp, q.nsp));
        assert_true(sv_eq(p.json, q.json) && sv_eq(p.event, q.event));
        buf_fini(&out);
    }
}

static void an_assembler_gives_back_what_it_was_given(void **state)
{
    (void)state;
    struct sio_assembler a = {0};
    for (int round = 0; round < 3; round++) {
        assert_false(sio_assembler_is_waiting(&a));
        assert_int_equal(sio_assembler_add(&a, "x", 1), VERDICT_BAD);
        assert_true(sio_assembler_begin(&a, SV("53-[\"a\"]"), 3, 100));
        assert_true(sio_assembler_is_waiting(&a));
        assert_int_equal(sio_assembler_add(&a, "one", 3), VERDICT_MORE);
        assert_int_equal(sio_assembler_add(&a, NULL, 0), VERDICT_MORE);
        assert_int_equal(sio_assembler_add(&a, "th\0ree", 6), VERDICT_OK);
        assert_false(sio_assembler_is_waiting(&a));
        assert_true(sv_eq(buf_view(&a.text), SV("53-[\"a\"]")));
        assert_true(sv_eq(sio_assembler_get(&a, 0), SV("one")));
        assert_true(sv_eq(sio_assembler_get(&a, 1), SV("")));
        assert_true(sv_eq(sio_assembler_get(&a, 2), SV("th\0ree")));
        assert_int_equal(sio_assembler_add(&a, "x", 1), VERDICT_BAD);
        if (round) sio_assembler_fini(&a); /* a new begin must do without, too */
    }
    sio_assembler_fini(&a);
}

static void an_assembler_bounds_text_and_bytes_together(void **state)
{
    (void)state;
    struct sio_assembler a = {0};
    assert_false(sio_assembler_begin(&a, SV("12345"), 1, 4));
    assert_false(sio_assembler_is_waiting(&a));
    assert_true(sio_assembler_begin(&a, SV("12345"), 2, 8));
    assert_int_equal(sio_assembler_add(&a, "1234", 4), VERDICT_BAD);
    assert_true(sio_assembler_is_waiting(&a));
    assert_int_equal(sio_assembler_add(&a, "12", 2), VERDICT_MORE);
    assert_int_equal(sio_assembler_add(&a, "34", 2), VERDICT_BAD);
    assert_int_equal(sio_assembler_add(&a, "3", 1), VERDICT_OK);
    sio_assembler_fini(&a);
    assert_true(sio_assembler_begin(&a, SV("12345"), 1, 5)); /* room for an empty one only */
    assert_int_equal(sio_assembler_add(&a, "1", 1), VERDICT_BAD);
    assert_int_equal(sio_assembler_add(&a, "", 0), VERDICT_OK);
    assert_int_equal(sio_assembler_get(&a, 0).n, 0);
    sio_assembler_fini(&a);
}

static void an_assembler_takes_one_packet_at_a_time(void **state)
{
    (void)state;
    struct sio_assembler a = {0};
    assert_true(sio_assembler_begin(&a, SV("first"), SIO_ATTACHMENTS_LIMIT, 1000));
    assert_false(sio_assembler_begin(&a, SV("second"), 1, 1000));
    for (unsigned i = 1; i < SIO_ATTACHMENTS_LIMIT; i++)
        assert_int_equal(sio_assembler_add(&a, "ab", 1 + i % 2), VERDICT_MORE);
    assert_int_equal(sio_assembler_add(&a, "last", 4), VERDICT_OK);
    assert_true(sv_eq(buf_view(&a.text), SV("first")));
    for (unsigned i = 1; i < SIO_ATTACHMENTS_LIMIT; i++)
        assert_true(sv_eq(sio_assembler_get(&a, i - 1), sv_make("ab", 1 + i % 2)));
    assert_true(sv_eq(sio_assembler_get(&a, SIO_ATTACHMENTS_LIMIT - 1), SV("last")));
    sio_assembler_fini(&a);
    assert_true(sio_assembler_begin(&a, SV("third"), 1, 1000)); /* given up half way */
    sio_assembler_fini(&a);
    assert_false(sio_assembler_is_waiting(&a));
    sio_assembler_fini(&a);
}

static void query_of_a_namespace_is_kept_beside_it(void **state)
{
    static const struct {
        struct str_view text, query;
    } rows[] = {
        {B("0/admin?token=1234&uid=abcd,"), B("token=1234&uid=abcd")},
        {B("0/?a=1,{}"), B("a=1")},
        {B("0/admin?a?b"), B("a?b")},
        {B("0/admin?,"), B("")},
        {B("0/admin,"), B("")},
        {B("0"), B("")},
        {B("2/a?b,[\"x\",\"?y\"]"), B("b")},
        {B("2[\"/a?b\"]"), B("")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sio_packet p;
        const char *why;
        assert_int_equal(sio_packet_decode(rows[i].text, &limits, &p, &why), VERDICT_OK);
        if (!sv_eq(p.nsp_query, rows[i].query)) fail_msg("%.*s", SV_ARG(rows[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_decode_field_by_field),
        cmocka_unit_test(bad_packets_are_named),
        cmocka_unit_test(attachments_are_bounded_by_the_hard_limit),
        cmocka_unit_test(a_packet_cut_short_is_bad_or_another_packet),
        cmocka_unit_test(heads_encode_as_the_reference_writes_them),
        cmocka_unit_test(what_decodes_encodes_to_the_same_packet),
        cmocka_unit_test(an_assembler_gives_back_what_it_was_given),
        cmocka_unit_test(an_assembler_bounds_text_and_bytes_together),
        cmocka_unit_test(an_assembler_takes_one_packet_at_a_time),
        cmocka_unit_test(query_of_a_namespace_is_kept_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
