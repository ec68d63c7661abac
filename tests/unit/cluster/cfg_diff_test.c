/* Which keys differ, and what is taken over, for every row of the table. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Cluster */
#include "cluster/cfg_diff.h"
#include "cluster/cfg_row.h"

static struct cfg a, b;
static struct buf names;

static int begin(void **state)
{
    (void)state;
    cfg_init(&a);
    cfg_init(&b);
    buf_init(&names, 4096);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cfg_fini(&a);
    cfg_fini(&b);
    buf_fini(&names);
    return 0;
}

static void set(struct cfg *c, const char *assignment)
{
    struct cfg_error err = {""};
    if (!cfg_set(c, assignment, &err)) fail_msg("%s", err.text);
}

/* A value that is allowed and not the default. */
static void change(struct cfg *c, const struct cfg_row *row)
{
    char text[200];
    const char *value = "other";
    char number[24];
    if (row->type == CFG_TYPE_INT) {
        snprintf(number, sizeof(number), "%lld",
                 (long long)(strcmp(row->def, "0") == 0 || row->min < 0 ? row->max : row->min));
        value = number;
    } else if (row->type == CFG_TYPE_BOOL) {
        value = strcmp(row->def, "true") == 0 ? "false" : "true";
    } else if (row->type == CFG_TYPE_JSON) {
        value = "[{\"kid\":\"k\"}]";
    } else if (row->type == CFG_TYPE_ENUM) {
        value = row->words;
        while (strcmp(value, row->def) == 0)
            value += strlen(value) + 1;
    }
    snprintf(text, sizeof(text), "%s=%s", row->key, value);
    set(c, text);
}

static void equal_ones_do_not_differ(void **state)
{
    (void)state;
    assert_int_equal(cfg_diff_keys(&a, &b, true, &names), 0);
    assert_int_equal(cfg_diff_keys(&a, &b, false, &names), 0);
    assert_int_equal(names.n, 0);
}

static void each_row_is_seen_and_only_reloadable_ones_are_exchanged(void **state)
{
    (void)state;
    for (size_t i = 0; i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        change(&b, row);
        buf_clear(&names);
        assert_int_equal(cfg_diff_keys(&a, &b, !row->reloadable, &names), 0);
        if (cfg_diff_keys(&a, &b, row->reloadable, &names) != 1) fail_msg("%s", row->key);
        assert_string_equal(buf_cstr(&names), row->key);
        cfg_diff_swap(&a, &b);
        bool differs = cfg_diff_keys(&a, &b, row->reloadable, &names) == 1;
        assert_true(differs);
        cfg_fini(&b);
        cfg_init(&b);
        /* a has the change now if the row is reloadable; else b had it and is fresh again. */
        if ((cfg_diff_keys(&a, &b, row->reloadable, &names) == 1) != row->reloadable)
            fail_msg("%s", row->key);
        cfg_fini(&a);
        cfg_init(&a);
    }
}

static void lists_differ_in_order_and_length(void **state)
{
    (void)state;
    set(&a, "auth.audience=x,y");
    set(&b, "auth.audience=y,x");
    assert_int_equal(cfg_diff_keys(&a, &b, true, &names), 1);
    set(&b, "auth.audience=x,y,z");
    assert_int_equal(cfg_diff_keys(&a, &b, true, &names), 1);
    set(&b, "auth.audience=x,y");
    assert_int_equal(cfg_diff_keys(&a, &b, true, &names), 0);
}

static void keys_are_listed_without_values(void **state)
{
    (void)state;
    set(&b, "auth.secret=hush-hush");
    set(&b, "queue.max_age=7000");
    set(&b, "gateway.port=1");
    assert_int_equal(cfg_diff_keys(&a, &b, true, &names), 2);
    assert_string_equal(buf_cstr(&names), "auth.secret, queue.max_age");
}

static void what_stays_keeps_its_place(void **state)
{
    (void)state;
    set(&b, "auth.secret=hush-hush");
    const char *path = a.gateway_path, *issuer = a.auth_issuer;
    cfg_diff_swap(&a, &b);
    assert_ptr_equal(a.gateway_path, path);
    assert_ptr_equal(a.auth_issuer, issuer);
    assert_string_equal(a.auth_secret, "hush-hush");
    assert_string_equal(b.auth_secret, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_ones_do_not_differ),
        TEST(each_row_is_seen_and_only_reloadable_ones_are_exchanged),
        TEST(lists_differ_in_order_and_length),
        TEST(keys_are_listed_without_values),
        TEST(what_stays_keeps_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
