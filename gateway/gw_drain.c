/* Design notes
 *
 * - The order of PACE is drawn by lot, so that users of one namespace, or those who came together,
 *   do not go as a block. It is a list of ids, not of pointers: clients leave by themselves
 *   meanwhile.
 * - Client k of n has the k-th of n equal parts of the time and goes at a random moment in it:
 *   even, but without a beat that clients' back-offs could fall in with.
 * - Who is closing already when PACE begins is left alone; FAREWELL's end is the end for all. */

/* System */
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_conn.h"
#include "gw_drain.h"
#include "gw_listener.h"

static void set_timer(struct gateway *gw, uint64_t at)
{
    wheel_set(loop_wheel(gw->loop), &gw->drain.timer, at);
}

static void log_end_of_drain(struct gateway *gw)
{
    struct log_line l;
    log_begin(&l, LOG_INFO, "drain ends");
    log_kv_u64(&l, "ms", loop_now(gw->loop) - gw->drain.began_at);
    log_kv_u64(&l, "closed", gw->count.closes[REASON_SHUTDOWN]);
    log_kv_u64(&l, "left", gw->nconns);
    log_end(&l);
}

void gw_drain_end(struct gateway *gw)
{
    if (gw->drain.state != GW_DRAIN_DONE) log_end_of_drain(gw);
    gw->drain.state = GW_DRAIN_DONE;
    loop_stop(gw->loop);
}

static void begin_farewell(struct gateway *gw)
{
    gw->drain.state = GW_DRAIN_FAREWELL;
    set_timer(gw, loop_now(gw->loop) + (uint64_t)gw->cfg->gateway_shutdown_timeout);
}

/* ---- one after the other */

/* Below n, which is not 0; good enough for lots. */
static uint64_t draw(uint64_t n)
{
    uint64_t r;
    id_random_bytes(&r, sizeof(r));
    return r % n;
}

static void draw_lots(struct gateway *gw)
{
    struct gw_drain *d = &gw->drain;
    struct gw_conn *c, *next;
    d->sids = x_malloc((size_t)gw->nconns * ID_LEN + 1);
    HASH_ITER(hh, gw->conns, c, next)
    {
        size_t other = (size_t)draw(++d->n);
        char *last = d->sids + (d->n - 1) * ID_LEN, *chosen = d->sids + other * ID_LEN;
        memmove(last, chosen, ID_LEN);
        memcpy(chosen, c->sid, ID_LEN);
    }
}

static uint64_t moment_of_next(struct gateway *gw)
{
    const struct gw_drain *d = &gw->drain;
    uint64_t time = (uint64_t)gw->cfg->gateway_drain_time;
    return d->pace_at + (d->next * time + draw(time)) / d->n;
}

static void close_next(struct gateway *gw)
{
    struct gw_drain *d = &gw->drain;
    struct gw_conn *c = gw_conn_find(gw, sv_make(d->sids + d->next++ * ID_LEN, ID_LEN));
    if (c && c->eio.state == EIO_STATE_OPEN) gw_conn_doom(c, REASON_SHUTDOWN);
}

static void pace(struct gateway *gw)
{
    struct gw_drain *d = &gw->drain;
    uint64_t now = loop_now(gw->loop);
    while (d->next < d->n) {
        uint64_t at = moment_of_next(gw);
        if (at > now) {
            set_timer(gw, at); /* its moment is drawn: when the timer fires, it goes */
            return;
        }
        close_next(gw);
    }
    begin_farewell(gw);
}

static void begin_pace(struct gateway *gw)
{
    gw->stopping = true;
    gw_listener_free(gw->listener);
    gw->listener = NULL;
    if (!gw->cfg->gateway_drain_time) {
        gw_conn_stop(gw);
        begin_farewell(gw);
        return;
    }
    gw->drain.state = GW_DRAIN_PACE;
    gw->drain.pace_at = loop_now(gw->loop);
    draw_lots(gw);
    pace(gw);
}

/* ---- life */

static void on_timer(struct wheel_entry *e)
{
    struct gateway *gw = (struct gateway *)((char *)e - offsetof(struct gateway, drain.timer));
    switch (gw->drain.state) {
    case GW_DRAIN_WAIT: begin_pace(gw); break;
    case GW_DRAIN_PACE:
        close_next(gw);
        pace(gw);
        break;
    case GW_DRAIN_FAREWELL: gw_drain_end(gw); break;
    case GW_DRAIN_NO:
    case GW_DRAIN_DONE: break;
    }
}

void gw_drain_begin(struct gateway *gw)
{
    const struct cfg *cfg = gw->cfg;
    struct gw_drain *d = &gw->drain;
    struct log_line l;
    if (d->state != GW_DRAIN_NO) return;
    d->state = GW_DRAIN_WAIT;
    d->timer.fire = on_timer;
    d->began_at = loop_now(gw->loop);
    log_begin(&l, LOG_INFO, "drain begins");
    log_kv_u64(&l, "connections", gw->nconns);
    log_kv_u64(&l, "wait_ms", (uint64_t)cfg->gateway_drain_wait);
    log_kv_u64(&l, "time_ms", (uint64_t)cfg->gateway_drain_time);
    log_end(&l);
    if (cfg->gateway_drain_wait)
        set_timer(gw, d->began_at + (uint64_t)cfg->gateway_drain_wait);
    else
        begin_pace(gw);
}

void gw_drain_fini(struct gateway *gw)
{
    wheel_drop(loop_wheel(gw->loop), &gw->drain.timer);
    x_free(gw->drain.sids);
    gw->drain.sids = NULL;
}
