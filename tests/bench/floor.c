/* The floor of `make bench`: the least a server can do to bring one client's text to all clients.
 *
 *   bench_floor each      every message to every connection in a send() of its own
 *   bench_floor gather    what one turn of the loop read goes to a connection in one send()
 *
 * It answers any first read with a canned 101, CONNECT with a canned answer, and makes of every
 * other text one ready frame for everybody. No request is parsed, no token checked, nothing is
 * queued: a connection that takes no more loses bytes. It expects whole frames in each read and
 * ends otherwise; the load generator's small messages are whole. So it measures what the kernel
 * asks for the same work, and is good for nothing else. */
/* System */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"

enum { FDS_MAX = 1 << 20, IN_MAX = 1 << 20, OUT_MAX = 4 << 20, EVENTS = 512 };

static struct floor_server {
    int listener, epoll;
    bool gather;
    int *fds, nfds; /* connections that have joined */
    bool *joined;   /* by fd */
    uint8_t *in, *out;
    size_t nout; /* frames for everybody */
} server;

static void send_to(int fd, const void *p, size_t n)
{
    if (send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != EPIPE &&
        errno != ECONNRESET)
        log_fatal("send: %s", strerror(errno));
}

static void flush(struct floor_server *f)
{
    for (int i = 0; i < f->nfds; i++)
        send_to(f->fds[i], f->out, f->nout);
    f->nout = 0;
}

static void add_frame(struct floor_server *f, const uint8_t *text, size_t n)
{
    if (f->nout + n + 4 > OUT_MAX) flush(f);
    uint8_t *p = f->out + f->nout;
    *p++ = 0x81;
    if (n < 126) {
        *p++ = (uint8_t)n;
    } else {
        *p++ = 126;
        *p++ = (uint8_t)(n >> 8);
        *p++ = (uint8_t)n;
    }
    memcpy(p, text, n);
    f->nout = (size_t)(p + n - f->out);
    if (!f->gather) flush(f);
}

static void join(struct floor_server *f, int fd)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                                 "\x81\x02"
                                 "0{";
    f->fds[f->nfds++] = fd;
    f->joined[fd] = true;
    send_to(fd, answer, sizeof answer - 1);
}

static void leave(struct floor_server *f, int fd)
{
    for (int i = 0; f->joined[fd] && i < f->nfds; i++) {
        if (f->fds[i] != fd) continue;
        f->fds[i] = f->fds[--f->nfds];
        f->joined[fd] = false;
    }
    close(fd);
}

/* Returns the bytes of the frame. */
static size_t take_frame(struct floor_server *f, int fd, uint8_t *p, size_t n)
{
    size_t len = n >= 2 ? p[1] & 127 : 0, head = len == 126 ? 8 : 6;
    if (len == 126 && n >= 4) len = (size_t)p[2] << 8 | p[3];
    if (n < head || len == 127 || n - head < len) log_fatal("not a whole frame of up to 64 KiB");
    uint8_t *text = p + head;
    const uint8_t *key = text - 4;
    for (size_t i = 0; i < len; i++)
        text[i] ^= key[i & 3];
    if ((p[0] & 15) == 1 && len == 2 && memcmp(text, "40", 2) == 0)
        send_to(fd,
                "\x81\x02"
                "40",
                4);
    else if ((p[0] & 15) == 1)
        add_frame(f, text, len);
    return head + len;
}

static void take_bytes(struct floor_server *f, int fd)
{
    ssize_t n = recv(fd, f->in, IN_MAX, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        leave(f, fd);
    } else if (!f->joined[fd]) {
        join(f, fd);
    } else {
        for (size_t at = 0; at < (size_t)n;)
            at += take_frame(f, fd, f->in + at, (size_t)n - at);
    }
}

static void accept_all(struct floor_server *f)
{
    int fd, one = 1;
    while ((fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= FDS_MAX) log_fatal("too many connections");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event want = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &want);
    }
}

static void open_server(struct floor_server *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    f->epoll = epoll_create1(0);
    if (bind(f->listener, (struct sockaddr *)&at, size) || listen(f->listener, 4096) ||
        getsockname(f->listener, (struct sockaddr *)&at, &size))
        log_fatal("cannot listen: %s", strerror(errno));
    struct epoll_event want = {.events = EPOLLIN, .data.fd = f->listener};
    epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->listener, &want);
    f->fds = x_calloc(FDS_MAX, sizeof *f->fds);
    f->joined = x_calloc(FDS_MAX, sizeof *f->joined);
    f->in = x_malloc(IN_MAX);
    f->out = x_malloc(OUT_MAX);
    fprintf(stderr, "msg=listening port=%u\n", (unsigned)ntohs(at.sin_port));
}

int main(int argc, char **argv)
{
    struct floor_server *f = &server;
    f->gather = argc == 2 && strcmp(argv[1], "gather") == 0;
    if (!f->gather && (argc != 2 || strcmp(argv[1], "each") != 0)) {
        fputs("usage: bench_floor each|gather\n", stderr);
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    open_server(f);
    for (;;) {
        struct epoll_event got[EVENTS];
        int n = epoll_wait(f->epoll, got, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (got[i].data.fd == f->listener)
                accept_all(f);
            else
                take_bytes(f, got[i].data.fd);
        }
        if (f->nout > 0) flush(f);
    }
}
