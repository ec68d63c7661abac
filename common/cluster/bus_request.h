/* What nodes of a cluster ask each other, and what they answer: the words of
 * @socket.io/redis-adapter 8.3 (types 0 to 9). Views; whose memory they
 * are is said where a struct is given. */
#ifndef PEAL_CLUSTER_BUS_REQUEST_H
#define PEAL_CLUSTER_BUS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "util/str_view.h"

/* The numbers are the wire's. */
enum bus_request_type {
    BUS_SOCKETS = 0,           /* ids of the sockets in rooms (older nodes) */
    BUS_ALL_ROOMS = 1,         /* names of all rooms */
    BUS_REMOTE_JOIN = 2,       /* sockets join rooms; nobody answers */
    BUS_REMOTE_LEAVE = 3,      /* … leave rooms */
    BUS_REMOTE_DISCONNECT = 4, /* … are disconnected */
    BUS_REMOTE_FETCH = 5,      /* sockets with handshake, rooms and data */
    BUS_SERVER_SIDE_EMIT = 6,  /* an event for the nodes themselves */
    BUS_BROADCAST = 7,         /* an event for clients, who are asked for acks */
};

struct bus_request {
    enum bus_request_type type;
    struct str_view nsp;
    struct str_view uid; /* who asks; empty in old forms; "emitter" for emitters */
    struct str_view id;  /* requestId; empty: no answer is wanted */

    /* Which sockets: in any of the rooms (none: all) and in none of except. */
    const struct str_view *rooms, *except;
    unsigned nrooms, nexcept;
    /* JOIN, LEAVE: the rooms to enter or leave. */
    const struct str_view *targets;
    unsigned ntargets;
    /* Old form of JOIN, LEAVE and DISCONNECT: this one socket; answered with BUS_DONE. */
    struct str_view sid;
    bool close; /* DISCONNECT: the whole connection */

    /* SERVER_SIDE_EMIT, BROADCAST: ["event", …], proved; attachments for BROADCAST only. */
    struct str_view json;
    const struct str_view *attachments;
    unsigned nattachments;
    uint64_t timeout_ms; /* BROADCAST: goes out in opts.flags.timeout; 0: not said */
};

/* A copy of everything in one allocation. Gives: free with x_free. */
struct bus_request *bus_request_new(const struct bus_request *from);

enum bus_response_type {
    BUS_DONE,         /* only that it has been done */
    BUS_SOCKET_IDS,   /* json: array of ids (answers BUS_SOCKETS) */
    BUS_ROOMS,        /* json: array of names */
    BUS_FETCHED,      /* json: array of {id, handshake, rooms, data} */
    BUS_SERVER_ACK,   /* json: one value; empty: undefined */
    BUS_CLIENT_COUNT, /* count: clients that were asked for acks */
    BUS_CLIENT_ACK,   /* json: a client's first argument, with attachments; empty: undefined */
};

struct bus_response {
    enum bus_response_type type;
    struct str_view nsp;
    struct str_view id;  /* requestId of the request */
    struct str_view to;  /* uid of who asked; empty: not known, all are told */
    struct str_view uid; /* who answers; empty: a node that does not say */
    struct str_view json;
    const struct str_view *attachments;
    unsigned nattachments;
    uint64_t count;
    bool is_cut; /* the list is not whole: more does not fit. Only Peal says so */
};

#endif
