/* What comes from Redis: found in the interest table by its channel (or pattern), decoded there and
 * then (the bytes are hiredis's), and handed on. Everything in it is untrusted. */

/* Util */
#include "util/log.h"
/* Io */
#include "io/bus_redis_parts.h"

#define NAMES_A_COMMAND 256

static void bad(struct bus_redis *b, struct str_view channel, const char *why)
{
    uint64_t now = loop_now(b->loop);
    b->bus.stats.bad++;
    if (b->bad_logged_at && now - b->bad_logged_at < BUS_REDIS_LOG_MS) return;
    b->bad_logged_at = now;
    struct log_line l;
    log_begin(&l, LOG_WARN, "a message on the bus is not readable");
    log_kv(&l, "channel", channel);
    log_kv_c(&l, "why", why);
    log_kv_u64(&l, "bad", b->bus.stats.bad);
    log_end(&l);
}

/* Old clients' ids have the namespace before them, except in "/". */
bool bus_redis_is_own_id(const struct bus_redis *b, struct str_view nsp, struct str_view room)
{
    if (sv_starts_with(room, b->bus.uid)) return true;
    return sv_starts_with(room, nsp) && room.n > nsp.n && room.p[nsp.n] == '#' &&
           sv_starts_with(sv_skip(room, nsp.n + 1), b->bus.uid);
}

/* Is that subscription the one by which the message is to be taken? It may meet several: the pattern of
 * the own ids also matches rooms that only look like it, and with bus.subscribe=everything the pattern
 * of "/a" matches what is for "/a#b". pattern: empty if it came by the channel's own subscription. */
static bool is_taken_by(struct bus_redis *b, enum bus_channel_kind kind, struct str_view pattern,
                        struct str_view nsp, struct str_view room)
{
    if (kind == BUS_CHANNEL_OWN_IDS) return bus_redis_is_own_id(b, nsp, room);
    if (!pattern.n) return true;
    buf_clear(&b->name);
    return bus_name_everything(&b->name, b->key, nsp) && sv_eq(buf_view(&b->name), pattern);
}

/* The message says which namespace it is for, since two can share a channel's name; the channel must be
 * one of that namespace. */
static void on_broadcast(struct bus_redis *b, enum bus_channel_kind kind, struct str_view pattern,
                         struct str_view channel, struct str_view payload)
{
    struct bus_msg m;
    struct str_view uid, room;
    const char *why;
    if (adapter_decode_broadcast(b->decoder, payload, SV(""), &m, &uid, &why) != VERDICT_OK)
        bad(b, channel, why);
    else if (!bus_name_room_of(channel, b->key, m.nsp, &room))
        bad(b, channel, "another namespace");
    else if (is_taken_by(b, kind, pattern, m.nsp, room))
        b->bus.events->deliver(&m, b->bus.arg);
}

static void on_request(struct bus_redis *b, struct str_view channel, struct str_view nsp,
                       struct str_view payload)
{
    struct bus_request r;
    const char *why;
    if (adapter_decode_request(b->decoder, payload, nsp, &r, &why) != VERDICT_OK)
        bad(b, channel, why);
    else
        b->bus.events->request(&r, b->bus.arg);
}

static void on_response(struct bus_redis *b, struct str_view channel, struct str_view nsp,
                        struct str_view payload)
{
    struct bus_response r;
    const char *why;
    if (adapter_decode_response(b->decoder, payload, nsp, &r, &why) != VERDICT_OK)
        bad(b, channel, why);
    else
        b->bus.events->response(&r, b->bus.arg);
}

/* Nodes send none that is larger; what is in it is the owner's to judge. */
static void on_direct(struct bus_redis *b, struct str_view channel, struct str_view payload)
{
    if (payload.n > (size_t)b->cfg->bus_max_message) {
        bad(b, channel, "too large");
        return;
    }
    b->bus.stats.directs++;
    b->bus.events->direct(payload, b->bus.arg);
}

void bus_redis_on_message(void *arg, struct str_view pattern, struct str_view channel,
                          struct str_view payload)
{
    struct bus_redis *b = arg;
    enum bus_channel_kind kind;
    struct str_view nsp;
    bool is_pattern = pattern.n > 0;
    if (!bus_interest_find(b->interest, is_pattern, is_pattern ? pattern : channel, &kind, &nsp))
        return; /* left meanwhile */
    if (kind == BUS_CHANNEL_CANARY) {
        bus_redis_canary_heard(b, payload);
        return;
    }
    b->bus.stats.received++;
    b->bus.stats.received_bytes += payload.n;
    switch (kind) {
    case BUS_CHANNEL_BROADCAST:
    case BUS_CHANNEL_OWN_IDS: on_broadcast(b, kind, pattern, channel, payload); break;
    case BUS_CHANNEL_REQUEST: on_request(b, channel, nsp, payload); break;
    case BUS_CHANNEL_RESPONSE: on_response(b, channel, nsp, payload); break;
    case BUS_CHANNEL_DIRECT: on_direct(b, channel, payload); break;
    case BUS_CHANNEL_CANARY: break;
    }
}

void bus_redis_on_subscribed(void *arg, bool is_pattern, struct str_view channel, bool on)
{
    struct bus_redis *b = arg;
    bus_interest_confirmed(b->interest, is_pattern, channel, on);
    bus_redis_confirmed(b);
}

void bus_redis_in_flush(struct bus_redis *b)
{
    struct str_view names[NAMES_A_COMMAND];
    bool is_pattern = false, on = false;
    size_t n;
    bus_interest_settle(b->interest, loop_now(b->loop), (uint64_t)b->cfg->bus_pending_max_age);
    bus_redis_check_subscribed(b);
    if (!redis_link_is_up(b->in)) return;
    while ((n = bus_interest_next(b->interest, &is_pattern, &on, names, NAMES_A_COMMAND))) {
        if (on)
            redis_link_subscribe(b->in, is_pattern, names, n);
        else
            redis_link_unsubscribe(b->in, is_pattern, names, n);
    }
    redis_link_flush(b->in);
}
