/* Notes. The reference's client doubles line feeds' escapes, since some browsers make CR LF of a
 * line feed in a form: a line feed travels as \n, and a \n that was in the text with one backslash
 * more. So a run of backslashes before an n is one too long, and one alone is a line feed. Any other
 * backslash stands for itself. */

/* System */
#include <string.h>
/* Proto */
#include "proto/eio3_payload.h"
#include "proto/http_head.h"

#define INDEX_DIGITS 9
#define NO_ESCAPE 0x110000 /* is no character */

bool eio3_jsonp_index(struct str_view j, uint32_t *index)
{
    unsigned digits = 0;
    *index = 0;
    for (size_t i = 0; i < j.n; i++) {
        if (j.p[i] < '0' || j.p[i] > '9') continue;
        if (++digits > INDEX_DIGITS) return false;
        *index = *index * 10 + (uint32_t)(j.p[i] - '0');
    }
    return digits > 0;
}

/* Undoes the client's escaping, in place; text only gets shorter. */
static void unescape_line_feeds(struct buf *text)
{
    struct str_view s = buf_view(text);
    char *to = text->p;
    while (s.n) {
        size_t plain = sv_find(s, '\\'), run = plain;
        while (run < s.n && s.p[run] == '\\')
            run++;
        bool escape = run > plain && run < s.n && s.p[run] == 'n';
        size_t keep = escape ? run - 1 : run;
        memmove(to, s.p, keep);
        to += keep;
        if (escape) *to++ = run - plain == 1 ? '\n' : 'n';
        s = sv_skip(s, escape ? run + 1 : run);
    }
    text->n = (size_t)(to - text->p);
}

bool eio3_jsonp_body(struct str_view form, struct buf *text, bool *bad)
{
    buf_clear(text);
    if (!http_query_get(form, SV("d"), text, bad)) return false;
    if (text->n) unescape_line_feeds(text);
    return true;
}

/* The code of the character that s starts with if it has to be escaped, else NO_ESCAPE. *n: its
 * bytes. */
static unsigned wants_escape(struct str_view s, size_t *n)
{
    unsigned char c = (unsigned char)s.p[0];
    *n = 1;
    if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&') return c;
    /* JSON may have these two in strings; scripts older than ES2019 may not. */
    if (c != 0xe2 || s.n < 3 || s.p[1] != '\x80') return NO_ESCAPE;
    *n = 3;
    return s.p[2] == '\xa8' ? 0x2028 : s.p[2] == '\xa9' ? 0x2029 : NO_ESCAPE;
}

static bool add_escape(struct buf *out, unsigned c)
{
    if (c == '"') return buf_add_sv(out, SV("\\\""));
    if (c == '\\') return buf_add_sv(out, SV("\\\\"));
    return buf_addf(out, "\\u%04x", c);
}

static bool add_escaped(struct buf *out, struct str_view s)
{
    while (s.n) {
        size_t plain = 0, n = 0;
        unsigned c = NO_ESCAPE;
        while (plain < s.n && (c = wants_escape(sv_skip(s, plain), &n)) == NO_ESCAPE)
            plain++;
        if (!buf_add(out, s.p, plain)) return false;
        s = sv_skip(s, plain);
        if (s.n == 0) break;
        if (!add_escape(out, c)) return false;
        s = sv_skip(s, n);
    }
    return true;
}

bool eio3_jsonp_wrap(struct buf *out, uint32_t index, struct str_view payload)
{
    size_t start = out->n;
    if (buf_addf(out, "___eio[%u](\"", (unsigned)index) && add_escaped(out, payload) &&
        buf_add_sv(out, SV("\");")))
        return true;
    out->n = start;
    return false;
}
