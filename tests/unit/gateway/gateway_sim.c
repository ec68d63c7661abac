/* Waiting is turning the loop until something has happened; five seconds of real time mean that it
 * never will. That nothing happens is seen by a ping whose pong comes next. */
/* System */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gateway/gw_auth.h"
/* Tests */
#include "unit/gateway/gateway_sim.h"

#define PATIENCE_MS 5000
#define IN_MAX (64u << 20)

struct sim sim;

static uint64_t sim_mono(void *arg)
{
    (void)arg;
    return sim.mono;
}

static int64_t sim_wall(void *arg)
{
    (void)arg;
    return sim.wall;
}

static const struct now_source clocks = {sim_mono, sim_wall, NULL};

static void set_all(const char *settings)
{
    struct cfg_error err = {""};
    struct str_view rest = sv_of(settings);
    while (rest.n) {
        size_t n = sv_find(rest, ';');
        char *one = x_memdup(rest.p, n);
        if (n && !cfg_set(&sim.cfg, one, &err)) fail_msg("%s", err.text);
        x_free(one);
        rest = sv_skip(rest, n < rest.n ? n + 1 : n);
    }
}

void sim_start(const struct gw_handler *handler, const char *settings)
{
    struct cfg_error err = {""};
    log_set_level(LOG_ERROR);
    sim = (struct sim){.mono = 1000000, .wall = SIM_WALL};
    cfg_init(&sim.cfg);
    set_all("gateway.host=127.0.0.1;gateway.port=0;gateway.max_connections=64;auth.mode=none;"
            "auth.secret=" SIM_SECRET);
    set_all(settings);
    if (!cfg_check(&sim.cfg, &err)) fail_msg("%s", err.text);
    sim.loop = loop_new(&clocks);
    sim.gw = gw_server_new(&sim.cfg, sim.loop, handler, NULL, &err);
    if (!sim.gw) fail_msg("%s", err.text);
}

void sim_stop(void)
{
    gw_server_free(sim.gw);
    loop_free(sim.loop);
    cfg_fini(&sim.cfg);
}

void sim_turns(unsigned n)
{
    while (n--)
        loop_turn(sim.loop, false);
}

void sim_pass(unsigned seconds)
{
    while (seconds--) {
        sim.mono += 1000;
        sim.wall++;
        sim_turns(3);
    }
}

void sim_until(bool (*holds)(void *arg), void *arg)
{
    uint64_t end = now_mono_ms() + PATIENCE_MS;
    while (!holds(arg)) {
        if (now_mono_ms() > end) fail_msg("it does not happen");
        sim_turns(1);
    }
}

char *sim_token(const char *claims)
{
    struct cfg_error err = {""};
    char *token = gw_auth_mint("HS256", NULL, SV(SIM_SECRET), claims, &err);
    if (!token) fail_msg("%s", err.text);
    return token;
}

/* --- bytes */

static int dial(int rcvbuf)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)gw_server_port(sim.gw)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (rcvbuf) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void put(struct sim_client *c, const void *p, size_t n)
{
    const char *at = p;
    uint64_t end = now_mono_ms() + PATIENCE_MS;
    while (n) {
        ssize_t done = send(c->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done > 0) at += done, n -= (size_t)done;
        if (done < 0 && errno != EAGAIN) return; /* the gateway has closed: the test will see it */
        if (n) sim_turns(1);
        if (now_mono_ms() > end) fail_msg("the gateway does not read");
    }
}

