/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_nsp.h"
#include "gw_socket.h"

/* ---- namespaces */

/* The name itself goes before patterns: metrics speak of namespaces by these words. */
static bool is_allowed(const struct cfg *cfg, struct str_view name, uint32_t *word)
{
    const struct cfg_list *l = &cfg->socketio_namespaces;
    bool found = false;
    for (size_t i = 0; i < l->n; i++) {
        bool is_same = sv_eq(sv_of(l->v[i]), name);
        if (!is_same && (found || !sv_glob(sv_of(l->v[i]), name))) continue;
        *word = (uint32_t)i;
        if (is_same) return true;
        found = true;
    }
    return found;
}

struct gw_nsp *gw_nsp_find(struct gateway *gw, struct str_view name)
{
    struct gw_nsp *n = NULL;
    HASH_FIND(hh, gw->nsps, name.p, name.n, n);
    return n;
}

struct gw_nsp *gw_nsp_get(struct gateway *gw, struct str_view name)
{
    struct gw_nsp *n = gw_nsp_find(gw, name);
    uint32_t word = 0;
    bool fits = name.n <= GW_NSP_MAX && gw_room_name_is_valid(name);
    if (n || !fits || !is_allowed(gw->cfg, name, &word)) return n;
    n = x_calloc(1, sizeof(*n));
    n->gw = gw;
    n->word = word;
    n->name = x_memdup(name.p, name.n);
    n->view = sv_make(n->name, name.n);
    HASH_ADD_KEYPTR(hh, gw->nsps, n->name, n->view.n, n);
    gw->bus->ops->enter(gw->bus, n->view);
    return n;
}

static void nsp_free(struct gw_nsp *n)
{
    assert(!n->by_id && !n->rooms && !n->n);
    n->gw->bus->ops->exit(n->gw->bus, n->view);
    HASH_DEL(n->gw->nsps, n);
    x_free(n->sockets);
    x_free(n->name);
    x_free(n);
}

void gw_nsp_hold(struct gw_nsp *n)
{
    n->refs++;
}

void gw_nsp_rele(struct gw_nsp *n)
{
    if (--n->refs == 0) nsp_free(n);
}

void gw_nsp_add(struct gw_nsp *n, struct gw_socket *s)
{
    if (n->n == n->cap) {
        n->cap = n->cap ? n->cap * 2 : 8;
        n->sockets = x_realloc(n->sockets, n->cap * sizeof(struct gw_socket *));
    }
    s->index = n->n;
    n->sockets[n->n++] = s;
    n->gw->gauge.by_namespace[n->word]++;
}

void gw_nsp_remove(struct gw_nsp *n, struct gw_socket *s)
{
    assert(n->sockets[s->index] == s);
    struct gw_socket *last = n->sockets[--n->n];
    n->sockets[s->index] = last;
    last->index = s->index;
    n->gw->gauge.by_namespace[n->word]--;
}

/* ---- rooms */

bool gw_room_name_is_valid(struct str_view name)
{
    if (name.n == 0 || name.n > GW_ROOM_MAX) return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f) return false;
    return true;
}

struct gw_room *gw_nsp_room(struct gw_nsp *n, struct str_view name)
{
    struct gw_room *r = NULL;
    HASH_FIND(hh, n->rooms, name.p, name.n, r);
    return r;
}

/* A user's own room has one member, and most sockets are in few rooms: the first of each index needs no
 * memory of its own, which saves two allocations and 41 bytes a client. Returns twice the places. */
static void *grow(void *v, const void *first, size_t size, uint32_t *cap)
{
    void *grown = v == first ? x_malloc(2 * size) : x_realloc(v, 2 * size * *cap);
    if (v == first) memcpy(grown, first, size);
    *cap *= 2;
    return grown;
}

static struct gw_room *room_get(struct gw_nsp *n, struct str_view name)
{
    struct gw_room *r = gw_nsp_room(n, name);
    if (r) return r;
    r = x_malloc(sizeof(*r) + name.n);
    *r = (struct gw_room){.name_len = (uint32_t)name.n, .members = &r->first, .cap = 1};
    memcpy(r->name, name.p, name.n);
    HASH_ADD_KEYPTR(hh, n->rooms, r->name, r->name_len, r);
    n->gw->nrooms++;
    n->gw->bus->ops->join(n->gw->bus, n->view, name);
    return r;
}

/* The shorter of the two indexes is searched. */
static struct gw_membership *membership(const struct gw_socket *s, const struct gw_room *r)
{
    if (s->nrooms <= r->n) {
        for (uint32_t i = 0; i < s->nrooms; i++)
            if (s->rooms[i].room == r) return &s->rooms[i];
    } else {
        for (uint32_t i = 0; i < r->n; i++)
            if (r->members[i].socket == s) return &s->rooms[r->members[i].slot];
    }
    return NULL;
}

bool gw_room_has(const struct gw_room *r, const struct gw_socket *s)
{
    return membership(s, r) != NULL;
}

void gw_room_none(struct gw_socket *s)
{
    s->rooms = &s->first_room;
    s->nrooms = 0;
    s->cap_rooms = 1;
}

bool gw_room_join(struct gw_socket *s, struct str_view name)
{
    if (!gw_room_name_is_valid(name)) return false;
    struct gw_room *r = gw_nsp_room(s->nsp, name);
    if (r && gw_room_has(r, s)) return true;
    if (s->nrooms >= (uint32_t)s->conn->gw->cfg->socketio_max_rooms) return false;
    r = room_get(s->nsp, name);
    if (r->n == r->cap) r->members = grow(r->members, &r->first, sizeof(r->first), &r->cap);
    if (s->nrooms == s->cap_rooms)
        s->rooms = grow(s->rooms, &s->first_room, sizeof(s->first_room), &s->cap_rooms);
    s->rooms[s->nrooms] = (struct gw_membership){r, r->n};
    r->members[r->n++] = (struct gw_member){s, s->nrooms++};
    return true;
}

/* Takes one membership out of both indexes; the last entry of each fills the gap. */
static void leave_slot(struct gw_socket *s, uint32_t slot)
{
    struct gw_room *r = s->rooms[slot].room;
    uint32_t index = s->rooms[slot].index;
    struct gw_member last = r->members[--r->n];
    if (index < r->n) {
        r->members[index] = last;
        last.socket->rooms[last.slot].index = index;
    }
    struct gw_membership moved = s->rooms[--s->nrooms];
    if (slot < s->nrooms) {
        s->rooms[slot] = moved;
        moved.room->members[moved.index].slot = slot;
    }
    if (r->n) return;
    struct gateway *gw = s->nsp->gw;
    gw->nrooms--;
    gw->bus->ops->leave(gw->bus, s->nsp->view, sv_make(r->name, r->name_len));
    HASH_DEL(s->nsp->rooms, r);
    if (r->members != &r->first) x_free(r->members);
    x_free(r);
}

void gw_room_leave(struct gw_socket *s, struct str_view name)
{
    struct gw_room *r = gw_nsp_room(s->nsp, name);
    struct gw_membership *m = r ? membership(s, r) : NULL;
    if (m) leave_slot(s, (uint32_t)(m - s->rooms));
}

void gw_room_leave_all(struct gw_socket *s)
{
    while (s->nrooms)
        leave_slot(s, s->nrooms - 1);
    if (s->rooms != &s->first_room) x_free(s->rooms);
    gw_room_none(s);
}
