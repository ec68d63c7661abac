/* System */
#include <string.h>
/* This process */
#include "wk_core.h"
#include "wk_http.h"

/* The core frees its handlers one after the other and asks none meanwhile: the last takes all with it. */
static void on_free(void *ctx)
{
    wk_http_free(wk_http_of(ctx));
}

bool wk_http_load_all(struct wk_core *core, const struct wk_http **out, struct cfg_error *err)
{
    *out = NULL;
    if (strcmp(wk_core_cfg(core)->worker_http, "[]") == 0) return true;
    struct wk_http *h = wk_http_new(wk_core_cfg(core), wk_core_loop(core), err);
    if (!h) return false;
    size_t n = wk_http_count(h);
    *out = n ? h : NULL;
    for (size_t i = 0; i < n; i++) {
        struct wk_handler handler = wk_http_handler(h, i);
        if (i == n - 1) handler.free = on_free;
        wk_core_add_handler(core, &handler);
    }
    if (!n) wk_http_free(h);
    return true;
}
