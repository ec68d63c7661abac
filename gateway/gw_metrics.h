/* The gateway's numbers as text for Prometheus, and the few counts that are more than a ++. The work
 * is bounded by the configuration, not by the number of clients. */
#ifndef PEAL_GW_METRICS_H
#define PEAL_GW_METRICS_H

#include "gw.h"
#include "proto/prom_sum.h"

struct gw_auth_error;

/* A heartbeat was due at this time and is sent now. */
void gw_metrics_ping(struct gateway *gw, uint64_t due_ms);
/* A token was refused, or none was there. */
void gw_metrics_auth_refused(struct gateway *gw, const struct gw_auth_error *why);

/* Appends all metrics. False: they do not fit into out. */
bool gw_metrics_write(struct gateway *gw, bool is_ready, struct buf *out) MUST_CHECK;

/* How those of several processes become one, where they are not added up. */
#define GW_METRICS_RULES 7
extern const struct prom_sum_rule gw_metrics_rules[GW_METRICS_RULES];

#endif
