/* Design notes
 *
 * - The packet is encoded once, when the first client for it is met; each client's queue holds a
 *   reference.
 * - A socket is met at most once, though it may be in several of the rooms: it carries the number
 *   of the last fan-out that met it. Excepted sockets are met first and skipped that way, so the walk
 *   over members has no inner loop. Cost: members of the rooms named, nothing else.
 * - Nothing is closed during the walk (gw_conn_send() dooms), so the indexes stand still. */

/* System */
#include <assert.h>
/* Proto */
#include "proto/sio_packet.h"
/* Gateway */
#include "gw_fanout.h"
#include "gw_socket.h"

struct fanout {
    const struct bus_msg *msg;
    struct gw_nsp *nsp;
    struct gateway *gw;
    struct eio_msg *packet; /* encoded on first use */
};

static struct eio_msg *packet_of(struct fanout *f)
{
    if (f->packet) return f->packet;
    const struct bus_msg *m = f->msg;
    struct buf head;
    buf_init(&head, GW_NSP_MAX + 64);
    bool fits = sio_packet_encode_head(&head, m->nattachments ? SIO_BINARY_EVENT : SIO_EVENT,
                                       m->nattachments, m->nsp, NULL);
    assert(fits);
    (void)fits;
    f->packet = eio_msg_new(buf_view(&head), m->json, m->attachments, m->nattachments);
    buf_fini(&head);
    return f->packet;
}

static void meet(struct fanout *f, struct gw_socket *s)
{
    if (s->mark == f->gw->fan_mark) return;
    s->mark = f->gw->fan_mark;
    if ((f->msg->flags & BUS_VOLATILE) && !gw_conn_is_ready(s->conn)) {
        f->gw->count.volatile_skips++;
        return;
    }
    gw_conn_send(s->conn, packet_of(f));
    f->gw->count.deliveries++;
}

/* Members of the room, and the socket whose id is the room's name: nobody is entered in that room,
 * it is understood. */
static void each_in_room(struct fanout *f, struct str_view room,
                         void (*act)(struct fanout *, struct gw_socket *))
{
    struct gw_room *r = gw_nsp_room(f->nsp, room);
    for (uint32_t i = 0; r && i < r->n; i++)
        act(f, r->members[i].socket);
    struct gw_socket *own = gw_socket_find(f->gw, f->nsp->view, room);
    if (own) act(f, own);
}

static void skip(struct fanout *f, struct gw_socket *s)
{
    s->mark = f->gw->fan_mark;
}

void gw_fanout_deliver(const struct bus_msg *m, void *arg)
{
    struct gateway *gw = arg;
    struct fanout f = {.msg = m, .gw = gw, .nsp = gw_nsp_find(gw, m->nsp)};
    if (!f.nsp) return;
    gw->fan_mark++;
    for (unsigned i = 0; i < m->nexcept; i++)
        each_in_room(&f, m->except[i], skip);
    for (unsigned i = 0; i < m->nrooms; i++)
        each_in_room(&f, m->rooms[i], meet);
    if (!m->nrooms)
        for (uint32_t i = 0; i < f.nsp->n; i++)
            meet(&f, f.nsp->sockets[i]);
    eio_msg_rele(f.packet);
}
