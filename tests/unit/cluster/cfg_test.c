/* Configuration: the table itself, each type by each way in, and that later sources win. */
/* System */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg.h"
#include "cluster/cfg_row.h"

/* This test */
#include "unit/cluster/cfg_fixture.h"
#include "unit/temp_file.h"

static void assert_list(const struct cfg_list *l, const char *joined)
{
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < l->n; i++)
        assert_true(buf_addf(&b, "%s%s", i ? "|" : "", l->v[i]));
    assert_string_equal(buf_cstr(&b), joined);
    buf_fini(&b);
}

/* --- the table */

static void test_every_row_is_complete(void **state)
{
    (void)state;
    assert_in_range(cfg_row_count, 40, 256);
    for (size_t i = 0; i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        size_t n = strlen(row->sentence);
        char env[CFG_NAME_MAX], allowed[200];
        assert_true(n > 2 && row->sentence[n - 1] == '.');
        assert_true(isupper((unsigned char)row->sentence[0]) || row->sentence[0] == '`');
        assert_true(row->type == CFG_TYPE_INT ? row->min < row->max && row->unit[0] : !row->unit);
        assert_true((row->type == CFG_TYPE_ENUM) == (row->words != NULL));
        assert_ptr_equal(cfg_row_find(sv_of(row->key)), row); /* so no key stands there twice */
        cfg_row_env(row, env);
        assert_ptr_equal(cfg_row_find_env(sv_of(env)), row);
        assert_true(strlen(row->key) + strlen("PEAL_") < CFG_NAME_MAX);
        cfg_row_allowed(row, allowed, sizeof(allowed));
        assert_in_range(strlen(allowed), 10, sizeof(allowed) - 2); /* not cut */
    }
}

static void test_defaults(void **state)
{
    struct cfg c;
    struct cfg_error err;
    (void)state;
    cfg_init(&c);
    assert_int_equal(c.gateway_port, 3000);
    assert_string_equal(c.gateway_path, "/socket.io/");
    assert_int_equal(c.engine_ping_interval, 25000);
    assert_true(c.engine_allow_upgrades);
    assert_false(c.cors_credentials);
    assert_list(&c.engine_transports, "polling|websocket");
    assert_list(&c.cors_origins, "");
    assert_string_equal(c.auth_mode, "connect");
    assert_string_equal(c.auth_secret, "");
    assert_string_equal(c.auth_keys, "[]");
    assert_true(cfg_check(&c, &err));
    cfg_fini(&c);
    cfg_fini(&c); /* safe on what it leaves */
}

/* --- each type by each way in: what the field then prints as, or NULL if refused */

struct value_case {
    const char *key, *given, *then;
};

