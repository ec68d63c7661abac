/* Design notes
 *
 * - Nothing is written outside gw_conn_phase(): what a turn queued for a connection leaves in one
 *   write at its end. Two exceptions answer on a WebSocket that is not the session's transport yet:
 *   the probe's pong and its close.
 * - The upper layer hears the end once (end_upper), as soon as it is decided; a polling session may
 *   then live on until its client has been told. The transport is shut and the memory freed in the
 *   phase. A walk over sockets (fan-out) may not close, it dooms. */

/* System */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_auth.h"
#include "gw_conn_parts.h"
#include "gw_flush.h"
#include "gw_http.h"
#include "gw_metrics.h"
#include "gw_poll.h"

/* ---- queue */

void gw_conn_mark_dirty(struct gw_conn *c)
{
    if (c->is_dirty) return;
    c->is_dirty = true;
    c->dirty_next = c->gw->dirty_conns;
    c->gw->dirty_conns = c;
}

/* Waiting begins with the first message that waits: a sweep that comes late finds a fresh time. */
static void push(struct gw_conn *c, struct eio_msg *m)
{
    if (!c->queue.n) c->progress_at = loop_now(c->gw->loop);
    gw_queue_push(&c->queue, m);
    c->gw->gauge.queue_bytes += eio_msg_size(m);
    gw_conn_mark_dirty(c);
}

void gw_conn_pop(struct gw_conn *c, uint32_t n)
{
    size_t before = c->queue.bytes;
    gw_queue_pop(&c->queue, n);
    c->gw->gauge.queue_bytes -= before - c->queue.bytes;
}

void gw_conn_send(struct gw_conn *c, struct eio_msg *m)
{
    if (c->is_dead || c->doom || c->eio.state != EIO_STATE_OPEN) return;
    size_t max = (size_t)c->gw->cfg->queue_max_bytes;
    if (c->queue.n && c->queue.bytes + eio_msg_size(m) > max) {
        gw_conn_doom(c, REASON_SLOW_BYTES);
        return;
    }
    push(c, m);
}

bool gw_conn_is_ready(const struct gw_conn *c)
{
    if (c->queue.n && !c->is_dirty) return false; /* stuck from an earlier turn */
    return c->eio.transport == EIO_WEBSOCKET ? c->ws && gw_ws_is_writable(c->ws) : c->get != NULL;
}

size_t gw_conn_max_message(const struct gw_conn *c)
{
    const struct cfg *cfg = c->gw->cfg;
    int64_t max = cfg->gateway_max_payload, pending = cfg->auth_pending_max_bytes;
    return (size_t)(c->is_trusted || max < pending ? max : pending);
}

/* ---- who did not take all; a sweep looks only at these, so idle connections cost it nothing */

static bool is_stuck(const struct gw_conn *c)
{
    return c->queue.n || (c->ws && !gw_ws_is_writable(c->ws));
}

static void stuck_add(struct gw_conn *c)
{
    struct gateway *gw = c->gw;
    if (c->is_listed) return;
    c->is_listed = true;
    c->stuck_prev = NULL;
    c->stuck_next = gw->stuck_conns;
    if (c->stuck_next) c->stuck_next->stuck_prev = c;
    gw->stuck_conns = c;
}

static void stuck_remove(struct gw_conn *c)
{
    if (!c->is_listed) return;
    c->is_listed = false;
    *(c->stuck_prev ? &c->stuck_prev->stuck_next : &c->gw->stuck_conns) = c->stuck_next;
    if (c->stuck_next) c->stuck_next->stuck_prev = c->stuck_prev;
}

/* ---- what the session asks for (eio_session.h) */

static struct gw_conn *conn_of(struct eio_session *s)
{
    return (struct gw_conn *)s;
}

static void on_send(struct eio_session *s, enum eio_type type)
{
    struct gw_conn *c = conn_of(s);
    struct eio_msg *m = eio_msg_new_control(type, SV(""));
    if (type == EIO_PING) gw_metrics_ping(c->gw, c->timer.deadline);
    push(c, m);
    eio_msg_rele(m);
}

static void on_probe_pong(struct eio_session *s)
{
    static const char pong[] = "\x81\x06"
                               "3probe";
    struct gw_conn *c = conn_of(s);
    if (c->probe) (void)!gw_ws_write(c->probe, SV(pong));
}

static void on_probe_close(struct eio_session *s)
{
    struct gw_conn *c = conn_of(s);
    if (c->probe) gw_ws_close(c->probe, GW_WS_CLOSE_NONE);
    c->probe = NULL;
}

static void on_upgraded(struct eio_session *s)
{
    struct gw_conn *c = conn_of(s);
    c->ws = c->probe;
    c->probe = NULL;
    gw_ws_set_limit(c->ws, gw_conn_max_message(c)); /* trust may have come meanwhile */
    c->gw->count.upgrades++;
    c->gw->gauge.websockets++;
    /* A well-behaved client has no poll open now; if there is one, it is released empty-handed. */
    if (c->get) gw_poll_release(c, EIO_NOOP);
    if (c->queue.n) gw_conn_mark_dirty(c);
}

