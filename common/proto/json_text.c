/* Walks JSON text that json_scan_value() has accepted. So the grammar is not checked again, only
 * the end of the text is: text that was not proved gives nonsense, but is not left.
 *
 * Characters that JSON can escape and UTF-8 cannot say (lone surrogates) are carried as their
 * three-byte form inside the project; json_string_encode() writes them as escapes again. */

/* System */
#include <string.h>
/* Proto */
#include "proto/json_scan.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct str_view skip_space(struct str_view s)
{
    while (s.n && is_space(s.p[0]))
        s = sv_skip(s, 1);
    return s;
}

/* Length of the string literal that s starts with, quotes included. */
static size_t string_len(struct str_view s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"') return i + 1;
        if (s.p[i] == '\\') i++;
    }
    return s.n;
}

static size_t container_len(struct str_view s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '"': i += string_len(sv_skip(s, i)) - 1; break;
        case '{':
        case '[': depth++; break;
        case '}':
        case ']':
            if (--depth == 0) return i + 1;
            break;
        default: break;
        }
    }
    return s.n;
}

/* Length of the value that s starts with. */
static size_t value_len(struct str_view s)
{
    if (s.n == 0) return 0;
    if (s.p[0] == '"') return string_len(s);
    if (s.p[0] == '{' || s.p[0] == '[') return container_len(s);
    size_t n = 0;
    while (n < s.n && !is_space(s.p[n]) && s.p[n] != ',' && s.p[n] != ']' && s.p[n] != '}')
        n++;
    return n;
}

/* Splits n bytes off *s. */
static struct str_view take(struct str_view *s, size_t n)
{
    struct str_view head = sv_make(s->p, n);
    *s = sv_skip(*s, n);
    return head;
}

enum json_kind json_kind_of(struct str_view text)
{
    text = skip_space(text);
    switch (text.n ? text.p[0] : 'n') {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    default: return JSON_NUMBER;
    }
}

void json_iter_init(struct json_iter *it, struct str_view text)
{
    it->rest = skip_space(text);
    if (it->rest.n) it->rest = sv_skip(it->rest, 1);
}

/* Before the next element or key. False at the end. */
static bool next_part(struct json_iter *it)
{
    it->rest = skip_space(it->rest);
    if (it->rest.n && it->rest.p[0] == ',') it->rest = skip_space(sv_skip(it->rest, 1));
    return it->rest.n && it->rest.p[0] != ']' && it->rest.p[0] != '}';
}

bool json_array_next(struct json_iter *it, struct str_view *element)
{
    if (!next_part(it)) return false;
    *element = take(&it->rest, value_len(it->rest));
    return true;
}

bool json_object_next(struct json_iter *it, struct str_view *key, struct str_view *value)
{
    if (!next_part(it)) return false;
    *key = take(&it->rest, string_len(it->rest));
    it->rest = skip_space(it->rest);
    if (it->rest.n) it->rest = skip_space(sv_skip(it->rest, 1));
    *value = take(&it->rest, value_len(it->rest));
    return true;
}

bool json_member_get(struct str_view object, struct str_view key, struct str_view *value)
{
    struct json_iter it;
    struct str_view raw, v;
    bool found = false;
    object = skip_space(object);
    if (object.n == 0 || object.p[0] != '{') return false;
    json_iter_init(&it, object);
    while (json_object_next(&it, &raw, &v)) {
        if (!json_string_equals(raw, key)) continue;
        *value = v;
        found = true;
    }
    return found;
}

static unsigned hex4(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v & 0xffff;
}

static bool is_surrogate(unsigned c)
{
    return c >= 0xd800 && c <= 0xdfff;
}

/* The code point of the \u escape that s starts with; *n: bytes it takes, two escapes if they pair.
 */
static unsigned escaped_point(struct str_view s, size_t *n)
{
    *n = s.n < 6 ? s.n : 6;
    if (s.n < 6) return 0xfffd;
    unsigned high = hex4(s.p + 2);
    if (high < 0xd800 || high > 0xdbff) return high;
    if (s.n < 12 || s.p[6] != '\\' || s.p[7] != 'u') return high;
    unsigned low = hex4(s.p + 8);
    if (low < 0xdc00 || low > 0xdfff) return high;
    *n = 12;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static size_t put_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(first[n] | c);
    return n;
}

/* Takes one escape off *s and writes what it stands for. */
static size_t take_escape(struct str_view *s, char to[4], bool *lone)
{
    size_t n = 2;
    char c = s->n > 1 ? s->p[1] : '\\';
    if (c == 'u') {
        unsigned point = escaped_point(*s, &n);
        if (is_surrogate(point)) *lone = true;
        take(s, n);
        return put_utf8(to, point);
    }
    take(s, s->n < n ? s->n : n);
    switch (c) {
    case 'b': to[0] = '\b'; break;
    case 'f': to[0] = '\f'; break;
    case 'n': to[0] = '\n'; break;
    case 'r': to[0] = '\r'; break;
    case 't': to[0] = '\t'; break;
    default: to[0] = c;
    }
    return 1;
}

