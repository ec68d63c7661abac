/* Notes. Two passes over a head: the first looks only for line ends and stops at the empty line, it
 * is the one that is resumed (*scan) when bytes trickle in; the second reads the whole head once.
 * What the first pass refuses depends only on the bytes in front of it (first byte, bare LF, size),
 * so the verdict is the same however the bytes were cut.
 *
 * Rejected: one resumable state machine. It would be as fast, but the views would have to live
 * across calls while the caller's buffer moves. Rejected: looking for "\r\n\r\n" alone; a peer that
 * ends its lines with a bare LF would then hang until the time limit instead of being told.
 *
 * Invariant of the second pass: every LF in the head stands behind a CR and the head ends with an
 * empty line, so loops over classes that exclude CR need no other bound. */

/* System */
#include <string.h>
/* Proto */
#include "proto/http_head.h"
#include "proto/http_class.h"

#define METHOD_MAX 32
#define LENGTH_MAX (UINT64_C(1) << 53) /* what every peer can hold exactly */
#define EMPTY_LINES_MAX 2

enum { CONN_CLOSE = 1, CONN_KEEP = 2, CONN_UPGRADE = 4 };

struct reader {
    struct http_head *h;
    unsigned hosts, encodings, upgrades, conn;
    bool encoding_known;
    int status;
    const char *why;
};

static bool refuse(struct reader *r, int status, const char *why)
{
    r->status = status;
    r->why = why;
    return false;
}

static bool all_are(struct str_view s, uint8_t class)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_is(s.p[i], class)) return false;
    return true;
}

/* Takes the next element of a comma-separated list off *list; false at the end. */
static bool list_next(struct str_view *list, struct str_view *item)
{
    if (!list->p) return false;
    size_t i = sv_find(*list, ',');
    *item = sv_trim(sv_make(list->p, i));
    *list = i < list->n ? sv_skip(*list, i + 1) : sv_make(NULL, 0);
    return true;
}

static bool list_has(struct str_view list, struct str_view token)
{
    struct str_view item;
    while (list_next(&list, &item))
        if (sv_eq_nocase(item, token)) return true;
    return false;
}

static enum http_method method_of(struct str_view m)
{
    if (sv_eq(m, SV("GET"))) return HTTP_GET;
    if (sv_eq(m, SV("POST"))) return HTTP_POST;
    if (sv_eq(m, SV("HEAD"))) return HTTP_HEAD;
    if (sv_eq(m, SV("OPTIONS"))) return HTTP_OPTIONS;
    return HTTP_OTHER;
}

static bool read_version(struct reader *r, struct str_view v)
{
    bool shaped = v.n == 8 && sv_starts_with(v, SV("HTTP/")) && v.p[5] >= '0' && v.p[5] <= '9' &&
                  v.p[6] == '.' && v.p[7] >= '0' && v.p[7] <= '9';
    if (!shaped) return refuse(r, 400, "malformed request line");
    if (v.p[5] != '1' || v.p[7] > '1') return refuse(r, 505, "HTTP version");
    r->h->minor = v.p[7] - '0';
    return true;
}

/* Reduces the target to path and query. The path of "http://host" is a literal "/". */
static bool read_target(struct reader *r)
{
    struct http_head *h = r->h;
    struct str_view t = h->target;

    if (sv_eq(t, SV("*"))) {
        if (h->method != HTTP_OPTIONS) return refuse(r, 400, "target '*' is for OPTIONS");
        h->path = t;
        h->query = sv_make("", 0);
        return true;
    }
    if (t.p[0] != '/') {
        if (t.n < 7 || !sv_eq_nocase(sv_make(t.p, 7), SV("http://")))
            return refuse(r, 400, "target is no path");
        t = sv_skip(t, 7);
        size_t host = 0;
        while (host < t.n && t.p[host] != '/' && t.p[host] != '?')
            host++;
        if (!host || !all_are(sv_make(t.p, host), HTTP_HOST))
            return refuse(r, 400, "bad host in target");
        t = sv_skip(t, host);
    }
    size_t q = sv_find(t, '?');
    h->path = q ? sv_make(t.p, q) : SV("/");
    h->query = q < t.n ? sv_skip(t, q + 1) : sv_make("", 0);
    return true;
}

/* line is without its CRLF, but a CR stands behind it. */
static bool read_request_line(struct reader *r, struct str_view line)
{
    struct http_head *h = r->h;
    const char *p = line.p, *start = p;

    while (http_is(*p, HTTP_TOKEN))
        p++;
    h->method_text = sv_make(start, (size_t)(p - start));
    if (*p != ' ' || p == start) return refuse(r, 400, "malformed request line");
    if (h->method_text.n > METHOD_MAX) return refuse(r, 400, "method too long");
    h->method = method_of(h->method_text);

    start = ++p;
    while (http_is(*p, HTTP_TARGET))
        p++;
    h->target = sv_make(start, (size_t)(p - start));
    if (*p != ' ' || p == start) return refuse(r, 400, "malformed target");
    p++;
    if (!read_version(r, sv_make(p, (size_t)(line.p + line.n - p)))) return false;
    return read_target(r);
}

