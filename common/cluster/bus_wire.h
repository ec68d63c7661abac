/* A broadcast, a request or a direct message as the channel and the bytes of a PUBLISH: for the Redis bus,
 * and for workers, whose scripts publish. */
#ifndef PEAL_CLUSTER_BUS_WIRE_H
#define PEAL_CLUSTER_BUS_WIRE_H

#include "cluster/bus.h"

/* Each appends to name and bytes. False if it does not fit or cannot be encoded; then what is appended to
 * them is of no use. uid: who sends it. */
bool bus_wire_publish(struct buf *name, struct buf *bytes, struct str_view key, struct str_view uid,
                      const struct bus_msg *m) MUST_CHECK;
bool bus_wire_request(struct buf *name, struct buf *bytes, struct str_view key,
                      const struct bus_request *r) MUST_CHECK;

#endif
