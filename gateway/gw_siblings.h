/* One of several processes that share a gateway's port, as it sees itself and the others: what it
 * writes on the board, and what the whole says of itself on the admin port, whichever of them is
 * asked. All of it is cheap and harmless for a gateway that is alone (gw->family is NULL). */
#ifndef PEAL_GW_SIBLINGS_H
#define PEAL_GW_SIBLINGS_H

#include "gw.h"
#include "gw_board.h"
#include "gw_roster.h"

/* What a process gets from its parent. */
struct gw_family {
    struct gw_board *board;
    unsigned self;               /* its place */
    int port;                    /* of the gateway, reserved by the parent … */
    int admin_port;              /* … and of the admin server; -1: none */
    int inbox;                   /* connections from siblings (gw_handover.h) */
    int outboxes[GW_ROSTER_MAX]; /* to each of them */
};

/* It listens: the parent and the siblings may know. */
void gw_siblings_up(struct gateway *gw);
/* Turn-end: how many clients there are here. */
void gw_siblings_count(struct gateway *gw);
/* Now and then: metrics and readiness. False: there are more metrics than the board can hold. */
bool gw_siblings_tell(struct gateway *gw);

/* Of the others together, as they last said. */
unsigned gw_siblings_tcp(const struct gateway *gw);
unsigned gw_siblings_sessions(const struct gateway *gw);
/* How many of gateway.max_connections one process may have: with more than two, twice its share. The
 * kernel spreads connections by chance, and clients of one that died stay with the others. */
unsigned gw_siblings_share(const struct cfg *cfg, const struct gw_family *family);

/* Is the whole to end at once? A signal to end may come to a process from its parent and, the same
 * one, from a supervisor that tells all processes. */
bool gw_siblings_end_at_once(const struct gateway *gw);

/* Is the whole ready? At least half of the processes are, and it is not told to end. is_ready: this
 * one is. Appends what the others lack to why: JSON strings, each with a comma before it unless it
 * is the first. */
bool gw_siblings_ready(struct gateway *gw, bool is_ready, struct buf *why);
/* Metrics of the whole. False: they do not fit. */
bool gw_siblings_metrics(struct gateway *gw, struct buf *out) MUST_CHECK;
/* Those of one process as it last told them; number: its text, from 1. False: it is not up, or there
 * is none of that number. */
bool gw_siblings_metrics_of(struct gateway *gw, struct str_view number, struct buf *out) MUST_CHECK;

/* For the parent: adds the counters of a process that has ended to the past. */
void gw_siblings_bury(struct gw_board *b, unsigned place);

#endif
