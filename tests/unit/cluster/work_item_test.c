/* Items as fields of a stream's entry and back; what is no item. */
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
/* Cluster */
#include "cluster/work_item.h"
#include "work_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct buf scratch;
static struct str_view fields[WORK_FIELDS_MAX + 2];
static struct str_view attachments[WORK_ATTACHMENTS_MAX];

static size_t encode(enum work_type type)
{
    buf_clear(&scratch);
    return work_item_encode(&work_fixture[type], &scratch, fields);
}

static void assert_sv(struct str_view a, struct str_view b)
{
    assert_int_equal(a.n, b.n);
    if (a.n) assert_memory_equal(a.p, b.p, a.n);
}

static void assert_same(const struct work_item *a, const struct work_item *b)
{
    assert_int_equal(a->type, b->type);
    assert_sv(a->id, b->id);
    assert_sv(a->nsp, b->nsp);
    assert_sv(a->sid, b->sid);
    assert_sv(a->gateway, b->gateway);
    assert_int_equal(a->serial, b->serial);
    assert_sv(a->user, b->user);
    assert_sv(a->claims, b->claims);
    assert_sv(a->data, b->data);
    assert_int_equal(a->time_ms, b->time_ms);
    assert_sv(a->event, b->event);
    assert_sv(a->args, b->args);
    assert_int_equal(a->wants_ack, b->wants_ack);
    assert_int_equal(a->ack_id, b->ack_id);
    assert_sv(a->auth, b->auth);
    assert_sv(a->address, b->address);
    assert_sv(a->transport, b->transport);
    assert_int_equal(a->asks, b->asks);
    assert_sv(a->reason, b->reason);
    assert_int_equal(a->nattachments, b->nattachments);
    for (unsigned i = 0; i < a->nattachments; i++)
        assert_sv(a->attachments[i], b->attachments[i]);
}

static const char *refusal(size_t n)
{
    struct work_item item;
    const char *why = NULL;
    if (work_item_decode(&item, fields, n, attachments, &why)) return NULL;
    assert_true(why && *why);
    return why;
}

static struct str_view *value_of(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i += 2)
        if (sv_eq(fields[i], sv_of(name))) return &fields[i + 1];
    fail_msg("no field %s", name);
    return NULL;
}

static void an_entry_is_the_item_again(void **state)
{
    (void)state;
    for (int t = 0; t < WORK_TYPES; t++) {
        struct work_item item;
        const char *why;
        size_t n = encode((enum work_type)t);
        assert_true(work_item_decode(&item, fields, n, attachments, &why));
        assert_string_equal(why, "");
        assert_same(&item, &work_fixture[t]);
    }
}

static void fields_have_their_names(void **state)
{
    static const char *const want[][2] = {
        {"type", "event"},
        {"id", "gateway1-17"},
        {"nsp", "/chat"},
        {"sid", "gateway1AAAAbbbbCCCC"},
        {"gateway", "gateway1"},
        {"serial", "4294967295"},
        {"user", "J\xc3\xb6rg"},
        {"claims", "{\"sub\":\"J\xc3\xb6rg\",\"n\":12345678901234567890}"},
        {"data", "null"},
        {"time", "1700000000123"},
        {"event", "m\xed\xa0\x80"},
        {"args", NULL},
        {"ack", "9007199254740991"},
        {"attachment0", NULL},
        {"attachment1", ""},
    };
    (void)state;
    assert_int_equal(encode(WORK_EVENT), 2 * COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_sv(fields[2 * i], sv_of(want[i][0]));
        if (want[i][1]) assert_sv(fields[2 * i + 1], sv_of(want[i][1]));
    }
    assert_sv(fields[27], work_fixture_attachments[0]);
    size_t n = encode(WORK_CONNECT);
    assert_sv(*value_of("asks", n), SV("1"));
    assert_sv(*value_of("auth", n), SV("{\"x\":1}"));
    n = encode(WORK_DISCONNECT);
    assert_sv(*value_of("reason", n), SV("transport close"));
}

static void an_event_without_ack_has_no_such_field(void **state)
{
    struct work_item plain = work_fixture[WORK_EVENT], item;
    const char *why;
    (void)state;
    plain.wants_ack = false;
    plain.ack_id = 0;
    buf_clear(&scratch);
    size_t n = work_item_encode(&plain, &scratch, fields);
    for (size_t i = 0; i < n; i += 2)
        assert_false(sv_eq(fields[i], SV("ack")));
    assert_true(work_item_decode(&item, fields, n, attachments, &why));
    assert_same(&item, &plain);
}

