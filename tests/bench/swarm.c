/* The life of a client, and what all transports share. Only client_dies() leads to SWARM_DEAD.
 *
 * Clients of one server come from several addresses of 127.0.0.0/8, for one has only some 28 000
 * ports. An event of epoll carries the client's number and which of its two sockets it is about. */
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
#include "swarm_parts.h"

enum { COMPLAINTS = 3, EVENTS = 512, SOURCES = 32, NO_CLIENT = -1, DEAF_BUFFER = 4096 };

/* ---- life */

static void close_sockets(struct swarm_client *c)
{
    close(c->fd);
    if (c->poller) poll_reset(c);
    buf_fini(&c->rest);
}

static void client_left(struct swarm *s, struct swarm_client *c)
{
    close_sockets(c);
    c->state = SWARM_NEW;
    c->waits = false;
    s->leaving--;
}

void client_dies(struct swarm *s, struct swarm_client *c, const char *why)
{
    switch (c->state) {
    case SWARM_DEAD: return;
    case SWARM_LEAVING: client_left(s, c); return;
    case SWARM_READY:
        s->ready--;
        s->closed++;
        break;
    default: s->joining--; s->failed++;
    }
    if (s->failed + (int)s->closed <= COMPLAINTS)
        fprintf(stderr, "client %td, state %d: %s\n", c - s->clients, (int)c->state, why);
    close_sockets(c);
    c->state = SWARM_DEAD;
}

void client_watch(struct swarm *s, struct swarm_client *c, int fd, bool is_second)
{
    uint64_t number = (uint64_t)(c - s->clients);
    struct epoll_event want = {.events = EPOLLIN, .data.u64 = number << 1 | is_second};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &want) && errno == EEXIST)
        epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &want);
}

int client_socket(struct swarm *s, struct swarm_client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(s->ports[c->server])};
    struct sockaddr_in from = {.sin_family = AF_INET};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(c - s->clients) % SOURCES);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) log_fatal("socket %td: %s", c - s->clients, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    int mss = c->mss;
    if (mss && setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof mss))
        log_fatal("TCP_MAXSEG: %s", strerror(errno));
    if (bind(fd, (struct sockaddr *)&from, sizeof from)) log_fatal("bind: %s", strerror(errno));
    if (!connect(fd, (struct sockaddr *)&to, sizeof to) || errno == EINPROGRESS) return fd;
    close(fd);
    return -1;
}

void swarm_start(struct swarm *s, int client)
{
    struct swarm_client *c = &s->clients[client];
    c->state = SWARM_CONNECTING;
    s->joining++;
    c->fd = client_socket(s, c);
    if (c->fd < 0) log_fatal("client %d: connect: %s", client, strerror(errno));
    struct epoll_event want = {.events = EPOLLOUT, .data.u64 = (uint64_t)client << 1};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &want))
        log_fatal("epoll_ctl: %s", strerror(errno));
}

static void client_connected(struct swarm *s, struct swarm_client *c)
{
    int err = 0;
    socklen_t size = sizeof err;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &size);
    if (err) {
        client_dies(s, c, strerror(err));
        return;
    }
    client_watch(s, c, c->fd, false);
    if (c->poller)
        poll_begin(s, c);
    else
        ws_begin(s, c);
}

void swarm_leave(struct swarm *s, int client)
{
    struct swarm_client *c = &s->clients[client];
    if (c->state != SWARM_READY) return;
    c->state = SWARM_LEAVING;
    s->ready--;
    s->leaving++;
    shutdown(c->fd, SHUT_WR);
}

void swarm_deafen(struct swarm *s, int client)
{
    struct swarm_client *c = &s->clients[client];
    int small = DEAF_BUFFER;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    c->is_deaf = true;
}

/* ---- sending */

