/* States, and what moves them (each in one function):
 *
 *            redis_link_open           attempt            addresses         login answered
 *     IDLE ────────────────▶ WAITING ──────────▶ FINDING ──────────▶ LOGIN ───────────────▶ UP
 *                              ▲                    │  ▲ next address   │                    │
 *                              │ retire()           └──┴───── lose() ───┴────────────────────┘
 *                              └───────────────────── LOST ◀──
 *
 * lose() only notes the reason; retire(), an event of its own, tells the outstanding commands and
 * `down`, and sets the next attempt. So nobody is told anything from within a function of this
 * module, and a connection is never freed under the callback it calls.
 *
 * One timer: the next attempt, the end of the attempt's time, or the oldest command's answer.
 *
 * While it is up, the Sentinels are asked again and again: they may have made another server master
 * while this one still takes commands for some seconds, or for ever if it does not hear them. */
/* System */
#include <assert.h>
#include <stdio.h>
/* Third party */
#include <event2/event.h>
/* Util */
#include "util/backoff.h"
#include "util/id.h"
#include "util/log.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/redis_target.h"
/* Io */
#include "io/redis_conn.h"
#include "io/redis_find.h"
#include "io/redis_link.h"
#include "io/redis_login.h"
#include "io/redis_lookup.h"
#include "io/redis_owed.h"
#include "io/redis_push.h"
#include "io/redis_tls.h"

#define WARNINGS_AN_OUTAGE 4u

enum link_state { LINK_IDLE, LINK_WAITING, LINK_FINDING, LINK_LOGIN, LINK_UP, LINK_LOST };

struct redis_link {
    const struct cfg *cfg;
    struct loop *loop;
    char *name;
    size_t max_reply;
    struct redis_link_events events;
    void *arg;

    struct redis_target target;
    struct redis_tls *tls; /* NULL: none */
    struct redis_find *find;
    struct redis_conn *conn;
    enum link_state state;
    bool is_told_up;    /* up was told, down was not yet */
    bool is_subscriber; /* has subscribed since up */
    struct wheel_entry timer;
    struct wheel_entry watch; /* the Sentinels' next question, while up */
    struct event *retirement;

    struct redis_place places[REDIS_FIND_MAX]; /* of this attempt */
    size_t nplaces, place, turn;               /* turn: which of them is first */
    struct redis_login login;

    struct redis_owed owed;

    struct backoff backoff;
    uint64_t attempts, lost_at, up_at;
    unsigned warnings;
    char why[200], told_why[200];
    char where[320];
};

static void set_timer(struct redis_link *l, uint64_t after)
{
    wheel_set(loop_wheel(l->loop), &l->timer, loop_now(l->loop) + after);
}

/* --- losing it */

/* Once an outage begins, and when an attempt fails for a new reason; some are enough. */
static void warn(struct redis_link *l, const char *what)
{
    struct log_line line;
    if (strcmp(l->why, l->told_why) == 0 || l->warnings == WARNINGS_AN_OUTAGE) return;
    l->warnings++;
    snprintf(l->told_why, sizeof(l->told_why), "%s", l->why);
    log_begin(&line, LOG_WARN, what);
    log_kv_c(&line, "link", l->name);
    log_kv_c(&line, "where", l->where);
    log_kv_c(&line, "why", l->why);
    log_end(&line);
}

static void lose(struct redis_link *l, const char *what, struct str_view detail)
{
    if (l->state < LINK_FINDING || l->state == LINK_LOST) return;
    l->state = LINK_LOST;
    snprintf(l->why, sizeof(l->why), "%s%s%.*s", what, detail.n ? ": " : "",
             detail.n < 120 ? (int)detail.n : 120, detail.p);
    if (l->conn) redis_conn_abort(l->conn); /* its commands are told as lost */
    wheel_drop(loop_wheel(l->loop), &l->timer);
    wheel_drop(loop_wheel(l->loop), &l->watch);
    event_active(l->retirement, EV_READ, 0);
}

