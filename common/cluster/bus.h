/* The bus: how what one gateway says gets to every gateway that has clients for it.
 *
 * Bus order is delivery order: a gateway delivers a broadcast only when it comes back from the bus,
 * its own too, so all gateways show concurrent broadcasts in one order. One seam, several
 * implementations (bus_local: one process; bus_redis: any number). It carries broadcasts (bus_msg),
 * requests to all nodes and their answers (bus_request.h), and messages to one node. It knows no
 * sockets; the gateway tells it which namespaces and rooms it has members of (enter, join), and
 * only those are certain to be heard. */
#ifndef PEAL_CLUSTER_BUS_H
#define PEAL_CLUSTER_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/bus_request.h"
#include "util/buf.h"
#include "util/str_view.h"

#define BUS_VOLATILE 1u /* clients that cannot take it at once are skipped */

/* An event for a namespace or some of its rooms. Immutable, shared by reference; its text is JSON
 * that has been proved valid. */
struct bus_msg {
    unsigned refs;
    unsigned flags;
    struct str_view nsp;
    struct str_view json;          /* ["event", …], with placeholders if there are attachments */
    const struct str_view *rooms;  /* union; none: the whole namespace */
    const struct str_view *except; /* sockets in any of these rooms are skipped */
    const struct str_view *attachments; /* binary */
    unsigned nrooms, nexcept, nattachments;
};

struct bus_target;
/* A message of borrowed views, to look at or to copy. */
struct bus_msg bus_msg_view(struct str_view nsp, const struct bus_target *to, struct str_view json,
                            const struct str_view *attachments, unsigned n);
/* A copy of everything in one allocation, with one reference. from's refs is not looked at. */
struct bus_msg *bus_msg_new(const struct bus_msg *from);
struct bus_msg *bus_msg_hold(struct bus_msg *m);
void bus_msg_rele(struct bus_msg *m);

/* Who gets a broadcast: the union of the rooms, or the namespace if there are none, without sockets
 * in the excepted rooms. A socket's id is the name of a room with only it in it. */
struct bus_target {
    const struct str_view *rooms, *except;
    unsigned nrooms, nexcept;
    bool is_volatile;
};

/* What became of a publish, a request or a direct message. */
enum bus_outcome {
    BUS_TAKEN,     /* it is on the bus */
    BUS_REFUSED,   /* it is not: the bus is away for too long, or too much waits for it */
    BUS_TOO_LARGE, /* it is not: larger than bus.max_message */
    BUS_UNCERTAIN, /* the connection broke before the answer: it may be, and is never sent again */
    BUS_NOBODY,    /* direct: no node of that name hears it */
};

/* Told once. Never called from within the function that was given it. */
typedef void (*bus_done_cb)(enum bus_outcome outcome, void *arg);
struct bus_node;
/* How many nodes take requests for a namespace, this one included; below 0: could not be asked.
 * known: those of them that are gateways known by their heartbeats, without this one. */
typedef void (*bus_count_cb)(int64_t nodes, const struct bus_node *known, size_t nknown, void *arg);

/* What the bus tells its owner. Views are good during the call. None of them may free the bus. */
struct bus_events {
    /* A broadcast for local clients, the own ones included. NULL: this node has no clients (a worker).
     * Of a namespace that it enters it hears answers only, no broadcasts and no requests; it is not
     * counted among those that take requests, and not listed by bus_ops.nodes. */
    void (*deliver)(const struct bus_msg *m, void *arg);
    /* A request, the own ones included (r->uid is then the bus's own). */
    void (*request)(const struct bus_request *r, void *arg);
    /* An answer to a request of this node, or of another one: look at r->id. */
    void (*response)(const struct bus_response *r, void *arg);
    /* For this node alone (bus_ops.direct). NULL: it takes none. */
    void (*direct)(struct str_view bytes, void *arg);
    /* Messages may have been missed: the bus was deaf for about that long and hears again. */
    void (*gap)(uint64_t ms, void *arg);
    /* Appends what other programs should know about this node: JSON members, each with a comma
     * before it (",\"sockets\":5"). False if it does not fit. May be NULL. */
    bool (*describe)(struct buf *out, void *arg);
};

