/* The gateway: one object that owns the listener, the connections, the namespaces and the lists
 * that the turn's end works through. This header is for the gateway's own modules; programs use
 * gw_server.h and applications gw_handler.h. */
#ifndef PEAL_GW_H
#define PEAL_GW_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/bus.h"
#include "cluster/cfg.h"
#include "io/loop.h"
#include "proto/eio_session.h"
#include "util/id.h"
#include "util/log.h"
/* Gateway */
#include "gw_drain.h"
#include "gw_tally.h"

struct admin;
struct gw_api;
struct gw_auth;
struct gw_conn;
struct gw_family;
struct gw_handler;
struct gw_handover;
struct gw_http;
struct gw_http_events;
struct gw_nsp;
struct gw_ws_context;
struct gw_listener;
struct gw_node_cmds;
struct gw_routes;
struct eio_msg;
struct questions;
struct work_out;

/* The layer above Engine.IO: Socket.IO, or a test's echo. */
struct gw_upper {
    /* A session has been opened; its "open" packet is queued already. */
    void (*opened)(struct gw_conn *c);
    /* A message. May call gw_conn_close(). */
    void (*message)(struct gw_conn *c, bool binary, struct str_view data);
    /* The session has ended; told once. The connection is freed at the turn's end. */
    void (*closed)(struct gw_conn *c, enum close_reason reason);
};

struct gateway {
    const struct cfg *cfg; /* borrowed for the gateway's life */
    struct loop *loop;     /* borrowed */
    char node[ID_NODE_LEN];
    struct eio_settings eio;
    const struct gw_upper *upper;
    const struct gw_http_events *http_events;
    const struct gw_handler *handler; /* may be NULL */
    bool handler_is_open;             /* and owed its close */
    struct bus *bus;
    struct questions *questions;    /* to the cluster */
    struct gw_node_cmds *node_cmds; /* from workers */
    struct work_out *work;          /* to workers; NULL: configuration has no use for it */
    struct gw_nsp **fixed_nsps; /* those that configuration names in full, held from the start */
    size_t nfixed_nsps;
    struct gw_auth *auth;
    struct gw_routes *routes;
    struct gw_ws_context *ws;
    struct gw_listener *listener; /* NULL once stopping */
    struct admin *admin;          /* NULL: none */
    struct gw_api *api;
    const struct gw_family *family; /* several processes share the port; borrowed; NULL: alone */
    struct gw_handover *handover;   /* NULL: alone */

    struct gw_conn *conns; /* uthash by sid */
    struct gw_nsp *nsps;   /* uthash by name */
    struct gw_http *https; /* list of HTTP connections */
    unsigned nhttps, nconns, nsockets, nrooms;

    struct gw_conn *dirty_conns; /* have something to write; see gw_conn.c */
    struct gw_conn *dead_conns;  /* closed in this turn, freed at its end */
    struct gw_conn *stuck_conns; /* took less than they were given; see gw_conn_sweep() */
    struct gw_http *dirty_https;
    struct gw_http *dead_https;

    bool bus_waits;    /* something was published behind the bus's phase of this turn */
    bool work_waits;   /* … handed to workers behind the phase for that */
    uint64_t fan_mark; /* number of the current fan-out; see gw_fanout.c */
    bool stopping;     /* accepts nobody any more */
    bool is_refused;   /* others do not agree with its configuration: it ends with status 1 */
    bool is_ending;    /* being freed: what handlers still ask for is not heard */
    struct gw_drain drain;
    struct gw_socket *gone_sockets; /* freed at the turn's end */
    struct wheel_entry sweep;       /* slow consumers, once a second */
    int64_t started_s;              /* since 1970 */
    struct gw_counters count;
    struct gw_gauges gauge;
};

#endif
