/* What clients do with their connections: one publishes and many receive, or each asks and is
 * answered. All act on a range of the swarm's clients, which are ready. */
#ifndef PEAL_BENCH_TRAFFIC_H
#define PEAL_BENCH_TRAFFIC_H

#include "swarm.h"

struct traffic {
    int first, n;      /* clients */
    uint64_t window;   /* messages in flight at any time … */
    double rate;       /* … or, if not 0, messages a second whatever comes back */
    uint64_t audience; /* clients that receive each message */
    int publishers;    /* take turns; evenly spread over the range */
    int group;         /* not 0: so many clients share a room, and all rooms take turns */
    const char *room;  /* the first room's name is this and 0, the next one's this and 1; or NULL */
    const char *event; /* its name and first arguments as JSON, without brackets */
    size_t size;       /* filler in bytes */
    bool is_binary;
};

/* For so many seconds, then until all has arrived or ten seconds have passed. Returns how many
 * messages were published; all were delivered unless s->delivered says less.
 *
 * At a fixed rate a message is stamped with the time it was due, not the time it was sent: so what
 * a stall holds back counts as delay and does not vanish. */
uint64_t traffic_fan_out(struct swarm *s, const struct traffic *t, double seconds);
/* The same for events with an ack, each of another client; how many were answered is in s->answered.
 * At a fixed rate one that is due waits while its client waits for an ack, and that counts, too. */
uint64_t traffic_ask(struct swarm *s, const struct traffic *t, double seconds);

#endif
