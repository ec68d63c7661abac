/* System */
#include <string.h>
/* Worker */
#include "wk_core.h"
#include "wk_handlers.h"
#include "wk_http.h"
#include "wk_module.h"

bool wk_handlers_are_named(const struct cfg *cfg)
{
    return cfg->worker_modules.n || strcmp(cfg->worker_http, "[]") != 0;
}

/* A handler that takes nothing: it stands behind those over HTTP and takes down what they share. */
static bool takes_none(void *ctx, const struct work_item *item)
{
    (void)ctx;
    (void)item;
    return false;
}

static void free_http(void *ctx)
{
    wk_http_free(ctx);
}

bool wk_handlers_add(struct wk_core *core, const struct cfg *cfg, struct loop *loop,
                     struct cfg_error *err)
{
    if (!wk_module_load_all(core, cfg, err)) return false;
    struct wk_http *http = wk_http_new(cfg, loop, err);
    if (!http) return false;
    for (size_t i = 0; i < wk_http_count(http); i++) {
        struct wk_handler handler = wk_http_handler(http, i);
        wk_core_add_handler(core, &handler);
    }
    struct wk_handler last = {.ctx = http, .takes = takes_none, .free = free_http};
    wk_core_add_handler(core, &last);
    return true;
}
