/* What comes in answer to one question, kept until it is told: parts of JSON with their attachments,
 * and the names of who has answered. Bounded, whoever answers; what does not fit is noted as lost. No
 * I/O, knows nothing of questions. */
#ifndef PEAL_GW_COLLECT_H
#define PEAL_GW_COLLECT_H

#include "gw_cluster.h"
#include "util/buf.h"

struct gw_collect {
    struct buf bytes; /* of everything below */
    struct gw_collect_part {
        size_t at, n;
        size_t first_binary;
        unsigned nbinary;
    } * parts;
    struct gw_collect_span {
        size_t at, n;
    } * binary, *answered, *asked;
    size_t nparts, cap_parts, nbinary, cap_binary, nanswered, nasked;
    bool is_lossy; /* something did not fit */

    /* what gw_collect_tell() lends */
    struct str_view *part_views, *binary_views, *silent;
    struct gw_binary *binary_of;
};

void gw_collect_init(struct gw_collect *c);
void gw_collect_fini(struct gw_collect *c);

/* A part, with the attachments of its placeholders. Copies. */
void gw_collect_part(struct gw_collect *c, struct str_view json, const struct str_view *attachments,
                     unsigned n);
/* Gateways that are to answer; once. */
void gw_collect_asked(struct gw_collect *c, const struct bus_node *nodes, size_t n);
/* Somebody answers. False: has answered already. Those without a name (empty) cannot be told apart. */
bool gw_collect_answered(struct gw_collect *c, struct str_view name);

/* The answers as they are told; once, then nothing is added any more. Lends: good until
 * gw_collect_fini(). missing: how many nodes have not answered, named or not. */
struct gw_answers gw_collect_tell(struct gw_collect *c, size_t missing);

#endif