static bool read_length(struct reader *r, struct str_view v)
{
    struct http_head *h = r->h;
    if (h->has_length) return refuse(r, 400, "several Content-Length");
    if (!v.n) return refuse(r, 400, "bad Content-Length");
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return refuse(r, 400, "bad Content-Length");
        h->length = h->length * 10 + (uint64_t)(v.p[i] - '0');
        if (h->length > LENGTH_MAX) return refuse(r, 400, "bad Content-Length");
    }
    h->has_length = true;
    return true;
}

/* The fields that decide where the message ends and what becomes of the connection. */
static bool read_special(struct reader *r, struct str_view name, struct str_view v)
{
    struct str_view item;

    switch (name.n) {
    case 4:
        if (!sv_eq_nocase(name, SV("Host"))) break;
        if (r->hosts++) return refuse(r, 400, "several Host");
        if (!all_are(v, HTTP_HOST)) return refuse(r, 400, "bad Host");
        break;
    case 6:
        if (sv_eq_nocase(name, SV("Expect")) && r->h->minor == 1)
            r->h->expect_continue |= list_has(v, SV("100-continue"));
        break;
    case 7:
        if (!sv_eq_nocase(name, SV("Upgrade"))) break;
        r->upgrades++;
        r->h->upgrade_websocket |= list_has(v, SV("websocket"));
        break;
    case 10:
        if (!sv_eq_nocase(name, SV("Connection"))) break;
        while (list_next(&v, &item)) {
            if (sv_eq_nocase(item, SV("close"))) r->conn |= CONN_CLOSE;
            if (sv_eq_nocase(item, SV("keep-alive"))) r->conn |= CONN_KEEP;
            if (sv_eq_nocase(item, SV("upgrade"))) r->conn |= CONN_UPGRADE;
        }
        break;
    case 14:
        if (sv_eq_nocase(name, SV("Content-Length"))) return read_length(r, v);
        break;
    case 17:
        if (!sv_eq_nocase(name, SV("Transfer-Encoding"))) break;
        r->encodings++;
        r->encoding_known = sv_eq_nocase(v, SV("chunked"));
        break;
    default: break;
    }
    return true;
}

/* line is without its CRLF, but a CR stands behind it. */
static bool read_field(struct reader *r, struct str_view line)
{
    struct http_head *h = r->h;
    const char *p = line.p, *end = line.p + line.n;

    while (http_is(*p, HTTP_TOKEN))
        p++;
    if (p == line.p && (*p == ' ' || *p == '\t')) return refuse(r, 400, "folded line");
    if (p == line.p || *p != ':') return refuse(r, 400, "bad field name");
    if (h->nfields == HTTP_MAX_FIELDS) return refuse(r, 431, "too many fields");

    struct http_field *f = &h->fields[h->nfields++];
    f->name = sv_make(line.p, (size_t)(p - line.p));
    f->value = sv_trim(sv_make(p + 1, (size_t)(end - p - 1)));
    if (!all_are(f->value, HTTP_VALUE)) return refuse(r, 400, "control character in a field");
    return read_special(r, f->name, f->value);
}

/* What only the whole head can say. */
static bool read_end(struct reader *r)
{
    struct http_head *h = r->h;

    if (h->minor == 1 && !r->hosts) return refuse(r, 400, "no Host");
    if (r->encodings) {
        if (h->minor == 0) return refuse(r, 400, "Transfer-Encoding in HTTP/1.0");
        if (h->has_length) return refuse(r, 400, "Content-Length beside Transfer-Encoding");
        if (r->encodings > 1 || !r->encoding_known) return refuse(r, 501, "Transfer-Encoding");
        h->chunked = true;
    }
    h->keep_alive = !(r->conn & CONN_CLOSE) && (h->minor == 1 || (r->conn & CONN_KEEP));
    /* An HTTP/1.0 Upgrade is ignored: some proxy in between may have passed it on unread. */
    h->upgrade = h->minor == 1 && (r->conn & CONN_UPGRADE) && r->upgrades;
    h->upgrade_websocket = h->upgrade && h->upgrade_websocket;
    return true;
}

