/* Reading the configuration.
 *
 * Two ways in, one table: set_text() takes what a person types (a default, the environment, --set,
 * a JSON string), set_json() takes other JSON values, and every field is written by one of the
 * store_* functions behind them, which know the limits. A field always holds a whole value, so
 * cfg_fini() is right after any failure.
 *
 * A mistake never repeats a secret: values of secret rows are not shown, and of jansson's message
 * on broken JSON the part with the text around the place is dropped, since a secret may stand
 * there.
 *
 * A key given twice in one file is a mistake, also once nested and once flat: whoever wrote it
 * expects both to count. */
/* System */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
/* Third party */
#include <jansson.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg.h"
#include "cluster/cfg_row.h"

#define MAX_FILE ((size_t)1 << 20)
#define MAX_DEPTH 16 /* of a CFG_JSON value */
#define MAX_ROWS 256 /* asserted */
#define LOAD_FLAGS JSON_REJECT_DUPLICATES

static void *field_of(struct cfg *c, const struct cfg_row *row)
{
    return (char *)c + row->offset;
}

/* --- storing a value in its field */

static bool store_int(const struct cfg_row *row, int64_t *field, int64_t value)
{
    if (value < row->min || value > row->max) return false;
    *field = value;
    return true;
}

static bool store_int_text(const struct cfg_row *row, int64_t *field, struct str_view text)
{
    char digits[24];
    size_t sign = text.n && text.p[0] == '-';
    if (text.n <= sign || text.n >= sizeof(digits)) return false;
    for (size_t i = sign; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9') return false;
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    errno = 0;
    long long value = strtoll(digits, NULL, 10);
    return errno == 0 && store_int(row, field, value);
}

static bool store_bool_text(bool *field, struct str_view text)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        bool is_yes = sv_eq_nocase(text, sv_of(yes[i]));
        if (!is_yes && !sv_eq_nocase(text, sv_of(no[i]))) continue;
        *field = is_yes;
        return true;
    }
    return false;
}

/* UTF-8 without control characters: it must be printable as JSON, in a log line, in a header. */
static bool text_is_plain(struct str_view text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127) return false;
    json_t *utf8 = json_stringn(text.n ? text.p : "", text.n);
    json_decref(utf8);
    return utf8 != NULL;
}

/* Every text may be a secret or hold one: it is wiped when it goes. */
static void store_text(char **field, struct str_view text)
{
    char *old = *field;
    *field = x_memdup(text.p, text.n);
    if (old) x_free_secret(old, strlen(old));
}

static bool store_word(const struct cfg_row *row, const char **field, struct str_view text)
{
    for (const char *w = row->words; *w; w += strlen(w) + 1) {
        if (!sv_eq(text, sv_of(w))) continue;
        *field = w;
        return true;
    }
    return false;
}

static void list_fini(struct cfg_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        x_free(l->v[i]);
    x_free(l->v);
    *l = (struct cfg_list){0};
}

static bool list_add(struct cfg_list *l, struct str_view word)
{
    word = sv_trim(word);
    if (word.n == 0) return true;
    if (l->n == CFG_MAX_WORDS || !text_is_plain(word)) return false;
    l->v = x_realloc(l->v, (l->n + 1) * sizeof(l->v[0]));
    l->v[l->n++] = x_memdup(word.p, word.n);
    return true;
}

static bool store_list(struct cfg_list *field, const json_t *array)
{
    list_fini(field);
    size_t i;
    json_t *word;
    if (!json_is_array(array)) return false;
    json_array_foreach(array, i, word)
    {
        if (!json_is_string(word)) return false;
        if (!list_add(field, sv_make(json_string_value(word), json_string_length(word))))
            return false;
    }
    return true;
}

static bool store_list_text(struct cfg_list *field, struct str_view text)
{
    text = sv_trim(text);
    if (text.n && text.p[0] == '[') {
        json_t *array = json_loadb(text.p, text.n, LOAD_FLAGS, NULL);
        bool ok = store_list(field, array);
        json_decref(array);
        return ok;
    }
    list_fini(field);
    for (;;) {
        size_t comma = sv_find(text, ',');
        if (!list_add(field, sv_make(text.p, comma))) return false;
        if (comma == text.n) return true;
        text = sv_skip(text, comma + 1);
    }
}

