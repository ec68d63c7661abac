/* The gateway's bus: Redis if configuration names one, else that of one process. */
#ifndef PEAL_GW_BUS_H
#define PEAL_GW_BUS_H

#include "gw.h"

/* Makes gw->bus and holds the namespaces that configuration names in full. False with *err filled:
 * nothing was made. */
bool gw_bus_open(struct gateway *gw, struct cfg_error *err);
/* When no socket is left. Whoever waits for answers, or for the bus, is told. */
void gw_bus_close(struct gateway *gw);

#endif