void client_send(struct swarm *s, struct swarm_client *c, int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
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

static void client_send_packet(struct swarm *s, struct swarm_client *c, const char *p, size_t n)
{
    if (c->poller)
        poll_send_packet(s, c, p, n);
    else
        ws_send_packet(s, c, p, n);
}

static bool add_filler(struct buf *b, size_t size)
{
    char *room = buf_room(b, size);
    if (!room) return false;
    memset(room, 'x', size);
    b->n += size;
    return true;
}

/* The attachment is a frame of its own; its first 8 bytes are the time. */
static void publish_binary(struct swarm *s, struct swarm_client *c, const struct swarm_event *e,
                           struct buf *b)
{
    if (!buf_addf(b, "451-[%s,{\"_placeholder\":true,\"num\":0}]", e->event)) abort();
    ws_send_packet(s, c, b->p, b->n);
    buf_clear(b);
    if (!buf_add(b, &e->stamp_us, sizeof e->stamp_us) ||
        !add_filler(b, e->size > sizeof e->stamp_us ? e->size - sizeof e->stamp_us : 0))
        abort();
    ws_send_binary(s, c, b->p, b->n);
}

void swarm_publish(struct swarm *s, int client, const struct swarm_event *e)
{
    struct swarm_client *c = &s->clients[client];
    static struct buf text = {.max = SWARM_REST_MAX};
    buf_clear(&text);
    if (e->is_binary) {
        publish_binary(s, c, e, &text);
        return;
    }
    bool fits = buf_addf(&text, "42");
    if (c->nsp >= 0) fits = fits && buf_addf(&text, "/n%d,", c->nsp);
    if (e->wants_ack) fits = fits && buf_addf(&text, "7");
    fits = fits &&
           buf_addf(&text, "[%s,{\"t\":%llu,\"p\":\"", e->event, (unsigned long long)e->stamp_us);
    if (!fits || !add_filler(&text, e->size) || !buf_addf(&text, "\"}]")) abort();
    if (e->wants_ack) {
        c->waits = true;
        c->sent_us = e->stamp_us;
    }
    client_send_packet(s, c, text.p, text.n);
}

/* ---- receiving */

static void count_delay(struct swarm *s, const struct swarm_client *c, uint64_t sent)
{
    uint64_t now = meter_now_us();
    if (c - s->clients >= s->timed_from) meter_hist_add(&s->delays, now > sent ? now - sent : 0);
}

/* A message of ours came back: 42["message",{"t":123,…}], with other arguments before it at most. */
static void count_delivery(struct swarm *s, const struct swarm_client *c, const char *p, size_t n)
{
    const char *mark = "\"t\":", *q = memmem(p, n, mark, strlen(mark));
    if (!q) return;
    uint64_t sent = 0;
    for (q += strlen(mark); q < p + n && *q >= '0' && *q <= '9'; q++)
        sent = sent * 10 + (uint64_t)(*q - '0');
    s->delivered++;
    count_delay(s, c, sent);
}

void client_takes_binary(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n)
{
    uint64_t sent;
    if (n < sizeof sent) {
        client_dies(s, c, "a short attachment");
        return;
    }
    memcpy(&sent, p, sizeof sent);
    s->delivered++;
    count_delay(s, c, sent);
}

/* An error in it would be quick, but is no answer. */
static void count_ack(struct swarm *s, struct swarm_client *c, const char *p, size_t n)
{
    if (!memmem(p, n, "\"ok\"", 4)) {
        client_dies(s, c, "an ack that is not ok");
        return;
    }
    if (!c->waits) return;
    c->waits = false;
    s->answered++;
    count_delay(s, c, c->sent_us);
}

static void join_namespace(struct swarm *s, struct swarm_client *c)
{
    char connect[32];
    c->state = SWARM_JOINING;
    int n = c->nsp < 0 ? snprintf(connect, sizeof connect, "40")
                       : snprintf(connect, sizeof connect, "40/n%d,", c->nsp);
    client_send_packet(s, c, connect, (size_t)n);
}

void client_takes_packet(struct swarm *s, struct swarm_client *c, const char *p, size_t n)
{
    char type = n > 1 && p[0] == '4' ? p[1] : '\0';
    if (n == 1 && p[0] == '2') {
        if (c->state != SWARM_LEAVING) client_send_packet(s, c, "3", 1);
    } else if (c->state == SWARM_OPENING && n > 0 && p[0] == '0') {
        join_namespace(s, c);
    } else if (c->state == SWARM_JOINING && type == '0') {
        c->state = SWARM_READY;
        s->joining--;
        s->ready++;
    } else if (type == '2') {
        count_delivery(s, c, p, n);
    } else if (type == '3') {
        count_ack(s, c, p, n);
    } else if (type != '5') { /* 5: an attachment follows, which counts */
        client_dies(s, c, type == '4' ? "refused" : "unexpected packet");
    }
}

static void client_reads(struct swarm *s, struct swarm_client *c)
{
    size_t kept = c->rest.n, used = 0;
    if (kept) memcpy(s->in, c->rest.p, kept);
    ssize_t k = recv(c->fd, s->in + kept, SWARM_READ_MAX, 0);
    if (k < 0 && errno == EAGAIN) return;
    if (k <= 0) {
        client_dies(s, c, k ? strerror(errno) : "the server closed the connection");
        return;
    }
    size_t n = kept + (size_t)k;
    used = c->poller ? poll_take(s, c, s->in, n) : ws_take(s, c, s->in, n);
    if (c->state == SWARM_DEAD || c->state == SWARM_NEW) return;
    if (used == n) {
        buf_fini(&c->rest);
        return;
    }
    buf_clear(&c->rest);
    if (!buf_add(&c->rest, s->in + used, n - used)) client_dies(s, c, "too much at once");
}

/* ---- all of them */

void swarm_init(struct swarm *s)
{
    *s = (struct swarm){.n = 0};
    s->in = x_malloc(SWARM_REST_MAX + SWARM_READ_MAX);
    buf_init(&s->out, SWARM_REST_MAX);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0) log_fatal("epoll_create1: %s", strerror(errno));
}

