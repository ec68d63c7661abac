/* A list that does not fit is cut behind an item, so that it is a list all the same: who asked counts
 * answers, and one that stays away would spoil those of all others. */

/* System */
#include <time.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Gateway */
#include "gw_auth.h"
#include "gw_cluster_list.h"
#include "gw_fanout.h"
#include "gw_socket.h"

/* ---- one item */

static bool put_string(struct buf *out, struct str_view text)
{
    return json_string_encode(out, text);
}

static bool put_rooms_of(struct buf *out, const struct gw_socket *s)
{
    bool fits = buf_add_char(out, '[') && put_string(out, gw_socket_id(s));
    for (uint32_t i = 0; fits && i < s->nrooms; i++) {
        const struct gw_room *r = s->rooms[i].room;
        fits = buf_add_char(out, ',') && put_string(out, sv_make(r->name, r->name_len));
    }
    return fits && buf_add_char(out, ']');
}

/* As the reference serializes it; what is not kept here (headers, the query with its token) is
 * empty. */
static bool put_handshake(struct buf *out, const struct gw_socket *s)
{
    struct gateway *gw = s->conn->gw;
    char addr[64], date[64] = "";
    uint64_t age_ms = loop_now(gw->loop) - s->connected_at;
    int64_t issued_ms = loop_wall_s(gw->loop) * 1000 - (int64_t)age_ms;
    time_t at = (time_t)(issued_ms / 1000);
    struct tm tm;
    gw_conn_addr(s->conn, addr, sizeof(addr));
    if (gmtime_r(&at, &tm))
        strftime(date, sizeof(date), "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)",
                 &tm);
    return buf_addf(out,
                    "{\"headers\":{},\"time\":\"%s\",\"address\":\"%s\",\"xdomain\":false,"
                    "\"secure\":false,\"issued\":%lld,\"url\":",
                    date, addr, (long long)issued_ms) &&
           put_string(out, sv_of(gw->cfg->gateway_path)) &&
           buf_addf(out, ",\"query\":{\"EIO\":\"%d\",\"transport\":\"%s\"},\"auth\":{}}",
                    s->conn->eio.version, gw_conn_transport(s->conn));
}

/* An object without its braces; white space may stand around them. */
static struct str_view members_of(struct str_view object)
{
    while (object.p[0] != '{')
        object = sv_skip(object, 1);
    while (object.p[object.n - 1] != '}')
        object.n--;
    return sv_make(object.p + 1, object.n - 2);
}

static bool has_members(struct str_view object)
{
    struct json_iter it;
    struct str_view key, value;
    json_iter_init(&it, object);
    return json_object_next(&it, &key, &value);
}

/* What has been set. An object (nothing counts as an empty one) also says who the user is, unless it
 * has such a member itself. */
static bool put_data(struct buf *out, const struct gw_socket *s)
{
    struct str_view data = s->data ? gw_socket_data(s) : SV("{}"), user = gw_socket_user(s), own;
    bool adds_user =
        user.n && json_kind_of(data) == JSON_OBJECT && !json_member_get(data, SV("user"), &own);
    if (!adds_user) return buf_add_sv(out, data);
    return buf_add_sv(out, SV("{\"user\":")) && put_string(out, user) &&
           (!has_members(data) || (buf_add_char(out, ',') && buf_add_sv(out, members_of(data)))) &&
           buf_add_char(out, '}');
}

static bool put_socket(struct buf *out, const struct gw_socket *s)
{
    return buf_add_sv(out, SV("{\"id\":")) && put_string(out, gw_socket_id(s)) &&
           buf_add_sv(out, SV(",\"handshake\":")) && put_handshake(out, s) &&
           buf_add_sv(out, SV(",\"rooms\":")) && put_rooms_of(out, s) &&
           buf_add_sv(out, SV(",\"data\":")) && put_data(out, s) && buf_add_char(out, '}');
}

static bool put_id(struct buf *out, const struct gw_socket *s)
{
    return put_string(out, gw_socket_id(s));
}

/* ---- a list */

struct list {
    struct buf *out;
    bool has_items, is_cut;
};

/* Before an item: true, and *before is what to go back to if it does not fit. */
static bool item_begin(struct list *l, size_t *before)
{
    *before = l->out->n;
    return !l->is_cut && (!l->has_items || buf_add_char(l->out, ','));
}

/* There must be room for the bracket at the end. */
static void item_end(struct list *l, size_t before, bool fits)
{
    if (fits && l->out->n < l->out->max) {
        l->has_items = true;
    } else {
        l->out->n = before;
        l->is_cut = true;
    }
}

static void add_socket(struct list *l, const struct gw_socket *s,
                       bool (*put)(struct buf *out, const struct gw_socket *s))
{
    size_t before;
    bool fits = item_begin(l, &before) && put(l->out, s);
    item_end(l, before, fits);
}

static void add_room(struct list *l, const struct gw_room *r)
{
    size_t before;
    bool fits = item_begin(l, &before) && put_string(l->out, sv_make(r->name, r->name_len));
    item_end(l, before, fits);
}

static void add_sockets(struct list *l, struct gateway *gw, const struct bus_request *r,
                        bool (*put)(struct buf *out, const struct gw_socket *s))
{
    struct bus_target which = {
        .rooms = r->rooms, .except = r->except, .nrooms = r->nrooms, .nexcept = r->nexcept};
    struct gw_socket **sockets;
    size_t n = gw_fanout_select(gw, r->nsp, &which, &sockets);
    for (size_t i = 0; i < n && !l->is_cut; i++)
        add_socket(l, sockets[i], put);
    x_free(sockets);
}

/* Rooms that have members, and each socket's own. */
static void add_rooms(struct list *l, struct gateway *gw, const struct bus_request *r)
{
    struct gw_nsp *n = gw_nsp_find(gw, r->nsp);
    struct gw_room *room, *next;
    if (!n) return;
    for (uint32_t i = 0; i < n->n && !l->is_cut; i++)
        add_socket(l, n->sockets[i], put_id);
    HASH_ITER(hh, n->rooms, room, next)
    {
        if (!l->is_cut) add_room(l, room);
    }
}

bool gw_cluster_put_list(struct buf *out, struct gateway *gw, const struct bus_request *r)
{
    struct list l = {.out = out};
    if (!buf_add_char(out, '[')) return false;
    switch (r->type) {
    case BUS_REMOTE_FETCH: add_sockets(&l, gw, r, put_socket); break;
    case BUS_SOCKETS: add_sockets(&l, gw, r, put_id); break;
    default: add_rooms(&l, gw, r); break;
    }
    return buf_add_char(out, ']') && !l.is_cut;
}
