/* Design notes
 *
 * The text is copied and proved once, then walked: kind by kind in the order in which commands are
 * carried out, whatever the order of the keys. Names are decoded, arguments stay as they are. What is
 * made of the text is kept in blocks that go together; none is larger than a small multiple of
 * the text, which its owner has bounded. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
/* Cluster */
#include "cluster/command_parts.h"

#define WHICH (1u << TO | 1u << USER | 1u << EXCEPT | 1u << NSP)

static struct command *add(struct reader *r, enum command_type type)
{
    struct commands *c = r->out;
    if (c->n == COMMANDS_MAX) {
        command_fail(r, NULL, "more than %d commands", COMMANDS_MAX);
        return NULL;
    }
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 8;
        c->v = x_realloc(c->v, c->cap * sizeof(*c->v));
    }
    r->names = 0;
    c->v[c->n] = (struct command){.type = type};
    return &c->v[c->n++];
}

/* ---- one command */

static bool read_which(struct reader *r, const struct str_view *members, struct command *c)
{
    struct bus_target *t = &c->which;
    return command_read_list(r, members, TO, USER, &t->rooms, &t->nrooms) &&
           command_read_list(r, members, EXCEPT, MEMBERS, &t->except, &t->nexcept) &&
           command_read_nsp(r, members[NSP], &c->nsp);
}

/* Who is meant by a join, a leave, a disconnect. */
static bool read_whom(struct reader *r, const struct str_view *members, struct command *c)
{
    if (!read_which(r, members, c)) return false;
    if (c->which.nrooms) return true;
    if (!r->has_own) return command_fail(r, NULL, "\"to\" or \"user\" is missing");
    if (members[EXCEPT].p || members[NSP].p)
        return command_fail(r, NULL, "\"except\" and \"nsp\" go with \"to\" or \"user\"");
    c->is_own = true;
    return true;
}

static bool build_event(struct reader *r, struct str_view name, struct str_view args,
                        struct command *c)
{
    struct str_view event;
    const char *why;
    bool has_args = args.p && command_count_elements(args);
    size_t max = name.n + (has_args ? args.n : 1) + 1;
    char *p = command_keep(r, max);
    p[0] = '[';
    memcpy(p + 1, name.p, name.n);
    p[name.n + 1] = has_args ? ',' : ']';
    if (has_args) memcpy(p + name.n + 2, args.p + 1, args.n - 1);
    c->json = sv_make(p, max);
    if (!sio_event_is_legal(c->json, &event, &why)) return command_fail(r, "event", "%s", why);
    return command_check_placeholders(r, "args", c);
}

static bool read_emit(struct reader *r, struct str_view v)
{
    struct str_view m[MEMBERS];
    struct command *c = add(r, COMMAND_EMIT);
    if (!c) return false;
    if (json_kind_of(v) != JSON_OBJECT) return command_fail(r, NULL, "must be an object");
    if (!command_read_object(
            r, v, WHICH | 1u << EVENT | 1u << ARGS | 1u << VOLATILE | 1u << ATTACHMENTS, m))
        return false;
    if (!m[EVENT].p) return command_fail(r, "event", "is missing");
    if (json_kind_of(m[EVENT]) != JSON_STRING) return command_fail(r, "event", "must be a string");
    if (m[ARGS].p && json_kind_of(m[ARGS]) != JSON_ARRAY)
        return command_fail(r, "args", "must be an array");
    return read_which(r, m, c) &&
           command_read_bool(r, VOLATILE, m[VOLATILE], &c->which.is_volatile) &&
           command_read_attachments(r, m[ATTACHMENTS], c) && build_event(r, m[EVENT], m[ARGS], c);
}

