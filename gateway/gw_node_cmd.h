/* What workers tell this gateway about its sockets (cluster/node_cmd.h): acks, rooms, data, disconnects,
 * and the question whether the bus hears all that. It comes as direct messages of the bus, is carried
 * out in its order, and told nobody: a command whose socket is gone is void. */
#ifndef PEAL_GW_NODE_CMD_H
#define PEAL_GW_NODE_CMD_H

#include "cluster/node_cmd.h"
#include "gw.h"

/* Makes gw->node_cmds; with the bus, or before it. */
void gw_node_cmd_open(struct gateway *gw);
/* When the bus has gone, which owes callbacks until then. */
void gw_node_cmd_close(struct gateway *gw);

/* For bus_events; arg is the gateway. */
void gw_node_cmd_on_direct(struct str_view bytes, void *arg);

/* Commands that are another module's affair. Until it has said so they are void. The command is lent
 * for the call. */
typedef void (*gw_node_cmd_cb)(struct gateway *gw, const struct node_cmd *c);
/* NODE_ADMIT and NODE_REFUSE: whoever asks workers about connects. */
void gw_node_cmd_on_answer(struct gateway *gw, gw_node_cmd_cb cb);
/* NODE_SYNCED: a worker in this process. */
void gw_node_cmd_on_synced(struct gateway *gw, void (*cb)(uint64_t token, void *arg), void *arg);

#endif