static const struct value_case from_text[] = {
    {"gateway.port", "8080", "8080"},
    {"gateway.port", "0", "0"},
    {"gateway.port", "65535", "65535"},
    {"gateway.port", "0080", "80"},
    {"gateway.port", "-0", "0"},
    {"gateway.port", "65536", NULL},
    {"gateway.port", "-1", NULL},
    {"gateway.port", "", NULL},
    {"gateway.port", "-", NULL},
    {"gateway.port", "+1", NULL},
    {"gateway.port", " 1", NULL},
    {"gateway.port", "1 ", NULL},
    {"gateway.port", "1k", NULL},
    {"gateway.port", "1.0", NULL},
    {"gateway.port", "0x10", NULL},
    {"gateway.port", "18446744073709551617", NULL},
    {"gateway.port", "99999999999999999999999999999999", NULL},
    {"engine.ping_interval", "49", NULL},
    {"engine.ping_interval", "50", "50"},
    {"cors.credentials", "true", "true"},
    {"cors.credentials", "1", "true"},
    {"cors.credentials", "yes", "true"},
    {"cors.credentials", "On", "true"},
    {"auth.from_query", "FALSE", "false"},
    {"auth.from_query", "0", "false"},
    {"auth.from_query", "no", "false"},
    {"auth.from_query", "off", "false"},
    {"auth.from_query", "2", NULL},
    {"auth.from_query", "", NULL},
    {"auth.from_query", "truee", NULL},
    {"auth.issuer", "me", "\"me\""},
    {"auth.issuer", "", "\"\""},
    {"auth.issuer", " a=b,[c] ", "\" a=b,[c] \""},
    {"auth.issuer", "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
    {"auth.issuer", "a\nb", NULL},
    {"auth.issuer", "a\x7f", NULL},
    {"auth.issuer", "\xff", NULL},
    {"auth.issuer", "\xed\xa0\x80", NULL},
    {"auth.secret", "a\nb\xff", "\"***\""},
    {"auth.secret", "", "\"\""},
    {"auth.mode", "event", "\"event\""},
    {"auth.mode", "none", "\"none\""},
    {"auth.mode", "Event", NULL},
    {"auth.mode", "even", NULL},
    {"auth.mode", "", NULL},
    {"auth.mode", "event ", NULL},
    {"auth.audience", "a", "[\"a\"]"},
    {"auth.audience", " a , b c,, ", "[\"a\",\"b c\"]"},
    {"auth.audience", "", "[]"},
    {"auth.audience", ",", "[]"},
    {"auth.audience", " [\"a,b\", \" c \", \"\"]", "[\"a,b\",\"c\"]"},
    {"auth.audience", "[]", "[]"},
    {"auth.audience", "[", NULL},
    {"auth.audience", "[1]", NULL},
    {"auth.audience", "[[\"a\"]]", NULL},
    {"auth.audience", "[\"a\\n\"]", NULL},
    {"auth.audience", "a,\x01", NULL},
    {"auth.keys", " [ { \"kid\" : \"k1\" } ] ", "[{\"kid\":\"k1\"}]"},
    {"auth.keys", "[]", "[]"},
    {"auth.keys", "[{\"secret\":\"abc\"}]", "[{\"secret\":\"***\"}]"},
    {"auth.keys", "[{\"a\":[{\"Secret\":{\"x\":1}}]}]", "[{\"a\":[{\"Secret\":\"***\"}]}]"},
    {"auth.keys", "", NULL},
    {"auth.keys", "{}", NULL},
    {"auth.keys", "[1]", NULL},
    {"auth.keys", "[{}]x", NULL},
    {"auth.keys", "[{\"a\":1,\"a\":2}]", NULL},
    {"auth.keys", "[{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}]", NULL},
};

static const struct value_case from_json[] = {
    {"gateway.port", "8080", "8080"},
    {"gateway.port", "\"8080\"", "8080"},
    {"gateway.port", "8080.0", NULL},
    {"gateway.port", "true", NULL},
    {"gateway.port", "null", NULL},
    {"gateway.port", "[1]", NULL},
    {"gateway.port", "\"8080x\"", NULL},
    {"gateway.port", "65536", NULL},
    {"gateway.port", "-1", NULL},
    {"gateway.port", "9223372036854775807", NULL},
    {"cors.credentials", "true", "true"},
    {"auth.from_query", "false", "false"},
    {"auth.from_query", "\"false\"", NULL},
    {"auth.from_query", "0", NULL},
    {"auth.from_query", "null", NULL},
    {"auth.issuer", "\"me\"", "\"me\""},
    {"auth.issuer", "\"\\n\"", NULL},
    {"auth.issuer", "5", NULL},
    {"auth.issuer", "null", NULL},
    {"auth.issuer", "{}", NULL},
    {"auth.secret", "\"a\\nb\"", "\"***\""},
    {"auth.secret", "5", NULL},
    {"auth.mode", "\"either\"", "\"either\""},
    {"auth.mode", "\"neither\"", NULL},
    {"auth.mode", "true", NULL},
    {"auth.audience", "[\"a\",\"b\"]", "[\"a\",\"b\"]"},
    {"auth.audience", "\"a,b\"", "[\"a\",\"b\"]"},
    {"auth.audience", "[]", "[]"},
    {"auth.audience", "[1]", NULL},
    {"auth.audience", "{\"a\":\"b\"}", NULL},
    {"auth.audience", "7", NULL},
    {"auth.keys", "[{\"kid\":\"a\",\"n\":[1,2.5,null,true]}]",
     "[{\"kid\":\"a\",\"n\":[1,2.5,null,true]}]"},
    {"auth.keys", "\"[{\\\"kid\\\":\\\"a\\\"}]\"", "[{\"kid\":\"a\"}]"},
    {"auth.keys", "[\"a\"]", NULL},
    {"auth.keys", "{}", NULL},
    {"auth.keys", "\"a\"", NULL},
    {"auth.keys", "null", NULL},
};

/* The value of key in print, without the layout between the tokens. Gives: x_free. */
static char *print_of(const struct cfg *c, const char *key)
{
    char *all = printed(c), *out;
    const char *name = strchr(key, '.') + 1, *p;
    char *section = x_asprintf("\n  \"%.*s\": {", (int)(name - 1 - key), key);
    char *member = x_asprintf("\n    \"%s\": ", name);
    p = strstr(all, section);
    assert_non_null(p);
    p = strstr(p, member);
    assert_non_null(p);
    p += strlen(member);
    out = x_strdup(p);
    size_t n = 0;
    bool quoted = false;
    int depth = 0;
    for (; *p && (quoted || depth || (*p != ',' && *p != '\n')); p++) {
        if (*p == '"') quoted = !quoted;
        if (!quoted) depth += (*p == '[' || *p == '{') - (*p == ']' || *p == '}');
        if (quoted || (*p != ' ' && *p != '\n')) out[n++] = *p;
    }
    out[n] = '\0';
    x_free(all);
    x_free(section);
    x_free(member);
    return out;
}

/* ok: what reading said. */
static void check_case(struct cfg *c, const struct value_case *t, bool ok,
                       const struct cfg_error *err)
{
    if (ok != (t->then != NULL))
        fail_msg("%s given %s: %s", t->key, t->given, ok ? "accepted" : err->text);
    if (ok) {
        char *then = print_of(c, t->key);
        assert_string_equal(then, t->then);
        x_free(then);
    } else {
        assert_non_null(strstr(err->text, t->key));
        assert_non_null(strstr(err->text, " is not allowed: "));
    }
    cfg_fini(c);
}

static void test_values_from_set_and_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(from_text); i++) {
        const struct value_case *t = &from_text[i];
        struct cfg c;
        struct cfg_error err;
        char name[CFG_NAME_MAX];

        char *text = x_asprintf("%s=%s", t->key, t->given);
        cfg_init(&c);
        bool ok = cfg_set(&c, text, &err);
        check_case(&c, t, ok, &err);
        x_free(text);

        cfg_row_env(cfg_row_find(sv_of(t->key)), name);
        text = x_asprintf("%s=%s", name, t->given);
        char *const env[] = {text, NULL};
        cfg_init(&c);
        ok = cfg_read_env(&c, env, &err);
        check_case(&c, t, ok, &err);
        x_free(text);
    }
}