/* Without the quotes. */
static struct str_view inner(struct str_view raw)
{
    return raw.n < 2 ? SV("") : sv_make(raw.p + 1, raw.n - 2);
}

bool json_string_decode(struct buf *out, struct str_view raw, bool *lone)
{
    struct str_view s = inner(raw);
    size_t start = out->n;
    bool has_lone = false, ok = true;
    while (ok && s.n) {
        char one[4];
        size_t plain = sv_find(s, '\\');
        ok = buf_add_sv(out, take(&s, plain));
        if (ok && s.n) ok = buf_add(out, one, take_escape(&s, one, &has_lone));
    }
    if (!ok) out->n = start;
    if (lone) *lone = has_lone;
    return ok;
}

bool json_string_equals(struct str_view raw, struct str_view plain)
{
    struct str_view s = inner(raw);
    bool lone;
    while (s.n) {
        char one[4];
        if (s.p[0] != '\\') {
            if (plain.n == 0 || plain.p[0] != s.p[0]) return false;
            s = sv_skip(s, 1);
            plain = sv_skip(plain, 1);
            continue;
        }
        struct str_view point = {one, take_escape(&s, one, &lone)};
        if (!sv_starts_with(plain, point)) return false;
        plain = sv_skip(plain, point.n);
    }
    return plain.n == 0;
}

/* Does s start with the three-byte form of a surrogate, which UTF-8 does not have? */
static bool starts_with_surrogate(struct str_view s)
{
    return s.n >= 3 && (unsigned char)s.p[0] == 0xed && (unsigned char)s.p[1] >= 0xa0 &&
           (unsigned char)s.p[1] <= 0xbf && ((unsigned char)s.p[2] & 0xc0) == 0x80;
}

/* Must the character that s starts with be escaped? */
static bool wants_escape(struct str_view s)
{
    unsigned char c = (unsigned char)s.p[0];
    return c < 0x20 || c == '"' || c == '\\' || (c == 0xed && starts_with_surrogate(s));
}

/* Takes one character that wants an escape off *s and writes that; gives the length. */
static size_t put_escape(char to[6], struct str_view *s)
{
    static const char hex[] = "0123456789abcdef";
    /* The short escapes of 0x08 to 0x0d; there is none for 0x0b. */
    static const char named[] = "btn?fr";
    unsigned c = (unsigned char)s->p[0];
    if (c == 0xed) {
        c = 0xd000 | ((unsigned char)s->p[1] & 0x3fu) << 6 | ((unsigned char)s->p[2] & 0x3fu);
        take(s, 3);
    } else {
        take(s, 1);
    }
    to[0] = '\\';
    if (c == '"' || c == '\\' || (c >= 8 && c <= 13 && c != 11)) {
        to[1] = c < 0x20 ? named[c - 8] : (char)c;
        return 2;
    }
    to[1] = 'u';
    for (int i = 0; i < 4; i++)
        to[2 + i] = hex[c >> (12 - 4 * i) & 15];
    return 6;
}

bool json_string_encode(struct buf *out, struct str_view plain)
{
    size_t start = out->n;
    bool ok = buf_add_char(out, '"');
    while (ok && plain.n) {
        char escape[6];
        size_t n = 0;
        while (n < plain.n && !wants_escape(sv_skip(plain, n)))
            n++;
        ok = buf_add_sv(out, take(&plain, n));
        if (ok && plain.n) ok = buf_add(out, escape, put_escape(escape, &plain));
    }
    ok = ok && buf_add_char(out, '"');
    if (!ok) out->n = start;
    return ok;
}

/* Length of the well-formed character that s starts with, a non-ASCII one; 0 if it is none. RFC
 * 3629 section 4: only the second byte's range depends on the first. */
static size_t utf8_len(struct str_view s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned char low = 0x80, high = 0xbf;
    size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (n == 0 || s.n < n) return 0;
    if (p[0] == 0xe0) low = 0xa0;
    if (p[0] == 0xed) high = 0x9f;
    if (p[0] == 0xf0) low = 0x90;
    if (p[0] == 0xf4) high = 0x8f;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return n;
}

bool utf8_is_valid(struct str_view text)
{
    while (text.n) {
        uint64_t v;
        if (text.n >= 8 && (memcpy(&v, text.p, 8), (v & UINT64_C(0x8080808080808080)) == 0)) {
            text = sv_skip(text, 8);
            continue;
        }
        size_t n = (unsigned char)text.p[0] < 0x80 ? 1 : utf8_len(text);
        if (n == 0) return false;
        text = sv_skip(text, n);
    }
    return true;
}
