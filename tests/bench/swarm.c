/* A client goes through its states in order, each step an answer of the server; only client_dies()
 * leads to SWARM_DEAD, from anywhere.
 *
 * Clients mask with the key 0: legal, the payload stays as it is, and the generator's own work
 * stays small beside the server's. Handshake answers are not verified (Sec-WebSocket-Accept):
 * conformance has its own tests. */
/* System */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* This program */
#include "swarm.h"

enum { READ_MAX = 1 << 20, REST_MAX = 1 << 20, COMPLAINTS = 3, EVENTS = 512 };

static void client_dies(struct swarm *s, struct swarm_client *c, const char *why)
{
    if (c->state == SWARM_DEAD) return;
    if (c->state == SWARM_READY) {
        s->ready--;
        s->closed++;
    } else {
        s->joining--;
        s->failed++;
    }
    if (s->failed + (int)s->closed <= COMPLAINTS)
        fprintf(stderr, "client %td, state %d: %s\n", c - s->clients, (int)c->state, why);
    c->state = SWARM_DEAD;
    buf_fini(&c->rest);
    close(c->fd);
}

/* The server's socket buffer may be full for a moment: a wait here is part of being its client. */
static void client_send(struct swarm *s, struct swarm_client *c, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = c->fd, .events = POLLOUT};
            if (poll(&writable, 1, 5000) == 1) continue;
        }
        if (k < 0) {
            client_dies(s, c, "cannot send");
            return;
        }
        p += k;
        n -= (size_t)k;
    }
}

static void client_send_frame(struct swarm *s, struct swarm_client *c, uint8_t opcode,
                              const void *data, size_t n)
{
    uint8_t head[14] = {0x80 | opcode}, *p = head + 2;
    int extra = n < 126 ? 0 : n < 65536 ? 2 : 8;
    head[1] = (uint8_t)(0x80 | (extra == 0 ? n : extra == 2 ? 126 : 127));
    for (int i = extra - 1; i >= 0; i--)
        *p++ = (uint8_t)((uint64_t)n >> (8 * i));
    p += 4; /* the masking key, 0 */
    buf_clear(&s->out);
    if (!buf_add(&s->out, head, (size_t)(p - head)) || !buf_add(&s->out, data, n)) abort();
    client_send(s, c, s->out.p, s->out.n);
}

/* A message of ours came back: 42["message",{"t":123,…}], with other arguments before it at most. */
static void count_delivery(struct swarm *s, const struct swarm_client *c, const char *p, size_t n)
{
    const char *mark = "\"t\":", *q = memmem(p, n, mark, strlen(mark));
    if (!q) return;
    uint64_t sent = 0, now = meter_now_us();
    for (q += strlen(mark); q < p + n && *q >= '0' && *q <= '9'; q++)
        sent = sent * 10 + (uint64_t)(*q - '0');
    s->delivered++;
    if (c - s->clients >= s->timed_from) meter_hist_add(&s->delays, now > sent ? now - sent : 0);
}

static void client_takes_packet(struct swarm *s, struct swarm_client *c, const char *p, size_t n)
{
    if (n == 1 && p[0] == '2') {
        client_send_frame(s, c, 1, "3", 1);
    } else if (c->state == SWARM_OPENING && n > 0 && p[0] == '0') {
        c->state = SWARM_JOINING;
        client_send_frame(s, c, 1, "40", 2);
    } else if (c->state == SWARM_JOINING && n > 1 && p[0] == '4' && p[1] == '0') {
        c->state = SWARM_READY;
        s->joining--;
        s->ready++;
    } else if (n > 1 && p[0] == '4' && p[1] == '2') {
        count_delivery(s, c, p, n);
    } else {
        client_dies(s, c, n > 1 && p[1] == '4' ? "refused" : "unexpected packet");
    }
}

static void client_takes_frame(struct swarm *s, struct swarm_client *c, uint8_t first,
                               const uint8_t *p, size_t n)
{
    switch (first) {
    case 0x81: client_takes_packet(s, c, (const char *)p, n); return;
    case 0x88: client_dies(s, c, "the server closed the WebSocket"); return;
    case 0x89: client_send_frame(s, c, 10, p, n); return;
    default: client_dies(s, c, "unexpected frame"); return;
    }
}

/* Handles the whole frames in p; returns how many bytes they were. */
static size_t client_takes_frames(struct swarm *s, struct swarm_client *c, const uint8_t *p,
                                  size_t n)
{
    size_t at = 0;
    while (n - at >= 2 && c->state != SWARM_DEAD) {
        uint64_t len = p[at + 1] & 127;
        size_t extra = len == 127 ? 8 : len == 126 ? 2 : 0, head = 2 + extra;
        if (n - at < head) break;
        if (extra) len = 0;
        for (size_t i = 0; i < extra; i++)
            len = len << 8 | p[at + 2 + i];
        if (len > REST_MAX - 16) {
            client_dies(s, c, "frame too long");
            break;
        }
        if (n - at - head < len) break;
        client_takes_frame(s, c, p[at], p + at + head, len);
        at += head + len;
    }
    return at;
}