static void as_many_attachments_as_there_may_be(void **state)
{
    struct work_item full = work_fixture[WORK_EVENT], item;
    struct str_view bytes[WORK_ATTACHMENTS_MAX];
    const char *why;
    (void)state;
    for (size_t i = 0; i < COUNT(bytes); i++)
        bytes[i] = SV("xyz");
    full.attachments = bytes;
    full.nattachments = WORK_ATTACHMENTS_MAX;
    full.serial = full.time_ms = UINT64_MAX;
    buf_clear(&scratch);
    size_t n = work_item_encode(&full, &scratch, fields);
    assert_true(n <= WORK_FIELDS_MAX);
    assert_true(work_item_decode(&item, fields, n, attachments, &why));
    assert_same(&item, &full);
}

/* Only `ack` may be left out of an item, and the last attachment of one that does not name it. */
static void each_field_is_needed_once(void **state)
{
    (void)state;
    for (int t = 0; t < WORK_TYPES; t++) {
        size_t n = encode((enum work_type)t);
        for (size_t gone = 0; gone < n; gone += 2) {
            n = encode((enum work_type)t);
            struct str_view name = fields[gone], value = fields[gone + 1];
            memmove(fields + gone, fields + gone + 2, (n - gone - 2) * sizeof(*fields));
            assert_int_equal(refusal(n - 2) == NULL, sv_eq(name, SV("ack")));
            n = encode((enum work_type)t);
            fields[n] = name;
            fields[n + 1] = value;
            assert_string_equal(refusal(n + 2), "a field twice");
        }
    }
}

static void any_order_and_unknown_fields_are_fine(void **state)
{
    (void)state;
    for (int t = 0; t < WORK_TYPES; t++) {
        size_t n = encode((enum work_type)t);
        for (size_t i = 0; i < n / 2; i += 2) {
            struct str_view name = fields[i], value = fields[i + 1];
            fields[i] = fields[n - 2 - i];
            fields[i + 1] = fields[n - 1 - i];
            fields[n - 2 - i] = name;
            fields[n - 1 - i] = value;
        }
        fields[n] = SV("trace\xff");
        fields[n + 1] = SV("\xff");
        assert_null(refusal(n + 2));
        assert_string_equal(refusal(n + 1), "too many fields, or one without value");
    }
    assert_non_null(refusal(0));
    assert_string_equal(refusal(WORK_FIELDS_MAX + 2), "too many fields, or one without value");
}

/* Every byte of every text changed to some others: an item or not, but never more than it says. */
static void no_changed_byte_is_trusted(void **state)
{
    static const char others[] = {'\0', '"', '{', ']', '9', '\x80', '\xff', '-'};
    (void)state;
    for (int t = 0; t < WORK_TYPES; t++) {
        size_t n = encode((enum work_type)t);
        for (size_t f = 0; f < n; f++) {
            for (size_t at = 0; at < fields[f].n; at++) {
                for (size_t o = 0; o < COUNT(others); o++) {
                    struct work_item item;
                    const char *why;
                    struct str_view was = fields[f];
                    char *text = x_memdup(was.p, was.n);
                    text[at] = others[o];
                    fields[f] = sv_make(text, was.n);
                    if (work_item_decode(&item, fields, n, attachments, &why)) {
                        struct buf again;
                        struct str_view v[WORK_FIELDS_MAX];
                        buf_init(&again, WORK_SCRATCH_MAX);
                        assert_true(work_item_encode(&item, &again, v) <= n);
                        buf_fini(&again);
                    }
                    fields[f] = was;
                    x_free(text);
                }
            }
        }
        assert_null(refusal(n));
    }
}

