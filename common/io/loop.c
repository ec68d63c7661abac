/* System */
#include <assert.h>
#include <signal.h>
/* Third party */
#include <event2/event.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/loop.h"

#define MAX_PHASES 8
#define MAX_SIGNALS 4

struct signal_slot {
    struct event *ev;
    loop_signal_cb cb;
    void *arg;
};

struct loop {
    struct event_base *base;
    struct event *wake; /* fires when the wheel has something due */
    const struct now_source *src;
    uint64_t now;
    int64_t wall;
    struct wheel wheel;
    struct {
        loop_phase_cb cb;
        void *arg;
    } phases[MAX_PHASES];
    unsigned nphases;
    struct signal_slot signals[MAX_SIGNALS];
    unsigned nsignals;
    uint64_t turns;
    uint64_t woken_at; /* what `wake` is set to; WHEEL_NEVER: not set */
    bool stop, more;
    bool stale; /* time must be read anew before it is told */
};

static void read_time(struct loop *l)
{
    l->now = l->src->mono_ms(l->src->arg);
    l->wall = l->src->wall_s(l->src->arg);
}

static void refresh(struct loop *l)
{
    if (l->stale) read_time(l);
    l->stale = false;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    (void)fd;
    (void)what;
    l->woken_at = WHEEL_NEVER;
}

/* Changes of what is waited for go to the kernel together, before the wait: a descriptor that is handed
 * from one owner to another (HTTP to WebSocket) costs one system call instead of two. So a descriptor
 * that is closed here but lives on in another process must have left the loop a turn before. */
static struct event_base *base_new(void)
{
    struct event_config *cfg = event_config_new();
    struct event_base *base = NULL;
    if (cfg && event_config_set_flag(cfg, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0)
        base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    return base;
}

struct loop *loop_new(const struct now_source *now)
{
    struct loop *l = x_calloc(1, sizeof(*l));
    l->src = now;
    l->base = base_new();
    if (!l->base) log_fatal("libevent gives no event base");
    l->wake = event_new(l->base, -1, 0, on_wake, l);
    assert(l->wake);
    read_time(l);
    wheel_init(&l->wheel, l->now);
    l->woken_at = WHEEL_NEVER;
    return l;
}

void loop_free(struct loop *l)
{
    if (!l) return;
    /* What was cancelled (a name's lookup) ends here if there was no turn since. */
    event_base_loop(l->base, EVLOOP_NONBLOCK);
    for (unsigned i = 0; i < l->nsignals; i++)
        event_free(l->signals[i].ev);
    event_free(l->wake);
    event_base_free(l->base);
    x_free(l);
}

void loop_add_phase(struct loop *l, loop_phase_cb cb, void *arg)
{
    assert(l->nphases < MAX_PHASES);
    l->phases[l->nphases].cb = cb;
    l->phases[l->nphases++].arg = arg;
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct signal_slot *s = arg;
    (void)what;
    s->cb((int)signo, s->arg);
}

void loop_on_signal(struct loop *l, int signo, loop_signal_cb cb, void *arg)
{
    assert(l->nsignals < MAX_SIGNALS);
    struct signal_slot *s = &l->signals[l->nsignals++];
    s->cb = cb;
    s->arg = arg;
    s->ev = evsignal_new(l->base, signo, on_signal, s);
    assert(s->ev);
    event_add(s->ev, NULL);
}

static void arm_wake(struct loop *l)
{
    uint64_t at = wheel_next(&l->wheel);
    if (at == l->woken_at) return;
    l->woken_at = at;
    if (at == WHEEL_NEVER) {
        event_del(l->wake);
        return;
    }
    uint64_t now = l->src->mono_ms(l->src->arg);
    uint64_t wait = at > now ? at - now : 0;
    struct timeval tv = {(time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000)};
    event_add(l->wake, &tv);
}

void loop_turn(struct loop *l, bool wait)
{
    arm_wake(l);
    l->stale = true; /* the first callback that asks reads the clock, behind the wait */
    event_base_loop(l->base, EVLOOP_ONCE | (wait && !l->more ? 0 : EVLOOP_NONBLOCK));
    refresh(l);
    l->more = false;
    l->turns++;
    /* Timers first: what they queue leaves in this turn. */
    wheel_advance(&l->wheel, l->now);
    for (unsigned i = 0; i < l->nphases; i++)
        l->more |= l->phases[i].cb(l->phases[i].arg);
}

void loop_run(struct loop *l)
{
    l->stop = false;
    while (!l->stop)
        loop_turn(l, true);
}

void loop_stop(struct loop *l)
{
    l->stop = true;
}

uint64_t loop_now(struct loop *l)
{
    refresh(l);
    return l->now;
}

int64_t loop_wall_s(struct loop *l)
{
    refresh(l);
    return l->wall;
}

uint64_t loop_turns(const struct loop *l)
{
    return l->turns;
}

struct wheel *loop_wheel(struct loop *l)
{
    return &l->wheel;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}
