/* The fast path of fan-out: a connection's queue onto its WebSocket, in one write a turn. */
#ifndef PEAL_GW_FLUSH_H
#define PEAL_GW_FLUSH_H

#include "gw_conn.h"

/* Writes as much as the socket takes. */
void gw_flush_ws(struct gw_conn *c);
/* The turn's flushing is over: what connections shared is no longer good. */
void gw_flush_end(void);
/* Frees the shared memory. */
void gw_flush_fini(void);

#endif
