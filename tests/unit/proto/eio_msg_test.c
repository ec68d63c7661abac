/* The bytes of outgoing messages in their forms, at every size where a WebSocket frame's header
 * changes, against encoders as simple as can be. */
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
#include "util/buf.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/eio_msg.h"

#define LARGEST 65540

static const size_t sizes[] = {0,   1,   2,   3,     4,     123,   124,   125,   126,
                               127, 128, 255, 65533, 65534, 65535, 65536, 65537, LARGEST};
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

static char bytes[LARGEST];
static struct buf want;

static int begin(void **state)
{
    (void)state;
    buf_init(&want, 8 * LARGEST);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 31 + (i >> 8));
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_fini(&want);
    return 0;
}

/* --- what is expected */

static void add(const void *p, size_t n)
{
    assert_true(buf_add(&want, p, n));
}

static void add_header(int first, size_t n)
{
    unsigned char h[10] = {(unsigned char)first};
    size_t size = 2;
    if (n <= 125) {
        h[1] = (unsigned char)n;
    } else if (n <= 65535) {
        h[1] = 126, h[2] = (unsigned char)(n / 256), h[3] = (unsigned char)(n % 256);
        size = 4;
    } else {
        h[1] = 127, h[7] = (unsigned char)(n / 65536);
        h[8] = (unsigned char)(n / 256 % 256), h[9] = (unsigned char)(n % 256);
        size = 10;
    }
    add(h, size);
}

static void add_base64(const char *p, size_t n)
{
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned a = (unsigned char)p[i], b = i + 1 < n ? (unsigned char)p[i + 1] : 0,
                 c = i + 2 < n ? (unsigned char)p[i + 2] : 0;
        char q[4] = {chars[a >> 2], chars[(a & 3) << 4 | b >> 4],
                     i + 1 < n ? chars[(b & 15) << 2 | c >> 6] : '=',
                     i + 2 < n ? chars[c & 63] : '='};
        add(q, 4);
    }
}

static void assert_bytes(struct str_view got)
{
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    buf_clear(&want);
}

static size_t base64_len(size_t n)
{
    return (n + 2) / 3 * 4;
}

/* --- forms */

static void text_at_every_size(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NSIZES; i++) {
        size_t n = sizes[i], cut = n / 3;
        struct eio_msg *m =
            eio_msg_new(sv_make(bytes, cut), sv_make(bytes + cut, n - cut), NULL, 0);
        for (unsigned form = 0; form < 2; form++) {
            add_header(0x81, n + 1);
            add("4", 1);
            add(bytes, n);
            assert_int_equal(eio_msg_size(m), want.n);
            assert_bytes(form ? eio_msg_ws_b64(m) : eio_msg_ws(m));
        }
        add("4", 1);
        add(bytes, n);
        assert_bytes(eio_msg_poll(m));
        eio_msg_rele(m);
    }
}

static void binary_at_every_size(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NSIZES; i++) {
        size_t n = sizes[i];
        struct eio_msg *m = eio_msg_new_binary(sv_make(bytes, n));
        add_header(0x82, n);
        add(bytes, n);
        assert_int_equal(eio_msg_size(m), want.n);
        assert_bytes(eio_msg_ws(m));
        add_header(0x81, 1 + base64_len(n));
        add("b", 1);
        add_base64(bytes, n);
        assert_bytes(eio_msg_ws_b64(m));
        add("b", 1);
        add_base64(bytes, n);
        assert_bytes(eio_msg_poll(m));
        eio_msg_rele(m);
    }
}

static void attachments_follow_their_text(void **state)
{
    struct str_view parts[NSIZES];
    (void)state;
    for (unsigned i = 0; i < NSIZES; i++)
        parts[i] = sv_make(bytes, sizes[i] % 1000);
    for (unsigned n = 0; n <= NSIZES; n++) {
        struct eio_msg *m = eio_msg_new(SV("5x-"), SV("[\"e\"]"), parts, n);
        add_header(0x81, 9);
        add("45x-[\"e\"]", 9);
        for (unsigned i = 0; i < n; i++) {
            add_header(0x82, parts[i].n);
            add(parts[i].p, parts[i].n);
        }
        assert_bytes(eio_msg_ws(m));
        add("45x-[\"e\"]", 9);
        for (unsigned i = 0; i < n; i++) {
            add("\x1e"
                "b",
                2);
            add_base64(parts[i].p, parts[i].n);
        }
        assert_bytes(eio_msg_poll(m));
        add_header(0x81, 9);
        add("45x-[\"e\"]", 9);
        for (unsigned i = 0; i < n; i++) {
            add_header(0x81, 1 + base64_len(parts[i].n));
            add("b", 1);
            add_base64(parts[i].p, parts[i].n);
        }
        assert_bytes(eio_msg_ws_b64(m));
        eio_msg_rele(m);
    }
}