/* One turn, then what has come. False: the stream has ended. */
static bool take(struct sim_client *c)
{
    sim_turns(1);
    char *to = buf_room(&c->in, 65536);
    assert_non_null(to);
    ssize_t n = recv(c->fd, to, 65536, MSG_DONTWAIT);
    if (n > 0) c->in.n += (size_t)n;
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/* The size of the head that lies in front, 0 at the stream's end. */
static size_t wait_head(struct sim_client *c)
{
    uint64_t end = now_mono_ms() + PATIENCE_MS;
    for (;;) {
        const char *p = c->in.n ? memmem(c->in.p, c->in.n, "\r\n\r\n", 4) : NULL;
        if (p) return (size_t)(p - c->in.p) + 4;
        if (!take(c)) return 0;
        if (now_mono_ms() > end) fail_msg("no answer");
    }
}

/* --- WebSockets */

static void open_at(struct sim_client *c, const char *query, int rcvbuf)
{
    char *request =
        x_asprintf("GET /socket.io/?EIO=4&transport=websocket%s HTTP/1.1\r\nHost: sim\r\n"
                   "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                   query);
    *c = (struct sim_client){.fd = dial(rcvbuf)};
    buf_init(&c->in, IN_MAX);
    put(c, request, strlen(request));
    x_free(request);
    size_t head = wait_head(c);
    assert_true(head && memcmp(c->in.p, "HTTP/1.1 101", 12) == 0);
    buf_drop(&c->in, head);
}

void sim_open(struct sim_client *c, int rcvbuf)
{
    open_at(c, "", rcvbuf);
    assert_int_equal(sim_next(c)[0], '0');
}

void sim_probe(struct sim_client *c, const char *query)
{
    open_at(c, query, 0);
}

void sim_connect(struct sim_client *c, const char *nsp, const char *auth)
{
    if (!c->in.max) sim_open(c, 0);
    char *packet = x_asprintf("0%s%s%s", nsp, *nsp ? "," : "", auth);
    sim_send(c, packet);
    x_free(packet);
    const char *answer = sim_next(c);
    const char *sid = strstr(answer, "{\"sid\":\"");
    if (memcmp(answer, "40", 2) != 0 || !sid) fail_msg("CONNECT was answered %s", answer);
    snprintf(c->sid, sizeof(c->sid), "%.20s", sid + 8);
}

void sim_drop(struct sim_client *c)
{
    close(c->fd);
    buf_fini(&c->in);
    *c = (struct sim_client){.fd = -1};
}

/* A masked frame; the mask is zero, which changes no byte. */
static void put_frame(struct sim_client *c, unsigned char first, const char *text)
{
    struct buf frame;
    size_t n = strlen(text);
    unsigned char head[8] = {first, (unsigned char)(0x80 | (n < 126 ? n : 126))};
    assert_true(n < 65536);
    if (n >= 126) head[2] = (unsigned char)(n >> 8), head[3] = (unsigned char)n;
    buf_init(&frame, 65536 + 8);
    assert_true(buf_add(&frame, head, n < 126 ? 6 : 8) && buf_add(&frame, text, n));
    put(c, frame.p, frame.n);
    buf_fini(&frame);
}

void sim_send_frame(struct sim_client *c, const char *text)
{
    put_frame(c, 0x81, text);
}

void sim_send(struct sim_client *c, const char *text)
{
    char *packet = x_asprintf("4%s", text);
    sim_send_frame(c, packet);
    x_free(packet);
}

/* The frame in front: its kind and payload, which stays in `in`; 0 if it is not whole yet. */
static size_t frame_size(const struct buf *in, size_t *head)
{
    const unsigned char *p = (const unsigned char *)in->p;
    if (in->n < 2) return 0;
    size_t n = p[1], extra = n == 126 ? 2 : n == 127 ? 8 : 0;
    *head = 2 + extra;
    if (in->n < *head) return 0;
    if (extra) n = 0;
    for (size_t i = 0; i < extra; i++)
        n = n << 8 | p[2 + i];
    return in->n < *head + n ? 0 : *head + n;
}

const char *sim_next(struct sim_client *c)
{
    static char *text;
    uint64_t end = now_mono_ms() + PATIENCE_MS;
    size_t head = 0, size;
    x_free(text);
    text = NULL;
    while (!(size = frame_size(&c->in, &head))) {
        if (!take(c)) return "[end]";
        if (now_mono_ms() > end) return "[nothing]";
    }
    int kind = (unsigned char)c->in.p[0];
    text = x_memdup(c->in.p + head, size - head);
    buf_drop(&c->in, size);
    return kind == 0x81   ? text
           : kind == 0x82 ? "[binary]"
           : kind == 0x88 ? "[close]"
           : kind == 0x8a ? "[pong]"
                          : "[strange frame]";
}

void sim_expect(struct sim_client *c, const char *text)
{
    const char *got = sim_next(c);
    if (*got == '4' && *text != '[') got++;
    if (strcmp(got, text) != 0) fail_msg("the client got %s instead of %s", got, text);
}

void sim_expect_quiet(struct sim_client *c)
{
    sim_turns(3);
    put_frame(c, 0x89, "");
    sim_expect(c, "[pong]");
}

/* --- HTTP */

void sim_ask(struct sim_client *c, const char *method, const char *query, const char *body)
{
    char *request = x_asprintf("%s /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: sim\r\n"
                               "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                               method, query, body ? strlen(body) : 0, body ? body : "");
    *c = (struct sim_client){.fd = dial(0)};
    buf_init(&c->in, IN_MAX);
    put(c, request, strlen(request));
    x_free(request);
    sim_turns(3);
}

const char *sim_answer(struct sim_client *c)
{
    static char *answer;
    uint64_t end = now_mono_ms() + PATIENCE_MS;
    while (take(c))
        if (now_mono_ms() > end) fail_msg("no answer");
    size_t head = c->in.n ? wait_head(c) : 0;
    x_free(answer);
    answer = x_memdup(c->in.p + head, c->in.n - head);
    sim_drop(c);
    return answer;
}

const char *sim_http(const char *method, const char *query, const char *body)
{
    struct sim_client c;
    sim_ask(&c, method, query, body);
    return sim_answer(&c);
}
