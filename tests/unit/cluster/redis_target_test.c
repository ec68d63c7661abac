/* redis.url and its neighbours: every form, and mistakes that betray nothing. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/redis_target.h"
/* Tests */
#include "unit/cluster/cfg_fixture.h"
#include "unit/temp_file.h"

static const struct {
    const char *url;
    struct redis_target is;
} good[] = {
    {"redis://h", {.host = "h", .port = 6379}},
    {"redis://h/", {.host = "h", .port = 6379}},
    {"redis://", {.host = "", .port = 6379}},
    {"redis:///7", {.host = "", .port = 6379, .db = 7}},
    {"redis://127.0.0.1:7000/3", {.host = "127.0.0.1", .port = 7000, .db = 3}},
    {"redis://my-redis.a_b.example:65535", {.host = "my-redis.a_b.example", .port = 65535}},
    {"redis://[::1]:7000/3", {.host = "::1", .port = 7000, .db = 3}},
    {"redis://[fe80::1%eth0]", {.host = "fe80::1%eth0", .port = 6379}},
    {"rediss://h:1", {.host = "h", .port = 1, .tls = true}},
    {"redis://:pw@h", {.host = "h", .port = 6379, .password = "pw"}},
    {"redis://u:pw@h", {.host = "h", .port = 6379, .user = "u", .password = "pw"}},
    {"redis://u:@h", {.host = "h", .port = 6379, .user = "u", .password = ""}},
    {"redis://u@h", {.host = "h", .port = 6379, .user = "u"}},
    {"redis://u:p:w@h", {.host = "h", .port = 6379, .user = "u", .password = "p:w"}},
    {"redis://u:p@w@h", {.host = "h", .port = 6379, .user = "u", .password = "p@w"}},
    {"redis://%75%3a:%2F%40%3a%e2%82%AC@h",
     {.host = "h", .port = 6379, .user = "u:", .password = "/@:€"}},
    {"redis://:%23?#@h", {.host = "h", .port = 6379, .password = "#?#"}},
    {"unix:///run/redis.sock", {.path = "/run/redis.sock", .port = 6379}},
    {"unix:///run/a%20b?db=12", {.path = "/run/a b", .port = 6379, .db = 12}},
    {"unix://u:pw@/s", {.path = "/s", .port = 6379, .user = "u", .password = "pw"}},
};

static void assert_text(const char *is, const char *shall)
{
    assert_int_equal(is != NULL, shall != NULL);
    if (is) assert_string_equal(is, shall);
}

static void every_form_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct redis_target t;
        struct cfg_error err = {""};
        if (!redis_target_parse(&t, good[i].url, &err)) fail_msg("%s: %s", good[i].url, err.text);
        assert_text(t.host, good[i].is.host);
        assert_text(t.path, good[i].is.path);
        assert_text(t.user, good[i].is.user);
        assert_text(t.password, good[i].is.password);
        assert_int_equal(t.port, good[i].is.port);
        assert_int_equal(t.db, good[i].is.db);
        assert_int_equal(t.tls, good[i].is.tls);
        redis_target_fini(&t);
    }
}

static const struct {
    const char *url, *text;
} bad[] = {
    {"", "redis.url: the value has no such beginning; it is written redis://[user:password@]host"},
    {"hush", "redis.url: the value has no such beginning"},
    {"redis:hush", "redis.url: the value has no such beginning"},
    {"REDIS://hush", "redis.url: the value has no such beginning"},
    {"redis+tls://hush@h", "redis.url: the value has no such beginning"},
    {"redis://hush:hush@h:0", "redis.url: host and port are not readable"},
    {"redis://:hush@h:65536", "redis.url: host and port are not readable"},
    {"redis://:hush@h:12345678901", "redis.url: host and port are not readable"},
    {"redis://:hush@h:", "redis.url: host and port are not readable"},
    {"redis://:hush@h:+1", "redis.url: host and port are not readable"},
    {"redis://:hush@h h", "redis.url: host and port are not readable"},
    {"redis://:hush@::1", "redis.url: host and port are not readable"},
    {"redis://:hush@[::1", "redis.url: host and port are not readable"},
    {"redis://:hush@[]:1", "redis.url: host and port are not readable"},
    {"redis://:hush@[::1]1", "redis.url: host and port are not readable"},
    {"redis://:hush@[h]", "redis.url: host and port are not readable"},
    {"redis://:hush/hush@h", "redis.url: host and port are not readable"},
    {"redis://:hush@h/x", "redis.url: the database behind the host is not a number"},
    {"redis://:hush@h/-1", "redis.url: the database behind the host is not a number"},
    {"redis://:hush@h/1000000", "redis.url: the database behind the host is not a number"},
    {"redis://:hush@h/1/", "redis.url: the database behind the host is not a number"},
    {"redis://:hush@h/1?db=2", "redis.url: the database behind the host is not a number"},
    {"redis://:hush%@h", "redis.url: the password has a \"%\" without two hex digits"},
    {"redis://:hush%2@h", "redis.url: the password has a \"%\" without two hex digits"},
    {"redis://:hush%zz@h", "redis.url: the password has a \"%\" without two hex digits"},
    {"redis://:hush%00@h", "redis.url: the password has a \"%\" without two hex digits"},
    {"redis://hush%:x@h", "redis.url: the user has a \"%\" without two hex digits"},
    {"unix://hush", "redis.url: the path of a socket begins with three slashes"},
    {"unix://hush/hush", "redis.url: the path of a socket begins with three slashes"},
    {"unix:///", "redis.url: the path of a socket has 2 to 107 bytes"},
    {"unix:///hush%", "redis.url: the path has a \"%\" without two hex digits"},
    {"unix:///hush?db=", "redis.url: behind \"?\" only db and its number may stand"},
    {"unix:///hush?db=1&x", "redis.url: behind \"?\" only db and its number may stand"},
    {"unix:///hush?bd=1", "redis.url: behind \"?\" only db and its number may stand"},
};

