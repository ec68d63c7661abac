/* Engine.IO 3 packets and polling bodies: the examples of the protocol's document (with its one wrong
 * length put right), every truncation of good bodies, and lengths that lie. Bodies lie in memory of
 * exactly their size, so that the sanitizer sees a byte too far. */
/* System */
#include <limits.h>
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
/* Proto */
#include "proto/eio3_payload.h"
#include "proto/http_head.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define EURO "\xe2\x82\xac"
#define SMILE "\xf0\x9f\x98\x80"

struct row {
    struct str_view text;
    enum eio_type type;
    bool binary;
    struct str_view data;
};

static char *copy_of(struct str_view s)
{
    char *copy = x_malloc(s.n ? s.n : 1);
    if (s.n) memcpy(copy, s.p, s.n);
    return copy;
}

/* --- single packets */

static const struct row texts[] = {
    {B("0{\"sid\":\"x\"}"), EIO_OPEN, false, B("{\"sid\":\"x\"}")},
    {B("1"), EIO_CLOSE, false, B("")},
    {B("2"), EIO_PING, false, B("")},
    {B("2probe"), EIO_PING, false, B("probe")},
    {B("3probe"), EIO_PONG, false, B("probe")},
    {B("4"), EIO_MESSAGE, false, B("")},
    {B("4hello"), EIO_MESSAGE, false, B("hello")},
    {B("4b4"), EIO_MESSAGE, false, B("b4")},
    {B("5"), EIO_UPGRADE, false, B("")},
    {B("6"), EIO_NOOP, false, B("")},
    {B("b4"), EIO_MESSAGE, true, B("")},
    {B("b4AQIDBA=="), EIO_MESSAGE, true, B("\1\2\3\4")},
    {B("b4////"), EIO_MESSAGE, true, B("\xff\xff\xff")},
    {B("b2Zm9v"), EIO_PING, true, B("foo")},
};

static const struct str_view bad_texts[] = {
    B(""),        B("7"),         B("9x"),        B("/"),        B(":"),
    B("\0"),      B("\4\1\2"),    B("x"),         B("b"),        B("b7"),
    B("bb4"),     B("bAQIDBA=="), B("b4AQIDBA="), B("b4AQIDBA"), B("b4AQIDBB=="),
    B("b4AQ ID"), B("b4-_-_"),    B("b4="),       B("b4AQID\n"), B("B4AQID"),
};

static void assert_row(const struct row *row, const struct eio_packet *p)
{
    assert_int_equal(p->type, row->type);
    assert_int_equal(p->binary, row->binary);
    assert_true(sv_eq(p->data, row->data));
}

static void text_packets(void **state)
{
    (void)state;
    struct buf scratch;
    struct eio_packet p;
    buf_init(&scratch, 100);
    for (size_t i = 0; i < COUNT(texts); i++) {
        char *copy = copy_of(texts[i].text);
        if (eio3_packet_decode(sv_make(copy, texts[i].text.n), &scratch, &p) != VERDICT_OK)
            fail_msg("row %zu", i);
        assert_row(&texts[i], &p);
        x_free(copy);
    }
    for (size_t i = 0; i < COUNT(bad_texts); i++) {
        char *copy = copy_of(bad_texts[i]);
        if (eio3_packet_decode(sv_make(copy, bad_texts[i].n), &scratch, &p) != VERDICT_BAD)
            fail_msg("bad row %zu", i);
        assert_int_equal(scratch.n, 0);
        x_free(copy);
    }
    buf_fini(&scratch);
}

static void the_first_byte_of_a_binary_frame_is_its_type(void **state)
{
    (void)state;
    struct eio_packet p;
    assert_int_equal(eio3_packet_decode_binary(SV(""), &p), VERDICT_BAD);
    for (int c = 0; c < 256; c++) {
        char bytes[] = {(char)c, 1, 2};
        for (size_t n = 1; n <= sizeof(bytes); n++) {
            enum verdict v = eio3_packet_decode_binary(sv_make(bytes, n), &p);
            assert_int_equal(v, c <= 6 ? VERDICT_OK : VERDICT_BAD);
            if (v != VERDICT_OK) continue;
            assert_int_equal(p.type, c);
            assert_true(p.binary);
            assert_true(p.data.p == bytes + 1 && p.data.n == n - 1);
        }
    }
}

