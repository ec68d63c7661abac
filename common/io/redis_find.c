/* A question is a row of small steps, each ended by an event: the Sentinel's addresses, a connection,
 * its answer, the master's addresses. on_step() does what the end of one asks for; so a connection
 * is never freed under the callback it calls.
 *
 * A Sentinel that does not answer gets a quarter of the attempt's time. The next attempt begins with
 * the one whose answer was good, else with another than this time. */
/* System */
#include <assert.h>
#include <stdio.h>
/* Third party */
#include <event2/event.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/redis_find.h"
#include "io/redis_lookup.h"

#define MAX_ANSWER 16384u
#define MIN_PATIENCE_MS 50

enum find_step {
    FIND_NOTHING,
    FIND_TELL_PATH,     /* a Unix socket needs no asking */
    FIND_NEXT_PLACE,    /* the next address of the Sentinel */
    FIND_NEXT_SENTINEL, /* this one is of no use */
    FIND_MASTER,        /* it named the master */
};

struct redis_find {
    const struct cfg *cfg;
    const struct redis_target *target;
    struct loop *loop;
    struct redis_tls *tls;
    redis_find_cb cb;
    void *arg;
    const char *name_server; /* NULL: the system's */

    struct event *stepper;
    enum find_step step;
    struct wheel_entry patience;
    struct redis_lookup *lookup;
    struct redis_conn *conn;
    bool is_asking_sentinels, is_auth_owed;
    size_t first, asked; /* Sentinel to begin with; how many have failed in this attempt */
    struct redis_place places[REDIS_FIND_MAX]; /* of the Sentinel being asked */
    size_t nplaces, place;
    char *master; /* what it named */
    unsigned master_port;
    char why[200];
};

static void step_later(struct redis_find *f, enum find_step step)
{
    f->step = step;
    if (f->conn) redis_conn_stop(f->conn);
    event_active(f->stepper, EV_READ, 0);
}

static void drop(struct redis_find *f)
{
    redis_lookup_free(f->lookup);
    f->lookup = NULL;
    redis_conn_free(f->conn);
    f->conn = NULL;
    x_free(f->master);
    f->master = NULL;
    f->step = FIND_NOTHING;
    event_del(f->stepper);
    wheel_drop(loop_wheel(f->loop), &f->patience);
}

static size_t current(const struct redis_find *f)
{
    return (f->first + f->asked) % f->cfg->redis_sentinels.n;
}

/* --- the answer */

static void on_master_lookup(void *arg, const struct redis_place *places, size_t n, const char *why)
{
    struct redis_find *f = arg;
    f->cb(f->arg, places, n, why);
    drop(f);
}

static void look_up(struct redis_find *f, const char *host, unsigned port, redis_lookup_cb cb)
{
    redis_lookup_free(f->lookup);
    f->lookup = redis_lookup_new(loop_base(f->loop), host, port, f->name_server, cb, f);
}

static void tell_path(struct redis_find *f)
{
    struct redis_place place;
    redis_place_unix(&place, f->target->path);
    f->cb(f->arg, &place, 1, "");
}

static void tell_nothing(struct redis_find *f)
{
    f->cb(f->arg, NULL, 0, f->why);
}

/* --- Sentinels */

static void sentinel_failed(struct redis_find *f, const char *why)
{
    snprintf(f->why, sizeof(f->why), "Sentinel %.60s: %s", f->cfg->redis_sentinels.v[current(f)],
             why);
}

/* [host, port], nil if it does not know the master, or an error. */
static void on_sentinel_reply(void *arg, const struct redis_reply *r)
{
    struct redis_find *f = arg;
    struct str_view text = redis_reply_text(r);
    if (redis_reply_kind(r) == REDIS_LINK_ERROR) {
        char why[120];
        snprintf(why, sizeof(why), "%.*s", text.n < 100 ? (int)text.n : 100, text.p);
        sentinel_failed(f, why);
        step_later(f, FIND_NEXT_SENTINEL);
        return;
    }
    if (f->is_auth_owed) {
        f->is_auth_owed = false;
        return;
    }
    bool is_named =
        redis_reply_count(r) == 2 &&
        redis_target_place(redis_reply_text(redis_reply_at(r, 0)),
                           redis_reply_text(redis_reply_at(r, 1)), &f->master, &f->master_port);
    if (!is_named) sentinel_failed(f, "it does not know the master");
    step_later(f, is_named ? FIND_MASTER : FIND_NEXT_SENTINEL);
}

static void on_sentinel_failed(void *arg, const char *why)
{
    struct redis_find *f = arg;
    sentinel_failed(f, why);
    step_later(f, FIND_NEXT_PLACE);
}

static const struct redis_conn_events sentinel_events = {
    .reply = on_sentinel_reply,
    .failed = on_sentinel_failed,
};