static void mistakes_betray_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct redis_target t;
        struct cfg_error err = {""};
        assert_false(redis_target_parse(&t, bad[i].url, &err));
        if (strncmp(err.text, bad[i].text, strlen(bad[i].text)) != 0)
            fail_msg("%s: %s", bad[i].url, err.text);
        assert_null(strstr(err.text, "hush"));
    }
}

static void long_names_and_paths_are_refused(void **state)
{
    struct redis_target t;
    struct cfg_error err;
    char url[400], many[300];
    (void)state;
    memset(many, 'a', sizeof(many));
    snprintf(url, sizeof(url), "redis://%.*s", 253, many);
    assert_true(redis_target_parse(&t, url, &err));
    redis_target_fini(&t);
    snprintf(url, sizeof(url), "redis://%.*s", 254, many);
    assert_false(redis_target_parse(&t, url, &err));
    snprintf(url, sizeof(url), "unix:///%.*s", 106, many);
    assert_true(redis_target_parse(&t, url, &err));
    redis_target_fini(&t);
    snprintf(url, sizeof(url), "unix:///%.*s", 107, many);
    assert_false(redis_target_parse(&t, url, &err));
}

static void other_keys_win_over_the_url(void **state)
{
    struct cfg c;
    struct redis_target t;
    struct cfg_error err;
    (void)state;
    cfg_init(&c);
    assert_true(cfg_set(&c, "redis.url=redis://u:pw@h", &err));
    assert_true(cfg_set(&c, "redis.username=other", &err));
    assert_true(redis_target_read(&t, &c, &err));
    assert_string_equal(t.user, "other");
    assert_string_equal(t.password, "pw");
    redis_target_fini(&t);
    assert_true(cfg_set(&c, "redis.password=secret%40", &err));
    assert_true(redis_target_read(&t, &c, &err));
    assert_string_equal(t.password, "secret%40");
    redis_target_fini(&t);
    cfg_fini(&c);
}

static bool read_with_file(const char *content, size_t n, struct redis_target *t,
                           struct cfg_error *err)
{
    struct cfg c;
    char path[TEMP_PATH_MAX], set[TEMP_PATH_MAX + 32];
    int fd = temp_file_open(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, n), n);
    close(fd);
    cfg_init(&c);
    snprintf(set, sizeof(set), "redis.password_file=%s", path);
    assert_true(cfg_set(&c, "redis.url=redis://:pw@h", err) && cfg_set(&c, set, err));
    bool ok = redis_target_read(t, &c, err);
    cfg_fini(&c);
    unlink(path);
    return ok;
}

static void the_password_may_come_from_a_file(void **state)
{
    struct redis_target t;
    struct cfg_error err;
    struct cfg c;
    char *big = x_calloc(1, 5000);
    (void)state;
    assert_true(read_with_file("from file\n", 10, &t, &err));
    assert_string_equal(t.password, "from file");
    redis_target_fini(&t);
    assert_true(read_with_file("a\n\r\n", 4, &t, &err));
    assert_string_equal(t.password, "a\n");
    redis_target_fini(&t);
    assert_false(read_with_file("", 0, &t, &err));
    assert_non_null(strstr(err.text, ": the file is empty"));
    assert_false(read_with_file("\n", 1, &t, &err));
    assert_non_null(strstr(err.text, ": the file is empty"));
    assert_false(read_with_file("hu\0sh", 5, &t, &err));
    assert_non_null(strstr(err.text, ": a password has no NUL in it"));
    memset(big, 'x', 5000);
    assert_false(read_with_file(big, 5000, &t, &err));
    assert_non_null(strstr(err.text, ": longer than 4096 bytes"));
    assert_null(strstr(err.text, "xx"));
    assert_true(read_with_file(big, 4096, &t, &err));
    redis_target_fini(&t);
    x_free(big);
    cfg_init(&c);
    assert_true(cfg_set(&c, "redis.url=redis://:hush@h", &err));
    assert_true(cfg_set(&c, "redis.password_file=no/such/file", &err));
    assert_false(redis_target_read(&t, &c, &err));
    assert_string_equal(err.text,
                        "redis.password_file: \"no/such/file\": No such file or directory");
    cfg_fini(&c);
}

static void what_a_sentinel_names_is_checked(void **state)
{
    char *host;
    unsigned port;
    (void)state;
    assert_true(redis_target_place(SV("10.0.0.1"), SV("6379"), &host, &port));
    assert_string_equal(host, "10.0.0.1");
    assert_int_equal(port, 6379);
    x_free(host);
    assert_true(redis_target_place(SV("fe80::1"), SV("1"), &host, &port));
    x_free(host);
    assert_false(redis_target_place(SV(""), SV("6379"), &host, &port));
    assert_false(redis_target_place(SV("a b"), SV("6379"), &host, &port));
    assert_false(redis_target_place(SV("a\0b"), SV("6379"), &host, &port));
    assert_false(redis_target_place(SV("a"), SV("0"), &host, &port));
    assert_false(redis_target_place(SV("a"), SV("65536"), &host, &port));
    assert_false(redis_target_place(SV("a"), SV(""), &host, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(mistakes_betray_nothing),
        cmocka_unit_test(long_names_and_paths_are_refused),
        cmocka_unit_test(other_keys_win_over_the_url),
        cmocka_unit_test(the_password_may_come_from_a_file),
        cmocka_unit_test(what_a_sentinel_names_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
