/* A client connection: an Engine.IO session, the transports that carry it, and the queue of what
 * waits for the client.
 *
 * It moves bytes between transports and the upper layer and decides who is too slow. It knows no
 * namespaces and no tokens, though it keeps fields for the upper layer. Life: new → (turns) →
 * closed → end of turn → freed; nothing else frees it. */
#ifndef PEAL_GW_CONN_H
#define PEAL_GW_CONN_H

#include <netinet/in.h>

#include "proto/eio_msg.h"
#include "proto/sio_packet.h"
#include "util/table.h"
/* Gateway */
#include "gw.h"
#include "gw_queue.h"
#include "gw_token.h"
#include "gw_ws.h"

struct gw_http;
struct gw_identity;
struct gw_socket;

/* How a client speaks, as the query of the request says that opens a transport. */
struct gw_wire {
    uint8_t version;   /* enum eio_version; 0: one that is not served */
    bool b64;          /* binary comes as base64 text */
    bool is_bad_jsonp; /* the number below does not read as one */
    uint32_t jsonp;    /* polling answers are scripts for the callback of this number - 1; 0: not */
};

/* How messages are framed for a WebSocket. */
enum gw_ws_form { GW_WS_PLAIN, GW_WS_B64, GW_WS_V3, GW_WS_V3_B64, GW_WS_FORMS };

struct gw_conn {
    struct eio_session eio;
    struct gateway *gw;
    UT_hash_handle hh; /* gateway's conns, by sid */
    char sid[ID_LEN];
    uint32_t jsonp;           /* as in struct gw_wire, of the handshake */
    struct wheel_entry timer; /* the session's next deadline */

    struct gw_ws *ws, *probe;   /* current and upgrading WebSocket */
    struct gw_http *get, *post; /* held poll; POST whose body is being read */

    struct gw_queue queue; /* what waits for the client */
    size_t front_done;     /* bytes of the oldest message that have left (WebSocket) */
    uint64_t progress_at;  /* when the client last took something, or had nothing waiting */

    struct gw_conn *dirty_next, *dead_next;
    struct gw_conn *stuck_prev, *stuck_next; /* the gateway's list of those that did not take all */
    bool is_dirty, is_dead, is_corked;
    bool handshake_answered : 1;
    bool poll_b64 : 1;  /* V3: the polling client takes no binary payloads */
    bool is_listed : 1; /* on the list of the stuck */
    bool is_over;       /* the upper layer has been told the end */
    uint8_t ws_form;    /* enum gw_ws_form, of the current or the upgrading WebSocket */
    uint8_t reason;     /* enum close_reason, once dead */
    uint8_t doom;       /* enum close_reason to close with at the turn's end; 0: none */

    uint8_t addr[16]; /* peer, IPv4 mapped into IPv6 */

    /* --- the upper layer's (Socket.IO) */
    struct gw_socket *sockets;        /* list */
    struct sio_assembler *assembler;  /* while a binary packet waits for attachments */
    struct wheel_entry connect_timer; /* until the first namespace is joined */
    char *token;                      /* from the handshake request, until it has been verified */
    struct gw_identity *identity;     /* from that token */
    uint32_t pending_bytes, pending_packets; /* spent before authentication */
    bool is_trusted;    /* some socket is authenticated: the budget above is lifted */
    uint8_t token_from; /* enum gw_auth_source of token and identity */
    uint16_t joins;     /* CONNECT packets in the second that began at joins_since */
    uint64_t joins_since;
};

/* A session on polling (http: the handshake GET, which becomes the held poll) … */
struct gw_conn *gw_conn_new_polling(struct gateway *gw, struct gw_http *http,
                                    const struct gw_wire *wire, struct gw_token token);
/* … or a WebSocket first (http gives its descriptor away). Takes the
 * token. */
void gw_conn_new_ws(struct gateway *gw, struct gw_http *http, struct str_view key,
                    struct str_view headers, struct str_view rest, const struct gw_wire *wire,
                    struct gw_token token);
struct gw_conn *gw_conn_find(struct gateway *gw, struct str_view sid);

/* Requests of a polling session. The http object is answered now or later. */
void gw_conn_poll(struct gw_conn *c, struct gw_http *http);
/* False: refused because another POST is being read; both are answered, the session is closed. */
bool gw_conn_post_begin(struct gw_conn *c, struct gw_http *http);
void gw_conn_post_body(struct gw_conn *c, struct gw_http *http, struct str_view body);
void gw_conn_upgrade(struct gw_conn *c, struct gw_http *http, struct str_view key,
                     struct str_view headers, struct str_view rest, const struct gw_wire *wire);
/* The HTTP connection of a held poll or a half-read POST is gone. */
void gw_conn_http_lost(struct gw_conn *c, struct gw_http *http);

/* Queues a message (holds a reference of its own). A client with too much waiting is closed at the
 * turn's end. */
void gw_conn_send(struct gw_conn *c, struct eio_msg *m);
/* Could a message leave at once? For volatile ones. */
bool gw_conn_is_ready(const struct gw_conn *c);
/* While on, nothing is written; what is queued leaves together when it is taken off. */
void gw_conn_cork(struct gw_conn *c, bool on);
/* Ends the session; what is queued still goes out if the client can take it. */
void gw_conn_close(struct gw_conn *c, enum close_reason reason);
/* The same at the turn's end: for callers in the middle of a walk over sockets. */
void gw_conn_doom(struct gw_conn *c, enum close_reason reason);
/* Largest message accepted now: small until a socket is authenticated. */
size_t gw_conn_max_message(const struct gw_conn *c);
/* "websocket" or "polling". */
const char *gw_conn_transport(const struct gw_conn *c);
/* Text of the peer's address; at least INET6_ADDRSTRLEN bytes. */
void gw_conn_addr(const struct gw_conn *c, char *out, size_t size);

/* For gw_flush.c: the n oldest have left. */
void gw_conn_pop(struct gw_conn *c, uint32_t n);
/* For gw_poll.c: the held poll has been answered with all that was queued. */
void gw_conn_polled(struct gw_conn *c);

/* Turn-end: write what was queued, end what was closed. */
bool gw_conn_phase(struct gateway *gw);
/* Once a second: who has taken nothing for too long? */
void gw_conn_sweep(struct gateway *gw);
/* Dooms all, at shutdown; the closing ones go at once. */
void gw_conn_stop(struct gateway *gw);

extern const struct gw_ws_events gw_conn_ws_events;

#endif
