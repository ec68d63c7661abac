/* System */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
/* Io */
#include "io/loop.h"
/* Tests */
#include "unit/io/fake_redis.h"

static bool has(struct evbuffer *in, const char *words)
{
    return evbuffer_search(in, words, strlen(words), NULL).pos >= 0;
}

static size_t index_of(const struct fake_redis *f, const struct bufferevent *bev)
{
    size_t i = 0;
    while (f->conns[i].bev != bev)
        i++;
    return i;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct fake_redis *f = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t i = index_of(f, bev);
    if (!f->login) return;
    if (!f->conns[i].is_in) {
        if (!has(in, "PING\r\n")) return;
        f->conns[i].is_in = true;
        bufferevent_write(bev, f->login, strlen(f->login));
    }
    if (!f->conns[i].is_first || f->conns[i].is_done) return;
    if (f->then_to && !has(in, f->then_to)) return;
    f->conns[i].is_done = true;
    if (f->then_n) bufferevent_write(bev, f->then, f->then_n);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct fake_redis *f = arg;
    size_t i = index_of(f, bev);
    if (!f->hang_up || !f->conns[i].is_in) return;
    f->conns[i].bev = NULL;
    bufferevent_free(bev);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct fake_redis *f = arg;
    if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))) return;
    f->conns[index_of(f, bev)].bev = NULL;
    bufferevent_free(bev);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int n,
                      void *arg)
{
    struct fake_redis *f = arg;
    size_t i = 0;
    (void)addr;
    (void)n;
    while (i < FAKE_REDIS_MAX && f->conns[i].bev)
        i++;
    assert_true(i < FAKE_REDIS_MAX);
    f->conns[i].bev = bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
    f->conns[i].is_first = f->accepted++ == 0;
    f->conns[i].is_in = f->conns[i].is_done = false;
    bufferevent_setcb(f->conns[i].bev, on_read, on_written, on_event, f);
    bufferevent_enable(f->conns[i].bev, EV_READ | EV_WRITE);
}

void fake_redis_start(struct fake_redis *f, struct loop *loop)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
    inet_pton(AF_INET, f->host ? f->host : "127.0.0.1", &addr.sin_addr);
    socklen_t n = sizeof(addr);
    signal(SIGPIPE, SIG_IGN); /* bufferevents have no other way; the link itself needs it not */
    f->listener = evconnlistener_new_bind(loop_base(loop), on_accept, f,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
                                          (struct sockaddr *)&addr, sizeof(addr));
    assert_non_null(f->listener);
    getsockname(evconnlistener_get_fd(f->listener), (struct sockaddr *)&addr, &n);
    f->port = ntohs(addr.sin_port);
}

void fake_redis_stop(struct fake_redis *f)
{
    for (size_t i = 0; i < FAKE_REDIS_MAX; i++)
        if (f->conns[i].bev) bufferevent_free(f->conns[i].bev);
    if (f->listener) evconnlistener_free(f->listener);
    memset(f, 0, sizeof(*f));
}
