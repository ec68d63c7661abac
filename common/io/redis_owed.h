/* Commands that have no answer yet, oldest first: a ring that grows. Each is told exactly once, by
 * redis_owed_tell(). Used by redis_link. */
#ifndef PEAL_IO_REDIS_OWED_H
#define PEAL_IO_REDIS_OWED_H

#include "io/redis_link.h"

struct redis_owed {
    struct redis_owed_one {
        redis_reply_cb cb; /* may be NULL */
        void *arg;
        uint64_t since;
    } * ring;
    size_t cap, first, n;
};

void redis_owed_add(struct redis_owed *o, redis_reply_cb cb, void *arg, uint64_t now);
/* Takes the oldest out (n > 0) and tells it r, which may be NULL. */
void redis_owed_tell(struct redis_owed *o, const struct redis_reply *r);
/* When the oldest was added (n > 0). */
uint64_t redis_owed_since(const struct redis_owed *o);
/* Tells nobody. Safe on zeroed memory. */
void redis_owed_fini(struct redis_owed *o);

#endif
