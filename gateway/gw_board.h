/* The board: memory that the processes of one gateway share, and on which each writes what the
 * others need to know of it. Made by the parent before it forks.
 *
 * Every field has one writer. Nobody waits for anybody and nothing is locked, so a process that is
 * killed in the middle of writing leaves nothing behind that could stop the others. */
#ifndef PEAL_GW_BOARD_H
#define PEAL_GW_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/buf.h"
#include "util/id.h"

#define GW_BOARD_TEXT_MAX (1u << 20) /* address space; memory is used as far as it is written */

/* A text that is replaced as a whole: the version's last bit says which of the two is good. */
struct gw_board_text {
    _Atomic uint32_t version;
    size_t n[2];
    char bytes[2][GW_BOARD_TEXT_MAX];
};

/* A process's own, but that the parent clears it when it has ended. */
struct gw_board_process {
    _Atomic pid_t pid; /* 0: it does not listen (any more), and the rest is not to be looked at */
    char node[ID_NODE_LEN];
    _Atomic uint32_t tcp, sessions; /* open TCP connections, Engine.IO sessions */
    _Atomic bool is_ready;
    _Atomic uint64_t told_ms;     /* monotonic: when it last wrote is_ready and metrics */
    struct gw_board_text metrics; /* as its own /metrics would be */
};

struct gw_board {
    unsigned n;
    /* The parent's: */
    pid_t parent;
    int64_t started_s;      /* since 1970 */
    _Atomic unsigned stops; /* signals to end that it got: 1 drains, 2 ends at once */
    _Atomic uint64_t restarts, reloads_refused;
    _Atomic uint32_t burials;  /* odd: a process's counters are on their way into … */
    struct gw_board_text past; /* … those of processes that have ended */
    struct gw_board_process processes[];
};

/* NULL with errno if there is no memory for it. Gives: gw_board_free, by each process. */
struct gw_board *gw_board_new(unsigned n);
void gw_board_free(struct gw_board *b);

/* For the text's one writer. False: it is too long, and the old one stays. */
bool gw_board_put(struct gw_board_text *t, struct str_view text) MUST_CHECK;
/* Appends what was put last. False: it does not fit. */
bool gw_board_get(struct gw_board_text *t, struct buf *out) MUST_CHECK;

#endif