static void test_values_from_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(from_json); i++) {
        const struct value_case *t = &from_json[i];
        const char *name = strchr(t->key, '.') + 1;
        struct cfg c;
        struct cfg_error err;
        char *nested = x_asprintf("{\"%.*s\": {\"%s\": %s}}", (int)(name - 1 - t->key), t->key,
                                  name, t->given);
        char *flat = x_asprintf("{\"%s\": %s}", t->key, t->given);
        cfg_init(&c);
        bool ok = read_text(&c, nested, &err);
        check_case(&c, t, ok, &err);
        cfg_init(&c);
        ok = read_text(&c, flat, &err);
        check_case(&c, t, ok, &err);
        x_free(nested);
        x_free(flat);
    }
}

static void test_enum_words_outlive_the_configuration(void **state)
{
    struct cfg c;
    struct cfg_error err;
    (void)state;
    cfg_init(&c);
    char *text = x_strdup("auth.algorithm=ES512");
    assert_true(cfg_set(&c, text, &err));
    x_free(text);
    const char *word = c.auth_algorithm;
    cfg_fini(&c);
    assert_string_equal(word, "ES512");
}

static void test_list_is_bounded(void **state)
{
    struct cfg c;
    struct cfg_error err;
    struct buf b;
    (void)state;
    for (int words = CFG_MAX_WORDS; words <= CFG_MAX_WORDS + 1; words++) {
        buf_init(&b, 1 << 16);
        assert_true(buf_add_sv(&b, SV("auth.audience=")));
        for (int i = 0; i < words; i++)
            assert_true(buf_addf(&b, "%d,", i));
        cfg_init(&c);
        assert_int_equal(cfg_set(&c, buf_cstr(&b), &err), words == CFG_MAX_WORDS);
        assert_int_equal(c.auth_audience.n, CFG_MAX_WORDS);
        cfg_fini(&c);
        buf_fini(&b);
    }
}

