/* Many Socket.IO clients of one or several servers, in one thread: each opens a WebSocket to
 * 127.0.0.1 with a token in the query, joins the main namespace, answers pings, and counts the
 * messages it is sent.
 *
 * It speaks just that much of the protocol: no polling, no binary, no reconnecting. A client that
 * meets anything else dies and is counted; the first few say why on stderr. */
#ifndef PEAL_BENCH_SWARM_H
#define PEAL_BENCH_SWARM_H

#include <stddef.h>
#include <stdint.h>

#include "meter.h"
#include "util/buf.h"

enum { SWARM_SERVERS = 4 };

struct swarm_server {
    uint16_t port;
    int clients;
};

enum swarm_state {
    SWARM_NEW,
    SWARM_CONNECTING, /* TCP */
    SWARM_UPGRADING,  /* the request is sent */
    SWARM_OPENING,    /* 101 came; Engine.IO's open packet is next */
    SWARM_JOINING,    /* CONNECT is sent */
    SWARM_READY,
    SWARM_DEAD,
};

struct swarm_client {
    int fd;
    enum swarm_state state;
    struct buf rest; /* the start of a frame whose end has not come yet */
};

struct swarm {
    struct swarm_client *clients;
    int n;
    int epoll;
    struct swarm_server servers[SWARM_SERVERS]; /* the first clients are those of the first one */
    char **tokens;                              /* client i takes tokens[i % ntokens] */
    int ntokens;
    uint8_t *in; /* what one read takes, for all clients */
    struct buf out;
    int started, joining, ready, failed; /* failed: died before they were ready */
    uint64_t closed;                     /* died when they were ready */
    uint64_t delivered;
    int timed_from; /* delays are those of this client and the ones behind it */
    struct meter_hist delays;
};

/* tokens: borrowed until fini; at least one. nservers: from 1 to SWARM_SERVERS. */
void swarm_init(struct swarm *s, const struct swarm_server *servers, int nservers, char **tokens,
                int ntokens);
void swarm_fini(struct swarm *s);
/* Starts the next client; only if s->started < s->n. */
void swarm_start(struct swarm *s);
/* Waits for events up to us microseconds and handles what there is. */
void swarm_turn(struct swarm *s, uint64_t us);
/* A ready client sends an event with a send time (µs) and size bytes of filler. event: its name and
 * first arguments as JSON, without brackets. */
void swarm_publish(struct swarm *s, int client, const char *event, uint64_t stamp_us, size_t size);
/* Forgets deliveries and delays counted so far. */
void swarm_reset(struct swarm *s);

#endif
