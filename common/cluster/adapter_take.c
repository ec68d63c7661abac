/* Where a name, a text or a map is expected, nothing (nil, or what notepack once wrote for undefined)
 * is an empty one: foreign emitters leave out what they do not know, in their own ways. */

/* Proto */
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/adapter_take.h"

void adapter_take_init(struct adapter_decoder *d, struct adapter_said *s, struct str_view bytes)
{
    *s = (struct adapter_said){
        .r = msgpack_reader_of(bytes), .type = ADAPTER_NOT_GIVEN, .packet_type = ADAPTER_NOT_GIVEN};
    s->bins.views = d->bins;
    s->bins.max = SIO_ATTACHMENTS_LIMIT;
    s->uid = s->id = s->nsp = s->json = SV("");
}

bool adapter_take_next(struct adapter_decoder *d, struct adapter_said *s, struct msgpack_token *t)
{
    return msgpack_next(&s->r, t) || adapter_bad(d, "malformed MessagePack");
}

bool adapter_take_skip(struct adapter_decoder *d, struct adapter_said *s)
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

bool adapter_take_text(struct adapter_decoder *d, struct adapter_said *s, struct str_view *text)
{
    struct msgpack_token t;
    if (!adapter_take_next(d, s, &t)) return false;
    *text = is_text(&t) ? t.bytes : SV("");
    return is_text(&t) || is_nothing(&t) || adapter_bad(d, "text expected");
}

bool adapter_take_uint(struct adapter_decoder *d, struct adapter_said *s, uint64_t *v)
{
    struct msgpack_token t;
    if (!adapter_take_next(d, s, &t)) return false;
    if (t.kind != MSGPACK_UINT) return adapter_bad(d, "number expected");
    *v = t.u;
    return true;
}

bool adapter_take_map(struct adapter_decoder *d, struct adapter_said *s,
                      const struct adapter_member *members)
{
    struct msgpack_token t;
    struct str_view key;
    if (!adapter_take_next(d, s, &t)) return false;
    if (is_nothing(&t)) return true;
    if (t.kind != MSGPACK_MAP) return adapter_bad(d, "map expected");
    for (uint32_t left = t.n; left; left--) {
        if (!adapter_take_text(d, s, &key)) return false;
        const struct adapter_member *m = members;
        while (m->key && !sv_eq(key, sv_of(m->key)))
            m++;
        if (!(m->key ? m->take(d, s) : adapter_take_skip(d, s))) return false;
    }
    return true;
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

bool adapter_take_names(struct adapter_decoder *d, struct adapter_said *s, struct adapter_names *to)
{
    struct msgpack_token t;
    to->n = 0;
    if (!adapter_take_next(d, s, &t)) return false;
    if (is_nothing(&t)) return true;
    if (t.kind != MSGPACK_ARRAY) return adapter_bad(d, "illegal rooms");
    for (uint32_t left = t.n; left; left--) {
        struct str_view name;
        if (!adapter_take_next(d, s, &t)) return false;
        if (is_text(&t))
            name = t.bytes;
        else if (!digits_of(d, &t, &name))
            return false;
        if (!adapter_add_name(d, to, name)) return false;
    }
    return true;
}

/* --- texts */

static bool take_json(struct adapter_decoder *d, struct adapter_said *s, unsigned max_depth)
{
    return msgpack_to_json(&s->r, &d->json, max_depth, &s->bins, &d->why);
}

static void begin_json(struct adapter_decoder *d, struct adapter_said *s)
{
    buf_clear(&d->json);
    s->bins.n = 0;
    s->bins.has_forged = false;
}

/* Its name may come as binary from who knows only one kind of string. */
bool adapter_take_event(struct adapter_decoder *d, struct adapter_said *s)
{
    struct msgpack_token t;
    struct str_view event;
    begin_json(d, s);
    if (!adapter_take_next(d, s, &t)) return false;
    if (t.kind != MSGPACK_ARRAY || t.n == 0 || d->limits.max_depth == 0)
        return adapter_bad(d, "illegal event");
    bool ok = buf_add_char(&d->json, '[');
    for (uint32_t i = 0; ok && i < t.n; i++) {
        struct msgpack_reader before = s->r;
        struct msgpack_token first;
        if (i == 0 && !adapter_take_next(d, s, &first)) return false;
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

bool adapter_take_value(struct adapter_decoder *d, struct adapter_said *s)
{
    struct msgpack_reader before = s->r;
    struct msgpack_token t;
    begin_json(d, s);
    s->json = SV("");
    if (!adapter_take_next(d, s, &t)) return false;
    if (msgpack_is_undefined(&t)) return true;
    s->r = before;
    if (!take_json(d, s, d->limits.max_depth)) return false;
    s->json = buf_view(&d->json);
    return true;
}

/* peal.bins: which binary value each attachment is; nothing for one that no placeholder names. The
 * numbers are proved by settle(), when all binary values have been seen. */
static bool take_places(struct adapter_decoder *d, struct adapter_said *s)
{
    struct msgpack_token t;
    if (!adapter_take_next(d, s, &t)) return false;
    if (t.kind != MSGPACK_ARRAY || t.n > d->limits.max_attachments)
        return adapter_bad(d, "illegal attachments");
    s->arranged = true;
    s->nattachments = t.n;
    for (unsigned i = 0; i < s->nattachments; i++) {
        if (!adapter_take_next(d, s, &t)) return false;
        if (t.kind != MSGPACK_NIL && (t.kind != MSGPACK_UINT || t.u >= SIO_ATTACHMENTS_LIMIT))
            return adapter_bad(d, "illegal attachments");
        /* The number is kept as a length until adapter_take_settle(). */
        d->attachments[i] = sv_make(NULL, t.kind == MSGPACK_NIL ? SIZE_MAX : (size_t)t.u);
    }
    return true;
}

static bool take_raw(struct adapter_decoder *d, struct adapter_said *s)
{
    return adapter_take_text(d, s, &s->raw);
}

bool adapter_take_peal(struct adapter_decoder *d, struct adapter_said *s)
{
    static const struct adapter_member members[] = {
        {"json", take_raw}, {"bins", take_places}, {NULL, NULL}};
    return adapter_take_map(d, s, members);
}

/* Puts the attachments in the order of the raw text. */
static bool arrange(struct adapter_decoder *d, struct adapter_said *s)
{
    for (unsigned i = 0; i < s->nattachments; i++) {
        size_t place = d->attachments[i].n;
        if (place != SIZE_MAX && place >= s->bins.n) return adapter_bad(d, "illegal attachments");
        d->attachments[i] = place == SIZE_MAX ? SV("") : d->bins[place];
    }
    return true;
}

bool adapter_take_settle(struct adapter_decoder *d, struct adapter_said *s, bool event)
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
