/* What comes in answer to one question, kept until it is told: parts of JSON with their attachments,
 * and the names of who has answered. Bounded, whoever answers; what does not fit is noted as lost. No
 * I/O, knows nothing of questions. */
#ifndef PEAL_CLUSTER_COLLECT_H
#define PEAL_CLUSTER_COLLECT_H

#include "cluster/answers.h"
#include "cluster/bus.h"
#include "util/buf.h"

struct collect {
    struct buf bytes; /* of everything below */
    struct collect_part {
        size_t at, n;
        size_t first_binary;
        unsigned nbinary;
    } * parts;
    struct collect_span {
        size_t at, n;
    } * binary, *answered, *asked;
    size_t nparts, cap_parts, nbinary, cap_binary, nanswered, nasked;
    bool is_lossy; /* something did not fit */

    /* what collect_tell() lends */
    struct str_view *part_views, *binary_views, *silent;
    struct answers_binary *binary_of;
};

void collect_init(struct collect *c);
void collect_fini(struct collect *c);

/* A part, with the attachments of its placeholders. Copies. */
void collect_part(struct collect *c, struct str_view json, const struct str_view *attachments,
                  unsigned n);
/* Gateways that are to answer; once. */
void collect_asked(struct collect *c, const struct bus_node *nodes, size_t n);
/* Somebody answers. False: has answered already. Those without a name (empty) cannot be told apart. */
bool collect_answered(struct collect *c, struct str_view name);

/* The answers as they are told; once, then nothing is added any more. Lends: good until
 * collect_fini(). missing: how many nodes have not answered, named or not. */
struct answers collect_tell(struct collect *c, size_t missing);

#endif
