/* System */
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_queue.h"

#define FEW (sizeof(((struct gw_queue *)0)->few) / sizeof(struct eio_msg *))
#define FIRST_CAP 16 /* behind `few` */

/* Room for one more. One message a turn is the rule in quiet times: it costs no allocation. */
static void grow(struct gw_queue *q)
{
    if (!q->v) {
        q->v = q->few;
        q->cap = FEW;
    } else if (q->first > q->n) { /* more gone than waiting: move down instead of growing */
        memmove(q->v, q->v + q->first, q->n * sizeof(*q->v));
        q->first = 0;
    } else if (q->v == q->few) {
        q->v = x_malloc(FIRST_CAP * sizeof(*q->v));
        memcpy(q->v, q->few, sizeof(q->few));
        q->cap = FIRST_CAP;
    } else {
        q->cap *= 2;
        q->v = x_realloc(q->v, q->cap * sizeof(*q->v));
    }
}

void gw_queue_push(struct gw_queue *q, struct eio_msg *m)
{
    if (q->first + q->n == q->cap) grow(q);
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
    if (q->v != q->few) x_free(q->v);
    q->v = NULL;
    q->first = q->cap = 0;
}
