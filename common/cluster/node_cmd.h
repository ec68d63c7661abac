/* What a worker tells a gateway about one of its sockets, as a direct message of the bus
 * (bus_ops.direct), and what the gateway answers. MessagePack arrays, one behind the other: a
 * message carries any number of them, which are carried out in order.
 *
 * A socket that is gone, or whose serial is another one, makes a command void; that is no error. */
#ifndef PEAL_CLUSTER_NODE_CMD_H
#define PEAL_CLUSTER_NODE_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/str_view.h"

/* The numbers are the wire's. */
enum node_cmd_type {
    NODE_ACK = 0,   /* answers the client's event: ack_id, json (array of arguments), attachments */
    NODE_JOIN = 1,  /* rooms */
    NODE_LEAVE = 2, /* rooms */
    NODE_DISCONNECT = 3, /* close: the whole connection */
    NODE_DATA = 4,       /* json: the socket's data from now on */
    NODE_ADMIT = 5,      /* the connect that was asked about may go on */
    NODE_REFUSE = 6,     /* … may not: json is {"message":…,"data":…} for CONNECT_ERROR */
    NODE_SYNC = 7,       /* tell `from` NODE_SYNCED with `token` when the bus hears all before it */
    NODE_SYNCED = 8,     /* the answer, for a worker: token */
};

#define NODE_CMD_ROOMS_MAX 256
#define NODE_CMD_ATTACHMENTS_MAX 64

struct node_cmd {
    enum node_cmd_type type;
    struct str_view nsp, sid; /* empty in SYNC and SYNCED */
    uint64_t serial;
    uint64_t ack_id;
    struct str_view json;
    const struct str_view *attachments;
    unsigned nattachments;
    const struct str_view *rooms;
    unsigned nrooms;
    bool close;
    struct str_view from; /* SYNC: the worker's bus uid */
    uint64_t token;       /* SYNC, SYNCED */
};

/* Appends one: what its type has of the members. JSON and names are proved. False, and out as it was,
 * if it does not fit or has more rooms or attachments than a command can have. */
bool node_cmd_encode(struct buf *out, const struct node_cmd *c) MUST_CHECK;

/* Space for what a decoded command's views point to beside the message. */
struct node_cmd_space {
    struct str_view rooms[NODE_CMD_ROOMS_MAX], attachments[NODE_CMD_ATTACHMENTS_MAX];
};
/* Takes the first command off bytes: hostile input; JSON is proved (nested JSON_DEPTH_LIMIT deep at
 * most), names are UTF-8; rooms' names may still be none that are allowed. Views into bytes and space.
 * False at the end (*why NULL) or if it is malformed (*why says so in a few static words); then nothing
 * of the rest can be used. */
bool node_cmd_next(struct str_view *bytes, struct node_cmd *c, struct node_cmd_space *space,
                   const char **why) MUST_CHECK;

#endif
