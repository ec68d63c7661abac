/* Notes. Keys are compared decoded ("%73id" is "sid") without a copy; values are measured first and
 * written second, so that a bad one leaves the output as it was. Of several values the last counts,
 * and if that one is bad the earlier ones do not step in for it: the two would disagree with what
 * some proxy or log reader saw. */

/* Proto */
#include "proto/http_head.h"
#include "proto/http_class.h"

/* Takes one decoded byte off *s, which is not empty; -1 on a bad escape. */
static int decode_next(struct str_view *s, bool plus)
{
    char c = s->p[0];
    if (c != '%') {
        *s = sv_skip(*s, 1);
        return plus && c == '+' ? ' ' : (unsigned char)c;
    }
    if (s->n < 3) return -1;
    int high = http_hex(s->p[1]), low = http_hex(s->p[2]);
    if (high < 0 || low < 0) return -1;
    *s = sv_skip(*s, 3);
    return high << 4 | low;
}

/* Does raw, decoded, equal key? A bad escape equals nothing. */
static bool key_is(struct str_view raw, struct str_view key)
{
    size_t i = 0;
    while (raw.n) {
        int c = decode_next(&raw, true);
        if (c < 0 || i == key.n || (unsigned char)key.p[i] != c) return false;
        i++;
    }
    return i == key.n;
}

static bool decode(struct str_view raw, bool query, struct buf *out)
{
    size_t n = 0;
    for (struct str_view s = raw; s.n; n++) {
        int c = decode_next(&s, query);
        if (c < 0 || (!query && c == 0)) return false;
    }
    if (!n) return true;
    char *room = buf_room(out, n);
    if (!room) return false;
    for (size_t i = 0; i < n; i++)
        room[i] = (char)decode_next(&raw, query);
    out->n += n;
    return true;
}

bool http_query_get(struct str_view query, struct str_view key, struct buf *out, bool *bad)
{
    struct str_view value = {0};
    bool found = false;

    if (bad) *bad = false;
    while (query.n) {
        size_t amp = sv_find(query, '&');
        struct str_view pair = sv_make(query.p, amp);
        query = sv_skip(query, amp < query.n ? amp + 1 : amp);
        size_t eq = sv_find(pair, '=');
        if (!pair.n || !key_is(sv_make(pair.p, eq), key)) continue;
        found = true;
        value = sv_skip(pair, eq < pair.n ? eq + 1 : eq);
    }
    if (!found) return false;
    if (decode(value, true, out)) return true;
    if (bad) *bad = true;
    return false;
}

bool http_path_decode(struct str_view path, struct buf *out)
{
    return decode(path, false, out);
}
