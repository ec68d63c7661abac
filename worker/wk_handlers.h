/* The handlers that configuration names: modules first, then backends over HTTP. */
#ifndef PEAL_WK_HANDLERS_H
#define PEAL_WK_HANDLERS_H

#include "cluster/cfg.h"

struct wk_core;
struct wk_http;

/* Does it name any? */
bool wk_handlers_are_named(const struct cfg *cfg);
/* Adds them all to the core, which frees them. *http: those over HTTP, for metrics; NULL if there are none;
 * good as long as the core. False with *err filled; what was added goes with the core. */
bool wk_handlers_add(struct wk_core *core, const struct cfg *cfg, const struct wk_http **http,
                     struct cfg_error *err);

#endif
