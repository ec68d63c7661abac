/* Comparing two configurations, and taking over what may change in a running program: for
 * reloading. */
#ifndef PEAL_CLUSTER_CFG_DIFF_H
#define PEAL_CLUSTER_CFG_DIFF_H

#include "cluster/cfg.h"

/* Appends the keys whose values differ ("auth.secret, queue.max_age"), of the reloadable rows or of
 * the others; a list that passes names' maximum ends there. Returns how many differ. Never values:
 * they may be secrets. */
size_t cfg_diff_keys(const struct cfg *a, const struct cfg *b, bool reloadable, struct buf *names);
/* Exchanges the values of the reloadable rows that differ. Everything else stays where it is in
 * memory, so what has been lent of it stays good; fresh then holds the old values. */
void cfg_diff_swap(struct cfg *live, struct cfg *fresh);

#endif
