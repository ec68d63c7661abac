/* The polling transport: payloads out of a connection's queue, payloads into packets, and the small
 * fixed answers. */
#ifndef PEAL_GW_POLL_H
#define PEAL_GW_POLL_H

#include <stdbool.h>

#include "gw_conn.h"

/* Answers the held poll with everything queued. */
void gw_poll_answer(struct gw_conn *c);
/* Answers the held poll with one packet and leaves the queue as it is. */
void gw_poll_release(struct gw_conn *c, enum eio_type type);
/* Hands the packets of a POST body to the session. is_octets: its type was application/octet-stream.
 * False: one was bad (the session is closed). */
bool gw_poll_dispatch(struct gw_conn *c, bool is_octets, struct str_view body);
/* "ok", the answer to a good POST. */
void gw_poll_ok(struct gw_http *http);
/* An answer with an empty body. */
void gw_poll_refuse(struct gw_http *http, int status);

#endif
