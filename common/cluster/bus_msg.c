/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus.h"
#include "cluster/bus_copy.h"

struct bus_msg bus_msg_view(struct str_view nsp, const struct bus_target *to, struct str_view json,
                            const struct str_view *attachments, unsigned n)
{
    return (struct bus_msg){.flags = to->is_volatile ? BUS_VOLATILE : 0,
                            .nsp = nsp,
                            .json = json,
                            .rooms = to->rooms,
                            .except = to->except,
                            .attachments = attachments,
                            .nrooms = to->nrooms,
                            .nexcept = to->nexcept,
                            .nattachments = n};
}

/* Layout: struct, the three tables of views, then all bytes. */
struct bus_msg *bus_msg_new(const struct bus_msg *from)
{
    size_t size = sizeof(*from) + from->nsp.n + from->json.n +
                  bus_copy_size(from->rooms, from->nrooms) +
                  bus_copy_size(from->except, from->nexcept) +
                  bus_copy_size(from->attachments, from->nattachments);
    struct bus_msg *m = x_malloc(size);
    struct str_view *views = (struct str_view *)(m + 1);
    unsigned nviews = from->nrooms + from->nexcept + from->nattachments;
    char *at = (char *)(views + nviews);
    *m = *from;
    m->refs = 1;
    m->nsp = bus_copy_text(&at, from->nsp);
    m->json = bus_copy_text(&at, from->json);
    m->rooms = views;
    bus_copy_list(views, &at, from->rooms, from->nrooms);
    m->except = views += from->nrooms;
    bus_copy_list(views, &at, from->except, from->nexcept);
    m->attachments = views += from->nexcept;
    bus_copy_list(views, &at, from->attachments, from->nattachments);
    return m;
}

struct bus_msg *bus_msg_hold(struct bus_msg *m)
{
    m->refs++;
    return m;
}

void bus_msg_rele(struct bus_msg *m)
{
    if (m && --m->refs == 0) x_free(m);
}
