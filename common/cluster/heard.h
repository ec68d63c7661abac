/* The namespaces that a node hears for the answers to its questions only. One that has been asked is heard
 * for a while longer: who asks often would else subscribe and unsubscribe for each question, and wait for
 * that. Used by questions. */
#ifndef PEAL_CLUSTER_HEARD_H
#define PEAL_CLUSTER_HEARD_H

#include "cluster/bus.h"
#include "util/wheel.h"

#define HEARD_MS 60000 /* behind the last question */
#define HEARD_MAX 64   /* that are heard though nobody asks; the one not asked for longest goes */

struct heard_nsp;
struct heard {
    struct bus *bus;
    struct wheel *wheel;
    uint64_t (*now)(void *arg); /* of the wheel */
    void *arg;
    struct heard_nsp *all;  /* uthash by name */
    struct heard_nsp *idle; /* nobody asks them; in the order of their end */
    unsigned nidle;
    struct wheel_entry timer;
    bool is_stopped;
};

/* All are borrowed for its life. */
void heard_init(struct heard *h, struct bus *bus, struct wheel *wheel, uint64_t (*now)(void *arg),
                void *arg);
/* Heard from now on, until it is released as often. Gives: heard_rele. */
struct heard_nsp *heard_hold(struct heard *h, struct str_view nsp);
void heard_rele(struct heard *h, struct heard_nsp *n);
/* Nothing is heard any longer than it is held. */
void heard_stop(struct heard *h);

#endif
