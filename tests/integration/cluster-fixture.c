/* A gateway whose clients ask the cluster, for tests/integration: every operation is an event.
 *
 *   emit("ask", op, which, data?, ack)    op: fetch rooms ids join leave disconnect server-emit
 *                                         server-ask broadcast emit node
 *   which: {rooms, except, targets, close, timeout, volatile}; data: ["event", …] of the last four
 *
 * Questions ack {parts, complete, why, silent, unnamed, binary}; commands ack {outcome}. Another
 * server's event comes to all local clients as "server-event" and is answered {"node": id}, but for
 * "silent", which never is; a client's "work" is left to who speaks as a worker. Options as peal-gateway's. */
/* System */
#include <stdlib.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Io */
#include "io/program.h"
/* Gateway */
#include "gateway/gw.h"
#include "gateway/gw_cluster.h"
#include "gateway/gw_server.h"

#define MAX_NAMES 64
#define MAX_JSON (8u << 20)

/* Who is to be answered: found again by its id. */
struct asker {
    struct gateway *gw;
    uint64_t ack_id;
    char *id, *nsp;
};

static struct asker *asker_new(struct gw_socket *s, const struct gw_event *e)
{
    struct asker *a = x_calloc(1, sizeof(*a));
    struct str_view nsp = gw_socket_nsp(s);
    a->gw = gw_socket_gateway(s);
    a->ack_id = e->ack_id;
    a->id = x_memdup(gw_socket_id(s).p, gw_socket_id(s).n);
    a->nsp = x_memdup(nsp.p, nsp.n);
    return a;
}

static void answer(struct asker *a, struct str_view json, const struct str_view *binary, unsigned n)
{
    struct gw_socket *s = gw_socket_find(a->gw, sv_of(a->nsp), sv_of(a->id));
    if (s) gw_socket_ack(s, a->ack_id, json, binary, n);
    x_free(a->id);
    x_free(a->nsp);
    x_free(a);
}

static void on_done(enum bus_outcome outcome, void *arg)
{
    static const char *const words[] = {"taken", "refused", "too_large", "uncertain"};
    char *json = x_asprintf("[{\"outcome\":\"%s\"}]", words[outcome]);
    answer(arg, sv_of(json), NULL, 0);
    x_free(json);
}

static bool put_all(struct buf *out, const struct answers *a)
{
    bool fits = buf_add_sv(out, SV("[{\"parts\":["));
    for (size_t i = 0; fits && i < a->nparts; i++)
        fits = (!i || buf_add_char(out, ',')) && buf_add_sv(out, a->parts[i]);
    fits = fits && buf_addf(out, "],\"complete\":%s,\"why\":\"%s\",\"unnamed\":%zu,\"silent\":[",
                            a->is_complete ? "true" : "false", a->why, a->nunnamed);
    for (size_t i = 0; fits && i < a->nsilent; i++)
        fits = (!i || buf_add_char(out, ',')) && json_string_encode(out, a->silent[i]);
    return fits && buf_add_sv(out, SV("]}]"));
}

/* Attachments go along only if there is one part: its placeholders are then right as they are. */
static void on_answers(void *arg, const struct answers *a)
{
    struct buf json;
    bool carry = a->binary && a->nparts == 1;
    buf_init(&json, MAX_JSON);
    if (!put_all(&json, a)) {
        buf_clear(&json);
        (void)!buf_add_sv(&json, SV("[{\"why\":\"too large for the fixture\"}]"));
    }
    answer(arg, buf_view(&json), carry ? a->binary[0].v : NULL, carry ? a->binary[0].n : 0);
    buf_fini(&json);
}

struct which {
    struct str_view rooms[MAX_NAMES], except[MAX_NAMES], targets[MAX_NAMES];
    struct bus_target target;
    unsigned ntargets;
    bool close;
    uint64_t timeout;
};

/* Names without escapes, as tests write them. */
static unsigned read_names(struct str_view json, const char *key, struct str_view *out)
{
    struct str_view list, name;
    struct json_iter it;
    unsigned n = 0;
    if (!json_member_get(json, sv_of(key), &list)) return 0;
    json_iter_init(&it, list);
    while (n < MAX_NAMES && json_array_next(&it, &name))
        out[n++] = sv_make(name.p + 1, name.n - 2);
    return n;
}

static bool is_true(struct str_view json, const char *key)
{
    struct str_view value;
    return json_member_get(json, sv_of(key), &value) && json_kind_of(value) == JSON_TRUE;
}

