/* A client in a namespace: Socket.IO's socket. States: PENDING (event-mode authentication
 * outstanding: in no room, hears nothing), READY, GONE (freed at the turn's end). */
#ifndef PEAL_GW_SOCKET_H
#define PEAL_GW_SOCKET_H

#include "gw_conn.h"
#include "gw_handler.h"
#include "gw_nsp.h"

struct gw_membership {
    struct gw_room *room;
    uint32_t index; /* in the room's members */
};

struct gw_admission;
struct gw_telling;
struct gw_ack; /* an answer outstanding; gw_acks.c */

enum gw_socket_state { GW_SOCKET_PENDING, GW_SOCKET_READY, GW_SOCKET_GONE };

struct gw_socket {
    UT_hash_handle hh; /* namespace's by_id */
    struct gw_nsp *nsp;
    struct gw_conn *conn;
    struct gw_socket *next;       /* connection's list; then the gateway's list of the gone */
    struct gw_identity *identity; /* NULL without authentication */
    char *data;                   /* JSON that application code has set; NULL: none */
    struct gw_membership *rooms;  /* `first_room`, or memory of its own */
    struct gw_membership first_room;
    uint32_t nrooms, cap_rooms;
    uint32_t index;  /* in the namespace's walk list */
    uint32_t serial; /* tells sockets that had the same id one after the other (Engine.IO 3) */
    uint64_t mark;   /* number of the last fan-out that met this socket */
    uint8_t state;
    uint8_t auth_from;     /* enum gw_auth_source */
    bool warned : 1;       /* token_expiring has been sent for this identity */
    bool is_admitting : 1; /* PENDING, but only until the bus hears for it */
    bool is_told : 1;      /* workers know its connect, and are owed its disconnect */
    uint8_t nwaiting;      /* commands that wait for that; gw_node_cmd.c */
    uint16_t nacks;        /* outstanding */
    uint16_t id_len;
    struct wheel_entry timer; /* authentication deadline, expiry warning or expiry */
    struct gw_ack *acks;
    struct gw_admission *asked; /* a worker is; gw_ask.c */
    struct gw_telling *telling; /* its connect is on its way to the workers; gw_work.c */
    uint64_t connected_at;
    char id[]; /* no NUL */
};

/* Longest id: "<namespace>#<Engine.IO sid>". */
#define GW_SOCKET_ID_MAX (GW_NSP_MAX + 1 + ID_LEN)

/* Makes a socket of a connection in a namespace, PENDING. Its id is new; or, as old clients compute
 * it for themselves, the Engine.IO sid, with the namespace and a '#' before it unless that is "/". */
struct gw_socket *gw_socket_new(struct gw_conn *c, struct gw_nsp *nsp);
struct gw_socket *gw_socket_of(struct gw_conn *c, struct str_view nsp);
/* PENDING or READY, and no other than the one that had this serial. */
struct gw_socket *gw_socket_find_same(struct gateway *gw, struct str_view nsp, struct str_view id,
                                      uint64_t serial);
/* PENDING → READY: in the walk list, in user:<sub> and the rooms of the claim. identity: a new
 * reference is held; may be NULL. */
void gw_socket_admit(struct gw_socket *s, struct gw_identity *identity);
/* Each room that a token's holder is put in: user:<sub> and those of the claim. id may be NULL. */
typedef void (*gw_room_cb)(struct str_view room, void *arg);
void gw_socket_each_identity_room(const struct gw_identity *id, gw_room_cb act, void *arg);
/* Another token of the same user: rooms of the claim follow it. */
void gw_socket_renew(struct gw_socket *s, struct gw_identity *identity);
/* The end: out of all rooms and indexes, handler told, outstanding acks failed. Sends nothing. */
void gw_socket_end(struct gw_socket *s, enum close_reason reason);
/* Says DISCONNECT to the client, then ends it. */
void gw_socket_kick(struct gw_socket *s, enum close_reason reason);
/* The answer to CONNECT. */
void gw_socket_say_connected(struct gw_socket *s);
/* One packet to this client: head by type, then json. id may be NULL. */
void gw_socket_send(struct gw_socket *s, int sio_type, const uint64_t *id, struct str_view json,
                    const struct str_view *attachments, unsigned n);
/* Frees the gone, at the turn's end. */
void gw_socket_reap(struct gateway *gw);

/* The client has been, or will be, asked for an ack with this id: cb is called exactly once. False: it
 * owes GW_ACKS_MAX already, and cb is not called. */
#define GW_ACKS_MAX 1000
bool gw_acks_expect(struct gw_socket *s, uint64_t id, uint64_t timeout_ms, gw_ack_cb cb, void *arg);
/* An ACK packet came from the client. */
void gw_acks_answer(struct gw_socket *s, uint64_t id, struct str_view args,
                    const struct str_view *attachments, unsigned n);
/* Answers, if the client asked for one: {"status":"ok"}, or
 * {"status":"error","code":…,"message":…}. */
void gw_acks_send_ok(struct gw_socket *s, const struct gw_event *e);
void gw_acks_send_error(struct gw_socket *s, const struct gw_event *e, const char *code,
                        const char *message);
/* Fails all that are outstanding. */
void gw_acks_fail_all(struct gw_socket *s);

#endif
