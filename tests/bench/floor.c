/* The floor of `make bench`: the least a server can do to bring one client's text to others.
 *
 *   bench_floor each      every message to every connection in a send() of its own
 *   bench_floor gather    what one turn of the loop read goes to a connection in one send()
 *
 * It answers any first read with a canned 101, CONNECT and events with an ack with canned answers,
 * and makes of every other frame one ready frame for everybody; of the event `room`, for the group
 * of the sender: so many connections (second argument, 10) that came one behind the other. No
 * request is parsed and no token checked. What a connection does not take at once waits in a buffer
 * of its own. So it measures what the kernel asks for the same work, and is good for nothing else. */
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
#include "util/buf.h"
#include "util/log.h"
#include "util/x_alloc.h"

enum { FDS_MAX = 1 << 20, IN_MAX = 1 << 20, OUT_MAX = 64 << 20, EVENTS = 512, FREE = -1 };

struct connection {
    int slot;           /* FREE: it has not joined */
    struct buf in, out; /* the start of a frame; what the socket did not take */
};

static struct floor_server {
    int listener, epoll, group;
    bool gather;
    struct connection *of; /* by fd */
    int *slots, nslots; /* fds in the order they came; FREE: gone, the next one takes its place */
    int *vacant, nvacant;
    struct buf all, *groups; /* frames that leave at the end of the turn; groups by slot / group */
    int *busy, nbusy;        /* groups with frames */
    uint8_t *in;
} server;

static void want_writable(struct floor_server *f, int fd, bool wants)
{
    struct epoll_event want = {.events = wants ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.fd = fd};
    epoll_ctl(f->epoll, EPOLL_CTL_MOD, fd, &want);
}

static void keep(struct buf *b, const void *p, size_t n)
{
    if (!buf_add(b, p, n)) log_fatal("a client takes nothing");
}

