/* Base64 in both alphabets: the vectors of RFC 4648, round trips at every length, and that whatever
 * is not the one encoding of some bytes is refused. */
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
#include "proto/b64.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }

static const char std_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

typedef bool (*encode_cb)(struct buf *out, const void *p, size_t n);
typedef bool (*decode_cb)(struct buf *out, struct str_view text);

/* Decodes from memory of exactly that size, behind a byte that must stay. */
static bool decode_exact(decode_cb decode, struct str_view text, struct buf *out)
{
    char *copy = x_malloc(text.n ? text.n : 1);
    if (text.n) memcpy(copy, text.p, text.n);
    buf_init(out, 4096);
    assert_true(buf_add_char(out, '>'));
    bool ok = decode(out, sv_make(copy, text.n));
    assert_int_equal(out->p[0], '>');
    if (!ok) assert_int_equal(out->n, 1);
    if (ok) buf_drop(out, 1);
    x_free(copy);
    return ok;
}

static const struct {
    struct str_view bytes, text, url;
} vectors[] = {
    {B(""), B(""), B("")},
    {B("f"), B("Zg=="), B("Zg")},
    {B("fo"), B("Zm8="), B("Zm8")},
    {B("foo"), B("Zm9v"), B("Zm9v")},
    {B("foob"), B("Zm9vYg=="), B("Zm9vYg")},
    {B("fooba"), B("Zm9vYmE="), B("Zm9vYmE")},
    {B("foobar"), B("Zm9vYmFy"), B("Zm9vYmFy")},
    {B("\1\2\3\4"), B("AQIDBA=="), B("AQIDBA")},
    {B("\xfb\xff\xbf"), B("+/+/"), B("-_-_")},
    {B("\xff\xff\xff\xff"), B("/////w=="), B("_____w")},
    {B("\0\0\0"), B("AAAA"), B("AAAA")},
    {B("{\"alg\":\"HS256\"}"), B("eyJhbGciOiJIUzI1NiJ9"), B("eyJhbGciOiJIUzI1NiJ9")},
};

static void check_vector(encode_cb encode, decode_cb decode, struct str_view bytes,
                         struct str_view text)
{
    struct buf out;
    buf_init(&out, text.n);
    assert_true(encode(&out, bytes.p, bytes.n));
    assert_true(sv_eq(buf_view(&out), text));
    buf_fini(&out);
    assert_true(decode_exact(decode, text, &out));
    assert_true(sv_eq(buf_view(&out), bytes));
    buf_fini(&out);
}

static void vectors_hold_in_both_alphabets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        check_vector(b64_encode, b64_decode, vectors[i].bytes, vectors[i].text);
        check_vector(b64url_encode, b64url_decode, vectors[i].bytes, vectors[i].url);
    }
}

static void every_length_comes_back(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (size_t n = 0; n < 300; n++) {
        char bytes[300];
        struct buf text, url, back;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)((seed = seed * 1103515245u + 12345u) >> 16);
        buf_init(&text, B64_ENCODED_LEN(n)); /* exactly enough */
        buf_init(&url, (n * 4 + 2) / 3);
        assert_true(b64_encode(&text, bytes, n));
        assert_int_equal(text.n, B64_ENCODED_LEN(n));
        assert_true(b64url_encode(&url, bytes, n));
        assert_true(decode_exact(b64_decode, buf_view(&text), &back));
        assert_true(sv_eq(buf_view(&back), sv_make(bytes, n)));
        buf_fini(&back);
        assert_true(decode_exact(b64url_decode, buf_view(&url), &back));
        assert_true(sv_eq(buf_view(&back), sv_make(bytes, n)));
        buf_fini(&back);
        buf_fini(&text);
        buf_fini(&url);
    }
}

/* Each byte at each place of a group: its value if the alphabet has it, else a refusal. */
static void check_bytes(decode_cb decode, const char *chars)
{
    for (int c = 0; c < 256; c++) {
        const char *found = c ? strchr(chars, c) : NULL;
        for (int at = 0; at < 8; at++) {
            char text[8] = "AAAAAAAA";
            struct buf out;
            text[at] = (char)c;
            bool ok = decode_exact(decode, sv_make(text, 8), &out);
            /* padding is no character: "AAAAAAA=" is another text that happens to be valid */
            bool padding = c == '=' && at == 7 && decode == b64_decode;
            assert_int_equal(ok, found != NULL || padding);
            if (found) {
                uint32_t want = (uint32_t)(found - chars) << (18 - 6 * (at % 4));
                const unsigned char *p = (unsigned char *)out.p + at / 4 * 3;
                assert_int_equal(want, (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]);
            }
            buf_fini(&out);
        }
    }
}