/* --- Engine.IO 3 */

/* A packet of a text payload; units of what follows. */
static void add_length(size_t units)
{
    char text[24];
    add(text, (size_t)snprintf(text, sizeof(text), "%zu:", units));
}

/* What stands before a packet of a binary payload. */
static void add_binary_length(int kind, size_t n)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%zu", n);
    for (int i = 0; i < len; i++)
        text[i] = (char)(text[i] - '0');
    add(kind ? "\1" : "\0", 1);
    add(text, (size_t)len);
    add("\xff", 1);
}

static void v3_text_at_every_size(void **state)
{
    static char ascii[LARGEST];
    (void)state;
    memset(ascii, 'x', sizeof(ascii));
    for (unsigned i = 0; i < NSIZES; i++) {
        size_t n = sizes[i];
        struct eio_msg *m = eio_msg_new(sv_make(ascii, n), SV(""), NULL, 0);
        assert_false(eio_msg_has_binary(m));
        assert_ptr_equal(eio_msg_ws3(m).p, eio_msg_ws(m).p);
        assert_ptr_equal(eio_msg_ws3_b64(m).p, eio_msg_ws(m).p);
        assert_int_equal(eio_msg_ws3(m).n, eio_msg_ws(m).n);
        assert_int_equal(eio_msg_ws3_b64(m).n, eio_msg_ws(m).n);
        add_length(1 + n);
        add("4", 1);
        add(ascii, n);
        assert_bytes(eio_msg_poll3(m));
        add_binary_length(0, 1 + n);
        add("4", 1);
        add(ascii, n);
        assert_bytes(eio_msg_poll3_binary(m));
        eio_msg_rele(m);
    }
}

static void v3_binary_at_every_size(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NSIZES; i++) {
        size_t n = sizes[i];
        struct eio_msg *m = eio_msg_new_binary(sv_make(bytes, n));
        assert_true(eio_msg_has_binary(m));
        add_header(0x82, 1 + n);
        add("\4", 1);
        add(bytes, n);
        assert_bytes(eio_msg_ws3(m));
        add_header(0x81, 2 + base64_len(n));
        add("b4", 2);
        add_base64(bytes, n);
        assert_bytes(eio_msg_ws3_b64(m));
        add_length(2 + base64_len(n));
        add("b4", 2);
        add_base64(bytes, n);
        assert_bytes(eio_msg_poll3(m));
        add_binary_length(1, 1 + n);
        add("\4", 1);
        add(bytes, n);
        assert_bytes(eio_msg_poll3_binary(m));
        eio_msg_rele(m);
    }
}

static void v3_attachments_follow_their_text(void **state)
{
    struct str_view parts[] = {SV("\1\2\3\4"), SV(""), SV("a")};
    (void)state;
    struct eio_msg *m = eio_msg_new(SV("53-"), SV("[\"\xc3\xa4\"]"), parts, 3);
    assert_true(eio_msg_has_binary(m));
    assert_true(sv_eq(eio_msg_ws3(m), SV("\x81\x0a"
                                         "453-[\"\xc3\xa4\"]"
                                         "\x82\5\4\1\2\3\4\x82\1\4\x82\2\4"
                                         "a")));
    assert_true(sv_eq(eio_msg_ws3_b64(m), SV("\x81\x0a"
                                             "453-[\"\xc3\xa4\"]"
                                             "\x81\x0a"
                                             "b4AQIDBA==\x81\2"
                                             "b4\x81\6"
                                             "b4YQ==")));
    assert_true(sv_eq(eio_msg_poll3(m), SV("14:453-[\"\\u00e4\"]10:b4AQIDBA==2:b46:b4YQ==")));
    assert_true(sv_eq(eio_msg_poll3_binary(m), SV("\0\1\0\xff"
                                                  "453-[\"\xc3\xa4\"]"
                                                  "\1\5\xff\4\1\2\3\4\1\1\xff\4\1\2\xff\4"
                                                  "a")));
    eio_msg_rele(m);
}

