/* What configuration (routes.events) makes of clients' events. */
#ifndef PEAL_GW_ROUTES_H
#define PEAL_GW_ROUTES_H

#include "cluster/cfg.h"

enum gw_route {
    GW_ROUTE_MISSING, /* configuration says nothing of it */
    GW_ROUTE_ALL,
    GW_ROUTE_OTHERS,
    GW_ROUTE_ROOM,
    GW_ROUTE_WORKER,
    GW_ROUTE_NONE, /* taken, and nothing else */
};

struct gw_routes;
/* cfg has been accepted by cfg_check(); its texts are borrowed. Gives: gw_routes_free. */
struct gw_routes *gw_routes_new(const struct cfg *cfg);
void gw_routes_free(struct gw_routes *r);

/* The first that matches. */
enum gw_route gw_routes_find(const struct gw_routes *r, struct str_view nsp, struct str_view event);
/* Is there one that leads to workers? */
bool gw_routes_lead_to_workers(const struct gw_routes *r);

#endif
