/* One pass with one bit of memory a level: object or array. A value either ends where it is read,
 * or opens a level; behind each ended value come the closings, until a comma asks for the next
 * value.
 *
 * The rule for placeholders needs two more bits a level: was the last "_placeholder" true, was the
 * last "num" in range. They are written when a key's value begins (its kind says all, but for a
 * number's digits), so nothing must be remembered over a nested value. scan() is compiled twice,
 * with and without that rule, so that plain events do not pay for it.
 *
 * "num" must be plain digits: 1e0, 1.0 and -0 are refused, which JSON.parse takes for integers. No
 * encoder writes them, and who resolves placeholders later needs no number parser.
 *
 * Rejected: recursion (the peer chooses the depth), a table of states for each byte (slower, as
 * most bytes lie in strings, which have a loop of their own). */

/* System */
#include <string.h>
/* Proto */
#include "proto/json_plain.h"
#include "proto/json_scan.h"

#define LEVEL_WORDS (JSON_DEPTH_LIMIT / 64)
#define ALWAYS_INLINE inline __attribute__((always_inline))

enum member { MEMBER_OTHER, MEMBER_PLACEHOLDER, MEMBER_NUM };

struct scan {
    const char *p, *end;
    const char *why;
    unsigned depth, max_depth;
    unsigned attachments;
    enum member member; /* what the key before the coming value is */
    uint64_t is_object[LEVEL_WORDS];
    uint64_t is_placeholder[LEVEL_WORDS], has_num[LEVEL_WORDS]; /* only with the placeholder rule */
};

/* What stands behind a step. */
enum step { STEP_BAD, STEP_VALUE, STEP_ENDED, STEP_DONE };

static ALWAYS_INLINE bool bit_get(const uint64_t *bits, unsigned level)
{
    return bits[level / 64] >> (level % 64) & 1;
}

static ALWAYS_INLINE void bit_set(uint64_t *bits, unsigned level, bool on)
{
    uint64_t mask = UINT64_C(1) << (level % 64);
    bits[level / 64] = on ? bits[level / 64] | mask : bits[level / 64] & ~mask;
}

static bool bad(struct scan *s, const char *why)
{
    s->why = s->p == s->end ? "unexpected end of JSON" : why;
    return false;
}

static enum step bad_step(struct scan *s, const char *why)
{
    bad(s, why);
    return STEP_BAD;
}

static ALWAYS_INLINE void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

static ALWAYS_INLINE bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* At a backslash. */
static bool scan_escape(struct scan *s)
{
    if (++s->p == s->end) return bad(s, "");
    switch (*s->p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': s->p++; return true;
    case 'u': s->p++; break;
    default: return bad(s, "bad escape in JSON string");
    }
    for (int i = 0; i < 4; i++, s->p++)
        if (s->p == s->end || !is_hex(*s->p)) return bad(s, "bad escape in JSON string");
    return true;
}

/* At the opening quote. */
static ALWAYS_INLINE bool scan_string(struct scan *s)
{
    s->p++;
    for (;;) {
        s->p = json_skip_plain(s->p, s->end);
        if (s->p == s->end) return bad(s, "");
        if (*s->p == '"') {
            s->p++;
            return true;
        }
        if (*s->p != '\\') return bad(s, "control character in JSON string");
        if (!scan_escape(s)) return false;
    }
}

static ALWAYS_INLINE bool scan_digits(struct scan *s)
{
    if (s->p == s->end || !is_digit(*s->p)) return bad(s, "bad number in JSON");
    while (s->p < s->end && is_digit(*s->p))
        s->p++;
    return true;
}

/* At '-' or a digit. */
static bool scan_number(struct scan *s)
{
    if (*s->p == '-') s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++; /* a further digit will not be a legal follower */
    else if (!scan_digits(s))
        return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!scan_digits(s)) return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-')) s->p++;
        if (!scan_digits(s)) return false;
    }
    return true;
}

static bool scan_literal(struct scan *s, struct str_view word)
{
    for (size_t i = 0; i < word.n; i++, s->p++)
        if (s->p == s->end || *s->p != word.p[i]) return bad(s, "unexpected character in JSON");
    return true;
}

/* Is the number from start to here plain digits below the count of attachments? */
static bool is_attachment(const struct scan *s, const char *start)
{
    uint64_t n = 0;
    for (const char *p = start; p < s->p; p++) {
        if (!is_digit(*p)) return false;
        n = n * 10 + (uint64_t)(*p - '0');
        if (n >= s->attachments) return false;
    }
    return true;
}

/* Notes what the value of a member of this level is worth. */
static void note_member(struct scan *s, bool counts)
{
    if (s->member == MEMBER_PLACEHOLDER) bit_set(s->is_placeholder, s->depth - 1, counts);
    if (s->member == MEMBER_NUM) bit_set(s->has_num, s->depth - 1, counts);
    s->member = MEMBER_OTHER;
}

