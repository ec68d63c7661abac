/* Design notes
 *
 * - Deadlines follow the plan, not the firing: the pong is due ping_timeout after the ping was due.
 *   So a session is gone exactly ping_interval + ping_timeout after its last pong, however coarse the
 *   timers are. Only when we ourselves were held up (LATE_MS, or a quarter of the pong's time)
 *   does the pong's time start anew: our pause is not the client's fault.
 * - "closed" is the last thing said; nothing is sent behind it.
 * - The reference clears a running pong deadline at an upgrade and may then never ping again; here
 *   the deadline is set anew.
 * - Version 3: the client pings, and only its pings keep the session. The reference stops that clock
 *   at an upgrade and never starts it again; here it goes on. */

/* System */
#include <assert.h>
#include <stddef.h>
/* Proto */
#include "proto/eio_session.h"

#define NOOP_EVERY_MS 100 /* engine.io: "check" interval while upgrading */
#define LATE_MS 100

void eio_session_init(struct eio_session *s, const struct eio_settings *set,
                      const struct eio_session_ops *ops, enum eio_version version,
                      enum eio_transport transport, uint64_t now)
{
    *s = (struct eio_session){
        .set = set,
        .ops = ops,
        .transport = (uint8_t)transport,
        .version = (uint8_t)version,
        .heartbeat_at = now + set->ping_interval + (version == EIO_V3 ? set->ping_timeout : 0),
    };
}

static void drop_probe(struct eio_session *s)
{
    if (s->probe == EIO_PROBE_NONE) return;
    s->probe = EIO_PROBE_NONE;
    s->probe_at = s->limit_at = 0;
    s->ops->probe_close(s);
}

static void finish(struct eio_session *s, enum close_reason reason)
{
    assert(s->state != EIO_STATE_CLOSED);
    drop_probe(s);
    s->state = EIO_STATE_CLOSED;
    s->ops->closed(s, reason);
}

/* Ends with a word to a pending poll; a WebSocket is told by its close frame. */
static void finish_telling(struct eio_session *s, enum eio_type word, enum close_reason reason)
{
    if (s->transport == EIO_POLLING && s->poll_pending) s->ops->send(s, word);
    finish(s, reason);
}

void eio_session_lost(struct eio_session *s, enum close_reason reason)
{
    if (s->state != EIO_STATE_CLOSED)
        finish(s, s->state == EIO_STATE_CLOSING ? s->close_reason : reason);
}

void eio_session_bad_packet(struct eio_session *s)
{
    if (s->state == EIO_STATE_OPEN) finish_telling(s, EIO_CLOSE, REASON_PARSE_ERROR);
}

/* "invalid heartbeat direction" */
static void wrong_direction(struct eio_session *s)
{
    finish_telling(s, EIO_CLOSE, REASON_TRANSPORT_ERROR);
}

static void on_ping(struct eio_session *s, uint64_t now)
{
    if (s->version != EIO_V3) {
        wrong_direction(s);
        return;
    }
    s->heartbeat_at = now + s->set->ping_interval + s->set->ping_timeout;
    s->ops->send(s, EIO_PONG);
}

static void on_pong(struct eio_session *s, uint64_t now)
{
    if (s->version == EIO_V3) {
        wrong_direction(s);
        return;
    }
    if (!s->awaits_pong) return;
    s->awaits_pong = false;
    s->heartbeat_at = now + s->set->ping_interval;
}

/* engine.io 6.6.12: the first other packet while a pong is awaited extends the wait once. */
static void extend_pong(struct eio_session *s, uint64_t now)
{
    if (!s->awaits_pong || s->pong_extended) return;
    s->pong_extended = true;
    s->heartbeat_at = now + s->set->ping_timeout;
}

void eio_session_packet(struct eio_session *s, const struct eio_packet *p, uint64_t now)
{
    if (s->state == EIO_STATE_CLOSING && p->type == EIO_CLOSE) { /* both want it: nobody to tell */
        finish_telling(s, EIO_NOOP, s->close_reason);
        return;
    }
    if (s->state != EIO_STATE_OPEN) return;
    if (p->type != EIO_PONG) extend_pong(s, now);
    switch (p->type) {
    case EIO_MESSAGE: s->ops->message(s, p->binary, p->data); break;
    case EIO_PONG: on_pong(s, now); break;
    case EIO_PING: on_ping(s, now); break;
    case EIO_CLOSE: /* a pending poll is released with a noop */
        finish_telling(s, EIO_NOOP, REASON_TRANSPORT_CLOSE);
        break;
    case EIO_OPEN:
    case EIO_UPGRADE:
    case EIO_NOOP: break; /* as the reference: no meaning here, ignored */
    }
}

