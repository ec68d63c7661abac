/* A stack of counts, no recursion: the peer chooses the depth. A comma or a key is written when the
 * value behind it is known, since an undefined member leaves nothing. */

/* System */
#include <math.h>
#include <string.h>
/* Proto */
#include "proto/decimal.h"
#include "proto/json_scan.h"
#include "proto/msgpack_json.h"

#define MS_A_DAY 86400000
#define DATE_MAX 8.64e15 /* milliseconds; JavaScript's dates end there */

struct level {
    uint32_t left;
    bool map, first;
};

struct to {
    struct msgpack_reader *r;
    struct buf *out;
    struct msgpack_bins *bins;
    const char *why;
    unsigned depth, max_depth;
    struct level levels[JSON_DEPTH_LIMIT];
};

/* --- strings */

/* Do the bytes stand in a JSON string as they are? All ASCII, eight at a time, then one by one. */
static bool is_plain(struct str_view s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    while (s.n >= 8) {
        uint64_t v;
        memcpy(&v, s.p, 8);
        uint64_t quote = v ^ ones * '"', escape = v ^ ones * '\\';
        if ((v | (v - ones * 0x20) | (quote - ones) | (escape - ones)) & tops) break;
        s = sv_skip(s, 8);
    }
    for (; s.n; s = sv_skip(s, 1)) {
        unsigned char c = (unsigned char)s.p[0];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') return false;
    }
    return true;
}

/* Length of the well-formed character that s starts with; 0: it is none. */
static size_t character_len(struct str_view s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (utf8_is_valid(sv_make(s.p, n))) return n;
    return 0;
}

/* One character as it stands within a JSON string. */
static bool put_character(struct buf *out, struct str_view c)
{
    size_t start = out->n;
    if (!json_string_encode(out, c)) return false;
    out->n -= 2; /* the quotes */
    memmove(out->p + start, out->p + start + 1, out->n - start);
    return true;
}

static bool put_repaired(struct buf *out, struct str_view s)
{
    bool ok = buf_add_char(out, '"');
    while (ok && s.n) {
        size_t n = character_len(s);
        ok = put_character(out, n ? sv_make(s.p, n) : SV("\xef\xbf\xbd"));
        s = sv_skip(s, n ? n : 1);
    }
    return ok && buf_add_char(out, '"');
}

bool msgpack_text_to_json(struct buf *out, struct str_view bytes)
{
    size_t start = out->n;
    bool ok;
    if (is_plain(bytes))
        ok = buf_add_char(out, '"') && buf_add_sv(out, bytes) && buf_add_char(out, '"');
    else if (utf8_is_valid(bytes))
        ok = json_string_encode(out, bytes);
    else
        ok = put_repaired(out, bytes);
    if (!ok) out->n = start;
    return ok;
}

/* --- dates */

static bool put_date(struct buf *out, double ms)
{
    if (!(fabs(ms) <= DATE_MAX)) return buf_add_sv(out, SV("null"));
    int64_t t = (int64_t)ms, day = t / MS_A_DAY, in_day = t % MS_A_DAY;
    if (in_day < 0) {
        in_day += MS_A_DAY;
        day--;
    }
    /* Days since 1 March 0000 in eras of 400 years: leap days stand at a year's end. */
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    int64_t of_era = day - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* from March */
    int64_t date = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    year += era * 400 + (month <= 2);
    return buf_addf(out, year < 0 || year > 9999 ? "\"%+07d" : "\"%04d", (int)year) &&
           buf_addf(out, "-%02d-%02dT%02d:%02d:%02d.%03dZ\"", (int)month, (int)date,
                    (int)(in_day / 3600000), (int)(in_day / 60000 % 60), (int)(in_day / 1000 % 60),
                    (int)(in_day % 1000));
}

static uint64_t be(struct str_view bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes.n; i++)
        v = v << 8 | (unsigned char)bytes.p[i];
    return v;
}

/* Is it a date? Then *ms is its time, by notepack's arithmetic. */
static bool is_date(const struct msgpack_token *t, double *ms)
{
    struct str_view b = t->bytes;
    if (t->fixed && t->ext == 0 && b.n == 8) {
        *ms = (double)(int64_t)be(b);
    } else if (t->ext != -1) {
        return false;
    } else if (t->fixed && b.n == 4) {
        *ms = (double)be(b) * 1e3;
    } else if (t->fixed && b.n == 8) {
        uint64_t v = be(b);
        *ms = (double)(v & ((UINT64_C(1) << 34) - 1)) * 1e3 + (double)(v >> 34) / 1e6;
    } else if (!t->fixed && b.n == 12) {
        *ms = (double)(int64_t)be(sv_skip(b, 4)) * 1e3 + (double)be(sv_make(b.p, 4)) / 1e6;
    } else {
        return false;
    }
    return true;
}

/* --- values */

static bool bad(struct to *t, const char *why)
{
    t->why = why;
    return false;
}

