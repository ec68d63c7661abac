/* Leaving: how a gateway that is told to end lets its clients go.
 *
 *   NO ─ gw_drain_begin ─▶ WAIT ─ gateway.drain_wait ─▶ PACE ─ gateway.drain_time ─▶ FAREWELL ─▶ DONE
 *
 * WAIT: not ready, but all goes on, until balancers have noticed. PACE: nobody new, and one client
 * after the other is closed. FAREWELL: all have been told and get gateway.shutdown_timeout to take
 * it. The loop is stopped at DONE, which comes as soon as the last is gone. Times of 0 are passed
 * over. */
#ifndef PEAL_GW_DRAIN_H
#define PEAL_GW_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/wheel.h"

struct gateway;

enum gw_drain_state { GW_DRAIN_NO, GW_DRAIN_WAIT, GW_DRAIN_PACE, GW_DRAIN_FAREWELL, GW_DRAIN_DONE };

/* Zeroed memory is one that has not begun. */
struct gw_drain {
    enum gw_drain_state state;
    struct wheel_entry timer;
    uint64_t began_at, pace_at;
    char *sids; /* of those to close in PACE, ID_LEN each, in the order of closing */
    size_t n, next;
};

/* A second call changes nothing. */
void gw_drain_begin(struct gateway *gw);
/* Everybody is gone. Only while stopping. */
void gw_drain_end(struct gateway *gw);
/* At the gateway's end, in any state. */
void gw_drain_fini(struct gateway *gw);

#endif