/* UTF-16 units in text, bytes in binary. */
static void v3_lengths_count_what_the_form_counts(void **state)
{
    static const struct {
        const char *text, *poll, *binary;
    } rows[] = {
        {"hello", "6:4hello",
         "\6\xff"
         "4hello"},
        {"\xe2\x82\xac", "2:4\xe2\x82\xac",
         "\4\xff"
         "4\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", "3:4\xf0\x9f\x98\x80",
         "\5\xff"
         "4\xf0\x9f\x98\x80"},
        {"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
         "5:4\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
         "\1\3\xff"
         "4\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct eio_msg *m = eio_msg_new(sv_of(rows[i].text), SV(""), NULL, 0);
        assert_true(sv_eq(eio_msg_poll3(m), sv_of(rows[i].poll)));
        struct str_view binary = eio_msg_poll3_binary(m);
        assert_int_equal(binary.p[0], 0);
        assert_true(sv_eq(sv_skip(binary, 1), sv_of(rows[i].binary)));
        eio_msg_rele(m);
    }
    struct eio_msg *pong = eio_msg_new_control(EIO_PONG, SV(""));
    assert_true(sv_eq(eio_msg_poll3(pong), SV("1:3")));
    assert_true(sv_eq(eio_msg_ws3(pong), SV("\x81\x01"
                                            "3")));
    eio_msg_rele(pong);
}

/* --- examples and control packets */

/* The examples of the protocol's document. */
static void examples_of_the_protocol(void **state)
{
    (void)state;
    struct eio_msg *m = eio_msg_new(SV("hello"), SV(""), NULL, 0);
    assert_true(sv_eq(eio_msg_ws(m), SV("\x81\x06"
                                        "4hello")));
    eio_msg_rele(m);
    m = eio_msg_new_binary(SV("\1\2\3\4"));
    assert_true(sv_eq(eio_msg_ws(m), SV("\x82\x04\1\2\3\4")));
    assert_true(sv_eq(eio_msg_poll(m), SV("bAQIDBA==")));
    assert_true(sv_eq(eio_msg_ws_b64(m), SV("\x81\x09"
                                            "bAQIDBA==")));
    eio_msg_rele(m);
    m = eio_msg_new_control(EIO_PING, SV(""));
    assert_true(sv_eq(eio_msg_ws(m), SV("\x81\x01"
                                        "2")));
    assert_true(sv_eq(eio_msg_poll(m), SV("2")));
    eio_msg_rele(m);
}

static void control_packets_of_every_type(void **state)
{
    (void)state;
    for (unsigned type = EIO_OPEN; type <= EIO_NOOP; type++) {
        struct eio_msg *m = eio_msg_new_control((enum eio_type)type, sv_make(bytes, 200));
        char digit = (char)('0' + type);
        add_header(0x81, 201);
        add(&digit, 1);
        add(bytes, 200);
        assert_bytes(eio_msg_ws(m));
        assert_ptr_equal(eio_msg_ws_b64(m).p, eio_msg_ws(m).p);
        assert_int_equal(eio_msg_poll(m).p[0], digit);
        assert_int_equal(eio_msg_poll(m).n, 201);
        eio_msg_rele(m);
    }
}

/* --- sharing */

static void forms_are_made_once(void **state)
{
    struct str_view part = SV("abc");
    (void)state;
    struct eio_msg *m = eio_msg_new(SV("x"), SV(""), &part, 1);
    assert_ptr_equal(eio_msg_poll(m).p, eio_msg_poll(m).p);
    assert_ptr_equal(eio_msg_ws_b64(m).p, eio_msg_ws_b64(m).p);
    assert_ptr_not_equal(eio_msg_poll(m).p, eio_msg_ws_b64(m).p);
    assert_ptr_equal(eio_msg_ws3(m).p, eio_msg_ws3(m).p);
    assert_ptr_equal(eio_msg_ws3_b64(m).p, eio_msg_ws3_b64(m).p);
    assert_ptr_equal(eio_msg_poll3(m).p, eio_msg_poll3(m).p);
    assert_ptr_equal(eio_msg_poll3_binary(m).p, eio_msg_poll3_binary(m).p);
    eio_msg_rele(m);
}

/* What was passed in may go at once; the last reference frees (the sanitizer watches). */
static void message_lives_until_its_last_reference(void **state)
{
    (void)state;
    char *text = x_strdup("head"), *data = x_strdup("data");
    struct str_view part = sv_of(data);
    struct eio_msg *m = eio_msg_new(sv_of(text), sv_of(text), &part, 1);
    x_free(text);
    x_free(data);
    for (unsigned i = 0; i < 1000; i++)
        assert_ptr_equal(eio_msg_hold(m), m);
    for (unsigned i = 0; i < 1000; i++)
        eio_msg_rele(m);
    assert_true(sv_eq(eio_msg_poll(m), SV("4headhead\x1e"
                                          "bZGF0YQ==")));
    eio_msg_rele(m);
    eio_msg_rele(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_at_every_size),
        cmocka_unit_test(binary_at_every_size),
        cmocka_unit_test(attachments_follow_their_text),
        cmocka_unit_test(v3_text_at_every_size),
        cmocka_unit_test(v3_binary_at_every_size),
        cmocka_unit_test(v3_attachments_follow_their_text),
        cmocka_unit_test(v3_lengths_count_what_the_form_counts),
        cmocka_unit_test(examples_of_the_protocol),
        cmocka_unit_test(control_packets_of_every_type),
        cmocka_unit_test(forms_are_made_once),
        cmocka_unit_test(message_lives_until_its_last_reference),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
