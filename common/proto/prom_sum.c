/* Design notes
 *
 * - A sample belongs to the metric whose TYPE line came last before it, so a histogram's _bucket,
 *   _sum and _count need no knowledge of their own.
 * - Whole numbers are added as such: a double would lose a byte counter's last digits. */

/* System */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
/* Util */
#include "util/table.h"
/* Proto */
#include "proto/prom_sum.h"

#define NUMBER_MAX 32 /* digits and signs of a value */

struct series {
    UT_hash_handle hh; /* of its metric, in the order of adding */
    bool is_real;
    uint64_t whole;
    double real;
    size_t n;
    char name[]; /* with its labels */
};

struct metric {
    UT_hash_handle hh; /* of all, in the order of adding */
    enum prom_sum_how how;
    bool is_gauge;
    char *help, *type; /* the whole lines */
    struct series *series;
    size_t n;
    char name[];
};

struct prom_sum {
    const struct prom_sum_rule *rules;
    size_t nrules;
    struct metric *metrics;
};

struct number {
    bool is_real;
    uint64_t whole;
    double real;
};

/* ---- lines */

static struct str_view next_line(struct str_view *text)
{
    size_t n = sv_find(*text, '\n');
    struct str_view line = sv_make(text->p, n);
    *text = sv_skip(*text, n < text->n ? n + 1 : n);
    return line;
}

/* The word up to the next space, which is taken along. */
static struct str_view next_word(struct str_view *line)
{
    size_t n = sv_find(*line, ' ');
    struct str_view word = sv_make(line->p, n);
    *line = sv_skip(*line, n < line->n ? n + 1 : n);
    return word;
}

static bool read_number(struct str_view v, struct number *out)
{
    char text[NUMBER_MAX];
    char *end;
    if (!v.n || v.n >= sizeof(text)) return false;
    memcpy(text, v.p, v.n);
    text[v.n] = '\0';
    out->is_real = strspn(text, "0123456789") != v.n;
    out->whole = out->is_real ? 0 : strtoull(text, &end, 10);
    out->real = strtod(text, &end);
    return *end == '\0';
}

/* Label values may hold spaces, a number does not. */
static bool split_sample(struct str_view line, struct str_view *name, struct str_view *value)
{
    const char *space = line.n ? memrchr(line.p, ' ', line.n) : NULL;
    if (!space) return false;
    *name = sv_make(line.p, (size_t)(space - line.p));
    *value = sv_skip(line, name->n + 1);
    return name->n > 0;
}

/* ---- adding */

static enum prom_sum_how rule_of(const struct prom_sum *s, struct str_view name)
{
    for (size_t i = 0; i < s->nrules; i++)
        if (sv_eq(sv_of(s->rules[i].metric), name)) return s->rules[i].how;
    return PROM_SUM_ADD;
}

static struct metric *metric_of(struct prom_sum *s, struct str_view name)
{
    struct metric *m = NULL;
    HASH_FIND(hh, s->metrics, name.p, name.n, m);
    if (m) return m;
    m = x_calloc(1, sizeof(*m) + name.n + 1);
    memcpy(m->name, name.p, name.n);
    m->n = name.n;
    m->how = rule_of(s, name);
    HASH_ADD(hh, s->metrics, name[0], m->n, m);
    return m;
}

static void join(enum prom_sum_how how, struct series *s, const struct number *n)
{
    bool replaces = how == PROM_SUM_MAX ? n->real > s->real : n->real < s->real;
    if (how != PROM_SUM_ADD && !replaces) return;
    bool adds = how == PROM_SUM_ADD;
    s->is_real = n->is_real || (adds && s->is_real);
    s->whole = n->whole + (adds ? s->whole : 0);
    s->real = n->real + (adds ? s->real : 0);
}

static void add_sample(struct metric *m, struct str_view name, const struct number *n)
{
    struct series *s = NULL;
    HASH_FIND(hh, m->series, name.p, name.n, s);
    if (s) {
        join(m->how, s, n);
        return;
    }
    s = x_calloc(1, sizeof(*s) + name.n + 1);
    memcpy(s->name, name.p, name.n);
    s->n = name.n;
    s->is_real = n->is_real;
    s->whole = n->whole;
    s->real = n->real;
    HASH_ADD(hh, m->series, name[0], s->n, s);
}

/* "# HELP name words" or "# TYPE name type". */
static struct metric *take_comment(struct prom_sum *s, struct str_view line)
{
    struct str_view rest = sv_skip(line, 2), kind = next_word(&rest), name = next_word(&rest);
    bool is_type = sv_eq(kind, SV("TYPE"));
    if ((!is_type && !sv_eq(kind, SV("HELP"))) || !name.n) return NULL;
    struct metric *m = metric_of(s, name);
    char **to = is_type ? &m->type : &m->help;
    if (is_type) m->is_gauge = sv_eq(rest, SV("gauge"));
    if (!*to) *to = x_memdup(line.p, line.n);
    return m;
}

bool prom_sum_add(struct prom_sum *s, struct str_view text, enum prom_sum_part part)
{
    struct metric *m = NULL;
    while (text.n) {
        struct str_view line = next_line(&text), name, value;
        struct number n;
        if (sv_starts_with(line, SV("# "))) {
            m = take_comment(s, line);
            if (!m) return false;
            continue;
        }
        if (!m || !m->type || !split_sample(line, &name, &value) || !read_number(value, &n))
            return false;
        if (m->how != PROM_SUM_SKIP && !(m->is_gauge && part == PROM_SUM_COUNTERS))
            add_sample(m, name, &n);
    }
    return true;
}

/* ---- what came of it */

static bool write_series(const struct series *s, struct buf *out)
{
    return s->is_real ? buf_addf(out, "%s %.15g\n", s->name, s->real)
                      : buf_addf(out, "%s %" PRIu64 "\n", s->name, s->whole);
}

/* A metric without series says nothing, not even its name. */
static bool write_metric(const struct metric *m, struct buf *out)
{
    if (!m->series) return true;
    bool fits = (!m->help || buf_addf(out, "%s\n", m->help)) && buf_addf(out, "%s\n", m->type);
    for (const struct series *s = m->series; s && fits; s = s->hh.next)
        fits = write_series(s, out);
    return fits;
}

bool prom_sum_write(const struct prom_sum *s, struct buf *out)
{
    bool fits = true;
    for (const struct metric *m = s->metrics; m && fits; m = m->hh.next)
        fits = write_metric(m, out);
    return fits;
}

/* ---- life */

struct prom_sum *prom_sum_new(const struct prom_sum_rule *rules, size_t n)
{
    struct prom_sum *s = x_calloc(1, sizeof(*s));
    s->rules = rules;
    s->nrules = n;
    return s;
}

static void free_metric(struct metric *m)
{
    struct series *s, *next;
    HASH_ITER(hh, m->series, s, next)
    {
        HASH_DEL(m->series, s);
        x_free(s);
    }
    x_free(m->help);
    x_free(m->type);
    x_free(m);
}

void prom_sum_free(struct prom_sum *s)
{
    struct metric *m, *next;
    if (!s) return;
    HASH_ITER(hh, s->metrics, m, next)
    {
        HASH_DEL(s->metrics, m);
        free_metric(m);
    }
    x_free(s);
}
