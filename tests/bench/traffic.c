/* System */
#include <stdio.h>
/* This program */
#include "traffic.h"

/* A prime, so that rooms come in an order which no cache of the server foresees. */
enum { STRIDE = 7919, DRAIN_US = 10000000, TURN_US = 20000, NAME_MAX_BYTES = 128 };

static int publisher_of(const struct traffic *t, uint64_t n)
{
    if (t->group) return (int)(n * STRIDE % (uint64_t)(t->n / t->group)) * t->group;
    return (int)(n % (uint64_t)t->publishers) * (t->n / t->publishers);
}

static void publish(struct swarm *s, const struct traffic *t, int client, uint64_t due, bool asks)
{
    char name[NAME_MAX_BYTES];
    if (t->room) snprintf(name, sizeof name, "%s,\"%s%d\"", t->event, t->room, client / t->group);
    struct swarm_event e = {.event = t->room ? name : t->event,
                            .stamp_us = due,
                            .size = t->size,
                            .is_binary = t->is_binary,
                            .wants_ack = asks};
    swarm_publish(s, t->first + client, &e);
}

/* When message n is due: at a fixed rate at its time, else now. False: later; wait is cut to that. */
static bool is_due(const struct traffic *t, uint64_t start, uint64_t n, uint64_t now, uint64_t *due,
                   uint64_t *wait)
{
    *due = t->rate > 0 ? start + (uint64_t)((double)n / t->rate * 1e6) : now;
    if (*due > now && *due - now < *wait) *wait = *due - now;
    return *due <= now;
}

uint64_t traffic_fan_out(struct swarm *s, const struct traffic *t, double seconds)
{
    uint64_t start = meter_now_us(), n = 0, now, closed = s->closed;
    while ((now = meter_now_us()) - start < (uint64_t)(seconds * 1e6) && s->closed == closed) {
        uint64_t wait = TURN_US, due;
        while (is_due(t, start, n, now, &due, &wait)) {
            if (t->rate <= 0 && (n + 1) * t->audience > s->delivered + t->window * t->audience)
                break;
            publish(s, t, publisher_of(t, n), due, false);
            n++;
        }
        swarm_turn(s, wait);
    }
    uint64_t sent = meter_now_us();
    while (s->delivered < n * t->audience && s->closed == closed &&
           meter_now_us() - sent < DRAIN_US)
        swarm_turn(s, TURN_US);
    return n;
}

uint64_t traffic_ask(struct swarm *s, const struct traffic *t, double seconds)
{
    uint64_t start = meter_now_us(), n = 0, now, closed = s->closed;
    while ((now = meter_now_us()) - start < (uint64_t)(seconds * 1e6) && s->closed == closed) {
        uint64_t wait = TURN_US, due;
        while (is_due(t, start, n, now, &due, &wait)) {
            int client = (int)(n * STRIDE % (uint64_t)t->n);
            if (t->rate <= 0 && n >= s->answered + t->window) break;
            if (s->clients[t->first + client].waits) break;
            publish(s, t, client, due, true);
            n++;
        }
        swarm_turn(s, wait);
    }
    uint64_t sent = meter_now_us();
    while (s->answered < n && s->closed == closed && meter_now_us() - sent < DRAIN_US)
        swarm_turn(s, TURN_US);
    return n;
}
