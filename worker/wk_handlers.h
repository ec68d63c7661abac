/* The handlers that configuration names: modules first, then backends over HTTP. */
#ifndef PEAL_WK_HANDLERS_H
#define PEAL_WK_HANDLERS_H

#include "cluster/cfg.h"
#include "io/loop.h"

struct wk_core;

/* Does it name any? */
bool wk_handlers_are_named(const struct cfg *cfg);
/* Adds them all to the core, which frees them. False with *err filled; what was added goes with the core. */
bool wk_handlers_add(struct wk_core *core, const struct cfg *cfg, struct loop *loop,
                     struct cfg_error *err);

#endif
