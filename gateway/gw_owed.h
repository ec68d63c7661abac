/* A client that waits to hear what becomes of its event, kept for a callback that comes later. The
 * socket may be gone by then, so it is found again. */
#ifndef PEAL_GW_OWED_H
#define PEAL_GW_OWED_H

#include "gw_socket.h"

struct gw_owed;
/* more: a text that is kept with it, or empty. Gives: x_free. */
struct gw_owed *gw_owed_new(struct gw_socket *s, const struct gw_event *e, struct str_view more);
/* NULL: it is not in any more. */
struct gw_socket *gw_owed_socket(const struct gw_owed *o);
/* For gw_acks_send_ok() and gw_acks_send_error(); nothing else of the event is kept. */
struct gw_event gw_owed_event(const struct gw_owed *o);
/* Lends. */
struct str_view gw_owed_more(const struct gw_owed *o);

#endif
