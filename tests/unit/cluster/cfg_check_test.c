/* Mistakes in the configuration: the exact text of the one line, that it holds no secret, and the
 * rules of cfg_check. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg.h"
#include "cluster/cfg_row.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define A32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define FAR_TOO_LONG A32 A32 A32 A32 A32 A32 A32 A32 "A" /* 257 */

static bool read_text(struct cfg *c, const char *json, struct cfg_error *err)
{
    return cfg_read_text(c, sv_of(json), "peal.json", err);
}

/* --- mistakes */

struct mistake {
    const char *given, *text;
};

static const struct mistake in_json[] = {
    {"{\"gateway\":{\"port\":70000}}",
     "peal.json: gateway.port: \"70000\" is not allowed: a whole number from 0 to 65535 (port)"},
    {"{\"gateway.port\":\"x\"}",
     "peal.json: gateway.port: \"x\" is not allowed: a whole number from 0 to 65535 (port)"},
    {"{\"gateway.port\":[1, 2]}",
     "peal.json: gateway.port: \"[1,2]\" is not allowed: a whole number from 0 to 65535 (port)"},
    {"{\"gateway\":{\"prot\":1}}",
     "peal.json: gateway.prot: no such key; did you mean gateway.port?"},
    {"{\"gateway.prot\":1}", "peal.json: gateway.prot: no such key; did you mean gateway.port?"},
    {"{\"gatway\":{}}", "peal.json: gatway: no such section; did you mean gateway?"},
    {"{\"port\":1}", "peal.json: port: no such section; did you mean gateway.port?"},
    {"{\"prot\":1}", "peal.json: prot: no such section; did you mean gateway.port?"},
    {"{\"ping_intervall\":1}",
     "peal.json: ping_intervall: no such section; did you mean engine.ping_interval?"},
    {"{\"auth\":{\"secert\":\"hush\"}}",
     "peal.json: auth.secert: no such key; did you mean auth.secret?"},
    {"{\"weather\":{}}", "peal.json: weather: no such section"},
    {"{\"\":{}}", "peal.json: : no such section"},
    {"{\"gateway\":{\"entirely_other\":1}}", "peal.json: gateway.entirely_other: no such key"},
    {"{\"gateway\":3}", "peal.json: gateway: must be an object of keys"},
    {"[]", "peal.json: must be a JSON object of sections"},
    {"3", "peal.json: must be a JSON object of sections"},
    {"{\"gateway\":{\"port\":1},\"gateway.port\":2}", "peal.json: gateway.port: given twice"},
    {"{\"gateway\":{\"port\":1,\"port\":2}}",
     "peal.json:1:27: duplicate object key near '\"port\"'"},
    {"", "peal.json:1:0: unexpected token near end of file"},
    {"{\n \"gateway\": {\"port\": 1", "peal.json:2:22: '}' expected near end of file"},
    {"{\"auth\":{\"secret\":\"hush\" \"hush\"}}", "peal.json:1:31: '}' expected"},
    {"{\"auth\":{\"secret\":\"hush\\uhush\"}}", "peal.json:1:26: invalid escape"},
    {"{\"auth\":{\"secret\":\"\\ud800\\u0041\"}}", "peal.json:1:32: invalid Unicode"},
    {"{\"auth\":{\"secret\":7}}",
     "peal.json: auth.secret: the value is not allowed: text without NUL"},
    {"{\"auth\":{\"keys\":[{\"secret\":\"hush\"}, 1]}}",
     "peal.json: auth.keys: the value is not allowed: a JSON array of objects"},
    {"{\"auth\":{\"mode\":\"connnect\"}}",
     "peal.json: auth.mode: \"connnect\" is not allowed: one of connect, event, either, none"},
    {"{\"auth\":{\"from_query\":\"yes\"}}",
     "peal.json: auth.from_query: \"yes\" is not allowed: true or false"},
    {"{\"auth\":{\"issuer\":\"a\\nb\"}}",
     "peal.json: auth.issuer: \"a?b\" is not allowed: text without control characters"},
};

static const struct mistake in_env[] = {
    {"PEAL_GATEWAY_PORT=70000", "environment PEAL_GATEWAY_PORT: gateway.port: \"70000\" is not "
                                "allowed: a whole number from 0 to 65535 (port)"},
    {"PEAL_GATEWAY_PROT=1",
     "environment PEAL_GATEWAY_PROT: no such key; did you mean PEAL_GATEWAY_PORT?"},
    {"PEAL_gateway_port=1", "environment PEAL_gateway_port: no such key"},
    {"PEAL_WEATHER=hush", "environment PEAL_WEATHER: no such key"},
    {"PEAL_DEMO=1", "environment PEAL_DEMO: no such key"},
    {"PEAL_AUTH_KEYS=hush",
     "environment PEAL_AUTH_KEYS: auth.keys: the value is not allowed: a JSON array of objects"},
};

