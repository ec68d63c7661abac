/* What a node asks a cluster of gateways and Node servers: where sockets are, what rooms there are, to
 * join, leave or disconnect them, to ask clients for acks, and events between servers. A gateway's
 * handlers ask here, and workers. How a gateway answers is its own affair (gateway/gw_cluster.h).
 *
 * Source: @socket.io/redis-adapter 8.3 (types 0 to 9). One difference: an answer that does not come
 * does not spoil the others; who was silent is named. */
#ifndef PEAL_CLUSTER_QUESTIONS_H
#define PEAL_CLUSTER_QUESTIONS_H

#include "cluster/answers.h"
#include "cluster/bus.h"
#include "cluster/cfg.h"
#include "util/wheel.h"

/* What whoever asks gives to this module. */
struct questions_owner {
    /* Milliseconds, those of the wheel. */
    uint64_t (*now)(void *arg);
    /* The bus has been given something to send at the turn's end. May be NULL. */
    void (*bus_waits)(void *arg);
    /* A namespace is asked: its answers are to be heard (bus_ops.enter) from hold, which gives what
     * let_go is given back, or NULL if the namespace may not be asked here. Both NULL: any may be, and
     * this module enters and exits itself (heard.h). */
    void *(*hold)(struct str_view nsp, void *arg);
    void (*let_go)(void *held, void *arg);
    /* This node's own list for a question of type BUS_REMOTE_FETCH, BUS_SOCKETS or BUS_ALL_ROOMS, as
     * JSON, appended to out: as much as fits. True: that was all. NULL: this node takes no requests
     * (bus_events.deliver is NULL), has no part in any answer and is not waited for. */
    bool (*put_own)(struct buf *out, const struct bus_request *r, void *arg);
};

struct questions;
/* All are borrowed for its life; cfg: bus.request_timeout. Gives: questions_free. */
struct questions *questions_new(const struct questions_owner *owner, void *arg, struct bus *bus,
                                struct wheel *wheel, const struct cfg *cfg);
/* Tells those who wait for answers what has come so far; what is asked from then on is dropped, its
 * callbacks with it. Before the bus goes. */
void questions_stop(struct questions *qs);
/* When it has been stopped and the bus has gone, which owes callbacks until then. NULL is fine. */
void questions_free(struct questions *qs);

/* --- asking. timeout_ms 0: bus.request_timeout. which NULL: all sockets of the namespace. */

/* Sockets of all nodes enter or leave rooms, or are disconnected. done (may be NULL): on the bus? */
void questions_join(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                    const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg);
void questions_leave(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                     const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg);
void questions_disconnect(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                          bool close, bus_done_cb done, void *arg);

/* Parts: arrays of {"id","handshake","rooms","data"}. */
void questions_fetch(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                     uint64_t timeout_ms, answers_cb cb, void *arg);
/* Parts: arrays of room names. */
void questions_rooms(struct questions *qs, struct str_view nsp, uint64_t timeout_ms, answers_cb cb,
                     void *arg);
/* Parts: arrays of socket ids. Nodes of adapter 8 answer this too, though they no longer ask it. The
 * wire has no except here: it does not count. */
void questions_ids(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                   uint64_t timeout_ms, answers_cb cb, void *arg);
/* An event for the other servers' handlers (serverSideEmit). json: ["event", …]. cb NULL: no answers
 * are asked for. Parts: one value for each other node. */
void questions_emit(struct questions *qs, struct str_view nsp, struct str_view json,
                    uint64_t timeout_ms, answers_cb cb, void *arg);
/* An event for clients of all nodes, who are asked for acks. Parts: each client's first argument, in
 * order of arrival. */
void questions_broadcast(struct questions *qs, struct str_view nsp, const struct bus_target *to,
                         struct str_view json, const struct str_view *attachments, unsigned n,
                         uint64_t timeout_ms, answers_cb cb, void *arg);

/* --- what comes back */

/* For bus_events.response. */
void questions_on_response(struct questions *qs, const struct bus_response *r);

/* For a node that takes requests, its own ones too: is it a question of this node's? */
struct question *questions_find(struct questions *qs, struct str_view id);
/* The question has come back to this node, who adds its part. */
void questions_add_own(struct question *q);
/* A node has said that n clients are asked for acks; uid: who. */
void questions_add_count(struct question *q, struct str_view uid, uint64_t n);
/* One client's ack: its first argument with attachments; or it will not come. */
void questions_add_ack(struct question *q, bool answered, struct str_view json,
                       const struct str_view *attachments, unsigned n);

#endif
