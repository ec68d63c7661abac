/* From a bus message to the queues of the clients it is for. */
#ifndef PEAL_GW_FANOUT_H
#define PEAL_GW_FANOUT_H

#include "gw.h"

/* For bus_events; arg is the gateway. */
void gw_fanout_deliver(const struct bus_msg *m, void *arg);

#endif
