/* What gateways (and Node servers) of a cluster ask each other: where sockets are, what rooms there
 * are, to join, leave or disconnect them, to ask clients for acks, and events between servers. Both
 * sides: for handlers, who ask here, and for the bus, whose requests are answered here.
 *
 * Source: @socket.io/redis-adapter 8.3 (types 0 to 9). One difference: an answer that does not come
 * does not spoil the others; who was silent is named. */
#ifndef PEAL_GW_CLUSTER_H
#define PEAL_GW_CLUSTER_H

#include "gw_handler.h"

struct gw_cluster;

/* What has come when all have answered or the time is up. Good during the call. */
struct gw_answers {
    /* What a part is, depends on the question: a JSON array for each node (sockets, rooms, ids), or
     * one JSON value for each node or client ("null" for undefined). */
    const struct str_view *parts;
    size_t nparts;
    /* The attachments that part i's placeholders refer to (acks of a broadcast may have some). */
    const struct gw_binary {
        const struct str_view *v;
        unsigned n;
    } * binary;
    bool is_complete; /* all nodes have answered, and all clients */
    const char *why;  /* why not; "" if complete */
    /* Gateways that have not answered; Node servers cannot be named. */
    const struct str_view *silent;
    size_t nsilent;
    size_t nunnamed;
};
/* Called exactly once, never from within the function that was given it. */
typedef void (*gw_answers_cb)(void *arg, const struct gw_answers *a);

/* --- for handlers. timeout_ms 0: bus.request_timeout. */

/* Sockets of all nodes enter or leave rooms, or are disconnected. done (may be NULL): on the bus? */
void gw_cluster_join(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                     const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg);
void gw_cluster_leave(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                      const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg);
void gw_cluster_disconnect(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                           bool close, bus_done_cb done, void *arg);

/* Parts: arrays of {"id","handshake","rooms","data"}. */
void gw_cluster_fetch(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                      uint64_t timeout_ms, gw_answers_cb cb, void *arg);
/* Parts: arrays of room names. */
void gw_cluster_rooms(struct gateway *gw, struct str_view nsp, uint64_t timeout_ms,
                      gw_answers_cb cb, void *arg);
/* Parts: arrays of socket ids. Nodes of adapter 8 answer this too, though they no longer ask it. The
 * wire has no except here: it does not count. */
void gw_cluster_ids(struct gateway *gw, struct str_view nsp, const struct bus_target *which,
                    uint64_t timeout_ms, gw_answers_cb cb, void *arg);
/* An event for the other servers' handlers (serverSideEmit). json: ["event", …]. cb NULL: no answers
 * are asked for. Parts: one value for each other node. */
void gw_cluster_emit(struct gateway *gw, struct str_view nsp, struct str_view json,
                     uint64_t timeout_ms, gw_answers_cb cb, void *arg);
/* An event for clients of all nodes, who are asked for acks. Parts: each client's first argument, in
 * order of arrival. */
void gw_cluster_broadcast(struct gateway *gw, struct str_view nsp, const struct bus_target *to,
                          struct str_view json, const struct str_view *attachments, unsigned n,
                          uint64_t timeout_ms, gw_answers_cb cb, void *arg);

/* Answers another server's event (gw_handler.server_event). json: one value. Ends ask. */
void gw_cluster_answer(struct gateway *gw, struct gw_cluster_ask *ask, struct str_view json);
/* Ends ask without an answer; who asks then waits for its time-out. */
void gw_cluster_ignore(struct gw_cluster_ask *ask);

/* --- for gw_server.c */

struct gw_cluster *gw_cluster_new(struct gateway *gw);
/* Tells those who wait for answers what has come so far; before the bus goes. */
void gw_cluster_stop(struct gw_cluster *c);
void gw_cluster_free(struct gw_cluster *c);
/* bus_events; arg is the gateway. */
void gw_cluster_on_request(const struct bus_request *r, void *arg);
void gw_cluster_on_response(const struct bus_response *r, void *arg);

#endif
