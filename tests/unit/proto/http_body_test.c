/* The reader of chunked bodies: every input is fed whole, cut at every place, and byte by byte; the
 * body, the bytes taken and the verdict must be the same each time. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/http_head.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define BODY_MAX 1000

struct result {
    enum verdict verdict;
    int status;
    size_t used;
    struct buf body;
};

/* Feeds in pieces of at most `piece` bytes, the first of `first` bytes; stops at a verdict. */
static struct result feed(struct str_view in, size_t first, size_t piece, size_t max)
{
    struct result r = {.verdict = VERDICT_MORE};
    struct http_chunked c = {0};
    size_t n = first;

    buf_init(&r.body, max);
    for (struct str_view rest = in; r.verdict == VERDICT_MORE; n = piece) {
        if (n > rest.n) n = rest.n;
        size_t used = SIZE_MAX;
        char *copy = x_malloc(n ? n : 1); /* of exact size: the sanitizer sees a look behind it */
        memcpy(copy, rest.p, n);
        r.verdict = http_chunked_feed(&c, copy, n, &used, &r.body, &r.status);
        x_free(copy);
        assert_true(used <= n);
        if (r.verdict == VERDICT_MORE) assert_int_equal(used, n);
        r.used += used;
        rest = sv_skip(rest, used);
        if (!rest.n && r.verdict == VERDICT_MORE) break;
    }
    if (r.verdict != VERDICT_MORE) { /* a verdict lasts, and takes nothing more */
        size_t used = SIZE_MAX, before = r.body.n;
        int status = 0;
        assert_int_equal(http_chunked_feed(&c, "1\r\na", 4, &used, &r.body, &status), r.verdict);
        assert_int_equal(used, 0);
        assert_int_equal(r.body.n, before);
        if (r.verdict == VERDICT_BAD) assert_int_equal(status, r.status);
    }
    return r;
}

static void assert_feed(struct str_view in, size_t max, const struct result *want)
{
    for (size_t first = 0; first <= in.n + 1; first++) {
        /* the last round is byte by byte, the others are cut once */
        bool bytewise = first == in.n + 1;
        struct result r = bytewise ? feed(in, 1, 1, max) : feed(in, first, SIZE_MAX, max);
        if (r.verdict != want->verdict || r.status != want->status)
            fail_msg("cut %zu: verdict %d status %d, want %d %d: %s", first, r.verdict, r.status,
                     want->verdict, want->status, in.p);
        if (want->verdict != VERDICT_BAD) {
            assert_int_equal(r.used, want->used);
            assert_int_equal(r.body.n, want->body.n);
            if (r.body.n) assert_memory_equal(r.body.p, want->body.p, r.body.n);
        }
        assert_true(r.body.n <= max);
        buf_fini(&r.body);
    }
}

struct body_case {
    struct str_view in, body;
    size_t left; /* bytes that belong to the next request */
};

