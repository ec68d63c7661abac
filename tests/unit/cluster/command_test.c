/* Commands of backends: what is read, in which order, and what is refused with which words. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Cluster */
#include "cluster/command.h"

#define ALL                                                                                        \
    (1u << COMMAND_EMIT | 1u << COMMAND_JOIN | 1u << COMMAND_LEAVE | 1u << COMMAND_DISCONNECT |    \
     1u << COMMAND_ACK | 1u << COMMAND_DATA | 1u << COMMAND_ERROR)
#define ALONE(type) (0x100u | (type)) /* commands_parse_kind() */

static struct buf err;

static struct commands *parse_n(struct str_view json, unsigned how)
{
    buf_fini(&err);
    buf_init(&err, 300);
    if (how & 0x100) return commands_parse_kind(json, (enum command_type)(how & 0xff), &err);
    return commands_parse(json, how, &err);
}

static struct commands *parse(const char *json)
{
    struct commands *c = parse_n(sv_of(json), ALL);
    if (!c) fail_msg("%s: %.*s", json, SV_ARG(buf_view(&err)));
    return c;
}

static void expect_view(struct str_view v, const char *text)
{
    if (!sv_eq(v, sv_of(text))) fail_msg("\"%.*s\" is not \"%s\"", SV_ARG(v), text);
}

static void expect_names(const struct str_view *v, unsigned n, const char *joined)
{
    char text[256];
    size_t at = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.*s", i ? "|" : "", SV_ARG(v[i]));
    assert_string_equal(text, joined);
}

/* ---- what is read */

static void an_emit_has_all_its_parts(void **state)
{
    (void)state;
    struct commands *c =
        parse(" {\"emit\" : { \"event\":\"ch\\u0061t\", \"args\":[ 1e400, {\"a\":[]} ],"
              "\"to\":[\"r1\",\"r\\u00e9\"],\"user\":\"u1\",\"except\":[\"x\"],"
              "\"nsp\":\"/n\",\"volatile\":true}} ");
    assert_int_equal(commands_count(c), 1);
    const struct command *e = commands_at(c, 0);
    assert_int_equal(e->type, COMMAND_EMIT);
    expect_view(e->json, "[\"ch\\u0061t\", 1e400, {\"a\":[]} ]"); /* the text that it was */
    expect_names(e->which.rooms, e->which.nrooms, "r1|r\xc3\xa9|user:u1");
    expect_names(e->which.except, e->which.nexcept, "x");
    expect_view(e->nsp, "/n");
    assert_true(e->which.is_volatile);
    assert_int_equal(e->nattachments, 0);
    commands_free(c);
}

static void an_emit_may_be_bare(void **state)
{
    static const char *const texts[] = {"{\"emit\":{\"event\":\"e\"}}",
                                        "{\"emit\":[{\"event\":\"e\",\"args\":[]}]}",
                                        "{\"emit\":[{\"event\":\"e\",\"args\":[ ]}]}"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct commands *c = parse(texts[i]);
        const struct command *e = commands_at(c, 0);
        expect_view(e->json, "[\"e\"]");
        assert_int_equal(e->which.nrooms + e->which.nexcept + e->nsp.n, 0);
        assert_false(e->which.is_volatile);
        commands_free(c);
    }
}

static void binary_is_base64(void **state)
{
    (void)state;
    struct commands *c =
        parse("{\"emit\":{\"event\":\"e\",\"args\":[{\"_placeholder\":true,\"num\":1}],"
              "\"attachments\":[\"\",\"AAH\\u002f\"]},"
              "\"ack\":{\"_placeholder\":true,\"num\":0},\"attachments\":[\"aGk=\"]}");
    const struct command *e = commands_at(c, 0), *a = commands_at(c, 1);
    assert_int_equal(e->nattachments, 2);
    assert_int_equal(e->attachments[0].n, 0);
    assert_int_equal(e->attachments[1].n, 3);
    assert_memory_equal(e->attachments[1].p, "\0\1\xff", 3);
    assert_int_equal(a->nattachments, 1);
    expect_view(a->attachments[0], "hi");
    expect_view(a->json, "[{\"_placeholder\":true,\"num\":0}]");
    commands_free(c);
}

