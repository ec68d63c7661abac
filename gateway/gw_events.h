/* What becomes of a client's event: authentication, the handler, joining and leaving rooms, or a
 * configured route to the bus. */
#ifndef PEAL_GW_EVENTS_H
#define PEAL_GW_EVENTS_H

#include "gw_socket.h"
#include "proto/sio_packet.h"

struct gw_route_table;

/* From routes.events, which cfg_check() has accepted. Gives: gw_routes_free. */
struct gw_route_table *gw_routes_new(const struct cfg *cfg);
void gw_routes_free(struct gw_route_table *t);

/* An EVENT packet of a PENDING or READY socket. */
void gw_events_handle(struct gw_socket *s, const struct sio_packet *p,
                      const struct str_view *attachments);

#endif
