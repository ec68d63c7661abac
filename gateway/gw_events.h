/* What becomes of a client's event: authentication, the handler, joining and leaving rooms, or a
 * configured route to the bus. */
#ifndef PEAL_GW_EVENTS_H
#define PEAL_GW_EVENTS_H

#include "gw_socket.h"
#include "proto/sio_packet.h"

/* An EVENT packet of a PENDING or READY socket. */
void gw_events_handle(struct gw_socket *s, const struct sio_packet *p,
                      const struct str_view *attachments);

#endif
