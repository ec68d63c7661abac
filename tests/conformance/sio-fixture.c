/* The fixture of the Socket.IO test suite, as a handler: "auth" at connect, "message" comes back as
 * "message-back", "message-with-ack" is acked with its arguments. */

/* Util */
#include "util/buf.h"
#include "util/x_alloc.h"
/* Gateway */
#include "gateway/gw_conn.h"
#include "gateway/gw_handler.h"
#include "gateway/gw_sio.h"
#include "gateway/gw_socket.h"
/* This process */
#include "fixture.h"

#define MAX_JSON (2u << 20)
#define AUTH_DELAY_MS 20 /* behind CONNECT, see fixture_pause() */

static void opened(struct gw_conn *c)
{
    gw_sio_upper.opened(c);
    if (c->eio.transport == EIO_WEBSOCKET) fixture_pause(c);
}

static void message(struct gw_conn *c, bool binary, struct str_view data)
{
    gw_sio_upper.message(c, binary, data);
}

static void closed(struct gw_conn *c, enum close_reason reason)
{
    gw_sio_upper.closed(c, reason);
    fixture_forget(c);
}

/* "auth" is owed to a socket that may be gone when it is due: found again by its id. */
struct owed_auth {
    struct wheel_entry timer;
    struct gateway *gw;
    char *id, *nsp, *json;
};

static void on_auth_due(struct wheel_entry *e)
{
    struct owed_auth *o = (struct owed_auth *)e;
    struct gw_socket *s = gw_socket_find(o->gw, sv_of(o->nsp), sv_of(o->id));
    if (s) gw_socket_emit(s, sv_of(o->json), NULL, 0);
    x_free(o->id);
    x_free(o->nsp);
    x_free(o->json);
    x_free(o);
}

static void on_connect(void *ctx, struct gw_socket *s, struct str_view auth)
{
    struct gateway *gw = gw_socket_gateway(s);
    struct owed_auth *o = x_calloc(1, sizeof(*o));
    struct str_view nsp = gw_socket_nsp(s);
    (void)ctx;
    o->timer.fire = on_auth_due;
    o->gw = gw;
    o->nsp = x_memdup(nsp.p, nsp.n);
    o->json = x_asprintf("[\"auth\",%.*s]", SV_ARG(auth));
    o->id = x_memdup(gw_socket_id(s).p, gw_socket_id(s).n);
    wheel_set(loop_wheel(gw->loop), &o->timer, loop_now(gw->loop) + AUTH_DELAY_MS);
}

/* The text behind the event's name: ",…]" or "]". The name holds no escapes here. */
static struct str_view tail_of(const struct gw_event *e)
{
    size_t quote = sv_find(e->args, '"');
    return sv_skip(e->args, quote + e->name.n + 2);
}

static void answer(struct gw_socket *s, const struct gw_event *e, struct buf *json)
{
    struct str_view tail = tail_of(e);
    if (sv_eq(e->name, SV("message"))) {
        if (buf_add_sv(json, SV("[\"message-back\"")) && buf_add_sv(json, tail))
            gw_socket_emit(s, buf_view(json), e->attachments, e->nattachments);
    } else if (e->wants_ack) {
        if (tail.n && tail.p[0] == ',') tail = sv_skip(tail, 1);
        if (buf_add_char(json, '[') && buf_add_sv(json, tail))
            gw_socket_ack(s, e->ack_id, buf_view(json), e->attachments, e->nattachments);
    }
}

static bool on_event(void *ctx, struct gw_socket *s, const struct gw_event *e)
{
    struct buf json;
    (void)ctx;
    buf_init(&json, MAX_JSON);
    bool known = sv_eq(e->name, SV("message")) || sv_eq(e->name, SV("message-with-ack"));
    if (known && sv_eq(gw_socket_nsp(s), SV("/"))) answer(s, e, &json);
    buf_fini(&json);
    return true;
}

int main(int argc, char **argv)
{
    static const struct gw_upper upper = {opened, message, closed};
    static const struct gw_handler handler = {.connect = on_connect, .event = on_event};
    static const char *const settings[] = {"socketio.connect_timeout=1000",
                                           "socketio.namespaces=/,/custom", NULL};
    return fixture_main(argc, argv, settings, &handler, &upper);
}
