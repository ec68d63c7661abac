/* From a good token to a READY socket.
 *
 * A client is told that it is connected only when the bus hears for it: its namespace, its user's room
 * and the rooms of its token's claim. With the local bus, or when others are in these rooms already,
 * that is at once. */
#ifndef PEAL_GW_ADMIT_H
#define PEAL_GW_ADMIT_H

#include "gw_socket.h"

struct gw_identity;
struct gw_admission; /* one that is under way */

/* Why a good token is not enough. */
struct gw_rejection {
    enum close_reason reason;
    const char *code;     /* for the ack of `authenticate` */
    struct str_view json; /* for the client: {"message":…,"data":…} */
};

/* A PENDING socket of a CONNECT packet: answered with CONNECT when it is READY. identity: a reference
 * is held; NULL without authentication. auth: the packet's payload. */
void gw_admit_connect(struct gw_socket *s, struct gw_identity *identity, struct str_view auth);
/* A PENDING socket that was connected before (event way): e is its `authenticate`. */
void gw_admit_authenticate(struct gw_socket *s, struct gw_identity *identity,
                           const struct gw_event *e);
/* A fresh token of a socket that is in: its rooms change now, the answer comes when the bus hears
 * for them. */
void gw_admit_renew(struct gw_socket *s, struct gw_identity *identity, const struct gw_event *e);

/* --- while a worker is asked (gw_ask.c): who the socket would be, what the client said at CONNECT, and
 * how it ends: on to the bus; or the client is told no, and the socket ends; or nobody is there any
 * more. go_on and drop take the admission. */
const struct gw_identity *gw_admit_identity(const struct gw_admission *a);
struct str_view gw_admit_auth(const struct gw_admission *a);
void gw_admit_go_on(struct gw_socket *s, struct gw_admission *a);
void gw_admit_reject(struct gw_socket *s, const struct gw_admission *a,
                     const struct gw_rejection *r);
void gw_admit_drop(struct gw_admission *a);

#endif