static bool read_rooms(struct reader *r, enum command_type type, struct str_view v)
{
    struct str_view m[MEMBERS] = {{0}};
    struct command *c = add(r, type);
    if (!c) return false;
    enum json_kind kind = json_kind_of(v);
    if (kind != JSON_OBJECT && !(kind == JSON_STRING && r->has_own))
        return command_fail(r, NULL, "must be an object%s", r->has_own ? " or a string" : "");
    if (kind == JSON_STRING)
        m[ROOMS] = v;
    else if (!command_read_object(r, v, WHICH | 1u << ROOMS, m))
        return false;
    if (!m[ROOMS].p) return command_fail(r, "rooms", "is missing");
    return command_read_list(r, m, ROOMS, MEMBERS, &c->rooms, &c->nrooms) && read_whom(r, m, c);
}

static bool read_disconnect(struct reader *r, struct str_view v)
{
    struct str_view m[MEMBERS] = {{0}};
    enum json_kind kind = json_kind_of(v);
    if (kind == JSON_FALSE && r->has_own) return true;
    struct command *c = add(r, COMMAND_DISCONNECT);
    if (!c) return false;
    if (kind != JSON_OBJECT && !(kind == JSON_TRUE && r->has_own))
        return command_fail(r, NULL, "must be an object%s", r->has_own ? ", true or false" : "");
    if (kind == JSON_OBJECT && !command_read_object(r, v, WHICH | 1u << CLOSE, m)) return false;
    return command_read_bool(r, CLOSE, m[CLOSE], &c->close) && read_whom(r, m, c);
}

static bool read_ack(struct reader *r, struct str_view v, struct str_view attachments)
{
    struct command *c = add(r, COMMAND_ACK);
    if (!c) return false;
    c->json = v;
    if (json_kind_of(v) != JSON_ARRAY) {
        char *p = command_keep(r, v.n + 2);
        p[0] = '[';
        memcpy(p + 1, v.p, v.n);
        p[v.n + 1] = ']';
        c->json = sv_make(p, v.n + 2);
    }
    r->kind = NULL;
    return command_read_attachments(r, attachments, c) && command_check_placeholders(r, "ack", c);
}

static bool read_error(struct reader *r, struct str_view v)
{
    struct json_iter it;
    struct str_view key, value, message = {NULL, 0};
    struct command *c = add(r, COMMAND_ERROR);
    if (!c) return false;
    if (json_kind_of(v) != JSON_OBJECT) return command_fail(r, NULL, "must be an object");
    for (json_iter_init(&it, v); json_object_next(&it, &key, &value);) {
        if (json_string_equals(key, SV("message")))
            message = value;
        else if (!json_string_equals(key, SV("data")))
            return command_fail_unknown(r, key, "member");
    }
    if (!message.p) return command_fail(r, "message", "is missing");
    if (json_kind_of(message) != JSON_STRING) return command_fail(r, "message", "must be a string");
    c->json = v;
    return true;
}

static bool read_data(struct reader *r, struct str_view v)
{
    struct command *c = add(r, COMMAND_DATA);
    if (c) c->json = v;
    return c != NULL;
}

/* ---- a whole text */