/* A key, up to and with its colon. */
static ALWAYS_INLINE bool scan_key(struct scan *s, bool track)
{
    const char *start = s->p;
    if (s->p == s->end || *s->p != '"') return bad(s, "key expected in JSON");
    if (!scan_string(s)) return false;
    if (track) {
        struct str_view raw = sv_make(start, (size_t)(s->p - start));
        if (json_string_equals(raw, SV("_placeholder"))) s->member = MEMBER_PLACEHOLDER;
        if (json_string_equals(raw, SV("num"))) s->member = MEMBER_NUM;
    }
    skip_space(s);
    if (s->p == s->end || *s->p != ':') return bad(s, "colon expected in JSON");
    s->p++;
    return true;
}

/* At '{' or '['. */
static ALWAYS_INLINE enum step scan_open(struct scan *s, bool track)
{
    bool object = *s->p == '{';
    if (s->depth >= s->max_depth) return bad_step(s, "JSON nested too deep");
    if (track) {
        if (s->member) note_member(s, false);
        bit_set(s->is_placeholder, s->depth, false);
        bit_set(s->has_num, s->depth, false);
    }
    bit_set(s->is_object, s->depth, object);
    s->p++;
    skip_space(s);
    if (s->p < s->end && *s->p == (object ? '}' : ']')) {
        s->p++;
        return STEP_ENDED;
    }
    s->depth++;
    if (object && !scan_key(s, track)) return STEP_BAD;
    return STEP_VALUE;
}

/* A value without parts. */
static ALWAYS_INLINE bool scan_scalar(struct scan *s, bool track)
{
    const char *start = s->p;
    bool ok;
    if (s->p == s->end) return bad(s, "");
    switch (*start) {
    case '"': ok = scan_string(s); break;
    case 't': ok = scan_literal(s, SV("true")); break;
    case 'f': ok = scan_literal(s, SV("false")); break;
    case 'n': ok = scan_literal(s, SV("null")); break;
    default:
        if (*start != '-' && !is_digit(*start)) return bad(s, "unexpected character in JSON");
        ok = scan_number(s);
    }
    if (ok && track && s->member)
        note_member(s, s->member == MEMBER_NUM ? is_attachment(s, start) : *start == 't');
    return ok;
}

/* Behind a value: a comma (and a key), a closing, or the end. */
static ALWAYS_INLINE enum step scan_behind(struct scan *s, bool track)
{
    skip_space(s);
    if (s->depth == 0) {
        if (s->p == s->end) return STEP_DONE;
        s->why = "characters behind the JSON value";
        return STEP_BAD;
    }
    bool object = bit_get(s->is_object, s->depth - 1);
    if (s->p == s->end) return bad_step(s, "");
    if (*s->p == ',') {
        s->p++;
        if (!object) return STEP_VALUE;
        skip_space(s);
        return scan_key(s, track) ? STEP_VALUE : STEP_BAD;
    }
    if (*s->p != (object ? '}' : ']')) return bad_step(s, "comma expected in JSON");
    s->depth--;
    if (track && bit_get(s->is_placeholder, s->depth) && !bit_get(s->has_num, s->depth))
        return bad_step(s, "illegal attachments");
    s->p++;
    return STEP_ENDED;
}

static ALWAYS_INLINE bool scan(struct scan *s, bool track)
{
    for (;;) {
        enum step step;
        skip_space(s);
        if (s->p < s->end && (*s->p == '{' || *s->p == '['))
            step = scan_open(s, track);
        else
            step = scan_scalar(s, track) ? STEP_ENDED : STEP_BAD;
        while (step == STEP_ENDED)
            step = scan_behind(s, track);
        if (step != STEP_VALUE) return step == STEP_DONE;
    }
}

bool json_scan_value(struct str_view text, unsigned max_depth, int attachments,
                     enum json_kind *kind, const char **why)
{
    struct scan s;
    s.p = text.p;
    s.end = text.n ? text.p + text.n : text.p;
    s.why = "";
    s.depth = 0;
    s.max_depth = max_depth < JSON_DEPTH_LIMIT ? max_depth : JSON_DEPTH_LIMIT;
    s.attachments = attachments > 0 ? (unsigned)attachments : 0;
    s.member = MEMBER_OTHER;
    memset(s.is_object, 0, sizeof(s.is_object)); /* the others only if they are used */
    if (attachments >= 0) {
        memset(s.is_placeholder, 0, sizeof(s.is_placeholder));
        memset(s.has_num, 0, sizeof(s.has_num));
    }
    bool ok = attachments < 0 ? scan(&s, false) : scan(&s, true);
    *why = s.why;
    if (ok) *kind = json_kind_of(text);
    return ok;
}