static bool is_shallow(json_t *v, int levels)
{
    size_t i;
    const char *key;
    json_t *member;
    if (levels == 0) return false;
    if (json_is_object(v)) {
        json_object_foreach(v, key, member) if (!is_shallow(member, levels - 1)) return false;
    } else {
        json_array_foreach(v, i, member) if (!is_shallow(member, levels - 1)) return false;
    }
    return true;
}

static bool store_json(char **field, json_t *array)
{
    size_t i;
    json_t *member;
    if (!json_is_array(array) || json_array_size(array) > CFG_MAX_WORDS) return false;
    json_array_foreach(array, i, member) if (!json_is_object(member)) return false;
    if (!is_shallow(array, MAX_DEPTH)) return false;
    size_t n = json_dumpb(array, NULL, 0, JSON_COMPACT);
    char *text = x_malloc(n);
    size_t again = json_dumpb(array, text, n, JSON_COMPACT);
    assert(n >= 2 && again == n);
    store_text(field, sv_make(text, n));
    x_free_secret(text, n);
    return true;
}

static bool store_json_text(char **field, struct str_view text)
{
    json_t *array = json_loadb(text.n ? text.p : "", text.n, LOAD_FLAGS, NULL);
    bool ok = store_json(field, array);
    json_decref(array);
    return ok;
}

static bool set_text(struct cfg *c, const struct cfg_row *row, struct str_view text)
{
    void *field = field_of(c, row);
    switch (row->type) {
    case CFG_TYPE_INT: return store_int_text(row, field, text);
    case CFG_TYPE_BOOL: return store_bool_text(field, text);
    case CFG_TYPE_STR:
        if (!text_is_plain(text)) return false;
        store_text(field, text);
        return true;
    case CFG_TYPE_SECRET:
        if (sv_find(text, '\0') < text.n) return false;
        store_text(field, text);
        return true;
    case CFG_TYPE_ENUM: return store_word(row, field, text);
    case CFG_TYPE_LIST: return store_list_text(field, text);
    case CFG_TYPE_JSON: return store_json_text(field, text);
    }
    return false;
}

/* A file writes true and false as JSON does; other types may stand there as a string, too. */
static bool set_json(struct cfg *c, const struct cfg_row *row, json_t *v)
{
    void *field = field_of(c, row);
    if (json_is_string(v) && row->type != CFG_TYPE_BOOL)
        return set_text(c, row, sv_make(json_string_value(v), json_string_length(v)));
    switch (row->type) {
    case CFG_TYPE_INT: return json_is_integer(v) && store_int(row, field, json_integer_value(v));
    case CFG_TYPE_BOOL:
        if (!json_is_boolean(v)) return false;
        *(bool *)field = json_is_true(v);
        return true;
    case CFG_TYPE_LIST: return store_list(field, v);
    case CFG_TYPE_JSON: return store_json(field, v);
    case CFG_TYPE_STR:
    case CFG_TYPE_SECRET:
    case CFG_TYPE_ENUM: return false;
    }
    return false;
}

void cfg_init(struct cfg *c)
{
    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < cfg_row_count; i++) {
        bool ok = set_text(c, &cfg_rows[i], sv_of(cfg_rows[i].def));
        assert(ok);
    }
}

void cfg_fini(struct cfg *c)
{
    for (size_t i = 0; i < cfg_row_count; i++) {
        void *field = field_of(c, &cfg_rows[i]);
        enum cfg_type type = cfg_rows[i].type;
        if (type == CFG_TYPE_LIST) list_fini(field);
        if (type != CFG_TYPE_STR && type != CFG_TYPE_SECRET && type != CFG_TYPE_JSON) continue;
        char **text = field;
        if (*text) x_free_secret(*text, strlen(*text));
    }
    memset(c, 0, sizeof(*c));
}

