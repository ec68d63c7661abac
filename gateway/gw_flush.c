/* Design notes
 *
 * - Connections that got the same messages in a turn, in the same form, share one gathered buffer: the
 *   key is the list of message pointers, good until gw_flush_end(). With 8 broadcasts in flight a delivery is one
 *   memcmp and one send, and costs about 1 µs of CPU instead of 6 to 8 (docs/performance.md).
 * - All that a turn brings should fit into one: of two, each connection asks for one behind the other, and
 *   gathers both anew. With 64 in flight that, and the second send, cost 1.9 times the floor instead of 1.2.
 * - One message alone is written from where it is.
 * - A large message leaves in pieces, since what the socket does not take is copied by
 *   libwebsockets. */

/* System */
#include <assert.h>
#include <string.h>
/* Gateway */
#include "gw_flush.h"

#define WRITE_CHUNK (256u << 10) /* bytes handed to a socket at a time */
#define GATHER_MAX 256           /* messages gathered into one write */
#define KEEP_BYTES (64u << 10)   /* shared memory kept from turn to turn */

static struct gathered {
    struct eio_msg *key[GATHER_MAX]; /* held, so that no new message can have their addresses */
    uint32_t n;                      /* 0: nothing is gathered */
    struct buf bytes;
} shared[GW_WS_FORMS];

static struct str_view form_of(const struct gw_conn *c, struct eio_msg *m)
{
    if (c->ws_form == GW_WS_PLAIN) return eio_msg_ws(m);
    switch (c->ws_form) {
    case GW_WS_V3: return eio_msg_ws3(m);
    case GW_WS_V3_B64: return eio_msg_ws3_b64(m);
    default: return eio_msg_ws_b64(m);
    }
}

/* How many of the next messages fit into one write; at least one. */
static uint32_t run_length(const struct gw_conn *c)
{
    size_t bytes = 0;
    uint32_t n = 0;
    while (n < c->queue.n && n < GATHER_MAX) {
        bytes += form_of(c, gw_queue_at(&c->queue, n)).n;
        if (n && bytes > WRITE_CHUNK) break;
        n++;
    }
    return n;
}

static void forget(struct gathered *g)
{
    for (uint32_t i = 0; i < g->n; i++)
        eio_msg_rele(g->key[i]);
    g->n = 0;
}

static struct str_view gather(const struct gw_conn *c, uint32_t n)
{
    struct eio_msg *const *next = c->queue.v + c->queue.first;
    if (n == 1) return form_of(c, next[0]);
    struct gathered *g = &shared[c->ws_form];
    if (n == g->n && memcmp(g->key, next, n * sizeof(*next)) == 0) return buf_view(&g->bytes);
    forget(g);
    buf_clear(&g->bytes);
    g->bytes.max = WRITE_CHUNK;
    for (uint32_t i = 0; i < n; i++) {
        bool fits = buf_add_sv(&g->bytes, form_of(c, next[i]));
        assert(fits); /* run_length() has seen to it */
        (void)fits;
    }
    for (uint32_t i = 0; i < n; i++)
        g->key[g->n++] = eio_msg_hold(next[i]);
    return buf_view(&g->bytes);
}

void gw_flush_ws(struct gw_conn *c)
{
    while (c->queue.n && c->ws && gw_ws_is_writable(c->ws)) {
        uint32_t n = c->front_done ? 1 : run_length(c);
        struct str_view bytes = sv_skip(gather(c, n), c->front_done);
        bool cut = bytes.n > WRITE_CHUNK;
        if (cut) bytes.n = WRITE_CHUNK;
        if (!gw_ws_write(c->ws, bytes)) return; /* broken: the close event follows */
        c->progress_at = loop_now(c->gw->loop);
        if (cut) {
            c->front_done += WRITE_CHUNK;
        } else {
            c->front_done = 0;
            gw_conn_pop(c, n);
        }
    }
}

void gw_flush_end(void)
{
    for (unsigned form = 0; form < GW_WS_FORMS; form++) {
        forget(&shared[form]);
        if (shared[form].bytes.cap > KEEP_BYTES) buf_fini(&shared[form].bytes);
    }
}

void gw_flush_fini(void)
{
    for (unsigned form = 0; form < GW_WS_FORMS; form++) {
        forget(&shared[form]);
        buf_fini(&shared[form].bytes);
    }
}
