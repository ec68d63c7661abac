/* Messages in MessagePack: broadcasts [uid, packet, opts], requests for acks {uid, requestId, type,
 * packet, opts}, and their acks {type, requestId, packet}.
 *
 * Keys may come in any order and several times (the last counts); unknown ones are skipped. The
 * text in opts.peal.json is the event as its sender had it; the event in MessagePack beside it is
 * walked all the same, for its binary. */

/* System */
#include <string.h>
/* Proto */
#include "proto/json_scan.h"
#include "proto/msgpack_json.h"
/* Cluster */
#include "cluster/adapter_part.h"

#define NOT_GIVEN UINT64_MAX

/* What a packet, opts or a peal map said. */
struct said {
    struct msgpack_reader r;
    struct msgpack_bins bins;
    struct str_view nsp, json; /* json: empty if there was none */
    uint64_t packet_type;
    struct str_view raw; /* opts.peal.json; p NULL: none */
    bool arranged;       /* opts.peal.bins: d->attachments has been filled */
    struct str_view *attachments;
    unsigned nattachments;
    bool is_volatile;
    uint64_t timeout_ms;
};

static void said_init(struct adapter_decoder *d, struct said *s, struct str_view bytes)
{
    *s = (struct said){.r = msgpack_reader_of(bytes), .packet_type = NOT_GIVEN};
    s->bins.views = d->bins;
    s->bins.max = SIO_ATTACHMENTS_LIMIT;
    s->nsp = s->json = SV("");
}

static bool next(struct adapter_decoder *d, struct said *s, struct msgpack_token *t)
{
    return msgpack_next(&s->r, t) || adapter_bad(d, "malformed MessagePack");
}

static bool skip(struct adapter_decoder *d, struct said *s)
{
    return msgpack_skip(&s->r) || adapter_bad(d, "malformed MessagePack");
}

static bool is_text(const struct msgpack_token *t)
{
    return t->kind == MSGPACK_STR || t->kind == MSGPACK_BIN;
}

static bool is_nothing(const struct msgpack_token *t)
{
    return t->kind == MSGPACK_NIL || msgpack_is_undefined(t);
}

/* A text, or nothing, which is an empty one. */
static bool take_text(struct adapter_decoder *d, struct said *s, struct str_view *text)
{
    struct msgpack_token t;
    if (!next(d, s, &t)) return false;
    *text = is_text(&t) ? t.bytes : SV("");
    return is_text(&t) || is_nothing(&t) || adapter_bad(d, "text expected");
}

static bool take_uint(struct adapter_decoder *d, struct said *s, uint64_t *v)
{
    struct msgpack_token t;
    if (!next(d, s, &t)) return false;
    if (t.kind != MSGPACK_UINT) return adapter_bad(d, "number expected");
    *v = t.u;
    return true;
}

/* A map's head: its members follow. Nothing is an empty one. */
static bool take_map(struct adapter_decoder *d, struct said *s, uint32_t *n)
{
    struct msgpack_token t;
    if (!next(d, s, &t)) return false;
    *n = t.kind == MSGPACK_MAP ? t.n : 0;
    return t.kind == MSGPACK_MAP || is_nothing(&t) || adapter_bad(d, "map expected");
}

/* A number as a room's name: its digits. */
static bool digits_of(struct adapter_decoder *d, const struct msgpack_token *t,
                      struct str_view *name)
{
    struct buf *text = &d->text;
    size_t start = text->n;
    bool ok = false;
    if (t->kind == MSGPACK_UINT) ok = buf_addf(text, "%llu", (unsigned long long)t->u);
    if (t->kind == MSGPACK_NEGATIVE) ok = buf_addf(text, "%lld", (long long)t->i);
    if (t->kind == MSGPACK_FLOAT && t->d > -0x1p53 && t->d < 0x1p53 &&
        t->d == (double)(int64_t)t->d)
        ok = buf_addf(text, "%lld", (long long)t->d);
    *name = sv_make(text->p + start, text->n - start);
    return ok || adapter_bad(d, "illegal room");
}