static void send_to(struct floor_server *f, int fd, const char *p, size_t n)
{
    struct connection *c = &f->of[fd];
    if (c->out.n) {
        keep(&c->out, p, n);
        return;
    }
    ssize_t k = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (k < 0 && errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
        log_fatal("send: %s", strerror(errno));
    size_t sent = k > 0 ? (size_t)k : 0;
    if (sent == n || (k < 0 && errno != EAGAIN)) return;
    keep(&c->out, p + sent, n - sent);
    want_writable(f, fd, true);
}

static void send_rest(struct floor_server *f, int fd)
{
    struct connection *c = &f->of[fd];
    ssize_t k = send(fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (k > 0) buf_drop(&c->out, (size_t)k);
    if (c->out.n) return;
    buf_fini(&c->out);
    want_writable(f, fd, false);
}

static void send_to_slots(struct floor_server *f, struct buf *frames, int from, int to)
{
    for (int i = from; i < to && i < f->nslots; i++)
        if (f->slots[i] != FREE) send_to(f, f->slots[i], frames->p, frames->n);
    buf_clear(frames);
}

static void flush(struct floor_server *f)
{
    if (f->all.n) send_to_slots(f, &f->all, 0, f->nslots);
    for (int i = 0; i < f->nbusy; i++) {
        int group = f->busy[i];
        send_to_slots(f, &f->groups[group], group * f->group, (group + 1) * f->group);
    }
    f->nbusy = 0;
}

static void add_frame(struct floor_server *f, struct buf *out, uint8_t first, const char *text,
                      size_t n)
{
    uint8_t head[10] = {first}, *p = head + 2;
    int extra = n < 126 ? 0 : n < 65536 ? 2 : 8;
    head[1] = (uint8_t)(extra == 0 ? n : extra == 2 ? 126 : 127);
    for (int i = extra - 1; i >= 0; i--)
        *p++ = (uint8_t)((uint64_t)n >> (8 * i));
    keep(out, head, (size_t)(p - head));
    keep(out, text, n);
    if (!f->gather) flush(f);
}

static void add_frame_for_group(struct floor_server *f, int fd, const char *text, size_t n)
{
    int group = f->of[fd].slot / f->group;
    struct buf *out = &f->groups[group];
    out->max = OUT_MAX;
    if (out->n == 0) f->busy[f->nbusy++] = group;
    add_frame(f, out, 0x81, text, n);
}

/* 42<id>[… is answered by 43<id>[{"status":"ok"}] */
static void answer_ack(struct floor_server *f, int fd, const char *text, size_t n)
{
    char answer[64];
    int id = (int)(strcspn(text, "[") - 2);
    if (n < 3 || id > 20) log_fatal("not an ack");
    int k =
        snprintf(answer, sizeof answer, "\x81%c43%.*s[{\"status\":\"ok\"}]", 19 + id, id, text + 2);
    send_to(f, fd, answer, (size_t)k);
}

static void join(struct floor_server *f, int fd)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                                 "\x81\x02"
                                 "0{";
    struct connection *c = &f->of[fd];
    c->slot = f->nvacant ? f->vacant[--f->nvacant] : f->nslots++;
    f->slots[c->slot] = fd;
    send_to(f, fd, answer, sizeof answer - 1);
}

static void leave(struct floor_server *f, int fd)
{
    struct connection *c = &f->of[fd];
    if (c->slot != FREE) {
        f->slots[c->slot] = FREE;
        f->vacant[f->nvacant++] = c->slot;
    }
    buf_fini(&c->in);
    buf_fini(&c->out);
    close(fd);
}

/* ---- reading */

static void take_text(struct floor_server *f, int fd, uint8_t first, const char *text, size_t n)
{
    static const char room[] = "42[\"room\"";
    if (n == 2 && memcmp(text, "40", 2) == 0)
        send_to(f, fd,
                "\x81\x02"
                "40",
                4);
    else if (n > 3 && memcmp(text, "42", 2) == 0 && text[2] != '[')
        answer_ack(f, fd, text, n);
    else if (n > sizeof room && memcmp(text, room, sizeof room - 1) == 0)
        add_frame_for_group(f, fd, text, n);
    else
        add_frame(f, &f->all, first, text, n);
}

/* Returns the bytes of the frame; 0: it is not complete. */
static size_t take_frame(struct floor_server *f, int fd, uint8_t *p, size_t n)
{
    if (n < 2) return 0;
    size_t len = p[1] & 127, extra = len == 127 ? 8 : len == 126 ? 2 : 0, head = 6 + extra;
    if (n < head) return 0;
    if (extra) len = 0;
    for (size_t i = 0; i < extra; i++)
        len = len << 8 | p[2 + i];
    if (n - head < len) return 0;
    uint8_t *text = p + head;
    const uint8_t *key = text - 4;
    for (size_t i = 0; i < len; i++)
        text[i] ^= key[i & 3];
    if (p[0] == 0x81 || p[0] == 0x82) take_text(f, fd, p[0], (char *)text, len);
    return head + len;
}

static void take_bytes(struct floor_server *f, int fd)
{
    struct connection *c = &f->of[fd];
    size_t kept = c->in.n, at = 0, k = 1;
    if (kept) memcpy(f->in, c->in.p, kept);
    ssize_t got = recv(fd, f->in + kept, IN_MAX, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        leave(f, fd);
        return;
    }
    if (c->slot == FREE) {
        join(f, fd);
        return;
    }
    size_t n = kept + (size_t)got;
    for (; k && at < n; at += k)
        k = take_frame(f, fd, f->in + at, n - at);
    buf_clear(&c->in);
    if (at < n && !buf_add(&c->in, f->in + at, n - at)) log_fatal("a frame over 1 MiB");
    if (at == n) buf_fini(&c->in);
}

static void accept_all(struct floor_server *f)
{
    int fd, one = 1;
    while ((fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= FDS_MAX) log_fatal("too many connections");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event want = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &want);
        f->of[fd] = (struct connection){.slot = FREE, .in.max = IN_MAX, .out.max = OUT_MAX};
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
    f->of = x_calloc(FDS_MAX, sizeof *f->of);
    f->slots = x_calloc(FDS_MAX, sizeof *f->slots);
    f->vacant = x_calloc(FDS_MAX, sizeof *f->vacant);
    f->groups = x_calloc(FDS_MAX, sizeof *f->groups);
    f->busy = x_calloc(FDS_MAX, sizeof *f->busy);
    f->in = x_malloc(2 * IN_MAX);
    buf_init(&f->all, OUT_MAX);
    fprintf(stderr, "msg=listening port=%u\n", (unsigned)ntohs(at.sin_port));
}

int main(int argc, char **argv)
{
    struct floor_server *f = &server;
    f->gather = argc >= 2 && strcmp(argv[1], "gather") == 0;
    f->group = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 10;
    if (f->group < 1 || argc < 2 || argc > 3 || (!f->gather && strcmp(argv[1], "each") != 0)) {
        fputs("usage: bench_floor each|gather [connections in a group]\n", stderr);
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
            int fd = got[i].data.fd;
            if (fd == f->listener) {
                accept_all(f);
                continue;
            }
            if (got[i].events & EPOLLOUT) send_rest(f, fd);
            if (got[i].events & ~(uint32_t)EPOLLOUT) take_bytes(f, fd);
        }
        flush(f);
    }
}
