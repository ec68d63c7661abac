/* What a gateway counts. The hot path does a ++ here and no more; gw_metrics.c makes text of it. */
#ifndef PEAL_GW_TALLY_H
#define PEAL_GW_TALLY_H

#include <stdint.h>

#include "cluster/cfg.h"
#include "proto/close_reason.h"

enum gw_refusal {
#define REFUSAL(name, layer, code) GW_REFUSAL_##name,
#include "gw_refusal.def"
#undef REFUSAL
    GW_REFUSAL_COUNT
};

/* Where the token came from that a socket was let in with. */
enum gw_auth_source {
    GW_AUTH_FROM_NONE, /* nobody asked for one */
    GW_AUTH_FROM_CONNECT,
    GW_AUTH_FROM_HEADER,
    GW_AUTH_FROM_QUERY,
    GW_AUTH_FROM_COOKIE,
    GW_AUTH_FROM_EVENT,
    GW_AUTH_FROM_COUNT
};

#define GW_LATE_BUCKETS 10

/* Since the start. */
struct gw_counters {
#define COUNTER(name, sentence) uint64_t name;
#include "cluster/counters.def"
#undef COUNTER
    uint64_t closes[REASON_COUNT];
    uint64_t refusals[GW_REFUSAL_COUNT];
    uint64_t ping_late[GW_LATE_BUCKETS]; /* gw_metrics.c has the bounds */
    uint64_t ping_late_sum_us;
};

/* Now. */
struct gw_gauges {
    unsigned closing;     /* of the connections, those that only wait for their client to hear it */
    unsigned websockets;  /* of the connections, those whose transport is WebSocket */
    uint64_t queue_bytes; /* what waits for all clients */
    unsigned asking;      /* sockets that a worker has been asked about */
    unsigned by_source[GW_AUTH_FROM_COUNT]; /* sockets */
    unsigned by_namespace[CFG_MAX_WORDS];   /* sockets, by the word of socketio.namespaces */
};

#endif
