/* The rows of cfg.def as a table that can be walked.
 *
 * Everything about keys goes by this table; no function knows a single key by name, except the
 * rules of cfg_check.c. The words of an ENUM lie NUL-separated in one literal: a field can then
 * point at its word for ever, without anything made at run time. */
/* System */
#include <ctype.h>
#include <stdarg.h>
/* Cluster */
#include "cluster/cfg_row.h"

#define MAX_SHOWN 64

#define ROW(s, nm, t)                                                                              \
    .section = #s, .name = #nm, .key = #s "." #nm, .type = CFG_TYPE_##t,                           \
    .offset = offsetof(struct cfg, s##_##nm)
#define CFG_INT(s, nm, d, lo, hi, u, r, text)                                                      \
    {ROW(s, nm, INT), .def = #d,       .min = lo,       .max = hi,                                 \
     .unit = u,       .reloadable = r, .sentence = text},
#define CFG_BOOL(s, nm, d, r, text)                                                                \
    {ROW(s, nm, BOOL), .def = #d, .reloadable = r, .sentence = text},
#define CFG_STR(s, nm, d, r, text) {ROW(s, nm, STR), .def = d, .reloadable = r, .sentence = text},
#define CFG_SECRET(s, nm, d, r, text)                                                              \
    {ROW(s, nm, SECRET), .def = d, .reloadable = r, .sentence = text},
#define CFG_ENUM(s, nm, d, w, r, text)                                                             \
    {ROW(s, nm, ENUM), .def = d, .words = w "\0", .reloadable = r, .sentence = text},
#define CFG_LIST(s, nm, d, r, text) {ROW(s, nm, LIST), .def = d, .reloadable = r, .sentence = text},
#define CFG_JSON(s, nm, d, r, text) {ROW(s, nm, JSON), .def = d, .reloadable = r, .sentence = text},

const struct cfg_row cfg_rows[] = {
#include "cluster/cfg.def"
};
const size_t cfg_row_count = sizeof(cfg_rows) / sizeof(cfg_rows[0]);

const struct cfg_row *cfg_row_find(struct str_view key)
{
    for (size_t i = 0; i < cfg_row_count; i++)
        if (sv_eq(key, sv_of(cfg_rows[i].key))) return &cfg_rows[i];
    return NULL;
}

const struct cfg_row *cfg_row_find_env(struct str_view name)
{
    char env[CFG_NAME_MAX];
    for (size_t i = 0; i < cfg_row_count; i++) {
        cfg_row_env(&cfg_rows[i], env);
        if (sv_eq(name, sv_of(env))) return &cfg_rows[i];
    }
    return NULL;
}

bool cfg_row_has_section(struct str_view section)
{
    for (size_t i = 0; i < cfg_row_count; i++)
        if (sv_eq(section, sv_of(cfg_rows[i].section))) return true;
    return false;
}

void cfg_row_env(const struct cfg_row *row, char out[CFG_NAME_MAX])
{
    snprintf(out, CFG_NAME_MAX, "PEAL_%s_%s", row->section, row->name);
    for (char *p = out; *p; p++)
        *p = (char)toupper((unsigned char)*p);
}

static void enum_allowed(const struct cfg_row *row, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "one of ");
    for (const char *w = row->words; *w && n < size; w += strlen(w) + 1)
        n += (size_t)snprintf(out + n, size - n, "%s%s", w == row->words ? "" : ", ", w);
}

void cfg_row_allowed(const struct cfg_row *row, char *out, size_t size)
{
    switch (row->type) {
    case CFG_TYPE_INT:
        snprintf(out, size, "a whole number from %lld to %lld (%s)", (long long)row->min,
                 (long long)row->max, row->unit);
        break;
    case CFG_TYPE_BOOL: snprintf(out, size, "true or false"); break;
    case CFG_TYPE_STR: snprintf(out, size, "text without control characters"); break;
    case CFG_TYPE_SECRET: snprintf(out, size, "text without NUL"); break;
    case CFG_TYPE_ENUM: enum_allowed(row, out, size); break;
    case CFG_TYPE_LIST:
        snprintf(out, size, "a list of at most %d words, comma-separated or a JSON array",
                 CFG_MAX_WORDS);
        break;
    case CFG_TYPE_JSON: snprintf(out, size, "a JSON array of objects"); break;
    }
}

bool cfg_row_is_secret(const struct cfg_row *row)
{
    return row->type == CFG_TYPE_SECRET || row->type == CFG_TYPE_JSON;
}

/* Edits that make a of b: a byte more, less or other, or two neighbours swapped. */
static size_t edit_distance(struct str_view a, struct str_view b)
{
    size_t d[CFG_NAME_MAX + 1][CFG_NAME_MAX + 1];
    for (size_t i = 0; i <= a.n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= b.n; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = d[i - 1][j - 1] + (a.p[i - 1] != b.p[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[a.n][b.n];
}

/* The longer a word, the more mistakes it may hold: 1 in "port", 3 in "gateway.host". */
static size_t first_limit(struct str_view word)
{
    return 1 + (word.n < 10 ? word.n / 5 : 2);
}

/* If candidate is nearer than *limit allows, *out becomes answer, and only nearer ones count on. */
static bool try_near(struct str_view word, const char *candidate, const char *answer, size_t *limit,
                     char out[CFG_NAME_MAX])
{
    struct str_view other = sv_of(candidate);
    size_t least = word.n > other.n ? word.n - other.n : other.n - word.n;
    if (least >= *limit) return false;
    size_t distance = edit_distance(word, other);
    if (distance >= *limit) return false;
    *limit = distance;
    snprintf(out, CFG_NAME_MAX, "%s", answer);
    return true;
}

bool cfg_row_nearest(struct str_view word, char out[CFG_NAME_MAX])
{
    bool found = false, whole = sv_find(word, '.') < word.n;
    size_t limit = first_limit(word) + 1;
    for (size_t i = 0; word.n < CFG_NAME_MAX && i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        if (whole) {
            found |= try_near(word, row->key, row->key, &limit, out);
        } else { /* a section, or a key that lacks its section */
            found |= try_near(word, row->section, row->section, &limit, out);
            found |= try_near(word, row->name, row->key, &limit, out);
        }
    }
    return found;
}

bool cfg_row_nearest_env(struct str_view name, char out[CFG_NAME_MAX])
{
    bool found = false;
    size_t limit = first_limit(name) + 1;
    for (size_t i = 0; name.n < CFG_NAME_MAX && i < cfg_row_count; i++) {
        char env[CFG_NAME_MAX];
        cfg_row_env(&cfg_rows[i], env);
        found |= try_near(name, env, env, &limit, out);
    }
    return found;
}

int cfg_row_cut(struct str_view value)
{
    size_t n = value.n <= MAX_SHOWN ? value.n : MAX_SHOWN;
    while (n > 0 && n < value.n && ((unsigned char)value.p[n] & 0xc0) == 0x80)
        n--;
    return (int)n;
}

bool cfg_row_error(struct cfg_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    for (char *p = err->text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127) *p = '?';
    return false;
}
