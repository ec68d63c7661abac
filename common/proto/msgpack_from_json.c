/* One pass over proved text. A container's head says how many elements it has, and its size depends
 * on that, but the number is known at the end only. So each gets a head of one byte; those that
 * turn out to have 16 elements or more are noted, and one pass at the end makes room for their
 * longer heads. (Counting first would walk every text twice; moving a container's bytes when it
 * ends costs depth times length.)
 *
 * Whether an object is a placeholder is known at its end, too (the last of equal members counts):
 * then what was written of it is dropped. The usual spelling is known by its text.
 *
 * Text that was not proved gives nonsense, but is not left. */

/* System */
#include <math.h>
#include <stdlib.h>
#include <string.h>
/* Proto */
#include "proto/decimal.h"
#include "proto/json_plain.h"
#include "proto/json_scan.h"
#include "proto/msgpack_json.h"

#define SHORT_HEAD_MAX 15 /* elements that a head of one byte can announce */

enum member { MEMBER_OTHER, MEMBER_PLACEHOLDER, MEMBER_NUM };

struct level {
    size_t at; /* of the head in out */
    uint32_t n, wide_n;
    bool object, placeholder;
    uint8_t num;   /* of a placeholder */
    uint8_t nbins; /* before it */
};

/* A container whose head is longer than one byte. */
struct wide {
    size_t at;
    uint32_t n;
    bool object;
};

struct from {
    const char *p, *end;
    struct buf *out;
    const struct str_view *attachments;
    unsigned nattachments;
    struct msgpack_fare *fare;
    enum member member; /* what the key before the coming value is */
    unsigned depth;
    struct buf wide; /* struct wide, in the order of their ends */
    struct level levels[JSON_DEPTH_LIMIT];
};