static bool take_names(struct adapter_decoder *d, struct said *s, struct adapter_names *to)
{
    struct msgpack_token t;
    to->n = 0;
    if (!next(d, s, &t)) return false;
    if (is_nothing(&t)) return true;
    if (t.kind != MSGPACK_ARRAY) return adapter_bad(d, "illegal rooms");
    for (uint32_t left = t.n; left; left--) {
        struct str_view name;
        if (!next(d, s, &t)) return false;
        name = t.bytes;
        if (!is_text(&t) && !digits_of(d, &t, &name)) return false;
        if (!adapter_add_name(d, to, name)) return false;
    }
    return true;
}

/* --- texts */

static bool take_json(struct adapter_decoder *d, struct said *s, unsigned max_depth)
{
    return msgpack_to_json(&s->r, &d->json, max_depth, &s->bins, &d->why);
}

static void begin_json(struct adapter_decoder *d, struct said *s)
{
    buf_clear(&d->json);
    s->bins.n = 0;
    s->bins.has_forged = false;
}

/* An event's array. Its name may come as binary from who knows only one kind of string. */
static bool take_event(struct adapter_decoder *d, struct said *s)
{
    struct msgpack_token t;
    struct str_view event;
    begin_json(d, s);
    if (!next(d, s, &t)) return false;
    if (t.kind != MSGPACK_ARRAY || t.n == 0 || d->limits.max_depth == 0)
        return adapter_bad(d, "illegal event");
    bool ok = buf_add_char(&d->json, '[');
    for (uint32_t i = 0; ok && i < t.n; i++) {
        struct msgpack_reader before = s->r;
        struct msgpack_token first;
        if (i == 0 && !next(d, s, &first)) return false;
        if (i == 0 && first.kind == MSGPACK_BIN) {
            ok = msgpack_text_to_json(&d->json, first.bytes);
            continue;
        }
        s->r = before;
        if (i && !buf_add_char(&d->json, ',')) return adapter_bad(d, "too large");
        if (!take_json(d, s, d->limits.max_depth - 1)) return false;
    }
    if (!ok || !buf_add_char(&d->json, ']')) return adapter_bad(d, "too large");
    s->json = buf_view(&d->json);
    return sio_event_is_legal(s->json, &event, &d->why);
}

/* Any value; undefined is an empty text. */
static bool take_value(struct adapter_decoder *d, struct said *s)
{
    struct msgpack_reader before = s->r;
    struct msgpack_token t;
    begin_json(d, s);
    s->json = SV("");
    if (!next(d, s, &t)) return false;
    if (msgpack_is_undefined(&t)) return true;
    s->r = before;
    if (!take_json(d, s, d->limits.max_depth)) return false;
    s->json = buf_view(&d->json);
    return true;
}

/* peal.bins: which binary value each attachment is; nothing for one that no placeholder names. The
 * numbers are proved by settle(), when all binary values have been seen. */
static bool take_places(struct adapter_decoder *d, struct said *s)
{
    struct msgpack_token t;
    if (!next(d, s, &t)) return false;
    if (t.kind != MSGPACK_ARRAY || t.n > d->limits.max_attachments)
        return adapter_bad(d, "illegal attachments");
    s->arranged = true;
    s->nattachments = t.n;
    for (unsigned i = 0; i < s->nattachments; i++) {
        if (!next(d, s, &t)) return false;
        if (t.kind != MSGPACK_NIL && (t.kind != MSGPACK_UINT || t.u >= SIO_ATTACHMENTS_LIMIT))
            return adapter_bad(d, "illegal attachments");
        /* The number is kept as a length until settle(). */
        d->attachments[i] = sv_make(NULL, t.kind == MSGPACK_NIL ? SIZE_MAX : (size_t)t.u);
    }
    return true;
}

