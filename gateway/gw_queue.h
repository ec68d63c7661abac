/* What waits for one client: references to messages, oldest first. Up to two need no memory of
 * their own, and an empty queue holds none. It knows no limits; gw_conn.c decides who has too much.
 */
#ifndef PEAL_GW_QUEUE_H
#define PEAL_GW_QUEUE_H

#include <stdint.h>

#include "proto/eio_msg.h"

/* Zeroed memory is an empty queue. It must not be moved while it holds something. */
struct gw_queue {
    struct eio_msg **v; /* NULL when empty, else `few` or memory of its own */
    struct eio_msg *few[2];
    uint32_t first, n, cap;
    size_t bytes; /* eio_msg_size() of all */
};

/* Holds a reference of its own. */
void gw_queue_push(struct gw_queue *q, struct eio_msg *m);
/* Drops the n oldest. */
void gw_queue_pop(struct gw_queue *q, uint32_t n);
/* The i-th oldest; i < q->n. Lends. */
static inline struct eio_msg *gw_queue_at(const struct gw_queue *q, uint32_t i)
{
    return q->v[q->first + i];
}

#endif
