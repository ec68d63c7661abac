/* Where a token is looked for in a handshake request, in which order, and what counts as one. */
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
#include "gateway/gw_auth.h"
#include "gateway/gw_token.h"

static struct cfg cfg;

static void set(const char *assignment)
{
    struct cfg_error err = {""};
    if (!cfg_set(&cfg, assignment, &err)) fail_msg("%s", err.text);
}

static int begin(void **state)
{
    (void)state;
    cfg_init(&cfg);
    set("auth.cookie=jwt");
    return 0;
}

static int end(void **state)
{
    (void)state;
    cfg_fini(&cfg);
    return 0;
}

/* Fails unless the request yields this token; NULL: none. */
static void assert_taken(const char *query, const char *fields, bool is_script, const char *want)
{
    struct http_head head;
    size_t scan = 0;
    int status;
    const char *why;
    char *text = x_asprintf("GET /socket.io/%s HTTP/1.1\r\nHost: h\r\n%s\r\n", query, fields);
    if (http_head_parse(text, strlen(text), 65536, &scan, &head, &status, &why) != VERDICT_OK)
        fail_msg("%s: %s", text, why);
    char *token = gw_token_take(&cfg, &head, is_script).text;
    if (!want)
        assert_null(token);
    else if (!token || strcmp(token, want) != 0)
        fail_msg("%s gave %s instead of %s", text, token ? token : "nothing", want);
    if (token) x_free_secret(token, strlen(token));
    x_free(text);
}

static void assert_token(const char *query, const char *fields, const char *want)
{
    assert_taken(query, fields, false, want);
}

static const struct {
    const char *query, *fields, *want;
} places[] = {
    {"", "", NULL},
    {"?EIO=4&transport=polling", "Cookie: other=x\r\n", NULL},
    {"", "Authorization: Bearer h.h.h\r\n", "h.h.h"},
    {"", "authorization: BEARER h.h.h\r\n", "h.h.h"},
    {"", "Authorization: bearer   h.h.h  \r\n", "h.h.h"},
    {"", "Authorization: Basic aGVsbG8=\r\n", NULL},
    {"", "Authorization: Bearerh.h.h\r\n", NULL},
    {"", "Authorization: Bearer\r\n", NULL},
    {"?token=q.q.q", "", "q.q.q"},
    {"?EIO=4&token=q.q.q&t=1", "", "q.q.q"},
    {"?token=a%2Eb%2Dc", "", "a.b-c"},
    {"?token=first&token=last", "", "last"},
    {"?token=", "", ""},
    {"?Token=q.q.q", "", NULL},
    {"?token=%zz", "", "malformed"},
    {"?token=good%00junk", "", "malformed"},
    {"", "Cookie: a=b; jwt=c.c.c\r\n", "c.c.c"},
    {"", "Cookie: JWT=c.c.c\r\n", NULL},
    /* The first place counts, though what it holds be no token. */
    {"?token=q.q.q", "Authorization: Bearer h.h.h\r\nCookie: jwt=c.c.c\r\n", "h.h.h"},
    {"?token=q.q.q", "Cookie: jwt=c.c.c\r\n", "q.q.q"},
    {"?token=%zz", "Cookie: jwt=c.c.c\r\n", "malformed"},
    {"?token=q.q.q", "Authorization: Basic aGVsbG8=\r\n", "q.q.q"},
};

static void places_in_their_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        assert_token(places[i].query, places[i].fields, places[i].want);
}

static void each_place_has_its_switch(void **state)
{
    static const char all[] = "Authorization: Bearer h.h.h\r\nCookie: jwt=c.c.c\r\n";
    (void)state;
    set("auth.from_header=false");
    assert_token("?token=q.q.q", all, "q.q.q");
    set("auth.from_query=false");
    assert_token("?token=q.q.q", all, "c.c.c");
    assert_token("?token=%zz", all, "c.c.c");
    set("auth.cookie=");
    assert_token("?token=q.q.q", all, NULL);
}

static void long_token_in_a_query_is_malformed(void **state)
{
    char *query = x_malloc(7 + GW_AUTH_TOKEN_MAX + 2);
    (void)state;
    memcpy(query, "?token=", 7);
    memset(query + 7, 'x', GW_AUTH_TOKEN_MAX + 1);
    query[7 + GW_AUTH_TOKEN_MAX + 1] = '\0';
    assert_token(query, "", "malformed");
    query[7 + GW_AUTH_TOKEN_MAX] = '\0';
    assert_token(query, "", query + 7);
    x_free(query);
}

static void long_token_elsewhere_is_malformed_too(void **state)
{
    static char name[GW_AUTH_TOKEN_MAX + 2];
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        memset(name, 'x', GW_AUTH_TOKEN_MAX + over);
        char *header = x_asprintf("Authorization: Bearer %s\r\n", name);
        char *cookie = x_asprintf("Cookie: jwt=%s\r\n", name);
        assert_token("", header, over ? "malformed" : name);
        assert_token("", cookie, over ? "malformed" : name);
        x_free(header);
        x_free(cookie);
    }
}

/* What will not be verified is not kept. */
static void modes_that_ask_for_no_token_take_none(void **state)
{
    (void)state;
    set("auth.mode=none");
    assert_token("?token=q.q.q", "", NULL);
    set("auth.mode=event");
    assert_token("?token=q.q.q", "", NULL);
    set("auth.mode=either");
    assert_token("?token=q.q.q", "", "q.q.q");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void cookie_counts_for_own_pages_only(void **state)
{
    static const struct {
        const char *origins, *fields, *want;
    } cases[] = {
        {"", "", "t"},
        {"", "Origin: http://h\r\n", "t"},
        {"", "Origin: https://H\r\n", "t"},
        {"", "Origin: http://evil\r\n", NULL},
        {"", "Origin: http://h.evil\r\n", NULL},
        {"", "Origin: http://evil/h\r\n", NULL},
        {"", "Origin: null\r\n", NULL},
        {"", "Origin: h\r\n", NULL},
        {"*", "Origin: http://evil\r\n", NULL},
        {"*", "Origin: *\r\n", NULL},
        {"http://app", "Origin: http://app\r\n", "t"},
        {"http://app", "Origin: http://evil\r\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *origins = x_asprintf("cors.origins=%s", cases[i].origins);
        char *fields = x_asprintf("Cookie: jwt=t\r\n%s", cases[i].fields);
        set(origins);
        assert_token("", fields, cases[i].want);
        x_free(origins);
        x_free(fields);
    }
}

/* A page elsewhere can load a script with the user's cookies, and no Origin tells. */
static void cookie_does_not_count_for_a_script(void **state)
{
    (void)state;
    assert_taken("", "Cookie: jwt=t\r\n", true, NULL);
    assert_taken("", "Cookie: jwt=t\r\nOrigin: http://h\r\n", true, NULL);
    assert_taken("?token=q", "Cookie: jwt=t\r\n", true, "q");
    assert_taken("", "Cookie: jwt=t\r\nAuthorization: Bearer b\r\n", true, "b");
    assert_taken("", "Cookie: jwt=t\r\n", false, "t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(places_in_their_order),
        TEST(each_place_has_its_switch),
        TEST(long_token_in_a_query_is_malformed),
        TEST(long_token_elsewhere_is_malformed_too),
        TEST(modes_that_ask_for_no_token_take_none),
        TEST(cookie_counts_for_own_pages_only),
        TEST(cookie_does_not_count_for_a_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
