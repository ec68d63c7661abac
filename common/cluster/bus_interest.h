/* What a node wants to hear: a counted set of channels and patterns, and how far each has come.
 *
 * No I/O: the owner asks what to send (bus_interest_next), tells what was confirmed and when the
 * connection was lost. Waiters are told when all that was wanted before them is being heard; later
 * wishes do not keep them waiting. A name is never subscribed while its end is under way, nor the other
 * way round. */
#ifndef PEAL_CLUSTER_BUS_INTEREST_H
#define PEAL_CLUSTER_BUS_INTEREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/bus.h"

/* What a channel carries; the owner's, for what comes in. */
enum bus_channel_kind {
    BUS_CHANNEL_BROADCAST, /* a namespace or a room */
    BUS_CHANNEL_OWN_IDS,   /* pattern: sockets of this node by their ids */
    BUS_CHANNEL_REQUEST,
    BUS_CHANNEL_RESPONSE,
    BUS_CHANNEL_CANARY,
    BUS_CHANNEL_DIRECT, /* for this node alone */
};

struct bus_interest;
/* Gives: bus_interest_free, which tells waiters BUS_REFUSED. */
struct bus_interest *bus_interest_new(void);
void bus_interest_free(struct bus_interest *in);

/* One more wish for a name. nsp: lies within name at nsp_at (0 bytes: none). */
void bus_interest_add(struct bus_interest *in, bool is_pattern, struct str_view name,
                      enum bus_channel_kind kind, size_t nsp_at, size_t nsp_len);
/* One less; name must be there. */
void bus_interest_drop(struct bus_interest *in, bool is_pattern, struct str_view name);
/* What is known of a wanted name. False: nobody wants it. nsp lends a view of the kept name. */
bool bus_interest_find(struct bus_interest *in, bool is_pattern, struct str_view name,
                       enum bus_channel_kind *kind, struct str_view *nsp);
/* Is it wanted, but not heard yet? */
bool bus_interest_is_pending(struct bus_interest *in, bool is_pattern, struct str_view name);
size_t bus_interest_count(const struct bus_interest *in);

/* The next names that one command can carry, at most max: all channels or all patterns, all
 * to subscribe or all to end. 0: nothing to send. They count as asked for. Lends names. */
size_t bus_interest_next(struct bus_interest *in, bool *is_pattern, bool *on,
                         struct str_view *names, size_t max);
void bus_interest_confirmed(struct bus_interest *in, bool is_pattern, struct str_view name,
                            bool on);
/* The connection is gone, or a first one is about to be used: everything wanted has to be asked for
 * again. */
void bus_interest_lost(struct bus_interest *in);
/* Is everything confirmed that was wanted then? Known from the next settle on. */
bool bus_interest_is_restored(const struct bus_interest *in);

bool bus_interest_is_synced(const struct bus_interest *in);
/* done is told by bus_interest_settle(). */
void bus_interest_wait(struct bus_interest *in, uint64_t now, bus_done_cb done, void *arg);
/* Tells those whose wait is over: heard, or waiting since max_age ms. */
void bus_interest_settle(struct bus_interest *in, uint64_t now, uint64_t max_age);
/* When the next of them would have waited max_age; UINT64_MAX: nobody waits. */
uint64_t bus_interest_deadline(const struct bus_interest *in, uint64_t max_age);

#endif
