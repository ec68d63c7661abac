/* From a bus message to the queues of the clients it is for, and from a target to its sockets. */
#ifndef PEAL_GW_FANOUT_H
#define PEAL_GW_FANOUT_H

#include "gw_handler.h"

/* For bus_events; arg is the gateway. */
void gw_fanout_deliver(const struct bus_msg *m, void *arg);
/* The same, and each client is asked for an ack with one id for all. cb(arg, …) is called once for
 * each of the clients, within timeout_ms; returns how many they are. */
size_t gw_fanout_ask(struct gateway *gw, const struct bus_msg *m, uint64_t timeout_ms, gw_ack_cb cb,
                     void *arg);
/* The local sockets a target means: an array to be freed with x_free (NULL if empty), good until the
 * turn's end. What is done to one may end others: look at their state. */
size_t gw_fanout_select(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                        struct gw_socket ***out);

#endif
