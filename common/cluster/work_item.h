/* A work item: what a gateway hands to the workers about one socket: an event, its connect, its
 * disconnect. Views; whose memory they are is said where a struct is given.
 *
 * On Redis an item is one entry of a partition's stream; its fields are written by
 * work_item_encode() and nowhere else. Items of one socket are in one partition, in their order.
 *
 *   all         type id nsp sid gateway serial user claims data time
 *   event       event args [ack] [attachment0 attachment1 …]
 *   connect     auth address transport asks ("1" or "0")
 *   disconnect  reason
 *
 * Numbers are decimal digits; attachments are the bytes themselves. */
#ifndef PEAL_CLUSTER_WORK_ITEM_H
#define PEAL_CLUSTER_WORK_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/str_view.h"

enum work_type { WORK_EVENT, WORK_CONNECT, WORK_DISCONNECT, WORK_TYPES };

struct work_item {
    enum work_type type;
    /* "<gateway>-<number>". The same item may come twice (at least once); then with the same id. The
     * numbers of one gateway rise. */
    struct str_view id;
    struct str_view nsp, sid;
    struct str_view gateway; /* its bus uid */
    uint64_t serial;         /* the gateway's, of the socket: see gw_socket.h */
    struct str_view user;    /* the token's subject, or "" */
    struct str_view claims;  /* JSON object */
    struct str_view data; /* the socket's data when the gateway sent this: JSON, "null" if none */
    uint64_t time_ms;     /* since 1970 */

    /* EVENT */
    struct str_view
        event;            /* the name's characters, as json_string_decode() gives them, or number */
    struct str_view args; /* JSON array as it came, the name first */
    const struct str_view *attachments;
    unsigned nattachments;
    bool wants_ack;
    uint64_t ack_id;

    /* CONNECT */
    struct str_view auth; /* the CONNECT packet's payload, a JSON object, without its `token` */
    struct str_view address, transport;
    bool asks; /* the client waits: NODE_ADMIT or NODE_REFUSE must come */

    /* DISCONNECT: Socket.IO's word for why ("transport close") */
    struct str_view reason;
};

/* More attachments than any packet may have (socketio.max_attachments). */
#define WORK_ATTACHMENTS_MAX 64
#define WORK_FIELDS_MAX (2 * (20 + WORK_ATTACHMENTS_MAX))
#define WORK_SCRATCH_MAX 1024

/* The fields and values of a stream entry, alternating. scratch is empty, takes WORK_SCRATCH_MAX
 * bytes at most, holds what is not text already and must outlive v. Gives the count of v. */
size_t work_item_encode(const struct work_item *item, struct buf *scratch,
                        struct str_view v[WORK_FIELDS_MAX]);
/* The other way: hostile input. Unknown fields are passed over; what is missing, twice there or not
 * what it must be (JSON is proved, text is UTF-8) makes it false, with *why a few static words. The
 * views point into v's texts; attachments into the given array. */
bool work_item_decode(struct work_item *item, const struct str_view *v, size_t n,
                      struct str_view attachments[WORK_ATTACHMENTS_MAX],
                      const char **why) MUST_CHECK;
/* Of an entry that is no item, or not whole: who may wait for an answer, and where (type, nsp, sid, gateway,
 * serial, ack, asks). False if it does not say. */
bool work_item_decode_address(struct work_item *item, const struct str_view *v,
                              size_t n) MUST_CHECK;
/* A copy of everything in one allocation. Gives: free with x_free. */
struct work_item *work_item_new(const struct work_item *from);
/* About how many bytes it takes, for limits: those of its texts and a little for each field. */
size_t work_item_size(const struct work_item *item);

/* "event", "connect", "disconnect". */
const char *work_type_name(enum work_type type);

/* Which partition a socket's items are in: the same in every process and on every machine. It is
 * FNV-1a of 64 bits over the id's bytes (from cbf29ce484222325, times 100000001b3), modulo the count:
 *
 *   ""                        cbf29ce484222325    5 of 16
 *   "a"                       af63dc4c8601ec8c   12 of 16
 *   "foobar"                  85944171f73967e8    8 of 16 */
unsigned work_partition(struct str_view sid, unsigned partitions);

#endif
