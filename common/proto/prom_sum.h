/* Adds up metrics of several processes: texts as prom_text.h writes them go in, one text comes out,
 * in the order in which metrics and series were first seen.
 *
 * Counters and histograms are added. So are gauges, unless a rule says otherwise: a sum of ages
 * is nonsense. It reads what our own programs write and refuses everything else, but it is no judge
 * of metrics. */
#ifndef PEAL_PROTO_PROM_SUM_H
#define PEAL_PROTO_PROM_SUM_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/str_view.h"

enum prom_sum_how { PROM_SUM_ADD, PROM_SUM_MAX, PROM_SUM_MIN, PROM_SUM_SKIP };

/* How the samples of one metric become one. */
struct prom_sum_rule {
    const char *metric;
    enum prom_sum_how how;
};

enum prom_sum_part {
    PROM_SUM_ALL,
    PROM_SUM_COUNTERS, /* without gauges: what stays of a process that has ended */
};

/* rules are borrowed. Gives: prom_sum_free. */
struct prom_sum *prom_sum_new(const struct prom_sum_rule *rules, size_t n);
/* Copies. False: the text is not one of ours; what stood before the mistake has been added. */
bool prom_sum_add(struct prom_sum *s, struct str_view text, enum prom_sum_part part) MUST_CHECK;
/* Appends the whole. False: it does not fit. */
bool prom_sum_write(const struct prom_sum *s, struct buf *out) MUST_CHECK;
void prom_sum_free(struct prom_sum *s);

#endif
