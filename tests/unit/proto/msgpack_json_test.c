/* MessagePack and JSON text: bytes as notepack.io 3 writes them (taken from it), what it reads
 * besides, and what must be refused. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/json_scan.h"
#include "proto/msgpack_json.h"
/* Tests */
#include "unit/hex.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DEPTH 8
#define MAX_BINS 3

static void assert_text(struct str_view got, const char *want)
{
    struct str_view wanted = sv_make(want, strlen(want)); /* sv_of() takes NULL: gcc would warn */
    if (!sv_eq(got, wanted)) print_error("%.*s, not %.*s\n", SV_ARG(got), SV_ARG(wanted));
    assert_true(sv_eq(got, wanted));
}

/* --- both ways */

static const struct {
    const char *hex, *json;
} same[] = {
    {"00", "0"},
    {"7f", "127"},
    {"cc80", "128"},
    {"ccff", "255"},
    {"cd0100", "256"},
    {"cdffff", "65535"},
    {"ce00010000", "65536"},
    {"ceffffffff", "4294967295"},
    {"cf0000000100000000", "4294967296"},
    {"cf0020000000000000", "9007199254740992"},
    {"cfffffffffffffffff", "18446744073709551615"},
    {"ff", "-1"},
    {"e0", "-32"},
    {"d0df", "-33"},
    {"d080", "-128"},
    {"d1ff7f", "-129"},
    {"d18000", "-32768"},
    {"d2ffff7fff", "-32769"},
    {"d280000000", "-2147483648"},
    {"d3ffffffff7fffffff", "-2147483649"},
    {"d38000000000000000", "-9223372036854775808"},
    {"cb3fb999999999999a", "0.1"},
    {"cb3ff8000000000000", "1.5"},
    {"cb8000000000000000", "-0"},
    {"cb0000000000000001", "5e-324"},
    {"cb444b1ae4d6e2ef50", "1e+21"},
    {"c0", "null"},
    {"c2", "false"},
    {"c3", "true"},
    {"a0", "\"\""},
    {"a161", "\"a\""},
    {"bf78787878787878787878787878787878787878787878787878787878787878",
     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""},
    {"d9207878787878787878787878787878787878787878787878787878787878787878",
     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""},
    {"a9c3a4e282acf09f9880", "\"ä€😀\""},
    {"a5225c0a0b00", "\"\\\"\\\\\\n\\u000b\\u0000\""},
    {"90", "[]"},
    {"80", "{}"},
    {"93019102c0", "[1,[2],null]"},
    {"82a16181a16290a16390", "{\"a\":{\"b\":[]},\"c\":[]}"},
    {"9f000000000000000000000000000000", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]"},
    {"dc001000000000000000000000000000000000", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]"},
    /* a member twice */
    {"82a16101a16102", "{\"a\":1,\"a\":2}"},
};

static void what_notepack_writes_goes_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(same); i++) {
        struct str_view bytes = unhex(same[i].hex);
        struct msgpack_reader r = msgpack_reader_of(bytes);
        struct msgpack_bins bins = {.max = 0};
        struct msgpack_fare fare;
        const char *why;
        for (size_t max = 0; max <= bytes.n; max++) {
            struct buf out;
            buf_init(&out, max);
            bool ok = msgpack_from_json(&out, sv_of(same[i].json), NULL, 0, &fare);
            if (max == bytes.n && !sv_eq(buf_view(&out), bytes)) print_error("%s\n", same[i].hex);
            assert_int_equal(ok, max == bytes.n);
            assert_int_equal(out.n, ok ? max : 0);
            if (ok) assert_true(sv_eq(buf_view(&out), bytes) && !fare.lossy && fare.nbins == 0);
            buf_fini(&out);
        }
        for (size_t max = 0; max <= strlen(same[i].json); max++) {
            struct buf out;
            bool fits = max == strlen(same[i].json);
            struct msgpack_reader again = r;
            buf_init(&out, max);
            assert_int_equal(msgpack_to_json(&again, &out, DEPTH, &bins, &why), fits);
            assert_string_equal(why, fits ? "" : "too large");
            assert_text(buf_view(&out), fits ? same[i].json : "");
            buf_fini(&out);
        }
        unhex_free(bytes);
    }
}

