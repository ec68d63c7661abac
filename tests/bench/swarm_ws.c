/* Clients by WebSocket. They mask with the key 0: legal, the payload stays as it is, and the
 * generator's own work stays small beside the server's. Handshake answers are not verified
 * (Sec-WebSocket-Accept): conformance has its own tests. */
/* System */
#include <stdlib.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* This program */
#include "swarm_parts.h"

static void send_frame(struct swarm *s, struct swarm_client *c, uint8_t opcode, const void *data,
                       size_t n)
{
    uint8_t head[14] = {0x80 | opcode}, *p = head + 2;
    int extra = n < 126 ? 0 : n < 65536 ? 2 : 8;
    head[1] = (uint8_t)(0x80 | (extra == 0 ? n : extra == 2 ? 126 : 127));
    for (int i = extra - 1; i >= 0; i--)
        *p++ = (uint8_t)((uint64_t)n >> (8 * i));
    p += 4; /* the masking key, 0 */
    buf_clear(&s->out);
    if (!buf_add(&s->out, head, (size_t)(p - head)) || !buf_add(&s->out, data, n)) abort();
    client_send(s, c, c->fd, s->out.p, s->out.n);
}

void ws_send_packet(struct swarm *s, struct swarm_client *c, const char *p, size_t n)
{
    send_frame(s, c, 1, p, n);
}

void ws_send_binary(struct swarm *s, struct swarm_client *c, const void *p, size_t n)
{
    send_frame(s, c, 2, p, n);
}

void ws_begin(struct swarm *s, struct swarm_client *c)
{
    c->state = SWARM_UPGRADING;
    char *request = x_asprintf("GET /socket.io/?EIO=4&transport=websocket&token=%s HTTP/1.1\r\n"
                               "Host: 127.0.0.1:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                               "Sec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                               s->tokens[c->token], (unsigned)s->ports[c->server]);
    client_send(s, c, c->fd, request, strlen(request));
    x_free(request);
}

static void take_frame(struct swarm *s, struct swarm_client *c, uint8_t first, const uint8_t *p,
                       size_t n)
{
    switch (first) {
    case 0x81: client_takes_packet(s, c, (const char *)p, n); return;
    case 0x82: client_takes_binary(s, c, p, n); return;
    case 0x88: client_dies(s, c, "the server closed the WebSocket"); return;
    case 0x89: send_frame(s, c, 10, p, n); return;
    default: client_dies(s, c, "unexpected frame"); return;
    }
}

static size_t take_frames(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n)
{
    size_t at = 0;
    while (n - at >= 2 && c->state != SWARM_DEAD && c->state != SWARM_NEW) {
        uint64_t len = p[at + 1] & 127;
        size_t extra = len == 127 ? 8 : len == 126 ? 2 : 0, head = 2 + extra;
        if (n - at < head) break;
        if (extra) len = 0;
        for (size_t i = 0; i < extra; i++)
            len = len << 8 | p[at + 2 + i];
        if (len > SWARM_REST_MAX - 16) {
            client_dies(s, c, "frame too long");
            break;
        }
        if (n - at - head < len) break;
        take_frame(s, c, p[at], p + at + head, len);
        at += head + len;
    }
    return at;
}

/* Returns the bytes of the answer's head; 0: not complete, or refused. */
static size_t take_head(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n)
{
    const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(p, "HTTP/1.1 101", 12) != 0) {
        client_dies(s, c, "no 101");
        return 0;
    }
    c->state = SWARM_OPENING;
    return (size_t)(end + 4 - p);
}

size_t ws_take(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n)
{
    size_t used = c->state == SWARM_UPGRADING ? take_head(s, c, p, n) : 0;
    if (c->state == SWARM_UPGRADING || c->state == SWARM_DEAD) return used;
    return used + take_frames(s, c, p + used, n - used);
}