static void scratch_bounds_base64(void **state)
{
    (void)state;
    struct buf scratch;
    struct eio_packet p;
    buf_init(&scratch, 4);
    assert_int_equal(eio3_packet_decode(SV("b4AQIDBA=="), &scratch, &p), VERDICT_OK);
    assert_ptr_equal(p.data.p, scratch.p);
    assert_int_equal(eio3_packet_decode(SV("b4AQIDBAU="), &scratch, &p), VERDICT_BAD);
    assert_int_equal(eio3_packet_decode(SV("4hello"), &scratch, &p), VERDICT_OK);
    assert_int_equal(scratch.n, 0);
    buf_fini(&scratch);
}

static void lengths_count_utf16_units(void **state)
{
    (void)state;
    static const struct {
        struct str_view text;
        size_t units;
    } rows[] = {
        {B(""), 0},
        {B("4hello"), 6},
        {B("4" EURO), 2},
        {B("4" SMILE), 3},
        {B("\xc3\xa4"), 1},
        {B("\xef\xbf\xbf"), 1},
        {B("\xf0\x90\x80\x80"), 2},
        {B("\xf4\x8f\xbf\xbf"), 2},
        {B("1234567" EURO "12345678" SMILE "1234567812345678" EURO), 35},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *copy = copy_of(rows[i].text);
        assert_int_equal(eio3_units(sv_make(copy, rows[i].text.n)), rows[i].units);
        x_free(copy);
    }
}