/* --- JSON to MessagePack */

static const struct {
    const char *json, *hex;
    bool lossy;
} from_json[] = {
    {" [ 1 , { \"a\" : [ ] , \"b\" : { } } ] ", "920182a16190a16280", false},
    {"1.0", "01", false},
    {"1e2", "64", false},
    {"-1.5e1", "f1", false},
    {"-0.0", "cb8000000000000000", false},
    {"0.8394848392839283", "cb3feadd0f4f46cb10", false},
    {"18446744073709551616", "cb43f0000000000000", true},
    {"-9223372036854775809", "cbc3e0000000000000", true},
    {"1000000000000000000000", "cb444b1ae4d6e2ef50", true},
    {"3.14159265358979323846", "cb400921fb54442d18", true},
    {"1e400", "cb7ff0000000000000", true},
    {"1e-400", "00", true},
    {"\"\\u00e4\\/\\ud83d\\ude00\"", "a7c3a42ff09f9880", false},
    {"\"a\\ud800\"", "a461efbfbd", true},
    {"\"\\udc00\\ud800x\"", "a7efbfbdefbfbd78", true},
    {"{\"\\ud800\":1}", "81a3efbfbd01", true},
    /* no attachments: plain data */
    {"{\"_placeholder\":true,\"num\":0}", "82ac5f706c616365686f6c646572c3a36e756d00", false},
};

static void json_becomes_messagepack(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(from_json); i++) {
        struct msgpack_fare fare;
        struct buf out;
        buf_init(&out, 256);
        assert_true(msgpack_from_json(&out, sv_of(from_json[i].json), NULL, 0, &fare));
        char *hex = hex_of(buf_view(&out));
        assert_string_equal(hex, from_json[i].hex);
        if (fare.lossy != from_json[i].lossy) print_error("%s\n", from_json[i].json);
        assert_int_equal(fare.lossy, from_json[i].lossy);
        x_free(hex);
        buf_fini(&out);
    }
}

#define P(num) "{\"_placeholder\":true,\"num\":" num "}"
#define NO MSGPACK_NOWHERE

/* Attachments: A, B, C. */
static const struct {
    const char *json, *hex;
    uint8_t place[MAX_BINS];
    unsigned nbins;
    bool lossy;
} binary[] = {
    {"[" P("0") "," P("1") "," P("2") "]", "93c40141c40142c40143", {0, 1, 2}, 3, false},
    {"[" P("2") ",{\"a\":" P("0") "}]", "92c4014381a161c40141", {1, NO, 0}, 2, false},
    {"[" P("1") "," P("1") "]", "92c40142c40142", {NO, 0, NO}, 2, true},
    {P("1"), "c40142", {NO, 0, NO}, 1, false},
    {"[1]", "9101", {NO, NO, NO}, 0, false},
    /* other spellings */
    {"[{ \"num\" : 2, \"x\":[{}], \"\\u005fplaceholder\" : true }]",
     "91c40143",
     {NO, NO, 0},
     1,
     false},
    {"{\"_placeholder\":false,\"_placeholder\":true,\"num\":7,\"num\":1}",
     "c40142",
     {NO, 0, NO},
     1,
     false},
    {"[{\"_placeholder\":true,\"num\":1,\"y\":0}]", "91c40142", {NO, 0, NO}, 1, false},
    /* what is in a placeholder is no part of it */
    {"[{\"_placeholder\":true,\"num\":1,\"y\":[" P("0") ",[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]]}," P(
         "2") "]",
     "92c40142c40143",
     {NO, 0, 1},
     2,
     false},
    /* no placeholders */
    {"[{\"_placeholder\":1,\"num\":1},{\"_placeholder\":true,\"num\":0,\"_placeholder\":false}]",
     "9282ac5f706c616365686f6c64657201a36e756d0183ac5f706c616365686f6c646572c3a36e756d00"
     "ac5f706c616365686f6c646572c2",
     {NO, NO, NO},
     0,
     false},
    {"[{\"num\":1},{\"_placeholder\":[true],\"num\":0}]",
     "9281a36e756d0182ac5f706c616365686f6c64657291c3a36e756d00",
     {NO, NO, NO},
     0,
     false},
};

