/* The parts of commands. Each is checked before it is kept: kinds of values, counts, lengths. */

/* System */
#include <stdarg.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/b64.h"
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/cfg_row.h"
#include "cluster/command_parts.h"

static const char *const member_names[MEMBERS] = {
    "event", "args", "rooms", "to", "user", "except", "nsp", "volatile", "close", "attachments",
};

/* ---- mistakes */

bool command_fail(struct reader *r, const char *member, const char *fmt, ...)
{
    char why[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    buf_clear(r->err);
    bool fits = !r->kind || r->is_alone || buf_addf(r->err, "%s", r->kind);
    if (r->in_list) fits = fits && buf_addf(r->err, "[%zu]", r->index);
    if (member) fits = fits && buf_addf(r->err, "%s%s", r->err->n ? "." : "", member);
    (void)!(fits && buf_addf(r->err, "%s%s", r->err->n ? ": " : "", why));
    return false;
}

bool command_fail_unknown(struct reader *r, struct str_view raw, const char *what)
{
    return command_fail(r, NULL, "%.*s is no %s", cfg_row_cut(raw), raw.p, what);
}

/* ---- memory */

void *command_keep(struct reader *r, size_t n)
{
    struct block *b = x_malloc(sizeof(*b) + n);
    b->next = r->out->blocks;
    r->out->blocks = b;
    return b->bytes;
}

struct str_view command_keep_text(struct reader *r, struct str_view v)
{
    char *p = command_keep(r, v.n);
    if (v.n) memcpy(p, v.p, v.n);
    return sv_make(p, v.n);
}

/* ---- names */

static bool is_printable(struct str_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if ((unsigned char)v.p[i] < ' ' || v.p[i] == 0x7f) return false;
    return true;
}

/* The characters of a JSON string: 1 to max bytes, none of them a control character. */
static bool read_name(struct reader *r, const char *member, struct str_view raw, const char *prefix,
                      size_t max, struct str_view *out)
{
    bool is_lone = false;
    if (json_kind_of(raw) != JSON_STRING) return command_fail(r, member, "must hold strings only");
    buf_clear(&r->scratch);
    bool fits =
        buf_add_sv(&r->scratch, sv_of(prefix)) && json_string_decode(&r->scratch, raw, &is_lone);
    size_t n = r->scratch.n - (fits ? strlen(prefix) : 0);
    if (!fits || n > max) return command_fail(r, member, "a name is longer than %zu bytes", max);
    if (n == 0) return command_fail(r, member, "a name is empty");
    if (is_lone || !is_printable(buf_view(&r->scratch)))
        return command_fail(r, member, "a name holds a control character or half a character");
    *out = command_keep_text(r, buf_view(&r->scratch));
    return true;
}

size_t command_count_elements(struct str_view array)
{
    struct json_iter it;
    struct str_view v;
    size_t n = 0;
    for (json_iter_init(&it, array); json_array_next(&it, &v);)
        n++;
    return n;
}

/* A string, or an array of strings, of which to and user fill one list: out has room. */
static bool read_names(struct reader *r, enum member m, struct str_view value, struct str_view *out,
                       unsigned *n)
{
    struct json_iter it;
    struct str_view one;
    const char *member = member_names[m], *prefix = m == USER ? "user:" : "";
    size_t max = m == USER ? COMMAND_USER_MAX : COMMAND_ROOM_MAX;
    if (json_kind_of(value) == JSON_STRING)
        return read_name(r, member, value, prefix, max, &out[(*n)++]);
    for (json_iter_init(&it, value); json_array_next(&it, &one);)
        if (!read_name(r, member, one, prefix, max, &out[(*n)++])) return false;
    return true;
}

/* How many names stand there. */
static bool count_names(struct reader *r, enum member m, struct str_view value, size_t *n)
{
    const char *member = member_names[m];
    enum json_kind kind = value.p ? json_kind_of(value) : JSON_NULL;
    if (!value.p) return true;
    if (kind != JSON_STRING && kind != JSON_ARRAY)
        return command_fail(r, member, "must be a string or an array of strings");
    size_t here = kind == JSON_ARRAY ? command_count_elements(value) : 1;
    if (!here) return command_fail(r, member, "must not be empty");
    if (here > COMMAND_NAMES_MAX - r->names)
        return command_fail(r, member, "more than %d names in one command", COMMAND_NAMES_MAX);
    r->names += (unsigned)here;
    *n += here;
    return true;
}

/* One list of the names of two members (the second may be MEMBERS: none). */
bool command_read_list(struct reader *r, const struct str_view *members, enum member a,
                       enum member b, const struct str_view **out, unsigned *n)
{
    size_t total = 0;
    if (!count_names(r, a, members[a], &total)) return false;
    if (b != MEMBERS && !count_names(r, b, members[b], &total)) return false;
    if (!total) return true;
    struct str_view *v = command_keep(r, total * sizeof(*v));
    *out = v;
    if (members[a].p && !read_names(r, a, members[a], v, n)) return false;
    return b == MEMBERS || !members[b].p || read_names(r, b, members[b], v, n);
}

bool command_read_nsp(struct reader *r, struct str_view raw, struct str_view *out)
{
    if (!raw.p) return true;
    if (json_kind_of(raw) != JSON_STRING) return command_fail(r, "nsp", "must be a string");
    if (!read_name(r, "nsp", raw, "", COMMAND_NSP_MAX, out)) return false;
    if (out->p[0] != '/' || sv_find(*out, ',') < out->n)
        return command_fail(r, "nsp", "a namespace begins with \"/\" and has no comma");
    return true;
}

bool command_read_bool(struct reader *r, enum member m, struct str_view raw, bool *out)
{
    if (!raw.p) return true;
    enum json_kind kind = json_kind_of(raw);
    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return command_fail(r, member_names[m], "must be true or false");
    *out = kind == JSON_TRUE;
    return true;
}

/* ---- binary */

bool command_read_attachments(struct reader *r, struct str_view raw, struct command *c)
{
    static const char member[] = "attachments";
    struct json_iter it;
    struct str_view one;
    if (!raw.p) return true;
    if (json_kind_of(raw) != JSON_ARRAY)
        return command_fail(r, member, "must be an array of strings");
    size_t n = command_count_elements(raw);
    if (n > COMMAND_ATTACHMENTS_MAX)
        return command_fail(r, member, "more than %d attachments", COMMAND_ATTACHMENTS_MAX);
    struct str_view *v = command_keep(r, n * sizeof(*v));
    json_iter_init(&it, raw);
    for (size_t i = 0; json_array_next(&it, &one); i++) {
        struct buf text, bytes;
        if (json_kind_of(one) != JSON_STRING)
            return command_fail(r, member, "must be an array of strings");
        buf_init(&text, one.n);
        buf_init(&bytes, one.n);
        bool ok = json_string_decode(&text, one, NULL) && b64_decode(&bytes, buf_view(&text));
        if (ok) v[i] = command_keep_text(r, buf_view(&bytes));
        buf_fini(&text);
        buf_fini(&bytes);
        if (!ok) return command_fail(r, member, "string %zu is no base64", i);
    }
    c->attachments = v;
    c->nattachments = (unsigned)n;
    return true;
}

/* Placeholders must refer to an attachment, if there are any; then only they have a meaning. */
bool command_check_placeholders(struct reader *r, const char *member, const struct command *c)
{
    enum json_kind kind;
    const char *why;
    if (!c->nattachments) return true;
    if (json_scan_value(c->json, COMMAND_DEPTH_MAX + 1, (int)c->nattachments, &kind, &why))
        return true;
    return command_fail(r, member, "a placeholder refers to no attachment");
}

/* The members of an object, those not there with NULL. */
bool command_read_object(struct reader *r, struct str_view object, unsigned allowed,
                         struct str_view members[MEMBERS])
{
    struct json_iter it;
    struct str_view key, value;
    memset(members, 0, MEMBERS * sizeof(*members));
    for (json_iter_init(&it, object); json_object_next(&it, &key, &value);) {
        unsigned m = 0;
        while (m < MEMBERS &&
               !(allowed & 1u << m && json_string_equals(key, sv_of(member_names[m]))))
            m++;
        if (m == MEMBERS) return command_fail_unknown(r, key, "member");
        members[m] = value;
    }
    return true;
}