/* The escapes of JSON for text that clients of 1.x would not take; what is no JSON stays. */
static void json_can_be_ascii(void **state)
{
    static const struct {
        struct str_view text, ascii; /* ascii empty: stays */
    } rows[] = {
        {B("42[\"\xc3\xa9\"]"), B("42[\"\\u00e9\"]")},
        {B("42[\"" EURO SMILE "x\"]"), B("42[\"\\u20ac\\ud83d\\ude00x\"]")},
        {B("42/a,7[\"m\",{\"" EURO "\":1}]"), B("42/a,7[\"m\",{\"\\u20ac\":1}]")},
        {B("44/a,\"\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\""),
         B("44/a,\"\\udbff\\udfff\\ud800\\udc00\"")},
        {B("40{\"k\":\"\xc2\x80\xef\xbf\xbf\"}"), B("40{\"k\":\"\\u0080\\uffff\"}")},
        {B("42[\"1234567812345678" EURO "12345678" EURO "\"]"),
         B("42[\"1234567812345678\\u20ac12345678\\u20ac\"]")},
        {B(""), B("")},
        {B("42[\"plain\"]"), B("")},
        {B("4" EURO), B("")},
        {B("4say \"" EURO), B("")},
        {B("42[\"" EURO "\"],"), B("")},
        {B("42/" EURO ",[\"" EURO "\"]"), B("")},
        {B("42[" EURO "]"), B("")},
        {B("42[\"\xe2\x82\"]"), B("")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out;
        bool escapes = rows[i].ascii.n > 0;
        char *copy = copy_of(rows[i].text);
        buf_init(&out, escapes ? rows[i].ascii.n : 100);
        bool did = eio3_escape(sv_make(copy, rows[i].text.n), &out);
        if (did != escapes || !sv_eq(buf_view(&out), rows[i].ascii)) fail_msg("row %zu", i);
        assert_true(out.n <= 3 * rows[i].text.n);
        buf_fini(&out);
        for (size_t max = 0; max < rows[i].ascii.n; max++) {
            buf_init(&out, max);
            assert_false(eio3_escape(sv_make(copy, rows[i].text.n), &out));
            assert_int_equal(out.n, 0);
            buf_fini(&out);
        }
        x_free(copy);
    }
}

/* --- bodies */

struct body {
    struct str_view bytes;
    unsigned n;
    struct row packets[4]; /* without text */
};

#define MSG(lit)                                                                                   \
    {                                                                                              \
        .type = EIO_MESSAGE, .data = B(lit)                                                        \
    }
#define BIN(lit)                                                                                   \
    {                                                                                              \
        .type = EIO_MESSAGE, .binary = true, .data = B(lit)                                        \
    }

static const struct body text_bodies[] = {
    {B("0:"), 0, {{.binary = false}}},
    {B("0:0:"), 0, {{.binary = false}}},
    {B("6:4hello"), 1, {MSG("hello")}},
    {B("2:4" EURO), 1, {MSG(EURO)}},
    {B("3:4" SMILE), 1, {MSG(SMILE)}},
    {B("6:4hello2:4" EURO), 2, {MSG("hello"), MSG(EURO)}},
    {B("2:4" EURO "3:4" SMILE "1:2"), 3, {MSG(EURO), MSG(SMILE), {.type = EIO_PING}}},
    {B("10:b4AQIDBA=="), 1, {BIN("\1\2\3\4")}},
    {B("6:4hello10:b4AQIDBA=="), 2, {MSG("hello"), BIN("\1\2\3\4")}},
    {B("1:61:1"), 2, {{.type = EIO_NOOP}, {.type = EIO_CLOSE}}},
    {B("0:1:20:"), 1, {{.type = EIO_PING}}},
    {B("1:4"), 1, {MSG("")}},
    {B("5:41:2:"), 1, {MSG("1:2:")}},
    {B("3:4\0\x1e"), 1, {MSG("\0\x1e")}},
    {B("18:412345678" SMILE "1234567"), 1, {MSG("12345678" SMILE "1234567")}},
};

static const struct body binary_bodies[] = {
    {B(""), 0, {{.binary = false}}},
    {B("\0\4\xff"
       "4" EURO "\1\5\xff\4\1\2\3\4"),
     2,
     {MSG(EURO), BIN("\1\2\3\4")}},
    {B("\0\6\xff"
       "4hello\1\5\xff\4\1\2\3\4"),
     2,
     {MSG("hello"), BIN("\1\2\3\4")}},
    {B("\0\5\xff"
       "4" SMILE),
     1,
     {MSG(SMILE)}},
    {B("\0\1\xff"
       "2\1\1\xff\4"),
     2,
     {{.type = EIO_PING}, BIN("")}},
    {B("\1\2\xff\4\xff\1\2\xff\4\0"), 2, {BIN("\xff"), BIN("\0")}},
    {B("\0\1\0\xff"
       "b4AQIDBA=="),
     1,
     {BIN("\1\2\3\4")}},
};
#undef MSG
#undef BIN

/* Walks a body; gives the number of packets before its end or its bad place. */
static unsigned walk(bool binary, struct str_view body, const struct row *want, unsigned most,
                     bool *bad)
{
    struct eio3_payload in;
    struct eio_packet p;
    struct buf scratch;
    unsigned n = 0;
    char *copy = copy_of(body);
    buf_init(&scratch, 1000);
    eio3_payload_init(&in, binary, sv_make(copy, body.n));
    for (; eio3_payload_next(&in, &scratch, &p); n++) {
        assert_true(n < most);
        if (want) assert_row(&want[n], &p);
    }
    *bad = in.bad;
    assert_false(eio3_payload_next(&in, &scratch, &p));
    assert_int_equal(in.bad, *bad);
    buf_fini(&scratch);
    x_free(copy);
    return n;
}

static void check_bodies(bool binary, const struct body *bodies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool bad;
        unsigned got = walk(binary, bodies[i].bytes, bodies[i].packets, bodies[i].n, &bad);
        if (bad || got != bodies[i].n) fail_msg("row %zu: %u packets, bad %d", i, got, bad);
    }
}

static void good_bodies(void **state)
{
    (void)state;
    check_bodies(false, text_bodies, COUNT(text_bodies));
    check_bodies(true, binary_bodies, COUNT(binary_bodies));
}

/* A body that ends early gives the packets that are whole, and is bad unless it ends between two. */
static void check_truncations(bool binary, const struct body *b)
{
    unsigned clean = 0;
    for (size_t n = 0; n < b->bytes.n; n++) {
        bool bad;
        walk(binary, sv_make(b->bytes.p, n), b->packets, b->n, &bad);
        clean += !bad;
    }
    /* An empty body is fine in binary only; "0:" may stand between packets. */
    if (b->n) assert_in_range(clean, b->n - !binary, b->n + 1);
}

static void every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(text_bodies); i++)
        check_truncations(false, &text_bodies[i]);
    for (size_t i = 0; i < COUNT(binary_bodies); i++)
        check_truncations(true, &binary_bodies[i]);
}

/* The body of a chunked request whose chunks have k bytes, read in pieces of k. Gives what the
 * decoders are given. */
