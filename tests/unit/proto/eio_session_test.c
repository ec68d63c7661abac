/* Engine.IO sessions, rule by rule: each case is a script of what arrives and when, with every
 * word that the session says in answer. */
/* System */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Proto */
#include "proto/eio_session.h"

#define T0 1000000 /* the time that scripts call 0 */

/* Reference defaults. */
static const struct eio_settings usual = {25000, 20000, 10000, 30000};

/* --- a connection that writes down what it is asked for */

static struct {
    struct eio_session s;
    char said[512];
    uint64_t now;
    bool close_on_message;
} fake;

static void say(const char *what, const char *more)
{
    size_t n = strlen(fake.said);
    assert_true(n + strlen(what) + strlen(more) + 2 < sizeof(fake.said));
    snprintf(fake.said + n, sizeof(fake.said) - n, "%s%s%s", n ? " " : "", what, more);
}

static void on_send(struct eio_session *s, enum eio_type type)
{
    char digit[2] = {(char)('0' + type), '\0'};
    assert_ptr_equal(s, &fake.s);
    say(digit, "");
}

static void on_probe_pong(struct eio_session *s)
{
    (void)s;
    say("3probe", "");
}

static void on_probe_close(struct eio_session *s)
{
    assert_int_equal(s->probe, EIO_PROBE_NONE);
    say("probe-close", "");
}

static void on_upgraded(struct eio_session *s)
{
    assert_int_equal(s->transport, EIO_WEBSOCKET);
    say("upgraded", "");
}

static void on_message(struct eio_session *s, bool binary, struct str_view data)
{
    char text[32];
    snprintf(text, sizeof(text), "%.*s", SV_ARG(data));
    say(binary ? "binary:" : "message:", text);
    if (fake.close_on_message) eio_session_close(s, REASON_FORCED_CLOSE, true, fake.now);
}

static void on_closed(struct eio_session *s, enum close_reason reason)
{
    assert_int_equal(s->state, EIO_STATE_CLOSED);
    say("closed:", close_reason_text(reason));
}

static void on_closing(struct eio_session *s, enum close_reason reason)
{
    assert_int_equal(s->state, EIO_STATE_CLOSING);
    say("closing:", close_reason_text(reason));
}

static const struct eio_session_ops ops = {on_send,    on_probe_pong, on_probe_close, on_upgraded,
                                           on_message, on_closed,     on_closing};

/* --- scripts */

struct step {
    uint64_t at;
    const char *act, *says;
};