static void ask_place(struct redis_find *f)
{
    const char *password = f->cfg->redis_sentinel_password;
    const struct str_view auth[] = {SV("AUTH"), sv_of(password)};
    const struct str_view question[] = {SV("SENTINEL"), SV("get-master-addr-by-name"),
                                        sv_of(f->cfg->redis_sentinel_master)};
    redis_conn_free(f->conn);
    f->conn = redis_conn_new(loop_base(f->loop), &f->places[f->place], f->tls, MAX_ANSWER,
                             &sentinel_events, f);
    f->is_auth_owed = password[0] != '\0';
    if (f->is_auth_owed) redis_conn_add(f->conn, 2, auth);
    redis_conn_add(f->conn, 3, question);
}

static void on_sentinel_lookup(void *arg, const struct redis_place *places, size_t n,
                               const char *why)
{
    struct redis_find *f = arg;
    memcpy(f->places, places, n * sizeof(*places));
    f->nplaces = n;
    f->place = 0;
    if (n) {
        ask_place(f);
        return;
    }
    sentinel_failed(f, why);
    step_later(f, FIND_NEXT_SENTINEL);
}

static void ask_sentinel(struct redis_find *f)
{
    char *host;
    unsigned port;
    uint64_t patience = (uint64_t)f->cfg->redis_connect_timeout / 4;
    bool ok = redis_target_host_port(sv_of(f->cfg->redis_sentinels.v[current(f)]),
                                     REDIS_TARGET_SENTINEL_PORT, &host, &port);
    assert(ok); /* cfg_check() */
    if (patience < MIN_PATIENCE_MS) patience = MIN_PATIENCE_MS;
    wheel_set(loop_wheel(f->loop), &f->patience, loop_now(f->loop) + patience);
    look_up(f, host, port, on_sentinel_lookup);
    x_free(host);
}

static void next_sentinel(struct redis_find *f)
{
    drop(f);
    if (++f->asked < f->cfg->redis_sentinels.n) {
        ask_sentinel(f);
        return;
    }
    f->is_asking_sentinels = false;
    tell_nothing(f);
}

static void use_master(struct redis_find *f)
{
    f->first = current(f);
    f->asked = 0;
    f->is_asking_sentinels = false;
    wheel_drop(loop_wheel(f->loop), &f->patience);
    look_up(f, f->master, f->master_port, on_master_lookup);
}

/* --- events */

static void on_step(evutil_socket_t fd, short what, void *arg)
{
    struct redis_find *f = arg;
    enum find_step step = f->step;
    (void)fd;
    (void)what;
    f->step = FIND_NOTHING;
    switch (step) {
    case FIND_NOTHING: break;
    case FIND_TELL_PATH: tell_path(f); break;
    case FIND_NEXT_PLACE:
        if (++f->place < f->nplaces)
            ask_place(f);
        else
            next_sentinel(f);
        break;
    case FIND_NEXT_SENTINEL: next_sentinel(f); break;
    case FIND_MASTER: use_master(f); break;
    }
}

static void on_impatient(struct wheel_entry *e)
{
    struct redis_find *f = (struct redis_find *)((char *)e - offsetof(struct redis_find, patience));
    sentinel_failed(f, "no answer in time");
    step_later(f, FIND_NEXT_SENTINEL);
}

/* --- life */

struct redis_find *redis_find_new(const struct cfg *cfg, const struct redis_target *target,
                                  struct loop *loop, struct redis_tls *tls, redis_find_cb cb,
                                  void *arg)
{
    struct redis_find *f = x_calloc(1, sizeof(*f));
    f->cfg = cfg;
    f->target = target;
    f->loop = loop;
    f->tls = tls;
    f->cb = cb;
    f->arg = arg;
    f->patience.fire = on_impatient;
    f->stepper = event_new(loop_base(loop), -1, 0, on_step, f);
    assert(f->stepper);
    return f;
}

void redis_find_free(struct redis_find *f)
{
    if (!f) return;
    drop(f);
    event_free(f->stepper);
    x_free(f);
}

void redis_find_use_name_server(struct redis_find *f, const char *server)
{
    f->name_server = server;
}

void redis_find_start(struct redis_find *f)
{
    drop(f);
    if (f->cfg->redis_sentinels.n) {
        f->is_asking_sentinels = true;
        f->asked = 0;
        ask_sentinel(f);
    } else if (f->target->path) {
        step_later(f, FIND_TELL_PATH);
    } else {
        look_up(f, f->target->host, f->target->port, on_master_lookup);
    }
}

void redis_find_stop(struct redis_find *f, bool was_good)
{
    /* The time was over with this Sentinel, or it named what is no master. */
    if (f->cfg->redis_sentinels.n && (f->is_asking_sentinels || !was_good))
        f->first = current(f) + 1;
    f->asked = 0;
    f->is_asking_sentinels = false;
    drop(f);
}
