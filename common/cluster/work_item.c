/* The fields are rows of a table, from which both directions are made. What a reader needs to know
 * about an entry is proved here once; whoever handles items takes their texts as they are. */

/* System */
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
/* Cluster */
#include "cluster/bus_copy.h"
#include "cluster/work_item.h"

#define ALL ((1u << WORK_TYPES) - 1)
#define EVENT (1u << WORK_EVENT)
#define CONNECT (1u << WORK_CONNECT)
#define DISCONNECT (1u << WORK_DISCONNECT)

#define NAMES_MAX 1024 /* bytes of a namespace, a socket's id, an address, … */
#define FIELD_COST 16  /* of an entry's field beside its value */
#define DIGITS_MAX 20
#define GATEWAY_MAX 64 /* bytes of a gateway's name */

enum kind { TYPE, NAME, TEXT, EVENT_NAME, JSON_ANY, JSON_MAP, JSON_LIST, NUMBER, MAYBE, FLAG };

struct row {
    const char *name;
    unsigned types; /* bits: items that have it */
    enum kind kind;
    size_t at; /* of its member */
};

static const struct row rows[] = {
#define ROW(member, types, kind)                                                                   \
    {                                                                                              \
#member, types, kind, offsetof(struct work_item, member)                                   \
    }
    ROW(type, ALL, TYPE),
    ROW(id, ALL, NAME),
    ROW(nsp, ALL, NAME),
    ROW(sid, ALL, NAME),
    ROW(gateway, ALL, NAME),
    ROW(serial, ALL, NUMBER),
    ROW(user, ALL, TEXT),
    ROW(claims, ALL, JSON_MAP),
    ROW(data, ALL, JSON_ANY),
    {"time", ALL, NUMBER, offsetof(struct work_item, time_ms)},
    ROW(event, EVENT, EVENT_NAME),
    ROW(args, EVENT, JSON_LIST),
    {"ack", EVENT, MAYBE, offsetof(struct work_item, ack_id)},
    ROW(auth, CONNECT, JSON_MAP),
    ROW(address, CONNECT, TEXT),
    ROW(transport, CONNECT, TEXT),
    ROW(asks, CONNECT, FLAG),
    ROW(reason, DISCONNECT, TEXT),
#undef ROW
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))
static_assert(2 * (ROWS + WORK_ATTACHMENTS_MAX) <= WORK_FIELDS_MAX, "room for all fields");
static_assert(3 * DIGITS_MAX + WORK_ATTACHMENTS_MAX * sizeof("attachment63") < WORK_SCRATCH_MAX,
              "room for all that is printed");

static const char *const type_names[WORK_TYPES] = {"event", "connect", "disconnect"};

const char *work_type_name(enum work_type type)
{
    return type_names[type];
}

static bool is_text(enum kind k)
{
    return k >= NAME && k <= JSON_LIST;
}

static struct str_view *text_at(struct work_item *item, const struct row *r)
{
    return (struct str_view *)((char *)item + r->at);
}

static const struct str_view *text_of(const struct work_item *item, const struct row *r)
{
    return (const struct str_view *)((const char *)item + r->at);
}

static uint64_t number_of(const struct work_item *item, const struct row *r)
{
    return *(const uint64_t *)((const char *)item + r->at);
}

/* ---- out */

static struct str_view print(struct buf *scratch, const char *fmt, unsigned long long v)
{
    size_t start = scratch->n;
    bool fits = buf_addf(scratch, fmt, v);
    assert(fits); /* and has not moved: there was room for all */
    (void)fits;
    return sv_make(scratch->p + start, scratch->n - start);
}

static struct str_view value_of(const struct work_item *item, const struct row *r,
                                struct buf *scratch)
{
    switch (r->kind) {
    case TYPE: return sv_of(type_names[item->type]);
    case NUMBER:
    case MAYBE: return print(scratch, "%llu", (unsigned long long)number_of(item, r));
    case FLAG: return item->asks ? SV("1") : SV("0");
    default: return *text_of(item, r);
    }
}

size_t work_item_encode(const struct work_item *item, struct buf *scratch,
                        struct str_view v[WORK_FIELDS_MAX])
{
    size_t n = 0;
    bool room = buf_room(scratch, WORK_SCRATCH_MAX);
    assert(room && item->nattachments <= WORK_ATTACHMENTS_MAX);
    (void)room;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        bool is_had = r->types >> item->type & 1 && (r->kind != MAYBE || item->wants_ack);
        if (!is_had) continue;
        v[n++] = sv_of(r->name);
        v[n++] = value_of(item, r, scratch);
    }
    if (item->type != WORK_EVENT) return n;
    for (unsigned i = 0; i < item->nattachments; i++) {
        v[n++] = print(scratch, "attachment%llu", i);
        v[n++] = item->attachments[i];
    }
    return n;
}