static void on_message(struct eio_session *s, bool binary, struct str_view data)
{
    struct gw_conn *c = conn_of(s);
    c->gw->count.packets_in++;
    if (!c->doom) c->gw->upper->message(c, binary, data);
}

/* The end for the layer above, though a polling client may still have to be told. */
static void end_upper(struct gw_conn *c, enum close_reason reason)
{
    if (c->is_over) return;
    c->is_over = true;
    c->reason = (uint8_t)reason;
    c->gw->count.closes[reason]++;
    c->gw->upper->closed(c, reason);
}

static void on_closing(struct eio_session *s, enum close_reason reason)
{
    struct gw_conn *c = conn_of(s);
    c->gw->gauge.closing++;
    end_upper(c, reason);
    /* Who was too slow does not keep the memory any longer. */
    bool was_slow = reason == REASON_SLOW_BYTES || reason == REASON_SLOW_AGE;
    if (was_slow && !c->get) gw_conn_pop(c, c->queue.n);
}

static void on_closed(struct eio_session *s, enum close_reason reason)
{
    struct gw_conn *c = conn_of(s);
    struct gateway *gw = c->gw;
    assert(!c->is_dead);
    c->is_dead = true;
    wheel_drop(loop_wheel(gw->loop), &c->timer);
    stuck_remove(c);
    HASH_DEL(gw->conns, c);
    gw->nconns--;
    if (c->is_over) gw->gauge.closing--;
    if (s->transport == EIO_WEBSOCKET) gw->gauge.websockets--;
    c->dead_next = gw->dead_conns;
    gw->dead_conns = c;
    end_upper(c, reason);
}

static const struct eio_session_ops session_ops = {
    .send = on_send,
    .probe_pong = on_probe_pong,
    .probe_close = on_probe_close,
    .upgraded = on_upgraded,
    .message = on_message,
    .closed = on_closed,
    .closing = on_closing,
};

/* ---- deadlines */

void gw_conn_arm(struct gw_conn *c)
{
    if (c->is_dead) return;
    uint64_t at = eio_session_deadline(&c->eio);
    if (!wheel_is_set(&c->timer) || c->timer.deadline != at)
        wheel_set(loop_wheel(c->gw->loop), &c->timer, at);
}

static void on_timer(struct wheel_entry *e)
{
    struct gw_conn *c = (struct gw_conn *)((char *)e - offsetof(struct gw_conn, timer));
    eio_session_tick(&c->eio, loop_now(c->gw->loop));
    gw_conn_arm(c);
}

/* ---- birth */

static void set_addr(struct gw_conn *c, const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET6) {
        memcpy(c->addr, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
    } else if (peer->ss_family == AF_INET) {
        c->addr[10] = c->addr[11] = 0xff;
        memcpy(c->addr + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    }
}

void gw_conn_addr(const struct gw_conn *c, char *out, size_t size)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    out[0] = '\0';
    if (memcmp(c->addr, mapped, 12) == 0)
        inet_ntop(AF_INET, c->addr + 12, out, (socklen_t)size);
    else
        inet_ntop(AF_INET6, c->addr, out, (socklen_t)size);
}

struct gw_conn *gw_conn_new(struct gateway *gw, const struct gw_http *http,
                            enum eio_transport transport, const struct gw_wire *wire,
                            struct gw_token token)
{
    struct gw_conn *c = x_calloc(1, sizeof(*c));
    uint64_t now = loop_now(gw->loop);
    c->gw = gw;
    c->timer.fire = on_timer;
    c->token = token.text;
    c->token_from = (uint8_t)token.from;
    c->progress_at = now;
    c->is_trusted = strcmp(gw->cfg->auth_mode, "none") == 0;
    set_addr(c, &http->peer);
    id_make(c->sid, gw->node);
    eio_session_init(&c->eio, &gw->eio, &session_ops, (enum eio_version)wire->version, transport,
                     now);
    HASH_ADD(hh, gw->conns, sid, ID_LEN, c);
    gw->nconns++;
    gw->count.sessions++;
    if (wire->version == EIO_V3) gw->count.sessions_eio3++;
    if (transport == EIO_WEBSOCKET) gw->gauge.websockets++;
    return c;
}

/* The handshake, in the reference's key order. */
void gw_conn_send_open(struct gw_conn *c)
{
    const struct cfg *cfg = c->gw->cfg;
    bool upgrades = c->eio.transport == EIO_POLLING && cfg->engine_allow_upgrades &&
                    cfg_list_has(&cfg->engine_transports, SV("websocket"));
    char text[256];
    int n = snprintf(text, sizeof(text),
                     "{\"sid\":\"%.*s\",\"upgrades\":[%s],\"pingInterval\":%lld,"
                     "\"pingTimeout\":%lld,\"maxPayload\":%lld}",
                     ID_LEN, c->sid, upgrades ? "\"websocket\"" : "",
                     (long long)cfg->engine_ping_interval, (long long)cfg->engine_ping_timeout,
                     (long long)cfg->gateway_max_payload);
    struct eio_msg *m = eio_msg_new_control(EIO_OPEN, sv_make(text, (size_t)n));
    gw_conn_send(c, m);
    eio_msg_rele(m);
}