static void only_the_alphabet_decodes(void **state)
{
    (void)state;
    check_bytes(b64_decode, std_chars);
    check_bytes(b64url_decode, url_chars);
}

static const struct str_view bad_std[] = {
    B("A"),
    B("AA"),
    B("AAA"),
    B("AAAAA"),
    B("Zg"),
    B("Zg="),
    B("Zm8"),
    B("="),
    B("=="),
    B("==="),
    B("===="),
    B("A==="),
    B("=AAA"),
    B("A=AA"),
    B("AA=A"),
    B("Zg==Zg=="),
    B("AAAA===="),
    B("AAAA="),
    B("AAAA=="),
    B("AAAAA==="),
    B("Zh=="),
    B("AI=="),
    B("AE=="),
    B("AC=="),
    B("AAC="),
    B("Zn=="),
    B("Zm9="),
    B("Zm+="),
    B(" Zm9v"),
    B("Zm9v "),
    B("Zm9v\n"),
    B("Zm\r\n9v=="),
    B("Zm 9"),
    B("Z\0m9"),
    B("-_-_"),
    B("Zm9v-A=="),
    B("Zm9\x80"),
    B("Zm9\xff"),
    B("Zm.v"),
    B("Zm9v\n==="),
    B("\xff\xff\xff\xff"),
    B("AB=="),
    B("AAB="),
};

static const struct str_view bad_url[] = {
    B("A"),    B("AAAAA"), B("Zg=="),  B("Zg="), B("Zm8="), B("Zm9v===="), B("="),
    B("+/+/"), B("Zh"),    B("AI"),    B("AAC"), B("Zm9"),  B("Zm9v "),    B("Z g"),
    B("Zg\n"), B("Z\0"),   B("A\xff"), B("AA."), B("AB"),   B("AAB"),
};

static void what_is_not_strict_is_refused(void **state)
{
    (void)state;
    struct buf out;
    for (size_t i = 0; i < sizeof(bad_std) / sizeof(bad_std[0]); i++) {
        if (decode_exact(b64_decode, bad_std[i], &out)) fail_msg("std %zu", i);
        buf_fini(&out);
    }
    for (size_t i = 0; i < sizeof(bad_url) / sizeof(bad_url[0]); i++) {
        if (decode_exact(b64url_decode, bad_url[i], &out)) fail_msg("url %zu", i);
        buf_fini(&out);
    }
}

/* What decodes is the encoding of what it decodes to: no two texts for the same bytes. */
static void a_short_text_has_one_reading(void **state)
{
    (void)state;
    static const char chars[] = "ABQgw/+-_=8 ";
    const size_t n = sizeof(chars) - 1;
    for (size_t i = 0; i < n * n * n * n; i++) {
        char text[] = {chars[i % n], chars[i / n % n], chars[i / n / n % n], chars[i / n / n / n]};
        struct buf out, again;
        buf_init(&again, 4);
        if (decode_exact(b64_decode, sv_make(text, 4), &out)) {
            assert_true(b64_encode(&again, out.p, out.n));
            assert_true(sv_eq(buf_view(&again), sv_make(text, 4)));
        }
        buf_fini(&again);
        buf_fini(&out);
        for (size_t len = 0; len <= 4; len++) {
            if (decode_exact(b64url_decode, sv_make(text, len), &out)) {
                assert_true(b64url_encode(&again, out.p, out.n));
                assert_true(sv_eq(buf_view(&again), sv_make(text, len)));
            }
            buf_fini(&again);
            buf_fini(&out);
        }
    }
}

static void a_full_buffer_refuses_and_keeps(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4);
    assert_true(buf_add_char(&out, 'x'));
    assert_false(b64_encode(&out, "a", 1));
    assert_int_equal(out.n, 1);
    assert_true(b64url_encode(&out, "a", 1));
    assert_false(b64url_encode(&out, "a", 1));
    assert_int_equal(out.n, 3);
    assert_false(b64_decode(&out, SV("Zm8=")));
    assert_false(b64url_decode(&out, SV("Zm8")));
    assert_int_equal(out.n, 3);
    assert_true(b64_decode(&out, SV("Zg==")));
    assert_true(sv_eq(buf_view(&out), SV("xYQf")));
    assert_true(b64_decode(&out, SV("")) && b64_encode(&out, "", 0));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_hold_in_both_alphabets),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(only_the_alphabet_decodes),
        cmocka_unit_test(what_is_not_strict_is_refused),
        cmocka_unit_test(a_short_text_has_one_reading),
        cmocka_unit_test(a_full_buffer_refuses_and_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
