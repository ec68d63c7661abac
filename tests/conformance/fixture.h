/* What the two fixture servers share: the settings the suites expect, and the run. */
#ifndef PEAL_TESTS_FIXTURE_H
#define PEAL_TESTS_FIXTURE_H

struct gw_conn;
struct gw_handler;
struct gw_upper;

/* Runs a gateway on 127.0.0.1 and ::1, port argv[1], until a signal. more: further settings,
 * NULL-terminated. */
int fixture_main(int argc, char **argv, const char *const *more, const struct gw_handler *handler,
                 const struct gw_upper *upper);

/* The suites' WebSocket client loses a frame that arrives in one piece with what was before it, and
 * so depends on the reference's habit of sending one frame an event-loop tick. This lets the
 * connection rest for a few ticks of the wheel, after which what is queued leaves. Call it in
 * `opened`, and again before each frame that must come by itself. */
void fixture_pause(struct gw_conn *c);
/* Call it in `closed`. */
void fixture_forget(struct gw_conn *c);

#endif
