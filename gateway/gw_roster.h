/* Who runs and who is to be started: what the parent of several gateway processes decides, without
 * doing any of it. Times and ends are told to it; it reads no clock and forks nothing.
 *
 *   IDLE ─ start_at ─▶ STARTING ─ it listens ─▶ UP
 *     ▲                   └──────── it ended ─────┘ then a pause, see util/backoff.h
 *
 * The first process starts alone; the others follow when it is up, so that a mistake of the
 * configuration is told once. */
#ifndef PEAL_GW_ROSTER_H
#define PEAL_GW_ROSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/backoff.h"

#define GW_ROSTER_MAX 64
#define GW_ROSTER_PAUSE_MIN 100 /* ms between two starts of one that does not hold … */
#define GW_ROSTER_PAUSE_MAX 10000
#define GW_ROSTER_NEVER UINT64_MAX

enum gw_roster_state { GW_ROSTER_IDLE, GW_ROSTER_STARTING, GW_ROSTER_UP };

struct gw_roster_place {
    enum gw_roster_state state;
    pid_t pid;
    uint64_t start_at; /* IDLE */
    uint64_t since;    /* STARTING, UP: of the state */
    struct backoff backoff;
};

struct gw_roster {
    unsigned n;
    struct gw_roster_place places[GW_ROSTER_MAX];
    bool has_begun; /* the first one has been up */
    bool stopping;  /* nobody is started any more */
    bool failed;    /* the whole ends with a bad status */
};

/* What the end of a process means. */
enum gw_roster_end {
    GW_ROSTER_STRANGER, /* it was none of ours */
    GW_ROSTER_AGAIN,    /* it will be due again at start_at */
    GW_ROSTER_LEFT,     /* as it was told to */
    GW_ROSTER_GIVE_UP,  /* the first could not start: all are to stop */
};

void gw_roster_init(struct gw_roster *r, unsigned n);
/* The place that is to be started now, or -1. */
int gw_roster_due(const struct gw_roster *r, uint64_t now);
/* When there will be one; GW_ROSTER_NEVER: not before something else happens. */
uint64_t gw_roster_next(const struct gw_roster *r);
/* It has been forked; pid -1: that failed. */
void gw_roster_started(struct gw_roster *r, unsigned place, pid_t pid, uint64_t now,
                       uint32_t chance);
/* It listens. */
void gw_roster_up(struct gw_roster *r, unsigned place, uint64_t now);
bool gw_roster_all_up(const struct gw_roster *r);
/* waitpid() told its end, with this status. *place is filled unless it is a stranger. chance: any
 * random number. */
enum gw_roster_end gw_roster_ended(struct gw_roster *r, pid_t pid, int status, uint64_t now,
                                   uint32_t chance, unsigned *place);
void gw_roster_stop(struct gw_roster *r);
/* Stopping, and nobody is left. */
bool gw_roster_is_over(const struct gw_roster *r);

#endif
