/* Socket.IO above a connection: packets, namespaces joined and left. The gateway's usual upper
 * layer. Source: socket.io-protocol v5 and socket.io 4.8 (client.ts). */
#ifndef PEAL_GW_SIO_H
#define PEAL_GW_SIO_H

#include "gw.h"

extern const struct gw_upper gw_sio_upper;

/* CONNECT_ERROR for a namespace: message, and data (a JSON value) unless empty. */
void gw_sio_refuse(struct gw_conn *c, struct str_view nsp, const char *message,
                   struct str_view data);
/* CONNECT, the answer that makes the client's socket usable. */
struct gw_socket;
void gw_sio_accept(struct gw_socket *s);

#endif