static void read_in_pieces(struct buf *body, struct str_view bytes, size_t k)
{
    struct http_chunked state = {0};
    struct buf wire;
    int status;
    enum verdict v = VERDICT_MORE;
    buf_init(&wire, 65536);
    buf_init(body, 65536);
    for (size_t at = 0; at < bytes.n; at += k) {
        size_t n = bytes.n - at < k ? bytes.n - at : k;
        assert_true(buf_addf(&wire, "%zx\r\n", n) && buf_add(&wire, bytes.p + at, n) &&
                    buf_add_sv(&wire, SV("\r\n")));
    }
    assert_true(buf_add_sv(&wire, SV("0\r\n\r\n")));
    for (size_t at = 0; at < wire.n && v == VERDICT_MORE;) {
        size_t used, n = wire.n - at < k ? wire.n - at : k;
        char *piece = copy_of(sv_make(wire.p + at, n));
        v = http_chunked_feed(&state, piece, n, &used, body, &status);
        x_free(piece);
        at += used;
    }
    assert_int_equal(v, VERDICT_OK);
    buf_fini(&wire);
}

static void check_pieces(bool binary, const struct body *b)
{
    struct buf body, form, payload;
    bool bad;
    for (size_t k = 1; k <= b->bytes.n; k++) {
        read_in_pieces(&body, b->bytes, k);
        assert_int_equal(walk(binary, buf_view(&body), b->packets, b->n, &bad), b->n);
        assert_false(bad);
        buf_fini(&body);
        if (binary) continue;
        /* the same as a JSONP form, every byte escaped */
        buf_init(&form, 65536);
        buf_init(&payload, 65536);
        assert_true(buf_add_sv(&form, SV("d=")));
        for (size_t i = 0; i < b->bytes.n; i++)
            assert_true(buf_addf(&form, "%%%02X", (unsigned char)b->bytes.p[i]));
        read_in_pieces(&body, buf_view(&form), k);
        assert_true(eio3_jsonp_body(buf_view(&body), &payload, &bad));
        assert_int_equal(walk(false, buf_view(&payload), b->packets, b->n, &bad), b->n);
        assert_false(bad);
        buf_fini(&form);
        buf_fini(&payload);
        buf_fini(&body);
    }
}

static void every_size_of_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(text_bodies); i++)
        check_pieces(false, &text_bodies[i]);
    for (size_t i = 0; i < COUNT(binary_bodies); i++)
        check_pieces(true, &binary_bodies[i]);
}

struct bad_body {
    struct str_view bytes;
    unsigned before; /* packets that were good */
};

static const struct bad_body bad_text_bodies[] = {
    {B(""), 0},
    {B(":"), 0},
    {B("6"), 0},
    {B("4hello"), 0},
    {B(":4hello"), 0},
    {B("a:4hello"), 0},
    {B("-1:4"), 0},
    {B("+1:4"), 0},
    {B(" 1:4"), 0},
    {B("1 :4"), 0},
    {B("0x1:4"), 0},
    {B("1e0:4"), 0},
    {B("1.0:4"), 0},
    {B("01:4"), 0},
    {B("00:"), 0},
    {B("006:4hello"), 0},
    {B("7:4hello"), 0},
    {B("5:4hello"), 1}, /* "o" is no length */
    {B("6:4hello\n"), 1},
    {B("6:4hello6:4hell"), 1},
    {B("99999999999999999999:4"), 0},
    {B("18446744073709551617:4"), 0}, /* 1 modulo 2^64 */
    {B("4294967297:4"), 0},
    {B("1:7"), 0},
    {B("2b4"), 0}, /* what follows the digits is a packet */
    {B("1/4"), 0},
    {B("142"), 0},
    {B("1:21:x"), 1},
    {B("1:b"), 0},
    {B("5:b4AQI"), 0},
    {B("1:2\x1e"
       "1:2"),
     1},
    /* not UTF-8, or cut */
    {B("2:4" SMILE), 0}, /* within the pair */
    {B("3:4" EURO), 0},  /* counted in bytes, or a byte short */
    {B("4:4" EURO), 0},
    {B("2:4\xe2\x82"), 0},
    {B("2:4\xf0\x9f\x98"), 0},
    {B("3:4\xf0\x9f\x98"), 0},
    {B("2:4\x80"), 0},
    {B("2:4\xff"), 0},
    {B("2:4\xc0\x80"), 0},
    {B("2:4\xed\xa0\x80"), 0},
    {B("3:4\xf4\x90\x80\x80"), 0},
    {B("1:\x80"), 0},
    {B("1:4\x80"), 0},
    {B("1:2\x80:"), 0},
    {B("\x80"), 0},
    {B("\xff:4"), 0},
    {B("\0:4"), 0},
};