static void skip_space(struct from *f)
{
    while (f->p < f->end && (*f->p == ' ' || *f->p == '\n' || *f->p == '\r' || *f->p == '\t'))
        f->p++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- numbers */

/* As JavaScript has it: a whole number is written as an integer, however it was spelt. */
static bool put_double(struct buf *out, double v)
{
    bool negative_zero = v == 0 && signbit(v);
    if (fabs(v) < 0x1p53 && v == (double)(int64_t)v && !negative_zero)
        return msgpack_put_int(out, (int64_t)v);
    return msgpack_put_double(out, v);
}

/* At '-' or a digit. */
static bool put_number(struct from *f)
{
    const char *start = f->p;
    bool negative = *start == '-', over = false;
    uint64_t v = 0;
    bool exact;
    for (f->p += negative; f->p < f->end && is_digit(*f->p); f->p++)
        over = over || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
               __builtin_add_overflow(v, (uint64_t)(*f->p - '0'), &v);
    bool integer = f->p == f->end || (*f->p != '.' && *f->p != 'e' && *f->p != 'E');
    if (integer && !over && !negative) return msgpack_put_uint(f->out, v);
    if (integer && !over && v && v <= UINT64_C(1) << 63)
        return msgpack_put_int(f->out, (int64_t)(~v + 1));
    while (f->p < f->end && (is_digit(*f->p) || strchr("+-.eE", *f->p)))
        f->p++;
    double value = decimal_read(sv_make(start, (size_t)(f->p - start)), &exact);
    if (!exact || (integer && (over || v))) f->fare->lossy = true;
    return put_double(f->out, value);
}

/* --- strings */

/* Takes a string literal with its quotes; tells if something in it is escaped. */
static struct str_view take_string(struct from *f, bool *escaped)
{
    const char *start = f->p++;
    *escaped = false;
    while ((f->p = json_skip_plain(f->p, f->end)) < f->end && *f->p != '"') {
        if (*f->p == '\\') {
            *escaped = true;
            f->p++;
        }
        if (f->p < f->end) f->p++;
    }
    if (f->p < f->end) f->p++;
    return sv_make(start, (size_t)(f->p - start));
}

/* The three bytes of a lone surrogate become those of U+FFFD, as Node writes it. */
static void replace_surrogates(char *p, size_t n)
{
    for (size_t i = 0; i + 2 < n; i++)
        if ((unsigned char)p[i] == 0xed && (unsigned char)p[i + 1] >= 0xa0)
            memcpy(p + i, "\xef\xbf\xbd", 3);
}

/* Decoded first, then moved to make room for the head that its length asks for. */
static bool put_escaped(struct from *f, struct str_view raw)
{
    unsigned char head[MSGPACK_HEAD_MAX];
    struct buf *out = f->out;
    size_t start = out->n;
    bool lone;
    if (!json_string_decode(out, raw, &lone)) return false;
    size_t n = out->n - start;
    if (lone) {
        f->fare->lossy = true;
        replace_surrogates(out->p + start, n);
    }
    size_t size = msgpack_head(head, MSGPACK_STR, n);
    if (!buf_room(out, size)) return false;
    memmove(out->p + start + size, out->p + start, n);
    memcpy(out->p + start, head, size);
    out->n += size;
    return true;
}

static bool put_string(struct from *f, struct str_view raw, bool escaped)
{
    if (raw.n < 2) return false;
    if (escaped) return put_escaped(f, raw);
    return msgpack_put_str(f->out, sv_make(raw.p + 1, raw.n - 2));
}

/* --- binary */

/* What a member's value means for the placeholder that its object may be. */
static void note_member(struct from *f)
{
    struct level *l = &f->levels[f->depth - 1];
    if (f->member == MEMBER_PLACEHOLDER) l->placeholder = *f->p == 't';
    if (f->member == MEMBER_NUM) {
        unsigned num = 0;
        for (const char *p = f->p; p < f->end && is_digit(*p) && num < f->nattachments; p++)
            num = num * 10 + (unsigned)(*p - '0');
        l->num = num < f->nattachments && is_digit(*f->p) ? (uint8_t)num : MSGPACK_NOWHERE;
    }
    f->member = MEMBER_OTHER;
}

static bool put_attachment(struct from *f, unsigned num)
{
    struct msgpack_fare *fare = f->fare;
    if (num >= f->nattachments || fare->nbins == SIO_ATTACHMENTS_LIMIT) return false;
    if (fare->place[num] != MSGPACK_NOWHERE)
        fare->lossy = true;
    else
        fare->place[num] = (uint8_t)fare->nbins;
    fare->nbins++;
    return msgpack_put_bin(f->out, f->attachments[num]);
}

/* At '{': a placeholder in the spelling that all encoders use? Takes it. */
static bool take_placeholder(struct from *f, unsigned *num)
{
    const struct str_view usual = SV("{\"_placeholder\":true,\"num\":");
    struct str_view rest = sv_make(f->p, (size_t)(f->end - f->p));
    if (!sv_starts_with(rest, usual)) return false;
    const char *p = f->p + usual.n;
    for (*num = 0; p < f->end && is_digit(*p) && *num < f->nattachments; p++)
        *num = *num * 10 + (unsigned)(*p - '0');
    if (p == f->end || *p != '}') return false;
    f->p = p + 1;
    return true;
}

/* At the end of an object that turned out to be a placeholder: its attachment replaces it. */
static bool replace_by_attachment(struct from *f, const struct level *l)
{
    struct msgpack_fare *fare = f->fare;
    f->out->n = l->at;
    f->wide.n = l->wide_n * sizeof(struct wide);
    if (fare->nbins > l->nbins) {
        fare->nbins = l->nbins;
        for (unsigned i = 0; i < f->nattachments; i++)
            if (fare->place[i] != MSGPACK_NOWHERE && fare->place[i] >= l->nbins)
                fare->place[i] = MSGPACK_NOWHERE;
    }
    return put_attachment(f, l->num);
}

/* --- containers */

/* A key with its colon. */
static bool put_key(struct from *f)
{
    bool escaped;
    skip_space(f);
    if (f->p == f->end || *f->p != '"') return false;
    struct str_view raw = take_string(f, &escaped);
    if (f->nattachments && json_string_equals(raw, SV("_placeholder")))
        f->member = MEMBER_PLACEHOLDER;
    else if (f->nattachments && json_string_equals(raw, SV("num")))
        f->member = MEMBER_NUM;
    skip_space(f);
    if (f->p < f->end) f->p++;
    return put_string(f, raw, escaped);
}

/* At '{' or '['. */
static bool open_level(struct from *f)
{
    if (f->depth == JSON_DEPTH_LIMIT) return false;
    f->levels[f->depth++] = (struct level){
        .at = f->out->n,
        .wide_n = (uint32_t)(f->wide.n / sizeof(struct wide)),
        .object = *f->p++ == '{',
        .num = MSGPACK_NOWHERE,
        .nbins = (uint8_t)f->fare->nbins,
    };
    return buf_add_char(f->out, 0);
}

/* Behind '}' or ']'. */
static bool close_level(struct from *f)
{
    unsigned char head[MSGPACK_HEAD_MAX];
    const struct level *l = &f->levels[--f->depth];
    if (l->placeholder) return replace_by_attachment(f, l);
    if (l->n > SHORT_HEAD_MAX) {
        struct wide wide = {.at = l->at, .n = l->n, .object = l->object};
        return buf_add(&f->wide, &wide, sizeof(wide));
    }
    msgpack_head(head, l->object ? MSGPACK_MAP : MSGPACK_ARRAY, l->n);
    f->out->p[l->at] = (char)head[0];
    return true;
}

/* One value without its parts. *ended: nothing of it is left to come. */
static bool put_value(struct from *f, bool *ended)
{
    bool escaped;
    unsigned num;
    skip_space(f);
    if (f->p == f->end) return false;
    char c = *f->p;
    if (f->member) note_member(f);
    *ended = true;
    switch (c) {
    case '{':
    case '[':
        if (f->nattachments && c == '{' && take_placeholder(f, &num)) return put_attachment(f, num);
        if (!open_level(f)) return false;
        skip_space(f);
        *ended = f->p < f->end && (*f->p == '}' || *f->p == ']');
        if (*ended) {
            f->p++;
            return close_level(f);
        }
        f->levels[f->depth - 1].n = 1;
        return c == '[' || put_key(f);
    case '"': {
        struct str_view raw = take_string(f, &escaped);
        return put_string(f, raw, escaped);
    }
    case 't':
    case 'n':
        f->p += f->end - f->p < 4 ? f->end - f->p : 4;
        return c == 't' ? msgpack_put_bool(f->out, true) : msgpack_put_nil(f->out);
    case 'f': f->p += f->end - f->p < 5 ? f->end - f->p : 5; return msgpack_put_bool(f->out, false);
    default: return (c == '-' || is_digit(c)) && put_number(f);
    }
}

/* Behind a value: closings, until a comma asks for the next one. *more: it did. */
static bool put_behind(struct from *f, bool *more)
{
    *more = false;
    while (f->depth) {
        struct level *l = &f->levels[f->depth - 1];
        skip_space(f);
        if (f->p == f->end) return false;
        if (*f->p++ == ',') {
            l->n++;
            *more = true;
            return !l->object || put_key(f);
        }
        if (!close_level(f)) return false;
    }
    return true;
}

/* --- long heads */

static int compare_wide(const void *a, const void *b)
{
    const struct wide *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* From the end on, everything moves once. */
static bool make_room(struct buf *out, struct wide *wide, size_t n)
{
    unsigned char head[MSGPACK_HEAD_MAX];
    size_t more = 0, from = out->n;
    for (size_t i = 0; i < n; i++)
        more += msgpack_head(head, MSGPACK_ARRAY, wide[i].n) - 1;
    if (!buf_room(out, more)) return false;
    qsort(wide, n, sizeof(*wide), compare_wide);
    size_t to = out->n += more;
    for (size_t i = n; i > 0; i--) {
        const struct wide *w = &wide[i - 1];
        size_t tail = from - (w->at + 1);
        size_t size = msgpack_head(head, w->object ? MSGPACK_MAP : MSGPACK_ARRAY, w->n);
        memmove(out->p + to - tail, out->p + w->at + 1, tail);
        memcpy(out->p + to - tail - size, head, size);
        to -= tail + size;
        from = w->at;
    }
    return true;
}

bool msgpack_from_json(struct buf *out, struct str_view json, const struct str_view *attachments,
                       unsigned nattachments, struct msgpack_fare *fare)
{
    struct from f; /* its levels are not cleared: that would cost more than a short text */
    size_t start = out->n;
    bool more = true, ended = true, ok = true;
    f.p = json.p;
    f.end = json.n ? json.p + json.n : json.p;
    f.out = out;
    f.attachments = attachments;
    f.nattachments = nattachments < SIO_ATTACHMENTS_LIMIT ? nattachments : SIO_ATTACHMENTS_LIMIT;
    f.fare = fare;
    f.member = MEMBER_OTHER;
    f.depth = 0;
    buf_init(&f.wide, json.n); /* 16 elements take more bytes than a struct wide */
    fare->lossy = false;
    fare->nbins = 0;
    memset(fare->place, MSGPACK_NOWHERE, sizeof(fare->place));
    while (ok && more) {
        ok = put_value(&f, &ended);
        if (ok && ended) ok = put_behind(&f, &more);
    }
    if (ok && f.wide.n) /* allocated, so aligned for any type */
        ok = make_room(out, (struct wide *)(void *)f.wide.p, f.wide.n / sizeof(struct wide));
    buf_fini(&f.wide);
    if (!ok) out->n = start;
    return ok;
}
