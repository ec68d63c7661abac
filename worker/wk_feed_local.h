/* The feed inside one process (`peal serve` without Redis): what a gateway's work_local hands over, as one
 * partition that is always this worker's. Effects go straight to the bus. What is buried is logged and
 * counted, and gone: there is no place for dead letters. */
#ifndef PEAL_WK_FEED_LOCAL_H
#define PEAL_WK_FEED_LOCAL_H

#include "cluster/cfg.h"
#include "cluster/work_out.h"
#include "wk_feed.h"

/* Attaches itself to out (work_local_new), and holds no more than work.max_backlog items. All are borrowed
 * for its life; out and the bus must live longer. */
struct wk_feed *wk_feed_local_new(const struct cfg *cfg, struct work_out *out, struct bus *bus,
                                  const struct wk_feed_events *events, void *arg);

#endif