bool cfg_list_has(const struct cfg_list *l, struct str_view word)
{
    for (size_t i = 0; i < l->n; i++)
        if (sv_eq(sv_of(l->v[i]), word)) return true;
    return false;
}

bool cfg_list_matches(const struct cfg_list *l, struct str_view text)
{
    for (size_t i = 0; i < l->n; i++)
        if (sv_glob(sv_of(l->v[i]), text)) return true;
    return false;
}

bool cfg_has_redis(const struct cfg *c)
{
    return c->redis_url[0] || c->redis_sentinels.n;
}

/* --- mistakes */

static bool refuse(struct cfg_error *err, const char *source, const struct cfg_row *row,
                   struct str_view value)
{
    char allowed[200];
    cfg_row_allowed(row, allowed, sizeof(allowed));
    if (cfg_row_is_secret(row))
        return cfg_row_error(err, "%s: %s: the value is not allowed: %s", source, row->key,
                             allowed);
    int n = cfg_row_cut(value);
    return cfg_row_error(err, "%s: %s: \"%.*s%s\" is not allowed: %s", source, row->key, n,
                         value.n ? value.p : "", (size_t)n < value.n ? "…" : "", allowed);
}

static bool refuse_json(struct cfg_error *err, const char *source, const struct cfg_row *row,
                        const json_t *v)
{
    if (cfg_row_is_secret(row) || json_is_string(v)) {
        size_t n = json_is_string(v) ? json_string_length(v) : 0;
        return refuse(err, source, row, sv_make(json_string_value(v), n));
    }
    size_t n = json_dumpb(v, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *shown = x_malloc(n);
    n = json_dumpb(v, shown, n, JSON_COMPACT | JSON_ENCODE_ANY);
    refuse(err, source, row, sv_make(shown, n));
    x_free(shown);
    return false;
}

static bool refuse_key(struct cfg_error *err, const char *source, struct str_view key)
{
    char near[CFG_NAME_MAX];
    const char *what = sv_find(key, '.') < key.n ? "key" : "section";
    int n = cfg_row_cut(key);
    if (cfg_row_nearest(key, near))
        return cfg_row_error(err, "%s: %.*s: no such %s; did you mean %s?", source, n, key.p, what,
                             near);
    return cfg_row_error(err, "%s: %.*s: no such %s", source, n, key.p, what);
}

/* --- JSON */

struct reading {
    struct cfg *c;
    const char *source;
    struct cfg_error *err;
    bool seen[MAX_ROWS];
};

static bool read_member(struct reading *r, struct str_view key, json_t *v)
{
    const struct cfg_row *row = cfg_row_find(key);
    if (!row) return refuse_key(r->err, r->source, key);
    size_t i = (size_t)(row - cfg_rows);
    if (r->seen[i]) return cfg_row_error(r->err, "%s: %s: given twice", r->source, row->key);
    r->seen[i] = true;
    return set_json(r->c, row, v) || refuse_json(r->err, r->source, row, v);
}

static bool read_section(struct reading *r, const char *section, json_t *members)
{
    const char *name;
    json_t *v;
    json_object_foreach(members, name, v)
    {
        char *key = x_asprintf("%s.%s", section, name);
        bool ok = read_member(r, sv_of(key), v);
        x_free(key);
        if (!ok) return false;
    }
    return true;
}

static bool read_root(struct reading *r, json_t *root)
{
    const char *name;
    json_t *v;
    if (!json_is_object(root))
        return cfg_row_error(r->err, "%s: must be a JSON object of sections", r->source);
    json_object_foreach(root, name, v)
    {
        struct str_view key = sv_of(name);
        if (sv_find(key, '.') < key.n) {
            if (!read_member(r, key, v)) return false;
        } else if (!cfg_row_has_section(key)) {
            return refuse_key(r->err, r->source, key);
        } else if (!json_is_object(v)) {
            return cfg_row_error(r->err, "%s: %s: must be an object of keys", r->source, name);
        } else if (!read_section(r, name, v)) {
            return false;
        }
    }
    return true;
}

/* jansson shows what it stumbled over; only a key given twice may be shown. */
static bool refuse_syntax(struct cfg_error *err, const char *source, json_error_t *mistake)
{
    static const struct str_view unicode = {"invalid Unicode", 15}; /* the escape follows */
    char *near = strstr(mistake->text, " near '");
    if (near && json_error_code(mistake) != json_error_duplicate_key) *near = '\0';
    if (sv_starts_with(sv_of(mistake->text), unicode)) mistake->text[unicode.n] = '\0';
    return cfg_row_error(err, "%s:%d:%d: %s", source, mistake->line, mistake->column,
                         mistake->text);
}

bool cfg_read_text(struct cfg *c, struct str_view json, const char *source, struct cfg_error *err)
{
    struct reading r = {.c = c, .source = source, .err = err};
    json_error_t mistake;
    assert(cfg_row_count <= MAX_ROWS);
    if (json.n > MAX_FILE) return cfg_row_error(err, "%s: larger than 1 MiB", source);
    json_t *root = json_loadb(json.n ? json.p : "", json.n, LOAD_FLAGS | JSON_DECODE_ANY, &mistake);
    if (!root) return refuse_syntax(err, source, &mistake);
    bool ok = read_root(&r, root);
    json_decref(root);
    return ok;
}

bool cfg_read_file(struct cfg *c, const char *path, struct cfg_error *err)
{
    FILE *f = fopen(path, "re");
    if (!f) return cfg_row_error(err, "%s: %s", path, strerror(errno));
    size_t size = MAX_FILE + 1; /* one more than allowed shows that there is more */
    char *text = x_malloc(size);
    errno = 0;
    size_t n = fread(text, 1, size, f);
    int failed = ferror(f) ? errno : 0;
    fclose(f);
    bool ok = failed ? cfg_row_error(err, "%s: %s", path, strerror(failed))
                     : cfg_read_text(c, sv_make(text, n), path, err);
    x_free_secret(text, size);
    return ok;
}

/* --- environment and command line */

static bool read_variable(struct cfg *c, struct str_view name, const char *value,
                          struct cfg_error *err)
{
    char near[CFG_NAME_MAX], source[32 + CFG_NAME_MAX];
    int n = cfg_row_cut(name);
    snprintf(source, sizeof(source), "environment %.*s", n, name.p);
    const struct cfg_row *row = cfg_row_find_env(name);
    if (row) return set_text(c, row, sv_of(value)) || refuse(err, source, row, sv_of(value));
    if (cfg_row_nearest_env(name, near))
        return cfg_row_error(err, "%s: no such key; did you mean %s?", source, near);
    return cfg_row_error(err, "%s: no such key", source);
}

bool cfg_read_env(struct cfg *c, char *const *env, struct cfg_error *err)
{
    for (; *env; env++) {
        struct str_view whole = sv_of(*env), name = sv_make(*env, sv_find(whole, '='));
        if (name.n == whole.n || !sv_starts_with(name, SV("PEAL_"))) continue;
        if (sv_starts_with(name, SV("PEAL_TEST_")) || sv_starts_with(name, SV("PEAL_DEMO_")))
            continue;
        if (!read_variable(c, name, *env + name.n + 1, err)) return false;
    }
    return true;
}

bool cfg_set(struct cfg *c, const char *assignment, struct cfg_error *err)
{
    struct str_view whole = sv_of(assignment), key = sv_make(whole.p, sv_find(whole, '='));
    if (key.n == whole.n) /* what stands there may be a secret: only a key is shown */
        return cfg_row_error(err, "--set: %swrite section.name=value",
                             cfg_row_find(key) ? "there is no value: " : "there is no \"=\": ");
    const struct cfg_row *row = cfg_row_find(key);
    if (!row) return refuse_key(err, "--set", key);
    struct str_view value = sv_skip(whole, key.n + 1);
    return set_text(c, row, value) || refuse(err, "--set", row, value);
}
