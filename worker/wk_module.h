/* Handler modules: shared objects with the functions of peal_handler.h. This loads those that
 * worker.modules names and gives each to the core as a handler, in their order. What modules call
 * back is in wk_module_event.c, wk_module_effect.c and wk_module_now.c. */
#ifndef PEAL_WK_MODULE_H
#define PEAL_WK_MODULE_H

#include "cluster/cfg.h"

struct wk_core;

/* Loads and starts all. False with *err filled (worker.modules, which one, why) if one cannot be
 * loaded, has another ABI or does not start; those before it go when the core is freed. */
bool wk_module_load_all(struct wk_core *core, const struct cfg *cfg, struct cfg_error *err);

#endif
