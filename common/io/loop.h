/* The event loop of a process: libevent's base, the turn, the timer wheel, signals.
 *
 * A turn is one visible function (loop_turn): wait for events, run their callbacks, fire due
 * timers, then the turn-end phases in the order they were added. Callbacks change state and queue;
 * the phases write and free. No libevent type is in this header but the opaque base, for modules
 * that register descriptors themselves. */
#ifndef PEAL_IO_LOOP_H
#define PEAL_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "util/now.h"
#include "util/wheel.h"

struct event_base;
struct loop;

/* One step of the turn's end. Returns true if it left work that must not wait for an event. */
typedef bool (*loop_phase_cb)(void *arg);
typedef void (*loop_signal_cb)(int signo, void *arg);

/* now: where time comes from, usually &now_system; borrowed for the loop's life. Gives: loop_free.
 */
struct loop *loop_new(const struct now_source *now);
/* Every event and timer must be gone, or cancelled. */
void loop_free(struct loop *l);

/* Phases run in the order of adding. At most 8. */
void loop_add_phase(struct loop *l, loop_phase_cb cb, void *arg);
/* Calls cb in the loop when the signal comes. At most 4. */
void loop_on_signal(struct loop *l, int signo, loop_signal_cb cb, void *arg);

/* Turns until loop_stop(). */
void loop_run(struct loop *l);
/* One turn; waits for events if wait. */
void loop_turn(struct loop *l, bool wait);
void loop_stop(struct loop *l);

/* Time, read once a turn. */
uint64_t loop_now(struct loop *l);   /* milliseconds, monotonic */
int64_t loop_wall_s(struct loop *l); /* seconds since 1970 */

/* Turns so far. */
uint64_t loop_turns(const struct loop *l);

struct wheel *loop_wheel(struct loop *l);
struct event_base *loop_base(struct loop *l);

#endif