/* ---- in */

static bool bad(const char **why, const char *what)
{
    *why = what;
    return false;
}

/* Fields by row, and attachments by number; p NULL: not there. */
struct fields {
    struct str_view rows[ROWS];
    struct str_view *attachments;
    bool has_attachment[WORK_ATTACHMENTS_MAX];
    unsigned nattachments;
};

static struct str_view present(struct str_view v)
{
    return v.p ? v : SV("");
}

static bool take_attachment(struct fields *f, struct str_view number, struct str_view value,
                            const char **why)
{
    uint64_t i;
    if (!sv_number(number, WORK_ATTACHMENTS_MAX - 1, &i))
        return bad(why, "illegal number of an attachment");
    if (f->has_attachment[i]) return bad(why, "a field twice");
    f->has_attachment[i] = true;
    f->attachments[i] = present(value);
    f->nattachments++;
    return true;
}

static bool take_field(struct fields *f, struct str_view name, struct str_view value,
                       const char **why)
{
    struct str_view attachment = SV("attachment");
    if (sv_starts_with(name, attachment))
        return take_attachment(f, sv_skip(name, attachment.n), value, why);
    for (size_t i = 0; i < ROWS; i++) {
        if (!sv_eq(name, sv_of(rows[i].name))) continue;
        if (f->rows[i].p) return bad(why, "a field twice");
        f->rows[i] = present(value);
    }
    return true;
}

static bool read_type(struct str_view v, enum work_type *type)
{
    for (int t = 0; t < WORK_TYPES; t++) {
        if (!sv_eq(v, sv_of(type_names[t]))) continue;
        *type = (enum work_type)t;
        return true;
    }
    return false;
}

static bool is_json(struct str_view v, int attachments, int want, const char **why)
{
    enum json_kind kind;
    if (!utf8_is_valid(v)) return bad(why, "not UTF-8");
    if (!json_scan_value(v, JSON_DEPTH_LIMIT, attachments, &kind, why)) return false;
    return want < 0 || (int)kind == want || bad(why, "JSON of another kind");
}

static bool check_text(const struct row *r, struct str_view v, unsigned nattachments,
                       const char **why)
{
    switch (r->kind) {
    case NAME:
        if (v.n == 0 || v.n > NAMES_MAX) return bad(why, "a name too long or empty");
        return utf8_is_valid(v) || bad(why, "not UTF-8");
    case TEXT: return utf8_is_valid(v) || bad(why, "not UTF-8");
    case JSON_ANY: return is_json(v, -1, -1, why);
    case JSON_MAP: return is_json(v, -1, JSON_OBJECT, why);
    case JSON_LIST: return is_json(v, nattachments ? (int)nattachments : -1, JSON_ARRAY, why);
    default: return true; /* EVENT_NAME: with the arguments */
    }
}

static bool read_field(struct work_item *item, const struct row *r, struct str_view v,
                       unsigned nattachments, const char **why)
{
    uint64_t n = 0;
    if (r->kind == MAYBE && !v.p) return true;
    if (!v.p) return bad(why, "a field is missing");
    if (is_text(r->kind)) {
        *text_at(item, r) = v;
        return check_text(r, v, nattachments, why);
    }
    switch (r->kind) {
    case FLAG:
        item->asks = sv_eq(v, SV("1"));
        return item->asks || sv_eq(v, SV("0")) || bad(why, "neither 0 nor 1");
    case NUMBER:
    case MAYBE:
        if (!sv_number(v, r->kind == MAYBE ? SIO_ID_MAX : UINT64_MAX, &n))
            return bad(why, "number expected");
        *(uint64_t *)((char *)item + r->at) = n;
        if (r->kind == MAYBE) item->wants_ack = true;
        return true;
    default: return true; /* TYPE: read before */
    }
}

/* The event's name is what its arguments begin with. */
static bool check_event(const struct work_item *item, const char **why)
{
    struct str_view raw;
    if (!sio_event_is_legal(item->args, &raw, why)) return false;
    bool same = raw.p[0] == '"' ? json_string_equals(raw, item->event) : sv_eq(raw, item->event);
    return same || bad(why, "the event's name is not that of its arguments");
}

/* It stands in channels' names, and the item's id in the head of a request: a line's end in it would
 * make lines of its own there. */
