/* The path is written segment by segment, each behind a '/'; ".." takes the last one off again. Both
 * outputs have maxima of their own, so nothing here bounds them. */

/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/http_class.h"
#include "proto/json_scan.h"
#include "proto/sio_url.h"

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

static size_t find_slash(struct str_view s)
{
    size_t i = 0;
    while (i < s.n && !is_slash(s.p[i]))
        i++;
    return i;
}

/* ---- the name */

/* How many dots the segment is, "%2e" counted as one; 0: it is something else. */
static unsigned dots(struct str_view s)
{
    unsigned n = 0;
    while (s.n && n < 3) {
        if (s.p[0] == '.')
            s = sv_skip(s, 1);
        else if (s.n >= 3 && s.p[0] == '%' && s.p[1] == '2' && (s.p[2] | 0x20) == 'e')
            s = sv_skip(s, 3);
        else
            return 0;
        n++;
    }
    return s.n ? 0 : n;
}

static bool is_kept(unsigned char c)
{
    return c > ' ' && c < 0x7f && !memchr("\"#<>?`{}", c, 8);
}

static bool put_segment(struct buf *out, struct str_view s)
{
    bool fits = buf_add_char(out, '/');
    for (size_t i = 0; fits && i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\t' || c == '\n' || c == '\r') continue; /* the parser removes them */
        fits = is_kept(c) ? buf_add_char(out, (char)c) : buf_addf(out, "%%%02X", c);
    }
    return fits;
}

static void drop_segment(struct buf *out)
{
    while (out->n && out->p[--out->n] != '/') {
    }
}

/* "//host/path": the path alone counts. */
static bool skip_host(struct str_view *nsp)
{
    if (nsp->n < 2 || !is_slash(nsp->p[1])) return true;
    while (nsp->n && is_slash(nsp->p[0]))
        *nsp = sv_skip(*nsp, 1);
    size_t host = find_slash(*nsp);
    *nsp = sv_skip(*nsp, host);
    return host > 0;
}

static bool put_path(struct buf *out, struct str_view nsp)
{
    if (!skip_host(&nsp)) return false;
    bool fits = true, is_last = false;
    while (fits && !is_last) {
        nsp = sv_skip(nsp, nsp.n ? 1 : 0);
        size_t n = find_slash(nsp);
        struct str_view segment = sv_make(nsp.p, n);
        unsigned ndots = dots(segment);
        nsp = sv_skip(nsp, n);
        is_last = !nsp.n;
        if (ndots == 2) drop_segment(out);
        if (ndots != 1 && ndots != 2)
            fits = put_segment(out, segment);
        else if (is_last)
            fits = buf_add_char(out, '/');
    }
    return fits;
}

/* ---- the query */

/* A bad escape stands for itself, as in browsers. The text never gets longer. */
static bool put_decoded(struct buf *json, struct str_view raw)
{
    struct buf text;
    buf_init(&text, raw.n);
    char *to = raw.n ? buf_room(&text, raw.n) : NULL;
    while (raw.n) {
        char c = raw.p[0] == '+' ? ' ' : raw.p[0];
        size_t used = 1;
        if (c == '%' && raw.n >= 3 && http_hex(raw.p[1]) >= 0 && http_hex(raw.p[2]) >= 0) {
            c = (char)(http_hex(raw.p[1]) << 4 | http_hex(raw.p[2]));
            used = 3;
        }
        to[text.n++] = c;
        raw = sv_skip(raw, used);
    }
    bool good = utf8_is_valid(buf_view(&text)) && json_string_encode(json, buf_view(&text));
    if (text.p) explicit_bzero(text.p, text.n); /* it may be a token */
    buf_fini(&text);
    return good;
}

static bool put_auth(struct buf *json, struct str_view query)
{
    bool good = buf_add_char(json, '{'), is_first = true;
    while (good && query.n) {
        size_t amp = sv_find(query, '&');
        struct str_view pair = sv_make(query.p, amp);
        query = sv_skip(query, amp < query.n ? amp + 1 : amp);
        if (!pair.n) continue;
        size_t eq = sv_find(pair, '=');
        good = (is_first || buf_add_char(json, ',')) && put_decoded(json, sv_make(pair.p, eq)) &&
               buf_add_char(json, ':') &&
               put_decoded(json, sv_skip(pair, eq < pair.n ? eq + 1 : eq));
        is_first = false;
    }
    return good && buf_add_char(json, '}');
}

bool sio_url_read(struct str_view nsp, struct str_view query, struct buf *path, struct buf *auth)
{
    size_t fragment = sv_find(nsp, '#');
    if (fragment < nsp.n) query = SV(""); /* the '?' belongs to the fragment */
    query = sv_make(query.p, sv_find(query, '#'));
    return put_path(path, sv_make(nsp.p, fragment)) && put_auth(auth, query);
}
