/* States: CONNECTING (a write event tells the end) → TLS handshake if any → OPEN → OVER.
 *
 * A failure found within one of our functions (a write, connect itself) is told by `kick`, an event
 * that has no descriptor and is made active by hand; it also writes what nobody flushed. */
/* System */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>
/* Third party */
#include <event2/buffer.h>
#include <event2/event.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/redis_conn.h"
#include "io/redis_reply.h"
#include "io/redis_tls.h"

#define READ_BYTES 65536
#define READS_A_TURN 8 /* then others have their turn */
#define MAX_PARTS 16   /* of one write */
#define MAX_HEADER 32  /* of a text or an array of them, with the text's end */
/* A peer that is gone is noticed even if nobody is owed an answer. */
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_INTERVAL_S 3
#define KEEPALIVE_PROBES 3
#define USER_TIMEOUT_MS 20000

enum conn_state { CONN_CONNECTING, CONN_TLS, CONN_OPEN, CONN_OVER };

struct redis_conn {
    enum conn_state state;
    int fd;
    struct redis_tls *tls;           /* NULL: none */
    struct redis_tls_stream *stream; /* from CONN_TLS on, if there is tls */
    char host[256];
    struct event *readable, *writable, *kick;
    struct evbuffer *out;
    struct redis_parser *parser;
    const struct redis_conn_events *events;
    void *arg;
    bool has_failed; /* found, still to be told by kick */
    char why[160];
};

/* Notes the first failure; kick tells it. */
static void fail_later(struct redis_conn *c, const char *what, int error)
{
    if (c->has_failed || c->state == CONN_OVER) return;
    c->has_failed = true;
    if (error)
        snprintf(c->why, sizeof(c->why), "%s: %s", what, strerror(error));
    else
        snprintf(c->why, sizeof(c->why), "%s", what);
    event_active(c->kick, EV_WRITE, 0);
}

static void tell_failure(struct redis_conn *c)
{
    redis_conn_stop(c);
    c->events->failed(c->arg, c->why);
}

static void fail_io(struct redis_conn *c, const char *what)
{
    int error = errno;
    if (c->stream && error == EPROTO)
        fail_later(c, redis_tls_why(c->stream), 0);
    else
        fail_later(c, what, error);
}

/* --- writing */

static ssize_t send_some(struct redis_conn *c)
{
    struct evbuffer_iovec parts[MAX_PARTS];
    int n = evbuffer_peek(c->out, -1, NULL, parts, MAX_PARTS);
    if (c->stream) return redis_tls_send(c->stream, parts[0].iov_base, parts[0].iov_len);
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = (size_t)(n < MAX_PARTS ? n : MAX_PARTS)};
    return sendmsg(c->fd, &msg, MSG_NOSIGNAL);
}

static void write_out(struct redis_conn *c)
{
    while (evbuffer_get_length(c->out) > 0) {
        ssize_t sent = send_some(c);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) {
            /* What TLS must read first, read_in() reads; it writes behind that. */
            if (c->stream && !redis_tls_wants_write(c->stream)) break;
            event_add(c->writable, NULL);
            return;
        }
        if (sent < 0) fail_io(c, "write");
        if (sent <= 0) break;
        evbuffer_drain(c->out, (size_t)sent);
    }
    event_del(c->writable);
}

void redis_conn_flush(struct redis_conn *c)
{
    if (c->state != CONN_OPEN || c->has_failed) return;
    event_del(c->kick); /* there is no need any more */
    write_out(c);
}

/* --- reading */

static bool tell_replies(struct redis_conn *c)
{
    struct redis_reply *r;
    for (;;) {
        if (!redis_parser_next(c->parser, &r)) {
            fail_later(c, redis_parser_error(c->parser), 0);
            return false;
        }
        if (!r) return true;
        c->events->reply(c->arg, r);
        redis_reply_free(r);
        if (c->state == CONN_OVER) return false;
    }
}

static ssize_t recv_some(struct redis_conn *c, char *to, size_t n)
{
    return c->stream ? redis_tls_recv(c->stream, to, n) : recv(c->fd, to, n, 0);
}

static void read_in(struct redis_conn *c)
{
    char bytes[READ_BYTES];
    for (int i = 0; i < READS_A_TURN; i++) {
        ssize_t n = recv_some(c, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            if (c->stream && redis_tls_wants_write(c->stream)) event_add(c->writable, NULL);
            return;
        }
        if (n < 0) fail_io(c, "read");
        if (n == 0) fail_later(c, "the server closed the connection", 0);
        if (n <= 0) return;
        if (!redis_parser_feed(c->parser, bytes, (size_t)n)) {
            fail_later(c, redis_parser_error(c->parser), 0);
            return;
        }
        if (!tell_replies(c)) return;
        if (!c->stream && (size_t)n < sizeof(bytes)) return;
    }
}

/* --- events */

static void become_open(struct redis_conn *c)
{
    event_del(c->writable);
    c->state = CONN_OPEN;
    redis_conn_flush(c);
}

static void agree_tls(struct redis_conn *c)
{
    int rc = redis_tls_handshake(c->stream);
    if (rc == 1)
        become_open(c);
    else if (rc == 0)
        fail_later(c, "TLS: the server closed the connection", 0);
    else if (errno != EAGAIN)
        fail_io(c, "TLS");
    else if (redis_tls_wants_write(c->stream))
        event_add(c->writable, NULL);
    else
        event_del(c->writable);
}