static bool is_gateway(struct str_view name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~') return false;
    return name.n && name.n <= GATEWAY_MAX;
}

/* "<gateway>-<number>" */
static bool check_id(const struct work_item *item, const char **why)
{
    uint64_t n;
    struct str_view id = item->id;
    if (!is_gateway(item->gateway)) return bad(why, "no gateway's name");
    bool good = sv_starts_with(id, item->gateway) && id.n > item->gateway.n &&
                id.p[item->gateway.n] == '-' &&
                sv_number(sv_skip(id, item->gateway.n + 1), UINT64_MAX, &n);
    return good || bad(why, "an id that is not the gateway's");
}

bool work_item_decode(struct work_item *item, const struct str_view *v, size_t n,
                      struct str_view attachments[WORK_ATTACHMENTS_MAX], const char **why)
{
    struct fields f = {.attachments = attachments};
    *item = (struct work_item){.data = SV("null")};
    *why = "";
    if (n % 2 || n > WORK_FIELDS_MAX) return bad(why, "too many fields, or one without value");
    for (size_t i = 0; i < n; i += 2)
        if (!take_field(&f, v[i], v[i + 1], why)) return false;
    if (!f.rows[0].p || !read_type(f.rows[0], &item->type)) return bad(why, "unknown type");
    for (unsigned i = 0; i < f.nattachments; i++)
        if (!f.has_attachment[i]) return bad(why, "an attachment is missing");
    if (f.nattachments && item->type != WORK_EVENT) return bad(why, "attachments of no event");
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].types >> item->type & 1 &&
            !read_field(item, &rows[i], f.rows[i], f.nattachments, why))
            return false;
    item->attachments = f.nattachments ? attachments : NULL;
    item->nattachments = f.nattachments;
    if (!check_id(item, why) || (item->type == WORK_EVENT && !check_event(item, why))) return false;
    *why = "";
    return true;
}

static bool is_address(const struct row *r)
{
    switch (r->at) {
    case offsetof(struct work_item, nsp):
    case offsetof(struct work_item, sid):
    case offsetof(struct work_item, gateway):
    case offsetof(struct work_item, serial):
    case offsetof(struct work_item, ack_id):
    case offsetof(struct work_item, asks): return true;
    default: return false;
    }
}

bool work_item_decode_address(struct work_item *item, const struct str_view *v, size_t n)
{
    struct fields f = {.nattachments = 0};
    const char *why;
    *item = (struct work_item){.data = SV("null")};
    for (size_t i = 0; i + 1 < n; i += 2)
        if (!sv_starts_with(v[i], SV("attachment")) && !take_field(&f, v[i], v[i + 1], &why))
            return false;
    if (!f.rows[0].p || !read_type(f.rows[0], &item->type)) return false;
    for (size_t i = 0; i < ROWS; i++)
        if (is_address(&rows[i]) && rows[i].types >> item->type & 1 &&
            !read_field(item, &rows[i], f.rows[i], 0, &why))
            return false;
    return is_gateway(item->gateway);
}

/* ---- in memory */

static size_t texts_size(const struct work_item *item)
{
    size_t total = 0;
    for (const struct row *r = rows; r < rows + ROWS; r++)
        if (is_text(r->kind)) total += text_of(item, r)->n;
    for (unsigned i = 0; i < item->nattachments; i++)
        total += item->attachments[i].n;
    return total;
}

/* Layout: struct, the attachments' views, then all bytes. */
struct work_item *work_item_new(const struct work_item *from)
{
    size_t table = from->nattachments * sizeof(struct str_view);
    struct work_item *item = x_malloc(sizeof(*item) + table + texts_size(from));
    struct str_view *views = (struct str_view *)(item + 1);
    char *at = (char *)(views + from->nattachments);
    *item = *from;
    item->attachments = from->nattachments ? views : NULL;
    for (const struct row *r = rows; r < rows + ROWS; r++)
        if (is_text(r->kind)) *text_at(item, r) = bus_copy_text(&at, *text_of(from, r));
    bus_copy_list(views, &at, from->attachments, from->nattachments);
    return item;
}

size_t work_item_size(const struct work_item *item)
{
    return texts_size(item) + FIELD_COST * (ROWS + item->nattachments);
}

unsigned work_partition(struct str_view sid, unsigned partitions)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sid.n; i++) {
        h ^= (unsigned char)sid.p[i];
        h *= UINT64_C(0x100000001b3);
    }
    return (unsigned)(h % partitions);
}
