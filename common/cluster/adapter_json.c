/* Requests and responses in JSON: all but those of adapter_pack.c. The text is proved once, then its
 * members are walked once; of equal ones the last counts, as in JSON.parse. */

/* System */
#include <string.h>
/* Proto */
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/adapter_part.h"

#define ENVELOPE_DEPTH 2 /* levels around a payload */
#define TYPE_SERVER_ACK 6
#define TYPE_CLIENT_COUNT 8
#define NO_TYPE UINT64_MAX

enum field {
    FIELD_UID,
    FIELD_ID,
    FIELD_TYPE,
    FIELD_OPTS,
    FIELD_ROOMS,
    FIELD_ROOM,
    FIELD_SID,
    FIELD_CLOSE,
    FIELD_DATA,
    FIELD_SOCKETS,
    FIELD_COUNT,
    FIELD_EXCEPT,
    FIELD_CUT,
    FIELDS,
};

/* Raw values; empty: not there, or null. */
struct members {
    struct str_view v[FIELDS];
};

static void read_members(struct members *m, struct str_view object)
{
    static const char *const field_names[FIELDS] = {
        "uid",   "requestId", "type",    "opts",        "rooms",  "room", "sid",
        "close", "data",      "sockets", "clientCount", "except", "cut",
    };
    struct json_iter it;
    struct str_view key, value;
    memset(m, 0, sizeof(*m));
    json_iter_init(&it, object);
    while (json_object_next(&it, &key, &value))
        for (int i = 0; i < FIELDS; i++)
            if (json_string_equals(key, sv_of(field_names[i]))) m->v[i] = value;
}

static bool has(const struct members *m, enum field f)
{
    return m->v[f].n && json_kind_of(m->v[f]) != JSON_NULL;
}

static bool is_kind(const struct members *m, enum field f, enum json_kind kind)
{
    return m->v[f].n && json_kind_of(m->v[f]) == kind;
}

/* What a raw string stands for: a view into it if nothing is escaped. */
static bool plain_text(struct adapter_decoder *d, struct str_view raw, struct str_view *plain)
{
    *plain = sv_make(raw.p + 1, raw.n - 2);
    if (sv_find(*plain, '\\') == plain->n) return true;
    size_t start = d->text.n;
    if (!json_string_decode(&d->text, raw, NULL)) return adapter_bad(d, "too large");
    *plain = sv_make(d->text.p + start, d->text.n - start);
    return true;
}

/* A text, or nothing, which is an empty one. */
static bool read_text(struct adapter_decoder *d, const struct members *m, enum field f,
                      struct str_view *plain)
{
    *plain = SV("");
    if (!has(m, f)) return true;
    if (!is_kind(m, f, JSON_STRING)) return adapter_bad(d, "text expected");
    return plain_text(d, m->v[f], plain);
}

/* A room's name; a number stands for its digits. */
static bool read_name(struct adapter_decoder *d, struct str_view raw, struct str_view *name)
{
    if (json_kind_of(raw) == JSON_STRING) return plain_text(d, raw, name);
    *name = raw;
    if (json_kind_of(raw) != JSON_NUMBER) return adapter_bad(d, "illegal room");
    for (size_t i = raw.p[0] == '-'; i < raw.n; i++)
        if (raw.p[i] < '0' || raw.p[i] > '9') return adapter_bad(d, "illegal room");
    return true;
}

static bool read_names(struct adapter_decoder *d, const struct members *m, enum field f,
                       struct adapter_names *to)
{
    struct json_iter it;
    struct str_view raw, name;
    if (!has(m, f)) return true;
    if (!is_kind(m, f, JSON_ARRAY)) return adapter_bad(d, "illegal rooms");
    json_iter_init(&it, m->v[f]);
    while (json_array_next(&it, &raw))
        if (!read_name(d, raw, &name) || !adapter_add_name(d, to, name)) return false;
    return true;
}

/* Plain digits, below 2^53. */
static bool read_uint(struct adapter_decoder *d, struct str_view raw, uint64_t *v)
{
    *v = 0;
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] < '0' || raw.p[i] > '9') return adapter_bad(d, "number expected");
        *v = *v * 10 + (uint64_t)(raw.p[i] - '0');
        if (*v >> 53) return adapter_bad(d, "number too large");
    }
    return true;
}

static bool read_message(struct adapter_decoder *d, struct str_view bytes, struct members *m,
                         uint64_t *type)
{
    enum json_kind kind;
    if (!utf8_is_valid(bytes)) return adapter_bad(d, "not UTF-8");
    if (!json_scan_value(bytes, d->limits.max_depth + ENVELOPE_DEPTH, -1, &kind, &d->why))
        return false;
    read_members(m, bytes);
    *type = NO_TYPE;
    return !has(m, FIELD_TYPE) || read_uint(d, m->v[FIELD_TYPE], type);
}

/* --- requests */

static bool read_opts(struct adapter_decoder *d, const struct members *m)
{
    struct members opts;
    read_members(&opts, m->v[FIELD_OPTS]);
    return read_names(d, &opts, FIELD_ROOMS, &d->rooms) &&
           read_names(d, &opts, FIELD_EXCEPT, &d->except);
}

