/* What `peal emit` makes of arguments and lines. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Cli */
#include "cli/peal_emit_event.h"

#define MAX 64

static struct peal_emit_form form(const char *event, bool is_text)
{
    return (struct peal_emit_form){.event = event, .is_text = is_text, .max_depth = 4};
}

static void assert_json(const struct buf *out, const char *want)
{
    if (!sv_eq(buf_view(out), sv_of(want)))
        fail_msg("\"%.*s\" instead of \"%s\"", SV_ARG(buf_view(out)), want);
}

static void arguments(void **state)
{
    char *const values[] = {(char[]){"\"a\\u0000\""}, (char[]){"123456789012345678901"},
                            (char[]){" {\"x\": [1]}"}};
    char *const texts[] = {(char[]){"it's \"x\""}, (char[]){"-5"}, (char[]){""}};
    struct peal_emit_form f = form("e\"v", false), t = form("e", true);
    struct buf out;
    const char *why;
    (void)state;
    buf_init(&out, MAX);
    assert_true(peal_emit_event_from_args(&out, &f, values, 3, NULL, &why));
    assert_json(&out, "[\"e\\\"v\",\"a\\u0000\",123456789012345678901, {\"x\": [1]}]");
    assert_true(peal_emit_event_from_args(&out, &f, NULL, 0, NULL, &why));
    assert_json(&out, "[\"e\\\"v\"]");
    assert_true(peal_emit_event_from_args(&out, &t, texts, 3, NULL, &why));
    assert_json(&out, "[\"e\",\"it's \\\"x\\\"\",\"-5\",\"\"]");
    buf_fini(&out);
}

static void wrong_arguments(void **state)
{
    static const struct {
        const char *event, *value;
        bool is_text;
        size_t wrong; /* 0: the first; 2: none of them */
        const char *why;
    } cases[] = {
        {"e", "hello", false, 1, "unexpected"},
        {"e", "", false, 1, "end"},
        {"e", "1 2", false, 1, "behind"},
        {"e", "[[[[1]]]]", false, 1, "deep"},
        {"e", "\"\xff\"", false, 1, "UTF-8"},
        {"e", "\xc3", true, 1, "UTF-8"},
        {"e", "\"1234567890123456789012345678901234567890123456789012345678901234567890\"", false,
         1, "bus.max_message"},
        {"connect", "1", false, 2, "reserved"},
        {"disconnecting", "1", true, 2, "reserved"},
        {"\xff", "1", true, 2, "UTF-8"},
    };
    struct buf out;
    (void)state;
    buf_init(&out, MAX);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char value[100];
        char *const args[] = {(char[]){"1"}, value};
        const char *why = "";
        size_t wrong = 99;
        struct peal_emit_form f = form(cases[i].event, cases[i].is_text);
        snprintf(value, sizeof(value), "%s", cases[i].value);
        if (peal_emit_event_from_args(&out, &f, args, 2, &wrong, &why)) fail_msg("case %zu", i);
        if (wrong != cases[i].wrong || !strstr(why, cases[i].why))
            fail_msg("case %zu: argument %zu: %s", i, wrong, why);
    }
    buf_fini(&out);
}

static void lines(void **state)
{
    static const struct {
        const char *event, *line, *json; /* json NULL: it is wrong */
        bool is_text;
    } cases[] = {
        {NULL, "[\"a\",1, {}]", "[\"a\",1, {}]", false},
        {NULL, " [ \"a\" ] ", " [ \"a\" ] ", false},
        {NULL, "[5]", "[5]", false},
        {NULL, "[]", NULL, false},
        {NULL, "[null]", NULL, false},
        {NULL, "{\"a\":1}", NULL, false},
        {NULL, "\"a\"", NULL, false},
        {NULL, "[\"a\"", NULL, false},
        {NULL, "[\"a\"]]", NULL, false},
        {NULL, "[\"newListener\"]", NULL, false},
        {NULL, "[\"a\",[[[[1]]]]]", NULL, false},
        {NULL, "[\"\xff\"]", NULL, false},
        {"e", "1", "[\"e\",1]", false},
        {"e", "[\"a\",1]", "[\"e\",[\"a\",1]]", false},
        {"e", "1,2", NULL, false},
        {"e", "", NULL, false},
        {"e", "", "[\"e\",\"\"]", true},
        {"e", "say \"x\"\t", "[\"e\",\"say \\\"x\\\"\\t\"]", true},
        {"e", "\xff", NULL, true},
    };
    struct buf out;
    (void)state;
    buf_init(&out, MAX);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peal_emit_form f = form(cases[i].event, cases[i].is_text);
        const char *why = "";
        bool good = peal_emit_event_from_line(&out, &f, sv_of(cases[i].line), &why);
        if (good != (cases[i].json != NULL)) fail_msg("case %zu: %s", i, why);
        if (good) assert_json(&out, cases[i].json);
        if (!good && !why[0]) fail_msg("case %zu: no reason", i);
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments),
        cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
