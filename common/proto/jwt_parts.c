/* Why this stands before the library: libjwt looks for dots and decodes base64 leniently, keeps the
 * last of duplicate members, and writes one byte behind an empty segment. What passes here has one
 * reading only, whoever reads it.
 *
 * Bounds: decoded text is shorter than the token, and the token is at most max. Comparing members
 * pairwise costs members²/2, so their number has a bound too; no honest token comes near it. */

/* System */
#include <string.h>
/* Util */
#include "util/buf.h"
#include "util/str_view.h"
/* Proto */
#include "proto/b64.h"
#include "proto/json_scan.h"
#include "proto/jwt_parts.h"

/* Unescapes into text only the keys that need it. text has room for all of them, so that views into
 * it stay valid. */
static bool read_key(struct str_view raw, struct buf *text, struct str_view *key)
{
    if (sv_find(raw, '\\') == raw.n) {
        *key = sv_make(raw.p + 1, raw.n - 2);
        return true;
    }
    size_t start = text->n;
    if (!json_string_decode(text, raw, NULL)) return false;
    *key = sv_skip(buf_view(text), start);
    return true;
}

/* Distinct keys after unescaping, and not too many of them? */
static bool has_distinct_members(struct str_view object)
{
    struct str_view keys[JWT_PARTS_MAX_MEMBERS], raw, value;
    size_t n = 0;
    struct buf text;
    struct json_iter it;
    bool ok = true;
    buf_init(&text, object.n);
    if (sv_find(object, '\\') != object.n && !buf_room(&text, object.n)) return false;
    json_iter_init(&it, object);
    while (ok && json_object_next(&it, &raw, &value)) {
        ok = n < JWT_PARTS_MAX_MEMBERS && read_key(raw, &text, &keys[n]);
        for (size_t i = 0; ok && i < n; i++)
            ok = !sv_eq(keys[i], keys[n]);
        n++;
    }
    buf_fini(&text);
    return ok;
}

static bool read_object(struct str_view segment, struct buf *out)
{
    enum json_kind kind;
    const char *why;
    if (segment.n == 0 || !b64url_decode(out, segment) || !buf_cstr(out)) return false;
    struct str_view text = buf_view(out);
    return utf8_is_valid(text) && json_scan_value(text, JWT_PARTS_MAX_DEPTH, -1, &kind, &why) &&
           kind == JSON_OBJECT && has_distinct_members(text);
}

static bool is_b64url(struct str_view segment)
{
    struct buf bytes;
    buf_init(&bytes, segment.n);
    bool ok = b64url_decode(&bytes, segment);
    buf_fini(&bytes);
    return ok;
}

/* Splits at exactly two dots. */
static bool split(struct str_view token, struct str_view *header, struct str_view *payload,
                  struct str_view *signature)
{
    size_t first = sv_find(token, '.');
    if (first == token.n) return false;
    struct str_view rest = sv_skip(token, first + 1);
    size_t second = sv_find(rest, '.');
    if (second == rest.n) return false;
    *header = sv_make(token.p, first);
    *payload = sv_make(rest.p, second);
    *signature = sv_skip(rest, second + 1);
    return sv_find(*signature, '.') == signature->n;
}

bool jwt_parts_read(struct str_view token, size_t max, struct jwt_parts *out, const char **why)
{
    struct str_view header, payload, signature;
    size_t bound = token.n < max ? token.n : max;
    *out = (struct jwt_parts){0};
    buf_init(&out->header, bound);
    buf_init(&out->payload, bound);
    *why = token.n ? JWT_PARTS_MALFORMED : JWT_PARTS_MISSING;
    if (token.n == 0 || token.n > max || !split(token, &header, &payload, &signature)) return false;
    if (!read_object(header, &out->header) || !read_object(payload, &out->payload)) return false;
    if (signature.n == 0) {
        *why = JWT_PARTS_UNSIGNED;
        return false;
    }
    if (!is_b64url(signature)) return false;
    out->signed_text = sv_make(token.p, header.n + 1 + payload.n);
    out->signature = signature;
    return true;
}

void jwt_parts_fini(struct jwt_parts *p)
{
    buf_fini(&p->header);
    buf_fini(&p->payload);
}