static bool take_peal(struct adapter_decoder *d, struct said *s)
{
    struct str_view key;
    uint32_t n;
    bool ok = take_map(d, s, &n);
    for (; ok && n; n--) {
        ok = take_text(d, s, &key);
        if (ok && sv_eq(key, SV("json")))
            ok = take_text(d, s, &s->raw);
        else if (ok && sv_eq(key, SV("bins")))
            ok = take_places(d, s);
        else
            ok = ok && skip(d, s);
    }
    return ok;
}

/* Puts the attachments in the order of the raw text. */
static bool arrange(struct adapter_decoder *d, struct said *s)
{
    for (unsigned i = 0; i < s->nattachments; i++) {
        size_t place = d->attachments[i].n;
        if (place != SIZE_MAX && place >= s->bins.n) return adapter_bad(d, "illegal attachments");
        d->attachments[i] = place == SIZE_MAX ? SV("") : d->bins[place];
    }
    return true;
}

/* Proves what is to count as the text, the raw one or the one made here. */
static bool settle(struct adapter_decoder *d, struct said *s, bool event)
{
    bool has_raw = s->raw.p && s->raw.n;
    struct str_view name;
    enum json_kind kind;
    s->attachments = d->bins;
    if (!has_raw || !s->arranged) s->nattachments = s->bins.n;
    if (s->nattachments > d->limits.max_attachments) return adapter_bad(d, "too many attachments");
    if (has_raw && s->arranged) {
        s->attachments = d->attachments;
        if (!arrange(d, s)) return false;
    }
    int rule = s->nattachments ? (int)s->nattachments : -1;
    if (!has_raw)
        return rule < 0 || !s->bins.has_forged ||
               json_scan_value(s->json, d->limits.max_depth, rule, &kind, &d->why);
    if (!utf8_is_valid(s->raw)) return adapter_bad(d, "not UTF-8");
    if (!json_scan_value(s->raw, d->limits.max_depth, rule, &kind, &d->why)) return false;
    s->json = s->raw;
    if (!event) return true;
    if (kind != JSON_ARRAY) return adapter_bad(d, "illegal event");
    return sio_event_is_legal(s->json, &name, &d->why);
}

/* --- parts */

static bool take_packet(struct adapter_decoder *d, struct said *s)
{
    struct str_view key;
    uint32_t n;
    bool ok = take_map(d, s, &n);
    for (; ok && n; n--) {
        ok = take_text(d, s, &key);
        if (ok && sv_eq(key, SV("type")))
            ok = take_uint(d, s, &s->packet_type);
        else if (ok && sv_eq(key, SV("data")))
            ok = take_event(d, s);
        else if (ok && sv_eq(key, SV("nsp")))
            ok = take_text(d, s, &s->nsp);
        else
            ok = ok && skip(d, s);
    }
    return ok;
}

/* 5 is what old emitters say when there is binary. */
static bool is_event(struct adapter_decoder *d, const struct said *s)
{
    if (s->packet_type != SIO_EVENT && s->packet_type != SIO_BINARY_EVENT)
        return adapter_bad(d, "not an event");
    return s->json.n || adapter_bad(d, "illegal event");
}

/* What is no number or no flag here counts as not given. */
static bool take_flags(struct adapter_decoder *d, struct said *s)
{
    struct msgpack_token t;
    struct str_view key;
    uint32_t n;
    bool ok = take_map(d, s, &n);
    for (; ok && n; n--) {
        ok = take_text(d, s, &key);
        struct msgpack_reader before = s->r;
        ok = ok && next(d, s, &t);
        if (ok && sv_eq(key, SV("volatile"))) s->is_volatile = t.kind == MSGPACK_BOOL && t.truth;
        if (ok && sv_eq(key, SV("timeout"))) s->timeout_ms = t.kind == MSGPACK_UINT ? t.u : 0;
        s->r = before;
        ok = ok && skip(d, s);
    }
    return ok;
}

