/* Between the files of the swarm: the life of a client (swarm.c), WebSocket (swarm_ws.c),
 * long-polling (swarm_poll.c). Nobody else includes it. */
#ifndef PEAL_BENCH_SWARM_PARTS_H
#define PEAL_BENCH_SWARM_PARTS_H

#include "swarm.h"

enum { SWARM_READ_MAX = 1 << 20, SWARM_REST_MAX = 4 << 20 };

void client_dies(struct swarm *s, struct swarm_client *c, const char *why);
/* A connected non-blocking socket or one that is about to be; -1: refused. */
int client_socket(struct swarm *s, struct swarm_client *c);
void client_watch(struct swarm *s, struct swarm_client *c, int fd, bool is_second);
/* All of it, waiting if the server's buffers are full: that is part of being its client. */
void client_send(struct swarm *s, struct swarm_client *c, int fd, const void *data, size_t n);
/* One Engine.IO packet came. */
void client_takes_packet(struct swarm *s, struct swarm_client *c, const char *p, size_t n);
/* A binary one came. */
void client_takes_binary(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n);

/* TCP is there: the first request. */
void ws_begin(struct swarm *s, struct swarm_client *c);
void poll_begin(struct swarm *s, struct swarm_client *c);
/* Handles what is whole in p; returns how many bytes that was. */
size_t ws_take(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n);
size_t poll_take(struct swarm *s, struct swarm_client *c, const uint8_t *p, size_t n);
/* One Engine.IO packet goes to the server. */
void ws_send_packet(struct swarm *s, struct swarm_client *c, const char *p, size_t n);
void ws_send_binary(struct swarm *s, struct swarm_client *c, const void *p, size_t n);
void poll_send_packet(struct swarm *s, struct swarm_client *c, const char *p, size_t n);

struct swarm_poller *poll_new(void);
/* The connection that posts is readable. */
void poll_reads_second(struct swarm *s, struct swarm_client *c);
/* Closes what the client has besides its first connection; it may start again. */
void poll_reset(struct swarm_client *c);
void poll_free(struct swarm_poller *p);

#endif
