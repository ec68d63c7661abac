/* Listening sockets. */
#ifndef PEAL_GW_LISTENER_H
#define PEAL_GW_LISTENER_H

#include "gw.h"

/* Listens on gateway.host and gateway.port. NULL with *err filled if that cannot be. Gives:
 * gw_listener_free. */
struct gw_listener *gw_listener_new(struct gateway *gw, struct cfg_error *err);
/* 0 for NULL. */
int gw_listener_port(const struct gw_listener *l);
/* Are there as many connections or sessions as gateway.max_connections allows? */
bool gw_listener_is_full(const struct gateway *gw);
/* Stops accepting and closes the sockets. NULL is fine. */
void gw_listener_free(struct gw_listener *l);

#endif