static void commands_are_in_the_order_of_doing(void **state)
{
    (void)state;
    struct commands *c =
        parse("{\"disconnect\":true,\"ack\":[1,2],\"emit\":[{\"event\":\"a\"},{\"event\":\"b\"}],"
              "\"data\":{\"x\":null},\"leave\":\"l\",\"join\":[\"j1\",{\"rooms\":\"j2\",\"to\":"
              "\"other\"}]}");
    static const enum command_type order[] = {COMMAND_JOIN, COMMAND_JOIN,      COMMAND_LEAVE,
                                              COMMAND_DATA, COMMAND_EMIT,      COMMAND_EMIT,
                                              COMMAND_ACK,  COMMAND_DISCONNECT};
    assert_int_equal(commands_count(c), 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(commands_at(c, i)->type, order[i]);
    expect_names(commands_at(c, 0)->rooms, commands_at(c, 0)->nrooms, "j1");
    assert_true(commands_at(c, 0)->is_own);
    expect_names(commands_at(c, 1)->rooms, commands_at(c, 1)->nrooms, "j2");
    assert_false(commands_at(c, 1)->is_own);
    expect_names(commands_at(c, 1)->which.rooms, 1, "other");
    assert_true(commands_at(c, 2)->is_own);
    expect_view(commands_at(c, 3)->json, "{\"x\":null}");
    expect_view(commands_at(c, 4)->json, "[\"a\"]");
    expect_view(commands_at(c, 6)->json, "[1,2]");
    assert_true(commands_at(c, 7)->is_own && !commands_at(c, 7)->close);
    commands_free(c);
}

static void an_ack_is_a_list_or_one_value(void **state)
{
    static const struct {
        const char *text, *json;
    } v[] = {{"{\"ack\":[]}", "[]"},
             {"{\"ack\":[[1]]}", "[[1]]"},
             {"{\"ack\":\"x\"}", "[\"x\"]"},
             {"{\"ack\":null}", "[null]"},
             {"{\"ack\": {\"a\": 1} }", "[{\"a\": 1}]"},
             {"{\"ack\":1,\"ack\":2}", "[2]"}};
    (void)state;
    for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        struct commands *c = parse(v[i].text);
        assert_int_equal(commands_count(c), 1);
        expect_view(commands_at(c, 0)->json, v[i].json);
        commands_free(c);
    }
}

static void one_may_disconnect_oneself_or_others(void **state)
{
    (void)state;
    struct commands *c = parse("{\"disconnect\":false}");
    assert_int_equal(commands_count(c), 0);
    commands_free(c);
    c = parse("{\"disconnect\":[{\"close\":true},{\"user\":\"u\",\"nsp\":\"/a\"}]}");
    assert_true(commands_at(c, 0)->is_own && commands_at(c, 0)->close);
    assert_false(commands_at(c, 1)->is_own || commands_at(c, 1)->close);
    expect_names(commands_at(c, 1)->which.rooms, 1, "user:u");
    expect_view(commands_at(c, 1)->nsp, "/a");
    commands_free(c);
}

static void an_error_is_kept_as_it_is(void **state)
{
    (void)state;
    struct commands *c =
        parse("{\"error\":{\"message\":\"no\",\"data\":[1]},\"emit\":{\"event\":\"e\"}}");
    assert_int_equal(commands_at(c, 0)->type, COMMAND_EMIT);
    assert_int_equal(commands_at(c, 1)->type, COMMAND_ERROR);
    expect_view(commands_at(c, 1)->json, "{\"message\":\"no\",\"data\":[1]}");
    commands_free(c);
}

static void a_kind_alone_has_no_own_socket(void **state)
{
    (void)state;
    struct commands *c =
        parse_n(SV(" [{\"rooms\":[\"a\",\"b\"],\"to\":\"s\"}]"), ALONE(COMMAND_JOIN));
    assert_non_null(c);
    expect_names(commands_at(c, 0)->rooms, commands_at(c, 0)->nrooms, "a|b");
    commands_free(c);
    c = parse_n(SV("{\"event\":\"e\"}"), ALONE(COMMAND_EMIT));
    assert_non_null(c);
    commands_free(c);
    c = parse_n(SV("[]"), ALONE(COMMAND_EMIT));
    assert_int_equal(commands_count(c), 0);
    commands_free(c);
}

/* ---- what is not */

