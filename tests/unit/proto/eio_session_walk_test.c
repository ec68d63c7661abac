/* An Engine.IO session on a random walk of a hundred thousand events: whatever the order of things,
 * what it promises its connection holds. */
/* System */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/eio_session.h"

#define STEPS 100000

static const struct eio_settings brief = {2000, 1500, 1000, 3000};

/* What the connection knows; everything is counted anew for each session. */
static struct {
    struct eio_session s;
    uint64_t now, seed;
    unsigned closed, closing, upgraded, queued;
    bool probing, close_on_message;
} w;

static uint32_t draw(uint32_t below)
{
    w.seed = w.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(w.seed >> 33) % below;
}

static void on_send(struct eio_session *s, enum eio_type type)
{
    assert_int_equal(w.closed, 0);
    assert_int_not_equal(s->state, EIO_STATE_CLOSED);
    enum eio_type heartbeat = s->version == EIO_V3 ? EIO_PONG : EIO_PING;
    assert_true(type == heartbeat || type == EIO_NOOP || type == EIO_CLOSE);
    /* A WebSocket is told of the end by its close frame, and needs no noop. */
    if (s->transport == EIO_WEBSOCKET) assert_int_equal(type, heartbeat);
    /* Nobody would fetch a noop or a close without a poll. */
    if (type != heartbeat) assert_true(s->poll_pending);
    w.queued++;
}

static void on_probe_pong(struct eio_session *s)
{
    assert_true(w.probing);
    assert_int_equal(s->probe, EIO_PROBE_PROBED);
}

static void on_probe_close(struct eio_session *s)
{
    assert_true(w.probing);
    assert_int_equal(s->probe, EIO_PROBE_NONE);
    w.probing = false;
}

static void on_upgraded(struct eio_session *s)
{
    assert_true(w.probing);
    assert_int_equal(s->state, EIO_STATE_OPEN);
    w.probing = false;
    assert_int_equal(w.upgraded++, 0);
    if (s->poll_pending) eio_session_poll_answered(s); /* as the connection does */
}

static void on_message(struct eio_session *s, bool binary, struct str_view data)
{
    (void)binary;
    (void)data;
    assert_int_equal(s->state, EIO_STATE_OPEN);
    if (w.close_on_message) eio_session_close(s, REASON_FORCED_CLOSE, w.queued == 0, w.now);
}

static void on_closed(struct eio_session *s, enum close_reason reason)
{
    assert_int_equal(w.closed++, 0);
    assert_int_equal(s->state, EIO_STATE_CLOSED);
    assert_true(reason > REASON_NONE && reason < REASON_COUNT);
    assert_false(w.probing);
}

static void on_closing(struct eio_session *s, enum close_reason reason)
{
    assert_int_equal(w.closing++, 0);
    assert_int_equal(w.closed, 0);
    assert_int_equal(s->state, EIO_STATE_CLOSING);
    assert_true(reason > REASON_NONE && reason < REASON_COUNT);
}

static const struct eio_session_ops ops = {on_send,    on_probe_pong, on_probe_close, on_upgraded,
                                           on_message, on_closed,     on_closing};

static void begin(void)
{
    enum eio_transport t = draw(4) ? EIO_POLLING : EIO_WEBSOCKET;
    w.closed = w.closing = w.upgraded = w.queued = 0;
    w.probing = false;
    eio_session_init(&w.s, &brief, &ops, draw(4) ? EIO_V4 : EIO_V3, t, w.now);
}

static struct eio_packet any_packet(void)
{
    /* Mostly what keeps a session alive, else none would grow old. */
    static const uint8_t types[] = {3, 3, 3, 3, 4, 4, 4, 4, 6, 5, 0, 1, 2};
    struct eio_packet p = {(enum eio_type)types[draw(sizeof(types))], false, SV("")};
    if (p.type < EIO_PONG && draw(8)) p.type = EIO_PONG;
    if (w.s.version == EIO_V3 && p.type == EIO_PONG && draw(16)) p.type = EIO_PING;
    if (p.type == EIO_MESSAGE) p.data = SV("x"), p.binary = draw(2);
    return p;
}

