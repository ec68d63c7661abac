/* Who has which partition: the part of one worker, as a state machine without I/O. Time is passed in.
 *
 * A lease is a key in Redis that expires; its value is the worker's name and an epoch, a number that
 * is another one each time the worker takes a lease. From time to time the worker asks
 * (wk_lease_ask): one round trip renews, takes and gives back leases, says that the worker lives, and
 * tells who else does. Each worker has its fair share: of W workers, sorted by name, the first P mod W
 * have P / W rounded up, the others rounded down. Who has more begins to leave partitions: it takes
 * no new items of them, finishes what is in hand, gives them back.
 *
 * A lease is good for lease_ms from when its renewal was sent, not from when the answer came, less a
 * sixteenth for clocks: so by its own clock a worker stops before Redis lets another one in. */
#ifndef PEAL_WK_LEASE_H
#define PEAL_WK_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#define WK_PARTITIONS_MAX 256

enum wk_lease_state {
    WK_LEASE_NONE, /* somebody else's, or nobody's */
    WK_LEASE_MINE,
    WK_LEASE_LEAVING, /* mine, but no new items are taken of it */
    WK_LEASE_GIVING,  /* nothing of it is in hand; it is given back with the next question */
};

/* What is asked for a partition. */
enum wk_lease_want { WK_LEASE_LOOK, WK_LEASE_TAKE, WK_LEASE_HOLD, WK_LEASE_GIVE };
struct wk_lease_ask {
    enum wk_lease_want want;
    uint64_t epoch;  /* TAKE: the new one; HOLD, GIVE: that of the lease */
    bool is_settled; /* HOLD, GIVE: those items that may have killed the owner before are through */
};

/* What Redis says behind that. */
enum wk_lease_found {
    WK_LEASE_IS_FREE, /* nobody's; or this worker's by an older epoch, so that it may take it */
    WK_LEASE_IS_OTHERS,
    WK_LEASE_IS_MINE,
    WK_LEASE_IS_HEIR, /* mine, and an owner before has let it expire with items perhaps in hand */
};
struct wk_lease_answer {
    unsigned workers, rank; /* how many live, this one included; this one's place among them */
    uint64_t expiry_ms;     /* until the first lease of another worker expires; or UINT64_MAX */
    const enum wk_lease_found *found; /* for each partition */
};

/* What changes. Told from within wk_lease_answered, wk_lease_tick and wk_lease_stop; they may call
 * wk_lease_emptied and the questions, nothing else. */
struct wk_lease_events {
    void (*taken)(void *arg, unsigned p, bool is_heir);
    void (*leaving)(void *arg, unsigned p); /* take no new items; then wk_lease_emptied */
    void (*resumed)(void *arg, unsigned p); /* the share has grown: take new ones after all */
    void (*lost)(void *arg, unsigned p);    /* what is in hand is void */
    void (*given)(void *arg, unsigned p);
};

struct wk_lease;
/* patience_ms: what is in hand of a partition that is to be left has that long; then it is lost. Gives:
 * wk_lease_free. */
struct wk_lease *wk_lease_new(unsigned partitions, uint64_t lease_ms, uint64_t patience_ms,
                              const struct wk_lease_events *events, void *arg);
void wk_lease_free(struct wk_lease *l);

/* When something is due: a question, or a tick. */
uint64_t wk_lease_next(const struct wk_lease *l);
/* Is a question due, and none on its way? */
bool wk_lease_wants_to_ask(const struct wk_lease *l, uint64_t now);
/* The question, to be sent now: one for each partition. True: this worker wants to be counted among
 * those that live; false: it is leaving. */
bool wk_lease_ask(struct wk_lease *l, uint64_t now, struct wk_lease_ask *asks);
/* Its answer; NULL: the connection broke, so it may have been carried out or not. */
void wk_lease_answered(struct wk_lease *l, uint64_t now, const struct wk_lease_answer *a);
/* Loses what has not been renewed in time. */
void wk_lease_tick(struct wk_lease *l, uint64_t now);

/* Nothing is in hand of a partition that is being left (else: nothing happens). */
void wk_lease_emptied(struct wk_lease *l, unsigned p);
/* The partition's suspects are through: an owner before has not left anything dangerous. */
void wk_lease_settled(struct wk_lease *l, unsigned p);
/* A result was refused by Redis: the lease is gone although the clock says otherwise. */
void wk_lease_was_fenced(struct wk_lease *l, unsigned p, uint64_t epoch);
/* Leaves all, takes none any more. */
void wk_lease_stop(struct wk_lease *l, uint64_t now);
/* After a stop: all is given back or lost, and the others know that this worker is gone. */
bool wk_lease_is_over(const struct wk_lease *l);

/* By the own clock. */
bool wk_lease_is_good(const struct wk_lease *l, unsigned p, uint64_t now);
enum wk_lease_state wk_lease_state(const struct wk_lease *l, unsigned p);
uint64_t wk_lease_epoch(const struct wk_lease *l, unsigned p);
/* How many partitions the rank-th of the workers has. */
unsigned wk_lease_share(unsigned partitions, unsigned workers, unsigned rank);

#endif
