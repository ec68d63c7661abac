/* What gw_cluster.c (questions) and gw_cluster_answer.c (answers) share. Nobody else includes this. */
#ifndef PEAL_GW_CLUSTER_PARTS_H
#define PEAL_GW_CLUSTER_PARTS_H

#include "gw_cluster.h"
#include "gw_fanout.h"
#include "gw_socket.h"

struct gw_question;

/* Is it a question of this node's? */
struct gw_question *gw_cluster_question(struct gateway *gw, struct str_view id);
/* The question has come back to this node, who adds its part. */
void gw_question_own(struct gw_question *q);
/* A node has said that n clients are asked for acks; uid: who. */
void gw_question_count(struct gw_question *q, struct str_view uid, uint64_t n);
/* One client's ack: its first argument with attachments; or it will not come. */
void gw_question_ack(struct gw_question *q, bool answered, struct str_view json,
                     const struct str_view *attachments, unsigned n);

/* This node's list for a question of type BUS_REMOTE_FETCH, BUS_SOCKETS or BUS_ALL_ROOMS, as JSON,
 * appended to out: as much as fits. True: that was all. */
bool gw_cluster_put_list(struct buf *out, struct gateway *gw,
                         const struct bus_request *r) MUST_CHECK;

#endif
