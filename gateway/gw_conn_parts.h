/* What gw_conn.c (life, queue, the turn's end) and gw_conn_transport.c (what transports bring) share.
 * Nobody else includes this. */
#ifndef PEAL_GW_CONN_PARTS_H
#define PEAL_GW_CONN_PARTS_H

#include "gw_conn.h"

/* A session that has said nothing yet; takes the token. */
struct gw_conn *gw_conn_new(struct gateway *gw, const struct gw_http *http,
                            enum eio_transport transport, const struct gw_wire *wire,
                            struct gw_token token);
/* Queues the OPEN packet. */
void gw_conn_send_open(struct gw_conn *c);
/* The session may have another deadline now. */
void gw_conn_arm(struct gw_conn *c);
/* It has something to write, or its end to tell, at the turn's end. */
void gw_conn_mark_dirty(struct gw_conn *c);

#endif
