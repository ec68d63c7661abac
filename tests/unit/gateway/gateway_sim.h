/* A whole gateway in the test's own process: a real listener on 127.0.0.1, clocks that the test
 * moves, and clients that are plain sockets. The test turns the loop itself, so every run is the
 * same. */
#ifndef PEAL_TESTS_GATEWAY_SIM_H
#define PEAL_TESTS_GATEWAY_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cfg.h"
#include "gateway/gw.h"
#include "gateway/gw_handler.h"
#include "gateway/gw_server.h"
#include "util/buf.h"

#define SIM_SECRET "peal-test-secret-of-32-bytes-0123"
#define SIM_WALL 1700000000

/* The one gateway of a test program's current test. */
extern struct sim {
    struct cfg cfg;
    struct loop *loop;
    struct gateway *gw;
    uint64_t mono;
    int64_t wall;
} sim;

/* settings: "section.name=value", separated by semicolons, on top of no authentication and a port
 * of the system's choice. */
void sim_start(const struct gw_handler *handler, const char *settings);
void sim_stop(void);
/* Turns of the loop, without waiting. */
void sim_turns(unsigned n);
/* Moves both clocks, second by second, with turns between. */
void sim_pass(unsigned seconds);
/* Fails the test unless the condition holds after some turns. */
void sim_until(bool (*holds)(void *arg), void *arg);
/* A token signed with SIM_SECRET. x_free. */
char *sim_token(const char *claims);

struct sim_client {
    int fd;
    struct buf in;
    char sid[64]; /* Socket.IO id of the last CONNECT that was expected */
};

/* A WebSocket whose "open" packet has been read. rcvbuf: size of its receive buffer, 0: the usual.
 */
void sim_open(struct sim_client *c, int rcvbuf);
/* The same, then CONNECT to a namespace ("" is the main one) with a payload; its answer is read. */
void sim_connect(struct sim_client *c, const char *nsp, const char *auth);
void sim_drop(struct sim_client *c);
/* Sends one text frame "4" + text. */
void sim_send(struct sim_client *c, const char *text);
/* Sends one text frame as it is. */
void sim_send_frame(struct sim_client *c, const char *text);
/* Waits for the next frame: its text; "[binary]", "[close]", "[pong]"; "[end]" of the stream.
 * Lends. */
const char *sim_next(struct sim_client *c);
/* The next frame must be this message ("4" is understood), or one of the words in brackets. */
void sim_expect(struct sim_client *c, const char *text);
/* Nothing has been sent to the client. */
void sim_expect_quiet(struct sim_client *c);

/* A WebSocket for the polling session named in query ("&sid=…"). */
void sim_probe(struct sim_client *c, const char *query);

/* A polling request on a connection of its own; body may be NULL. The answer is waited for by
 * sim_answer(). */
void sim_ask(struct sim_client *c, const char *method, const char *query, const char *body);
/* The answer's body, "" if the connection ends without; lent until the next call. Drops c. */
const char *sim_answer(struct sim_client *c);
/* Both. */
const char *sim_http(const char *method, const char *query, const char *body);

#endif
