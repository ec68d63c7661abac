/* System */
#include <assert.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* Third party */
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <utlist.h>
/* Util */
#include "util/x_alloc.h"
/* Tests */
#include "unit/worker/http_backend.h"

#define FLOOD_CHUNK 65536

struct backend_conn {
    struct http_backend *owner;
    struct backend_conn *prev, *next;
    struct bufferevent *bev;
    struct event *turn; /* DRIP, FLOOD */
    const struct backend_page *page;
    size_t dripped;
    bool is_held, is_ending;
};

static void conn_free(struct backend_conn *c)
{
    DL_DELETE(c->owner->conns, c);
    c->owner->open--;
    if (c->is_held) c->owner->held--;
    if (c->turn) event_free(c->turn);
    bufferevent_free(c->bev);
    x_free(c);
}

static void say(struct backend_conn *c, const char *text, size_t n)
{
    bufferevent_write(c->bev, text, n);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    static const char flood[FLOOD_CHUNK];
    static const struct timeval soon = {0, 1000};
    struct backend_conn *c = arg;
    (void)fd, (void)what;
    if (c->page->way == BACKEND_FLOOD) {
        if (evbuffer_get_length(bufferevent_get_output(c->bev)) < FLOOD_CHUNK)
            say(c, flood, sizeof(flood));
    } else {
        size_t n = strlen(c->page->text);
        say(c, c->dripped < n ? c->page->text + c->dripped++ : "x", 1);
    }
    event_add(c->turn, &soon);
}

static void answer(struct backend_conn *c)
{
    static const struct timeval now = {0, 0};
    static const char endless[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
    const char *text = c->page->text;
    switch (c->page->way) {
    case BACKEND_SAY: say(c, text, strlen(text)); break;
    case BACKEND_BODY:
        evbuffer_add_printf(bufferevent_get_output(c->bev),
                            "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(text), text);
        break;
    case BACKEND_CUT:
        say(c, text, strlen(text) / 2);
        c->is_ending = true;
        break;
    case BACKEND_HANG:
        c->is_held = true;
        c->owner->held++;
        if (c->owner->held > c->owner->most_held) c->owner->most_held = c->owner->held;
        break;
    case BACKEND_CLOSE: c->is_ending = true; break;
    case BACKEND_FLOOD: say(c, endless, sizeof(endless) - 1); __attribute__((fallthrough));
    case BACKEND_DRIP:
        c->turn = evtimer_new(loop_base(c->owner->loop), on_turn, c);
        event_add(c->turn, &now);
        break;
    }
}

static const struct backend_page *page_of(struct http_backend *b, const char *head)
{
    const char *path = strchr(head, ' ');
    assert_non_null(path);
    size_t n = strcspn(++path, " ");
    for (const struct backend_page *p = b->pages; p->path; p++)
        if (strlen(p->path) == n && strncmp(p->path, path, n) == 0) return p;
    fail_msg("no such page: %.*s", (int)n, path);
    return NULL;
}

/* Takes a whole request; false: it is not there yet. */
static bool take_request(struct backend_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct http_backend *b = c->owner;
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    if (end.pos < 0) return false;
    size_t head = (size_t)end.pos + 4;
    const char *text = (const char *)evbuffer_pullup(in, (ev_ssize_t)head);
    struct str_view view = {text, head};
    char copy[8192];
    assert_true(head < sizeof(copy));
    snprintf(copy, sizeof(copy), "%.*s", SV_ARG(view));
    const char *length = strstr(copy, "\r\nContent-Length: ");
    assert_non_null(length);
    size_t n = strtoul(length + 18, NULL, 10);
    if (evbuffer_get_length(in) < head + n) return false;
    buf_clear(&b->head);
    buf_clear(&b->body);
    assert_true(buf_add(&b->head, copy, head));
    evbuffer_drain(in, head);
    assert_true(buf_add(&b->body, evbuffer_pullup(in, (ev_ssize_t)n), n));
    evbuffer_drain(in, n);
    c->page = page_of(b, copy);
    b->requests++;
    return true;
}

static void on_bytes(struct bufferevent *bev, void *arg)
{
    struct backend_conn *c = arg;
    (void)bev;
    while (!c->is_ending && take_request(c))
        answer(c);
    if (c->is_ending && !evbuffer_get_length(bufferevent_get_output(c->bev))) conn_free(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct backend_conn *c = arg;
    (void)bev;
    if (c->is_ending) conn_free(c);
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
    (void)bev, (void)what;
    conn_free(arg);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *arg)
{
    struct http_backend *b = arg;
    struct backend_conn *c = x_calloc(1, sizeof(*c));
    (void)l, (void)from, (void)len;
    c->owner = b;
    c->bev = bufferevent_socket_new(loop_base(b->loop), fd, BEV_OPT_CLOSE_ON_FREE);
    assert_non_null(c->bev);
    DL_APPEND(b->conns, c);
    b->accepts++;
    b->open++;
    bufferevent_setcb(c->bev, on_bytes, on_written, on_end, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void http_backend_open(struct http_backend *b, struct loop *loop, const struct backend_page *pages)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    *b = (struct http_backend){.loop = loop, .pages = pages};
    buf_init(&b->head, 1 << 16);
    buf_init(&b->body, 1 << 24);
    struct evconnlistener *l =
        evconnlistener_new_bind(loop_base(loop), on_accept, b, LEV_OPT_CLOSE_ON_FREE, 64,
                                (struct sockaddr *)&at, sizeof(at));
    assert_non_null(l);
    assert_int_equal(getsockname(evconnlistener_get_fd(l), (struct sockaddr *)&at, &len), 0);
    b->port = ntohs(at.sin_port);
    b->listener = l;
}

void http_backend_release(struct http_backend *b, const char *text)
{
    struct backend_conn *c;
    DL_FOREACH(b->conns, c)
    {
        if (!c->is_held) continue;
        c->is_held = false;
        b->held--;
        say(c, text, strlen(text));
    }
}

void http_backend_close(struct http_backend *b)
{
    while (b->conns)
        conn_free(b->conns);
    if (b->listener) evconnlistener_free(b->listener);
    b->listener = NULL;
    buf_fini(&b->head);
    buf_fini(&b->body);
}