static void finish_connect(struct redis_conn *c)
{
    int error = 0;
    socklen_t n = sizeof(error);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0) error = errno;
    if (error) {
        fail_later(c, "connect", error);
        return;
    }
    event_add(c->readable, NULL);
    if (!c->tls) {
        become_open(c);
        return;
    }
    c->state = CONN_TLS;
    c->stream = redis_tls_open(c->tls, c->fd, c->host);
    agree_tls(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct redis_conn *c = arg;
    (void)fd;
    (void)what;
    if (c->has_failed) return;
    if (c->state == CONN_CONNECTING) {
        finish_connect(c);
    } else if (c->state == CONN_TLS) {
        agree_tls(c);
    } else {
        write_out(c);
        if (c->stream) read_in(c); /* TLS may have waited for this to read on */
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct redis_conn *c = arg;
    (void)fd;
    (void)what;
    if (c->has_failed) return;
    if (c->state == CONN_TLS) {
        agree_tls(c);
        return;
    }
    read_in(c);
    if (c->stream && c->state == CONN_OPEN && !c->has_failed) write_out(c);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    struct redis_conn *c = arg;
    (void)fd;
    (void)what;
    if (c->has_failed)
        tell_failure(c);
    else if (c->state == CONN_OPEN)
        write_out(c);
}

/* --- life */

static void set_options(struct redis_conn *c, int family)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
    };
    if (family == AF_UNIX) return;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (setsockopt(c->fd, options[i].level, options[i].name, &options[i].value, sizeof(int)))
            log_debug("Redis: setsockopt %d: %s", options[i].name, strerror(errno));
}

static void start(struct redis_conn *c, struct event_base *base, const struct redis_place *place)
{
    int family = place->addr.ss_family;
    c->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        fail_later(c, "socket", errno);
        return;
    }
    set_options(c, family);
    c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
    assert(c->readable && c->writable);
    int rc = connect(c->fd, (const struct sockaddr *)&place->addr, place->addr_len);
    if (rc < 0 && errno != EINPROGRESS)
        fail_later(c, "connect", errno);
    else
        event_add(c->writable, NULL);
}

struct redis_conn *redis_conn_new(struct event_base *base, const struct redis_place *place,
                                  struct redis_tls *tls, size_t max_reply,
                                  const struct redis_conn_events *events, void *arg)
{
    struct redis_conn *c = x_calloc(1, sizeof(*c));
    c->fd = -1;
    c->tls = tls;
    snprintf(c->host, sizeof(c->host), "%s", place->host);
    c->events = events;
    c->arg = arg;
    c->out = evbuffer_new();
    c->kick = event_new(base, -1, 0, on_kick, c);
    assert(c->out && c->kick);
    c->parser = redis_parser_new(max_reply);
    start(c, base, place);
    return c;
}

void redis_conn_stop(struct redis_conn *c)
{
    if (c->state == CONN_OVER) return;
    c->state = CONN_OVER;
    event_del(c->kick);
    if (c->readable) event_del(c->readable);
    if (c->writable) event_del(c->writable);
}

void redis_conn_abort(struct redis_conn *c)
{
    struct linger reset = {.l_onoff = 1};
    redis_conn_stop(c);
    if (c->fd >= 0 && setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
        log_debug("Redis: SO_LINGER: %s", strerror(errno));
}

void redis_conn_free(struct redis_conn *c)
{
    if (!c) return;
    redis_conn_stop(c);
    event_free(c->kick);
    if (c->readable) event_free(c->readable);
    if (c->writable) event_free(c->writable);
    redis_tls_close(c->stream);
    if (c->fd >= 0) close(c->fd);
    evbuffer_free(c->out);
    redis_parser_free(c->parser);
    x_free(c);
}

/* --- commands */

/* Each word has one: printf would take longer for it than all else. */
static char *put_header(char *to, char type, size_t n)
{
    char digits[MAX_HEADER];
    size_t at = sizeof(digits);
    digits[--at] = '\n';
    digits[--at] = '\r';
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    digits[--at] = type;
    memcpy(to, digits + at, sizeof(digits) - at);
    return to + sizeof(digits) - at;
}

static char *put_text(char *to, struct str_view v)
{
    to = put_header(to, '$', v.n);
    memcpy(to, v.p, v.n);
    to[v.n] = '\r';
    to[v.n + 1] = '\n';
    return to + v.n + 2;
}

void redis_conn_add_with(struct redis_conn *c, struct str_view head, size_t argc,
                         const struct str_view *argv)
{
    struct evbuffer_iovec room;
    size_t most = MAX_HEADER + head.n + MAX_HEADER;
    if (c->state == CONN_OVER) return;
    for (size_t i = 0; i < argc; i++)
        most += argv[i].n + MAX_HEADER;
    int got = evbuffer_reserve_space(c->out, (ev_ssize_t)most, &room, 1);
    assert(got == 1);
    char *to = room.iov_base;
    to = put_header(to, '*', argc + (head.n > 0));
    if (head.n) to = put_text(to, head);
    for (size_t i = 0; i < argc; i++)
        to = put_text(to, argv[i]);
    room.iov_len = (size_t)(to - (char *)room.iov_base);
    evbuffer_commit_space(c->out, &room, 1);
    if (c->state == CONN_OPEN) event_active(c->kick, EV_WRITE, 0);
}

void redis_conn_add(struct redis_conn *c, size_t argc, const struct str_view *argv)
{
    redis_conn_add_with(c, SV(""), argc, argv);
}

size_t redis_conn_unsent(const struct redis_conn *c)
{
    return evbuffer_get_length(c->out);
}
