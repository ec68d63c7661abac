/* Design notes
 *
 * - What can fail is made first, from the fresh configuration; then nothing fails any more.
 * - The gateway's configuration object stays, only values of reloadable rows that differ are
 *   exchanged: all modules borrow the object, and some keep texts of rows that are not reloadable.
 *   Texts of reloadable rows are kept by the table of routes alone, which is made anew.
 * - A row that needs a restart makes the whole refused: nobody asked for half of a change. */

/* Cluster */
#include "cluster/cfg_diff.h"
/* Gateway */
#include "gw_api.h"
#include "gw_auth.h"
#include "gw_reload.h"
#include "gw_routes.h"
#include "gw_work.h"

#define NAMES_MAX 700 /* of a log line */

static bool needs_restart(const struct cfg *cfg, const struct cfg *fresh)
{
    struct buf names;
    buf_init(&names, NAMES_MAX);
    size_t n = cfg_diff_keys(cfg, fresh, false, &names);
    if (n)
        log_warn("configuration not reloaded, it needs a restart: %.*s", SV_ARG(buf_view(&names)));
    buf_fini(&names);
    return n > 0;
}

static void log_changes(const struct cfg *cfg, const struct cfg *fresh)
{
    struct log_line l;
    struct buf names;
    buf_init(&names, NAMES_MAX);
    cfg_diff_keys(cfg, fresh, true, &names);
    log_begin(&l, LOG_INFO, "configuration reloaded");
    log_kv(&l, "changed", buf_view(&names));
    log_end(&l);
    buf_fini(&names);
}

/* Gives what the keys of a good configuration become, and that in *fresh; or NULL, and says why. */
static struct gw_auth *read_again(const struct cfg *cfg, const struct program_args *args,
                                  struct cfg *fresh, struct gw_api **api)
{
    struct cfg_error err;
    struct gw_auth *auth = NULL;
    *api = NULL;
    if (!program_configure_again(args, fresh, &err)) {
        log_error("configuration not reloaded: %s", err.text);
        return NULL;
    }
    if (!needs_restart(cfg, fresh)) {
        *api = gw_api_new(fresh, &err);
        if (*api) auth = gw_auth_new(fresh, &err);
        if (!auth) log_error("configuration not reloaded: %s", err.text);
    }
    if (auth) return auth;
    gw_api_free(*api);
    cfg_fini(fresh);
    return NULL;
}

static void take_over(struct cfg *cfg, struct cfg *fresh)
{
    log_changes(cfg, fresh);
    cfg_diff_swap(cfg, fresh);
    program_apply_log_level(cfg);
}

bool gw_reload(struct gateway *gw, struct cfg *cfg, const struct program_args *args)
{
    struct cfg fresh;
    struct gw_api *api;
    struct gw_auth *auth = read_again(cfg, args, &fresh, &api);
    if (!auth) {
        gw->count.reloads_refused++;
        return false;
    }
    take_over(cfg, &fresh);
    gw_auth_free(gw->auth);
    gw->auth = auth;
    gw_api_free(gw->api);
    gw->api = api;
    gw_routes_free(gw->routes);
    gw->routes = gw_routes_new(cfg);
    gw->count.reloads++;
    struct cfg_error err;
    if (!gw_work_open(gw, &err)) log_error("no way to workers: %s", err.text);
    cfg_fini(&fresh); /* what it holds now is the old, which the old routes had borrowed */
    return true;
}

bool gw_reload_cfg(struct cfg *cfg, const struct program_args *args)
{
    struct cfg fresh;
    struct gw_api *api;
    struct gw_auth *auth = read_again(cfg, args, &fresh, &api);
    if (!auth) return false;
    take_over(cfg, &fresh);
    gw_auth_free(auth);
    gw_api_free(api);
    cfg_fini(&fresh);
    return true;
}
