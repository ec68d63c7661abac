/* A worker's numbers for Prometheus: those of its feed, its core, and its backends over HTTP. */
#ifndef PEAL_WK_METRICS_H
#define PEAL_WK_METRICS_H

#include "proto/prom_text.h"
#include "wk_core.h"

struct wk_http;

/* The core has a feed; http may be NULL. */
void wk_metrics_write(struct prom_text *p, const struct wk_core *core, const struct wk_http *http);

#endif