static const struct mistake in_set[] = {
    {"gateway.port=70000",
     "--set: gateway.port: \"70000\" is not allowed: a whole number from 0 to 65535 (port)"},
    {"gateway.prot=1", "--set: gateway.prot: no such key; did you mean gateway.port?"},
    {"auth.secert=hush", "--set: auth.secert: no such key; did you mean auth.secret?"},
    {"gateway.port", "--set: there is no value: write section.name=value"},
    {"auth.secret hush", "--set: there is no \"=\": write section.name=value"},
    {"=1", "--set: : no such section"},
    {"cors.max_age=12345678901234567890123456789012345678901234567890123456789012345678",
     "--set: cors.max_age: \"1234567890123456789012345678901234567890123456789012345678901234…\" "
     "is "
     "not allowed: a whole number from 0 to 86400 (s)"},
};

static void check_mistake(bool ok, const struct cfg_error *err, const struct mistake *m)
{
    assert_false(ok);
    assert_string_equal(err->text, m->text);
    assert_null(strstr(err->text, "hush"));
}

static void test_mistakes_are_one_plain_line(void **state)
{
    struct cfg c;
    struct cfg_error err;
    (void)state;
    for (size_t i = 0; i < COUNT(in_json); i++) {
        cfg_init(&c);
        check_mistake(read_text(&c, in_json[i].given, &err), &err, &in_json[i]);
        cfg_fini(&c);
    }
    for (size_t i = 0; i < COUNT(in_env); i++) {
        char *text = x_strdup(in_env[i].given);
        char *const env[] = {text, NULL};
        cfg_init(&c);
        check_mistake(cfg_read_env(&c, env, &err), &err, &in_env[i]);
        cfg_fini(&c);
        x_free(text);
    }
    for (size_t i = 0; i < COUNT(in_set); i++) {
        cfg_init(&c);
        check_mistake(cfg_set(&c, in_set[i].given, &err), &err, &in_set[i]);
        cfg_fini(&c);
    }
}

static void test_shown_values_are_not_cut_inside_a_character(void **state)
{
    struct cfg c;
    struct cfg_error err;
    (void)state;
    for (int lead = 0; lead < 4; lead++) {
        char *text = x_asprintf("auth.mode=%.*s%s", lead, "aaaa", /* 23 times 3 bytes */
                                "€€€€€€€€€€€€€€€€€€€€€€€");
        cfg_init(&c);
        assert_false(cfg_set(&c, text, &err));
        const char *cut = strstr(err.text, "…\" is not allowed");
        assert_non_null(cut);
        assert_memory_equal(cut - 3, "€", 3);
        cfg_fini(&c);
        x_free(text);
    }
}

#define NAME_OF_50 "0123456789.123456789.123456789.123456789.123456789"
#define NAME_OF_250 NAME_OF_50 NAME_OF_50 NAME_OF_50 NAME_OF_50 NAME_OF_50
#define NAME_OF_254 NAME_OF_250 "abcd"

/* --- rules that cfg_check adds; text NULL: allowed */

