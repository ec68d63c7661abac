/* Answers of all kinds at every chunk size, and what is refused before it costs anything. */
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
#include "util/x_alloc.h"
/* Io */
#include "io/redis_reply.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX 4096

static const char stream[] =
    "+OK\r\n-ERR no\r\n:-42\r\n$3\r\na\rb\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
    "*3\r\n:1\r\n*2\r\n+x\r\n$-1\r\n$1\r\ny\r\n";

static void check_stream(struct redis_reply **r)
{
    assert_int_equal(redis_reply_kind(r[0]), REDIS_LINK_TEXT);
    assert_true(sv_eq(redis_reply_text(r[0]), SV("OK")));
    assert_int_equal(redis_reply_kind(r[1]), REDIS_LINK_ERROR);
    assert_true(sv_eq(redis_reply_text(r[1]), SV("ERR no")));
    assert_int_equal(redis_reply_kind(r[2]), REDIS_LINK_INT);
    assert_int_equal(redis_reply_int(r[2]), -42);
    assert_true(sv_eq(redis_reply_text(r[2]), SV("")));
    assert_true(sv_eq(redis_reply_text(r[3]), SV("a\rb")));
    assert_int_equal(redis_reply_int(r[3]), 0);
    assert_int_equal(redis_reply_count(r[3]), 0);
    assert_int_equal(redis_reply_kind(r[4]), REDIS_LINK_TEXT);
    assert_int_equal(redis_reply_kind(r[5]), REDIS_LINK_NIL);
    assert_int_equal(redis_reply_kind(r[6]), REDIS_LINK_NIL);
    assert_int_equal(redis_reply_kind(r[7]), REDIS_LINK_ARRAY);
    assert_int_equal(redis_reply_count(r[7]), 0);
    assert_int_equal(redis_reply_count(r[8]), 3);
    const struct redis_reply *inner = redis_reply_at(r[8], 1);
    assert_int_equal(redis_reply_int(redis_reply_at(r[8], 0)), 1);
    assert_int_equal(redis_reply_count(inner), 2);
    assert_true(sv_eq(redis_reply_text(redis_reply_at(inner, 0)), SV("x")));
    assert_int_equal(redis_reply_kind(redis_reply_at(inner, 1)), REDIS_LINK_NIL);
    assert_true(sv_eq(redis_reply_text(redis_reply_at(r[8], 2)), SV("y")));
}

static void all_kinds_at_every_chunk_size(void **state)
{
    (void)state;
    for (size_t chunk = 1; chunk < sizeof(stream); chunk++) {
        struct redis_parser *p = redis_parser_new(MAX);
        struct redis_reply *r[10] = {NULL};
        size_t n = 0;
        for (size_t at = 0; at < sizeof(stream) - 1; at += chunk) {
            size_t left = sizeof(stream) - 1 - at;
            assert_true(redis_parser_feed(p, stream + at, left < chunk ? left : chunk));
            do
                assert_true(n < 10 && redis_parser_next(p, &r[n]));
            while (r[n] && ++n);
        }
        assert_int_equal(n, 9);
        check_stream(r);
        for (size_t i = 0; i < n; i++)
            redis_reply_free(r[i]);
        redis_parser_free(p);
    }
}

/* Feeds text in pieces of a read; true if it is refused, else the bytes are all taken. */
static bool is_refused(const char *text, size_t n, size_t max, char *why, size_t size)
{
    struct redis_parser *p = redis_parser_new(max);
    struct redis_reply *r = NULL;
    bool ok = true;
    for (size_t at = 0; ok && at < n; at += 65536) {
        ok = redis_parser_feed(p, text + at, n - at < 65536 ? n - at : 65536);
        do {
            ok = ok && redis_parser_next(p, &r);
            redis_reply_free(ok ? r : NULL);
        } while (ok && r);
    }
    snprintf(why, size, "%s", ok ? "" : redis_parser_error(p));
    if (!ok) assert_false(redis_parser_next(p, &r));
    redis_parser_free(p);
    return !ok;
}

static void what_is_no_answer_is_refused(void **state)
{
    static const char *const bad[] = {
        "x\r\n",
        "\r\n",
        "*x\r\n",
        "*-2\r\n",
        "*2147483647\r\n",
        "*1366\r\n", /* more than MAX / 3 */
        "*100\r\n*1300\r\n",
        "*99999999999999999999\r\n",
        "$x\r\n",
        "$-2\r\n",
        "$99999999999999999999\r\n",
        ":x\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
    };
    char why[200];
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (!is_refused(bad[i], strlen(bad[i]), MAX, why, sizeof(why)))
            fail_msg("taken: %s", bad[i]);
        assert_true(why[0]);
    }
    assert_false(is_refused("*1365\r\n", 7, MAX, why, sizeof(why)));
    assert_false(
        is_refused("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 28, MAX, why, sizeof(why)));
}

/* head, then n times 'x', then the end of a text. */
static bool long_text_is_refused(const char *head, size_t n, size_t max, bool ends, char *why)
{
    size_t at = strlen(head);
    char *text = x_malloc(at + n + 2);
    memcpy(text, head, at);
    memset(text + at, 'x', n);
    memcpy(text + at + n, "\r\n", 2);
    bool refused = is_refused(text, at + n + (ends ? 2 : 0), max, why, 200);
    x_free(text);
    return refused;
}

static void sizes_are_bounded(void **state)
{
    char why[200];
    (void)state;
    assert_false(long_text_is_refused("$300000\r\n", 300000, 300000, true, why));
    assert_true(long_text_is_refused("$300001\r\n", 300001, 300000, true, why));
    assert_string_equal(why, "an answer is larger than allowed");
    /* It is refused while it comes, not at its end. */
    assert_true(long_text_is_refused("$900000000\r\n", 400000, 300000, false, why));
    assert_string_equal(why, "an answer is larger than allowed");
    assert_false(long_text_is_refused("$900000000\r\n", 200000, 300000, false, why));
    /* Texts of one answer count together. */
    assert_true(
        long_text_is_refused("*2\r\n$10\r\n0123456789\r\n$299991\r\n", 299991, 300000, true, why));
    assert_false(
        long_text_is_refused("*2\r\n$10\r\n0123456789\r\n$299990\r\n", 299990, 300000, true, why));
    /* A line has no such length, however much is allowed. */
    assert_true(long_text_is_refused("+", 140000, 300000, false, why));
    assert_true(long_text_is_refused("*", 140000, 300000, false, why));
    /* The bound is each answer's. */
    for (int i = 0; i < 2; i++)
        assert_false(long_text_is_refused("$4000\r\n", 4000, 4096, true, why));
}

static void half_an_answer_is_freed(void **state)
{
    struct redis_parser *p = redis_parser_new(MAX);
    struct redis_reply *r;
    static const char half[] = "*3\r\n$1\r\na\r\n*2\r\n+b\r\n";
    (void)state;
    assert_true(redis_parser_feed(p, half, sizeof(half) - 1));
    assert_true(redis_parser_next(p, &r));
    assert_null(r);
    redis_parser_free(p);
    redis_parser_free(NULL);
    redis_reply_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_at_every_chunk_size),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(half_an_answer_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
