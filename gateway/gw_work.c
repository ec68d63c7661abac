/* Design notes
 *
 * - A connect that may not have been taken yet is remembered (struct telling): if its socket ends before
 *   that is known, the disconnect waits with it, and goes only if the connect went.
 * - Items are numbered where they are handed over, so that the numbers of one gateway rise in each
 *   stream, and readers can tell repeats. */

/* System */
#include <stdio.h>
/* Util */
#include "util/now.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Io */
#include "io/work_redis.h"
/* Gateway */
#include "gw_ask.h"
#include "gw_auth.h"
#include "gw_owed.h"
#include "gw_routes.h"
#include "gw_work.h"

#define ID_MAX 64

/* ---- the way */

bool gw_work_open(struct gateway *gw, struct cfg_error *err)
{
    const struct cfg *cfg = gw->cfg;
    if (gw->work) return true;
    if (!cfg_has_redis(cfg)) { /* costs nothing, and whoever attaches finds it there */
        gw->work = work_local_new((size_t)cfg->work_max_item);
        return true;
    }
    if (!gw_routes_lead_to_workers(gw->routes) && !cfg->routes_lifecycle.n &&
        !cfg->routes_ask_connect.n)
        return true;
    gw->work = work_redis_new(cfg, gw->loop, sv_make(gw->node, ID_NODE_LEN), err);
    return gw->work != NULL;
}

bool gw_work_phase(struct gateway *gw)
{
    gw->work_waits = false;
    return gw->work && gw->work->ops->flush(gw->work);
}

void gw_work_close(struct gateway *gw)
{
    if (!gw->work) return;
    gw->work->ops->flush(gw->work); /* disconnects of the last sockets */
    gw->work->ops->free(gw->work);
    gw->work = NULL;
}

const char *gw_work_refusal(const struct gateway *gw)
{
    bool is_used = gw->count.sessions || gw->count.reloads;
    return gw->work && cfg_has_redis(gw->cfg) && !is_used ? work_redis_mismatch(gw->work) : NULL;
}

struct gw_work_excuse gw_work_excuse(enum work_outcome outcome)
{
    switch (outcome) {
    case WORK_TAKEN: break;
    case WORK_FULL: return (struct gw_work_excuse){"overloaded", "too much waits for the workers"};
    case WORK_TOO_LARGE:
        return (struct gw_work_excuse){"too_large", "it is too large for the workers"};
    case WORK_UNCERTAIN:
        return (struct gw_work_excuse){"workers_uncertain",
                                       "the way to the workers was lost: it may be handled or not"};
    case WORK_REFUSED: break;
    }
    return (struct gw_work_excuse){"workers_unavailable", "the workers cannot be reached"};
}

/* ---- items */

static struct work_item item_of(struct gw_socket *s, enum work_type type,
                                const struct gw_identity *identity)
{
    const struct gateway *gw = s->conn->gw;
    return (struct work_item){.type = type,
                              .nsp = s->nsp->view,
                              .sid = gw_socket_id(s),
                              .gateway = sv_make(gw->node, ID_NODE_LEN),
                              .serial = s->serial,
                              .user = identity ? identity->sub : SV(""),
                              .claims = identity ? identity->claims : SV("{}"),
                              .data = gw_socket_data(s),
                              .time_ms = now_wall_ms()};
}

/* The id's number is drawn here; item is changed for that. */
static void submit(struct gateway *gw, struct work_item *item, work_done_cb done, void *arg)
{
    char id[ID_MAX];
    int n = snprintf(id, sizeof(id), "%.*s-%llu", ID_NODE_LEN, gw->node,
                     (unsigned long long)++gw->work->number);
    item->id = sv_make(id, (size_t)n);
    gw->work_waits = true;
    gw->work->ops->submit(gw->work, item, done, arg);
}

/* ---- events */

static void refuse(struct gw_socket *s, const struct gw_event *e, enum work_outcome outcome)
{
    struct gw_work_excuse why = gw_work_excuse(outcome);
    gw_acks_send_error(s, e, why.code, why.message);
}

static void on_event_told(enum work_outcome outcome, void *arg)
{
    struct gw_owed *o = arg;
    struct gw_event e = gw_owed_event(o);
    struct gw_socket *s = outcome != WORK_TAKEN ? gw_owed_socket(o) : NULL;
    if (s) refuse(s, &e, outcome);
    x_free(o);
}

void gw_work_event(struct gw_socket *s, const struct gw_event *e)
{
    struct gateway *gw = s->conn->gw;
    if (!gw->work || gw->is_ending) {
        refuse(s, e, WORK_REFUSED);
        return;
    }
    struct work_item item = item_of(s, WORK_EVENT, s->identity);
    item.event = e->name;
    item.args = e->args;
    item.attachments = e->attachments;
    item.nattachments = e->nattachments;
    item.wants_ack = e->wants_ack;
    item.ack_id = e->ack_id;
    if (e->wants_ack)
        submit(gw, &item, on_event_told, gw_owed_new(s, e, SV("")));
    else
        submit(gw, &item, NULL, NULL);
}