static const struct {
    const char *set, *and_set, *text;
} rules[] = {
    {"gateway.path=/", NULL, NULL},
    {"gateway.path=/a", NULL, NULL},
    {"gateway.path=a/", NULL,
     "gateway.path: \"a/\" is not allowed: a path that begins with \"/\", "
     "without \"?\", \"#\" and spaces"},
    {"gateway.path=", NULL, "gateway.path: \"\" is not allowed"},
    {"gateway.path=/a?b/", NULL, "gateway.path: \"/a?b/\" is not allowed"},
    {"gateway.path=/a#/", NULL, "gateway.path: \"/a#/\" is not allowed"},
    {"gateway.path=/a b/", NULL, "gateway.path: \"/a b/\" is not allowed"},
    {"engine.transports=websocket", NULL, NULL},
    {"engine.transports=websocket,polling", NULL, NULL},
    {"engine.transports=", NULL, "engine.transports: at least one transport is needed"},
    {"engine.transports=polling,webtransport", NULL,
     "engine.transports: \"webtransport\" is not allowed: transports are polling and websocket"},
    {"engine.transports=polling,polling", NULL,
     "engine.transports: \"polling\" is not allowed: it stands there twice"},
    {"engine.transports=websocket,polling,websocket", NULL,
     "engine.transports: \"websocket\" is not allowed: it stands there twice"},
    {"socketio.namespaces=/,/chat,/room-*", NULL, NULL},
    {"socketio.namespaces=", NULL, "socketio.namespaces: at least one namespace is needed"},
    {"socketio.namespaces=/,chat", NULL,
     "socketio.namespaces: \"chat\" is not allowed: a namespace begins with \"/\""},
    {"routes.events=", NULL, NULL},
    {"routes.events=a=all,b=others,c=room,*=none,/n* x*=all,a=b=all,two words=all", NULL, NULL},
    {"routes.events=/ns a b=room", NULL, NULL},
    {"routes.events=a=worker,/n *=worker", NULL, NULL},
    {"routes.lifecycle=/,/a*,*,?x", NULL, NULL},
    {"routes.lifecycle=/,chat", NULL,
     "routes.lifecycle: \"chat\" is not allowed: a namespace begins with \"/\""},
    {"routes.ask_connect=/", NULL, NULL},
    {"routes.ask_connect=chat", NULL,
     "routes.ask_connect: \"chat\" is not allowed: a namespace begins with \"/\""},
    {"routes.events=message", NULL,
     "routes.events: \"message\" is not allowed: write event=target or \"/namespace "
     "event=target\""},
    {"routes.events=message=every", NULL,
     "routes.events: \"message=every\" is not allowed: targets are all, others, room, worker and "
     "none"},
    {"routes.events=message=", NULL, "routes.events: \"message=\" is not allowed: targets are"},
    {"routes.events=message=all ,x= all", NULL,
     "routes.events: \"x= all\" is not allowed: targets"},
    {"routes.events==all", NULL, "routes.events: \"=all\" is not allowed: it names no event"},
    {"routes.events=/chat =all", NULL,
     "routes.events: \"/chat =all\" is not allowed: it names no event"},
    {"routes.events=/chat=all", NULL,
     "routes.events: \"/chat=all\" is not allowed: behind a namespace come a space and the event"},
    {"routes.events=€€€€€€€€€€€€€€€€€€€€€€€", NULL, /* 23 times 3 bytes */
     "routes.events: \"€€€€€€€€€€€€€€€€€€€€€…\" is not allowed: write"},
    {"routes.events=a=all,b", NULL, "routes.events: \"b\" is not allowed"},
    {"cors.origins=*", NULL, NULL},
    {"cors.origins=https://a.example,http://localhost:3000", "cors.credentials=true", NULL},
    {"cors.origins=*", "cors.credentials=true",
     "cors.credentials: browsers refuse credentials from a server that allows any origin: name the "
     "origins in cors.origins instead of *"},
    {"cors.origins=https://a.example,*", "cors.credentials=true", "cors.credentials: browsers"},
    {"cors.origins=a.example", NULL,
     "cors.origins: \"a.example\" is not allowed: an origin is * or written like "
     "https://example.com"},
    {"engine.cookie=io", NULL, NULL},
    {"engine.cookie=!#$%&'*+-.^_`|~09azAZ", NULL, NULL},
    {"engine.cookie=a b", NULL, "engine.cookie: \"a b\" is not allowed: a cookie name has letters"},
    {"engine.cookie=a=b", NULL, "engine.cookie: \"a=b\" is not allowed"},
    {"engine.cookie=a;b", NULL, "engine.cookie: \"a;b\" is not allowed"},
    {"bus.key=a*b[c]", NULL, NULL},
    {"bus.key=", NULL, "bus.key: \"\" is not allowed: 1 to 256 bytes"},
    {"bus.key=" FAR_TOO_LONG, NULL, "bus.key: \"AAAAAAAA"},
    {"auth.cookie=tök", NULL, "auth.cookie: \"tök\" is not allowed"},
    {"auth.cookie=\"t\"", NULL, "auth.cookie: \"\"t\"\" is not allowed"},
    {"auth.secret=hush", NULL, NULL},
    {"auth.secret_file=s.txt", NULL, NULL},
    {"auth.secret=hush", "auth.secret_file=s.txt",
     "auth.secret: auth.secret_file is set, too: one of them only"},
    {"admin.api_key=fifteen-bytes--", NULL, "admin.api_key: has 15 bytes: at least 16 are needed"},
    {"admin.api_key=sixteen-bytes---", NULL, NULL},
    {"admin.api_key=sixteen-bytes---", "admin.api_key_file=f",
     "admin.api_key: admin.api_key_file is set, too: one of them only"},
    {"worker.http_secret=short", NULL, "worker.http_secret: has 5 bytes: at least 16 are needed"},
    {"worker.http_secret=sixteen-bytes---", "worker.http_secret_file=f",
     "worker.http_secret: worker.http_secret_file is set, too: one of them only"},
    {"redis.url=redis://127.0.0.1", NULL, NULL},
    {"redis.url=rediss://:hush@redis:6380/2", "redis.tls_ca=ca.pem", NULL},
    {"redis.url=unix:///run/redis.sock", NULL, NULL},
    {"redis.url=http://u:hush@h", NULL,
     "redis.url: the value has no such beginning; it is written "
     "redis://[user:password@]host[:port][/db], rediss://… for TLS, or unix:///path[?db=N]"},
    {"redis.url=redis://:hush@h:x", NULL, "redis.url: host and port are not readable; it"},
    {"redis.url=redis://:hush@/1", NULL, "redis.url: it names no host"},
    {"redis.url=redis://:hush@/1", "redis.sentinels=a:1,[::1]:2,c", NULL},
    {"redis.sentinels=a:1", NULL, "redis.sentinels: redis.url must be set, too"},
    {"redis.url=redis://", "redis.sentinels=a:b", "redis.sentinels: each is written host:port"},
    {"redis.url=redis://", "redis.sentinels=a:1,u:hush@b",
     "redis.sentinels: each is written host:port, and holds no user and no password"},
    {"redis.url=redis://", "redis.sentinels=a,:1",
     "redis.sentinels: \":1\" is not allowed: it names no host"},
    {"redis.url=unix:///s", "redis.sentinels=a", "redis.sentinels: a master cannot be found"},
    {"redis.url=redis://h", "redis.tls_name=h",
     "redis.tls_name: it is for a redis.url that begins with rediss://"},
    {"redis.url=rediss://h", "redis.tls_name=" NAME_OF_254, "redis.tls_name: it is longer than"},
    {"redis.url=rediss://h", "redis.tls_name=" NAME_OF_250 "abc", NULL},
    {"redis.tls_ca=ca.pem", NULL, "redis.tls_ca: it is for a redis.url"},
    {"redis.url=rediss://h", "redis.tls_cert=c.pem",
     "redis.tls_cert: redis.tls_cert and redis.tls_key go together"},
    {"redis.url=rediss://h", "redis.tls_key=k.pem", "redis.tls_cert: redis.tls_cert and"},
    {"gateway.processes=4", NULL,
     "gateway.processes: 4 is not allowed: several processes need redis.url"},
    {"gateway.processes=0", NULL, "gateway.processes: 0 is not allowed: several processes need"},
    {"gateway.processes=4", "redis.url=redis://h", NULL},
    {"gateway.processes=0", "redis.url=redis://h", NULL},
    {"redis.password=hush", "redis.password_file=f",
     "redis.password: redis.password_file is set, too: one of them only"},
    {"redis.backoff_min=100", "redis.backoff_max=100", NULL},
    {"redis.backoff_min=101", "redis.backoff_max=100",
     "redis.backoff_min: it must not be more than redis.backoff_max"},
    {"bus.canary_interval=200", "bus.canary_timeout=201", NULL},
    {"bus.canary_interval=200", "bus.canary_timeout=200",
     "bus.canary_timeout: it must be more than bus.canary_interval"},
    {"bus.heartbeat_interval=600", "bus.heartbeat_timeout=600",
     "bus.heartbeat_timeout: it must be more than bus.heartbeat_interval"},
};

