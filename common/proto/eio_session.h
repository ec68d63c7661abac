/* An Engine.IO session (version 4 or 3) as a state machine without I/O: heartbeat, polling rules,
 * upgrade, close. The versions differ in who pings; all else is the same.
 *
 * It is told what arrives and what time it is, and answers through one table of functions. It owns
 * no queue and no transport: the caller (the connection) does, and asks eio_session_deadline() when
 * to call eio_session_tick(). Source: engine.io-protocol v4 and v3, engine.io 6.6; sentences quoted
 * in the .c.
 *
 *   OPEN ── close(), when a polling client must wait for its next poll to be told ──▶ CLOSING
 *     │                                                                                  │
 *     │ lost, bad packet, no pong, close()              next poll, its close, or time out│
 *     └────────────────────────────────────▶ CLOSED ◀────────────────────────────────────┘
 */
#ifndef PEAL_PROTO_EIO_SESSION_H
#define PEAL_PROTO_EIO_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/close_reason.h"
#include "proto/eio_packet.h"

struct eio_session;

/* Shared by all sessions of a server. Milliseconds. */
struct eio_settings {
    uint64_t ping_interval, ping_timeout, upgrade_timeout, close_timeout;
};

/* What the session asks of its connection. None may free the session; those marked may call back
 * into it. */
struct eio_session_ops {
    /* Queue a control packet (ping, pong, noop, close) on the session's transport. */
    void (*send)(struct eio_session *s, enum eio_type type);
    /* Answer "3probe" on the probing WebSocket. */
    void (*probe_pong)(struct eio_session *s);
    /* Close the probing WebSocket; the session has forgotten it. */
    void (*probe_close)(struct eio_session *s);
    /* The probing WebSocket is the transport from now on. A pending poll is the caller's to answer.
     */
    void (*upgraded)(struct eio_session *s);
    /* A message for the layer above. May call eio_session_close(). */
    void (*message)(struct eio_session *s, bool binary, struct str_view data);
    /* The end, told once. What was sent before is still to be delivered if the transport can. */
    void (*closed)(struct eio_session *s, enum close_reason reason);
    /* The end is decided, but a polling client is still to be told: closed() follows, with the same
     * reason. Nothing more comes from the client. */
    void (*closing)(struct eio_session *s, enum close_reason reason);
};

enum eio_state { EIO_STATE_OPEN, EIO_STATE_CLOSING, EIO_STATE_CLOSED };
enum eio_transport { EIO_POLLING, EIO_WEBSOCKET };
enum eio_version { EIO_V3 = 3, EIO_V4 = 4 };
enum eio_probe { EIO_PROBE_NONE, EIO_PROBE_OPEN, EIO_PROBE_PROBED };

/* Embedded in the connection; read freely, changed only by the functions below. */
struct eio_session {
    const struct eio_settings *set;
    const struct eio_session_ops *ops;
    uint64_t heartbeat_at; /* next ping, or the last moment for a pong; of V3, for a ping */
    uint64_t probe_at;     /* next noop for a pending poll while probing; 0: none */
    uint64_t limit_at; /* end of the probe (OPEN) or of the wait for a poll (CLOSING); 0: none */
    uint8_t state, transport, probe;
    bool awaits_pong, pong_extended, poll_pending;
    uint8_t close_reason; /* while CLOSING */
    uint8_t version;
};

void eio_session_init(struct eio_session *s, const struct eio_settings *set,
                      const struct eio_session_ops *ops, enum eio_version version,
                      enum eio_transport transport, uint64_t now);

/* A packet from the session's transport. */
void eio_session_packet(struct eio_session *s, const struct eio_packet *p, uint64_t now);
/* Bytes from the session's transport that are no packet. */
void eio_session_bad_packet(struct eio_session *s);
/* The transport broke or the peer left. */
void eio_session_lost(struct eio_session *s, enum close_reason reason);

/* A GET arrived on a polling session. True: hold it (poll_pending is set), the caller answers it
 * once something is queued. False: it overlaps another one; refuse it (the session is closed now).
 * queue_is_empty: nothing waits to be sent. */
bool eio_session_poll_begin(struct eio_session *s, bool queue_is_empty);
/* The pending GET has been answered. */
void eio_session_poll_answered(struct eio_session *s);

/* A WebSocket with this sid arrived. True: it may probe. False: complete its handshake and close
 * it. */
bool eio_session_probe_open(struct eio_session *s, uint64_t now);
/* A text packet on the probing WebSocket; p NULL: something else. */
void eio_session_probe_packet(struct eio_session *s, const struct eio_packet *p, uint64_t now);
void eio_session_probe_lost(struct eio_session *s);

/* Ends the session from this side. On polling the client must be told by an answer that holds
 * nothing but the close: with a pending GET and nothing queued that is at once; else the session
 * goes on as CLOSING, delivers its queue, and tells on the next poll. (A client that gets messages
 * and the close in one payload drops the messages.) Inbound packets are ignored meanwhile. */
void eio_session_close(struct eio_session *s, enum close_reason reason, bool queue_is_empty,
                       uint64_t now);

/* The next moment eio_session_tick() must be called; UINT64_MAX: never. */
uint64_t eio_session_deadline(const struct eio_session *s);
void eio_session_tick(struct eio_session *s, uint64_t now);

#endif
