/* WebSockets by libwebsockets: the only module that knows it.
 *
 * It takes over a descriptor whose upgrade request has been read and checked, and from then on
 * frames, control frames and the close handshake are its own. Messages go up whole; output goes
 * down as ready frames (eio_msg.h). It keeps no queue: the owner writes only when
 * gw_ws_is_writable(). */
#ifndef PEAL_GW_WS_H
#define PEAL_GW_WS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/close_reason.h"
#include "util/buf.h"
#include "util/str_view.h"

struct gw_ws;
struct gw_ws_context;
struct loop;

/* Events of a WebSocket for its owner. Any of them may call gw_ws_close(); none may free the owner.
 */
struct gw_ws_events {
    /* The handshake is done; told from within gw_ws_adopt(), before any message. */
    void (*opened)(void *owner, struct gw_ws *ws);
    void (*message)(void *owner, struct gw_ws *ws, bool binary, struct str_view data);
    /* What could not be written at once has left. */
    void (*writable)(void *owner, struct gw_ws *ws);
    /* Gone; ws is invalid afterwards. Not told after gw_ws_close(). */
    void (*closed)(void *owner, struct gw_ws *ws, enum close_reason reason);
};

#define GW_WS_CLOSE_NONE 0 /* a close frame without a code, as the reference sends */
#define GW_WS_CLOSE_GOING_AWAY 1001

/* max_message: bytes of a message; longer ones close with 1009. Gives: gw_ws_context_free. */
struct gw_ws_context *gw_ws_context_new(struct loop *loop, size_t max_message,
                                        const struct gw_ws_events *events);
void gw_ws_context_free(struct gw_ws_context *cx);
/* Turn-end work: input that libwebsockets holds back, sockets whose close takes too long. */
bool gw_ws_context_phase(struct gw_ws_context *cx);
/* WebSockets that live, those in their close handshake too. */
unsigned gw_ws_context_count(const struct gw_ws_context *cx);

/* Completes the handshake on fd and makes a WebSocket of it. Takes fd, also on failure. key:
 * Sec-WebSocket-Key. headers: further header lines of the 101 answer, each with its CRLF. rest:
 * bytes that came behind the request. writes_at_once: the owner writes in this turn, and the answer
 * waits for that. NULL: the peer is gone. events may be told from within. */
struct gw_ws *gw_ws_adopt(struct gw_ws_context *cx, int fd, struct str_view key,
                          struct str_view headers, struct str_view rest, bool writes_at_once,
                          void *owner);
/* Messages may have at most this many bytes from now on; at first it is the context's max_message.
 */
void gw_ws_set_limit(struct gw_ws *ws, size_t max_message);
/* Nothing of earlier writes waits. */
bool gw_ws_is_writable(const struct gw_ws *ws);
/* Writes ready frames. What does not fit into the socket is kept (copied) and sent later. False:
 * broken; closed() has been or will be told. */
bool gw_ws_write(struct gw_ws *ws, struct str_view frames);
/* Starts the close handshake and forgets the owner. code: one of the above. */
void gw_ws_close(struct gw_ws *ws, unsigned code);

#endif
