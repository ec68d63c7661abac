/* From a good token to a READY socket.
 *
 * A client is told that it is connected only when the bus hears for it: its namespace, its user's room
 * and the rooms of its token's claim. With the local bus, or when others are in these rooms already,
 * that is at once. */
#ifndef PEAL_GW_ADMIT_H
#define PEAL_GW_ADMIT_H

#include "gw_socket.h"

struct gw_identity;

/* A PENDING socket of a CONNECT packet: answered with CONNECT when it is READY. identity: a reference
 * is held; NULL without authentication. auth: the packet's payload. */
void gw_admit_connect(struct gw_socket *s, struct gw_identity *identity, struct str_view auth);
/* A PENDING socket that was connected before (event way): e is its `authenticate`. */
void gw_admit_authenticate(struct gw_socket *s, struct gw_identity *identity,
                           const struct gw_event *e);
/* A fresh token of a socket that is in: its rooms change now, the answer comes when the bus hears
 * for them. */
void gw_admit_renew(struct gw_socket *s, struct gw_identity *identity, const struct gw_event *e);

#endif
