/* The fixture of the Engine.IO test suites: sends every message back as it came.
 *
 *   eio-echo PORT          version 4
 *   eio-echo --eio3 PORT   versions 3 and 4 */

/* System */
#include <string.h>
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
    static const char *const settings[] = {"gateway.path=/engine.io/", "gateway.allow_eio3=true",
                                           NULL};
    static const char *const v4_settings[] = {"gateway.path=/engine.io/", NULL};
    bool is_v3 = argc > 1 && strcmp(argv[1], "--eio3") == 0;
    if (is_v3) { /* what is left is as without it */
        argv[1] = argv[0];
        argv++;
        argc--;
    }
    return fixture_main(argc, argv, is_v3 ? settings : v4_settings, NULL, &echo);
}