static void placeholders_become_binary(void **state)
{
    static const struct str_view attachments[] = {{"A", 1}, {"B", 1}, {"C", 1}};
    (void)state;
    for (size_t i = 0; i < COUNT(binary); i++) {
        struct str_view json = sv_of(binary[i].json);
        struct msgpack_fare fare;
        struct buf out;
        const char *why;
        enum json_kind kind;
        assert_true(json_scan_value(json, DEPTH, MAX_BINS, &kind, &why));
        buf_init(&out, 256);
        assert_true(msgpack_from_json(&out, json, attachments, MAX_BINS, &fare));
        char *hex = hex_of(buf_view(&out));
        assert_string_equal(hex, binary[i].hex);
        assert_int_equal(fare.nbins, binary[i].nbins);
        assert_int_equal(fare.lossy, binary[i].lossy);
        assert_memory_equal(fare.place, binary[i].place, MAX_BINS);
        x_free(hex);
        buf_fini(&out);
    }
}

static void there_are_only_so_many_binary_values(void **state)
{
    struct str_view attachment = SV("A");
    struct msgpack_fare fare;
    struct buf json, out;
    (void)state;
    buf_init(&json, 4096);
    buf_init(&out, 4096);
    for (unsigned n = 0; n <= SIO_ATTACHMENTS_LIMIT; n++) {
        assert_true(buf_add_sv(&json, n ? SV("," P("0")) : SV("[" P("0"))));
        assert_true(buf_add_char(&json, ']'));
        assert_int_equal(msgpack_from_json(&out, buf_view(&json), &attachment, 1, &fare),
                         n < SIO_ATTACHMENTS_LIMIT);
        assert_int_equal(out.n == 0, n == SIO_ATTACHMENTS_LIMIT);
        buf_clear(&out);
        json.n--;
    }
    buf_fini(&json);
    buf_fini(&out);
}

/* Heads of three and five bytes at many places, within each other. */
static void many_elements_get_longer_heads(void **state)
{
    struct msgpack_bins bins = {.max = 0};
    struct msgpack_fare fare;
    struct buf json, pack, again;
    const char *why;
    (void)state;
    buf_init(&json, 1 << 20);
    buf_init(&pack, 1 << 20);
    buf_init(&again, 1 << 20);
    assert_true(buf_add_sv(&json, SV("{\"a\":[")));
    for (int i = 0; i < 17; i++) {
        assert_true(buf_add_sv(&json, i ? SV(",[[[") : SV("[[[")));
        for (int k = 0; k < 17; k++)
            assert_true(buf_addf(&json, "%s{\"k%d\":[%d]}", k ? "," : "", k, i * k));
        assert_true(buf_add_sv(&json, SV("],1],2]")));
    }
    assert_true(buf_add_sv(&json, SV("],\"b\":[0")));
    for (int i = 1; i < 70000; i++)
        assert_true(buf_add_sv(&json, SV(",0")));
    assert_true(buf_add_sv(&json, SV("]")));
    for (int i = 0; i < 20; i++)
        assert_true(buf_addf(&json, ",\"m%d\":{}", i));
    assert_true(buf_add_char(&json, '}'));
    assert_true(msgpack_from_json(&pack, buf_view(&json), NULL, 0, &fare));
    assert_memory_equal(pack.p, "\xde\x00\x16\xa1\x61\xdc\x00\x11\x92\x92\xdc\x00\x11\x81\xa2k0",
                        17);
    struct msgpack_reader r = msgpack_reader_of(buf_view(&pack));
    assert_true(msgpack_to_json(&r, &again, DEPTH, &bins, &why));
    assert_true(r.p == r.end && sv_eq(buf_view(&again), buf_view(&json)));
    buf_fini(&json);
    buf_fini(&pack);
    buf_fini(&again);
}

