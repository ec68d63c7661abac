/* Connects that a worker decides on (routes.ask_connect): the token is good, the socket is PENDING, and
 * before the bus is asked a worker is. It admits (the connect goes on), refuses, or lets
 * routes.ask_timeout pass, which refuses, too. */
#ifndef PEAL_GW_ASK_H
#define PEAL_GW_ASK_H

#include "cluster/node_cmd.h"
#include "cluster/work_out.h"
#include "gw_admit.h"

bool gw_ask_wants(const struct gateway *gw, struct str_view nsp);
/* Asks about a PENDING socket. Takes the admission, which goes on or ends when the answer is there. */
void gw_ask_begin(struct gw_socket *s, struct gw_admission *a);
/* NODE_ADMIT or NODE_REFUSE; one that nobody waits for is void. */
void gw_ask_answer(struct gateway *gw, const struct node_cmd *c);
/* The question could not be handed over. */
void gw_ask_not_asked(struct gw_socket *s, enum work_outcome outcome);
/* The socket ends; nothing if it does not wait. */
void gw_ask_drop(struct gw_socket *s);

#endif
