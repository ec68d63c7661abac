/* The text format, byte by byte, and that a full buffer is noticed. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/prom_text.h"

static struct buf out;
static struct prom_text p;

static int begin(void **state)
{
    (void)state;
    buf_init(&out, 4096);
    prom_text_init(&p, &out);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static void assert_text(const char *want)
{
    assert_false(p.cut);
    assert_string_equal(buf_cstr(&out), want);
}

static void samples_stand_under_their_metric(void **state)
{
    const struct prom_label two[] = {{"layer", SV("auth")}, {"code", SV("0")}};
    (void)state;
    prom_text_counter(&p, "peal_x_total", "What x is.");
    prom_text_sample(&p, NULL, 0, UINT64_MAX);
    prom_text_gauge(&p, "peal_y", "What y is.");
    prom_text_sample(&p, two, 1, 1);
    prom_text_sample(&p, two, 2, 0);
    prom_text_sample_real(&p, NULL, 0, 0.25);
    prom_text_sample_real(&p, NULL, 0, 1763991849);
    assert_text("# HELP peal_x_total What x is.\n"
                "# TYPE peal_x_total counter\n"
                "peal_x_total 18446744073709551615\n"
                "# HELP peal_y What y is.\n"
                "# TYPE peal_y gauge\n"
                "peal_y{layer=\"auth\"} 1\n"
                "peal_y{layer=\"auth\",code=\"0\"} 0\n"
                "peal_y 0.25\n"
                "peal_y 1763991849\n");
}

static void what_is_usual_takes_one_call(void **state)
{
    (void)state;
    prom_text_one_counter(&p, "peal_x_total", "What x is.", 3);
    prom_text_one_gauge(&p, "peal_y", "What y is.", 4);
    prom_text_one_gauge_real(&p, "peal_z", "What z is.", 0.5);
    prom_text_sample_of(&p, "state", "open", 5);
    assert_text("# HELP peal_x_total What x is.\n"
                "# TYPE peal_x_total counter\n"
                "peal_x_total 3\n"
                "# HELP peal_y What y is.\n"
                "# TYPE peal_y gauge\n"
                "peal_y 4\n"
                "# HELP peal_z What z is.\n"
                "# TYPE peal_z gauge\n"
                "peal_z 0.5\n"
                "peal_z{state=\"open\"} 5\n");
}

static void label_values_are_escaped(void **state)
{
    (void)state;
    prom_text_gauge(&p, "y", "");
    buf_clear(&out);
    prom_text_sample(&p, &(struct prom_label){"v", SV("a\"b\\c\nd{},=é")}, 1, 1);
    assert_text("y{v=\"a\\\"b\\\\c\\nd{},=é\"} 1\n");
}

static void buckets_are_summed_up(void **state)
{
    static const uint32_t bounds[] = {250, 10000, 2500000};
    static const uint64_t buckets[] = {3, 0, 2, 1};
    (void)state;
    prom_text_histogram(&p, "lag_seconds", "Lag.", bounds, buckets, 4, 7000250);
    assert_text("# HELP lag_seconds Lag.\n"
                "# TYPE lag_seconds histogram\n"
                "lag_seconds_bucket{le=\"0.00025\"} 3\n"
                "lag_seconds_bucket{le=\"0.01\"} 3\n"
                "lag_seconds_bucket{le=\"2.5\"} 5\n"
                "lag_seconds_bucket{le=\"+Inf\"} 6\n"
                "lag_seconds_sum 7.00025\n"
                "lag_seconds_count 6\n");
}

/* At whatever byte the buffer ends. */
static void what_does_not_fit_is_noticed(void **state)
{
    static const uint32_t bounds[] = {1};
    static const uint64_t buckets[] = {1, 1};
    size_t whole = 0;
    (void)state;
    for (size_t max = 4096; max--;) {
        buf_fini(&out);
        buf_init(&out, max);
        prom_text_init(&p, &out);
        prom_text_gauge(&p, "y", "h");
        prom_text_sample(&p, &(struct prom_label){"v", SV("a\n\"")}, 1, 1);
        prom_text_histogram(&p, "l_seconds", "h", bounds, buckets, 2, 1);
        if (!whole) whole = out.n;
        assert_int_equal(p.cut, max < whole);
    }
    assert_true(whole > 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(samples_stand_under_their_metric), TEST(what_is_usual_takes_one_call),
        TEST(label_values_are_escaped),         TEST(buckets_are_summed_up),
        TEST(what_does_not_fit_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