static void read_which(struct which *w, struct str_view json)
{
    struct str_view ms;
    *w = (struct which){.close = is_true(json, "close")};
    w->target.rooms = w->rooms;
    w->target.except = w->except;
    w->target.nrooms = read_names(json, "rooms", w->rooms);
    w->target.nexcept = read_names(json, "except", w->except);
    w->target.is_volatile = is_true(json, "volatile");
    w->ntargets = read_names(json, "targets", w->targets);
    if (json_member_get(json, SV("timeout"), &ms)) w->timeout = strtoull(ms.p, NULL, 10);
}

static void perform(struct gw_socket *s, const struct gw_event *e, struct str_view op,
                    const struct which *w, struct str_view data)
{
    struct gateway *gw = gw_socket_gateway(s);
    struct str_view nsp = gw_socket_nsp(s);
    const struct bus_target *t = &w->target;
    const struct str_view *binary = e->attachments;
    unsigned n = e->nattachments;
    void *a = asker_new(s, e);
    if (sv_eq(op, SV("\"fetch\"")))
        questions_fetch(gw_questions(gw), nsp, t, w->timeout, on_answers, a);
    else if (sv_eq(op, SV("\"rooms\"")))
        questions_rooms(gw_questions(gw), nsp, w->timeout, on_answers, a);
    else if (sv_eq(op, SV("\"ids\"")))
        questions_ids(gw_questions(gw), nsp, t, w->timeout, on_answers, a);
    else if (sv_eq(op, SV("\"join\"")))
        questions_join(gw_questions(gw), nsp, t, w->targets, w->ntargets, on_done, a);
    else if (sv_eq(op, SV("\"leave\"")))
        questions_leave(gw_questions(gw), nsp, t, w->targets, w->ntargets, on_done, a);
    else if (sv_eq(op, SV("\"disconnect\"")))
        questions_disconnect(gw_questions(gw), nsp, t, w->close, on_done, a);
    else if (sv_eq(op, SV("\"server-ask\"")))
        questions_emit(gw_questions(gw), nsp, data, w->timeout, on_answers, a);
    else if (sv_eq(op, SV("\"broadcast\"")))
        questions_broadcast(gw_questions(gw), nsp, t, data, binary, n, w->timeout, on_answers, a);
    else if (sv_eq(op, SV("\"emit\"")))
        gw_broadcast(gw, nsp, t, data, binary, n, on_done, a);
    else if (sv_eq(op, SV("\"server-emit\""))) {
        questions_emit(gw_questions(gw), nsp, data, 0, NULL, NULL);
        on_done(BUS_TAKEN, a);
    } else if (sv_eq(op, SV("\"node\""))) {
        char *json = x_asprintf("[\"%.*s\"]", ID_NODE_LEN, gw->node);
        answer(a, sv_of(json), NULL, 0);
        x_free(json);
    } else {
        answer(a, SV("[\"no such operation\"]"), NULL, 0);
    }
}

static bool on_event(void *ctx, struct gw_socket *s, const struct gw_event *e)
{
    struct json_iter it;
    struct str_view name, op, which = SV("{}"), data = SV("[]");
    struct which w;
    (void)ctx;
    if (sv_eq(e->name, SV("work"))) return true; /* the test answers, as a worker */
    if (!sv_eq(e->name, SV("ask")) || !e->wants_ack) return false;
    json_iter_init(&it, e->args);
    if (!json_array_next(&it, &name) || !json_array_next(&it, &op)) return false;
    if (json_array_next(&it, &which)) (void)!json_array_next(&it, &data);
    read_which(&w, which);
    perform(s, e, op, &w, data);
    return true;
}

static void on_server_event(void *ctx, struct gateway *gw, struct str_view nsp,
                            struct str_view json, struct gw_cluster_ask *ask)
{
    char *local = x_asprintf("[\"server-event\",%.*s]", SV_ARG(json));
    char *reply = x_asprintf("{\"node\":\"%.*s\"}", ID_NODE_LEN, gw->node);
    struct bus_msg m = {.nsp = nsp, .json = sv_of(local)};
    (void)ctx;
    gw->bus->events->deliver(&m, gw);
    if (ask && !sv_starts_with(json, SV("[\"silent\"")))
        gw_cluster_answer(gw, ask, sv_of(reply));
    else if (ask)
        gw_cluster_ignore(ask);
    x_free(local);
    x_free(reply);
}

int main(int argc, char **argv)
{
    static const struct gw_handler handler = {.event = on_event, .server_event = on_server_event};
    struct cfg cfg;
    int code = 0;
    if (!program_configure(argc, argv, "cluster-fixture", "A gateway for tests.", &cfg, &code))
        return code;
    code =
        gw_server_run(&cfg, &(struct program_args){argc, argv}, "cluster-fixture", &handler, NULL);
    cfg_fini(&cfg);
    return code;
}
