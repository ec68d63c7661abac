/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/questions_parts.h"

void questions_bus_waits(struct questions *qs)
{
    if (qs->owner->bus_waits) qs->owner->bus_waits(qs->arg);
}

/* ---- asking */

static void which_of(struct bus_request *r, const struct bus_target *which)
{
    if (!which) return;
    r->rooms = which->rooms;
    r->nrooms = which->nrooms;
    r->except = which->except;
    r->nexcept = which->nexcept;
}

static void command(struct questions *qs, struct bus_request *r, const struct bus_target *which,
                    bus_done_cb done, void *arg)
{
    if (qs->is_stopped) return;
    r->uid = qs->bus->uid;
    which_of(r, which);
    qs->bus->ops->request(qs->bus, r, done, arg);
    questions_bus_waits(qs);
}

void questions_join(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                    const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_JOIN, .nsp = nsp, .targets = rooms, .ntargets = n};
    command(qs, &r, which, done, arg);
}

void questions_leave(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                     const struct str_view *rooms, unsigned n, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_LEAVE, .nsp = nsp, .targets = rooms, .ntargets = n};
    command(qs, &r, which, done, arg);
}

void questions_disconnect(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                          bool close, bus_done_cb done, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_DISCONNECT, .nsp = nsp, .close = close};
    command(qs, &r, which, done, arg);
}

void questions_fetch(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                     uint64_t timeout_ms, answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_REMOTE_FETCH, .nsp = nsp};
    which_of(&r, which);
    question_ask(qs, &r, timeout_ms, cb, arg);
}

void questions_rooms(struct questions *qs, struct str_view nsp, uint64_t timeout_ms, answers_cb cb,
                     void *arg)
{
    struct bus_request r = {.type = BUS_ALL_ROOMS, .nsp = nsp};
    question_ask(qs, &r, timeout_ms, cb, arg);
}

void questions_ids(struct questions *qs, struct str_view nsp, const struct bus_target *which,
                   uint64_t timeout_ms, answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_SOCKETS, .nsp = nsp};
    if (which) {
        r.rooms = which->rooms;
        r.nrooms = which->nrooms;
    }
    question_ask(qs, &r, timeout_ms, cb, arg);
}

void questions_emit(struct questions *qs, struct str_view nsp, struct str_view json,
                    uint64_t timeout_ms, answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_SERVER_SIDE_EMIT, .nsp = nsp, .json = json};
    if (cb)
        question_ask(qs, &r, timeout_ms, cb, arg);
    else
        command(qs, &r, NULL, NULL, NULL);
}

void questions_broadcast(struct questions *qs, struct str_view nsp, const struct bus_target *to,
                         struct str_view json, const struct str_view *attachments, unsigned n,
                         uint64_t timeout_ms, answers_cb cb, void *arg)
{
    struct bus_request r = {.type = BUS_BROADCAST,
                            .nsp = nsp,
                            .json = json,
                            .attachments = attachments,
                            .nattachments = n};
    which_of(&r, to);
    question_ask(qs, &r, timeout_ms, cb, arg);
}

/* ---- life */

struct questions *questions_new(const struct questions_owner *owner, void *arg, struct bus *bus,
                                struct wheel *wheel, const struct cfg *cfg)
{
    struct questions *qs = x_calloc(1, sizeof(*qs));
    *qs = (struct questions){.owner = owner, .arg = arg, .bus = bus, .wheel = wheel, .cfg = cfg};
    heard_init(&qs->heard, bus, wheel, owner->now, arg);
    return qs;
}

void questions_stop(struct questions *qs)
{
    qs->is_stopped = true; /* whoever tries again at each refusal would never let it end */
    while (qs->open)
        question_end(qs->open, "this node is stopping");
    heard_stop(&qs->heard);
}

void questions_free(struct questions *qs)
{
    if (!qs) return;
    assert(qs->is_stopped && !qs->nlive);
    x_free(qs);
}
