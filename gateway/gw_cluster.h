/* What gateways (and Node servers, and workers) of a cluster ask this one, and its part in its own
 * questions. Asking is cluster/questions.h, by gw_questions().
 *
 * Source: @socket.io/redis-adapter 8.3 (types 0 to 9). */
#ifndef PEAL_GW_CLUSTER_H
#define PEAL_GW_CLUSTER_H

#include "gw_handler.h"

struct gw_cluster_ask;

/* --- for handlers */

/* Answers another server's event (gw_handler.server_event). json: one value. Ends ask. */
void gw_cluster_answer(struct gateway *gw, struct gw_cluster_ask *ask, struct str_view json);
/* Ends ask without an answer; who asks then waits for its time-out. */
void gw_cluster_ignore(struct gw_cluster_ask *ask);

/* --- for gw_bus.c */

/* Of this gateway, when it has a bus. Gives: questions_free. */
struct questions *gw_cluster_questions_new(struct gateway *gw);
/* bus_events; arg is the gateway. */
void gw_cluster_on_request(const struct bus_request *r, void *arg);
void gw_cluster_on_response(const struct bus_response *r, void *arg);

#endif
