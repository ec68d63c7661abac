/* Engine.IO packets and polling payloads: each type, strict base64, and how a body falls into
 * segments. */
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
#include "proto/eio_packet.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }

static const struct {
    struct str_view text;
    enum eio_type type;
    bool binary;
    struct str_view data;
} good[] = {
    {B("0{\"sid\":\"x\"}"), EIO_OPEN, false, B("{\"sid\":\"x\"}")},
    {B("1"), EIO_CLOSE, false, B("")},
    {B("2"), EIO_PING, false, B("")},
    {B("2probe"), EIO_PING, false, B("probe")},
    {B("3"), EIO_PONG, false, B("")},
    {B("3probe"), EIO_PONG, false, B("probe")},
    {B("4"), EIO_MESSAGE, false, B("")},
    {B("4hello"), EIO_MESSAGE, false, B("hello")},
    {B("4b"), EIO_MESSAGE, false, B("b")},
    {B("44"), EIO_MESSAGE, false, B("4")},
    {B("4\xe2\x82\xac"), EIO_MESSAGE, false, B("\xe2\x82\xac")},
    {B("4\0"), EIO_MESSAGE, false, B("\0")},
    {B("5"), EIO_UPGRADE, false, B("")},
    {B("6"), EIO_NOOP, false, B("")},
    {B("b"), EIO_MESSAGE, true, B("")},
    {B("bAQIDBA=="), EIO_MESSAGE, true, B("\1\2\3\4")},
    {B("bZm9v"), EIO_MESSAGE, true, B("foo")},
    {B("b////"), EIO_MESSAGE, true, B("\xff\xff\xff")},
};

static enum verdict decode_exact(struct str_view text, struct buf *scratch, struct eio_packet *out,
                                 char **copy)
{
    *copy = x_malloc(text.n ? text.n : 1);
    if (text.n) memcpy(*copy, text.p, text.n);
    return eio_packet_decode(sv_make(*copy, text.n), scratch, out);
}

static void each_type_decodes(void **state)
{
    (void)state;
    struct buf scratch;
    buf_init(&scratch, 100);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct eio_packet p;
        char *copy;
        if (decode_exact(good[i].text, &scratch, &p, &copy) != VERDICT_OK) fail_msg("row %zu", i);
        assert_int_equal(p.type, good[i].type);
        assert_int_equal(p.binary, good[i].binary);
        assert_true(sv_eq(p.data, good[i].data));
        x_free(copy);
    }
    buf_fini(&scratch);
}

static const struct str_view bad[] = {
    B(""),           B("7"),          B("8"),           B("9hello"),
    B("abc"),        B(" 4"),         B("/4"),          B(":"),
    B("\0"),         B("-1"),         B("\xff"),        B("\x1e"),
    B("B"),          B("ba"),         B("b="),          B("bAQIDBA="),
    B("bAQIDBA"),    B("bAQIDBA==="), B("bAQID\n"),     B("b AQID"),
    B("bAQIDBB=="),  B("b-_-_"),      B("bb4AQIDBA=="), B("bAQIDBA==AQID"),
    B("b4AQIDBA=="), B("bAQ\0D"),
};

static void what_is_no_packet_is_bad(void **state)
{
    (void)state;
    struct buf scratch;
    buf_init(&scratch, 100);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct eio_packet p;
        char *copy;
        if (decode_exact(bad[i], &scratch, &p, &copy) != VERDICT_BAD) fail_msg("row %zu", i);
        assert_int_equal(scratch.n, 0);
        x_free(copy);
    }
    buf_fini(&scratch);
}

static void only_seven_digits_and_b_begin_a_packet(void **state)
{
    (void)state;
    struct buf scratch;
    buf_init(&scratch, 100);
    for (int c = 0; c < 256; c++) {
        char text[] = {(char)c, 'A', 'A', 'A', 'A'};
        struct eio_packet p;
        bool want = (c >= '0' && c <= '6') || c == 'b';
        assert_int_equal(eio_packet_decode(sv_make(text, 5), &scratch, &p) == VERDICT_OK, want);
    }
    buf_fini(&scratch);
}

static void scratch_bounds_binary_and_is_cleared(void **state)
{
    (void)state;
    struct buf scratch;
    struct eio_packet p;
    buf_init(&scratch, 4);
    assert_int_equal(eio_packet_decode(SV("bAQIDBA=="), &scratch, &p), VERDICT_OK);
    assert_int_equal(eio_packet_decode(SV("bAQIDBAU="), &scratch, &p), VERDICT_BAD);
    assert_int_equal(eio_packet_decode(SV("bAQID"), &scratch, &p), VERDICT_OK);
    assert_true(sv_eq(p.data, SV("\1\2\3")));
    assert_ptr_equal(p.data.p, scratch.p);
    assert_int_equal(eio_packet_decode(SV("4hello"), &scratch, &p), VERDICT_OK);
    assert_int_equal(scratch.n, 0);
    buf_fini(&scratch);
}

static const struct {
    struct str_view body;
    unsigned n;
    struct str_view segments[5];
} payloads[] = {
    {B(""), 1, {B("")}},
    {B("4hello"), 1, {B("4hello")}},
    {B("4hello\x1e"
       "bAQIDBA=="),
     2,
     {B("4hello"), B("bAQIDBA==")}},
    {B("2\x1e"
       "3\x1e"
       "4a"),
     3,
     {B("2"), B("3"), B("4a")}},
    {B("\x1e"), 2, {B(""), B("")}},
    {B("\x1e\x1e"), 3, {B(""), B(""), B("")}},
    {B("2\x1e"), 2, {B("2"), B("")}},
    {B("\x1e"
       "2"),
     2,
     {B(""), B("2")}},
    {B("2\x1e\x1e"
       "3"),
     3,
     {B("2"), B(""), B("3")}},
    {B("4\0\x1e"
       "4\n"),
     2,
     {B("4\0"), B("4\n")}},
};

static void n_separators_make_n_plus_1_segments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct str_view body = payloads[i].body, segment;
        char *copy = x_malloc(body.n ? body.n : 1);
        if (body.n) memcpy(copy, body.p, body.n);
        struct str_view rest = sv_make(copy, body.n);
        bool started = false;
        for (unsigned j = 0; j < payloads[i].n; j++) {
            assert_true(eio_payload_next(&rest, &started, &segment));
            assert_true(sv_eq(segment, payloads[i].segments[j]));
        }
        assert_false(eio_payload_next(&rest, &started, &segment));
        assert_false(eio_payload_next(&rest, &started, &segment));
        x_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_decodes),
        cmocka_unit_test(what_is_no_packet_is_bad),
        cmocka_unit_test(only_seven_digits_and_b_begin_a_packet),
        cmocka_unit_test(scratch_bounds_binary_and_is_cleared),
        cmocka_unit_test(n_separators_make_n_plus_1_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
