/* Cluster */
#include "cluster/bus_wire.h"
#include "cluster/adapter_msg.h"
#include "cluster/bus_names.h"

bool bus_wire_publish(struct buf *name, struct buf *bytes, struct str_view key, struct str_view uid,
                      const struct bus_msg *m)
{
    struct str_view room = m->nrooms == 1 ? m->rooms[0] : SV("");
    return bus_name_broadcast(name, key, m->nsp, room) && adapter_encode_broadcast(bytes, uid, m);
}

bool bus_wire_request(struct buf *name, struct buf *bytes, struct str_view key,
                      const struct bus_request *r)
{
    return bus_name_request(name, key, r->nsp) && adapter_encode_request(bytes, r);
}
