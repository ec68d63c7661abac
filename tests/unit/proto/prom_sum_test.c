/* What adds up, what does not, and that nothing but our own kind of text is taken. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/prom_sum.h"
#include "proto/prom_text.h"

static const struct prom_sum_rule rules[] = {
    {"age", PROM_SUM_MAX}, {"start", PROM_SUM_MIN}, {"ready", PROM_SUM_SKIP}};

static struct prom_sum *sum;

static int begin(void **state)
{
    (void)state;
    sum = prom_sum_new(rules, sizeof(rules) / sizeof(rules[0]));
    return 0;
}

static int end(void **state)
{
    (void)state;
    prom_sum_free(sum);
    return 0;
}

static void add(const char *text, enum prom_sum_part part)
{
    assert_true(prom_sum_add(sum, sv_of(text), part));
}

static void assert_sum(const char *want)
{
    struct buf out;
    buf_init(&out, 65536);
    assert_true(prom_sum_write(sum, &out));
    assert_string_equal(out.n ? buf_cstr(&out) : "", want);
    buf_fini(&out);
}

static void series_add_up_by_their_labels(void **state)
{
    (void)state;
    add("# HELP x_total What x is.\n# TYPE x_total counter\nx_total 1\n"
        "# HELP g What g is.\n# TYPE g gauge\ng{a=\"b c\"} 2\ng{a=\"\\\"} 9\"} 1\n",
        PROM_SUM_ALL);
    add("# HELP g What g is.\n# TYPE g gauge\ng{a=\"b c\"} 40\ng{a=\"new\"} 5\n"
        "# HELP x_total What x is.\n# TYPE x_total counter\nx_total 10\n",
        PROM_SUM_ALL);
    assert_sum("# HELP x_total What x is.\n# TYPE x_total counter\nx_total 11\n"
               "# HELP g What g is.\n# TYPE g gauge\ng{a=\"b c\"} 42\ng{a=\"\\\"} 9\"} 1\n"
               "g{a=\"new\"} 5\n");
}

static void large_counts_keep_their_last_digit(void **state)
{
    (void)state;
    add("# TYPE x_total counter\nx_total 9007199254740993\n", PROM_SUM_ALL);
    add("# TYPE x_total counter\nx_total 2\n", PROM_SUM_ALL);
    assert_sum("# TYPE x_total counter\nx_total 9007199254740995\n");
}

static void whole_and_broken_numbers_meet(void **state)
{
    (void)state;
    add("# TYPE s_total counter\ns_total 1\n", PROM_SUM_ALL);
    add("# TYPE s_total counter\ns_total 0.25\n", PROM_SUM_ALL);
    add("# TYPE s_total counter\ns_total 2\n", PROM_SUM_ALL);
    assert_sum("# TYPE s_total counter\ns_total 3.25\n");
}

static void what_would_be_nonsense_is_not_added(void **state)
{
    (void)state;
    add("# TYPE age gauge\nage 0.5\n# TYPE start gauge\nstart 70\n# TYPE ready gauge\nready 1\n",
        PROM_SUM_ALL);
    add("# TYPE age gauge\nage 3\n# TYPE start gauge\nstart 60\n", PROM_SUM_ALL);
    add("# TYPE age gauge\nage 1.5\n# TYPE start gauge\nstart 80\n", PROM_SUM_ALL);
    assert_sum("# TYPE age gauge\nage 3\n# TYPE start gauge\nstart 60\n");
}

static void of_the_dead_only_counts_stay(void **state)
{
    (void)state;
    add("# TYPE g gauge\ng 5\n# TYPE x_total counter\nx_total 7\n"
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 0.5\nh_count 2\n",
        PROM_SUM_COUNTERS);
    assert_sum("# TYPE x_total counter\nx_total 7\n"
               "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 0.5\nh_count 2\n");
    add("# TYPE g gauge\ng 1\n", PROM_SUM_ALL);
    assert_sum("# TYPE g gauge\ng 1\n# TYPE x_total counter\nx_total 7\n"
               "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 0.5\nh_count 2\n");
}

/* What prom_text writes comes out as it went in, and twice as much of it when it goes in twice. */
static void it_reads_what_prom_text_writes(void **state)
{
    static const uint32_t bounds[] = {1000, 2500};
    static const uint64_t once[] = {1, 0, 3}, twice[] = {2, 0, 6};
    const struct prom_label label = {"namespace", SV("/a \"b\"\\ \n")};
    struct buf text[2];
    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        struct prom_text p;
        buf_init(&text[i], 4096);
        prom_text_init(&p, &text[i]);
        prom_text_gauge(&p, "peal_sockets", "Sockets.");
        prom_text_sample(&p, &label, 1, 21 * (i + 1));
        prom_text_histogram(&p, "peal_lag_seconds", "Lag.", bounds, i ? twice : once, 3,
                            1500000 * (i + 1));
        prom_text_counter(&p, "cpu_total", "CPU.");
        prom_text_sample_real(&p, NULL, 0, 0.125 * (double)(i + 1));
        assert_false(p.cut);
    }
    assert_true(prom_sum_add(sum, buf_view(&text[0]), PROM_SUM_ALL));
    assert_sum(buf_cstr(&text[0]));
    assert_true(prom_sum_add(sum, buf_view(&text[0]), PROM_SUM_ALL));
    assert_sum(buf_cstr(&text[1]));
    buf_fini(&text[0]);
    buf_fini(&text[1]);
}

static void other_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "x 1\n",
        "# HELP x What.\nx 1\n",
        "# TYPE x counter\nx\n",
        "# TYPE x counter\nx \n",
        "# TYPE x counter\n 1\n",
        "# TYPE x counter\nx one\n",
        "# TYPE x counter\nx 1e\n",
        "# TYPE x counter\nx 11111111111111111111111111111111\n",
        "# TYPE x counter\n\n",
        "# TYPE \n",
        "# EOF\n",
        "#\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (prom_sum_add(sum, sv_of(bad[i]), PROM_SUM_ALL)) fail_msg("taken: %s", bad[i]);
    assert_true(prom_sum_add(sum, SV(""), PROM_SUM_ALL));
    assert_sum("");
}

static void a_full_buffer_is_told(void **state)
{
    static const char text[] = "# TYPE x_total counter\nx_total 12345\n";
    struct buf out;
    (void)state;
    add(text, PROM_SUM_ALL);
    for (size_t max = 0; max < strlen(text); max++) {
        buf_init(&out, max);
        assert_false(prom_sum_write(sum, &out));
        buf_fini(&out);
    }
    buf_init(&out, strlen(text) + 1);
    assert_true(prom_sum_write(sum, &out));
    buf_fini(&out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(series_add_up_by_their_labels), TEST(large_counts_keep_their_last_digit),
        TEST(whole_and_broken_numbers_meet), TEST(what_would_be_nonsense_is_not_added),
        TEST(of_the_dead_only_counts_stay),  TEST(it_reads_what_prom_text_writes),
        TEST(other_texts_are_refused),       TEST(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
