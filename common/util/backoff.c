/* Util */
#include "util/backoff.h"

void backoff_failed(struct backoff *b)
{
    b->strikes++;
}

void backoff_came_up(struct backoff *b)
{
    b->strikes = b->flaps;
}

void backoff_lost(struct backoff *b, uint64_t held_ms)
{
    b->flaps = held_ms >= b->max ? 0 : b->flaps + 1;
    b->strikes = b->flaps ? b->flaps - 1 : 0;
}

uint64_t backoff_pause(const struct backoff *b, uint32_t chance)
{
    uint64_t most = b->min;
    if (b->strikes == 0) return 0;
    for (unsigned i = 1; i < b->strikes && most < b->max; i++)
        most *= 2;
    if (most > b->max) most = b->max;
    return most - most / 2 + chance % (most / 2 + 1);
}
