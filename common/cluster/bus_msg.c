/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus.h"
#include "cluster/bus_copy.h"

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
    m->rooms = views;
    m->except = m->rooms + m->nrooms;
    m->attachments = m->except + m->nexcept;
    m->nsp = bus_copy_text(&at, from->nsp);
    m->json = bus_copy_text(&at, from->json);
    bus_copy_list(m->rooms, &at, from->rooms, m->nrooms);
    bus_copy_list(m->except, &at, from->except, m->nexcept);
    bus_copy_list(m->attachments, &at, from->attachments, m->nattachments);
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