static bool take_opts(struct adapter_decoder *d, struct said *s)
{
    struct str_view key;
    uint32_t n;
    bool ok = take_map(d, s, &n);
    for (; ok && n; n--) {
        ok = take_text(d, s, &key);
        if (ok && sv_eq(key, SV("rooms")))
            ok = take_names(d, s, &d->rooms);
        else if (ok && sv_eq(key, SV("except")))
            ok = take_names(d, s, &d->except);
        else if (ok && sv_eq(key, SV("flags")))
            ok = take_flags(d, s);
        else if (ok && sv_eq(key, SV("peal")))
            ok = take_peal(d, s);
        else
            ok = ok && skip(d, s);
    }
    return ok;
}

static bool at_end(struct adapter_decoder *d, const struct said *s)
{
    return s->r.p == s->r.end || adapter_bad(d, "bytes behind the message");
}

/* --- messages */

bool adapter_broadcast_from_pack(struct adapter_decoder *d, struct str_view bytes,
                                 struct bus_msg *out, struct str_view *uid)
{
    struct msgpack_token t;
    struct said s;
    said_init(d, &s, bytes);
    if (!next(d, &s, &t)) return false;
    if (t.kind != MSGPACK_ARRAY || t.n < 2) return adapter_bad(d, "not a broadcast");
    /* The oldest emitters have no uid: [packet, opts]. */
    if (t.n > 2 && !take_text(d, &s, uid)) return false;
    if (!take_packet(d, &s) || !take_opts(d, &s)) return false;
    for (uint32_t i = 3; i < t.n; i++)
        if (!skip(d, &s)) return false;
    if (!at_end(d, &s) || !is_event(d, &s) || !settle(d, &s, true)) return false;
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
    struct said s;
    struct str_view key;
    uint64_t type = NOT_GIVEN;
    uint32_t n;
    said_init(d, &s, bytes);
    bool ok = take_map(d, &s, &n);
    for (; ok && n; n--) {
        ok = take_text(d, &s, &key);
        if (ok && sv_eq(key, SV("uid")))
            ok = take_text(d, &s, &out->uid);
        else if (ok && sv_eq(key, SV("requestId")))
            ok = take_text(d, &s, &out->id);
        else if (ok && sv_eq(key, SV("type")))
            ok = take_uint(d, &s, &type);
        else if (ok && sv_eq(key, SV("packet")))
            ok = take_packet(d, &s);
        else if (ok && sv_eq(key, SV("opts")))
            ok = take_opts(d, &s);
        else
            ok = ok && skip(d, &s);
    }
    if (!ok || !at_end(d, &s)) return false;
    if (type != BUS_BROADCAST) return adapter_bad(d, "unknown request type");
    if (out->id.n == 0) return adapter_bad(d, "request without id");
    if (!is_event(d, &s) || !settle(d, &s, true)) return false;
    out->type = BUS_BROADCAST;
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
    struct said s;
    struct str_view key;
    uint64_t type = NOT_GIVEN;
    uint32_t n;
    said_init(d, &s, bytes);
    bool ok = take_map(d, &s, &n);
    for (; ok && n; n--) {
        ok = take_text(d, &s, &key);
        if (ok && sv_eq(key, SV("uid")))
            ok = take_text(d, &s, &out->uid);
        else if (ok && sv_eq(key, SV("requestId")))
            ok = take_text(d, &s, &out->id);
        else if (ok && sv_eq(key, SV("type")))
            ok = take_uint(d, &s, &type);
        else if (ok && sv_eq(key, SV("packet")))
            ok = take_value(d, &s);
        else if (ok && sv_eq(key, SV("peal")))
            ok = take_peal(d, &s);
        else
            ok = ok && skip(d, &s);
    }
    if (!ok || !at_end(d, &s)) return false;
    if (type != TYPE_CLIENT_ACK) return adapter_bad(d, "unknown response type");
    if (out->id.n == 0) return adapter_bad(d, "response without id");
    if (!settle(d, &s, false)) return false;
    out->type = BUS_CLIENT_ACK;
    out->json = s.json;
    out->attachments = s.attachments;
    out->nattachments = s.nattachments;
    return true;
}
