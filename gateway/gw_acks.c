/* Both directions: answers that clients owe us, and the usual ones that we owe them.
 *
 * What a client owes is called back exactly once, with the answer, at its deadline,
 * or when the socket ends. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
/* Gateway */
#include "gw_socket.h"

struct gw_ack {
    struct gw_ack *next;
    struct gw_socket *socket;
    struct wheel_entry timer;
    uint64_t id;
    gw_ack_cb cb;
    void *arg;
};

static void settle(struct gw_ack *a, bool answered, struct str_view args,
                   const struct str_view *attachments, unsigned n)
{
    struct gw_ack **p = &a->socket->acks;
    while (*p != a)
        p = &(*p)->next;
    *p = a->next;
    a->socket->nacks--;
    wheel_drop(loop_wheel(a->socket->conn->gw->loop), &a->timer);
    a->cb(a->arg, answered, args, attachments, n);
    x_free(a);
}

static void on_timeout(struct wheel_entry *e)
{
    struct gw_ack *a = (struct gw_ack *)((char *)e - offsetof(struct gw_ack, timer));
    settle(a, false, SV(""), NULL, 0);
}

bool gw_acks_expect(struct gw_socket *s, uint64_t id, uint64_t timeout_ms, gw_ack_cb cb, void *arg)
{
    struct loop *loop = s->conn->gw->loop;
    if (s->nacks == GW_ACKS_MAX) return false;
    s->nacks++;
    struct gw_ack *a = x_calloc(1, sizeof(*a));
    a->socket = s;
    a->timer.fire = on_timeout;
    a->id = id;
    a->cb = cb;
    a->arg = arg;
    a->next = s->acks;
    s->acks = a;
    uint64_t now = loop_now(loop), left = WHEEL_NEVER - now;
    wheel_set(loop_wheel(loop), &a->timer, now + (timeout_ms < left ? timeout_ms : left));
    return true;
}

void gw_socket_emit_ack(struct gw_socket *s, struct str_view json,
                        const struct str_view *attachments, unsigned n, uint64_t timeout_ms,
                        gw_ack_cb cb, void *arg)
{
    uint64_t id = s->nsp->next_ack++;
    if (s->state == GW_SOCKET_GONE || !gw_acks_expect(s, id, timeout_ms, cb, arg)) {
        cb(arg, false, SV(""), NULL, 0);
        return;
    }
    gw_socket_send(s, SIO_EVENT, &id, json, attachments, n);
}

void gw_acks_answer(struct gw_socket *s, uint64_t id, struct str_view args,
                    const struct str_view *attachments, unsigned n)
{
    /* Late, unknown and repeated answers are ignored, as in the reference. */
    for (struct gw_ack *a = s->acks; a; a = a->next) {
        if (a->id != id) continue;
        settle(a, true, args, attachments, n);
        return;
    }
}

void gw_acks_fail_all(struct gw_socket *s)
{
    while (s->acks)
        settle(s->acks, false, SV(""), NULL, 0);
}

void gw_acks_send_ok(struct gw_socket *s, const struct gw_event *e)
{
    if (e->wants_ack) gw_socket_ack(s, e->ack_id, SV("[{\"status\":\"ok\"}]"), NULL, 0);
}

void gw_acks_send_error(struct gw_socket *s, const struct gw_event *e, const char *code,
                        const char *message)
{
    if (!e->wants_ack) return;
    struct buf json;
    buf_init(&json, 512);
    bool fits = buf_addf(&json, "[{\"status\":\"error\",\"code\":\"%s\",\"message\":", code) &&
                json_string_encode(&json, sv_of(message)) && buf_add_sv(&json, SV("}]"));
    assert(fits);
    (void)fits;
    gw_socket_ack(s, e->ack_id, buf_view(&json), NULL, 0);
    buf_fini(&json);
}