/* ---- who comes and goes */

struct gw_telling {
    struct gateway *gw;
    struct gw_socket *socket; /* NULL: it has ended, or workers have refused it */
    struct work_item *bye;    /* its disconnect; or NULL */
};

bool gw_work_tells(const struct gateway *gw, struct str_view nsp)
{
    return cfg_list_matches(&gw->cfg->routes_lifecycle, nsp) ||
           cfg_list_matches(&gw->cfg->routes_ask_connect, nsp);
}

static void on_connect_told(enum work_outcome outcome, void *arg)
{
    struct gw_telling *t = arg;
    struct gateway *gw = t->gw;
    struct gw_socket *s = t->socket;
    bool is_told = outcome == WORK_TAKEN || outcome == WORK_UNCERTAIN;
    if (s) {
        s->telling = NULL;
        s->is_told = is_told;
        if (outcome != WORK_TAKEN && s->asked) gw_ask_not_asked(s, outcome);
    } else if (t->bye && is_told && !gw->is_ending) {
        submit(gw, t->bye, NULL, NULL);
    }
    x_free(t->bye);
    x_free(t);
}

/* {"a":1,"token":"…","b":2} → {"a":1,"b":2}: whoever handles items has no use for the token. */
static void add_without_token(struct buf *out, struct str_view auth)
{
    struct json_iter it;
    struct str_view key, value;
    bool fits = buf_add_char(out, '{');
    json_iter_init(&it, auth);
    while (json_object_next(&it, &key, &value)) {
        if (json_string_equals(key, SV("token"))) continue;
        fits = fits && (out->n == 1 || buf_add_char(out, ',')) && buf_add_sv(out, key) &&
               buf_add_char(out, ':') && buf_add_sv(out, value);
    }
    fits = fits && buf_add_char(out, '}');
    if (fits) return;
    buf_clear(out);
    (void)!buf_add_sv(out, SV("{}")); /* there is room for it: see below */
}

static void tell_connect(struct gw_socket *s, const struct gw_identity *identity,
                         struct str_view auth, bool asks)
{
    struct gateway *gw = s->conn->gw;
    struct work_item item = item_of(s, WORK_CONNECT, identity);
    struct buf plain;
    char address[64];
    gw_conn_addr(s->conn, address, sizeof(address));
    buf_init(&plain, auth.n + 2);                             /* never longer than it was */
    bool is_secret = strcmp(gw->cfg->auth_mode, "none") != 0; /* else it is the application's */
    if (is_secret) add_without_token(&plain, auth);
    item.auth = is_secret ? buf_view(&plain) : auth;
    item.address = sv_of(address);
    item.transport = sv_of(gw_conn_transport(s->conn));
    item.asks = asks;
    s->telling = x_malloc(sizeof(*s->telling));
    *s->telling = (struct gw_telling){.gw = gw, .socket = s};
    submit(gw, &item, on_connect_told, s->telling);
    buf_fini(&plain);
}

void gw_work_connect(struct gw_socket *s, struct str_view auth)
{
    struct gateway *gw = s->conn->gw;
    if (s->is_told || s->telling || !gw->work || !gw_work_tells(gw, s->nsp->view)) return;
    tell_connect(s, s->identity, auth, false);
}

bool gw_work_ask(struct gw_socket *s, const struct gw_identity *identity, struct str_view auth)
{
    if (!s->conn->gw->work) return false;
    tell_connect(s, identity, auth, true);
    return true;
}

void gw_work_disconnect(struct gw_socket *s, const struct gw_identity *identity,
                        enum close_reason reason)
{
    struct gateway *gw = s->conn->gw;
    if (!s->is_told && !s->telling) return;
    struct work_item item = item_of(s, WORK_DISCONNECT, identity);
    item.reason = sv_of(close_reason_text(reason));
    if (s->telling) {
        s->telling->bye = work_item_new(&item);
        s->telling->socket = NULL;
        s->telling = NULL;
    } else {
        submit(gw, &item, NULL, NULL);
    }
    s->is_told = false;
}

void gw_work_data_changed(struct gw_socket *s)
{
    struct gateway *gw = s->conn->gw;
    if ((!s->is_told && !s->telling) || !gw->work) return;
    struct work_item item = item_of(s, WORK_CONNECT, s->identity);
    gw->work_waits = true;
    gw->work->ops->renew(gw->work, &item);
}

void gw_work_forget(struct gw_socket *s)
{
    struct gateway *gw = s->conn->gw;
    if (s->telling) s->telling->socket = NULL;
    s->telling = NULL;
    s->is_told = false;
    gw->work_waits = true;
    gw->work->ops->forget(gw->work, s->nsp->view, gw_socket_id(s));
}
