/* System */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
/* Third party */
#include <event2/event.h>
#include <event2/listener.h>
/* Util */
#include "util/x_alloc.h"
/* Io */
#include "io/listen_set.h"
/* Gateway */
#include "gw_http.h"
#include "gw_listener.h"
#include "gw_siblings.h"
#include "gw_ws.h"

#define REST_MS                                                                                    \
    200 /* pause after a failed accept: want of descriptors does not end by asking again */

struct gw_listener {
    struct gateway *gw;
    struct evconnlistener *listeners[LISTEN_SET_MAX];
    unsigned n;
    int port;
    struct wheel_entry rest;
    bool warned;
};

static bool has_no_room(const struct gateway *gw)
{
    unsigned own = gw->nhttps + gw_ws_context_count(gw->ws);
    return own + gw_siblings_tcp(gw) >= (unsigned)gw->cfg->gateway_max_connections ||
           own >= gw_siblings_share(gw->cfg, gw->family);
}

static void on_accept(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *peer, int len,
                      void *arg)
{
    struct gw_listener *l = arg;
    struct gateway *gw = l->gw;
    (void)ev;
    gw->count.accepts++;
    l->warned = false;
    if (has_no_room(gw)) {
        static const char full[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                   "Connection: close\r\n\r\n";
        gw->count.accept_errors++;
        (void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
        close(fd);
        return;
    }
    gw_http_accept(gw, fd, peer, len);
}

static void on_rested(struct wheel_entry *e)
{
    struct gw_listener *l = (struct gw_listener *)((char *)e - offsetof(struct gw_listener, rest));
    for (unsigned i = 0; i < l->n; i++)
        evconnlistener_enable(l->listeners[i]);
}

static void on_accept_error(struct evconnlistener *ev, void *arg)
{
    struct gw_listener *l = arg;
    int e = errno;
    (void)ev;
    l->gw->count.accept_errors++;
    if (!l->warned) log_warn("cannot accept: %s", strerror(e));
    l->warned = true;
    for (unsigned i = 0; i < l->n; i++)
        evconnlistener_disable(l->listeners[i]);
    wheel_set(loop_wheel(l->gw->loop), &l->rest, loop_now(l->gw->loop) + REST_MS);
}

/* The descriptor is the listener's from here on. */
static void serve(struct gw_listener *l, int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* what it accepts inherits it */
    struct evconnlistener *ev = evconnlistener_new(
        loop_base(l->gw->loop), on_accept, l, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!ev) log_fatal("libevent gives no listener");
    evconnlistener_set_error_cb(ev, on_accept_error);
    l->listeners[l->n++] = ev;
}

struct gw_listener *gw_listener_new(struct gateway *gw, struct cfg_error *err)
{
    struct listen_set set;
    const struct cfg *cfg = gw->cfg;
    bool good =
        gw->family
            ? listen_set_share(&set, "gateway", &cfg->gateway_host, gw->family->port, err)
            : listen_set_open(&set, "gateway", &cfg->gateway_host, (int)cfg->gateway_port, err);
    if (!good) return NULL;
    struct gw_listener *l = x_calloc(1, sizeof(*l));
    l->gw = gw;
    l->port = set.port;
    l->rest.fire = on_rested;
    for (unsigned i = 0; i < set.n; i++)
        serve(l, set.fds[i]);
    return l;
}

bool gw_listener_is_full(const struct gateway *gw)
{
    return has_no_room(gw) ||
           gw->nconns + gw_siblings_sessions(gw) >= (unsigned)gw->cfg->gateway_max_connections;
}

int gw_listener_port(const struct gw_listener *l)
{
    return l ? l->port : 0;
}

void gw_listener_free(struct gw_listener *l)
{
    if (!l) return;
    wheel_drop(loop_wheel(l->gw->loop), &l->rest);
    for (unsigned i = 0; i < l->n; i++)
        evconnlistener_free(l->listeners[i]);
    x_free(l);
}
