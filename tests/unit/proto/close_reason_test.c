/* Every reason has a text of its own, those of the reference server where it has the case. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/close_reason.h"

static void every_reason_has_its_own_text(void **state)
{
    (void)state;
    for (int i = REASON_NONE; i < REASON_COUNT; i++) {
        const char *text = close_reason_text((enum close_reason)i);
        assert_non_null(text);
        assert_int_equal(strlen(text) > 0, i != REASON_NONE);
        assert_int_equal(strcspn(text, "\"\\\n"), strlen(text));
        for (int k = REASON_NONE; k < i; k++)
            assert_string_not_equal(text, close_reason_text((enum close_reason)k));
    }
    assert_string_equal(close_reason_text(REASON_COUNT), "unknown");
    assert_string_equal(close_reason_text((enum close_reason) - 1), "unknown");
}

static void words_of_the_reference(void **state)
{
    (void)state;
    assert_int_equal(REASON_NONE, 0);
    assert_string_equal(close_reason_text(REASON_TRANSPORT_CLOSE), "transport close");
    assert_string_equal(close_reason_text(REASON_TRANSPORT_ERROR), "transport error");
    assert_string_equal(close_reason_text(REASON_PARSE_ERROR), "parse error");
    assert_string_equal(close_reason_text(REASON_PING_TIMEOUT), "ping timeout");
    assert_string_equal(close_reason_text(REASON_FORCED_CLOSE), "forced close");
    assert_string_equal(close_reason_text(REASON_SHUTDOWN), "server shutting down");
    assert_string_equal(close_reason_text(REASON_CLIENT_DISCONNECT), "client namespace disconnect");
    assert_string_equal(close_reason_text(REASON_SERVER_DISCONNECT), "server namespace disconnect");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_its_own_text),
        cmocka_unit_test(words_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
