/* The bus on Redis: PUB/SUB with the wire of @socket.io/redis-adapter 8.3, for any number of gateways
 * beside Node servers and emitters.
 *
 * Two links, one to publish, one that is subscribed to what is of interest here. It is never deaf
 * and silent about it: a canary goes round through both links, and when it is late, or a link is
 * lost, trouble() says so, the links are made anew, and the gap is counted and told. What is
 * published while Redis is away waits, bounded in bytes and time; what was on its way when a link broke
 * is told BUS_UNCERTAIN and never sent twice. */
#ifndef PEAL_IO_BUS_REDIS_H
#define PEAL_IO_BUS_REDIS_H

#include "cluster/bus.h"
#include "cluster/cfg.h"
#include "io/loop.h"

/* cfg (bus.*, redis.*), loop, events and uid's bytes are borrowed for its life. It connects from the
 * first turn on. NULL with *err filled if the configuration cannot be used. Ends with ops->free. */
struct bus *bus_redis_new(const struct cfg *cfg, struct loop *loop, const struct bus_events *events,
                          void *arg, struct str_view uid, struct cfg_error *err);

#endif
