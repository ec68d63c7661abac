/* What the reference reads by JavaScript's Number() is digits only here: its parser takes a space
 * for the type 0 or the id 0. White space before the JSON is refused for that reason; behind it, it
 * is allowed. Ids above 2^53-1 are refused, since the reference would answer to a rounded one.
 *
 * The JSON is read once, by json_scan_value(); after that only the first element is looked for. */

/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"

#define MAX_DIGITS 20 /* of a uint64_t */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_binary(enum sio_type type)
{
    return type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;
}

/* Takes leading digits off *text; gives their value, or max + 1 if it is above max. */
static uint64_t take_number(struct str_view *text, uint64_t max)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < text->n && is_digit(text->p[i]); i++) {
        v = v * 10 + (uint64_t)(text->p[i] - '0');
        if (v > max) v = max + 1; /* stays above, whatever follows */
    }
    *text = sv_skip(*text, i);
    return v;
}

/* "N-" */
static bool take_attachments(struct str_view *text, const struct sio_limits *limits, unsigned *n,
                             const char **why)
{
    unsigned max = limits->max_attachments;
    if (max > SIO_ATTACHMENTS_LIMIT) max = SIO_ATTACHMENTS_LIMIT;
    *why = "illegal attachments";
    if (text->n == 0 || !is_digit(text->p[0]) || text->p[0] == '0') return false;
    *n = (unsigned)take_number(text, max);
    if (text->n == 0 || text->p[0] != '-') return false;
    *why = "too many attachments";
    if (*n > max) return false;
    *text = sv_skip(*text, 1);
    return true;
}

static bool take_nsp(struct str_view *text, const struct sio_limits *limits, struct str_view *nsp,
                     struct str_view *query)
{
    *nsp = SV("/");
    *query = SV("");
    if (text->n == 0 || text->p[0] != '/') return true;
    size_t n = sv_find(*text, ',');
    struct str_view whole = sv_make(text->p, n);
    *text = sv_skip(*text, n < text->n ? n + 1 : n);
    *nsp = sv_make(whole.p, sv_find(whole, '?'));
    if (nsp->n < whole.n) *query = sv_skip(whole, nsp->n + 1);
    return nsp->n <= limits->max_nsp;
}

static struct str_view trim_end(struct str_view s)
{
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r' ||
                   s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static bool is_reserved(struct str_view raw)
{
    static const struct str_view names[] = {
        {"connect", 7},        {"connect_error", 13}, {"disconnect", 10},
        {"disconnecting", 13}, {"newListener", 11},   {"removeListener", 14},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (json_string_equals(raw, names[i])) return true;
    return false;
}

bool sio_event_is_legal(struct str_view array, struct str_view *event, const char **why)
{
    struct json_iter it;
    *why = "invalid payload";
    json_iter_init(&it, array);
    if (!json_array_next(&it, event)) return false;
    enum json_kind kind = json_kind_of(*event);
    if (kind == JSON_NUMBER) return true;
    if (kind != JSON_STRING) return false;
    *why = "reserved event name";
    return !is_reserved(*event);
}

static bool read_payload(struct sio_packet *p, unsigned max_depth, const char **why)
{
    enum json_kind kind;
    *why = "invalid payload";
    if (p->json.n == 0) return p->type == SIO_CONNECT || p->type == SIO_DISCONNECT;
    if (p->type == SIO_DISCONNECT) return false;
    int attachments = is_binary(p->type) ? (int)p->attachments : -1;
    if (!json_scan_value(p->json, max_depth, attachments, &kind, why)) return false;
    *why = "invalid payload";
    switch (p->type) {
    case SIO_CONNECT: return kind == JSON_OBJECT;
    case SIO_CONNECT_ERROR: return kind == JSON_OBJECT || kind == JSON_STRING;
    case SIO_ACK:
    case SIO_BINARY_ACK: return kind == JSON_ARRAY;
    default: return kind == JSON_ARRAY && sio_event_is_legal(p->json, &p->event, why);
    }
}

enum verdict sio_packet_decode(struct str_view text, const struct sio_limits *limits,
                               struct sio_packet *out, const char **why)
{
    *out = (struct sio_packet){.event = {"", 0}};
    *why = "unknown packet type";
    if (text.n == 0 || text.p[0] < '0' || text.p[0] > '6') return VERDICT_BAD;
    out->type = (enum sio_type)(text.p[0] - '0');
    text = sv_skip(text, 1);
    if (is_binary(out->type) && !take_attachments(&text, limits, &out->attachments, why))
        return VERDICT_BAD;
    *why = "namespace too long";
    if (!take_nsp(&text, limits, &out->nsp, &out->nsp_query)) return VERDICT_BAD;
    if (text.n && is_digit(text.p[0])) {
        *why = "illegal id";
        out->has_id = true;
        out->id = take_number(&text, SIO_ID_MAX);
        if (out->id > SIO_ID_MAX) return VERDICT_BAD;
    }
    *why = "white space before the payload";
    if (text.n && trim_end(sv_make(text.p, 1)).n == 0) return VERDICT_BAD;
    out->json = trim_end(text);
    if (!read_payload(out, limits->max_depth, why)) return VERDICT_BAD;
    *why = "";
    return VERDICT_OK;
}

/* Writes v's digits so that they end before end; gives the first. */
static char *put_number(char *end, uint64_t v)
{
    do
        *--end = (char)('0' + v % 10);
    while (v /= 10);
    return end;
}

bool sio_packet_encode_head(struct buf *out, enum sio_type type, unsigned attachments,
                            struct str_view nsp, const uint64_t *id)
{
    char before[2 + MAX_DIGITS], digits[MAX_DIGITS];
    char *start = before + sizeof(before), *first = digits + sizeof(digits);
    size_t was = out->n;
    if (attachments) {
        *--start = '-';
        start = put_number(start, attachments);
    }
    *--start = (char)('0' + type);
    if (id) first = put_number(first, *id);
    if (buf_add(out, start, (size_t)(before + sizeof(before) - start)) &&
        (sv_eq(nsp, SV("/")) || (buf_add_sv(out, nsp) && buf_add_char(out, ','))) &&
        buf_add(out, first, (size_t)(digits + sizeof(digits) - first)))
        return true;
    out->n = was;
    return false;
}
