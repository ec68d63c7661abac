/* Copying structs of views into one allocation: the views' tables stand behind the struct, their
 * bytes behind the tables. For bus_msg.c and bus_request.c. */
#ifndef PEAL_CLUSTER_BUS_COPY_H
#define PEAL_CLUSTER_BUS_COPY_H

#include <string.h>

#include "util/str_view.h"

static inline size_t bus_copy_size(const struct str_view *v, unsigned n)
{
    size_t total = n * sizeof(*v);
    for (unsigned i = 0; i < n; i++)
        total += v[i].n;
    return total;
}

static inline struct str_view bus_copy_text(char **at, struct str_view v)
{
    char *to = *at;
    if (v.n) memcpy(to, v.p, v.n);
    *at += v.n;
    return sv_make(to, v.n);
}

/* The table at to gets copies of from's n views. */
static inline void bus_copy_list(struct str_view *to, char **at, const struct str_view *from,
                                 unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = bus_copy_text(at, from[i]);
}

#endif
