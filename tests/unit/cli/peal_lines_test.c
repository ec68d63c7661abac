/* Lines of a stream, however it is cut into pieces. */
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
/* Cli */
#include "cli/peal_lines.h"

#define MAX 5

/* What is told: "1:text|", "2:LONG|". */
static void drain(struct peal_lines *l, struct buf *told)
{
    struct str_view line;
    for (enum peal_line kind; (kind = peal_lines_next(l, &line)) != PEAL_LINE_NONE;) {
        if (kind == PEAL_LINE_LONG) line = SV("LONG");
        assert_true(buf_addf(told, "%llu:%.*s|", (unsigned long long)l->number, SV_ARG(line)));
    }
}

static const struct {
    const char *input, *told;
} cases[] = {
    {"", ""},
    {"a", "1:a|"},
    {"a\n", "1:a|"},
    {"a\nbc\n\nd", "1:a|2:bc|3:|4:d|"},
    {"\n\n", "1:|2:|"},
    {"a\r\nb\r\n", "1:a|2:b|"},
    {"a\rb\n", "1:a\rb|"},
    {"\r\n", "1:|"},
    {"12345\nx", "1:12345|2:x|"},
    {"12345\r\nx", "1:12345|2:x|"},
    {"12345", "1:12345|"},
    {"12345\r", "1:12345|"},
    {"123456\nx\n", "1:LONG|2:x|"},
    {"123456", "1:LONG|"},
    {"1234567890123456789\nx\n12345678", "1:LONG|2:x|3:LONG|"},
    {"123456\r\n\n", "1:LONG|2:|"},
};

static void every_cut_gives_the_same_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].input);
        for (size_t piece = 1; piece <= n + 1; piece++) {
            struct peal_lines l;
            struct buf told;
            peal_lines_init(&l, MAX);
            buf_init(&told, 1000);
            drain(&l, &told);
            for (size_t at = 0; at < n; at += piece) {
                peal_lines_feed(&l, cases[i].input + at, piece < n - at ? piece : n - at);
                drain(&l, &told);
            }
            peal_lines_end(&l);
            drain(&l, &told);
            drain(&l, &told);
            if (!sv_eq(buf_view(&told), sv_of(cases[i].told)))
                fail_msg("case %zu in pieces of %zu: \"%.*s\" instead of \"%s\"", i, piece,
                         SV_ARG(buf_view(&told)), cases[i].told);
            buf_fini(&told);
            peal_lines_fini(&l);
        }
    }
}

/* A line without end takes no more memory than its maximum and one feed. */
static void an_endless_line_is_passed_over(void **state)
{
    struct peal_lines l;
    struct str_view line;
    char *bytes = x_calloc(1, PEAL_LINES_FEED);
    (void)state;
    memset(bytes, 'x', PEAL_LINES_FEED);
    peal_lines_init(&l, 100);
    peal_lines_feed(&l, bytes, PEAL_LINES_FEED);
    assert_int_equal(peal_lines_next(&l, &line), PEAL_LINE_LONG);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(peal_lines_next(&l, &line), PEAL_LINE_NONE);
        peal_lines_feed(&l, bytes, PEAL_LINES_FEED);
    }
    assert_int_equal(peal_lines_next(&l, &line), PEAL_LINE_NONE);
    peal_lines_feed(&l, "\nok\n", 4);
    assert_int_equal(peal_lines_next(&l, &line), PEAL_LINE_OK);
    assert_true(sv_eq(line, SV("ok")));
    assert_int_equal(l.number, 2);
    assert_true(l.bytes.cap <= l.bytes.max);
    peal_lines_fini(&l);
    x_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_lines),
        cmocka_unit_test(an_endless_line_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