static void wrong_values_are_refused(void **state)
{
    static const struct {
        enum work_type type;
        const char *name, *value;
    } cases[] = {
        {WORK_EVENT, "type", "events"},
        {WORK_EVENT, "type", ""},
        {WORK_EVENT, "type", "connect"},
        {WORK_EVENT, "id", ""},
        {WORK_EVENT, "id", "gateway1-"},
        {WORK_EVENT, "id", "gateway1-01"},
        {WORK_EVENT, "id", "gateway1-1x"},
        {WORK_EVENT, "id", "gateway1"},
        {WORK_EVENT, "id", "gateway2-17"},
        {WORK_EVENT, "id", "gateway1-18446744073709551616"},
        {WORK_EVENT, "nsp", ""},
        {WORK_EVENT, "nsp", "/\xff"},
        {WORK_EVENT, "sid", ""},
        {WORK_EVENT, "sid", "\xc0\x80"},
        {WORK_EVENT, "gateway", ""},
        {WORK_EVENT, "serial", ""},
        {WORK_EVENT, "serial", "-1"},
        {WORK_EVENT, "serial", "1.0"},
        {WORK_EVENT, "serial", "18446744073709551616"},
        {WORK_EVENT, "serial", "99999999999999999999"},
        {WORK_EVENT, "time", "00"},
        {WORK_EVENT, "time", " 1"},
        {WORK_EVENT, "user", "\xed\xa0\x80"},
        {WORK_EVENT, "claims", "[]"},
        {WORK_EVENT, "claims", ""},
        {WORK_EVENT, "claims", "{}{}"},
        {WORK_EVENT, "data", ""},
        {WORK_EVENT, "data", "undefined"},
        {WORK_EVENT, "event", "m"},
        {WORK_EVENT, "event", ""},
        {WORK_EVENT, "args", "{}"},
        {WORK_EVENT, "args", "[]"},
        {WORK_EVENT, "args", "[null]"},
        {WORK_EVENT, "args", "[\"m\\ud800\",{\"_placeholder\":true,\"num\":2}]"},
        {WORK_EVENT, "args", "[\"m\\ud800\",\"\xff\"]"},
        {WORK_EVENT, "args", "[\"connect\"]"},
        {WORK_EVENT, "ack", "9007199254740992"},
        {WORK_EVENT, "ack", ""},
        {WORK_CONNECT, "auth", "null"},
        {WORK_CONNECT, "address", "\xff"},
        {WORK_CONNECT, "transport", "\xff"},
        {WORK_CONNECT, "asks", "true"},
        {WORK_CONNECT, "asks", ""},
        {WORK_DISCONNECT, "reason", "\xff"},
        {WORK_DISCONNECT, "type", "event"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = encode(cases[i].type);
        *value_of(cases[i].name, n) = sv_of(cases[i].value);
        if (!refusal(n)) fail_msg("%s: %s was taken", cases[i].name, cases[i].value);
    }
}

/* The id goes into the head of requests. */
static void gateways_have_plain_names(void **state)
{
    static const char *const bad[] = {"a\r\nX: 1", "a b", "a\x7f", "\xc3\xb6"};
    char id[32];
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        size_t n = encode(WORK_CONNECT);
        snprintf(id, sizeof(id), "%s-1", bad[i]);
        *value_of("gateway", n) = sv_of(bad[i]);
        *value_of("id", n) = sv_of(id);
        if (!refusal(n)) fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void names_and_nesting_are_bounded(void **state)
{
    char name[1025], json[2 * (1024 + 1)];
    (void)state;
    memset(name, 'n', sizeof(name));
    size_t n = encode(WORK_CONNECT);
    *value_of("sid", n) = sv_make(name, 1024);
    assert_null(refusal(n));
    *value_of("sid", n) = sv_make(name, 1025);
    assert_non_null(refusal(n));
    n = encode(WORK_CONNECT);
    memset(json, '[', sizeof(json) / 2);
    memset(json + sizeof(json) / 2, ']', sizeof(json) / 2);
    *value_of("data", n) = sv_make(json + 1, sizeof(json) - 2);
    assert_null(refusal(n));
    *value_of("data", n) = sv_make(json, sizeof(json));
    assert_non_null(refusal(n));
}

static void attachments_have_their_numbers(void **state)
{
    static const char *const wrong[] = {"attachment",   "attachment2",  "attachment64",
                                        "attachment00", "attachment-1", "attachment1x"};
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        size_t n = encode(WORK_EVENT);
        fields[n - 2] = sv_of(wrong[i]);
        assert_non_null(refusal(n));
    }
    size_t n = encode(WORK_DISCONNECT);
    fields[n] = SV("attachment0");
    fields[n + 1] = SV("x");
    assert_string_equal(refusal(n + 2), "attachments of no event");
}

static void who_waits_can_be_read_of_what_is_no_item(void **state)
{
    struct str_view v[] = {SV("sid"),     SV("s"),     SV("nsp"),          SV("/"),
                           SV("ack"),     SV("7"),     SV("serial"),       SV("9"),
                           SV("args"),    SV("[junk"), SV("type"),         SV("event"),
                           SV("gateway"), SV("g"),     SV("attachment99"), SV("")};
    struct work_item item;
    (void)state;
    assert_true(work_item_decode_address(&item, v, COUNT(v)));
    assert_true(item.type == WORK_EVENT && item.wants_ack && item.ack_id == 7 && item.serial == 9);
    assert_sv(item.nsp, SV("/"));
    assert_sv(item.sid, SV("s"));
    assert_sv(item.gateway, SV("g"));
    assert_false(work_item_decode_address(&item, v + 2, COUNT(v) - 2)); /* no sid */
    v[13] = SV("g\n");                                                  /* no gateway's name */
    assert_false(work_item_decode_address(&item, v, COUNT(v)));
    v[13] = SV("g");
    v[4] = SV("nsp"); /* twice */
    assert_false(work_item_decode_address(&item, v, COUNT(v)));
    v[4] = SV("asks");
    v[5] = SV("1");
    v[11] = SV("connect");
    assert_true(work_item_decode_address(&item, v, COUNT(v)));
    assert_true(item.type == WORK_CONNECT && item.asks);
    v[11] = SV("junk");
    assert_false(work_item_decode_address(&item, v, COUNT(v)));
}

static void a_number_may_be_an_event(void **state)
{
    (void)state;
    size_t n = encode(WORK_EVENT);
    *value_of("args", n) = SV("[7]");
    *value_of("event", n) = SV("7");
    assert_null(refusal(n));
    *value_of("event", n) = SV("8");
    assert_non_null(refusal(n));
}

static void a_copy_stands_alone(void **state)
{
    (void)state;
    for (int t = 0; t < WORK_TYPES; t++) {
        struct work_item item;
        const char *why;
        size_t n = encode((enum work_type)t), total = 0;
        char *texts[WORK_FIELDS_MAX];
        for (size_t i = 0; i < n; i++) {
            total += i % 2 ? fields[i].n : 0;
            texts[i] = x_memdup(fields[i].p, fields[i].n);
            fields[i].p = texts[i];
        }
        assert_true(work_item_decode(&item, fields, n, attachments, &why));
        struct work_item *copy = work_item_new(&item);
        for (size_t i = 0; i < n; i++) {
            memset(texts[i], 'x', fields[i].n);
            x_free(texts[i]);
        }
        memset(attachments, 0, sizeof(attachments));
        assert_same(copy, &work_fixture[t]);
        assert_true(work_item_size(copy) + 64 >= total && work_item_size(copy) < total + 512);
        x_free(copy);
    }
}

static void partitions_are_the_same_everywhere(void **state)
{
    static const struct {
        const char *sid;
        unsigned of16, of256, of7;
    } cases[] = {
        {"", 5, 37, 2},
        {"a", 12, 140, 5},
        {"foobar", 8, 232, 6},
        {"AAAAAAAABBBBBBBBBBBB", 13, 77, 3},
        {"/chat#AAAAAAAABBBBBBBBBBBB", 1, 225, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(work_partition(sv_of(cases[i].sid), 16), cases[i].of16);
        assert_int_equal(work_partition(sv_of(cases[i].sid), 256), cases[i].of256);
        assert_int_equal(work_partition(sv_of(cases[i].sid), 7), cases[i].of7);
        assert_int_equal(work_partition(sv_of(cases[i].sid), 1), 0);
    }
}

static void types_have_names(void **state)
{
    (void)state;
    assert_string_equal(work_type_name(WORK_EVENT), "event");
    assert_string_equal(work_type_name(WORK_CONNECT), "connect");
    assert_string_equal(work_type_name(WORK_DISCONNECT), "disconnect");
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&scratch, WORK_SCRATCH_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_the_item_again),
        cmocka_unit_test(fields_have_their_names),
        cmocka_unit_test(an_event_without_ack_has_no_such_field),
        cmocka_unit_test(as_many_attachments_as_there_may_be),
        cmocka_unit_test(each_field_is_needed_once),
        cmocka_unit_test(any_order_and_unknown_fields_are_fine),
        cmocka_unit_test(no_changed_byte_is_trusted),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(gateways_have_plain_names),
        cmocka_unit_test(names_and_nesting_are_bounded),
        cmocka_unit_test(attachments_have_their_numbers),
        cmocka_unit_test(who_waits_can_be_read_of_what_is_no_item),
        cmocka_unit_test(a_number_may_be_an_event),
        cmocka_unit_test(a_copy_stands_alone),
        cmocka_unit_test(partitions_are_the_same_everywhere),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