/* Wide at each of many levels: what costs depth times length would take minutes. */
static void deep_and_wide_text_takes_linear_time(void **state)
{
    enum { LEVELS = 1000, WIDTH = 800 };
    struct msgpack_bins bins = {.max = 0};
    struct msgpack_fare fare;
    struct buf json, pack, again;
    const char *why;
    (void)state;
    buf_init(&json, 8 << 20);
    buf_init(&pack, 8 << 20);
    buf_init(&again, 8 << 20);
    for (int i = 0; i < LEVELS; i++)
        assert_true(buf_add_char(&json, '['));
    for (int i = 0; i < LEVELS; i++) {
        assert_true(buf_add_char(&json, '0'));
        for (int k = 0; k < WIDTH; k++)
            assert_true(buf_add_sv(&json, SV(",0")));
        assert_true(buf_add_sv(&json, i + 1 < LEVELS ? SV("],") : SV("]")));
    }
    assert_true(msgpack_from_json(&pack, buf_view(&json), NULL, 0, &fare));
    struct msgpack_reader r = msgpack_reader_of(buf_view(&pack)), s = r;
    assert_true(msgpack_skip(&s) && s.p == s.end);
    assert_true(msgpack_to_json(&r, &again, JSON_DEPTH_LIMIT, &bins, &why));
    assert_true(sv_eq(buf_view(&again), buf_view(&json)));
    buf_fini(&json);
    buf_fini(&pack);
    buf_fini(&again);
}

/* --- MessagePack to JSON */

static const struct {
    const char *hex, *json;
    unsigned nbins;
} to_json[] = {
    /* numbers */
    {"ca3fc00000", "1.5", 0},
    {"ca7f800000", "null", 0},
    {"cb7ff8000000000000", "null", 0},
    {"cbfff0000000000000", "null", 0},
    {"cb4014000000000000", "5", 0},
    {"d07f", "127", 0},
    {"d3000000000000ffff", "65535", 0},
    {"cf0000000000000001", "1", 0},
    /* dates */
    {"d6ff00000000", "\"1970-01-01T00:00:00.000Z\"", 0},
    {"d6ff6553f100", "\"2023-11-14T22:13:20.000Z\"", 0},
    {"d7ff003d090000000000", "\"1970-01-01T00:00:00.001Z\"", 0},
    {"c70cff3b8b87c0ffffffffffffffff", "\"1969-12-31T23:59:59.999Z\"", 0},
    {"c70cff000000000000000400000000", "\"2514-05-30T01:53:04.000Z\"", 0},
    {"d6ff3a4e7700", "\"2000-12-31T00:00:00.000Z\"", 0},
    {"d6ff38bbbcf0", "\"2000-02-29T12:34:56.000Z\"", 0},
    {"c70cff00000000ffffffff7ca34a00", "\"1900-03-01T00:00:00.000Z\"", 0},
    {"c70cff00000000fffffff1868b8400", "\"0000-01-01T00:00:00.000Z\"", 0},
    {"c70cff3b8b87c0fffffff1868b83ff", "\"-000001-12-31T23:59:59.999Z\"", 0},
    {"c70cff3b8b87c00000003afff4417f", "\"9999-12-31T23:59:59.999Z\"", 0},
    {"c70cff000000000000003afff44180", "\"+010000-01-01T00:00:00.000Z\"", 0},
    {"c70cff00000000fffff82457de8000", "\"-271821-04-20T00:00:00.000Z\"", 0},
    {"c70cff00000000000007dba8218000", "\"+275760-09-13T00:00:00.000Z\"", 0},
    {"c70cff00000000000007dba8218001", "null", 0},
    {"c70cff000000007fffffffffffffff", "null", 0},
    {"c70cff3b8b87c1ffffffffffffffff", "\"1970-01-01T00:00:00.000Z\"", 0},
    {"d7ff3b9ac9fc00000000", "\"1970-01-01T00:00:00.249Z\"", 0},
    {"d7000000018bcfe56800", "\"2023-11-14T22:13:20.000Z\"", 0},
    {"d700fffffffffffffffe", "\"1969-12-31T23:59:59.998Z\"", 0},
    /* undefined */
    {"d40000", "null", 0},
    {"92d40000d40001", "[null,null]", 0},
    {"81a161d40000", "{}", 0},
    {"83a161d40000a16201a163d40000", "{\"b\":1}", 0},
    {"81a161c0", "{\"a\":null}", 0},
    /* binary, as it is and in notepack's old way */
    {"c40141", P("0"), 1},
    {"92c5000141c600000001 42", "[" P("0") "," P("1") "]", 2},
    {"82a16181a162c40141a163c40142", "{\"a\":{\"b\":" P("0") "},\"c\":" P("1") "}", 2},
    {"93c7010041c800010042c9000000010043", "[" P("0") "," P("1") "," P("2") "]", 3},
    {"c70000", P("0"), 1},
    {"c7080000000000000000 00", P("0"), 1},
    /* other ext types */
    {"d40541", "[5," P("0") "]", 1},
    {"d5ff4142", "[-1," P("0") "]", 1},
    {"d68041424344", "[-128," P("0") "]", 1},
    {"d80100000000000000000000000000000000", "[1," P("0") "]", 1},
    {"d50041 42", "[0," P("0") "]", 1},
    {"c7030141 4243", "[1," P("0") "]", 1},
    {"c704ff00000000", "[-1," P("0") "]", 1},
    /* keys */
    {"8100c0", "{\"0\":null}", 0},
    {"81ffc0", "{\"-1\":null}", 0},
    {"81cb3ff8000000000000c0", "{\"1.5\":null}", 0},
    {"81c0c3", "{\"null\":true}", 0},
    {"81c2c3", "{\"false\":true}", 0},
    {"81c40161c3", "{\"a\":true}", 0},
    {"8201a16101a162", "{\"1\":\"a\",\"1\":\"b\"}", 0},
    /* texts that are not UTF-8: a byte alone, a cut character, an overlong one, a surrogate */
    {"a161", "\"a\"", 0},
    {"a3ff2261", "\"\xef\xbf\xbd\\\"a\"", 0},
    {"a4c3a40ae2", "\"ä\\n\xef\xbf\xbd\"", 0},
    {"a2c0af", "\"\xef\xbf\xbd\xef\xbf\xbd\"", 0},
    {"a4eda08061",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
     "a\"",
     0},
    {"a9616161616161616161", "\"aaaaaaaaa\"", 0},
    {"a9616161616161610a61", "\"aaaaaaa\\na\"", 0},
    /* as deep as is allowed */
    {"9191919191919190", "[[[[[[[[]]]]]]]]", 0},
};