static const struct bad_body bad_binary_bodies[] = {
    {B("\0"), 0},
    {B("\1"), 0},
    {B("\2\1\xff"
       "4"),
     0},
    {B("\xff"), 0},
    {B("6:4hello"), 0},
    {B("\0\xff"), 0},
    {B("\0\xff"
       "4"),
     0},
    {B("\0\0\xff"), 0},
    {B("\1\0\xff"), 0},
    {B("\0\0\1\xff"
       "4"),
     0},
    {B("\0\2\xff"
       "4"),
     0},
    {B("\0\x0a\xff"
       "4123456789"),
     0},
    {B("\0"
       "1\xff"
       "4"),
     0},
    {B("\0\1\2\3\4\xff"
       "4"),
     0},
    {B("\0\1\xff"
       "4\0\1\xff"
       "7"),
     1},
    {B("\1\1\xff\7"), 0},
    {B("\1\4\xff\4\1\2\3\4"), 1}, /* the document's length, without the type byte */
    {B("\0\1\10\4\4\6\7\4\4\0\7\3\7\0\11\5\5\1\6\1\7\xff"
       "4"),
     0},
    {B("\0\11\11\11\11\11\11\11\11\11\11\11\11\11\11\11\11\11\11\11\11\xff"
       "4"),
     0},
    {B("\0\3\xff"
       "4" EURO),
     0},
    {B("\0\2\xff"
       "4" SMILE),
     0},
    {B("\0\2\xff"
       "4\xff"),
     0},
    {B("\0\1\xff\x80"), 0},
};

static void check_bad(bool binary, const struct bad_body *bodies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool bad;
        unsigned got = walk(binary, bodies[i].bytes, NULL, UINT_MAX, &bad);
        if (!bad || got != bodies[i].before) fail_msg("row %zu: %u packets, bad %d", i, got, bad);
    }
}

static void bad_bodies(void **state)
{
    (void)state;
    check_bad(false, bad_text_bodies, COUNT(bad_text_bodies));
    check_bad(true, bad_binary_bodies, COUNT(bad_binary_bodies));
}

/* 1234 is "1234:" and 01 02 03 04 ff; a byte less is bad. */
static void long_lengths(void **state)
{
    (void)state;
    for (int binary = 0; binary < 2; binary++) {
        struct buf body;
        struct row want = {.type = EIO_MESSAGE, .binary = binary};
        bool bad;
        buf_init(&body, 2000);
        assert_true(buf_add_sv(&body, binary ? SV("\1\1\2\3\4\xff\4") : SV("1234:4")));
        char *to = buf_room(&body, 1233);
        assert_non_null(to);
        memset(to, 'x', 1233);
        body.n += 1233;
        want.data = sv_make(to, 1233);
        assert_int_equal(walk(binary, buf_view(&body), &want, 1, &bad), 1);
        assert_false(bad);
        body.n--;
        assert_int_equal(walk(binary, buf_view(&body), NULL, 1, &bad), 0);
        assert_true(bad);
        buf_fini(&body);
    }
}

/* A length that ends within a character is bad wherever the word-wise look stands then. */
static void pairs_are_not_cut_at_any_place(void **state)
{
    (void)state;
    for (unsigned before = 0; before < 40; before++) {
        char body[100];
        bool bad;
        for (unsigned units = before + 1; units <= before + 4; units++) {
            int n = snprintf(body, sizeof(body), "%u:4%.*s" SMILE, units, (int)before,
                             "1234567890123456789012345678901234567890");
            unsigned got = walk(false, sv_make(body, (size_t)n), NULL, 2, &bad);
            bool whole = units == before + 3;
            assert_int_equal(bad, !whole);
            assert_int_equal(got, whole || units == before + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_packets),
        cmocka_unit_test(the_first_byte_of_a_binary_frame_is_its_type),
        cmocka_unit_test(scratch_bounds_base64),
        cmocka_unit_test(lengths_count_utf16_units),
        cmocka_unit_test(json_can_be_ascii),
        cmocka_unit_test(good_bodies),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_size_of_chunks),
        cmocka_unit_test(bad_bodies),
        cmocka_unit_test(long_lengths),
        cmocka_unit_test(pairs_are_not_cut_at_any_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