#define BUS_LAG_BUCKETS 12
/* Upper bounds of the lag histogram's buckets in microseconds; the last one is open. */
extern const uint32_t bus_lag_bounds[BUS_LAG_BUCKETS - 1];

/* For metrics, readiness and `peal status`. Written by the implementation only. */
struct bus_stats {
    uint64_t published, refused, too_large, uncertain, nobody; /* by outcome */
    uint64_t received, received_bytes; /* broadcasts, requests, responses, direct messages */
    uint64_t directs;                  /* of those, direct messages */
    uint64_t bad;                      /* of those, refused as malformed */
    uint64_t cut;                      /* answers that were too long to be whole */
    uint64_t connects, disconnects;    /* of either connection */
    uint64_t canaries_late, gaps, gap_ms;
    uint64_t lag[BUS_LAG_BUCKETS], lag_sum_us, lag_count; /* publish to receipt, by canary */
    uint64_t pending, pending_bytes;                      /* publishes that wait or are in flight */
    uint64_t channels;                                    /* subscribed */
    uint64_t canary_age_ms;                               /* since a canary was last heard */
};

/* Another gateway, as its heartbeat has it. */
struct bus_node {
    struct str_view id;
};

struct bus;
struct bus_ops {
    /* Takes the reference. done may be NULL. */
    void (*publish)(struct bus *b, struct bus_msg *m, bus_done_cb done, void *arg);
    /* This node has a namespace: its broadcasts, requests and answers are to be heard. Counted. */
    void (*enter)(struct bus *b, struct str_view nsp);
    void (*exit)(struct bus *b, struct str_view nsp);
    /* This node has a member of the room. Counted. */
    void (*join)(struct bus *b, struct str_view nsp, struct str_view room);
    void (*leave)(struct bus *b, struct str_view nsp, struct str_view room);
    /* Is all that was entered and joined so far being heard? */
    bool (*is_synced)(struct bus *b);
    /* Tells when it is (BUS_TAKEN), or that it is not within bus.pending_max_age (BUS_REFUSED). */
    void (*sync)(struct bus *b, bus_done_cb done, void *arg);
    /* To all nodes of r->nsp, this one included. Copies. done may be NULL. */
    void (*request)(struct bus *b, const struct bus_request *r, bus_done_cb done, void *arg);
    /* An answer to the node that asked. Copies. */
    void (*respond)(struct bus *b, const struct bus_response *r);
    void (*count)(struct bus *b, struct str_view nsp, bus_count_cb cb, void *arg);
    /* Bytes for one node (its uid), itself too. Copies. Ordered with what this node publishes. done
     * may be NULL; it is told BUS_NOBODY if no node of that name heard. */
    void (*direct)(struct bus *b, struct str_view node, struct str_view bytes, bus_done_cb done,
                   void *arg);
    /* Turn-end phase: sends what was published, delivers what came. True: more work is left. */
    bool (*flush)(struct bus *b);
    /* Why clients should not be sent here now; NULL: no reason. Static words. */
    const char *(*trouble)(struct bus *b);
    /* The ids of the gateways whose heartbeats were seen lately, this one (if it is one) included.
     * Lends. */
    const struct bus_node *(*nodes)(struct bus *b, size_t *n);
    /* No event and no done is called any more but those owed: they are told BUS_REFUSED. */
    void (*free)(struct bus *b);
};

/* The head of every implementation. */
struct bus {
    const struct bus_ops *ops;
    const struct bus_events *events;
    void *arg;
    struct str_view uid; /* names this node in requests: the gateway's node id */
    struct bus_stats stats;
};

/* The bus of one process: what is published in a turn is delivered at its end, in order. events and
 * uid's bytes are borrowed for its life. */
struct bus *bus_local_new(const struct bus_events *events, void *arg, struct str_view uid);

#endif