static void test_check_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct cfg c;
        struct cfg_error err = {""};
        cfg_init(&c);
        assert_true(cfg_set(&c, rules[i].set, &err));
        assert_true(!rules[i].and_set || cfg_set(&c, rules[i].and_set, &err));
        bool ok = cfg_check(&c, &err);
        if (ok != (rules[i].text == NULL)) fail_msg("%s: \"%s\"", rules[i].set, err.text);
        if (!ok && strncmp(err.text, rules[i].text, strlen(rules[i].text)) != 0)
            fail_msg("%s\nis not\n%s", err.text, rules[i].text);
        assert_null(strstr(err.text, "hush"));
        cfg_fini(&c);
    }
}

static void test_path_gets_one_final_slash(void **state)
{
    struct cfg c;
    struct cfg_error err;
    (void)state;
    cfg_init(&c);
    assert_true(cfg_set(&c, "gateway.path=/ws/io", &err));
    assert_true(cfg_check(&c, &err) && cfg_check(&c, &err));
    assert_string_equal(c.gateway_path, "/ws/io/");
    cfg_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_one_plain_line),
        cmocka_unit_test(test_shown_values_are_not_cut_inside_a_character),
        cmocka_unit_test(test_check_rules),
        cmocka_unit_test(test_path_gets_one_final_slash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