void swarm_fini(struct swarm *s)
{
    for (int i = 0; i < s->n; i++) {
        struct swarm_client *c = &s->clients[i];
        if (c->state != SWARM_DEAD && c->state != SWARM_NEW) close_sockets(c);
        poll_free(c->poller);
    }
    for (int i = 0; i < s->ntokens; i++)
        x_free(s->tokens[i]);
    close(s->epoll);
    buf_fini(&s->out);
    x_free(s->tokens);
    x_free(s->in);
    x_free(s->clients);
}

int swarm_load_tokens(struct swarm *s, const char *path)
{
    static char line[8192];
    FILE *in = fopen(path, "r");
    if (!in) return -1;
    while (fgets(line, sizeof line, in)) {
        s->tokens = x_realloc(s->tokens, (size_t)(s->ntokens + 1) * sizeof *s->tokens);
        s->tokens[s->ntokens++] = x_memdup(line, strcspn(line, "\r\n"));
    }
    fclose(in);
    return s->ntokens;
}

void swarm_add(struct swarm *s, int n, const struct swarm_kind *kind)
{
    s->clients = x_realloc(s->clients, (size_t)(s->n + n) * sizeof *s->clients);
    for (int i = 0; i < n; i++) {
        struct swarm_client *c = &s->clients[s->n++];
        *c = (struct swarm_client){.fd = -1,
                                   .server = (uint8_t)kind->server,
                                   .token = kind->token + i,
                                   .nsp = kind->group ? i / kind->group : -1,
                                   .mss = (uint16_t)kind->mss,
                                   .poller = kind->polls ? poll_new() : NULL};
        buf_init(&c->rest, SWARM_REST_MAX);
    }
}

void swarm_also_wait_for(struct swarm *s, int fd)
{
    struct epoll_event want = {.events = EPOLLIN, .data.u64 = (uint64_t)NO_CLIENT};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &want)) log_fatal("epoll_ctl: %s", strerror(errno));
}

bool swarm_turn(struct swarm *s, uint64_t us)
{
    struct epoll_event got[EVENTS];
    struct timespec most = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    bool other = false;
    int n = epoll_pwait2(s->epoll, got, EVENTS, &most, NULL);
    if (n < 0 && errno != EINTR) log_fatal("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        if (got[i].data.u64 == (uint64_t)NO_CLIENT) {
            other = true;
            continue;
        }
        struct swarm_client *c = &s->clients[got[i].data.u64 >> 1];
        if (c->state == SWARM_DEAD || c->state == SWARM_NEW) continue;
        if (c->state == SWARM_CONNECTING)
            client_connected(s, c);
        else if (got[i].data.u64 & 1)
            poll_reads_second(s, c);
        else
            client_reads(s, c);
    }
    return other;
}

void swarm_reset(struct swarm *s)
{
    s->delivered = s->answered = 0;
    s->delays = (struct meter_hist){.max = 0};
}
