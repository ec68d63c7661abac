/* System */
#include <string.h>
/* Worker */
#include "wk_handlers.h"
#include "wk_http.h"
#include "wk_module.h"

bool wk_handlers_are_named(const struct cfg *cfg)
{
    return cfg->worker_modules.n || strcmp(cfg->worker_http, "[]") != 0;
}

bool wk_handlers_add(struct wk_core *core, const struct cfg *cfg, const struct wk_http **http,
                     struct cfg_error *err)
{
    return wk_module_load_all(core, cfg, err) && wk_http_load_all(core, http, err);
}
