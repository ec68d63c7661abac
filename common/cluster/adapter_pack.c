/* Messages in MessagePack: broadcasts [uid, packet, opts], requests for acks {uid, requestId, type,
 * packet, opts}, and their acks {type, requestId, packet}. Keys may come in any order.
 *
 * The text in opts.peal.json is the event as its sender had it; the event in MessagePack beside it is
 * walked all the same, for its binary. */

/* Cluster */
#include "cluster/adapter_take.h"

static bool take_uid(struct adapter_decoder *d, struct adapter_said *s)
{
    return adapter_take_text(d, s, &s->uid);
}

static bool take_id(struct adapter_decoder *d, struct adapter_said *s)
{
    return adapter_take_text(d, s, &s->id);
}

static bool take_type(struct adapter_decoder *d, struct adapter_said *s)
{
    return adapter_take_uint(d, s, &s->type);
}

static bool take_packet_type(struct adapter_decoder *d, struct adapter_said *s)
{
    return adapter_take_uint(d, s, &s->packet_type);
}

static bool take_nsp(struct adapter_decoder *d, struct adapter_said *s)
{
    return adapter_take_text(d, s, &s->nsp);
}

static bool take_packet(struct adapter_decoder *d, struct adapter_said *s)
{
    static const struct adapter_member members[] = {
        {"type", take_packet_type}, {"data", adapter_take_event}, {"nsp", take_nsp}, {NULL, NULL}};
    return adapter_take_map(d, s, members);
}

/* 5 is what old emitters say when there is binary. */
static bool is_event(struct adapter_decoder *d, const struct adapter_said *s)
{
    if (s->packet_type != SIO_EVENT && s->packet_type != SIO_BINARY_EVENT)
        return adapter_bad(d, "not an event");
    return s->json.n || adapter_bad(d, "illegal event");
}

static bool take_rooms(struct adapter_decoder *d, struct adapter_said *s)
{
    return adapter_take_names(d, s, &d->rooms);
}

static bool take_except(struct adapter_decoder *d, struct adapter_said *s)
{
    return adapter_take_names(d, s, &d->except);
}

/* A flag that is none, or a time that is no number, counts as not given. */
static bool take_volatile(struct adapter_decoder *d, struct adapter_said *s)
{
    struct msgpack_reader ahead = s->r;
    struct msgpack_token t;
    if (!adapter_take_skip(d, s) || !msgpack_next(&ahead, &t)) return false;
    s->is_volatile = t.kind == MSGPACK_BOOL && t.truth;
    return true;
}

static bool take_timeout(struct adapter_decoder *d, struct adapter_said *s)
{
    struct msgpack_reader ahead = s->r;
    struct msgpack_token t;
    if (!adapter_take_skip(d, s) || !msgpack_next(&ahead, &t)) return false;
    s->timeout_ms = t.kind == MSGPACK_UINT ? t.u : 0;
    return true;
}

static bool take_flags(struct adapter_decoder *d, struct adapter_said *s)
{
    static const struct adapter_member members[] = {
        {"volatile", take_volatile}, {"timeout", take_timeout}, {NULL, NULL}};
    return adapter_take_map(d, s, members);
}

static bool take_opts(struct adapter_decoder *d, struct adapter_said *s)
{
    static const struct adapter_member members[] = {{"rooms", take_rooms},
                                                    {"except", take_except},
                                                    {"flags", take_flags},
                                                    {"peal", adapter_take_peal},
                                                    {NULL, NULL}};
    return adapter_take_map(d, s, members);
}

static bool at_end(struct adapter_decoder *d, const struct adapter_said *s)
{
    return s->r.p == s->r.end || adapter_bad(d, "bytes behind the message");
}

/* --- messages */

bool adapter_broadcast_from_pack(struct adapter_decoder *d, struct str_view bytes,
                                 struct bus_msg *out, struct str_view *uid)
{
    struct msgpack_token t;
    struct adapter_said s;
    adapter_take_init(d, &s, bytes);
    if (!adapter_take_next(d, &s, &t)) return false;
    if (t.kind != MSGPACK_ARRAY || t.n < 2) return adapter_bad(d, "not a broadcast");
    /* The oldest emitters have no uid: [packet, opts]. */
    if (t.n > 2 && !take_uid(d, &s)) return false;
    if (!take_packet(d, &s) || !take_opts(d, &s)) return false;
    for (uint32_t i = 3; i < t.n; i++)
        if (!adapter_take_skip(d, &s)) return false;
    if (!at_end(d, &s) || !is_event(d, &s) || !adapter_take_settle(d, &s, true)) return false;
    *uid = s.uid;
    out->flags = s.is_volatile ? BUS_VOLATILE : 0;
    out->nsp = s.nsp;
    out->json = s.json;
    out->attachments = s.attachments;
    out->nattachments = s.nattachments;
    return true;
}

bool adapter_request_from_pack(struct adapter_decoder *d, struct str_view bytes,
                               struct bus_request *out)
{
    static const struct adapter_member members[] = {{"uid", take_uid},   {"requestId", take_id},
                                                    {"type", take_type}, {"packet", take_packet},
                                                    {"opts", take_opts}, {NULL, NULL}};
    struct adapter_said s;
    adapter_take_init(d, &s, bytes);
    if (!adapter_take_map(d, &s, members) || !at_end(d, &s)) return false;
    if (s.type != BUS_BROADCAST) return adapter_bad(d, "unknown request type");
    if (s.id.n == 0) return adapter_bad(d, "request without id");
    if (!is_event(d, &s) || !adapter_take_settle(d, &s, true)) return false;
    out->type = BUS_BROADCAST;
    out->uid = s.uid;
    out->id = s.id;
    out->nsp = s.nsp;
    out->json = s.json;
    out->attachments = s.attachments;
    out->nattachments = s.nattachments;
    out->timeout_ms = s.timeout_ms;
    return true;
}

#define TYPE_CLIENT_ACK 9

bool adapter_response_from_pack(struct adapter_decoder *d, struct str_view bytes,
                                struct bus_response *out)
{
    static const struct adapter_member members[] = {
        {"uid", take_uid},           {"requestId", take_id},
        {"type", take_type},         {"packet", adapter_take_value},
        {"peal", adapter_take_peal}, {NULL, NULL}};
    struct adapter_said s;
    adapter_take_init(d, &s, bytes);
    if (!adapter_take_map(d, &s, members) || !at_end(d, &s)) return false;
    if (s.type != TYPE_CLIENT_ACK) return adapter_bad(d, "unknown response type");
    if (s.id.n == 0) return adapter_bad(d, "response without id");
    if (!adapter_take_settle(d, &s, false)) return false;
    out->type = BUS_CLIENT_ACK;
    out->uid = s.uid;
    out->id = s.id;
    out->json = s.json;
    out->attachments = s.attachments;
    out->nattachments = s.nattachments;
    return true;
}
