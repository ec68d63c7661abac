/* What the tests of redis_link share: a loop with the real clock, a configuration, a link whose
 * events are noted, and turns until something is so. */
#ifndef PEAL_TESTS_REDIS_FIXTURE_H
#define PEAL_TESTS_REDIS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cluster/cfg.h"
#include "io/loop.h"
#include "io/redis_link.h"
#include "unit/io/redis_server.h"

struct noted {
    struct redis_link *link;
    unsigned ups, downs, messages, subscribed, unsubscribed;
    unsigned answers, nulls; /* of commands */
    char why[256];           /* of the last down */
    char last[512];          /* the last message "pattern|channel|payload", or answer */
    char order[4096];        /* u(p), d(own), n(ull), a(nswer) in order */
};

struct fixture {
    struct loop *loop;
    struct cfg cfg;
    struct redis_server server;
    struct noted one, two;
    const char *name_server; /* NULL: the system's */
};

/* Group set-up per test: a loop and defaults with short times, no server. */
int fixture_begin(void **state);
/* Starts a server and points redis.url at its port; skips the test if it is not installed. */
void fixture_serve(struct fixture *f, const char *const *more);
int fixture_end(void **state);

void fixture_set(struct fixture *f, const char *assignment);
void fixture_setf(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Makes and opens a link that notes. max_reply 1 MiB. */
void fixture_link(struct fixture *f, struct noted *n, const char *name);
void fixture_unlink(struct noted *n);
/* Notes an answer; arg: struct noted. */
void fixture_on_answer(const struct redis_reply *r, void *arg);
/* Sends words; the answer is noted. */
void fixture_command(struct noted *n, const char *words);
/* The same, and waits for the answer. Lends n->last. */
const char *fixture_ask(struct fixture *f, struct noted *n, const char *words);

/* One turn that waits at most a little. */
void fixture_turn(struct fixture *f);
/* Turns until cond; fails the test after 20 s. */
#define UNTIL(f, cond)                                                                             \
    do {                                                                                           \
        uint64_t until_ = now_mono_ms() + 20000;                                                   \
        while (!(cond)) {                                                                          \
            if (now_mono_ms() > until_) fail_msg("never: %s", #cond);                              \
            fixture_turn(f);                                                                       \
        }                                                                                          \
    } while (0)

#endif