static bool packet_of(const char *text, struct eio_packet *p)
{
    static char bytes[64];
    struct buf scratch = {.p = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    return eio_packet_decode(sv_of(text), &scratch, p) == VERDICT_OK;
}

static void say_due(void)
{
    char text[32];
    uint64_t due = eio_session_deadline(&fake.s);
    snprintf(text, sizeof(text), "%" PRIu64, due - T0);
    say(due == UINT64_MAX ? "never" : text, "");
}

/* A word is an event; text that begins with a digit or 'b' is a packet, with '>' in front one on
 * the probing WebSocket. */
static void act(const char *word)
{
    struct eio_session *s = &fake.s;
    struct eio_packet p;
    if (strcmp(word, "get") == 0)
        say(eio_session_poll_begin(s, true) ? "held" : "refused", "");
    else if (strcmp(word, "get while queue") == 0)
        say(eio_session_poll_begin(s, false) ? "held" : "refused", "");
    else if (strcmp(word, "answered") == 0)
        eio_session_poll_answered(s);
    else if (strcmp(word, "close") == 0)
        eio_session_close(s, REASON_FORCED_CLOSE, true, fake.now);
    else if (strcmp(word, "close while queue") == 0)
        eio_session_close(s, REASON_FORCED_CLOSE, false, fake.now);
    else if (strcmp(word, "lost") == 0)
        eio_session_lost(s, REASON_TRANSPORT_ERROR);
    else if (strcmp(word, "junk") == 0)
        eio_session_bad_packet(s);
    else if (strcmp(word, "probe") == 0)
        say(eio_session_probe_open(s, fake.now) ? "may" : "may not", "");
    else if (strcmp(word, ">lost") == 0)
        eio_session_probe_lost(s);
    else if (strcmp(word, "due") == 0)
        say_due();
    else if (strcmp(word, "tick") == 0)
        eio_session_tick(s, fake.now);
    else if (word[0] == '>')
        eio_session_probe_packet(s, packet_of(word + 1, &p) ? &p : NULL, fake.now);
    else if (packet_of(word, &p))
        eio_session_packet(s, &p, fake.now);
    else
        fail_msg("no such act: %s", word);
}

static void run(const char *name, enum eio_version version, enum eio_transport transport,
                const struct step *steps)
{
    fake.now = T0;
    eio_session_init(&fake.s, &usual, &ops, version, transport, T0);
    for (unsigned i = 0; steps[i].act; i++) {
        fake.now = T0 + steps[i].at;
        fake.said[0] = '\0';
        act(steps[i].act);
        if (strcmp(fake.said, steps[i].says) != 0)
            fail_msg("%s, step %u (%s at %" PRIu64 "): \"%s\" instead of \"%s\"", name, i,
                     steps[i].act, steps[i].at, fake.said, steps[i].says);
    }
}

#define RUN(transport, ...) RUN_OF(EIO_V4, transport, __VA_ARGS__)
#define RUN3(transport, ...) RUN_OF(EIO_V3, transport, __VA_ARGS__)
#define RUN_OF(version, transport, ...)                                                            \
    do {                                                                                           \
        static const struct step steps[] = {__VA_ARGS__, {0}};                                     \
        (void)state;                                                                               \
        run(__func__, version, transport, steps);                                                  \
    } while (0)

/* --- heartbeat */

static void ping_after_the_interval_counted_from_the_pong(void **state)
{
    RUN(EIO_WEBSOCKET, {0, "due", "25000"}, {24999, "tick", ""}, {25000, "tick", "2"},
        {25000, "due", "45000"}, {30000, "3", ""}, {30000, "due", "55000"}, {54999, "tick", ""},
        {55000, "tick", "2"}, {55000, "due", "75000"});
}

static void no_pong_ends_the_session(void **state)
{
    RUN(EIO_WEBSOCKET, {25000, "tick", "2"}, {44999, "tick", ""},
        {45000, "tick", "closed:ping timeout"}, {45000, "due", "never"});
    RUN(EIO_POLLING, {25000, "tick", "2"}, {25001, "get", "held"},
        {45000, "tick", "1 closed:ping timeout"});
    RUN(EIO_POLLING, {25000, "tick", "2"}, {45000, "tick", "closed:ping timeout"});
}

static void pong_that_nobody_asked_for_changes_nothing(void **state)
{
    RUN(EIO_WEBSOCKET, {20000, "3", ""}, {20000, "due", "25000"}, {25000, "tick", "2"},
        {26000, "3", ""}, {27000, "3", ""}, {27000, "due", "51000"});
}

static void one_other_packet_extends_the_wait_for_a_pong(void **state)
{
    RUN(EIO_WEBSOCKET, {25000, "tick", "2"}, {40000, "4a", "message:a"}, {40000, "due", "60000"},
        {41000, "4b", "message:b"}, {41000, "due", "60000"}, {59999, "tick", ""},
        {60000, "tick", "closed:ping timeout"});
    RUN(EIO_WEBSOCKET, {25000, "tick", "2"}, {40000, "6", ""}, {40000, "due", "60000"},
        {50000, "3", ""}, {75000, "tick", "2"}, {80000, "5", ""}, {80000, "due", "100000"});
    RUN(EIO_WEBSOCKET, {24000, "4a", "message:a"}, {24000, "due", "25000"});
}

static void slightly_late_ticks_do_not_move_the_plan(void **state)
{
    RUN(EIO_WEBSOCKET, {25100, "tick", "2"}, {25100, "due", "45000"},
        {45007, "tick", "closed:ping timeout"});
}

static void pause_of_ours_is_not_the_clients_fault(void **state)
{
    RUN(EIO_WEBSOCKET, {25101, "tick", "2"}, {25101, "due", "45101"});
    RUN(EIO_WEBSOCKET, {90000, "tick", "2"}, {90000, "due", "110000"}, {90001, "tick", ""});
}

/* A timeout shorter than what counts as held up: one late tick must not ping and give up at once.
 */
static void late_ping_leaves_time_for_its_pong(void **state)
{
    static const struct eio_settings brief = {50, 50, 50, 50};
    (void)state;
    fake.said[0] = '\0';
    eio_session_init(&fake.s, &brief, &ops, EIO_V4, EIO_WEBSOCKET, T0);
    eio_session_tick(&fake.s, T0 + 145);
    assert_string_equal(fake.said, "2");
    assert_true(eio_session_deadline(&fake.s) > T0 + 145);
}

static void ping_from_the_client_is_an_error(void **state)
{
    RUN(EIO_WEBSOCKET, {1, "2", "closed:transport error"});
    RUN(EIO_POLLING, {1, "get", "held"}, {2, "2probe", "1 closed:transport error"});
}

/* --- packets */

static void messages_go_up(void **state)
{
    RUN(EIO_WEBSOCKET, {1, "4hello", "message:hello"}, {2, "bAQID", "binary:\1\2\3"},
        {3, "4", "message:"});
    RUN(EIO_POLLING, {1, "4hello", "message:hello"});
}

static void packets_without_meaning_are_ignored(void **state)
{
    RUN(EIO_WEBSOCKET, {1, "0", ""}, {1, "5", ""}, {1, "6", ""}, {1, "due", "25000"});
}

static void bytes_that_are_no_packet_end_the_session(void **state)
{
    RUN(EIO_WEBSOCKET, {1, "junk", "closed:parse error"}, {2, "junk", ""});
    RUN(EIO_POLLING, {1, "get", "held"}, {2, "junk", "1 closed:parse error"});
    RUN(EIO_POLLING, {2, "junk", "closed:parse error"});
}

static void nothing_follows_the_end(void **state)
{
    RUN(EIO_POLLING, {1, "lost", "closed:transport error"}, {2, "lost", ""}, {2, "close", ""},
        {2, "4a", ""}, {2, "6", ""}, {2, "2", ""}, {2, "junk", ""}, {2, "probe", "may not"},
        {2, ">2probe", ""}, {2, ">5", ""}, {2, ">lost", ""}, {2, "answered", ""},
        {90000, "tick", ""}, {90000, "due", "never"});
}

/* --- polling */

static void second_get_ends_the_session(void **state)
{
    RUN(EIO_POLLING, {1, "get", "held"}, {2, "get", "1 closed:transport error refused"});
    RUN(EIO_POLLING, {1, "get", "held"}, {2, "answered", ""}, {3, "get", "held"});
}

static void close_from_the_client_releases_its_poll(void **state)
{
    RUN(EIO_POLLING, {1, "get", "held"}, {2, "1", "6 closed:transport close"});
    RUN(EIO_POLLING, {1, "1", "closed:transport close"});
}

static void close_of_ours_is_told_to_a_pending_poll(void **state)
{
    RUN(EIO_POLLING, {1, "get", "held"}, {2, "close", "1 closed:forced close"}, {3, "close", ""});
    RUN(EIO_WEBSOCKET, {1, "close", "closed:forced close"});
}

static void orderly_close_delivers_the_queue_first(void **state)
{
    RUN(EIO_POLLING, {1, "close", "closing:forced close"}, {5, "get while queue", "held"},
        {6, "answered", ""}, {7, "due", "30001"}, {8, "get", "6 1 closed:forced close held"});
    /* Queued with a poll pending: the poll takes the queue, the next one is told. */
    RUN(EIO_POLLING, {1, "get", "held"}, {2, "close while queue", "closing:forced close"},
        {3, "answered", ""}, {4, "get", "6 1 closed:forced close held"});
    RUN(EIO_WEBSOCKET, {1, "close while queue", "closed:forced close"});
    RUN(EIO_POLLING, {1, "close", "closing:forced close"},
        {8, "get", "6 1 closed:forced close held"});
}

static void closing_ignores_what_comes_in(void **state)
{
    RUN(EIO_POLLING, {1, "close", "closing:forced close"}, {2, "4a", ""}, {2, "6", ""},
        {2, "2", ""}, {2, "junk", ""}, {2, "3", ""}, {2, "close", ""}, {2, "probe", "may not"},
        {25000, "tick", ""}, {30000, "tick", ""}, {30001, "tick", "closed:forced close"},
        {30002, "due", "never"});
}

static void closing_ends_when_the_client_closes_too(void **state)
{
    RUN(EIO_POLLING, {1, "close", "closing:forced close"}, {2, "1", "closed:forced close"});
    RUN(EIO_POLLING, {1, "close", "closing:forced close"}, {2, "get while queue", "held"},
        {3, "1", "6 closed:forced close"});
}

static void closing_and_lost_keeps_its_reason(void **state)
{
    RUN(EIO_POLLING, {1, "close", "closing:forced close"}, {2, "lost", "closed:forced close"});
    RUN(EIO_POLLING, {1, "close", "closing:forced close"}, {2, "get while queue", "held"},
        {3, "get", "1 closed:forced close refused"});
}

static void message_handler_may_close(void **state)
{
    fake.close_on_message = true;
    RUN(EIO_POLLING, {1, "4a", "message:a closing:forced close"}, {2, "4b", ""},
        {3, "due", "30001"});
    RUN(EIO_POLLING, {1, "get", "held"}, {2, "4a", "message:a 1 closed:forced close"});
    RUN(EIO_WEBSOCKET, {1, "4a", "message:a closed:forced close"}, {2, "4b", ""});
    fake.close_on_message = false;
}

/* --- upgrade */

static void upgrade_by_the_book(void **state)
{
    RUN(EIO_POLLING, {10, "get", "held"}, {20, "probe", "may"}, {20, "due", "10020"},
        {30, ">2probe", "3probe"}, {30, "due", "130"}, {129, "tick", ""}, {130, "tick", "6"},
        {131, "answered", ""}, {132, "4a", "message:a"}, {230, "tick", ""}, {240, ">5", "upgraded"},
        {240, "due", "25000"}, {250, "4b", "message:b"}, {25000, "tick", "2"});
}

static void noop_every_100_ms_only_for_a_pending_poll(void **state)
{
    RUN(EIO_POLLING, {0, "probe", "may"}, {0, ">2probe", "3probe"}, {100, "tick", ""},
        {100, "due", "200"}, {150, "get", "held"}, {200, "tick", "6"}, {201, "answered", ""},
        {202, "get", "held"}, {300, "tick", "6"}, {300, "due", "400"});
}

static void repeated_probe_is_answered_and_restarts_the_noops(void **state)
{
    RUN(EIO_POLLING, {0, "get", "held"}, {0, "probe", "may"}, {0, ">2probe", "3probe"},
        {50, ">2probe", "3probe"}, {100, "tick", ""}, {150, "tick", "6"});
}

static void upgrade_without_waiting_for_the_probe(void **state)
{
    RUN(EIO_POLLING, {0, "probe", "may"}, {0, ">5", "upgraded"}, {0, "due", "25000"});
}

static void anything_else_on_the_probe_closes_it(void **state)
{
    RUN(EIO_POLLING, {0, "probe", "may"}, {1, ">4a", "probe-close"}, {1, "due", "25000"},
        {2, ">2probe", ""}, {3, "4b", "message:b"}, {4, "probe", "may"});
    RUN(EIO_POLLING, {0, "probe", "may"}, {1, ">x", "probe-close"}, {2, "4b", "message:b"});
    RUN(EIO_POLLING, {0, "probe", "may"}, {1, ">2", "probe-close"});
    RUN(EIO_POLLING, {0, "probe", "may"}, {1, ">2probe", "3probe"}, {2, ">3", "probe-close"},
        {2, "due", "25000"});
}

static void probe_that_takes_too_long_is_closed(void **state)
{
    RUN(EIO_POLLING, {5, "probe", "may"}, {10004, "tick", ""}, {10005, "tick", "probe-close"},
        {10005, "due", "25000"}, {10006, "4b", "message:b"});
    RUN(EIO_POLLING, {5, "get", "held"}, {5, "probe", "may"}, {6, ">2probe", "3probe"},
        {10006, "tick", "probe-close"}, {10006, "due", "25000"});
}

static void second_probe_is_refused(void **state)
{
    RUN(EIO_POLLING, {0, "probe", "may"}, {1, "probe", "may not"}, {2, ">2probe", "3probe"},
        {3, "probe", "may not"}, {4, ">5", "upgraded"}, {5, "probe", "may not"});
    RUN(EIO_WEBSOCKET, {0, "probe", "may not"});
}

static void lost_probe_leaves_the_session_on_polling(void **state)
{
    RUN(EIO_POLLING, {0, "probe", "may"}, {1, ">2probe", "3probe"}, {2, ">lost", ""},
        {2, "due", "25000"}, {3, ">lost", ""}, {4, "get", "held"}, {102, "tick", ""},
        {103, "probe", "may"});
}

static void end_of_the_session_closes_the_probe(void **state)
{
    RUN(EIO_POLLING, {0, "probe", "may"}, {1, "lost", "probe-close closed:transport error"});
    RUN(EIO_POLLING, {0, "probe", "may"}, {1, "close", "probe-close closing:forced close"},
        {1, "due", "30001"});
    RUN(EIO_POLLING, {0, "get", "held"}, {0, "probe", "may"},
        {1, "close", "1 probe-close closed:forced close"});
}

static void upgrade_sets_a_running_pong_deadline_anew(void **state)
{
    RUN(EIO_POLLING, {24000, "probe", "may"}, {25000, "tick", "2"}, {30000, ">5", "upgraded"},
        {30000, "due", "50000"}, {49999, "tick", ""}, {50000, "tick", "closed:ping timeout"});
    RUN(EIO_POLLING, {24000, "probe", "may"}, {25000, "tick", "2"}, {30000, ">5", "upgraded"},
        {31000, "3", ""}, {31000, "due", "56000"});
}

/* --- version 3: the client pings */

static void v3_client_pings_and_is_answered(void **state)
{
    RUN3(EIO_WEBSOCKET, {0, "due", "45000"}, {25000, "tick", ""}, {25000, "2", "3"},
         {25000, "due", "70000"}, {50000, "2probe", "3"}, {50000, "due", "95000"});
    RUN3(EIO_POLLING, {100, "get", "held"}, {25000, "2", "3"}, {25000, "due", "70000"});
}

static void v3_only_pings_keep_the_session(void **state)
{
    RUN3(EIO_WEBSOCKET, {40000, "4a", "message:a"}, {44000, "6", ""}, {44999, "tick", ""},
         {45000, "tick", "closed:ping timeout"}, {45000, "due", "never"});
    RUN3(EIO_POLLING, {100, "get", "held"}, {45000, "tick", "1 closed:ping timeout"});
    RUN3(EIO_POLLING, {45000, "tick", "closed:ping timeout"});
}

static void v3_upgrade_does_not_stop_the_clock(void **state)
{
    RUN3(EIO_POLLING, {100, "probe", "may"}, {200, ">2probe", "3probe"}, {200, "due", "300"},
         {250, ">5", "upgraded"}, {250, "due", "45000"}, {30000, "2", "3"}, {30000, "due", "75000"},
         {75000, "tick", "closed:ping timeout"});
    RUN3(EIO_POLLING, {100, "probe", "may"}, {200, ">2probe", "3probe"}, {250, ">5", "upgraded"},
         {45000, "tick", "closed:ping timeout"});
}

static void v3_pong_from_the_client_is_an_error(void **state)
{
    RUN3(EIO_WEBSOCKET, {1, "3", "closed:transport error"}, {2, "2", ""});
    RUN3(EIO_POLLING, {1, "get", "held"}, {2, "3", "1 closed:transport error"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ping_after_the_interval_counted_from_the_pong),
        cmocka_unit_test(no_pong_ends_the_session),
        cmocka_unit_test(pong_that_nobody_asked_for_changes_nothing),
        cmocka_unit_test(one_other_packet_extends_the_wait_for_a_pong),
        cmocka_unit_test(slightly_late_ticks_do_not_move_the_plan),
        cmocka_unit_test(pause_of_ours_is_not_the_clients_fault),
        cmocka_unit_test(late_ping_leaves_time_for_its_pong),
        cmocka_unit_test(ping_from_the_client_is_an_error),
        cmocka_unit_test(messages_go_up),
        cmocka_unit_test(packets_without_meaning_are_ignored),
        cmocka_unit_test(bytes_that_are_no_packet_end_the_session),
        cmocka_unit_test(nothing_follows_the_end),
        cmocka_unit_test(second_get_ends_the_session),
        cmocka_unit_test(close_from_the_client_releases_its_poll),
        cmocka_unit_test(close_of_ours_is_told_to_a_pending_poll),
        cmocka_unit_test(orderly_close_delivers_the_queue_first),
        cmocka_unit_test(closing_ignores_what_comes_in),
        cmocka_unit_test(closing_ends_when_the_client_closes_too),
        cmocka_unit_test(closing_and_lost_keeps_its_reason),
        cmocka_unit_test(message_handler_may_close),
        cmocka_unit_test(upgrade_by_the_book),
        cmocka_unit_test(noop_every_100_ms_only_for_a_pending_poll),
        cmocka_unit_test(repeated_probe_is_answered_and_restarts_the_noops),
        cmocka_unit_test(upgrade_without_waiting_for_the_probe),
        cmocka_unit_test(anything_else_on_the_probe_closes_it),
        cmocka_unit_test(probe_that_takes_too_long_is_closed),
        cmocka_unit_test(second_probe_is_refused),
        cmocka_unit_test(lost_probe_leaves_the_session_on_polling),
        cmocka_unit_test(end_of_the_session_closes_the_probe),
        cmocka_unit_test(upgrade_sets_a_running_pong_deadline_anew),
        cmocka_unit_test(v3_client_pings_and_is_answered),
        cmocka_unit_test(v3_only_pings_keep_the_session),
        cmocka_unit_test(v3_upgrade_does_not_stop_the_clock),
        cmocka_unit_test(v3_pong_from_the_client_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