/* Returns the bytes of the answer's head; 0: not complete, or refused. */
static size_t client_takes_head(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n)
{
    const char *accepted = "HTTP/1.1 101";
    const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(p, accepted, strlen(accepted)) != 0) {
        client_dies(s, c, "the upgrade was refused");
        return 0;
    }
    c->state = SWARM_OPENING;
    return (size_t)(end + 4 - p);
}

static void client_reads(struct swarm *s, struct swarm_client *c)
{
    size_t kept = c->rest.n, used = 0;
    if (kept) memcpy(s->in, c->rest.p, kept);
    ssize_t k = recv(c->fd, s->in + kept, READ_MAX, 0);
    if (k < 0 && errno == EAGAIN) return;
    if (k <= 0) {
        client_dies(s, c, k ? strerror(errno) : "the server closed the connection");
        return;
    }
    size_t n = kept + (size_t)k;
    if (c->state == SWARM_UPGRADING) used = client_takes_head(s, c, s->in, n);
    if (c->state != SWARM_UPGRADING && c->state != SWARM_DEAD)
        used += client_takes_frames(s, c, s->in + used, n - used);
    if (c->state == SWARM_DEAD) return;
    if (used == n) {
        buf_fini(&c->rest);
        return;
    }
    buf_clear(&c->rest);
    if (!buf_add(&c->rest, s->in + used, n - used)) client_dies(s, c, "too much at once");
}

static uint16_t port_of(const struct swarm *s, const struct swarm_client *c)
{
    const struct swarm_server *server = s->servers;
    for (ptrdiff_t i = c - s->clients; i >= server->clients; server++)
        i -= server->clients;
    return server->port;
}

static void client_asks_upgrade(struct swarm *s, struct swarm_client *c)
{
    int err = 0;
    socklen_t size = sizeof err;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &size);
    if (err) {
        client_dies(s, c, strerror(err));
        return;
    }
    struct epoll_event want = {.events = EPOLLIN, .data.u32 = (uint32_t)(c - s->clients)};
    epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &want);
    c->state = SWARM_UPGRADING;
    char *request = x_asprintf("GET /socket.io/?EIO=4&transport=websocket&token=%s HTTP/1.1\r\n"
                               "Host: 127.0.0.1:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                               "Sec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                               s->tokens[(c - s->clients) % s->ntokens], (unsigned)port_of(s, c));
    client_send(s, c, request, strlen(request));
    x_free(request);
}

void swarm_init(struct swarm *s, const struct swarm_server *servers, int nservers, char **tokens,
                int ntokens)
{
    *s = (struct swarm){.tokens = tokens, .ntokens = ntokens};
    memcpy(s->servers, servers, (size_t)nservers * sizeof *servers);
    for (int i = 0; i < nservers; i++)
        s->n += servers[i].clients;
    s->clients = x_calloc((size_t)s->n, sizeof *s->clients);
    for (int i = 0; i < s->n; i++)
        buf_init(&s->clients[i].rest, REST_MAX);
    s->in = x_malloc(REST_MAX + READ_MAX);
    buf_init(&s->out, REST_MAX);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0) log_fatal("epoll_create1: %s", strerror(errno));
}

void swarm_fini(struct swarm *s)
{
    for (int i = 0; i < s->started; i++) {
        if (s->clients[i].state != SWARM_DEAD) close(s->clients[i].fd);
        buf_fini(&s->clients[i].rest);
    }
    close(s->epoll);
    buf_fini(&s->out);
    x_free(s->in);
    x_free(s->clients);
}

void swarm_start(struct swarm *s)
{
    struct swarm_client *c = &s->clients[s->started];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port_of(s, c))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) log_fatal("socket %d: %s", s->started, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event want = {.events = EPOLLOUT, .data.u32 = (uint32_t)s->started};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &want))
        log_fatal("epoll_ctl: %s", strerror(errno));
    c->state = SWARM_CONNECTING;
    s->started++;
    s->joining++;
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        client_dies(s, c, strerror(errno));
}

void swarm_turn(struct swarm *s, uint64_t us)
{
    struct epoll_event got[EVENTS];
    struct timespec most = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    int n = epoll_pwait2(s->epoll, got, EVENTS, &most, NULL);
    if (n < 0 && errno != EINTR) log_fatal("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct swarm_client *c = &s->clients[got[i].data.u32];
        if (c->state == SWARM_DEAD) continue;
        if (c->state == SWARM_CONNECTING)
            client_asks_upgrade(s, c);
        else
            client_reads(s, c);
    }
}

void swarm_publish(struct swarm *s, int client, const char *event, uint64_t stamp_us, size_t size)
{
    static const char filler[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    struct buf text;
    buf_init(&text, REST_MAX);
    bool fits = buf_addf(&text, "42[%s,{\"t\":%llu,\"p\":\"", event, (unsigned long long)stamp_us);
    for (size_t left = size, k; fits && left > 0; left -= k) {
        k = left < sizeof filler - 1 ? left : sizeof filler - 1;
        fits = buf_add(&text, filler, k);
    }
    if (!fits || !buf_addf(&text, "\"}]")) abort();
    client_send_frame(s, &s->clients[client], 1, text.p, text.n);
    buf_fini(&text);
}

void swarm_reset(struct swarm *s)
{
    s->delivered = 0;
    s->delays = (struct meter_hist){.max = 0};
}
