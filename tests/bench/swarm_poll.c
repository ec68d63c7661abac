/* Clients by long-polling: one connection for the poll that always waits, a second one, opened when
 * it is needed, for what the client posts. One POST at a time; what comes up meanwhile goes
 * together in the next.
 *
 * A client joins by its first connection alone: GET (open packet), POST 40, GET, GET, … */
/* System */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
/* Util */
#include "util/x_alloc.h"
/* This program */
#include "swarm_parts.h"

enum { SID_MAX = 64, SEPARATOR = 0x1e, ANSWER_MAX = 4096 };

struct swarm_poller {
    char sid[SID_MAX];
    int post_fd; /* -1: none */
    bool is_posting;
    struct buf outbox; /* packets for the next POST */
};

struct swarm_poller *poll_new(void)
{
    struct swarm_poller *p = x_calloc(1, sizeof *p);
    p->post_fd = -1;
    buf_init(&p->outbox, SWARM_REST_MAX);
    return p;
}

void poll_reset(struct swarm_client *c)
{
    struct swarm_poller *p = c->poller;
    if (p->post_fd >= 0) close(p->post_fd);
    p->post_fd = -1;
    p->is_posting = false;
    p->sid[0] = '\0';
    buf_fini(&p->outbox);
}

void poll_free(struct swarm_poller *p)
{
    x_free(p);
}

/* ---- requests */

static void get(struct swarm *s, struct swarm_client *c)
{
    const char *sid = c->poller->sid;
    char *request = x_asprintf("GET /socket.io/?EIO=4&transport=polling&%s=%s HTTP/1.1\r\n"
                               "Host: 127.0.0.1:%u\r\n\r\n",
                               *sid ? "sid" : "token", *sid ? sid : s->tokens[c->token],
                               (unsigned)s->ports[c->server]);
    client_send(s, c, c->fd, request, strlen(request));
    x_free(request);
}

static void post(struct swarm *s, struct swarm_client *c, int fd, const char *p, size_t n)
{
    buf_clear(&s->out);
    if (!buf_addf(&s->out,
                  "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
                  "Host: 127.0.0.1:%u\r\nContent-Type: text/plain;charset=UTF-8\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  c->poller->sid, (unsigned)s->ports[c->server], n) ||
        !buf_add(&s->out, p, n))
        abort();
    client_send(s, c, fd, s->out.p, s->out.n);
}

static void post_outbox(struct swarm *s, struct swarm_client *c)
{
    struct swarm_poller *p = c->poller;
    if (p->post_fd < 0) {
        p->post_fd = client_socket(s, c);
        struct pollfd connected = {.fd = p->post_fd, .events = POLLOUT};
        if (p->post_fd < 0 || poll(&connected, 1, 5000) != 1) {
            client_dies(s, c, "cannot connect to post");
            return;
        }
        client_watch(s, c, p->post_fd, true);
    }
    p->is_posting = true;
    post(s, c, p->post_fd, p->outbox.p, p->outbox.n);
    buf_clear(&p->outbox);
}

void poll_send_packet(struct swarm *s, struct swarm_client *c, const char *p, size_t n)
{
    struct swarm_poller *poller = c->poller;
    if (c->state == SWARM_JOINING) {
        post(s, c, c->fd, p, n);
        return;
    }
    if (poller->outbox.n && !buf_add_char(&poller->outbox, SEPARATOR)) abort();
    if (!buf_add(&poller->outbox, p, n)) abort();
    if (!poller->is_posting) post_outbox(s, c);
}

void poll_begin(struct swarm *s, struct swarm_client *c)
{
    c->state = SWARM_OPENING;
    get(s, c);
}

/* ---- answers */

/* Returns the bytes of a whole answer of status 200, and its body; 0: not complete, or the client
 * is dead. */
static size_t take_answer(struct swarm *s, struct swarm_client *c, const char *p, size_t n,
                          struct str_view *body)
{
    static const char name[] = "Content-Length:";
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end + 4 - p), length = 0;
    if (memcmp(p, "HTTP/1.1 200", 12) != 0) {
        client_dies(s, c, "no 200");
        return 0;
    }
    for (const char *line = p; line < end; line += 2) {
        if (strncasecmp(line, name, sizeof name - 1) == 0)
            length = strtoul(line + sizeof name - 1, NULL, 10);
        line = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
    }
    if (length > SWARM_REST_MAX / 2) client_dies(s, c, "answer too long");
    if (c->state == SWARM_DEAD || n - head < length) return 0;
    *body = sv_make(p + head, length);
    return head + length;
}

/* {"sid":"…",…} */
static void keep_sid(struct swarm *s, struct swarm_client *c, struct str_view body)
{
    static const char mark[] = "\"sid\":\"";
    const char *q = memmem(body.p, body.n, mark, sizeof mark - 1);
    struct str_view sid = q ? sv_skip(body, (size_t)(q - body.p) + sizeof mark - 1) : SV("");
    sid.n = sv_find(sid, '"');
    if (sid.n == 0 || sid.n >= SID_MAX) {
        client_dies(s, c, "no sid");
        return;
    }
    memcpy(c->poller->sid, sid.p, sid.n);
    c->poller->sid[sid.n] = '\0';
}

static void take_body(struct swarm *s, struct swarm_client *c, struct str_view body)
{
    if (c->state == SWARM_OPENING) keep_sid(s, c, body);
    bool is_posted = c->state == SWARM_JOINING && sv_eq(body, SV("ok"));
    bool asks = c->state != SWARM_OPENING; /* else 40 is posted now, and its answer comes first */
    while (!is_posted && body.n && c->state != SWARM_DEAD) {
        size_t k = sv_find(body, SEPARATOR);
        client_takes_packet(s, c, body.p, k);
        body = sv_skip(body, k < body.n ? k + 1 : k);
    }
    if (asks && (c->state == SWARM_JOINING || c->state == SWARM_READY)) get(s, c);
}

size_t poll_take(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n)
{
    size_t at = 0, k = 1;
    while (k && at < n && c->state != SWARM_DEAD) {
        struct str_view body;
        k = take_answer(s, c, (const char *)p + at, n - at, &body);
        if (k) take_body(s, c, body);
        at += k;
    }
    return at;
}

/* The answer to a POST is small and comes whole. A server may close the connection between two. */
void poll_reads_second(struct swarm *s, struct swarm_client *c)
{
    struct swarm_poller *p = c->poller;
    char answer[ANSWER_MAX];
    struct str_view body;
    ssize_t k = recv(p->post_fd, answer, sizeof answer, 0);
    if (k < 0 && errno == EAGAIN) return;
    if (k <= 0 && !p->is_posting) {
        close(p->post_fd);
        p->post_fd = -1;
        return;
    }
    if (k <= 0 || !take_answer(s, c, answer, (size_t)k, &body)) {
        client_dies(s, c, "no answer to a POST");
        return;
    }
    p->is_posting = false;
    if (p->outbox.n) post_outbox(s, c);
}
