/* System */
#include <assert.h>
#include <sys/wait.h>
/* Gateway */
#include "gw_roster.h"

void gw_roster_init(struct gw_roster *r, unsigned n)
{
    assert(n <= GW_ROSTER_MAX);
    *r = (struct gw_roster){.n = n};
    for (unsigned i = 0; i < n; i++)
        r->places[i].backoff = (struct backoff){GW_ROSTER_PAUSE_MIN, GW_ROSTER_PAUSE_MAX, 0, 0};
}

static bool may_start(const struct gw_roster *r, unsigned i)
{
    return !r->stopping && (i == 0 || r->has_begun) && r->places[i].state == GW_ROSTER_IDLE;
}

int gw_roster_due(const struct gw_roster *r, uint64_t now)
{
    for (unsigned i = 0; i < r->n; i++)
        if (may_start(r, i) && r->places[i].start_at <= now) return (int)i;
    return -1;
}

uint64_t gw_roster_next(const struct gw_roster *r)
{
    uint64_t at = GW_ROSTER_NEVER;
    for (unsigned i = 0; i < r->n; i++)
        if (may_start(r, i) && r->places[i].start_at < at) at = r->places[i].start_at;
    return at;
}

static void rest(struct gw_roster_place *p, uint64_t now, uint32_t chance)
{
    p->state = GW_ROSTER_IDLE;
    p->pid = 0;
    p->start_at = now + backoff_pause(&p->backoff, chance);
}

void gw_roster_started(struct gw_roster *r, unsigned place, pid_t pid, uint64_t now,
                       uint32_t chance)
{
    struct gw_roster_place *p = &r->places[place];
    if (pid < 0) {
        backoff_failed(&p->backoff);
        rest(p, now, chance);
        return;
    }
    p->state = GW_ROSTER_STARTING;
    p->pid = pid;
    p->since = now;
}

void gw_roster_up(struct gw_roster *r, unsigned place, uint64_t now)
{
    struct gw_roster_place *p = &r->places[place];
    if (p->state != GW_ROSTER_STARTING) return;
    p->state = GW_ROSTER_UP;
    p->since = now;
    backoff_came_up(&p->backoff);
    r->has_begun = true;
}

bool gw_roster_all_up(const struct gw_roster *r)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->places[i].state != GW_ROSTER_UP) return false;
    return true;
}

static struct gw_roster_place *place_of(struct gw_roster *r, pid_t pid)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->places[i].state != GW_ROSTER_IDLE && r->places[i].pid == pid) return &r->places[i];
    return NULL;
}

/* Somebody may end one process in good order, by SIGTERM to it: that is no failure. */
static void judge(struct gw_roster_place *p, bool clean, uint64_t now)
{
    if (p->state == GW_ROSTER_STARTING)
        backoff_failed(&p->backoff);
    else if (!clean)
        backoff_lost(&p->backoff, now - p->since);
}

enum gw_roster_end gw_roster_ended(struct gw_roster *r, pid_t pid, int status, uint64_t now,
                                   uint32_t chance, unsigned *place)
{
    struct gw_roster_place *p = place_of(r, pid);
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!p) return GW_ROSTER_STRANGER;
    *place = (unsigned)(p - r->places);
    if (r->stopping) {
        r->failed |= !clean;
        rest(p, now, chance);
        return GW_ROSTER_LEFT;
    }
    /* It has told why. Later on a mistake of one process must not end those that serve. */
    bool gives_up = !r->has_begun && WIFEXITED(status) && !clean;
    judge(p, clean, now);
    rest(p, now, chance);
    if (!gives_up) return GW_ROSTER_AGAIN;
    r->failed = true;
    r->stopping = true;
    return GW_ROSTER_GIVE_UP;
}

void gw_roster_stop(struct gw_roster *r)
{
    r->stopping = true;
}

bool gw_roster_is_over(const struct gw_roster *r)
{
    if (!r->stopping) return false;
    for (unsigned i = 0; i < r->n; i++)
        if (r->places[i].state != GW_ROSTER_IDLE) return false;
    return true;
}
