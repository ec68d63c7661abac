/* Proto */
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/work_note.h"

#define NAMES_MAX 1024 /* bytes of a namespace or a socket's id */

bool work_note_field(struct buf *out, struct str_view nsp, struct str_view sid)
{
    size_t start = out->n;
    if (buf_add_sv(out, nsp) && buf_add_char(out, '\n') && buf_add_sv(out, sid)) return true;
    out->n = start;
    return false;
}

bool work_note_value(struct buf *out, const struct work_item *item)
{
    size_t start = out->n;
    if (buf_addf(out, "{\"serial\":%llu,\"user\":", (unsigned long long)item->serial) &&
        json_string_encode(out, item->user) && buf_add_sv(out, SV(",\"claims\":")) &&
        buf_add_sv(out, item->claims) && buf_add_sv(out, SV(",\"data\":")) &&
        buf_add_sv(out, item->data) && buf_add_char(out, '}'))
        return true;
    out->n = start;
    return false;
}

static bool bad(const char **why, const char *what)
{
    *why = what;
    return false;
}

static bool is_name(struct str_view v)
{
    return v.n && v.n <= NAMES_MAX && utf8_is_valid(v);
}

static bool read_user(struct str_view raw, struct buf *text, struct str_view *out)
{
    bool lone = false;
    *out = sv_make(raw.p + 1, raw.n - 2);
    if (sv_find(*out, '\\') == out->n) return true;
    if (!json_string_decode(text, raw, &lone) || lone) return false;
    *out = buf_view(text);
    return true;
}

bool work_note_decode(struct work_item *item, struct str_view field, struct str_view value,
                      struct buf *text, const char **why)
{
    enum json_kind kind;
    struct str_view serial, user;
    size_t line = sv_find(field, '\n');
    *item = (struct work_item){0};
    *why = "";
    buf_clear(text);
    if (line == field.n) return bad(why, "no socket's name");
    item->nsp = sv_make(field.p, line);
    item->sid = sv_skip(field, line + 1);
    if (!is_name(item->nsp) || !is_name(item->sid)) return bad(why, "no socket's name");
    if (!utf8_is_valid(value)) return bad(why, "not UTF-8");
    if (!json_scan_value(value, JSON_DEPTH_LIMIT, -1, &kind, why)) return false;
    if (!json_member_get(value, SV("serial"), &serial) ||
        !json_member_get(value, SV("user"), &user) ||
        !json_member_get(value, SV("claims"), &item->claims) ||
        !json_member_get(value, SV("data"), &item->data))
        return bad(why, "a member is missing");
    if (json_kind_of(user) != JSON_STRING || !read_user(user, text, &item->user))
        return bad(why, "user: text expected");
    if (json_kind_of(item->claims) != JSON_OBJECT) return bad(why, "claims: object expected");
    return sv_to_u64(serial, UINT64_MAX, &item->serial) || bad(why, "serial: number expected");
}
