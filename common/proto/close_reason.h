/* The one list of reasons why a connection, session or socket ends: for logs, counters and the
 * wire. */
#ifndef PEAL_PROTO_CLOSE_REASON_H
#define PEAL_PROTO_CLOSE_REASON_H

enum close_reason {
#define REASON(name, text) REASON_##name,
#include "proto/close_reason.def"
#undef REASON
    REASON_COUNT
};

/* Static text; never NULL. */
const char *close_reason_text(enum close_reason r);

#endif
