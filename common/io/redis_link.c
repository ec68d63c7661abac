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
 * One timer: the next attempt, the end of the attempt's time, or the oldest command's answer. */
/* System */
#include <assert.h>
#include <stdio.h>
/* Third party */
#include <event2/event.h>
/* Util */
#include "util/id.h"
#include "util/log.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/redis_target.h"
/* Io */
#include "io/redis_conn.h"
#include "io/redis_find.h"
#include "io/redis_link.h"
#include "io/redis_lookup.h"

#define MAX_STEPS 5
#define WARNINGS_AN_OUTAGE 4u

enum link_state { LINK_IDLE, LINK_WAITING, LINK_FINDING, LINK_LOGIN, LINK_UP, LINK_LOST };
enum login_step { STEP_AUTH, STEP_NAME, STEP_SELECT, STEP_ROLE, STEP_PING };

/* A command that has no answer yet. */
struct owed {
    redis_reply_cb cb;
    void *arg;
    uint64_t since;
};

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
    struct event *retirement;

    struct redis_place places[REDIS_FIND_MAX]; /* of this attempt */
    size_t nplaces, place, turn;               /* turn: which of them is first */
    enum login_step steps[MAX_STEPS];
    size_t nsteps, step;

    struct owed *owed; /* a ring of cap, from first */
    size_t cap, first, nowed;

    unsigned strikes; /* failures since it was well: they make the pause */
    unsigned flaps;   /* connections in a row that did not hold */
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
    if (l->conn) redis_conn_stop(l->conn);
    wheel_drop(loop_wheel(l->loop), &l->timer);
    event_active(l->retirement, EV_READ, 0);
}

/* Half of the pause by chance, so that many gateways do not come at once. */
static uint64_t pause_of(struct redis_link *l)
{
    uint64_t most = (uint64_t)l->cfg->redis_backoff_min, end = (uint64_t)l->cfg->redis_backoff_max;
    uint32_t chance;
    if (l->strikes == 0) return 0;
    for (unsigned i = 1; i < l->strikes && most < end; i++)
        most *= 2;
    if (most > end) most = end;
    id_random_bytes(&chance, sizeof(chance));
    return most / 2 + chance % (most / 2 + 1);
}

static void tell_owed(struct redis_link *l)
{
    while (l->nowed) {
        struct owed o = l->owed[l->first];
        l->first = (l->first + 1) % l->cap;
        l->nowed--;
        if (o.cb) o.cb(NULL, o.arg);
    }
}

/* A connection that did not hold counts: the first may come back at once, the next ones wait. */
static void count_failure(struct redis_link *l, bool was_up)
{
    uint64_t now = loop_now(l->loop);
    if (!was_up) {
        l->strikes++;
        return;
    }
    bool has_held = now - l->up_at >= (uint64_t)l->cfg->redis_backoff_max;
    l->flaps = has_held ? 0 : l->flaps + 1;
    l->strikes = l->flaps ? l->flaps - 1 : 0;
    l->lost_at = now;
}

