/* What a module asks for with its item: wk_job.h in C strings. */

/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* This process */
#include "wk_module_parts.h"

#define NAMES_MAX 1000
#define JSON_MAX (16u << 20)

/* ---- targets */

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list && n <= NAMES_MAX && list[n])
        n++;
    return n;
}

bool wk_module_place_init(struct wk_module_place *place, const struct peal_target *target,
                          const char *nsp)
{
    static const struct peal_target all;
    const struct peal_target *t = target ? target : &all;
    size_t nrooms = count(t->rooms), nexcept = count(t->except), n = 0;
    *place = (struct wk_module_place){.nsp = sv_of(t->nsp ? t->nsp : nsp)};
    if (nrooms > NAMES_MAX || nexcept > NAMES_MAX) return false;
    place->names = x_calloc(3 + nrooms + nexcept, sizeof(*place->names));
    if (t->room) place->names[n++] = sv_of(t->room);
    if (t->socket) place->names[n++] = sv_of(t->socket);
    if (t->user) {
        place->user = x_asprintf("user:%s", t->user);
        place->names[n++] = sv_of(place->user);
    }
    for (size_t i = 0; i < nrooms; i++)
        place->names[n++] = sv_of(t->rooms[i]);
    for (size_t i = 0; i < nexcept; i++)
        place->names[n + i] = sv_of(t->except[i]);
    place->to = (struct bus_target){.rooms = place->names,
                                    .nrooms = (unsigned)n,
                                    .except = place->names + n,
                                    .nexcept = (unsigned)nexcept,
                                    .is_volatile = t->is_volatile};
    return true;
}

void wk_module_place_fini(struct wk_module_place *place)
{
    x_free(place->names);
    x_free(place->user);
}

bool wk_module_views(struct str_view v[WORK_ATTACHMENTS_MAX], const struct peal_binary *binary,
                     size_t n)
{
    if (n > WORK_ATTACHMENTS_MAX) return false;
    for (size_t i = 0; i < n; i++)
        v[i] = sv_make(binary[i].data, binary[i].size);
    return true;
}

/* ---- emits and acks */

bool peal_emit_binary(struct peal_event *e, const struct peal_target *to, const char *json,
                      const struct peal_binary *attachments, size_t n)
{
    struct str_view v[WORK_ATTACHMENTS_MAX];
    struct wk_module_place place;
    bool ok = wk_module_place_init(&place, to, peal_nsp(e)) && wk_module_views(v, attachments, n) &&
              wk_job_emit(e->job, place.nsp, &place.to, sv_of(json), v, (unsigned)n);
    wk_module_place_fini(&place);
    return ok;
}

bool peal_emit(struct peal_event *e, const struct peal_target *to, const char *json)
{
    return peal_emit_binary(e, to, json, NULL, 0);
}

bool peal_send(struct peal_event *e, const char *json)
{
    struct peal_target own = {.socket = peal_sid(e)};
    return peal_emit(e, &own, json);
}

bool peal_ack_binary(struct peal_event *e, const char *json, const struct peal_binary *attachments,
                     size_t n)
{
    struct str_view v[WORK_ATTACHMENTS_MAX] = {{0}};
    return wk_module_views(v, attachments, n) && wk_job_ack(e->job, sv_of(json), v, (unsigned)n);
}

bool peal_ack(struct peal_event *e, const char *json)
{
    return peal_ack_binary(e, json, NULL, 0);
}

/* ---- the own socket */

bool peal_join(struct peal_event *e, const char *room)
{
    return wk_job_join(e->job, sv_of(room));
}

bool peal_leave(struct peal_event *e, const char *room)
{
    return wk_job_leave(e->job, sv_of(room));
}

bool peal_disconnect(struct peal_event *e, bool close)
{
    return wk_job_disconnect(e->job, close);
}

bool peal_set_data(struct peal_event *e, const char *json)
{
    return wk_job_data(e->job, sv_of(json));
}

bool peal_refuse(struct peal_event *e, const char *message, const char *data)
{
    struct buf json;
    buf_init(&json, JSON_MAX);
    bool ok = utf8_is_valid(sv_of(message)) && buf_add_sv(&json, SV("{\"message\":")) &&
              json_string_encode(&json, sv_of(message)) &&
              (!data || (buf_add_sv(&json, SV(",\"data\":")) && buf_add_sv(&json, sv_of(data)))) &&
              buf_add_char(&json, '}') && wk_job_refuse(e->job, buf_view(&json));
    buf_fini(&json);
    return ok;
}

/* ---- others */

bool peal_remote_join(struct peal_event *e, const struct peal_target *which, const char *room)
{
    struct wk_module_place place;
    struct str_view name = sv_of(room);
    bool ok = wk_module_place_init(&place, which, peal_nsp(e)) &&
              wk_job_remote_join(e->job, place.nsp, &place.to, &name, 1);
    wk_module_place_fini(&place);
    return ok;
}

bool peal_remote_leave(struct peal_event *e, const struct peal_target *which, const char *room)
{
    struct wk_module_place place;
    struct str_view name = sv_of(room);
    bool ok = wk_module_place_init(&place, which, peal_nsp(e)) &&
              wk_job_remote_leave(e->job, place.nsp, &place.to, &name, 1);
    wk_module_place_fini(&place);
    return ok;
}

bool peal_remote_disconnect(struct peal_event *e, const struct peal_target *which, bool close)
{
    struct wk_module_place place;
    bool ok = wk_module_place_init(&place, which, peal_nsp(e)) &&
              wk_job_remote_disconnect(e->job, place.nsp, &place.to, close);
    wk_module_place_fini(&place);
    return ok;
}
