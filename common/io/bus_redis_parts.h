/* What the files of the Redis bus share. Nobody else includes this. */
#ifndef PEAL_IO_BUS_REDIS_PARTS_H
#define PEAL_IO_BUS_REDIS_PARTS_H

#include "cluster/adapter_msg.h"
#include "cluster/bus_interest.h"
#include "cluster/bus_names.h"
#include "io/bus_redis.h"
#include "io/redis_link.h"

struct out_item; /* a publish that waits or is on its way; bus_redis_out.c */

struct bus_redis {
    struct bus bus;
    const struct cfg *cfg;
    struct loop *loop;
    struct str_view key;
    struct redis_link *out, *in;
    struct buf name, bytes; /* scratch: a channel's name, a message */
    struct wheel_entry timer;

    /* --- bus_redis_out.c */
    struct out_item *waiting, **waiting_last; /* kept until Redis hears again */
    struct out_item *owed;                    /* settled, to be told in flush */
    uint64_t refusal_logged_at;

    /* --- bus_redis_in.c */
    struct bus_interest *interest;
    struct adapter_decoder *decoder;
    uint64_t bad_logged_at;

    /* --- bus_redis_canary.c */
    bool is_subscribed;    /* all that was wanted at the connection's start is confirmed */
    bool is_hearing;       /* … and a canary has come round since */
    bool has_heard;        /* once at least */
    uint64_t canary_seq;   /* of the last one sent */
    uint64_t canary_floor; /* older ones prove nothing about this connection */
    uint64_t canary_at;    /* when the next is due */
    unsigned canaries_out; /* whose PUBLISH Redis has not answered */
    uint64_t heard_at;     /* a canary; or the current attempt's start, or how far it came since */
    uint64_t deaf_since;

    /* --- bus_redis_nodes.c */
    uint64_t heartbeat_at;
    struct bus_node *nodes;
    size_t nnodes;
    char *node_names; /* what nodes' views point to */
};

/* What anybody can cause any number of times is logged at most that often. */
#define BUS_REDIS_LOG_MS 10000

/* Links are named by these in logs. */
#define BUS_REDIS_OUT "bus-out"
#define BUS_REDIS_IN "bus-in"

/* Does this node have clients? If not, it hears what is for itself only. */
static inline bool bus_redis_has_clients(const struct bus_redis *b)
{
    return b->bus.events->deliver != NULL;
}

/* Outgoing. Payload and name are taken from b->bytes and b->name. is_direct: for one node, who must be
 * there. */
void bus_redis_send(struct bus_redis *b, bool is_direct, bus_done_cb done, void *arg);
/* The message could not be encoded or is too large: done is told so in flush. */
void bus_redis_send_failed(struct bus_redis *b, enum bus_outcome outcome, bus_done_cb done,
                           void *arg);
/* Turn-end: tells, drops what is too old, sends what may go. */
void bus_redis_out_flush(struct bus_redis *b);
/* Says so in the log, now and then. */
void bus_redis_log_refusal(struct bus_redis *b, struct str_view why);
uint64_t bus_redis_out_deadline(const struct bus_redis *b);
void bus_redis_out_fini(struct bus_redis *b);
void bus_redis_count(struct bus *bus, struct str_view nsp, bus_count_cb cb, void *arg);

/* Incoming: the events of the subscribed link. */
void bus_redis_on_message(void *arg, struct str_view pattern, struct str_view channel,
                          struct str_view payload);
void bus_redis_on_subscribed(void *arg, bool is_pattern, struct str_view channel, bool on);
/* Is the room that of a socket's own id, of this node and in this namespace? */
bool bus_redis_is_own_id(const struct bus_redis *b, struct str_view nsp, struct str_view room);
/* Turn-end: asks for what is wanted and not yet asked for. */
void bus_redis_in_flush(struct bus_redis *b);

/* Hearing. */
void bus_redis_in_up(struct bus_redis *b);
void bus_redis_in_down(struct bus_redis *b);
/* Turn-end: have all subscriptions of a fresh connection been confirmed? */
void bus_redis_check_subscribed(struct bus_redis *b);
/* A subscription has been confirmed. */
void bus_redis_confirmed(struct bus_redis *b);
void bus_redis_canary_tick(struct bus_redis *b);
void bus_redis_canary_heard(struct bus_redis *b, struct str_view payload);
uint64_t bus_redis_canary_deadline(const struct bus_redis *b);
const char *bus_redis_trouble(struct bus *bus);

/* Heartbeats: who else is there. */
void bus_redis_nodes_tick(struct bus_redis *b);
/* A last word, so that others do not wait for this node any more. */
void bus_redis_nodes_leave(struct bus_redis *b);
const struct bus_node *bus_redis_nodes(struct bus *bus, size_t *n);
void bus_redis_nodes_fini(struct bus_redis *b);

#endif
