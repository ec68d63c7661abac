/* The least a backend can do: it answers each request with an ack, on connections that stay open.
 * libevent's HTTP server parses the request; nothing reads the body or checks the signature. So
 * what is measured with it is the way there and back, not somebody's web framework. */
/* System */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
/* Libraries */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
/* Util */
#include "util/log.h"

static void on_request(struct evhttp_request *req, void *arg)
{
    static const char answer[] = "{\"ack\":[{\"status\":\"ok\"}]}";
    struct evbuffer *body = arg; /* evhttp empties it */
    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "application/json");
    if (evbuffer_add_reference(body, answer, sizeof answer - 1, NULL, NULL) != 0) abort();
    evhttp_send_reply(req, 200, "OK", body);
}

int main(void)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);
    struct evbuffer *body = evbuffer_new();
    if (!base || !http || !body) log_fatal("no memory");
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    if (!bound) log_fatal("no port is free");
    evhttp_set_gencb(http, on_request, body);
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &size) != 0)
        log_fatal("no address");
    struct log_line l;
    log_begin(&l, LOG_INFO, "listening");
    log_kv_u64(&l, "port", ntohs(at.sin_port));
    log_end(&l);
    event_base_dispatch(base);
    return 1;
}