/* levels: how many more there would be. */
static bool fits(struct to *t, unsigned levels)
{
    if (t->depth + levels <= t->max_depth) return true;
    return bad(t, "nested too deep");
}

static bool put_bin(struct to *t, struct str_view bytes)
{
    struct msgpack_bins *bins = t->bins;
    if (!fits(t, 1)) return false;
    if (bins->n == bins->max) return bad(t, "too many attachments");
    bins->views[bins->n] = bytes;
    return buf_add_sv(t->out, SV("{\"_placeholder\":true,\"num\":")) &&
           decimal_write_uint(t->out, bins->n++) && buf_add_char(t->out, '}');
}

static bool put_ext(struct to *t, const struct msgpack_token *v)
{
    double ms;
    if (msgpack_is_undefined(v)) return buf_add_sv(t->out, SV("null"));
    if (is_date(v, &ms)) return put_date(t->out, ms);
    if (v->ext == 0 && !v->fixed) return put_bin(t, v->bytes);
    if (!fits(t, 2)) return false;
    t->depth++;
    bool ok = buf_add_char(t->out, '[') && decimal_write_int(t->out, v->ext) &&
              buf_add_char(t->out, ',') && put_bin(t, v->bytes) && buf_add_char(t->out, ']');
    t->depth--;
    return ok;
}

static bool open_level(struct to *t, const struct msgpack_token *v)
{
    bool map = v->kind == MSGPACK_MAP;
    if (!fits(t, 1)) return false;
    t->levels[t->depth++] = (struct level){.left = v->n, .map = map, .first = true};
    return buf_add_char(t->out, map ? '{' : '[');
}

static bool put_value(struct to *t, const struct msgpack_token *v)
{
    switch (v->kind) {
    case MSGPACK_NIL: return buf_add_sv(t->out, SV("null"));
    case MSGPACK_BOOL: return buf_add_sv(t->out, v->truth ? SV("true") : SV("false"));
    case MSGPACK_UINT: return decimal_write_uint(t->out, v->u);
    case MSGPACK_NEGATIVE: return decimal_write_int(t->out, v->i);
    case MSGPACK_FLOAT: return decimal_write(t->out, v->d);
    case MSGPACK_STR: return msgpack_text_to_json(t->out, v->bytes);
    case MSGPACK_BIN: return put_bin(t, v->bytes);
    case MSGPACK_EXT: return put_ext(t, v);
    default: return open_level(t, v);
    }
}

static bool put_key(struct to *t, const struct msgpack_token *k)
{
    switch (k->kind) {
    case MSGPACK_STR:
    case MSGPACK_BIN:
        if (sv_eq(k->bytes, SV("_placeholder"))) t->bins->has_forged = true;
        return msgpack_text_to_json(t->out, k->bytes) && buf_add_char(t->out, ':');
    case MSGPACK_EXT:
    case MSGPACK_ARRAY:
    case MSGPACK_MAP: return bad(t, "a key that is no text");
    default: return buf_add_char(t->out, '"') && put_value(t, k) && buf_add_sv(t->out, SV("\":"));
    }
}

static bool next(struct to *t, struct msgpack_token *v)
{
    return msgpack_next(t->r, v) || bad(t, "malformed MessagePack");
}

/* A text, or what JavaScript makes one of. */
static bool next_key(struct to *t, struct msgpack_token *k)
{
    if (!next(t, k)) return false;
    return (k->kind != MSGPACK_EXT && k->kind != MSGPACK_ARRAY && k->kind != MSGPACK_MAP) ||
           bad(t, "a key that is no text");
}

/* A value, or an element of the innermost container. */
static bool put_next(struct to *t)
{
    struct msgpack_token k, v;
    struct level *l = t->depth ? &t->levels[t->depth - 1] : NULL;
    if (l && l->map && !next_key(t, &k)) return false;
    if (!next(t, &v)) return false;
    if (l) {
        l->left--;
        if (l->map && msgpack_is_undefined(&v)) return true;
        if (!l->first && !buf_add_char(t->out, ',')) return false;
        l->first = false;
        if (l->map && !put_key(t, &k)) return false;
    }
    return put_value(t, &v);
}

bool msgpack_to_json(struct msgpack_reader *r, struct buf *out, unsigned max_depth,
                     struct msgpack_bins *bins, const char **why)
{
    struct to t; /* its levels are not cleared: that would cost more than a short text */
    size_t start = out->n;
    bool ok;
    t.r = r;
    t.out = out;
    t.bins = bins;
    t.why = "too large";
    t.depth = 0;
    t.max_depth = max_depth < JSON_DEPTH_LIMIT ? max_depth : JSON_DEPTH_LIMIT;
    do {
        ok = put_next(&t);
        while (ok && t.depth && t.levels[t.depth - 1].left == 0)
            ok = buf_add_char(out, t.levels[--t.depth].map ? '}' : ']');
    } while (ok && t.depth);
    *why = ok ? "" : t.why;
    if (!ok) out->n = start;
    return ok;
}
