/* A feed, a clock and a bus's name for tests of the worker's core: items are given by hand, and what
 * the core gives back is written down as one line of text. */
#ifndef PEAL_TESTS_FAKE_FEED_H
#define PEAL_TESTS_FAKE_FEED_H

#include "cluster/cfg.h"
#include "worker/wk_core.h"

struct fake_feed {
    struct wk_feed feed; /* first */
    struct cfg cfg;
    struct loop *loop;
    struct bus bus; /* a name and nothing else */
    struct wk_core *core;
    struct buf told; /* "finish 3: join a, emit a ["x"]; …", since fake_feed_told() */
    bool mine, stops, is_stopped;
    uint64_t now, next;
    wk_step_cb step_cb; /* owed */
    void *step_arg;
    uint64_t token; /* of the last NODE_SYNC */
    struct wk_ticket last;
};

/* sets: "section.name=value", NULL-terminated; may be NULL. */
struct fake_feed *fake_feed_new(const char *const *sets);
void fake_feed_free(struct fake_feed *f);
/* Gives the core an item of this socket; ack wanted. Gives back its number. */
uint64_t fake_feed_event(struct fake_feed *f, const char *sid, const char *event);
uint64_t fake_feed_item(struct fake_feed *f, struct work_item *item, unsigned deaths);
/* Time goes on; timers fire, then the core's turn's end. */
void fake_feed_turn(struct fake_feed *f, uint64_t ms);
/* The step that is owed an answer gets one. */
void fake_feed_answer_step(struct fake_feed *f, enum wk_stepped how);
/* The gateway says that it hears. */
void fake_feed_synced(struct fake_feed *f, uint64_t token);
/* Lends what has been told since the last call. */
const char *fake_feed_told(struct fake_feed *f);
#define assert_told(f, text) assert_string_equal(fake_feed_told(f), text)

#endif
