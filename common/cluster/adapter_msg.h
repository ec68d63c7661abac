/* The messages of @socket.io/redis-adapter 8.3 and @socket.io/redis-emitter 5.1: bytes of a Redis
 * channel to and from bus_msg, bus_request and bus_response. No I/O.
 *
 * Broadcasts are MessagePack [uid, packet, opts]; requests and responses are JSON but for
 * BUS_BROADCAST and BUS_CLIENT_ACK, which are MessagePack (a first byte '{' tells). Everything that
 * comes in is untrusted: bounded, validated, never more memory than a small multiple of its bytes.
 * Lenient where foreign emitters are (no uid, no except, no flags, no nsp, packet type 5, numeric
 * rooms, bin instead of str for names, old ext types); a numeric room is the text of its digits.
 *
 * JSON that MessagePack cannot carry unchanged (integers beyond 64 bits, more digits than a
 * double gives back, lone surrogates, an attachment that is used twice) goes along as text in
 * opts.peal = {json, bins}, which other nodes ignore and Peal prefers once it has proved it; bins
 * says which binary value each attachment is. In acks peal stands beside packet. */
#ifndef PEAL_CLUSTER_ADAPTER_MSG_H
#define PEAL_CLUSTER_ADAPTER_MSG_H

#include "cluster/bus.h"
#include "proto/verdict.h"
#include "util/buf.h"

struct adapter_limits {
    size_t max_bytes;         /* of a message; a longer one is BAD */
    unsigned max_depth;       /* nesting, <= JSON_DEPTH_LIMIT */
    unsigned max_names;       /* rooms and excepted rooms, each */
    unsigned max_attachments; /* binary values in one message */
};

/* Memory of a decoder, used again for the next message. */
struct adapter_decoder;
struct adapter_decoder *adapter_decoder_new(const struct adapter_limits *limits);
void adapter_decoder_free(struct adapter_decoder *d);

/* Each: OK and *out filled, with views good until the next call on d (or into bytes); or BAD and
 * *why in a few static words. uid: who sent it (may be empty). For the wire's sake nsp is given by
 * the caller, who knows it from the channel's name; a message that names another namespace is BAD.
 * nsp empty: the namespace is taken from the message ("/" if it names none); the caller compares it
 * with the channel. */
enum verdict adapter_decode_broadcast(struct adapter_decoder *d, struct str_view bytes,
                                      struct str_view nsp, struct bus_msg *out,
                                      struct str_view *uid, const char **why) MUST_CHECK;
enum verdict adapter_decode_request(struct adapter_decoder *d, struct str_view bytes,
                                    struct str_view nsp, struct bus_request *out,
                                    const char **why) MUST_CHECK;
/* An empty list of sockets is BUS_FETCHED, whatever was asked for. */
enum verdict adapter_decode_response(struct adapter_decoder *d, struct str_view bytes,
                                     struct str_view nsp, struct bus_response *out,
                                     const char **why) MUST_CHECK;

/* Each appends to out. False if it does not fit (or nests deeper than JSON_DEPTH_LIMIT, or has more
 * than SIO_ATTACHMENTS_LIMIT binary values); out is then as it was. Key order and integer forms are
 * those that Node writes. Texts are proved, attachments' placeholders too. */
bool adapter_encode_broadcast(struct buf *out, struct str_view uid,
                              const struct bus_msg *m) MUST_CHECK;
bool adapter_encode_request(struct buf *out, const struct bus_request *r) MUST_CHECK;
bool adapter_encode_response(struct buf *out, const struct bus_response *r) MUST_CHECK;

#endif
