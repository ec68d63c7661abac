/* Engine.IO 4 packets and polling payloads, bytes in, views out. Source: engine.io-protocol v4. */
#ifndef PEAL_PROTO_EIO_PACKET_H
#define PEAL_PROTO_EIO_PACKET_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/verdict.h"
#include "util/buf.h"
#include "util/str_view.h"

enum eio_type {
    EIO_OPEN = 0,
    EIO_CLOSE = 1,
    EIO_PING = 2,
    EIO_PONG = 3,
    EIO_MESSAGE = 4,
    EIO_UPGRADE = 5,
    EIO_NOOP = 6,
};

/* Separates the packets of a polling payload. */
#define EIO_SEPARATOR '\x1e'

struct eio_packet {
    enum eio_type type;
    bool binary;          /* a message that was base64 text here, or a binary frame */
    struct str_view data; /* without the type digit */
};

/* One packet from a WebSocket text frame or a segment of a polling payload. Binary ("b" + base64)
 * is decoded into scratch, which data then points into (scratch is cleared first; its maximum
 * bounds the size). OK or BAD. */
enum verdict eio_packet_decode(struct str_view text, struct buf *scratch,
                               struct eio_packet *out) MUST_CHECK;

/* Takes the next segment off *rest (a polling body). False when nothing is left. A body of n
 * separators has n + 1 segments; an empty body has one empty segment, which does not decode.
 * *started must begin as false. */
bool eio_payload_next(struct str_view *rest, bool *started, struct str_view *segment);

#endif
