/* The fixture of the Socket.IO test suite, as a handler: "auth" at connect, "message" comes back as
 * "message-back", "message-with-ack" is acked with its arguments. */

/* Util */
#include "util/buf.h"
/* Gateway */
#include "gateway/gw_handler.h"
/* This process */
#include "fixture.h"

#define MAX_JSON (2u << 20)

static void on_connect(void *ctx, struct gw_socket *s, struct str_view auth)
{
    struct buf json;
    (void)ctx;
    buf_init(&json, MAX_JSON);
    if (buf_add_sv(&json, SV("[\"auth\",")) && buf_add_sv(&json, auth) && buf_add_char(&json, ']'))
        gw_socket_emit(s, buf_view(&json), NULL, 0);
    buf_fini(&json);
}

/* The text behind the event's name: ",…]" or "]". The name holds no escapes here. */
static struct str_view tail_of(const struct gw_event *e)
{
    size_t quote = sv_find(e->args, '"');
    return sv_skip(e->args, quote + e->name.n + 2);
}

static bool on_event(void *ctx, struct gw_socket *s, const struct gw_event *e)
{
    struct buf json;
    struct str_view tail = tail_of(e);
    (void)ctx;
    if (!sv_eq(gw_socket_nsp(s), SV("/"))) return true;
    buf_init(&json, MAX_JSON);
    if (sv_eq(e->name, SV("message"))) {
        if (buf_add_sv(&json, SV("[\"message-back\"")) && buf_add_sv(&json, tail))
            gw_socket_emit(s, buf_view(&json), e->attachments, e->nattachments);
    } else if (sv_eq(e->name, SV("message-with-ack")) && e->wants_ack) {
        if (tail.n && tail.p[0] == ',') tail = sv_skip(tail, 1);
        if (buf_add_char(&json, '[') && buf_add_sv(&json, tail))
            gw_socket_ack(s, e->ack_id, buf_view(&json), e->attachments, e->nattachments);
    }
    buf_fini(&json);
    return true;
}

int main(int argc, char **argv)
{
    static const struct gw_handler handler = {.connect = on_connect, .event = on_event};
    static const char *const settings[] = {"socketio.connect_timeout=1000",
                                           "socketio.namespaces=/,/custom", NULL};
    return fixture_main(argc, argv, settings, &handler, NULL);
}
