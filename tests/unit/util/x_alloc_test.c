/* Allocation that never gives NULL, and ends the process instead. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/now.h"
#include "util/x_alloc.h"

static void nothing_asked_for_is_still_a_place(void **state)
{
    (void)state;
    x_free(x_malloc(0));
    x_free(x_calloc(0, 8));
    x_free(x_calloc(8, 0));
    x_free(x_realloc(NULL, 0));
    x_free(NULL);
    x_free_secret(NULL, 8);
}

static void copies_end_with_a_nul(void **state)
{
    char *copy = x_memdup("a\0b", 3);
    (void)state;
    assert_memory_equal(copy, "a\0b", 4);
    x_free_secret(copy, 3);
    copy = x_memdup(NULL, 0);
    assert_string_equal(copy, "");
    x_free(copy);
    copy = x_strdup("text");
    assert_string_equal(copy, "text");
    x_free(copy);
    copy = x_asprintf("%s-%d", "x", 7);
    assert_string_equal(copy, "x-7");
    x_free(copy);
}

static void zeroed_and_kept(void **state)
{
    unsigned char *p = x_calloc(1000, 3);
    (void)state;
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(p[i], 0);
    p[2999] = 7;
    p = x_realloc(p, 100000);
    assert_int_equal(p[2999], 7);
    x_free(p);
}

/* A product that overflows is a mistake of ours, not a small allocation. */
static void overflow_ends_the_process(void **state)
{
    int status = 0;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        close(STDERR_FILENO);
        x_free(x_calloc(SIZE_MAX / 2, 3));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void monotonic_time_only_grows(void **state)
{
    uint64_t last = now_mono_ms();
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = now_system.mono_ms(now_system.arg);
        assert_true(now >= last);
        last = now;
    }
    assert_true(now_system.wall_s(now_system.arg) >= now_wall_s() - 1);
    assert_true(now_wall_s() > 1600000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_for_is_still_a_place),
        cmocka_unit_test(copies_end_with_a_nul),
        cmocka_unit_test(zeroed_and_kept),
        cmocka_unit_test(overflow_ends_the_process),
        cmocka_unit_test(monotonic_time_only_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
