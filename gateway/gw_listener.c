/* System */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
/* Third party */
#include <event2/event.h>
#include <event2/listener.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_http.h"
#include "gw_listener.h"
#include "gw_ws.h"

#define MAX_SOCKETS 16
#define BACKLOG 4096
#define REST_MS                                                                                    \
    200 /* pause after a failed accept: want of descriptors does not end by asking again */

struct gw_listener {
    struct gateway *gw;
    struct evconnlistener *listeners[MAX_SOCKETS];
    unsigned n;
    int port;
    struct wheel_entry rest;
    bool warned;
};

static void on_accept(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *peer, int len,
                      void *arg)
{
    struct gw_listener *l = arg;
    struct gateway *gw = l->gw;
    (void)ev;
    gw->count.accepts++;
    l->warned = false;
    if (gw->nhttps + gw_ws_context_count(gw->ws) >= (unsigned)gw->cfg->gateway_max_connections) {
        static const char full[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                   "Connection: close\r\n\r\n";
        gw->count.accept_errors++;
        (void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
        close(fd);
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
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

static int bind_one(const struct addrinfo *a, int port)
{
    struct sockaddr_storage s;
    int one = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    memcpy(&s, a->ai_addr, a->ai_addrlen);
    if (a->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)&s)->sin6_port = htons((uint16_t)port);
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    } else {
        ((struct sockaddr_in *)&s)->sin_port = htons((uint16_t)port);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&s, a->ai_addrlen) || listen(fd, BACKLOG)) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage s;
    socklen_t n = sizeof(s);
    if (getsockname(fd, (struct sockaddr *)&s, &n)) return 0;
    return ntohs(s.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&s)->sin6_port
                                         : ((struct sockaddr_in *)&s)->sin_port);
}

static void explain(struct cfg_error *err, const char *host, int port, int e)
{
    if (e == EADDRINUSE)
        snprintf(err->text, sizeof(err->text),
                 "gateway.port: %d is in use by another program (on %s); choose another with "
                 "gateway.port or PEAL_GATEWAY_PORT",
                 port, host);
    else
        snprintf(err->text, sizeof(err->text), "gateway.host: cannot listen on \"%s\" port %d: %s",
                 host, port, strerror(e));
}

/* One numeric address or interface name. A machine without IPv6 is no error where the address was
 * not asked for by name. */
static bool listen_on(struct gw_listener *l, const char *host, bool optional, struct cfg_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int e = getaddrinfo(host, "0", &hints, &list);
    if (e) {
        snprintf(err->text, sizeof(err->text), "gateway.host: \"%s\": %s", host, gai_strerror(e));
        return false;
    }
    bool good = true;
    for (struct addrinfo *a = list; a && good && l->n < MAX_SOCKETS; a = a->ai_next) {
        int fd = bind_one(a, l->port);
        if (fd < 0) {
            good = optional && errno != EADDRINUSE;
            if (!good) explain(err, host, l->port, errno);
            continue;
        }
        if (!l->port) l->port = port_of(fd);
        struct evconnlistener *ev =
            evconnlistener_new(loop_base(l->gw->loop), on_accept, l,
                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
        if (!ev) log_fatal("libevent gives no listener");
        evconnlistener_set_error_cb(ev, on_accept_error);
        l->listeners[l->n++] = ev;
    }
    freeaddrinfo(list);
    return good;
}

static bool listen_on_word(struct gw_listener *l, const char *word, struct cfg_error *err)
{
    if (strcmp(word, "*") == 0)
        return listen_on(l, "0.0.0.0", false, err) && listen_on(l, "::", true, err);
    if (strcmp(word, "localhost") == 0)
        return listen_on(l, "127.0.0.1", false, err) && listen_on(l, "::1", true, err);
    return listen_on(l, word, false, err);
}

struct gw_listener *gw_listener_new(struct gateway *gw, struct cfg_error *err)
{
    struct gw_listener *l = x_calloc(1, sizeof(*l));
    l->gw = gw;
    l->port = (int)gw->cfg->gateway_port;
    l->rest.fire = on_rested;
    for (size_t i = 0; i < gw->cfg->gateway_host.n; i++) {
        if (listen_on_word(l, gw->cfg->gateway_host.v[i], err)) continue;
        gw_listener_free(l);
        return NULL;
    }
    if (!l->n) {
        snprintf(err->text, sizeof(err->text), "gateway.host: no address to listen on");
        gw_listener_free(l);
        return NULL;
    }
    return l;
}

int gw_listener_port(const struct gw_listener *l)
{
    return l->port;
}

void gw_listener_free(struct gw_listener *l)
{
    if (!l) return;
    wheel_drop(loop_wheel(l->gw->loop), &l->rest);
    for (unsigned i = 0; i < l->n; i++)
        evconnlistener_free(l->listeners[i]);
    x_free(l);
}