struct gw_conn *gw_conn_find(struct gateway *gw, struct str_view sid)
{
    struct gw_conn *c = NULL;
    if (sid.n != ID_LEN) return NULL;
    HASH_FIND(hh, gw->conns, sid.p, ID_LEN, c);
    /* The timers may be a tick late; a session past its deadline is gone all the same. */
    if (c && eio_session_deadline(&c->eio) <= loop_now(gw->loop)) {
        eio_session_tick(&c->eio, loop_now(gw->loop));
        if (c->is_dead) return NULL;
        gw_conn_arm(c);
    }
    return c;
}

/* ---- the turn's end */

static void flush_conn(struct gw_conn *c)
{
    if (c->is_corked) return;
    if (c->eio.transport == EIO_WEBSOCKET) {
        gw_flush_ws(c);
    } else if (c->get && c->queue.n) {
        gw_poll_answer(c);
    }
}

void gw_conn_polled(struct gw_conn *c)
{
    c->get = NULL;
    c->progress_at = loop_now(c->gw->loop);
    gw_conn_pop(c, c->queue.n);
    eio_session_poll_answered(&c->eio);
}

static void release(struct gw_conn *c)
{
    c->is_corked = false;
    flush_conn(c);
    if (c->get) gw_poll_release(c, EIO_CLOSE);
    if (c->post) c->post->owner = NULL; /* its body finds no session */
    if (c->ws)
        gw_ws_close(c->ws,
                    c->reason == REASON_SHUTDOWN ? GW_WS_CLOSE_GOING_AWAY : GW_WS_CLOSE_NONE);
    if (c->probe) gw_ws_close(c->probe, GW_WS_CLOSE_NONE);
    gw_conn_pop(c, c->queue.n);
    assert(!c->sockets && !c->assembler && !wheel_is_set(&c->connect_timer));
    gw_identity_rele(c->identity);
    if (c->token) x_free_secret(c->token, strlen(c->token));
    x_free(c);
}

bool gw_conn_phase(struct gateway *gw)
{
    while (gw->dirty_conns) {
        struct gw_conn *c = gw->dirty_conns;
        gw->dirty_conns = c->dirty_next;
        c->is_dirty = false;
        if (c->is_dead) continue;
        if (c->doom) eio_session_close(&c->eio, c->doom, c->queue.n == 0, loop_now(gw->loop));
        if (!c->is_dead) {
            flush_conn(c);
            gw_conn_arm(c);
            if (is_stuck(c)) stuck_add(c);
        }
    }
    while (gw->dead_conns) {
        struct gw_conn *c = gw->dead_conns;
        gw->dead_conns = c->dead_next;
        assert(!c->is_dirty); /* the loop above has taken it off */
        release(c);
    }
    gw_flush_end();
    return gw->dirty_conns || gw->dead_conns;
}

void gw_conn_cork(struct gw_conn *c, bool on)
{
    c->is_corked = on;
    if (!on && c->queue.n) gw_conn_mark_dirty(c);
}

void gw_conn_close(struct gw_conn *c, enum close_reason reason)
{
    eio_session_close(&c->eio, reason, c->queue.n == 0, loop_now(c->gw->loop));
    gw_conn_arm(c);
}

void gw_conn_doom(struct gw_conn *c, enum close_reason reason)
{
    if (c->is_dead || c->doom) return;
    c->doom = (uint8_t)reason;
    gw_conn_mark_dirty(c);
}

const char *gw_conn_transport(const struct gw_conn *c)
{
    return c->eio.transport == EIO_WEBSOCKET ? "websocket" : "polling";
}

void gw_conn_sweep(struct gateway *gw)
{
    uint64_t now = loop_now(gw->loop), max = (uint64_t)gw->cfg->queue_max_age;
    for (struct gw_conn *c = gw->stuck_conns, *next; c; c = next) {
        next = c->stuck_next;
        if (!is_stuck(c))
            stuck_remove(c);
        else if (now - c->progress_at > max)
            gw_conn_doom(c, REASON_SLOW_AGE);
    }
}

void gw_conn_stop(struct gateway *gw)
{
    struct gw_conn *c, *next;
    HASH_ITER(hh, gw->conns, c, next)
    {
        if (c->eio.state == EIO_STATE_CLOSING) /* it has had its time */
            eio_session_lost(&c->eio, REASON_SHUTDOWN);
        else
            gw_conn_doom(c, REASON_SHUTDOWN);
    }
}