static void messagepack_becomes_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(to_json); i++) {
        struct str_view bytes = unhex(to_json[i].hex), views[MAX_BINS];
        struct msgpack_reader r = msgpack_reader_of(bytes);
        struct msgpack_bins bins = {.views = views, .max = MAX_BINS};
        struct buf out;
        const char *why;
        enum json_kind kind;
        buf_init(&out, 256);
        bool ok = msgpack_to_json(&r, &out, DEPTH, &bins, &why);
        if (!ok) print_error("%s: %s\n", to_json[i].hex, why);
        assert_true(ok);
        assert_text(buf_view(&out), to_json[i].json);
        assert_true(json_scan_value(buf_view(&out), DEPTH, (int)bins.n, &kind, &why));
        assert_int_equal(bins.n, to_json[i].nbins);
        assert_true(r.p == r.end && !bins.has_forged);
        unhex_free(bytes);
        buf_fini(&out);
    }
}

static void binary_values_are_lent_in_order(void **state)
{
    struct str_view bytes = unhex("93c402414281a161c4014390"), views[MAX_BINS];
    struct msgpack_reader r = msgpack_reader_of(bytes);
    struct msgpack_bins bins = {.views = views, .n = 1, .max = MAX_BINS};
    struct buf out;
    const char *why;
    (void)state;
    buf_init(&out, 256);
    assert_true(msgpack_to_json(&r, &out, DEPTH, &bins, &why));
    assert_text(buf_view(&out), "[" P("1") ",{\"a\":" P("2") "},[]]");
    assert_int_equal(bins.n, 3);
    assert_true(sv_eq(views[1], SV("AB")) && sv_eq(views[2], SV("C")));
    assert_ptr_equal(views[1].p, bytes.p + 3);
    unhex_free(bytes);
    buf_fini(&out);
}

