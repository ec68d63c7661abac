/* Log lines as they arrive on stderr: one write a line, and nothing a peer sends can forge one. */
/* System */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/log.h"

/* --- stderr goes into a pipe */

static int pipe_fds[2], real_stderr;
static char text[8192];

static int begin(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    real_stderr = dup(STDERR_FILENO);
    return pipe2(pipe_fds, O_NONBLOCK) || dup2(pipe_fds[1], STDERR_FILENO) < 0;
}

static int end(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

/* What was logged, without the time; its length in *n if wanted. */
static const char *logged(void)
{
    ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    if (n <= 0) return "";
    /* time=2026-01-02T03:04:05.678Z */
    assert_memory_equal(text, "time=20", 7);
    assert_int_equal(text[28], 'Z');
    assert_int_equal(text[29], ' ');
    return text + 30;
}

static void log_value(struct str_view value)
{
    struct log_line l;
    log_begin(&l, LOG_INFO, "m");
    log_kv(&l, "k", value);
    log_end(&l);
}

/* --- */

static void line_by_pieces(void **state)
{
    struct log_line l;
    (void)state;
    log_begin(&l, LOG_WARN, "it works");
    log_kv(&l, "sid", SV("abc"));
    log_kv_c(&l, "ns", "/");
    log_kv_u64(&l, "n", UINT64_MAX);
    log_end(&l);
    assert_string_equal(logged(),
                        "level=warn msg=\"it works\" sid=abc ns=/ n=18446744073709551615\n");
    log_info("%d of %s", 3, "x");
    assert_string_equal(logged(), "level=info msg=\"3 of x\"\n");
}

static void a_process_is_named_in_each_line(void **state)
{
    (void)state;
    log_set_process("2");
    log_info("x");
    assert_string_equal(logged(), "level=info process=2 msg=x\n");
    log_value(SV("v"));
    assert_string_equal(logged(), "level=info process=2 msg=m k=v\n");
    log_set_process("");
    log_info("x");
    assert_string_equal(logged(), "level=info msg=x\n");
}

static void levels_below_the_threshold_are_not_written(void **state)
{
    (void)state;
    log_debug("no");
    assert_string_equal(logged(), "");
    log_set_level(LOG_ERROR);
    log_warn("no");
    log_value(SV("no"));
    assert_string_equal(logged(), "");
    log_error("yes");
    assert_string_equal(logged(), "level=error msg=yes\n");
    assert_false(log_wants(LOG_WARN));
    assert_true(log_wants(LOG_PANIC));
}

static void level_words(void **state)
{
    enum log_level level = LOG_PANIC;
    (void)state;
    assert_true(log_level_from(SV("debug"), &level) && level == LOG_DEBUG);
    assert_true(log_level_from(SV("error"), &level) && level == LOG_ERROR);
    assert_false(log_level_from(SV("fatal"), &level));
    assert_false(log_level_from(SV("INFO"), &level));
    assert_false(log_level_from(SV(""), &level));
}

static const struct {
    struct str_view value;
    const char *shown;
} values[] = {
    {{"plain", 5}, "plain"},
    {{"", 0}, "\"\""},
    {{"a b", 3}, "\"a b\""},
    {{"a=b", 3}, "\"a=b\""},
    {{"a\"b", 3}, "\"a\\\"b\""},
    {{"a\\b", 3}, "\"a\\\\b\""},
    {{"\\\"", 2}, "\"\\\\\\\"\""},
    {{"a\nlevel=error msg=forged", 24}, "\"a\\x0alevel=error msg=forged\""},
    {{"a\r\nb", 4}, "\"a\\x0d\\x0ab\""},
    {{"a\0b", 3}, "\"a\\x00b\""},
    {{"\x1b[31m", 5}, "\"\\x1b[31m\""},
    {{"\x7f", 1}, "\"\\x7f\""},
    {{"\t", 1}, "\"\\x09\""},
    {{"zo\xc3\xab", 4}, "\"zo\xc3\xab\""},
};

static void values_are_escaped(void **state)
{
    char line[256];
    (void)state;
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        log_value(values[i].value);
        snprintf(line, sizeof(line), "level=info msg=m k=%s\n", values[i].shown);
        assert_string_equal(logged(), line);
    }
    log_info("message\nlevel=fatal");
    assert_string_equal(logged(), "level=info msg=\"message\\x0alevel=fatal\"\n");
}

/* Whatever bytes a value has: one line, one newline at its end. */
static void no_byte_makes_a_second_line(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char value[3] = {'a', (char)c, 'b'};
        log_value(sv_make(value, 3));
        const char *line = logged();
        assert_ptr_equal(memchr(line, '\n', sizeof(text) - 30), line + strlen(line) - 1);
        for (const char *p = line; p[1]; p++)
            assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
    }
}

static void long_lines_are_cut_with_a_mark(void **state)
{
    static char value[5000];
    (void)state;
    memset(value, 'v', sizeof(value));
    for (size_t n = 900; n < 1100; n++) {
        log_value(sv_make(value, n));
        const char *line = logged();
        size_t len = strlen(line);
        assert_true(30 + len <= sizeof(((struct log_line *)0)->text));
        assert_int_equal(line[len - 1], '\n');
        bool cut = memcmp(line + len - 4, "…\n", 4) == 0;
        if (!cut) assert_int_equal(len, strlen("level=info msg=m k=\n") + n);
        if (n > 1000) assert_true(cut);
        if (n < 950) assert_false(cut);
    }
    memset(value, '\n', sizeof(value)); /* each is four characters when escaped */
    log_value(sv_make(value, sizeof(value)));
    const char *line = logged();
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    log_info("%.*s", (int)sizeof(value), value);
    line = logged();
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void fatal_says_why_and_exits_with_1(void **state)
{
    int status = 0;
    (void)state;
    pid_t child = fork();
    if (child == 0) log_fatal("cannot %s", "start");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_string_equal(logged(), "level=fatal msg=\"cannot start\"\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(line_by_pieces),
        TEST(a_process_is_named_in_each_line),
        TEST(levels_below_the_threshold_are_not_written),
        TEST(level_words),
        TEST(values_are_escaped),
        TEST(no_byte_makes_a_second_line),
        TEST(long_lines_are_cut_with_a_mark),
        TEST(fatal_says_why_and_exits_with_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
