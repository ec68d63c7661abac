/* The seam for application logic in C: what a handler is told, and what it may do. Workers stand on
 * this.
 *
 * Everything runs in the gateway's loop, one call at a time; nothing here blocks. A struct
 * gw_socket pointer is good until the disconnect call for it returns; keep ids, not pointers, for
 * later. Event arguments are the JSON text the client sent, proved valid; a handler parses them
 * with what it likes. Functions copy what they are given. When the gateway is freed those who wait are
 * told so, and what a handler publishes or asks from then on is dropped, its callbacks with it. */
#ifndef PEAL_GW_HANDLER_H
#define PEAL_GW_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/bus.h"
#include "cluster/questions.h"
#include "proto/close_reason.h"
#include "util/str_view.h"

struct cfg_error;
struct gateway;
struct gw_cluster_ask;
struct gw_socket;
struct loop;
struct prom_text;
struct work_out;

struct gw_event {
    struct str_view name;               /* characters of the event's name; a number as its digits */
    struct str_view args;               /* JSON array, the name first */
    const struct str_view *attachments; /* binary that placeholders in args refer to */
    unsigned nattachments;
    bool wants_ack;
    uint64_t ack_id; /* for gw_socket_ack() */
};

struct gw_handler {
    void *ctx;
    /* A socket has joined its namespace and, unless auth.mode is none, is authenticated. auth: the
     * CONNECT packet's payload, a JSON object, "{}" if absent. */
    void (*connect)(void *ctx, struct gw_socket *s, struct str_view auth);
    /* True: handled. False: the configured routes decide. Asked for every event of an authenticated
     * socket but `authenticate`. */
    bool (*event)(void *ctx, struct gw_socket *s, const struct gw_event *e);
    /* The socket is gone; its rooms are still known. */
    void (*disconnect)(void *ctx, struct gw_socket *s, enum close_reason reason);
    /* Another server's event for the servers of a namespace (serverSideEmit). json: ["event", …].
     * ask: NULL if no answer is wanted, else to be ended by gw_cluster_answer(), now or later. */
    void (*server_event)(void *ctx, struct gateway *gw, struct str_view nsp, struct str_view json,
                         struct gw_cluster_ask *ask);

    /* What lives beside the gateway in its loop: a worker. Any may be NULL.
     * The gateway has a bus and a way to workers, and accepts nobody yet. False with *err filled: the
     * program ends with that. */
    bool (*open)(void *ctx, struct gateway *gw, struct loop *loop, struct cfg_error *err);
    /* At each turn's end, before the bus's phase. True: more work is left. */
    bool (*flush)(void *ctx);
    /* The gateway stops and has no client left; asked in each turn's end until the answer is true: nothing is
     * in hand any more. gateway.shutdown_timeout ends that, too. */
    bool (*finish)(void *ctx);
    /* Appends metrics of its own to the gateway's. */
    void (*metrics)(void *ctx, struct prom_text *p);
    /* If open was good: the last call, before the way to workers and the bus go. */
    void (*close)(void *ctx);
};

/* An answer from a client, or why there is none: args is a JSON array, or empty if the time is up
 * or the socket gone. */
typedef void (*gw_ack_cb)(void *arg, bool answered, struct str_view args,
                          const struct str_view *attachments, unsigned n);

/* The socket with this id in this namespace, or NULL. */
struct gw_socket *gw_socket_find(struct gateway *gw, struct str_view nsp, struct str_view id);
struct str_view gw_socket_id(const struct gw_socket *s);
struct str_view gw_socket_nsp(const struct gw_socket *s);
struct gateway *gw_socket_gateway(const struct gw_socket *s);
/* The token's subject and its claims (JSON object); "" and "{}" without authentication. */
struct str_view gw_socket_user(const struct gw_socket *s);
struct str_view gw_socket_claims(const struct gw_socket *s);
/* What application code keeps with a socket: JSON, "null" at first. Lends, until it is set again. Other
 * nodes see it in the answer to questions_fetch(). False: no JSON, longer than GW_DATA_MAX, or nested
 * deeper than nodes take from each other (socketio.max_json_depth). */
#define GW_DATA_MAX 65536
struct str_view gw_socket_data(const struct gw_socket *s);
bool gw_socket_set_data(struct gw_socket *s, struct str_view json);
bool gw_socket_is_in(const struct gw_socket *s, struct str_view room);

/* json: array with the event name first; n attachments for its placeholders. */
void gw_socket_emit(struct gw_socket *s, struct str_view json, const struct str_view *attachments,
                    unsigned n);
/* The same with an answer asked for; cb is called exactly once, within timeout_ms. If the client is gone
 * or owes a thousand answers already, nothing is sent and cb is called at once. */
void gw_socket_emit_ack(struct gw_socket *s, struct str_view json,
                        const struct str_view *attachments, unsigned n, uint64_t timeout_ms,
                        gw_ack_cb cb, void *arg);
/* Answers a client's event. json: array of arguments. */
void gw_socket_ack(struct gw_socket *s, uint64_t ack_id, struct str_view json,
                   const struct str_view *attachments, unsigned n);
/* False: the room's name is not allowed (empty, too long, control characters) or there are too
 * many. */
bool gw_socket_join(struct gw_socket *s, struct str_view room);
void gw_socket_leave(struct gw_socket *s, struct str_view room);
/* Ends the socket, or with close its whole connection. */
void gw_socket_disconnect(struct gw_socket *s, bool close);

/* For asking the cluster, this gateway included. */
struct questions *gw_questions(struct gateway *gw);
/* For who lives beside it (open): the bus, and the way to workers (NULL: none). */
struct bus *gw_bus(struct gateway *gw);
struct work_out *gw_work_out(struct gateway *gw);

/* Publishes on the bus; done (may be NULL) says what became of it. */
void gw_broadcast(struct gateway *gw, struct str_view nsp, const struct bus_target *to,
                  struct str_view json, const struct str_view *attachments, unsigned n,
                  bus_done_cb done, void *arg);

#endif