static void mistakes_say_what_and_where(void **state)
{
    static const struct {
        unsigned how;
        const char *text, *why;
    } v[] = {
        {ALL, "", "unexpected end of JSON"},
        {ALL, "[]", "an object of commands is expected"},
        {ALL, "\"\xff\"", "the text is not UTF-8"},
        {ALL, "{\"emit\":[]} x", "characters behind the JSON value"},
        {ALL, "{\"emmit\":[]}", "\"emmit\" is no command"},
        {1u << COMMAND_EMIT, "{\"ack\":1}", "ack: cannot be done here"},
        {1u << COMMAND_EMIT, "{\"attachments\":[]}", "ack: cannot be done here"},
        {ALL, "{\"attachments\":[]}", "attachments: go with \"ack\""},
        {ALL, "{\"emit\":null}", "emit: must be an object"},
        {ALL, "{\"emit\":[{\"event\":\"e\"},7]}", "emit[1]: must be an object"},
        {ALL, "{\"emit\":[{}]}", "emit[0].event: is missing"},
        {ALL, "{\"emit\":{\"event\":5}}", "emit.event: must be a string"},
        {ALL, "{\"emit\":{\"event\":\"connect\"}}", "emit.event: reserved event name"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"args\":{}}}", "emit.args: must be an array"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"room\":\"a\"}}", "emit: \"room\" is no member"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"close\":true}}", "emit: \"close\" is no member"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"to\":5}}",
         "emit.to: must be a string or an array of strings"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"to\":[]}}", "emit.to: must not be empty"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"to\":[[]]}}", "emit.to: must hold strings only"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"user\":\"\"}}", "emit.user: a name is empty"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"to\":\"a\\n\"}}",
         "emit.to: a name holds a control character or half a character"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"to\":\"\\ud800\"}}",
         "emit.to: a name holds a control character or half a character"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"nsp\":[\"/\"]}}", "emit.nsp: must be a string"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"nsp\":\"a\"}}",
         "emit.nsp: a namespace begins with \"/\" and has no comma"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"nsp\":\"/a,\"}}",
         "emit.nsp: a namespace begins with \"/\" and has no comma"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"volatile\":1}}",
         "emit.volatile: must be true or false"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"attachments\":\"AA==\"}}",
         "emit.attachments: must be an array of strings"},
        {ALL, "{\"emit\":{\"event\":\"e\",\"attachments\":[\"AA==\",\"A\"]}}",
         "emit.attachments: string 1 is no base64"},
        {ALL,
         "{\"emit\":{\"event\":\"e\",\"args\":[{\"_placeholder\":true,\"num\":1}],"
         "\"attachments\":[\"\"]}}",
         "emit.args: a placeholder refers to no attachment"},
        {ALL, "{\"ack\":[{\"_placeholder\":true}],\"attachments\":[\"\"]}",
         "ack: a placeholder refers to no attachment"},
        {ALL, "{\"ack\":1,\"attachments\":{}}", "attachments: must be an array of strings"},
        {ALL, "{\"join\":5}", "join: must be an object or a string"},
        {ALL, "{\"join\":[\"a\",{\"to\":\"b\"}]}", "join[1].rooms: is missing"},
        {ALL, "{\"join\":{\"rooms\":\"b\",\"except\":\"c\"}}",
         "join: \"except\" and \"nsp\" go with \"to\" or \"user\""},
        {ALL, "{\"leave\":\"\"}", "leave.rooms: a name is empty"},
        {ALL, "{\"disconnect\":\"yes\"}", "disconnect: must be an object, true or false"},
        {ALL, "{\"disconnect\":{\"close\":null}}", "disconnect.close: must be true or false"},
        {ALL, "{\"error\":\"no\"}", "error: must be an object"},
        {ALL, "{\"error\":{}}", "error.message: is missing"},
        {ALL, "{\"error\":{\"message\":1}}", "error.message: must be a string"},
        {ALL, "{\"error\":{\"message\":\"\",\"code\":1}}", "error: \"code\" is no member"},
        {ALL, "{\"error\":{\"message\":\"a\"},\"ack\":1}", "error: does not go with \"ack\""},
        {ALONE(COMMAND_EMIT), "{}", "event: is missing"},
        {ALONE(COMMAND_EMIT), "[{}]", "[0].event: is missing"},
        {ALONE(COMMAND_EMIT), "7", "must be an object"},
        {ALONE(COMMAND_JOIN), "\"room\"", "must be an object"},
        {ALONE(COMMAND_LEAVE), "[{\"rooms\":\"a\"}]", "[0]: \"to\" or \"user\" is missing"},
        {ALONE(COMMAND_DISCONNECT), "true", "must be an object"},
        {ALONE(COMMAND_DISCONNECT), "{\"close\":true}", "\"to\" or \"user\" is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        struct commands *c = parse_n(sv_of(v[i].text), v[i].how);
        if (c) fail_msg("taken: %s", v[i].text);
        assert_true(buf_add_char(&err, '\0'));
        assert_string_equal(err.p, v[i].why);
    }
}

/* {"emit":{"event":"e","to":[N names]}} and the like. */
static struct commands *parse_many(const char *head, const char *one, size_t n, const char *tail)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_true(buf_add_sv(&text, sv_of(head)));
    for (size_t i = 0; i < n; i++)
        assert_true(buf_addf(&text, "%s%s", i ? "," : "", one));
    assert_true(buf_add_sv(&text, sv_of(tail)));
    struct commands *c = parse_n(buf_view(&text), ALL);
    buf_fini(&text);
    return c;
}