static uint64_t next_pause(struct redis_link *l)
{
    uint32_t chance;
    id_random_bytes(&chance, sizeof(chance));
    return backoff_pause(&l->backoff, chance);
}

static void tell_owed(struct redis_link *l)
{
    while (l->owed.n)
        redis_owed_tell(&l->owed, NULL);
}

static void retire(struct redis_link *l)
{
    bool was_up = l->is_told_up;
    char why[sizeof(l->why)];
    memcpy(why, l->why, sizeof(why));
    redis_conn_free(l->conn);
    l->conn = NULL;
    redis_find_stop(l->find, was_up);
    l->is_told_up = l->is_subscriber = false;
    if (was_up) {
        l->lost_at = loop_now(l->loop);
        backoff_lost(&l->backoff, l->lost_at - l->up_at);
    } else {
        backoff_failed(&l->backoff);
    }
    l->state = LINK_WAITING;
    set_timer(l, next_pause(l));
    warn(l, was_up ? "Redis is lost" : "Redis cannot be used");
    tell_owed(l);
    if (was_up) l->events.down(l->arg, why);
}

/* --- logging in */

static void connect_place(struct redis_link *l);

static void on_retirement(evutil_socket_t fd, short what, void *arg)
{
    struct redis_link *l = arg;
    (void)fd;
    (void)what;
    if (l->state == LINK_LOST)
        retire(l);
    else if (l->state == LINK_LOGIN) /* the next address */
        connect_place(l);
}

/* The time for an attempt is also the time for a question. */
static void set_watch(struct redis_link *l)
{
    uint64_t at = loop_now(l->loop) + (uint64_t)l->cfg->redis_connect_timeout;
    if (l->cfg->redis_sentinels.n) wheel_set(loop_wheel(l->loop), &l->watch, at);
}

static void on_watch(struct wheel_entry *e)
{
    struct redis_link *l = (struct redis_link *)((char *)e - offsetof(struct redis_link, watch));
    redis_find_stop(l->find, true); /* if the last question has got no answer */
    redis_find_start(l->find);
    set_watch(l);
}

/* No answer is no reason to go: the server itself is well. */
static void check_master(struct redis_link *l, const struct redis_place *places, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(places[i].where, l->where) == 0) return;
    if (n) lose(l, "the Sentinels name another master", sv_of(places[0].where));
}

static void come_up(struct redis_link *l)
{
    struct log_line line;
    uint64_t now = loop_now(l->loop);
    l->state = LINK_UP;
    l->is_told_up = true;
    l->up_at = now;
    backoff_came_up(&l->backoff);
    wheel_drop(loop_wheel(l->loop), &l->timer);
    set_watch(l);
    log_begin(&line, LOG_INFO, "Redis is connected");
    log_kv_c(&line, "link", l->name);
    log_kv_c(&line, "where", l->where);
    log_kv_u64(&line, "attempts", l->attempts);
    log_kv_u64(&line, "away_ms", now - l->lost_at);
    log_end(&line);
    l->attempts = l->warnings = 0;
    l->told_why[0] = '\0';
    l->events.up(l->arg);
}

/* --- what the server says */

static void take_answer(struct redis_link *l, const struct redis_reply *r)
{
    redis_owed_tell(&l->owed, r);
    /* The Sentinels have made another one the master. */
    if (l->cfg->redis_sentinels.n && redis_reply_kind(r) == REDIS_LINK_ERROR &&
        sv_starts_with(redis_reply_text(r), SV("READONLY")))
        lose(l, "the server is no longer the master", redis_reply_text(r));
}

static void take_login(struct redis_link *l, const struct redis_reply *r)
{
    const char *what;
    struct str_view detail;
    if (!redis_login_take(&l->login, r, &what, &detail))
        lose(l, what, detail);
    else if (redis_login_is_done(&l->login))
        come_up(l);
}