static const char *const kinds[] = {
    [COMMAND_EMIT] = "emit",   [COMMAND_JOIN] = "join",
    [COMMAND_LEAVE] = "leave", [COMMAND_DISCONNECT] = "disconnect",
    [COMMAND_ACK] = "ack",     [COMMAND_DATA] = "data",
    [COMMAND_ERROR] = "error",
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool read_one(struct reader *r, enum command_type type, struct str_view v)
{
    switch (type) {
    case COMMAND_EMIT: return read_emit(r, v);
    case COMMAND_JOIN:
    case COMMAND_LEAVE: return read_rooms(r, type, v);
    default: return read_disconnect(r, v);
    }
}

/* The value of a kind: a list, or one. */
static bool read_kind(struct reader *r, enum command_type type, struct str_view v)
{
    struct json_iter it;
    struct str_view one;
    r->kind = kinds[type];
    r->in_list = json_kind_of(v) == JSON_ARRAY;
    r->index = 0;
    if (!r->in_list) return read_one(r, type, v);
    for (json_iter_init(&it, v); json_array_next(&it, &one); r->index++)
        if (!read_one(r, type, one)) return false;
    r->in_list = false;
    return true;
}

/* All keys must be known, and allowed here. */
static bool check_keys(struct reader *r, struct str_view object, unsigned allowed)
{
    struct json_iter it;
    struct str_view key, value;
    for (json_iter_init(&it, object); json_object_next(&it, &key, &value);) {
        unsigned type = 0;
        if (json_string_equals(key, SV("attachments")))
            type = COMMAND_ACK;
        else
            while (type < KINDS && !json_string_equals(key, sv_of(kinds[type])))
                type++;
        if (type == KINDS) return command_fail_unknown(r, key, "command");
        if (!(allowed & 1u << type)) return command_fail(r, kinds[type], "cannot be done here");
    }
    return true;
}

static bool read_answer(struct reader *r, struct str_view text, unsigned allowed)
{
    static const enum command_type order[] = {COMMAND_JOIN, COMMAND_LEAVE};
    struct str_view v, binary = {NULL, 0}, ack;
    if (json_kind_of(text) != JSON_OBJECT)
        return command_fail(r, NULL, "an object of commands is expected");
    if (!check_keys(r, text, allowed)) return false;
    bool has_ack = json_member_get(text, SV("ack"), &ack);
    if (json_member_get(text, SV("attachments"), &binary) && !has_ack)
        return command_fail(r, "attachments", "go with \"ack\"");
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (json_member_get(text, sv_of(kinds[order[i]]), &v) && !read_kind(r, order[i], v))
            return false;
    if (json_member_get(text, SV("data"), &v) && !read_data(r, v)) return false;
    if (json_member_get(text, SV("emit"), &v) && !read_kind(r, COMMAND_EMIT, v)) return false;
    if (has_ack && !read_ack(r, ack, binary)) return false;
    r->kind = "error";
    if (json_member_get(text, SV("error"), &v)) {
        if (has_ack) return command_fail(r, NULL, "does not go with \"ack\"");
        if (!read_error(r, v)) return false;
    }
    return !json_member_get(text, SV("disconnect"), &v) || read_kind(r, COMMAND_DISCONNECT, v);
}

/* Proves the text and keeps a copy of it. */
static bool take_text(struct reader *r, struct str_view *json)
{
    enum json_kind kind;
    const char *why;
    if (!utf8_is_valid(*json)) return command_fail(r, NULL, "the text is not UTF-8");
    if (!json_scan_value(*json, COMMAND_DEPTH_MAX, -1, &kind, &why))
        return command_fail(r, NULL, "%s", why);
    *json = command_keep_text(r, *json);
    return true;
}

static void begin(struct reader *r, bool has_own, struct buf *err)
{
    *r = (struct reader){.out = x_calloc(1, sizeof(*r->out)), .err = err, .has_own = has_own};
    buf_init(&r->scratch, COMMAND_ROOM_MAX);
}

static struct commands *end(struct reader *r, bool ok)
{
    buf_fini(&r->scratch);
    if (ok) return r->out;
    commands_free(r->out);
    return NULL;
}

struct commands *commands_parse(struct str_view json, unsigned allowed, struct buf *err)
{
    struct reader r;
    begin(&r, true, err);
    return end(&r, take_text(&r, &json) && read_answer(&r, json, allowed));
}

struct commands *commands_parse_kind(struct str_view json, enum command_type type, struct buf *err)
{
    struct reader r;
    assert(type <= COMMAND_DISCONNECT);
    begin(&r, false, err);
    r.is_alone = true;
    return end(&r, take_text(&r, &json) && read_kind(&r, type, json));
}

size_t commands_count(const struct commands *c)
{
    return c->n;
}

const struct command *commands_at(const struct commands *c, size_t i)
{
    assert(i < c->n);
    return &c->v[i];
}

void commands_free(struct commands *c)
{
    if (!c) return;
    for (struct block *next; c->blocks; c->blocks = next) {
        next = c->blocks->next;
        x_free(c->blocks);
    }
    x_free(c->v);
    x_free(c);
}