static void counts_are_bounded(void **state)
{
    static const struct {
        const char *head, *one;
        size_t most;
        const char *tail, *why;
    } v[] = {
        {"{\"emit\":[", "{\"event\":\"e\"}", COMMANDS_MAX, "]}",
         "emit[1000]: more than 1000 commands"},
        {"{\"emit\":{\"event\":\"e\",\"to\":[", "\"r\"", COMMAND_NAMES_MAX, "]}}",
         "emit.to: more than 1000 names in one command"},
        {"{\"join\":{\"to\":\"a\",\"rooms\":[", "\"r\"", COMMAND_NAMES_MAX - 1, "]}}",
         "join.to: more than 1000 names in one command"},
        {"{\"emit\":{\"event\":\"e\",\"attachments\":[", "\"AAAA\"", COMMAND_ATTACHMENTS_MAX, "]}}",
         "emit.attachments: more than 64 attachments"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        struct commands *c = parse_many(v[i].head, v[i].one, v[i].most, v[i].tail);
        assert_non_null(c);
        commands_free(c);
        assert_null(parse_many(v[i].head, v[i].one, v[i].most + 1, v[i].tail));
        assert_true(buf_add_char(&err, '\0'));
        assert_string_equal(err.p, v[i].why);
    }
}

static void names_have_a_longest(void **state)
{
    static const struct {
        const char *member, *first;
        size_t most;
    } v[] = {{"to", "r", COMMAND_ROOM_MAX},
             {"user", "u", COMMAND_USER_MAX},
             {"nsp", "/", COMMAND_NSP_MAX}};
    char name[300], text[400];
    (void)state;
    memset(name, 'x', sizeof(name));
    for (size_t i = 0; i < 3; i++)
        for (size_t more = 0; more < 2; more++) {
            name[0] = v[i].first[0];
            snprintf(text, sizeof(text), "{\"emit\":{\"event\":\"e\",\"%s\":\"%.*s\"}}",
                     v[i].member, (int)(v[i].most + more), name);
            struct commands *c = parse_n(sv_of(text), ALL);
            assert_true((c != NULL) == (more == 0));
            commands_free(c);
        }
}

static void nesting_is_bounded(void **state)
{
    char text[2 * COMMAND_DEPTH_MAX + 16];
    (void)state;
    for (int more = 0; more < 2; more++) {
        int depth = COMMAND_DEPTH_MAX - 1 + more;
        char open[COMMAND_DEPTH_MAX + 1], shut[COMMAND_DEPTH_MAX + 1];
        memset(open, '[', sizeof(open));
        memset(shut, ']', sizeof(shut));
        snprintf(text, sizeof(text), "{\"data\":%.*s%.*s}", depth, open, depth, shut);
        struct commands *c = parse_n(sv_of(text), ALL);
        assert_true((c != NULL) == (more == 0));
        commands_free(c);
    }
}

static void mistakes_fit_in_any_buffer(void **state)
{
    (void)state;
    for (size_t max = 0; max < 40; max++) {
        struct buf small;
        buf_init(&small, max);
        assert_null(commands_parse(SV("{\"emit\":[{\"event\":5}]}"), ALL, &small));
        assert_true(small.n <= max);
        buf_fini(&small);
    }
}

static int forget(void **state)
{
    (void)state;
    buf_fini(&err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_emit_has_all_its_parts),
        cmocka_unit_test(an_emit_may_be_bare),
        cmocka_unit_test(binary_is_base64),
        cmocka_unit_test(commands_are_in_the_order_of_doing),
        cmocka_unit_test(an_ack_is_a_list_or_one_value),
        cmocka_unit_test(one_may_disconnect_oneself_or_others),
        cmocka_unit_test(an_error_is_kept_as_it_is),
        cmocka_unit_test(a_kind_alone_has_no_own_socket),
        cmocka_unit_test(mistakes_say_what_and_where),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(names_have_a_longest),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(mistakes_fit_in_any_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
