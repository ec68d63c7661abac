/* Cross-origin headers, as npm's `cors` gives them. */
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
/* Gateway */
#include "gateway/gw_cors.h"

#define ACA "Access-Control-Allow-"
#define METHODS ACA "Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"

static struct cfg cfg;

static void configure(const char *settings)
{
    struct cfg_error err = {""};
    struct str_view rest = sv_of(settings);
    cfg_init(&cfg);
    while (rest.n) {
        size_t n = sv_find(rest, ';');
        char *one = x_memdup(rest.p, n);
        if (!cfg_set(&cfg, one, &err)) fail_msg("%s", err.text);
        x_free(one);
        rest = sv_skip(rest, n < rest.n ? n + 1 : n);
    }
}

typedef void (*lines_cb)(const struct cfg *, const struct http_head *, struct buf *);

static void assert_lines(lines_cb lines, const char *settings, const char *fields, size_t max,
                         const char *want)
{
    struct http_head head;
    struct buf out;
    size_t scan = 0;
    int status;
    const char *why;
    char *text = x_asprintf("OPTIONS / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    if (http_head_parse(text, strlen(text), 65536, &scan, &head, &status, &why) != VERDICT_OK)
        fail_msg("%s: %s", text, why);
    configure(settings);
    buf_init(&out, max);
    lines(&cfg, &head, &out);
    if (!sv_eq(buf_view(&out), sv_of(want)))
        fail_msg("%s with %s: \"%.*s\" instead of \"%s\"", settings, fields, SV_ARG(buf_view(&out)),
                 want);
    buf_fini(&out);
    cfg_fini(&cfg);
    x_free(text);
}

static const struct {
    const char *settings, *fields, *want;
} answers[] = {
    {"", "Origin: http://a.example\r\n", ""},
    {"cors.credentials=true;cors.exposed_headers=X-A", "Origin: http://a.example\r\n", ""},
    {"cors.origins=*", "", ACA "Origin: *\r\n"},
    {"cors.origins=*", "Origin: http://a.example\r\n", ACA "Origin: *\r\n"},
    {"cors.origins=http://a.example,http://b.example", "Origin: http://b.example\r\n",
     ACA "Origin: http://b.example\r\nVary: Origin\r\n"},
    {"cors.origins=http://a.example", "Origin: http://evil.example\r\n", "Vary: Origin\r\n"},
    {"cors.origins=http://a.example", "Origin: http://a.example.evil\r\n", "Vary: Origin\r\n"},
    {"cors.origins=http://a.example", "Origin: null\r\n", "Vary: Origin\r\n"},
    {"cors.origins=http://a.example", "", "Vary: Origin\r\n"},
    {"cors.origins=http://a.example;cors.credentials=true;cors.exposed_headers=X-A,X-B",
     "Origin: http://a.example\r\n",
     ACA "Origin: http://a.example\r\nVary: Origin\r\n" ACA
         "Credentials: true\r\nAccess-Control-Expose-Headers: X-A,X-B\r\n"},
};

static void headers_of_answers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        assert_lines(gw_cors_headers, answers[i].settings, answers[i].fields, 4096,
                     answers[i].want);
}

static const struct {
    const char *settings, *fields, *want;
} preflights[] = {
    {"cors.origins=*", "", METHODS "Vary: Access-Control-Request-Headers\r\n"},
    {"cors.origins=*", "Access-Control-Request-Headers: x-one, x-two\r\n",
     METHODS "Vary: Access-Control-Request-Headers\r\n" ACA "Headers: x-one, x-two\r\n"},
    {"cors.origins=*;cors.methods=GET,POST;cors.allowed_headers=X-C;cors.max_age=600",
     "Access-Control-Request-Headers: x-one\r\n",
     ACA "Methods: GET,POST\r\n" ACA "Headers: X-C\r\nAccess-Control-Max-Age: 600\r\n"},
};

static void headers_of_preflights(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(preflights) / sizeof(preflights[0]); i++)
        assert_lines(gw_cors_preflight, preflights[i].settings, preflights[i].fields, 4096,
                     preflights[i].want);
}

static void is_on_with_an_origin(void **state)
{
    (void)state;
    configure("");
    assert_false(gw_cors_is_on(&cfg));
    cfg_fini(&cfg);
    configure("cors.origins=http://a.example");
    assert_true(gw_cors_is_on(&cfg));
    cfg_fini(&cfg);
}

/* Never half a line, whatever the room. */
static void lines_that_do_not_fit_are_left_out_whole(void **state)
{
    char fields[2048] = "Access-Control-Request-Headers: ";
    (void)state;
    assert_lines(gw_cors_headers, "cors.origins=http://a.example", "Origin: http://a.example\r\n",
                 30, "Vary: Origin\r\n");
    assert_lines(gw_cors_headers, "cors.origins=*", "", 30, "");
    memset(fields + 32, 'x', 1025); /* more than is reflected */
    memcpy(fields + 32 + 1025, "\r\n", 3);
    assert_lines(gw_cors_preflight, "cors.origins=*", fields, 4096,
                 METHODS "Vary: Access-Control-Request-Headers\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_answers),
        cmocka_unit_test(headers_of_preflights),
        cmocka_unit_test(is_on_with_an_origin),
        cmocka_unit_test(lines_that_do_not_fit_are_left_out_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
