/* The bus: how a broadcast gets from the gateway that took it to every gateway that has clients for
 * it.
 *
 * Bus order is delivery order: a gateway delivers a broadcast only when it comes back from the bus,
 * its own too, so all gateways show concurrent broadcasts in one order. One seam, several
 * implementations (bus_local: one process). A message is immutable and shared by reference; its
 * text is JSON that has been proved valid. */
#ifndef PEAL_CLUSTER_BUS_H
#define PEAL_CLUSTER_BUS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/str_view.h"

#define BUS_VOLATILE 1u /* clients that cannot take it at once are skipped */

/* An event for a namespace or some of its rooms. */
struct bus_msg {
    unsigned refs;
    unsigned flags;
    struct str_view nsp;
    struct str_view json;         /* ["event", …], with placeholders if there are attachments */
    struct str_view *rooms;       /* union; none: the whole namespace */
    struct str_view *except;      /* sockets in any of these rooms are skipped */
    struct str_view *attachments; /* binary */
    unsigned nrooms, nexcept, nattachments;
};

/* A copy of everything in one allocation, with one reference. from's refs is not looked at. */
struct bus_msg *bus_msg_new(const struct bus_msg *from);
struct bus_msg *bus_msg_hold(struct bus_msg *m);
void bus_msg_rele(struct bus_msg *m);

/* Told once per publish: has the bus taken the message? Not called from within publish. */
typedef void (*bus_done_cb)(bool taken, void *arg);
/* A message for local clients, the own ones included. */
typedef void (*bus_deliver_cb)(const struct bus_msg *m, void *arg);

struct bus;
struct bus_ops {
    /* Takes the reference. done may be NULL. */
    void (*publish)(struct bus *b, struct bus_msg *m, bus_done_cb done, void *arg);
    /* Turn-end phase: sends what was published, delivers what came. True: more work is left. */
    bool (*flush)(struct bus *b);
    void (*free)(struct bus *b);
};
/* The head of every implementation. */
struct bus {
    const struct bus_ops *ops;
    bus_deliver_cb deliver;
    void *deliver_arg;
};

/* The bus of one process: what is published in a turn is delivered at its end, in order. */
struct bus *bus_local_new(bus_deliver_cb deliver, void *arg);

#endif