static void on_reply(void *arg, const struct redis_reply *r)
{
    struct redis_link *l = arg;
    if (l->state == LINK_LOGIN) {
        take_login(l, r);
    } else if (l->state == LINK_UP) {
        if (l->owed.n)
            take_answer(l, r);
        else if (redis_reply_kind(r) == REDIS_LINK_ERROR)
            lose(l, "the server refuses", redis_reply_text(r));
        else if (!l->is_subscriber || !redis_push_tell(r, &l->events, l->arg))
            lose(l, "the server sent what nobody asked for", SV(""));
    }
}

static void on_failed(void *arg, const char *why)
{
    struct redis_link *l = arg;
    if (l->state == LINK_LOGIN && l->login.answered == 0 && l->place + 1 < l->nplaces) {
        l->place++;
        event_active(l->retirement, EV_READ, 0);
    } else {
        lose(l, why, SV(""));
    }
}

static const struct redis_conn_events conn_events = {.reply = on_reply, .failed = on_failed};

static void connect_place(struct redis_link *l)
{
    const struct redis_place *p = &l->places[(l->turn + l->place) % l->nplaces];
    redis_conn_free(l->conn);
    snprintf(l->where, sizeof(l->where), "%s", p->where);
    l->state = LINK_LOGIN;
    l->conn = redis_conn_new(loop_base(l->loop), p, l->tls, l->max_reply, &conn_events, l);
    redis_login_begin(&l->login, l->conn, &l->target, l->name, l->cfg->redis_sentinels.n > 0);
}

static void on_found(void *arg, const struct redis_place *places, size_t n, const char *why)
{
    struct redis_link *l = arg;
    if (l->state == LINK_UP) check_master(l, places, n);
    if (l->state != LINK_FINDING) return;
    if (n == 0) {
        lose(l, why, SV(""));
        return;
    }
    memcpy(l->places, places, n * sizeof(*places));
    l->nplaces = n;
    l->place = 0;
    connect_place(l);
}

/* --- the timer */

/* Until an address is known. */
static void name_place(struct redis_link *l)
{
    const struct redis_target *t = &l->target;
    bool is_v6 = t->host && strchr(t->host, ':');
    if (l->cfg->redis_sentinels.n)
        snprintf(l->where, sizeof(l->where), "Sentinels' %s", l->cfg->redis_sentinel_master);
    else if (t->path)
        snprintf(l->where, sizeof(l->where), "unix:%s", t->path);
    else
        snprintf(l->where, sizeof(l->where), is_v6 ? "[%s]:%u" : "%s:%u", t->host, t->port);
}

static void attempt(struct redis_link *l)
{
    name_place(l);
    l->attempts++;
    l->state = LINK_FINDING;
    set_timer(l, (uint64_t)l->cfg->redis_connect_timeout);
    redis_find_start(l->find);
}

/* Waits for the oldest command's answer. */
static void watch_owed(struct redis_link *l)
{
    uint64_t patience = (uint64_t)l->cfg->redis_command_timeout, now = loop_now(l->loop);
    if (l->owed.n == 0) return;
    uint64_t age = now - redis_owed_since(&l->owed);
    if (age < patience)
        set_timer(l, patience - age);
    else
        lose(l, "a command was not answered in time", SV(""));
}

static void on_timer(struct wheel_entry *e)
{
    struct redis_link *l = (struct redis_link *)((char *)e - offsetof(struct redis_link, timer));
    switch (l->state) {
    case LINK_IDLE:
    case LINK_LOST: break;
    case LINK_WAITING: attempt(l); break;
    case LINK_FINDING: lose(l, "finding the server took too long", SV("")); break;
    case LINK_LOGIN:
        l->turn++; /* another address first next time */
        lose(l, "connecting and logging in took too long", SV(""));
        break;
    case LINK_UP: watch_owed(l); break;
    }
}

/* --- life */

