/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_owed.h"

struct gw_owed {
    struct gateway *gw;
    uint64_t ack_id;
    bool wants_ack;
    uint32_t serial; /* the socket's */
    size_t nsp_len, id_len, more_len;
    char text[]; /* namespace, the socket's id, then the rest */
};

struct gw_owed *gw_owed_new(struct gw_socket *s, const struct gw_event *e, struct str_view more)
{
    struct str_view nsp = s->nsp->view, id = gw_socket_id(s);
    struct gw_owed *o = x_malloc(sizeof(*o) + nsp.n + id.n + more.n);
    *o = (struct gw_owed){.gw = s->conn->gw,
                          .ack_id = e->ack_id,
                          .wants_ack = e->wants_ack,
                          .serial = s->serial,
                          .nsp_len = nsp.n,
                          .id_len = id.n,
                          .more_len = more.n};
    memcpy(o->text, nsp.p, nsp.n);
    memcpy(o->text + nsp.n, id.p, id.n);
    if (more.n) memcpy(o->text + nsp.n + id.n, more.p, more.n);
    return o;
}

struct gw_socket *gw_owed_socket(const struct gw_owed *o)
{
    struct str_view nsp = sv_make(o->text, o->nsp_len);
    struct str_view id = sv_make(o->text + o->nsp_len, o->id_len);
    struct gw_socket *s = gw_socket_find_same(o->gw, nsp, id, o->serial);
    return s && s->state == GW_SOCKET_READY ? s : NULL;
}

struct gw_event gw_owed_event(const struct gw_owed *o)
{
    return (struct gw_event){.wants_ack = o->wants_ack, .ack_id = o->ack_id};
}

struct str_view gw_owed_more(const struct gw_owed *o)
{
    return sv_make(o->text + o->nsp_len + o->id_len, o->more_len);
}
