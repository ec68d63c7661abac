/* The fixture of the Engine.IO test suite: sends every message back as it came. */

/* Proto */
#include "proto/eio_msg.h"
/* Gateway */
#include "gateway/gw_conn.h"
/* This process */
#include "fixture.h"

static void opened(struct gw_conn *c)
{
    if (c->eio.transport == EIO_WEBSOCKET) fixture_pause(c);
}

static void message(struct gw_conn *c, bool binary, struct str_view data)
{
    struct eio_msg *m = binary ? eio_msg_new_binary(data) : eio_msg_new(data, SV(""), NULL, 0);
    gw_conn_send(c, m);
    eio_msg_rele(m);
}

static void closed(struct gw_conn *c, enum close_reason reason)
{
    (void)reason;
    fixture_forget(c);
}

int main(int argc, char **argv)
{
    static const struct gw_upper echo = {opened, message, closed};
    static const char *const settings[] = {"gateway.path=/engine.io/", NULL};
    return fixture_main(argc, argv, settings, NULL, &echo);
}
