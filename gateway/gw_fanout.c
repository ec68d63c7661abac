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
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/sio_packet.h"
/* Gateway */
#include "gw_fanout.h"
#include "gw_socket.h"

struct fanout {
    struct gw_nsp *nsp;
    struct gateway *gw;
    void (*act)(struct fanout *, struct gw_socket *);

    /* delivering */
    const struct bus_msg *msg;
    struct eio_msg *packet; /* encoded on first use */
    const uint64_t *ack_id; /* NULL: no acks are asked for */
    uint64_t timeout_ms;
    gw_ack_cb on_ack;
    void *arg;

    /* selecting */
    struct gw_socket **list;
    size_t n, cap;
};

static struct eio_msg *packet_of(struct fanout *f)
{
    if (f->packet) return f->packet;
    const struct bus_msg *m = f->msg;
    struct buf head;
    buf_init(&head, GW_NSP_MAX + 64);
    bool fits = sio_packet_encode_head(&head, m->nattachments ? SIO_BINARY_EVENT : SIO_EVENT,
                                       m->nattachments, f->nsp->view, f->ack_id);
    assert(fits);
    (void)fits;
    f->packet = eio_msg_new(buf_view(&head), m->json, m->attachments, m->nattachments);
    buf_fini(&head);
    return f->packet;
}

/* ---- what is done with a socket that is met */

static void deliver(struct fanout *f, struct gw_socket *s)
{
    if ((f->msg->flags & BUS_VOLATILE) && !gw_conn_is_ready(s->conn)) {
        f->gw->count.volatile_skips++;
        return;
    }
    gw_conn_send(s->conn, packet_of(f));
    f->gw->count.deliveries++;
}

static void ask(struct fanout *f, struct gw_socket *s)
{
    /* Who owes too many gets the event all the same; its answer is not waited for. */
    if (gw_acks_expect(s, *f->ack_id, f->timeout_ms, f->on_ack, f->arg)) f->n++;
    gw_conn_send(s->conn, packet_of(f));
    f->gw->count.deliveries++;
}

static void collect(struct fanout *f, struct gw_socket *s)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 16;
        f->list = x_realloc(f->list, f->cap * sizeof(*f->list));
    }
    f->list[f->n++] = s;
}

/* ---- the walk */

static void meet(struct fanout *f, struct gw_socket *s)
{
    if (s->mark == f->gw->fan_mark) return;
    s->mark = f->gw->fan_mark;
    f->act(f, s);
}

static void skip(struct fanout *f, struct gw_socket *s)
{
    s->mark = f->gw->fan_mark;
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

static void walk(struct fanout *f, const struct bus_target *t)
{
    f->gw->fan_mark++;
    for (unsigned i = 0; i < t->nexcept; i++)
        each_in_room(f, t->except[i], skip);
    for (unsigned i = 0; i < t->nrooms; i++)
        each_in_room(f, t->rooms[i], meet);
    if (!t->nrooms)
        for (uint32_t i = 0; i < f->nsp->n; i++)
            meet(f, f->nsp->sockets[i]);
}

static struct bus_target target_of(const struct bus_msg *m)
{
    return (struct bus_target){
        .rooms = m->rooms, .except = m->except, .nrooms = m->nrooms, .nexcept = m->nexcept};
}

void gw_fanout_deliver(const struct bus_msg *m, void *arg)
{
    struct gateway *gw = arg;
    struct fanout f = {.msg = m, .gw = gw, .nsp = gw_nsp_find(gw, m->nsp), .act = deliver};
    struct bus_target to = target_of(m);
    if (!f.nsp) return;
    walk(&f, &to);
    eio_msg_rele(f.packet);
}

size_t gw_fanout_ask(struct gateway *gw, const struct bus_msg *m, uint64_t timeout_ms, gw_ack_cb cb,
                     void *arg)
{
    struct gw_nsp *nsp = gw_nsp_find(gw, m->nsp);
    struct bus_target to = target_of(m);
    if (!nsp) return 0;
    uint64_t id = nsp->next_ack++;
    struct fanout f = {.msg = m,
                       .gw = gw,
                       .nsp = nsp,
                       .act = ask,
                       .ack_id = &id,
                       .timeout_ms = timeout_ms,
                       .on_ack = cb,
                       .arg = arg};
    walk(&f, &to);
    eio_msg_rele(f.packet);
    return f.n;
}

size_t gw_fanout_select(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                        struct gw_socket ***out)
{
    struct fanout f = {.gw = gw, .nsp = gw_nsp_find(gw, nsp), .act = collect};
    if (f.nsp) walk(&f, which);
    *out = f.list;
    return f.n;
}
