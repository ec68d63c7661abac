/* Socket.IO above a connection: packets, namespaces joined and left. The gateway's usual upper
 * layer. Source: socket.io-protocol v5 and socket.io 4.8 (client.ts). */
#ifndef PEAL_GW_SIO_H
#define PEAL_GW_SIO_H

#include "gw.h"

/* A connection must join a namespace in time (socketio.connect_timeout), or it ends. */
void gw_sio_await_connect(struct gw_conn *c);

extern const struct gw_upper gw_sio_upper;

#endif
