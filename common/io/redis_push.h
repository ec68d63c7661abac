/* What a subscriber hears from Redis: messages, and confirmations of its subscriptions. Used by
 * redis_link. */
#ifndef PEAL_IO_REDIS_PUSH_H
#define PEAL_IO_REDIS_PUSH_H

#include "io/redis_link.h"

/* Tells r by events->message or events->subscribed. False, and nothing told: it is neither. */
bool redis_push_tell(const struct redis_reply *r, const struct redis_link_events *events,
                     void *arg) MUST_CHECK;

#endif
