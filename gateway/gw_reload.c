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
#include "gw_auth.h"
#include "gw_events.h"
#include "gw_reload.h"

#define NAMES_MAX 700 /* of a log line */

static bool refuse(struct gateway *gw)
{
    gw->count.reloads_refused++;
    return false;
}

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

static void take_over(struct gateway *gw, struct cfg *cfg, struct cfg *fresh, struct gw_auth *auth)
{
    cfg_diff_swap(cfg, fresh);
    gw_auth_free(gw->auth);
    gw->auth = auth;
    gw_routes_free(gw->routes);
    gw->routes = gw_routes_new(cfg);
    gw->count.reloads++;
}

bool gw_reload(struct gateway *gw, struct cfg *cfg, const struct program_args *args)
{
    struct cfg fresh;
    struct cfg_error err;
    if (!program_configure_again(args, &fresh, &err)) {
        log_error("configuration not reloaded: %s", err.text);
        return refuse(gw);
    }
    struct gw_auth *auth = NULL;
    if (!needs_restart(cfg, &fresh) && !(auth = gw_auth_new(&fresh, &err)))
        log_error("configuration not reloaded: %s", err.text);
    if (auth) {
        log_changes(cfg, &fresh);
        take_over(gw, cfg, &fresh, auth);
        program_apply_log_level(cfg);
    } else {
        refuse(gw);
    }
    cfg_fini(&fresh);
    return auth != NULL;
}
