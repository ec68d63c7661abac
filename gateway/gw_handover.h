/* Connections that change the process: a client's connections to one port are spread over the
 * processes that listen there, but its session lives in one of them. A process that reads the head of
 * a request for another's session hands it the descriptor together with the bytes that it has read;
 * the other goes on as if it had accepted the connection itself.
 *
 * Each process has an inbox, a socket pair that its parent made, with the other end in all its
 * siblings: nobody else can reach it. What comes is checked all the same: the sender must be a
 * process of this gateway (the kernel says who it is), and it must be one TCP connection with bounded
 * bytes. Bytes are never lost: they leave with the descriptor, in one message, or stay. */
#ifndef PEAL_GW_HANDOVER_H
#define PEAL_GW_HANDOVER_H

#include "gw.h"
#include "gw_http.h"

/* Makes an inbox and the socket that reaches it, in[0] and in[1]; non-blocking, close-on-exec. False
 * with errno. For the parent. */
bool gw_handover_pair(int in[2]) MUST_CHECK;
/* Ends the connections that wait in the inbox of a process that has ended. For the parent. */
void gw_handover_clear(int inbox);

/* Starts to take what siblings hand over. gw->family must be set. Gives: gw_handover_free. */
struct gw_handover *gw_handover_new(struct gateway *gw);
void gw_handover_free(struct gw_handover *h);

/* The process whose session that is; -1: this one's, or nobody's as far as is known. */
int gw_handover_home(const struct gateway *gw, struct str_view sid);

enum gw_handover_outcome {
    GW_HANDOVER_DONE,  /* the descriptor here is for gw_handover_close() */
    GW_HANDOVER_LATER, /* its inbox is full */
    GW_HANDOVER_GONE,  /* it has ended */
};
/* Hands h's descriptor and what it has read over to process home. Changes nothing of h. */
enum gw_handover_outcome gw_handover_send(struct gateway *gw, const struct gw_http *h,
                                          unsigned home);
/* Takes a descriptor that has been handed over and that libevent has been told to forget. */
void gw_handover_close(struct gateway *gw, int fd);
/* Turn-end, before others are handed over: closes those of the turn before. */
void gw_handover_reap(struct gateway *gw);
/* Are there some that wait for the next turn? */
bool gw_handover_owes(const struct gateway *gw);

#endif
