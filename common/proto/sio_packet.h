/* Socket.IO packets (protocol revision 5): header grammar, validity rules, and the assembler that
 * joins a binary packet with its attachments. Bytes in and out, no I/O.
 *
 *   packet = type [ attachments "-" ] [ nsp "," ] [ id ] [ json ]
 *
 * Source: socket.io-protocol v5 and socket.io-parser 4.2.7. Everything refused here closes the
 * connection, as in the reference. JSON is proved valid and left as text. */
#ifndef PEAL_PROTO_SIO_PACKET_H
#define PEAL_PROTO_SIO_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/verdict.h"
#include "util/buf.h"
#include "util/str_view.h"

enum sio_type {
    SIO_CONNECT = 0,
    SIO_DISCONNECT = 1,
    SIO_EVENT = 2,
    SIO_ACK = 3,
    SIO_CONNECT_ERROR = 4,
    SIO_BINARY_EVENT = 5,
    SIO_BINARY_ACK = 6,
};

/* Largest ack id: the integers that JavaScript keeps exact. */
#define SIO_ID_MAX ((UINT64_C(1) << 53) - 1)
/* Hard limit of attachments in one packet, whatever the configuration says. */
#define SIO_ATTACHMENTS_LIMIT 64

struct sio_limits {
    unsigned max_attachments; /* <= SIO_ATTACHMENTS_LIMIT; the reference's default is 10 */
    unsigned max_depth;       /* nesting of JSON */
    size_t max_nsp;           /* bytes of a namespace name */
};

struct sio_packet {
    enum sio_type type;
    unsigned attachments;      /* announced; > 0 only for the binary types */
    struct str_view nsp;       /* "/" if absent in the packet; without a query part */
    struct str_view nsp_query; /* what stood behind nsp and a '?'; clients of Engine.IO 3 send it */
    bool has_id;
    uint64_t id;
    struct str_view json;  /* payload text as it came, trimmed; empty if absent */
    struct str_view event; /* EVENT types: first element of json, raw: a string or a number */
};

/* Decodes the text of one packet (what follows the Engine.IO '4'). OK or BAD, with *why in static
 * words on BAD. Views point into text. An EVENT without payload is BAD here (the reference
 * ignores it), and so is white space before the payload (the reference reads it as an id). After
 * BAD *out means nothing. */
enum verdict sio_packet_decode(struct str_view text, const struct sio_limits *limits,
                               struct sio_packet *out, const char **why) MUST_CHECK;

/* May the proved array be an EVENT's payload? Its first element (*event, raw) must be a number or a
 * string that is not reserved; *why in static words if not. */
bool sio_event_is_legal(struct str_view array, struct str_view *event, const char **why) MUST_CHECK;

/* Appends the header, up to where the JSON begins: type, "N-" if attachments, "nsp," unless "/",
 * id. The caller appends the JSON. nsp must hold no comma. False, and out unchanged in length,
 * if out is full. */
bool sio_packet_encode_head(struct buf *out, enum sio_type type, unsigned attachments,
                            struct str_view nsp, const uint64_t *id) MUST_CHECK;

/* A binary packet waiting for its attachments. At most one per connection at a time. */
struct sio_assembler {
    struct buf text;                    /* copy of the packet's text */
    struct buf bytes;                   /* the attachments one behind the other */
    size_t ends[SIO_ATTACHMENTS_LIMIT]; /* end offset of each in bytes */
    unsigned have, want;
};

/* Keeps a copy of a binary packet's text and the number of attachments it wants. max_bytes bounds
 * text and attachments together. want is 1 to SIO_ATTACHMENTS_LIMIT. False if text
 * alone is over the bound, or if another packet is waiting; a whole one is replaced. */
bool sio_assembler_begin(struct sio_assembler *a, struct str_view text, unsigned want,
                         size_t max_bytes) MUST_CHECK;
static inline bool sio_assembler_is_waiting(const struct sio_assembler *a)
{
    return a->have < a->want;
}
/* Adds one attachment. OK: the packet is whole; MORE: further ones are missing; BAD: none was
 * awaited or the bound is passed. */
enum verdict sio_assembler_add(struct sio_assembler *a, const void *p, size_t n) MUST_CHECK;
/* Lends attachment i of a whole packet. */
struct str_view sio_assembler_get(const struct sio_assembler *a, unsigned i);
/* Frees everything; safe on zeroed memory; ready for another begin. */
void sio_assembler_fini(struct sio_assembler *a);

#endif