/* --- sources */

static void test_later_sources_win(void **state)
{
    static const char file[] = "{\"gateway\":{\"port\":1,\"max_head\":2000,\"max_payload\":2000},"
                               "\"auth.audience\":[\"file\"]}";
    char *const env[] = {
        (char[]){"PEAL_GATEWAY_PORT=2"},
        (char[]){"PEAL_GATEWAY_MAX_HEAD=3000"},
        (char[]){"PEAL_DEMO_ANYTHING=1"},
        (char[]){"PEAL_TEST_="},
        (char[]){"PEALED=1"},
        (char[]){"PEAL_NO_EQUALS"},
        (char[]){"PEAL_AUTH_AUDIENCE=e"},
        NULL,
    };
    struct cfg c;
    struct cfg_error err;
    (void)state;
    cfg_init(&c);
    assert_true(read_text(&c, file, &err));
    assert_int_equal(c.gateway_port, 1);
    assert_list(&c.auth_audience, "file");
    assert_true(cfg_read_env(&c, env, &err));
    assert_list(&c.auth_audience, "e"); /* replaced, not added to */
    assert_true(cfg_set(&c, "gateway.port=3", &err));
    assert_true(cfg_set(&c, "gateway.port=4", &err));
    assert_int_equal(c.gateway_port, 4);
    assert_int_equal(c.gateway_max_head, 3000);
    assert_int_equal(c.gateway_max_payload, 2000);
    assert_int_equal(c.gateway_keepalive_timeout, 65000);
    cfg_fini(&c);
}

static void write_file(char path[TEMP_PATH_MAX], const char *text, size_t n)
{
    int fd = temp_file_open(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static void test_file(void **state)
{
    static const char text[] = "{\"gateway\": {\"port\": 8080}}\n";
    char path[TEMP_PATH_MAX], big[TEMP_PATH_MAX];
    struct cfg c;
    struct cfg_error err;
    (void)state;
    write_file(path, text, sizeof(text) - 1);
    cfg_init(&c);
    assert_true(cfg_read_file(&c, path, &err));
    assert_int_equal(c.gateway_port, 8080);
    unlink(path);
    assert_false(cfg_read_file(&c, path, &err));
    assert_non_null(strstr(err.text, ": No such file or directory"));
    assert_false(cfg_read_file(&c, "/", &err));
    assert_string_equal(err.text, "/: Is a directory");

    size_t n = (1 << 20) + 1; /* white space is JSON: only the size is wrong */
    char *spaces = x_malloc(n);
    memset(spaces, ' ', n);
    memcpy(spaces, "{}", 2);
    assert_true(cfg_read_text(&c, sv_make(spaces, n - 1), "s", &err));
    write_file(big, spaces, n);
    assert_false(cfg_read_file(&c, big, &err));
    assert_non_null(strstr(err.text, ": larger than 1 MiB"));
    unlink(big);
    x_free(spaces);
    cfg_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_complete),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values_from_set_and_environment),
        cmocka_unit_test(test_values_from_json),
        cmocka_unit_test(test_enum_words_outlive_the_configuration),
        cmocka_unit_test(test_list_is_bounded),
        cmocka_unit_test(test_later_sources_win),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
