/* The work of `peal emit`: one event, or standard input line by line, to Redis. */
#ifndef PEAL_CLI_PEAL_EMIT_RUN_H
#define PEAL_CLI_PEAL_EMIT_RUN_H

#include <stdbool.h>

#include "cluster/bus.h"
#include "cluster/cfg.h"
#include "peal_emit_event.h"

#define PEAL_EMIT_COMMAND "peal emit"

struct peal_emit_job {
    const struct cfg *cfg;
    struct bus_msg head;        /* where to: all of a message but its json */
    struct str_view json;       /* one event; empty: standard input */
    struct peal_emit_form form; /* of its lines */
    bool is_strict;             /* ends at the first line that is wrong */
};

/* Everything is borrowed. Says what became of it; true: all was published. */
bool peal_emit_run(const struct peal_emit_job *job);

#endif
