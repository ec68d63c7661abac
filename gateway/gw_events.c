/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Gateway */
#include "gw_events.h"
#include "gw_login.h"
#include "gw_owed.h"
#include "gw_routes.h"
#include "gw_work.h"

#define NAME_MAX_BYTES 256 /* longer event names have no route and no handler */

/* ---- to the bus */

static void refuse(struct gw_socket *s, const struct gw_event *e, const char *code,
                   const char *message)
{
    s->conn->gw->count.events_refused++;
    gw_acks_send_error(s, e, code, message);
}

void gw_broadcast(struct gateway *gw, struct str_view nsp, const struct bus_target *to,
                  struct str_view json, const struct str_view *attachments, unsigned n,
                  bus_done_cb done, void *arg)
{
    struct bus_msg m = bus_msg_view(nsp, to, json, attachments, n);
    if (gw->is_ending) return;
    gw->count.publishes++;
    gw->bus_waits = true;
    gw->bus->ops->publish(gw->bus, bus_msg_new(&m), done, arg);
}

static void answer(struct gw_socket *s, const struct gw_event *e, enum bus_outcome outcome)
{
    switch (outcome) {
    case BUS_TAKEN: gw_acks_send_ok(s, e); break;
    case BUS_REFUSED:
        gw_acks_send_error(s, e, "bus_unavailable", "the message bus has not taken it");
        break;
    case BUS_TOO_LARGE:
        gw_acks_send_error(s, e, "too_large", "it is too large for the message bus");
        break;
    case BUS_NOBODY: /* of direct messages only */
    case BUS_UNCERTAIN:
        gw_acks_send_error(s, e, "bus_uncertain",
                           "the message bus was lost: it may have been delivered or not");
        break;
    }
}

static void on_published(enum bus_outcome outcome, void *arg)
{
    struct gw_owed *o = arg;
    struct gw_socket *s = gw_owed_socket(o);
    struct gw_event e = gw_owed_event(o);
    if (s) answer(s, &e, outcome);
    x_free(o);
}

static void publish(struct gw_socket *s, const struct gw_event *e, const struct bus_target *to)
{
    struct gw_owed *o = e->wants_ack ? gw_owed_new(s, e, SV("")) : NULL;
    gw_broadcast(s->conn->gw, s->nsp->view, to, e->args, e->attachments, e->nattachments,
                 o ? on_published : NULL, o);
}

/* The first argument behind the name, if it is a string. */
static bool first_string(const struct gw_event *e, struct buf *out)
{
    struct json_iter it;
    struct str_view arg;
    bool lone = false;
    json_iter_init(&it, e->args);
    return json_array_next(&it, &arg) && json_array_next(&it, &arg) &&
           json_kind_of(arg) == JSON_STRING && json_string_decode(out, arg, &lone) && !lone;
}

static void publish_to_room(struct gw_socket *s, const struct gw_event *e)
{
    struct buf name;
    buf_init(&name, GW_ROOM_MAX);
    struct str_view room;
    if (!first_string(e, &name) || !gw_room_name_is_valid(buf_view(&name))) {
        refuse(s, e, "bad_room", "the first argument must name a room");
    } else if (room = buf_view(&name), !gw_socket_is_in(s, room)) {
        refuse(s, e, "not_a_member", "you are not in this room");
    } else {
        publish(s, e, &(struct bus_target){.rooms = &room, .nrooms = 1});
    }
    buf_fini(&name);
}

static void follow_route(struct gw_socket *s, const struct gw_event *e)
{
    struct str_view self = gw_socket_id(s);
    switch (gw_routes_find(s->conn->gw->routes, s->nsp->view, e->name)) {
    case GW_ROUTE_MISSING: refuse(s, e, "no_route", "this event is not routed"); break;
    case GW_ROUTE_ALL: publish(s, e, &(struct bus_target){0}); break;
    case GW_ROUTE_OTHERS: publish(s, e, &(struct bus_target){.except = &self, .nexcept = 1}); break;
    case GW_ROUTE_ROOM: publish_to_room(s, e); break;
    case GW_ROUTE_WORKER: gw_work_event(s, e); break;
    case GW_ROUTE_NONE: gw_acks_send_ok(s, e); break;
    }
}