/* The second pass: p..end is a whole head without the empty lines before it. */
static bool read_head(struct reader *r, const char *p, const char *end)
{
    bool first = true;
    for (;;) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        struct str_view line = sv_make(p, (size_t)(lf - p) - 1);
        p = lf + 1;
        if (p == end) return read_end(r);
        if (!(first ? read_request_line(r, line) : read_field(r, line))) return false;
        first = false;
    }
}

/* Bytes of the empty lines in front, as far as they are tolerated. */
static size_t skip_empty(const char *p, size_t n)
{
    size_t i = 0;
    while (i < 2 * EMPTY_LINES_MAX && n - i >= 2 && p[i] == '\r' && p[i + 1] == '\n')
        i += 2;
    return i;
}

/* Can a head begin with what stands at p[start]? Refuses a TLS hello or other noise at once. */
static bool may_begin(const char *p, size_t n, size_t start)
{
    if (start == n || http_is(p[start], HTTP_TOKEN)) return true;
    return p[start] == '\r' && start + 1 == n && start < 2 * EMPTY_LINES_MAX;
}

/* The first pass over p..p+n (n <= max), start bytes of it being empty lines: OK with the end of
 * the head in *scan, MORE with *scan moved on, or BAD. */
static enum verdict find_end(struct reader *r, const char *p, size_t n, size_t max, size_t start,
                             size_t *scan)
{
    size_t i = *scan > start ? *scan : start;

    if (!may_begin(p, n, start)) {
        refuse(r, 400, "malformed request line");
        return VERDICT_BAD;
    }
    while (i < n) {
        const char *lf = memchr(p + i, '\n', n - i);
        if (!lf) break;
        i = (size_t)(lf - p);
        if (p[i - 1] != '\r') {
            refuse(r, 400, "bare LF");
            return VERDICT_BAD;
        }
        *scan = ++i;
        /* p[start] is no CR here, so there are three bytes to look at. */
        if (p[i - 3] == '\n') return VERDICT_OK;
    }
    *scan = n;
    if (n < max) return VERDICT_MORE;
    bool line_ended = memchr(p + start, '\n', n - start) != NULL;
    refuse(r, line_ended ? 431 : 414, line_ended ? "head too large" : "request line too long");
    return VERDICT_BAD;
}

enum verdict http_head_parse(const char *p, size_t n, size_t max_head, size_t *scan,
                             struct http_head *out, int *status, const char **why)
{
    struct reader r = {.h = out};
    size_t limit = n < max_head ? n : max_head;
    size_t start = skip_empty(p, limit);
    enum verdict v = find_end(&r, p, limit, max_head, start, scan);

    if (v == VERDICT_MORE) return v;
    if (v == VERDICT_OK) {
        /* Field by field, not all of *out: the table of fields is large and filled as needed. */
        out->nfields = 0;
        out->length = 0;
        out->keep_alive = out->chunked = out->has_length = false;
        out->expect_continue = out->upgrade = out->upgrade_websocket = false;
        out->size = *scan;
        if (!read_head(&r, p + start, p + out->size)) v = VERDICT_BAD;
    }
    *scan = 0;
    if (v == VERDICT_OK) return v;
    *status = r.status;
    *why = r.why;
    return v;
}

const struct str_view *http_head_get(const struct http_head *h, struct str_view name)
{
    for (size_t i = 0; i < h->nfields; i++)
        if (sv_eq_nocase(h->fields[i].name, name)) return &h->fields[i].value;
    return NULL;
}

size_t http_head_count(const struct http_head *h, struct str_view name)
{
    size_t count = 0;
    for (size_t i = 0; i < h->nfields; i++)
        count += sv_eq_nocase(h->fields[i].name, name);
    return count;
}

bool http_head_has_token(const struct http_head *h, struct str_view name, struct str_view token)
{
    for (size_t i = 0; i < h->nfields; i++)
        if (sv_eq_nocase(h->fields[i].name, name) && list_has(h->fields[i].value, token))
            return true;
    return false;
}

bool http_cookie_get(const struct http_head *h, struct str_view name, struct str_view *value)
{
    for (size_t i = 0; i < h->nfields; i++) {
        if (!sv_eq_nocase(h->fields[i].name, SV("Cookie"))) continue;
        struct str_view rest = h->fields[i].value;
        while (rest.n) {
            size_t semi = sv_find(rest, ';');
            struct str_view pair = sv_make(rest.p, semi);
            rest = sv_skip(rest, semi < rest.n ? semi + 1 : semi);
            size_t eq = sv_find(pair, '=');
            if (eq == pair.n || !sv_eq(sv_trim(sv_make(pair.p, eq)), name)) continue;
            struct str_view v = sv_trim(sv_skip(pair, eq + 1));
            if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"') v = sv_make(v.p + 1, v.n - 2);
            *value = v;
            return true;
        }
    }
    return false;
}