struct redis_link *redis_link_new(const struct cfg *cfg, struct loop *loop, const char *name,
                                  size_t max_reply, const struct redis_link_events *events,
                                  void *arg, struct cfg_error *err)
{
    struct redis_target target;
    struct redis_tls *tls = NULL;
    if (!redis_target_read(&target, cfg, err)) return NULL;
    if (target.tls && !(tls = redis_tls_new(cfg, err))) {
        redis_target_fini(&target);
        return NULL;
    }
    struct redis_link *l = x_calloc(1, sizeof(*l));
    l->cfg = cfg;
    l->loop = loop;
    l->name = x_strdup(name);
    l->max_reply = max_reply;
    l->events = *events;
    l->arg = arg;
    l->target = target;
    l->tls = tls;
    l->find = redis_find_new(cfg, &l->target, loop, tls, on_found, l);
    l->backoff.min = (uint64_t)cfg->redis_backoff_min;
    l->backoff.max = (uint64_t)cfg->redis_backoff_max;
    l->timer.fire = on_timer;
    l->watch.fire = on_watch;
    l->retirement = event_new(loop_base(loop), -1, 0, on_retirement, l);
    assert(l->retirement);
    name_place(l);
    return l;
}

void redis_link_use_name_server(struct redis_link *l, const char *server)
{
    redis_find_use_name_server(l->find, server);
}

void redis_link_open(struct redis_link *l)
{
    assert(l->state == LINK_IDLE);
    l->state = LINK_WAITING;
    l->lost_at = loop_now(l->loop);
    set_timer(l, 0);
}

void redis_link_free(struct redis_link *l)
{
    if (!l) return;
    l->state = LINK_IDLE;
    l->is_told_up = false;
    redis_conn_free(l->conn);
    redis_find_free(l->find);
    wheel_drop(loop_wheel(l->loop), &l->timer);
    wheel_drop(loop_wheel(l->loop), &l->watch);
    event_free(l->retirement);
    tell_owed(l);
    redis_target_fini(&l->target);
    redis_tls_free(l->tls);
    redis_owed_fini(&l->owed);
    x_free(l->name);
    x_free(l);
}

bool redis_link_is_up(const struct redis_link *l)
{
    return l->state == LINK_UP;
}

void redis_link_restart(struct redis_link *l, const char *why)
{
    if (l->state == LINK_UP) lose(l, why, SV(""));
}

/* --- commands */

void redis_link_command(struct redis_link *l, redis_reply_cb cb, void *arg, size_t argc,
                        const struct str_view *argv)
{
    assert(l->is_told_up && !l->is_subscriber && argc);
    redis_owed_add(&l->owed, cb, arg, loop_now(l->loop));
    if (l->state != LINK_UP) return; /* lost, and about to be told */
    redis_conn_add(l->conn, argc, argv);
    if (!wheel_is_set(&l->timer)) set_timer(l, (uint64_t)l->cfg->redis_command_timeout);
}

void redis_link_subscribe(struct redis_link *l, bool is_pattern, const struct str_view *names,
                          size_t n)
{
    assert(l->is_told_up && n);
    l->is_subscriber = true;
    if (l->state != LINK_UP) return;
    redis_conn_add_with(l->conn, is_pattern ? SV("PSUBSCRIBE") : SV("SUBSCRIBE"), n, names);
}

void redis_link_unsubscribe(struct redis_link *l, bool is_pattern, const struct str_view *names,
                            size_t n)
{
    assert(l->is_told_up && n);
    l->is_subscriber = true;
    if (l->state != LINK_UP) return;
    redis_conn_add_with(l->conn, is_pattern ? SV("PUNSUBSCRIBE") : SV("UNSUBSCRIBE"), n, names);
}

void redis_link_flush(struct redis_link *l)
{
    if (l->state == LINK_UP) redis_conn_flush(l->conn);
}

size_t redis_link_unsent(const struct redis_link *l)
{
    return l->state == LINK_UP ? redis_conn_unsent(l->conn) : 0;
}

const char *redis_link_where(const struct redis_link *l)
{
    return l->where;
}

const char *redis_link_why(const struct redis_link *l)
{
    return l->why;
}
