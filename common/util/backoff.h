/* How long to wait before the next attempt at something that fails: not at all, then min, doubled
 * each time up to max, half of it by chance so that many do not come at once.
 *
 * What comes up and does not hold counts as failing, too, but only from the second time on: after
 * the first loss one tries at once. It reads no clock and no random source. */
#ifndef PEAL_UTIL_BACKOFF_H
#define PEAL_UTIL_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint64_t min, max; /* milliseconds, min <= max */
    unsigned strikes;  /* failures that make the next pause */
    unsigned flaps;    /* times in a row that it came up and did not hold */
};

/* An attempt failed. */
void backoff_failed(struct backoff *b);
/* An attempt was good. */
void backoff_came_up(struct backoff *b);
/* What had come up is lost, after this time; less than max is "did not hold". */
void backoff_lost(struct backoff *b, uint64_t held_ms);
/* The pause before the next attempt; chance: any random number. */
uint64_t backoff_pause(const struct backoff *b, uint32_t chance);

#endif
