/* Metrics in Prometheus's text format 0.0.4: HELP, TYPE, samples, with labels escaped.
 *
 * It only writes; what is counted is its caller's. Names, label names and help are the program's
 * own words (asserted), label values may be anything that is UTF-8. */
#ifndef PEAL_PROTO_PROM_TEXT_H
#define PEAL_PROTO_PROM_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/str_view.h"

#define PROM_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct prom_label {
    const char *name;
    struct str_view value;
};

struct prom_text {
    struct buf *out;  /* borrowed */
    const char *name; /* of the metric whose samples follow */
    bool cut;         /* it did not all fit into out's maximum */
};

void prom_text_init(struct prom_text *p, struct buf *out);
/* Begins a metric. A counter's name ends in "_total". */
void prom_text_counter(struct prom_text *p, const char *name, const char *help);
void prom_text_gauge(struct prom_text *p, const char *name, const char *help);
/* A sample of it. */
void prom_text_sample(struct prom_text *p, const struct prom_label *labels, size_t n,
                      uint64_t value);
void prom_text_sample_real(struct prom_text *p, const struct prom_label *labels, size_t n,
                           double value);
/* A sample of it with one label. */
void prom_text_sample_of(struct prom_text *p, const char *label, const char *value, uint64_t n);
/* Whole metrics of one sample without labels. */
void prom_text_one_counter(struct prom_text *p, const char *name, const char *help, uint64_t n);
void prom_text_one_gauge(struct prom_text *p, const char *name, const char *help, uint64_t n);
void prom_text_one_gauge_real(struct prom_text *p, const char *name, const char *help, double n);
/* A whole histogram of times. buckets: n counts, each of its own bucket only; bounds: n - 1 upper
 * bounds in microseconds, the last bucket is open; sum_us: of all times. In seconds on the wire. */
void prom_text_histogram(struct prom_text *p, const char *name, const char *help,
                         const uint32_t *bounds, const uint64_t *buckets, size_t n,
                         uint64_t sum_us);

#endif