static void poll(void)
{
    struct eio_session *s = &w.s;
    if (s->state == EIO_STATE_CLOSED || s->transport != EIO_POLLING) return;
    bool overlaps = s->poll_pending;
    if (overlaps && draw(16)) return; /* rarely, it ends the session */
    bool held = eio_session_poll_begin(s, w.queued == 0);
    assert_int_equal(held, !overlaps);
    if (held) assert_true(s->poll_pending);
    if (overlaps) assert_int_equal(w.closed, 1);
}

static void probe_event(void)
{
    struct eio_session *s = &w.s;
    struct eio_packet p = any_packet();
    uint32_t what = draw(6);
    if (!w.probing) {
        bool may = eio_session_probe_open(s, w.now);
        assert_int_equal(may, s->state == EIO_STATE_OPEN && s->transport == EIO_POLLING);
        w.probing = may;
    } else if (what < 2) {
        p = (struct eio_packet){EIO_PING, false, SV("probe")};
        eio_session_probe_packet(s, &p, w.now);
    } else if (what == 2) {
        p = (struct eio_packet){EIO_UPGRADE, false, SV("")};
        eio_session_probe_packet(s, &p, w.now);
    } else if (what == 3) {
        eio_session_probe_packet(s, draw(2) ? &p : NULL, w.now);
    } else if (what == 4) {
        w.probing = false;
        eio_session_probe_lost(s);
    } else {
        assert_false(eio_session_probe_open(s, w.now));
    }
}

static void one_event(void)
{
    struct eio_session *s = &w.s;
    struct eio_packet p = any_packet();
    w.close_on_message = draw(20) == 0;
    switch (draw(12)) {
    case 0:
    case 1:
    case 2: eio_session_packet(s, &p, w.now); break;
    case 3:
    case 4: poll(); break;
    case 5:
    case 6:
        if (s->poll_pending && w.queued) {
            w.queued = 0;
            eio_session_poll_answered(s);
        }
        break;
    case 7:
    case 8: probe_event(); break;
    case 9: w.now += draw(1000); break;
    case 10:
        w.now = eio_session_deadline(s) == UINT64_MAX ? w.now : eio_session_deadline(s) + draw(3);
        break;
    case 11:
        if (draw(20) == 0) eio_session_close(s, REASON_FORCED_CLOSE, w.queued == 0, w.now);
        if (draw(60) == 0) eio_session_lost(s, REASON_TRANSPORT_CLOSE);
        if (draw(60) == 0) eio_session_bad_packet(s);
        break;
    }
}

static void check(void)
{
    const struct eio_session *s = &w.s;
    uint64_t due = eio_session_deadline(s);
    assert_int_equal(w.closed, s->state == EIO_STATE_CLOSED);
    assert_int_equal(due == UINT64_MAX, s->state == EIO_STATE_CLOSED);
    assert_int_equal(w.probing, s->probe != EIO_PROBE_NONE);
    if (s->state != EIO_STATE_OPEN) assert_int_equal(s->probe, EIO_PROBE_NONE);
    if (s->state == EIO_STATE_CLOSING) assert_int_equal(s->transport, EIO_POLLING);
    if (s->transport == EIO_WEBSOCKET) {
        assert_int_equal(s->probe, EIO_PROBE_NONE);
        assert_false(s->poll_pending);
    }
    /* No session waits longer than its longest time-out. */
    if (s->state == EIO_STATE_OPEN)
        assert_true(due <=
                    w.now + brief.ping_interval + (s->version == EIO_V3 ? brief.ping_timeout : 0));
    if (s->state == EIO_STATE_CLOSING) assert_true(due <= w.now + brief.close_timeout);
}

static void promises_hold_on_a_random_walk(void **state)
{
    const char *given = getenv("PEAL_TEST_SEED");
    unsigned ended = 0, upgraded = 0;
    (void)state;
    w.seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("PEAL_TEST_SEED=%" PRIu64 "\n", w.seed);
    w.now = 1;
    begin();
    for (unsigned i = 0; i < STEPS; i++) {
        one_event();
        check();
        eio_session_tick(&w.s, w.now);
        check();
        assert_true(eio_session_deadline(&w.s) > w.now);
        if (w.closed && draw(4) == 0) { /* some events behind the end, then another session */
            ended++;
            upgraded += w.upgraded;
            begin();
        }
    }
    /* The walk met what it is for. */
    assert_true(ended > STEPS / 500);
    assert_true(upgraded > STEPS / 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(promises_hold_on_a_random_walk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
