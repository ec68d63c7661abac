/* What the files of adapter_msg.h share: the decoder's memory, and the parts that both forms of a
 * message, JSON and MessagePack, have. */
#ifndef PEAL_CLUSTER_ADAPTER_PART_H
#define PEAL_CLUSTER_ADAPTER_PART_H

#include "cluster/adapter_msg.h"
#include "proto/sio_packet.h"

struct adapter_names {
    struct str_view *views;
    unsigned n, cap;
};

struct adapter_decoder {
    struct adapter_limits limits;
    struct buf json; /* what was made of MessagePack */
    struct buf text; /* names that the message does not hold as they are */
    struct adapter_names rooms, except, targets;
    struct str_view bins[SIO_ATTACHMENTS_LIMIT];        /* as they stand in the message */
    struct str_view attachments[SIO_ATTACHMENTS_LIMIT]; /* in the order of the raw text */
    const char *why;
};

/* Notes why, and is false. */
static inline bool adapter_bad(struct adapter_decoder *d, const char *why)
{
    d->why = why;
    return false;
}

/* Adds a name to a list that is not full. */
bool adapter_add_name(struct adapter_decoder *d, struct adapter_names *to, struct str_view name);
/* Does the message's namespace (empty: none) fit the caller's? Gives the one that counts. */
bool adapter_settle_nsp(struct adapter_decoder *d, struct str_view want, struct str_view *nsp);

/* The two forms of a request and a response; what is not said in the message is left as it is. */
bool adapter_request_from_json(struct adapter_decoder *d, struct str_view bytes,
                               struct bus_request *out);
bool adapter_request_from_pack(struct adapter_decoder *d, struct str_view bytes,
                               struct bus_request *out);
bool adapter_response_from_json(struct adapter_decoder *d, struct str_view bytes,
                                struct bus_response *out);
bool adapter_response_from_pack(struct adapter_decoder *d, struct str_view bytes,
                                struct bus_response *out);
bool adapter_broadcast_from_pack(struct adapter_decoder *d, struct str_view bytes,
                                 struct bus_msg *out, struct str_view *uid);

#endif