/* ---- rooms by event */

/* An id of this or another gateway, of a new or an old client ("/nsp#<20>"). */
static bool is_id_like(struct str_view room)
{
    if (room.n == ID_LEN) return true;
    return room.n > ID_LEN + 1 && room.p[0] == '/' && room.p[room.n - ID_LEN - 1] == '#';
}

/* Rooms that stand for a user, or for a socket by its id, are nobody else's to join. */
static bool may_join(const struct cfg *cfg, struct str_view room)
{
    if (sv_starts_with(room, SV("user:")) || is_id_like(room)) return false;
    return cfg_list_matches(&cfg->routes_client_rooms, room);
}

static void on_joined(enum bus_outcome outcome, void *arg)
{
    const struct gw_owed *o = arg;
    struct gw_socket *s = gw_owed_socket(o);
    struct str_view room = gw_owed_more(o);
    if (s && outcome != BUS_TAKEN && room.n) gw_socket_leave(s, room);
    on_published(outcome, arg);
}

/* The client is told that it is in the room when the bus hears for it. */
static void join(struct gw_socket *s, const struct gw_event *e, struct str_view room)
{
    struct bus *bus = s->conn->gw->bus;
    bool was_in = gw_socket_is_in(s, room);
    if (!was_in && !gw_socket_join(s, room)) {
        refuse(s, e, "too_many_rooms", "you are in too many rooms");
    } else if (bus->ops->is_synced(bus)) {
        gw_acks_send_ok(s, e);
    } else {
        s->conn->gw->bus_waits = true;
        bus->ops->sync(bus, on_joined, gw_owed_new(s, e, was_in ? SV("") : room));
    }
}

static void join_or_leave(struct gw_socket *s, const struct gw_event *e, bool enters)
{
    struct buf name;
    buf_init(&name, GW_ROOM_MAX);
    if (!first_string(e, &name) || !gw_room_name_is_valid(buf_view(&name))) {
        refuse(s, e, "bad_room", "the first argument must name a room");
    } else if (!may_join(s->conn->gw->cfg, buf_view(&name))) {
        refuse(s, e, "forbidden_room", "clients may not join or leave this room");
    } else if (enters) {
        join(s, e, buf_view(&name));
    } else {
        gw_socket_leave(s, buf_view(&name));
        gw_acks_send_ok(s, e);
    }
    buf_fini(&name);
}

/* ---- dispatch */

static void dispatch(struct gw_socket *s, const struct gw_event *e)
{
    struct gateway *gw = s->conn->gw;
    const struct gw_handler *h = gw->handler;
    bool asks = strcmp(gw->cfg->auth_mode, "none") != 0;
    if (asks && sv_eq(e->name, SV("authenticate")) && !s->is_admitting) {
        gw_login_authenticate(s, e);
    } else if (s->state == GW_SOCKET_PENDING) {
        gw_login_refuse_event(s, e);
    } else if (h && h->event && (h->event(h->ctx, s, e) || s->state == GW_SOCKET_GONE)) {
        return;
    } else if (gw->cfg->routes_client_rooms.n && sv_eq(e->name, SV("join"))) {
        join_or_leave(s, e, true);
    } else if (gw->cfg->routes_client_rooms.n && sv_eq(e->name, SV("leave"))) {
        join_or_leave(s, e, false);
    } else {
        follow_route(s, e);
    }
}

void gw_events_handle(struct gw_socket *s, const struct sio_packet *p,
                      const struct str_view *attachments)
{
    struct buf name;
    struct gw_event e = {.args = p->json,
                         .attachments = attachments,
                         .nattachments = p->attachments,
                         .wants_ack = p->has_id,
                         .ack_id = p->id};
    s->conn->gw->count.events_in++;
    buf_init(&name, NAME_MAX_BYTES);
    bool is_string = p->event.n && p->event.p[0] == '"';
    bool fits = is_string ? json_string_decode(&name, p->event, NULL) : buf_add_sv(&name, p->event);
    e.name = buf_view(&name);
    if (fits)
        dispatch(s, &e);
    else
        refuse(s, &e, "no_route", "the event's name is too long");
    buf_fini(&name);
}
