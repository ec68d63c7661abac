/* System */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
/* Proto */
#include "proto/b64.h"
#include "proto/json_scan.h"
/* This process */
#include "peal_dead_view.h"

#define LINE_MAX_BYTES (1u << 30)

bool peal_dead_read(struct peal_dead_letter *d, const struct redis_reply *entry)
{
    if (redis_reply_count(entry) != 2) return false;
    d->id = redis_reply_text(redis_reply_at(entry, 0));
    d->fields = redis_reply_at(entry, 1);
    return d->id.n > 0;
}

struct str_view peal_dead_field(const struct peal_dead_letter *d, const char *name)
{
    for (size_t i = 0; i + 1 < redis_reply_count(d->fields); i += 2)
        if (sv_eq(redis_reply_text(redis_reply_at(d->fields, i)), sv_of(name)))
            return redis_reply_text(redis_reply_at(d->fields, i + 1));
    return SV("");
}

/* What a terminal might obey is a dot. */
static void print_text(struct str_view v, size_t most, FILE *to)
{
    for (size_t i = 0; i < v.n && i < most; i++) {
        unsigned char c = (unsigned char)v.p[i];
        fputc(c < ' ' || c > '~' ? '.' : c, to);
    }
    if (v.n > most) fputs("...", to);
}

static void print_column(struct str_view v, size_t width, FILE *to)
{
    size_t n = v.n < width ? v.n : width;
    if (v.n == 0) v = SV("-");
    print_text(sv_make(v.p, v.n < width ? v.n : width), width, to);
    for (size_t i = n ? n : 1; i < width + 2; i++)
        fputc(' ', to);
}

static void print_time(struct str_view ms, FILE *to)
{
    char digits[24] = "", text[32];
    if (ms.n < sizeof(digits)) memcpy(digits, ms.p, ms.n);
    time_t t = (time_t)(strtoll(digits, NULL, 10) / 1000);
    struct tm tm;
    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        text[0] = '\0';
    print_column(sv_of(text), 20, to);
}

void peal_dead_print_head(FILE *to)
{
    fprintf(to, "%-18s  %-20s  %-10s  %-12s  %-16s  %-5s  %s\n", "ID", "BURIED", "TYPE", "NSP",
            "EVENT", "TRIES", "WHY");
}

void peal_dead_print_row(const struct peal_dead_letter *d, FILE *to)
{
    print_column(d->id, 18, to);
    print_time(peal_dead_field(d, "dead.time"), to);
    print_column(peal_dead_field(d, "type"), 10, to);
    print_column(peal_dead_field(d, "nsp"), 12, to);
    print_column(peal_dead_field(d, "event"), 16, to);
    print_column(peal_dead_field(d, "dead.attempts"), 5, to);
    print_text(peal_dead_field(d, "dead.why"), 200, to);
    fputc('\n', to);
}

void peal_dead_print_all(const struct peal_dead_letter *d, FILE *to)
{
    print_text(d->id, 64, to);
    fputc('\n', to);
    for (size_t i = 0; i + 1 < redis_reply_count(d->fields); i += 2) {
        fputs("  ", to);
        print_column(redis_reply_text(redis_reply_at(d->fields, i)), 16, to);
        print_text(redis_reply_text(redis_reply_at(d->fields, i + 1)), 4000, to);
        fputc('\n', to);
    }
}

static bool add_value(struct buf *out, struct str_view v)
{
    if (utf8_is_valid(v)) return json_string_encode(out, v);
    return buf_add_sv(out, SV("{\"base64\":\"")) && b64_encode(out, v.p, v.n) &&
           buf_add_sv(out, SV("\"}"));
}

void peal_dead_print_json(const struct peal_dead_letter *d, FILE *to)
{
    struct buf out;
    buf_init(&out, LINE_MAX_BYTES);
    bool ok = buf_add_sv(&out, SV("{\"id\":")) && add_value(&out, d->id) &&
              buf_add_sv(&out, SV(",\"fields\":{"));
    for (size_t i = 0; ok && i + 1 < redis_reply_count(d->fields); i += 2) {
        struct str_view name = redis_reply_text(redis_reply_at(d->fields, i));
        if (!utf8_is_valid(name)) continue;
        ok = (i == 0 || buf_add_char(&out, ',')) && json_string_encode(&out, name) &&
             buf_add_char(&out, ':') &&
             add_value(&out, redis_reply_text(redis_reply_at(d->fields, i + 1)));
    }
    ok = ok && buf_add_sv(&out, SV("}}\n"));
    if (ok) fwrite(out.p, 1, out.n, to);
    buf_fini(&out);
}
