/* System */
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus.h"

static size_t list_size(const struct str_view *v, unsigned n)
{
    size_t total = n * sizeof(*v);
    for (unsigned i = 0; i < n; i++)
        total += v[i].n;
    return total;
}

static struct str_view copy_text(char **at, struct str_view v)
{
    char *to = *at;
    if (v.n) memcpy(to, v.p, v.n);
    *at += v.n;
    return sv_make(to, v.n);
}

static void copy_list(struct str_view *to, char **at, const struct str_view *from, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = copy_text(at, from[i]);
}

/* Layout: struct, the three tables of views, then all bytes. */
struct bus_msg *bus_msg_new(const struct bus_msg *from)
{
    size_t size = sizeof(*from) + from->nsp.n + from->json.n +
                  list_size(from->rooms, from->nrooms) + list_size(from->except, from->nexcept) +
                  list_size(from->attachments, from->nattachments);
    struct bus_msg *m = x_malloc(size);
    struct str_view *views = (struct str_view *)(m + 1);
    unsigned nviews = from->nrooms + from->nexcept + from->nattachments;
    char *at = (char *)(views + nviews);
    *m = *from;
    m->refs = 1;
    m->rooms = views;
    m->except = m->rooms + m->nrooms;
    m->attachments = m->except + m->nexcept;
    m->nsp = copy_text(&at, from->nsp);
    m->json = copy_text(&at, from->json);
    copy_list(m->rooms, &at, from->rooms, m->nrooms);
    copy_list(m->except, &at, from->except, m->nexcept);
    copy_list(m->attachments, &at, from->attachments, m->nattachments);
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