/* JOIN, LEAVE, DISCONNECT: for many sockets if there are opts, in the old form for one. */
static bool read_change(struct adapter_decoder *d, const struct members *m, struct bus_request *out)
{
    struct str_view room;
    bool moves = out->type != BUS_REMOTE_DISCONNECT;
    out->close = !moves && is_kind(m, FIELD_CLOSE, JSON_TRUE);
    if (is_kind(m, FIELD_OPTS, JSON_OBJECT)) {
        out->id = SV("");
        if (moves && !is_kind(m, FIELD_ROOMS, JSON_ARRAY)) return adapter_bad(d, "illegal rooms");
        return read_opts(d, m) && (!moves || read_names(d, m, FIELD_ROOMS, &d->targets));
    }
    if (!read_text(d, m, FIELD_SID, &out->sid)) return false;
    if (out->sid.n == 0) return adapter_bad(d, "request for no socket");
    if (!moves) return true;
    if (!has(m, FIELD_ROOM)) return adapter_bad(d, "illegal room");
    return read_name(d, m->v[FIELD_ROOM], &room) && adapter_add_name(d, &d->targets, room);
}

/* For the nodes themselves: their own life-cycle events cannot be had from outside. */
static bool read_server_event(struct adapter_decoder *d, const struct members *m,
                              struct bus_request *out)
{
    struct json_iter it;
    struct str_view event;
    if (!is_kind(m, FIELD_DATA, JSON_ARRAY)) return adapter_bad(d, "illegal event");
    out->json = m->v[FIELD_DATA];
    json_iter_init(&it, out->json);
    if (!json_array_next(&it, &event)) return adapter_bad(d, "illegal event");
    enum json_kind kind = json_kind_of(event);
    if (kind == JSON_NUMBER) return true;
    if (kind != JSON_STRING) return adapter_bad(d, "illegal event");
    if (json_string_equals(event, SV("connect")) || json_string_equals(event, SV("connection")) ||
        json_string_equals(event, SV("new_namespace")))
        return adapter_bad(d, "reserved event name");
    return true;
}

bool adapter_request_from_json(struct adapter_decoder *d, struct str_view bytes,
                               struct bus_request *out)
{
    struct members m;
    uint64_t type;
    if (!read_message(d, bytes, &m, &type) || !read_text(d, &m, FIELD_UID, &out->uid) ||
        !read_text(d, &m, FIELD_ID, &out->id))
        return false;
    if (type > BUS_SERVER_SIDE_EMIT) return adapter_bad(d, "unknown request type");
    out->type = (enum bus_request_type)type;
    switch (out->type) {
    case BUS_REMOTE_JOIN:
    case BUS_REMOTE_LEAVE:
    case BUS_REMOTE_DISCONNECT: return read_change(d, &m, out);
    case BUS_SERVER_SIDE_EMIT: return read_server_event(d, &m, out);
    default: break;
    }
    if (out->id.n == 0) return adapter_bad(d, "request without id");
    if (out->type == BUS_SOCKETS) return read_names(d, &m, FIELD_ROOMS, &d->rooms);
    return out->type != BUS_REMOTE_FETCH || !is_kind(&m, FIELD_OPTS, JSON_OBJECT) ||
           read_opts(d, &m);
}

/* --- responses */

/* Ids of sockets, or sockets; an empty list is taken for the latter. */
static bool read_sockets(struct adapter_decoder *d, struct bus_response *out)
{
    struct json_iter it;
    struct str_view one, id;
    bool any = false;
    out->type = BUS_FETCHED;
    json_iter_init(&it, out->json);
    for (; json_array_next(&it, &one); any = true) {
        enum bus_response_type is = json_kind_of(one) == JSON_STRING ? BUS_SOCKET_IDS : BUS_FETCHED;
        if (any && is != out->type) return adapter_bad(d, "illegal sockets");
        out->type = is;
        if (is == BUS_FETCHED &&
            (!json_member_get(one, SV("id"), &id) || json_kind_of(id) != JSON_STRING))
            return adapter_bad(d, "illegal sockets");
    }
    return true;
}

static bool read_rooms(struct adapter_decoder *d, struct bus_response *out)
{
    struct json_iter it;
    struct str_view one;
    out->type = BUS_ROOMS;
    json_iter_init(&it, out->json);
    while (json_array_next(&it, &one))
        if (json_kind_of(one) != JSON_STRING && json_kind_of(one) != JSON_NUMBER)
            return adapter_bad(d, "illegal rooms");
    return true;
}

bool adapter_response_from_json(struct adapter_decoder *d, struct str_view bytes,
                                struct bus_response *out)
{
    struct members m;
    uint64_t type;
    if (!read_message(d, bytes, &m, &type) || !read_text(d, &m, FIELD_UID, &out->uid) ||
        !read_text(d, &m, FIELD_ID, &out->id))
        return false;
    if (out->id.n == 0) return adapter_bad(d, "response without id");
    out->json = SV("");
    out->is_cut = is_kind(&m, FIELD_CUT, JSON_TRUE);
    if (type == TYPE_CLIENT_COUNT) {
        out->type = BUS_CLIENT_COUNT;
        if (!has(&m, FIELD_COUNT)) return adapter_bad(d, "number expected");
        return read_uint(d, m.v[FIELD_COUNT], &out->count);
    }
    if (type == TYPE_SERVER_ACK) {
        out->type = BUS_SERVER_ACK;
        out->json = m.v[FIELD_DATA].n ? m.v[FIELD_DATA] : SV("");
        return true;
    }
    if (type != NO_TYPE) return adapter_bad(d, "unknown response type");
    if (is_kind(&m, FIELD_SOCKETS, JSON_ARRAY)) {
        out->json = m.v[FIELD_SOCKETS];
        return read_sockets(d, out);
    }
    if (is_kind(&m, FIELD_ROOMS, JSON_ARRAY)) {
        out->json = m.v[FIELD_ROOMS];
        return read_rooms(d, out);
    }
    if (has(&m, FIELD_SOCKETS) || has(&m, FIELD_ROOMS)) return adapter_bad(d, "illegal response");
    out->type = BUS_DONE;
    return true;
}
