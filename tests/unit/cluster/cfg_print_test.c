/* What is printed of the configuration: never a secret, and everything else so that it reads back.
 */
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
/* Cluster */
#include "cluster/cfg.h"
#include "cluster/cfg_row.h"

/* This test */
#include "unit/cluster/cfg_fixture.h"

/* Not inlined: gcc 12 takes the stream's text for the local that points at it. */
__attribute__((noinline)) static char *printed_by(void (*print)(FILE *))
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    print(to);
    fclose(to);
    return text;
}

/* --- printing */

static void test_secrets_are_never_printed(void **state)
{
    static const char file[] =
        "{\"auth\":{\"secret\":\"hush-1\",\"keys\":[{\"kid\":\"k1\",\"secret\":\"hush-2\"},"
        "{\"deeper\":{\"secret\":[\"hush-3\",{\"x\":\"hush-4\"}]},\"SECRET\":\"hush-5\"}]}}";
    struct cfg c;
    struct cfg_error err;
    (void)state;
    cfg_init(&c);
    assert_true(read_text(&c, file, &err));
    assert_non_null(strstr(c.auth_keys, "hush-2"));
    char *text = printed(&c);
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "\"secret\": \"***\""));
    assert_non_null(strstr(text, "\"kid\": \"k1\""));
    assert_non_null(strstr(c.auth_keys, "hush-2")); /* printing changed nothing */
    x_free(text);
    cfg_fini(&c);
}

static void check_reads_back_equal(const struct cfg *c)
{
    struct cfg again;
    struct cfg_error err;
    char *first = printed(c);
    cfg_init(&again);
    assert_true(read_text(&again, first, &err));
    char *second = printed(&again);
    assert_string_equal(first, second);
    x_free(first);
    x_free(second);
    cfg_fini(&again);
}

static void test_printed_configuration_reads_back_equal(void **state)
{
    static const char *const sets[] = {
        "gateway.port=0",
        "gateway.path=/\\\"x\"",
        "gateway.static_dir=/w w/ü",
        "cors.credentials=yes",
        "routes.events=[\"a,b=all\"]",
        "auth.secret=hush",
        "auth.mode=either",
        "auth.keys=[{\"n\":1e-3,\"s\":\"\\u00e9\\\"\"}]",
        "log.level=warn",
    };
    struct cfg c;
    struct cfg_error err;
    (void)state;
    cfg_init(&c);
    check_reads_back_equal(&c);
    for (size_t i = 0; i < COUNT(sets); i++)
        assert_true(cfg_set(&c, sets[i], &err));
    check_reads_back_equal(&c);
    cfg_fini(&c);
}

static size_t columns_of(const char *p, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)p[i] & 0xc0) != 0x80;
    return columns;
}

static void test_help_names_every_key_in_100_columns(void **state)
{
    (void)state;
    char *text = printed_by(cfg_print_help);
    for (size_t i = 0; i < cfg_row_count; i++) {
        char *line = x_asprintf("  %s ", cfg_rows[i].key);
        assert_non_null(strstr(text, line));
        x_free(line);
    }
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        assert_in_range(columns_of(p, n), 1, 100);
        assert_true(p[n] == '\n' && p[n - 1] != ' ');
        p += n + 1;
    }
    x_free(text);
}

/* Cells of a line of a Markdown table; an escaped '|' is none. */
static size_t cells_of(const char *line, size_t n)
{
    size_t bars = 0;
    for (size_t i = 0; i < n; i++)
        bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
    return bars - 1;
}

static void test_markdown_has_six_cells_a_key(void **state)
{
    (void)state;
    char *text = printed_by(cfg_print_markdown);
    for (size_t i = 0; i < cfg_row_count; i++) {
        char name[CFG_NAME_MAX];
        cfg_row_env(&cfg_rows[i], name);
        char *begin = x_asprintf("\n| `%s` | `%s` | ", cfg_rows[i].key, name);
        const char *line = strstr(text, begin);
        assert_non_null(line);
        assert_int_equal(cells_of(line + 1, strcspn(line + 1, "\n")), 6);
        x_free(begin);
    }
    assert_non_null(strstr(text, "\n## gateway\n"));
    assert_non_null(strstr(text, "\n## log\n"));
    x_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets_are_never_printed),
        cmocka_unit_test(test_printed_configuration_reads_back_equal),
        cmocka_unit_test(test_help_names_every_key_in_100_columns),
        cmocka_unit_test(test_markdown_has_six_cells_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
