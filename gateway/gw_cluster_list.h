/* Lists of sockets, ids and rooms as JSON, for gw_cluster.c. */
#ifndef PEAL_GW_CLUSTER_LIST_H
#define PEAL_GW_CLUSTER_LIST_H

#include "gw.h"

/* This node's list for a question of type BUS_REMOTE_FETCH, BUS_SOCKETS or BUS_ALL_ROOMS, as JSON,
 * appended to out: as much as fits. True: that was all. */
bool gw_cluster_put_list(struct buf *out, struct gateway *gw,
                         const struct bus_request *r) MUST_CHECK;

#endif