static void retire(struct redis_link *l)
{
    bool was_up = l->is_told_up;
    char why[sizeof(l->why)];
    memcpy(why, l->why, sizeof(why));
    redis_conn_free(l->conn);
    l->conn = NULL;
    redis_find_stop(l->find);
    l->is_told_up = l->is_subscriber = false;
    count_failure(l, was_up);
    l->state = LINK_WAITING;
    set_timer(l, pause_of(l));
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

static void add_step(struct redis_link *l, enum login_step step, size_t argc,
                     const struct str_view *argv)
{
    assert(l->nsteps < MAX_STEPS);
    l->steps[l->nsteps++] = step;
    redis_conn_add(l->conn, argc, argv);
}

static void add_steps(struct redis_link *l)
{
    const struct redis_target *t = &l->target;
    char *own = x_asprintf("peal:%s", l->name), db[16];
    const struct str_view user[] = {SV("AUTH"), sv_of(t->user), sv_of(t->password)};
    const struct str_view password[] = {SV("AUTH"), sv_of(t->password)};
    const struct str_view name[] = {SV("CLIENT"), SV("SETNAME"), sv_of(own)};
    const struct str_view role[] = {SV("ROLE")}, ping[] = {SV("PING")};
    snprintf(db, sizeof(db), "%u", t->db);
    const struct str_view select[] = {SV("SELECT"), sv_of(db)};
    l->nsteps = l->step = 0;
    if (t->user)
        add_step(l, STEP_AUTH, 3, user);
    else if (t->password)
        add_step(l, STEP_AUTH, 2, password);
    add_step(l, STEP_NAME, 3, name);
    if (t->db) add_step(l, STEP_SELECT, 2, select);
    if (l->cfg->redis_sentinels.n) add_step(l, STEP_ROLE, 1, role);
    add_step(l, STEP_PING, 1, ping);
    x_free(own);
}

static bool begins(const struct redis_reply *r, const char *word)
{
    return sv_starts_with(redis_reply_text(r), sv_of(word));
}

/* False: the login has failed. */
static bool step_is_good(struct redis_link *l, enum login_step step, const struct redis_reply *r)
{
    static const char *const names[] = {"AUTH", "CLIENT SETNAME", "SELECT", "ROLE", "PING"};
    bool is_error = redis_reply_kind(r) == REDIS_LINK_ERROR;
    /* Old servers know no names, a user of the access list may lack these two: no matter. */
    if (is_error && step == STEP_NAME && !begins(r, "NOAUTH") && !begins(r, "ERR max")) return true;
    if (is_error && step == STEP_PING && begins(r, "NOPERM")) return true;
    if (is_error) {
        lose(l, names[step], redis_reply_text(r));
        return false;
    }
    if (step != STEP_ROLE) return true;
    if (redis_reply_count(r) && sv_eq(redis_reply_text(redis_reply_at(r, 0)), SV("master")))
        return true;
    lose(l, "the server that the Sentinel named is not a master", SV(""));
    return false;
}

static void come_up(struct redis_link *l)
{
    struct log_line line;
    uint64_t now = loop_now(l->loop);
    l->state = LINK_UP;
    l->is_told_up = true;
    l->up_at = now;
    l->strikes = l->flaps;
    wheel_drop(loop_wheel(l->loop), &l->timer);
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

static bool is_text(const struct redis_reply *r, size_t i)
{
    return redis_reply_kind(redis_reply_at(r, i)) == REDIS_LINK_TEXT;
}

static struct str_view text_at(const struct redis_reply *r, size_t i)
{
    return redis_reply_text(redis_reply_at(r, i));
}

/* False: it is none of them. */
static bool take_confirmation(struct redis_link *l, const struct redis_reply *r)
{
    static const struct {
        const char *kind;
        bool is_pattern, on;
    } kinds[] = {
        {"subscribe", false, true},
        {"psubscribe", true, true},
        {"unsubscribe", false, false},
        {"punsubscribe", true, false},
    };
    struct str_view kind = text_at(r, 0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!sv_eq(kind, sv_of(kinds[i].kind))) continue;
        if (redis_reply_kind(redis_reply_at(r, 2)) != REDIS_LINK_INT) return false;
        if (l->events.subscribed)
            l->events.subscribed(l->arg, kinds[i].is_pattern, text_at(r, 1), kinds[i].on);
        return true;
    }
    return false;
}

/* False: a subscriber must not get this. */
static bool take_push(struct redis_link *l, const struct redis_reply *r)
{
    size_t n = redis_reply_count(r);
    if (n < 3 || n > 4 || !is_text(r, 0) || !is_text(r, 1)) return false;
    struct str_view kind = text_at(r, 0);
    if (n == 3 && sv_eq(kind, SV("message")) && is_text(r, 2)) {
        if (l->events.message) l->events.message(l->arg, SV(""), text_at(r, 1), text_at(r, 2));
        return true;
    }
    if (n == 4 && sv_eq(kind, SV("pmessage")) && is_text(r, 2) && is_text(r, 3)) {
        if (l->events.message)
            l->events.message(l->arg, text_at(r, 1), text_at(r, 2), text_at(r, 3));
        return true;
    }
    return n == 3 && take_confirmation(l, r);
}

static void take_answer(struct redis_link *l, const struct redis_reply *r)
{
    struct owed o = l->owed[l->first];
    l->first = (l->first + 1) % l->cap;
    l->nowed--;
    if (o.cb) o.cb(r, o.arg);
    /* The Sentinels have made another one the master. */
    if (l->cfg->redis_sentinels.n && redis_reply_kind(r) == REDIS_LINK_ERROR &&
        begins(r, "READONLY"))
        lose(l, "the server is no longer the master", redis_reply_text(r));
}

static void take_login(struct redis_link *l, const struct redis_reply *r)
{
    if (!step_is_good(l, l->steps[l->step], r)) return;
    if (++l->step == l->nsteps) come_up(l);
}

static void on_reply(void *arg, const struct redis_reply *r)
{
    struct redis_link *l = arg;
    if (l->state == LINK_LOGIN) {
        take_login(l, r);
    } else if (l->state == LINK_UP) {
        if (l->nowed)
            take_answer(l, r);
        else if (redis_reply_kind(r) == REDIS_LINK_ERROR)
            lose(l, "the server refuses", redis_reply_text(r));
        else if (!l->is_subscriber || !take_push(l, r))
            lose(l, "the server sent what nobody asked for", SV(""));
    }
}

static void on_opened(void *arg)
{
    (void)arg;
}

static void on_failed(void *arg, const char *why)
{
    struct redis_link *l = arg;
    if (l->state == LINK_LOGIN && l->step == 0 && l->place + 1 < l->nplaces) {
        l->place++;
        event_active(l->retirement, EV_READ, 0);
    } else {
        lose(l, why, SV(""));
    }
}

static const struct redis_conn_events conn_events = {on_opened, on_reply, on_failed};

static void connect_place(struct redis_link *l)
{
    const struct redis_place *p = &l->places[(l->turn + l->place) % l->nplaces];
    redis_conn_free(l->conn);
    snprintf(l->where, sizeof(l->where), "%s", p->where);
    l->state = LINK_LOGIN;
    l->conn = redis_conn_new(loop_base(l->loop), p, l->tls, l->max_reply, &conn_events, l);
    add_steps(l);
}

static void on_found(void *arg, const struct redis_place *places, size_t n, const char *why)
{
    struct redis_link *l = arg;
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

static void attempt(struct redis_link *l)
{
    l->attempts++;
    l->state = LINK_FINDING;
    set_timer(l, (uint64_t)l->cfg->redis_connect_timeout);
    redis_find_start(l->find);
}

/* Waits for the oldest command's answer. */
static void watch_owed(struct redis_link *l)
{
    uint64_t patience = (uint64_t)l->cfg->redis_command_timeout, now = loop_now(l->loop);
    if (l->nowed == 0) return;
    uint64_t age = now - l->owed[l->first].since;
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

struct redis_link *redis_link_new(const struct cfg *cfg, struct loop *loop, const char *name,
                                  size_t max_reply, const struct redis_link_events *events,
                                  void *arg, struct cfg_error *err)
{
    struct redis_target target;
    if (!redis_target_read(&target, cfg, err)) return NULL;
    struct redis_link *l = x_calloc(1, sizeof(*l));
    l->cfg = cfg;
    l->loop = loop;
    l->name = x_strdup(name);
    l->max_reply = max_reply;
    l->events = *events;
    l->arg = arg;
    l->target = target;
    l->find = redis_find_new(cfg, &l->target, loop, NULL, on_found, l);
    l->timer.fire = on_timer;
    l->retirement = event_new(loop_base(loop), -1, 0, on_retirement, l);
    assert(l->retirement);
    name_place(l);
    return l;
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
    event_free(l->retirement);
    tell_owed(l);
    redis_target_fini(&l->target);
    x_free(l->owed);
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

static void owe(struct redis_link *l, redis_reply_cb cb, void *arg)
{
    if (l->nowed == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct owed *ring = x_malloc(cap * sizeof(*ring));
        for (size_t i = 0; i < l->nowed; i++)
            ring[i] = l->owed[(l->first + i) % l->cap];
        x_free(l->owed);
        l->owed = ring;
        l->cap = cap;
        l->first = 0;
    }
    l->owed[(l->first + l->nowed++) % l->cap] = (struct owed){cb, arg, loop_now(l->loop)};
}

void redis_link_command(struct redis_link *l, redis_reply_cb cb, void *arg, size_t argc,
                        const struct str_view *argv)
{
    assert(l->is_told_up && !l->is_subscriber && argc);
    owe(l, cb, arg);
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
