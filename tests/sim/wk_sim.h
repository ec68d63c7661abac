/* A cluster of workers in one process: the real feed (wk_stream) of each, over a made-up Redis that knows
 * leases and streams and has slow, lossy connections. Everything follows from a seed.
 *
 *   wk_sim.c        workers that join, leave, die, pause; what must be so
 *   wk_sim_redis.c  Redis, and each worker's connection (a wk_store) */
#ifndef PEAL_TESTS_WK_SIM_H
#define PEAL_TESTS_WK_SIM_H

#include "worker/wk_stream.h"

#define SIM_PARTITIONS 8u
#define SIM_LEASE 400u
#define SIM_PATIENCE 300u
#define SIM_IN_HAND 8u
#define SIM_WORKERS 64u /* in all */
#define SIM_SOCKETS 24u
#define SIM_ENTRIES 4000u

struct sim_entry {
    unsigned partition, socket;
    uint64_t number; /* of the socket's items, from 1; its id is the entry that had it first */
    unsigned id;
    bool is_repeat, is_killer, is_bad, is_away;
};

struct sim_lease {
    int owner; /* a worker's index; -1: free */
    uint64_t epoch, expiry;
    int last_owner; /* who did not give it back */
    bool has_died;
};

struct sim_op; /* a command on its way, or its answer */
struct sim_conn {
    struct wk_store store;
    struct sim *sim;
    int worker;
    bool is_up, is_dead; /* is_dead: the worker is */
    uint64_t back_at;
    uint64_t last_arrival, last_answer;
};

struct sim {
    uint64_t now, random, seed;
    struct sim_lease leases[SIM_PARTITIONS];
    uint64_t members[SIM_WORKERS]; /* until when */
    struct sim_entry entries[SIM_ENTRIES];
    unsigned nentries, naway;
    unsigned notes[SIM_ENTRIES];
    int given_to
        [SIM_ENTRIES]; /* by id: the worker that has had it last, from 1, and in which epoch */
    uint64_t given_in[SIM_ENTRIES];
    int noted_by[SIM_ENTRIES];
    uint64_t socket_last[SIM_SOCKETS]; /* number of its last item that had effects */
    struct sim_op *ops;
    bool is_calm;      /* nothing arrives late */
    unsigned slowness; /* most ms a command or an answer takes */
    unsigned effects, fenced, resent, buried, repeats;
};

/* 0 … below-1. */
uint64_t sim_random(struct sim *s, uint64_t below);
bool sim_chance(struct sim *s, unsigned percent);
void sim_fail(const struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

void sim_redis_init(struct sim *s);
void sim_redis_fini(struct sim *s);
/* Commands arrive, and answers, as it is time; those of paused workers wait. */
void sim_redis_step(struct sim *s, const bool *is_paused);
bool sim_lease_is(const struct sim *s, unsigned partition, int worker, uint64_t epoch);

void sim_conn_init(struct sim_conn *c, struct sim *s, int worker);
/* The connection breaks: what is on its way may arrive or not. */
void sim_conn_break(struct sim_conn *c, uint64_t for_ms);
/* The worker is gone: nobody hears answers. */
void sim_conn_kill(struct sim_conn *c);

#endif
