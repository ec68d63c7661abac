/* What has come in answer to a question to the cluster (questions.h), as its asker is told. */
#ifndef PEAL_CLUSTER_ANSWERS_H
#define PEAL_CLUSTER_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/str_view.h"

/* When all have answered or the time is up. Good during the call. */
struct answers {
    /* What a part is, depends on the question: a JSON array for each node (sockets, rooms, ids), or
     * one JSON value for each node or client ("null" for undefined). */
    const struct str_view *parts;
    size_t nparts;
    /* The attachments that part i's placeholders refer to (acks of a broadcast may have some). */
    const struct answers_binary {
        const struct str_view *v;
        unsigned n;
    } * binary;
    bool is_complete; /* all nodes have answered, and all clients */
    const char *why;  /* why not; "" if complete */
    /* Gateways that have not answered; Node servers cannot be named. */
    const struct str_view *silent;
    size_t nsilent;
    size_t nunnamed;
};
/* Called exactly once, never from within the function that was given it. */
typedef void (*answers_cb)(void *arg, const struct answers *a);

#endif
