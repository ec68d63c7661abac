/* System */
#include <string.h>
/* Worker */
#include "wk_core.h"
#include "wk_handlers.h"
#include "wk_http.h"
#include "wk_module.h"

static bool has_backends(const struct cfg *cfg)
{
    return strcmp(cfg->worker_http, "[]") != 0;
}

bool wk_handlers_are_named(const struct cfg *cfg)
{
    return cfg->worker_modules.n || has_backends(cfg);
}

static bool add_backends(struct wk_core *core, const struct cfg *cfg, const struct wk_http **http,
                         struct cfg_error *err)
{
    struct wk_http *h = wk_http_new(cfg, wk_core_loop(core), err);
    if (!h) return false;
    size_t n = wk_http_count(h);
    for (size_t i = 0; i < n; i++) {
        struct wk_handler handler = wk_http_handler(h, i);
        wk_core_add_handler(core, &handler);
    }
    *http = n ? h : NULL;
    if (!n) wk_http_free(h); /* an empty list with spaces in it */
    return true;
}

bool wk_handlers_add(struct wk_core *core, const struct cfg *cfg, const struct wk_http **http,
                     struct cfg_error *err)
{
    *http = NULL;
    return wk_module_load_all(core, cfg, err) &&
           (!has_backends(cfg) || add_backends(core, cfg, http, err));
}