static void a_forged_placeholder_is_noted(void **state)
{
    static const char *const forged[] = {"81ac5f706c616365686f6c646572c3",
                                         "9181c40c5f706c616365686f6c646572c3"};
    (void)state;
    for (size_t i = 0; i < COUNT(forged); i++) {
        struct str_view bytes = unhex(forged[i]);
        struct msgpack_reader r = msgpack_reader_of(bytes);
        struct msgpack_bins bins = {.max = 0};
        struct buf out;
        const char *why;
        buf_init(&out, 256);
        assert_true(msgpack_to_json(&r, &out, DEPTH, &bins, &why));
        assert_true(bins.has_forged);
        unhex_free(bytes);
        buf_fini(&out);
    }
}

static const struct {
    const char *hex, *why;
} refused[] = {
    {"", "malformed MessagePack"},
    {"c1", "malformed MessagePack"},
    {"91", "malformed MessagePack"},
    {"81a161", "malformed MessagePack"},
    {"a2 61", "malformed MessagePack"},
    {"cb00", "malformed MessagePack"},
    {"d4", "malformed MessagePack"},
    {"d400", "malformed MessagePack"},
    {"c70cff00", "malformed MessagePack"},
    {"ddffffffff0000000000", "malformed MessagePack"},
    {"dfffffffff0000000000", "malformed MessagePack"},
    {"df800000000000000000", "malformed MessagePack"},
    {"dbffffffff0000000000", "malformed MessagePack"},
    {"c6ffffffff0000000000", "malformed MessagePack"},
    {"c9ffffffff0000000000", "malformed MessagePack"},
    {"91dd00000005 00000000", "malformed MessagePack"},
    {"8190c0", "a key that is no text"},
    {"8180c0", "a key that is no text"},
    {"8181d40000", "a key that is no text"},
    {"81d40000c0", "a key that is no text"},
    {"81d6ff00000000c0", "a key that is no text"},
    {"919191919191919190", "nested too deep"},
    {"9191919191919191c40141", "nested too deep"},
    {"91919191919191d40141", "nested too deep"},
    {"94c40141c40141c40141c40141", "too many attachments"},
};

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct str_view bytes = unhex(refused[i].hex), views[MAX_BINS];
        struct msgpack_reader r = msgpack_reader_of(bytes);
        struct msgpack_bins bins = {.views = views, .max = MAX_BINS};
        struct buf out;
        const char *why;
        buf_init(&out, 256);
        assert_true(buf_add_char(&out, 'x'));
        assert_false(msgpack_to_json(&r, &out, DEPTH, &bins, &why));
        if (strcmp(why, refused[i].why) != 0) print_error("%s\n", refused[i].hex);
        assert_string_equal(why, refused[i].why);
        assert_int_equal(out.n, 1);
        unhex_free(bytes);
        buf_fini(&out);
    }
}

/* Every vector, cut at every place; skipping says the same. */
static void what_is_cut_short_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(same) + COUNT(to_json); i++) {
        struct str_view bytes = unhex(i < COUNT(same) ? same[i].hex : to_json[i - COUNT(same)].hex);
        for (size_t n = 0; n <= bytes.n; n++) {
            char *cut = x_realloc(x_memdup(bytes.p, n), n ? n : 1);
            struct str_view views[MAX_BINS];
            struct msgpack_reader r = msgpack_reader_of(sv_make(cut, n)), s = r;
            struct msgpack_bins bins = {.views = views, .max = MAX_BINS};
            struct buf out;
            const char *why;
            buf_init(&out, 256);
            assert_int_equal(msgpack_to_json(&r, &out, DEPTH, &bins, &why), n == bytes.n);
            assert_int_equal(msgpack_skip(&s), n == bytes.n);
            x_free(cut);
            buf_fini(&out);
        }
        unhex_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_notepack_writes_goes_both_ways),
        cmocka_unit_test(json_becomes_messagepack),
        cmocka_unit_test(placeholders_become_binary),
        cmocka_unit_test(there_are_only_so_many_binary_values),
        cmocka_unit_test(many_elements_get_longer_heads),
        cmocka_unit_test(deep_and_wide_text_takes_linear_time),
        cmocka_unit_test(messagepack_becomes_json),
        cmocka_unit_test(binary_values_are_lent_in_order),
        cmocka_unit_test(a_forged_placeholder_is_noted),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(what_is_cut_short_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
