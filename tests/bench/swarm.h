/* Many Socket.IO clients of one or several servers, in one thread: each connects to 127.0.0.1 with
 * a token in the query, joins a namespace, answers pings, and counts what it is sent.
 *
 * It speaks just that much of the protocol, by WebSocket or by long-polling, and never upgrades from
 * one to the other. A client that meets anything else dies and is counted; the first few say why on
 * stderr.
 *
 *   NEW ─ swarm_start() ─▶ … ─▶ READY ─ swarm_leave() ─▶ LEAVING ─ the server has closed, too ─▶ NEW
 *                                  └──── anything unexpected, from any state ────▶ DEAD */
#ifndef PEAL_BENCH_SWARM_H
#define PEAL_BENCH_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meter.h"
#include "util/buf.h"

enum { SWARM_SERVERS = 4 };

enum swarm_state {
    SWARM_NEW,
    SWARM_CONNECTING, /* TCP */
    SWARM_UPGRADING,  /* WebSocket: the request is sent */
    SWARM_OPENING,    /* Engine.IO's open packet is next */
    SWARM_JOINING,    /* CONNECT is sent */
    SWARM_READY,
    SWARM_LEAVING, /* our side is shut */
    SWARM_DEAD,
};

struct swarm_poller; /* what a long-polling client has besides */

struct swarm_client {
    int fd;
    int token, nsp;              /* of s->tokens; "/n<nsp>", or -1 for the main namespace */
    uint8_t server;              /* of s->ports */
    uint8_t state;               /* enum swarm_state */
    bool is_deaf;                /* reads nothing any more */
    bool waits;                  /* for an ack */
    uint16_t mss;                /* of its TCP; 0: what loopback has, 64 KiB */
    uint64_t sent_us;            /* the event that it waits for was due then */
    struct swarm_poller *poller; /* NULL: WebSocket */
    struct buf rest;             /* the start of something whose end has not come yet */
};

struct swarm {
    struct swarm_client *clients;
    int n;
    int epoll;
    uint16_t ports[SWARM_SERVERS];
    int nservers;
    char **tokens;
    int ntokens;
    uint8_t *in; /* what one read takes, for all clients */
    struct buf out;
    int joining, ready, leaving, failed; /* failed: died before they were ready */
    uint64_t closed;                     /* died when they were ready */
    uint64_t delivered, answered;
    int timed_from; /* delays are those of this client and the ones behind it */
    struct meter_hist delays;
};

void swarm_init(struct swarm *s);
void swarm_fini(struct swarm *s);
/* One token a line; more of them behind those that are there. Returns how many there are now; -1:
 * the file cannot be read. */
int swarm_load_tokens(struct swarm *s, const char *path);

/* How clients are that are added together. */
struct swarm_kind {
    int server, token; /* the first of them takes that token, the second the next */
    int group;         /* so many share a namespace; 0: all are in the main one */
    int mss;           /* see swarm_client */
    bool polls;
};
/* n more clients that do nothing yet. */
void swarm_add(struct swarm *s, int n, const struct swarm_kind *kind);
/* A NEW client connects. */
void swarm_start(struct swarm *s, int client);
/* A READY client shuts its side; it is NEW again when the server has closed the connection. */
void swarm_leave(struct swarm *s, int client);
/* A READY client reads no more, and its kernel takes little. */
void swarm_deafen(struct swarm *s, int client);

/* Waits for events up to us microseconds and handles what there is. True: the descriptor that is
 * also waited for is readable. */
bool swarm_turn(struct swarm *s, uint64_t us);
void swarm_also_wait_for(struct swarm *s, int fd);

/* What a client sends: event: its name and first arguments as JSON, without brackets; then comes an
 * object with the time it was due (µs) and size bytes of filler. */
struct swarm_event {
    const char *event;
    uint64_t stamp_us;
    size_t size;
    bool is_binary; /* size bytes as an attachment, which begins with the time */
    bool wants_ack; /* only if the client does not wait for one already */
};
void swarm_publish(struct swarm *s, int client, const struct swarm_event *e);
/* Forgets deliveries and delays counted so far. */
void swarm_reset(struct swarm *s);

#endif
