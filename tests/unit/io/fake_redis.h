/* A server that says what a test wants it to say, in the test's own loop. */
#ifndef PEAL_TESTS_FAKE_REDIS_H
#define PEAL_TESTS_FAKE_REDIS_H

#include <stdbool.h>
#include <stddef.h>

#define FAKE_REDIS_MAX 64

struct loop;
struct evconnlistener;
struct bufferevent;

struct fake_redis {
    const char *host; /* to listen on, an address of this machine's own; NULL: 127.0.0.1 */
    unsigned port;    /* 0: any */
    unsigned accepted;
    /* What the nth connection gets when its login is there; `then` and what is behind it goes to the
     * first connection only. */
    const char *login; /* NULL: no answer ever */
    const char *then;
    size_t then_n;
    const char *then_to; /* wait for these words of the client before `then`; NULL: at once */
    bool hang_up;        /* close behind `then`, each time */
    struct evconnlistener *listener;
    struct {
        struct bufferevent *bev;
        bool is_first, is_in, is_done;
    } conns[FAKE_REDIS_MAX];
};

/* f is zeroed or has its script. */
void fake_redis_start(struct fake_redis *f, struct loop *loop);
void fake_redis_stop(struct fake_redis *f);

#endif
