/* Namespaces of old clients: the expected texts are those of `new URL(nsp, "https://socket.io")` in
 * Node 20. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/sio_url.h"

static void check(const char *nsp, const char *query, const char *path, const char *json)
{
    struct buf name, auth;
    buf_init(&name, 128);
    buf_init(&auth, 128);
    bool good = sio_url_read(sv_of(nsp), sv_of(query), &name, &auth);
    if (good != (path != NULL)) fail_msg("%s?%s: %s", nsp, query, good ? "taken" : "refused");
    if (good && !(sv_eq(buf_view(&name), sv_of(path)) && sv_eq(buf_view(&auth), sv_of(json))))
        fail_msg("%s?%s: %.*s %.*s", nsp, query, SV_ARG(buf_view(&name)), SV_ARG(buf_view(&auth)));
    buf_fini(&name);
    buf_fini(&auth);
}

static void path_is_what_a_url_parser_makes_of_it(void **state)
{
    static const char *const rows[][2] = {
        {"/", "/"},
        {"/admin", "/admin"},
        {"/a/b", "/a/b"},
        {"/a/", "/a/"},
        {"/a/..", "/"},
        {"/..", "/"},
        {"/a/../b", "/b"},
        {"/a/b/../../../c", "/c"},
        {"/a/./b", "/a/b"},
        {"/a/.", "/a/"},
        {"/a/%2e%2E/b", "/b"},
        {"/a/.%2e", "/"},
        {"/...", "/..."},
        {"/a/.b", "/a/.b"},
        {"//x", "/"},
        {"//x/y", "/y"},
        {"/\\x/y", "/y"},
        {"///x/y", "/y"},
        {"//h\\p", "/p"},
        {"/a\\b", "/a/b"},
        {"/a/..\\..", "/"},
        {"/\xc3\xa9", "/%C3%A9"},
        {"/a b", "/a%20b"},
        {"/a\"<>`{}|^b", "/a%22%3C%3E%60%7B%7D|^b"},
        {"/a\tb", "/ab"},
        {"/a#b", "/a"},
        {"/%zz", "/%zz"},
        {"/%41", "/%41"},
        {"/a//b", "/a//b"},
        {"/~!$&'()*+,;=:@-_", "/~!$&'()*+,;=:@-_"},
        {"/\x7f", "/%7F"},
        {"/[x]", "/[x]"},
        {"/..%2f", "/..%2f"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i][0], "", rows[i][1], "{}");
    check("//", "", NULL, NULL);
    check("/\\", "", NULL, NULL);
}

static void query_becomes_the_payload(void **state)
{
    static const char *const rows[][2] = {
        {"token=1234&uid=abcd", "{\"token\":\"1234\",\"uid\":\"abcd\"}"},
        {"a", "{\"a\":\"\"}"},
        {"a=", "{\"a\":\"\"}"},
        {"=b", "{\"\":\"b\"}"},
        {"&&a=1&", "{\"a\":\"1\"}"},
        {"a=1&a=2", "{\"a\":\"1\",\"a\":\"2\"}"}, /* of equal keys the last counts for readers */
        {"a+b=c%20d", "{\"a b\":\"c d\"}"},
        {"a=%zz", "{\"a\":\"%zz\"}"},
        {"a=%E2%82%AC", "{\"a\":\"\xe2\x82\xac\"}"},
        {"a=b=c", "{\"a\":\"b=c\"}"},
        {"a=%", "{\"a\":\"%\"}"},
        {"%61=%22", "{\"a\":\"\\\"\"}"},
        {"a=%00", "{\"a\":\"\\u0000\"}"},
        {"a=1#&b=2", "{\"a\":\"1\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check("/x", rows[i][0], "/x", rows[i][1]);
    check("/x#f", "a=1", "/x", "{}"); /* all of it is the fragment's */
    check("/x", "a=%ff", NULL, NULL);
    check("/x", "%c3=1", NULL, NULL);
}

/* Every shorter maximum refuses, whichever of the two it is. */
static void nothing_passes_a_maximum(void **state)
{
    static const char path[] = "/b/%C3%A9", json[] = "{\"a b\":\"c\",\"d\":\"\"}";
    (void)state;
    for (size_t max = 0; max < 32; max++) {
        for (int which = 0; which < 2; which++) {
            struct buf name, auth;
            buf_init(&name, which ? 64 : max);
            buf_init(&auth, which ? max : 64);
            size_t need = which ? sizeof(json) - 1 : sizeof(path) - 1;
            bool good = sio_url_read(SV("/a/../b/\xc3\xa9"), SV("a+b=c&d"), &name, &auth);
            if (max < need) assert_false(good);
            if (max > need) assert_true(good);
            assert_true(name.n <= name.max && auth.n <= auth.max);
            buf_fini(&name);
            buf_fini(&auth);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_is_what_a_url_parser_makes_of_it),
        cmocka_unit_test(query_becomes_the_payload),
        cmocka_unit_test(nothing_passes_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
