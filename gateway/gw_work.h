/* What the gateway tells workers: events by route, and which sockets come and go
 * (cluster/work_out.h). What they answer comes as commands (gw_node_cmd.h).
 *
 * The way is open only if configuration has a use for it; without Redis it leads to a worker in this
 * process, if one has attached. */
#ifndef PEAL_GW_WORK_H
#define PEAL_GW_WORK_H

#include "cluster/work_out.h"
#include "gw_socket.h"

/* False with *err filled if the configuration cannot be used. Again behind a reload, which may have
 * brought the first use. */
bool gw_work_open(struct gateway *gw, struct cfg_error *err) MUST_CHECK;
/* Turn-end phase. True: more work is left. */
bool gw_work_phase(struct gateway *gw);
/* When no socket is left. */
void gw_work_close(struct gateway *gw);
/* One line that says why this gateway can be of no use as it is configured; NULL: it can, or has been
 * already. Lends. */
const char *gw_work_refusal(const struct gateway *gw);

/* An event of a `worker` route. It is the handlers who ack it, unless it cannot be handed over. */
void gw_work_event(struct gw_socket *s, const struct gw_event *e);

/* Are workers told the connects and disconnects of this namespace? */
bool gw_work_tells(const struct gateway *gw, struct str_view nsp);
/* The connect of a socket that is in. auth: the CONNECT packet's payload. */
void gw_work_connect(struct gw_socket *s, struct str_view auth);
/* The connect of a socket that waits for an answer (gw_ask.h), who it will be included. False: there is
 * no way to workers. gw_ask_not_asked() is told if it cannot be handed over. */
bool gw_work_ask(struct gw_socket *s, const struct gw_identity *identity,
                 struct str_view auth) MUST_CHECK;
/* The end of a socket; nothing if workers were not told its connect. identity: who it is, or would have
 * been; may be NULL. */
void gw_work_disconnect(struct gw_socket *s, const struct gw_identity *identity,
                        enum close_reason reason);
/* It has other data: what is owed to workers if this gateway dies has that, too. */
void gw_work_data_changed(struct gw_socket *s);
/* Workers have refused its connect: they are told no disconnect. */
void gw_work_forget(struct gw_socket *s);

/* What a client is told if something of it cannot be handed over; code and message. */
struct gw_work_excuse {
    const char *code, *message;
};
struct gw_work_excuse gw_work_excuse(enum work_outcome outcome);

#endif
