/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_copy.h"
#include "cluster/bus_request.h"

struct bus_request *bus_request_new(const struct bus_request *from)
{
    const unsigned n = from->nrooms + from->nexcept + from->ntargets + from->nattachments;
    size_t size = sizeof(*from) + from->nsp.n + from->uid.n + from->id.n + from->sid.n +
                  from->json.n + bus_copy_size(from->rooms, from->nrooms) +
                  bus_copy_size(from->except, from->nexcept) +
                  bus_copy_size(from->targets, from->ntargets) +
                  bus_copy_size(from->attachments, from->nattachments);
    struct bus_request *r = x_malloc(size);
    struct str_view *views = (struct str_view *)(r + 1);
    char *at = (char *)(views + n);
    *r = *from;
    r->nsp = bus_copy_text(&at, from->nsp);
    r->uid = bus_copy_text(&at, from->uid);
    r->id = bus_copy_text(&at, from->id);
    r->sid = bus_copy_text(&at, from->sid);
    r->json = bus_copy_text(&at, from->json);
    r->rooms = views;
    bus_copy_list(views, &at, from->rooms, from->nrooms);
    r->except = views += from->nrooms;
    bus_copy_list(views, &at, from->except, from->nexcept);
    r->targets = views += from->nexcept;
    bus_copy_list(views, &at, from->targets, from->ntargets);
    r->attachments = views += from->ntargets;
    bus_copy_list(views, &at, from->attachments, from->nattachments);
    return r;
}