bool eio_session_poll_begin(struct eio_session *s, bool queue_is_empty)
{
    assert(s->state != EIO_STATE_CLOSED && s->transport == EIO_POLLING);
    if (s->poll_pending) { /* overlapping polls */
        finish_telling(s, EIO_CLOSE,
                       s->state == EIO_STATE_CLOSING ? s->close_reason : REASON_TRANSPORT_ERROR);
        return false;
    }
    s->poll_pending = true;
    if (s->state == EIO_STATE_CLOSING && queue_is_empty) {
        /* Orderly close: "6" RS "1" on the next poll. */
        s->ops->send(s, EIO_NOOP);
        finish_telling(s, EIO_CLOSE, s->close_reason);
    }
    return true;
}

void eio_session_poll_answered(struct eio_session *s)
{
    s->poll_pending = false;
}

bool eio_session_probe_open(struct eio_session *s, uint64_t now)
{
    if (s->state != EIO_STATE_OPEN || s->transport != EIO_POLLING || s->probe != EIO_PROBE_NONE)
        return false;
    s->probe = EIO_PROBE_OPEN;
    s->limit_at = now + s->set->upgrade_timeout;
    return true;
}

static void upgrade(struct eio_session *s, uint64_t now)
{
    s->probe = EIO_PROBE_NONE;
    s->probe_at = s->limit_at = 0;
    s->transport = EIO_WEBSOCKET;
    if (s->awaits_pong) s->heartbeat_at = now + s->set->ping_timeout;
    s->ops->upgraded(s);
}

void eio_session_probe_packet(struct eio_session *s, const struct eio_packet *p, uint64_t now)
{
    if (s->probe == EIO_PROBE_NONE) return;
    if (p && p->type == EIO_PING && sv_eq(p->data, SV("probe"))) {
        s->probe = EIO_PROBE_PROBED;
        s->probe_at = now + NOOP_EVERY_MS;
        s->ops->probe_pong(s);
    } else if (p && p->type == EIO_UPGRADE && s->state == EIO_STATE_OPEN) {
        upgrade(s, now);
    } else {
        drop_probe(s);
    }
}

void eio_session_probe_lost(struct eio_session *s)
{
    if (s->probe == EIO_PROBE_NONE) return;
    s->probe = EIO_PROBE_NONE;
    s->probe_at = s->limit_at = 0;
}

void eio_session_close(struct eio_session *s, enum close_reason reason, bool queue_is_empty,
                       uint64_t now)
{
    if (s->state != EIO_STATE_OPEN) return;
    if (s->transport == EIO_POLLING && (!s->poll_pending || !queue_is_empty)) {
        drop_probe(s);
        s->state = EIO_STATE_CLOSING;
        s->close_reason = (uint8_t)reason;
        s->limit_at = now + s->set->close_timeout;
        s->ops->closing(s, reason);
    } else {
        finish_telling(s, EIO_CLOSE, reason);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return b && b < a ? b : a;
}

uint64_t eio_session_deadline(const struct eio_session *s)
{
    if (s->state == EIO_STATE_CLOSED) return UINT64_MAX;
    if (s->state == EIO_STATE_CLOSING) return s->limit_at;
    return earlier(earlier(s->heartbeat_at, s->limit_at), s->probe_at);
}

static void on_heartbeat(struct eio_session *s, uint64_t now)
{
    if (s->awaits_pong || s->version == EIO_V3) {
        finish_telling(s, EIO_CLOSE, REASON_PING_TIMEOUT);
        return;
    }
    uint64_t late = now - s->heartbeat_at;
    bool held_up = late > LATE_MS || late > s->set->ping_timeout / 4;
    s->heartbeat_at = (held_up ? now : s->heartbeat_at) + s->set->ping_timeout;
    s->awaits_pong = true;
    s->pong_extended = false;
    s->ops->send(s, EIO_PING);
}

void eio_session_tick(struct eio_session *s, uint64_t now)
{
    if (s->state == EIO_STATE_CLOSING) {
        if (now >= s->limit_at) finish(s, s->close_reason);
        return;
    }
    if (s->state != EIO_STATE_OPEN) return;
    if (s->limit_at && now >= s->limit_at) drop_probe(s);
    if (s->probe_at && now >= s->probe_at) {
        s->probe_at = now + NOOP_EVERY_MS;
        if (s->poll_pending) s->ops->send(s, EIO_NOOP);
    }
    if (now >= s->heartbeat_at) on_heartbeat(s, now);
}
