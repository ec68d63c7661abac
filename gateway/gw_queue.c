/* System */
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_queue.h"

void gw_queue_push(struct gw_queue *q, struct eio_msg *m)
{
    if (q->first + q->n == q->cap) {
        if (q->first > q->n) { /* more gone than waiting: move down instead of growing */
            memmove(q->v, q->v + q->first, q->n * sizeof(*q->v));
            q->first = 0;
        } else {
            q->cap = q->cap ? q->cap * 2 : 4;
            q->v = x_realloc(q->v, q->cap * sizeof(*q->v));
        }
    }
    q->v[q->first + q->n++] = eio_msg_hold(m);
    q->bytes += eio_msg_size(m);
}

void gw_queue_pop(struct gw_queue *q, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct eio_msg *m = gw_queue_at(q, i);
        q->bytes -= eio_msg_size(m);
        eio_msg_rele(m);
    }
    q->first += n;
    q->n -= n;
    if (q->n) return;
    x_free(q->v);
    q->v = NULL;
    q->first = q->cap = 0;
}
