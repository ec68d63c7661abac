/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_routes.h"

struct row {
    struct str_view nsp, event; /* patterns, views of the configuration */
    enum gw_route to;
};

struct gw_routes {
    size_t n;
    struct row v[];
};

static enum gw_route target_of(struct str_view word)
{
    if (sv_eq(word, SV("all"))) return GW_ROUTE_ALL;
    if (sv_eq(word, SV("others"))) return GW_ROUTE_OTHERS;
    if (sv_eq(word, SV("room"))) return GW_ROUTE_ROOM;
    if (sv_eq(word, SV("worker"))) return GW_ROUTE_WORKER;
    return GW_ROUTE_NONE;
}

/* "[/namespace ]event=target": the last '=' ends the event's pattern. */
static struct row parse(struct str_view text)
{
    struct row r = {.nsp = SV("*")};
    size_t eq = text.n;
    while (eq && text.p[eq - 1] != '=')
        eq--;
    assert(eq); /* cfg_check() has seen to it */
    r.to = target_of(sv_trim(sv_skip(text, eq)));
    struct str_view event = sv_trim(sv_make(text.p, eq - 1));
    size_t space = sv_find(event, ' ');
    if (event.n && event.p[0] == '/' && space < event.n) {
        r.nsp = sv_make(event.p, space);
        event = sv_trim(sv_skip(event, space));
    }
    r.event = event;
    return r;
}

struct gw_routes *gw_routes_new(const struct cfg *cfg)
{
    size_t n = cfg->routes_events.n;
    struct gw_routes *r = x_calloc(1, sizeof(*r) + n * sizeof(struct row));
    r->n = n;
    for (size_t i = 0; i < n; i++)
        r->v[i] = parse(sv_of(cfg->routes_events.v[i]));
    return r;
}

void gw_routes_free(struct gw_routes *r)
{
    x_free(r);
}

enum gw_route gw_routes_find(const struct gw_routes *r, struct str_view nsp, struct str_view event)
{
    for (size_t i = 0; i < r->n; i++)
        if (sv_glob(r->v[i].nsp, nsp) && sv_glob(r->v[i].event, event)) return r->v[i].to;
    return GW_ROUTE_MISSING;
}

bool gw_routes_lead_to_workers(const struct gw_routes *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].to == GW_ROUTE_WORKER) return true;
    return false;
}