static void good_bodies_are_read(void **state)
{
    (void)state;
    static const struct body_case cases[] = {
        {B("0\r\n\r\n"), B(""), 0},
        {B("0\r\n\r\nGET / HTTP/1.1\r\n"), B(""), 16},
        {B("3\r\nabc\r\n0\r\n\r\n"), B("abc"), 0},
        {B("3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n0\r\n\r\n"), B("abcdefg"), 5},
        {B("a\r\n0123456789\r\n0\r\n\r\n"), B("0123456789"), 0},
        {B("A\r\n0123456789\r\n00\r\n\r\n"), B("0123456789"), 0},
        {B("0000000000000002\r\n\r\n\r\n0000000000000000\r\n\r\n"), B("\r\n"), 0},
        {B("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), B("0\r\n\r\n"), 0},
        {B("1;a\r\n\x00\r\n0;b=\"c;d\";\xff\t \r\n\r\nx"), B("\0"), 1},
        {B("1;\r\na\r\n0\r\nA: b\r\nc:\r\n!~:\t\x80\r\n\r\nyz"), B("a"), 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result want = {.verdict = VERDICT_OK, .used = cases[i].in.n - cases[i].left};
        buf_init(&want.body, BODY_MAX);
        assert_true(buf_add_sv(&want.body, cases[i].body));
        assert_feed(cases[i].in, BODY_MAX, &want);
        buf_fini(&want.body);
    }
}

static void every_start_of_a_good_body_is_incomplete(void **state)
{
    (void)state;
    struct str_view in = SV("3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nT: v\r\nU:\r\n\r\n");
    for (size_t n = 0; n < in.n; n++) {
        struct result r = feed(sv_make(in.p, n), n, SIZE_MAX, BODY_MAX);
        assert_int_equal(r.verdict, VERDICT_MORE);
        assert_int_equal(r.used, n);
        buf_fini(&r.body);
    }
}

struct bad_case {
    int status;
    struct str_view in;
};

static void bad_framing_is_refused(void **state)
{
    (void)state;
    static const struct bad_case cases[] = {
        {400, B("\r\n")},
        {400, B("\n")},
        {400, B("g\r\n")},
        {400, B("-1\r\n")},
        {400, B("+1\r\na\r\n")},
        {400, B("0x1\r\na\r\n")},
        {400, B(" 1\r\na\r\n")},
        {400, B("1 \r\na\r\n")},
        {400, B("1 ;a\r\na\r\n")},
        {400, B("1\t\r\na\r\n")},
        {400, B("1_0\r\n")},
        {400, B("1,1\r\n")},
        {400, B("1\x00\r\na\r\n")},
        {400, B(";a\r\n")},
        {400, B("1\na\r\n0\r\n\r\n")},
        {400, B("1\r\r\na\r\n")},
        {400, B("1\ra\r\n")},
        {400, B("1;\na\r\n")},
        {400, B("1;a\rb\r\na\r\n")},
        {400, B("1;a\x00\r\na\r\n")},
        {400, B("1;a\x1f\r\na\r\n")},
        {400, B("1;a\x7f\r\na\r\n")},
        {400, B("1\r\na\n0\r\n\r\n")},
        {400, B("1\r\na0\r\n\r\n")},
        {400, B("1\r\nab\r\n0\r\n\r\n")},
        {400, B("1\r\na\r0\r\n\r\n")},
        {400, B("1\r\na\r\n\r\n")},
        {400, B("1\rXa\r\n0\r\n\r\n")}, /* each line end on its own */
        {400, B("1\r\naX\n0\r\n\r\n")},
        {400, B("1\r\na\rX0\r\n\r\n")},
        {400, B("2\r\na\r\n0\r\n\r\n")},
        {400, B("00000000000000001\r\n")}, /* 17 digits */
        {400, B("10000000000000001\r\n")}, /* … that would wrap to 1 */
        {400, B("0\r\n\n")},
        {400, B("0\r\n\rX")},
        {400, B("0\n\r\n")},
        {400, B("0\r\nGET / HTTP/1.1\r\n")}, /* a request is no trailer */
        {400, B("0\r\nA\r\n\r\n")},
        {400, B("0\r\n: b\r\n\r\n")},
        {400, B("0\r\nA : b\r\n\r\n")},
        {400, B("0\r\nA: b\r\n c\r\n\r\n")},
        {400, B("0\r\nA: b\n\r\n")},
        {400, B("0\r\nA: b\rc\r\n\r\n")},
        {400, B("0\r\nA: b\x00\r\n\r\n")},
        {400, B("0\r\nA: b\x7f\r\n\r\n")},
        {413, B("ffffffffffffffff\r\n")},
        {413, B("3e9\r\n")},
        {413, B("1\r\na\r\n3e8\r\n")},
        {413, B("1\r\na\r\nffffffffffffffff\r\n")}, /* the sum would wrap */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result want = {.verdict = VERDICT_BAD, .status = cases[i].status};
        assert_feed(cases[i].in, BODY_MAX, &want);
    }
}

static void body_is_bounded_before_its_bytes_are_here(void **state)
{
    (void)state;
    struct str_view in = SV("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
    for (size_t max = 0; max <= 6; max++) {
        struct result r = feed(in, in.n, SIZE_MAX, max);
        assert_int_equal(r.verdict, max < 5 ? VERDICT_BAD : VERDICT_OK);
        if (max < 5) assert_int_equal(r.status, 413);
        assert_int_equal(r.body.n, max < 2 ? 0 : max < 5 ? 2 : 5);
        buf_fini(&r.body);
    }
    /* What is in the buffer already counts. */
    struct http_chunked c = {0};
    struct buf body;
    size_t used;
    int status = 0;
    buf_init(&body, 6);
    assert_true(buf_add_sv(&body, SV("xy")));
    assert_int_equal(http_chunked_feed(&c, in.p, in.n, &used, &body, &status), VERDICT_BAD);
    assert_int_equal(status, 413);
    assert_int_equal(body.n, 4);
    buf_fini(&body);
}

/* A body whose last size line, or whose trailers, are n bytes long in all. */
static struct str_view long_size_line(struct buf *b, size_t n)
{
    buf_clear(b);
    assert_true(buf_add_sv(b, SV("0;")));
    while (b->n < n)
        assert_true(buf_add_char(b, 'x'));
    assert_true(buf_add_sv(b, SV("\r\n\r\n")));
    return buf_view(b);
}

static struct str_view long_trailers(struct buf *b, size_t n, size_t line)
{
    buf_clear(b);
    assert_true(buf_add_sv(b, SV("0\r\n")));
    for (size_t left = n - 2, take; left; left -= take) {
        take = left < 2 * line ? left : line;
        assert_true(buf_addf(b, "%-*s\r\n", (int)take - 2, "A:"));
    }
    assert_true(buf_add_sv(b, SV("\r\n")));
    return buf_view(b);
}

static void assert_bounded(struct str_view in, enum verdict want)
{
    for (size_t piece = 1; piece <= in.n; piece = piece < 8 ? piece + 1 : piece * 2) {
        struct result r = feed(in, piece, piece, 0);
        assert_int_equal(r.verdict, want);
        if (want == VERDICT_BAD) assert_int_equal(r.status, 400);
        if (want == VERDICT_OK) assert_int_equal(r.used, in.n);
        buf_fini(&r.body);
    }
}

static void extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8192);
    assert_bounded(long_size_line(&b, 256), VERDICT_OK);
    assert_bounded(long_size_line(&b, 257), VERDICT_BAD);
    for (size_t line = 10; line < 8192; line *= 7) {
        assert_bounded(long_trailers(&b, 4096, line), VERDICT_OK);
        assert_bounded(long_trailers(&b, 4097, line), VERDICT_BAD);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_bodies_are_read),
        cmocka_unit_test(every_start_of_a_good_body_is_incomplete),
        cmocka_unit_test(bad_framing_is_refused),
        cmocka_unit_test(body_is_bounded_before_its_bytes_are_here),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
    };
    return cmocka_run_group_tests_name("http_body", tests, NULL, NULL);
}
