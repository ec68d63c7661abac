/* Format: https://prometheus.io/docs/instrumenting/exposition_formats/ ("Text-based format"). */

/* System */
#include <assert.h>
#include <inttypes.h>
/* Proto */
#include "proto/prom_text.h"

#define US_PER_S 1e6

static void put(struct prom_text *p, struct str_view text)
{
    if (!buf_add_sv(p->out, text)) p->cut = true;
}

static bool is_name(const char *s)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    return s[0] >= 'a' && s[0] <= 'z' && s[strspn(s, alphabet)] == '\0';
}

/* Backslash and newline, in label values the quote as well. */
static void put_escaped(struct prom_text *p, struct str_view v)
{
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        if (c == '\n') {
            put(p, SV("\\n"));
            continue;
        }
        if (c == '\\' || c == '"') put(p, SV("\\"));
        put(p, sv_make(&c, 1));
    }
}

static void put_labels(struct prom_text *p, const struct prom_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert(is_name(labels[i].name));
        put(p, i ? SV(",") : SV("{"));
        put(p, sv_of(labels[i].name));
        put(p, SV("=\""));
        put_escaped(p, labels[i].value);
        put(p, SV("\""));
    }
    if (n) put(p, SV("}"));
}

static void begin(struct prom_text *p, const char *name, const char *type, const char *help)
{
    assert(is_name(name) && !strpbrk(help, "\\\n"));
    p->name = name;
    if (!buf_addf(p->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type)) p->cut = true;
}

void prom_text_init(struct prom_text *p, struct buf *out)
{
    *p = (struct prom_text){.out = out};
}

void prom_text_counter(struct prom_text *p, const char *name, const char *help)
{
    size_t n = strlen(name);
    assert(n > 6 && strcmp(name + n - 6, "_total") == 0);
    (void)n;
    begin(p, name, "counter", help);
}

void prom_text_gauge(struct prom_text *p, const char *name, const char *help)
{
    begin(p, name, "gauge", help);
}

void prom_text_sample(struct prom_text *p, const struct prom_label *labels, size_t n,
                      uint64_t value)
{
    put(p, sv_of(p->name));
    put_labels(p, labels, n);
    if (!buf_addf(p->out, " %" PRIu64 "\n", value)) p->cut = true;
}

void prom_text_sample_real(struct prom_text *p, const struct prom_label *labels, size_t n,
                           double value)
{
    put(p, sv_of(p->name));
    put_labels(p, labels, n);
    if (!buf_addf(p->out, " %.15g\n", value)) p->cut = true;
}

void prom_text_sample_of(struct prom_text *p, const char *label, const char *value, uint64_t n)
{
    prom_text_sample(p, &(struct prom_label){label, sv_of(value)}, 1, n);
}

void prom_text_one_counter(struct prom_text *p, const char *name, const char *help, uint64_t n)
{
    prom_text_counter(p, name, help);
    prom_text_sample(p, NULL, 0, n);
}

void prom_text_one_gauge(struct prom_text *p, const char *name, const char *help, uint64_t n)
{
    prom_text_gauge(p, name, help);
    prom_text_sample(p, NULL, 0, n);
}

void prom_text_one_gauge_real(struct prom_text *p, const char *name, const char *help, double n)
{
    prom_text_gauge(p, name, help);
    prom_text_sample_real(p, NULL, 0, n);
}

void prom_text_histogram(struct prom_text *p, const char *name, const char *help,
                         const uint32_t *bounds, const uint64_t *buckets, size_t n, uint64_t sum_us)
{
    uint64_t all = 0;
    begin(p, name, "histogram", help);
    for (size_t i = 0; i < n; i++) {
        all += buckets[i];
        bool fits = i + 1 < n ? buf_addf(p->out, "%s_bucket{le=\"%.9g\"} %" PRIu64 "\n", name,
                                         bounds[i] / US_PER_S, all)
                              : buf_addf(p->out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, all);
        if (!fits) p->cut = true;
    }
    if (!buf_addf(p->out, "%s_sum %.15g\n%s_count %" PRIu64 "\n", name, (double)sum_us / US_PER_S,
                  name, all))
        p->cut = true;
}
