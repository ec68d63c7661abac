/* Design notes
 *
 * The commands of a request go to the bus together; the answer leaves when the bus has told what became
 * of the last. The bus tells each once, also when it goes; so does admin_send() work when the
 * server has gone. */

/* System */
#include <string.h>
/* Third party */
#include <openssl/crypto.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/http_head.h"
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/cfg_secret.h"
#include "cluster/command.h"
#include "cluster/questions.h"
/* This process */
#include "gw.h"
#include "gw_api.h"
#include "gw_handler.h"
#include "gw_keys.h"
#include "gw_nsp.h"

#define KEY_MAX 4096
#define KEY_MIN 16
#define MISTAKE_MAX 400

struct gw_api {
    char *key; /* NULL: none */
    size_t n;
};

/* ---- the key */

struct gw_api *gw_api_new(const struct cfg *cfg, struct cfg_error *err)
{
    static const char name[] = "admin.api_key_file";
    const char *path = cfg->admin_api_key_file;
    struct gw_api *api = x_calloc(1, sizeof(*api));
    struct buf key;
    buf_init(&key, KEY_MAX);
    bool ok = path[0] ? cfg_secret_read(&key, KEY_MAX, path, name, err)
                      : buf_add_sv(&key, sv_of(cfg->admin_api_key));
    if (ok && path[0] && key.n < KEY_MIN) {
        snprintf(err->text, sizeof(err->text), "%s: \"%s\": has %zu bytes: at least %d are needed",
                 name, path, key.n, KEY_MIN);
        ok = false;
    }
    if (ok && key.n) *api = (struct gw_api){x_memdup(key.p, key.n), key.n};
    cfg_secret_wipe(&key);
    if (ok) return api;
    gw_api_free(api);
    return NULL;
}

void gw_api_free(struct gw_api *api)
{
    if (!api) return;
    if (api->key) x_free_secret(api->key, api->n);
    x_free(api);
}

bool gw_api_is_open(const struct gw_api *api)
{
    return api->key != NULL;
}

static bool is_key(const struct gw_api *api, struct str_view authorization)
{
    static const struct str_view scheme = {"Bearer ", 7};
    if (authorization.n < scheme.n || !sv_eq_nocase(sv_make(authorization.p, scheme.n), scheme))
        return false;
    struct str_view key = sv_trim(sv_skip(authorization, scheme.n));
    return key.n == api->n && CRYPTO_memcmp(key.p, api->key, key.n) == 0;
}

/* ---- answers */

static void say_error(struct gateway *gw, struct admin_reply *reply, int status,
                      struct str_view why)
{
    gw->count.api_refused++;
    reply->status = status;
    (void)!(buf_add_sv(&reply->body, SV("{\"ok\":false,\"error\":")) &&
            json_string_encode(&reply->body, why) && buf_add_sv(&reply->body, SV("}\n")));
}

/* True: go on. */
static bool check(struct gateway *gw, const struct admin_request *r, struct admin_reply *reply)
{
    gw->count.api_requests++;
    if (!gw_api_is_open(gw->api)) {
        say_error(gw, reply, 404, SV("there is no API here: admin.api_key is not set"));
        return false;
    }
    if (is_key(gw->api, r->authorization)) return true;
    reply->challenge = "Bearer";
    say_error(gw, reply, 401,
              SV("the key is missing or wrong: Authorization: Bearer <admin.api_key>"));
    return false;
}

/* ---- commands */

/* A request's commands on their way. */
struct batch {
    struct gateway *gw;
    struct admin_later *later;
    size_t left, taken;
    enum bus_outcome worst; /* BUS_TAKEN: none failed */
};

static void send_outcome(const struct batch *b)
{
    struct admin_reply *reply = admin_later_reply(b->later);
    switch (b->worst) {
    case BUS_TAKEN: (void)!buf_addf(&reply->body, "{\"ok\":true,\"taken\":%zu}\n", b->taken); break;
    case BUS_TOO_LARGE:
        say_error(b->gw, reply, 413, SV("a command is larger than bus.max_message"));
        break;
    case BUS_UNCERTAIN:
        say_error(b->gw, reply, 503, SV("the connection to the bus broke: it may have been taken"));
        break;
    default: say_error(b->gw, reply, 503, SV("the message bus is not available"));
    }
    admin_send(b->later);
}

static void on_outcome(enum bus_outcome outcome, void *arg)
{
    struct batch *b = arg;
    if (outcome == BUS_TAKEN)
        b->taken++;
    else
        b->worst = outcome;
    if (--b->left) return;
    send_outcome(b);
    x_free(b);
}

static void submit(struct batch *b, const struct command *c)
{
    struct gateway *gw = b->gw;
    struct str_view nsp = c->nsp.n ? c->nsp : SV("/");
    switch (c->type) {
    case COMMAND_EMIT:
        gw_broadcast(gw, nsp, &c->which, c->json, c->attachments, c->nattachments, on_outcome, b);
        break;
    case COMMAND_JOIN:
        questions_join(gw->questions, nsp, &c->which, c->rooms, c->nrooms, on_outcome, b);
        break;
    case COMMAND_LEAVE:
        questions_leave(gw->questions, nsp, &c->which, c->rooms, c->nrooms, on_outcome, b);
        break;
    default: questions_disconnect(gw->questions, nsp, &c->which, c->close, on_outcome, b);
    }
}

static void run(struct gateway *gw, const struct admin_request *r, struct admin_reply *reply,
                enum command_type type)
{
    struct buf mistake;
    if (!check(gw, r, reply)) return;
    buf_init(&mistake, MISTAKE_MAX);
    struct commands *c = commands_parse_kind(r->body, type, &mistake);
    if (!c) {
        say_error(gw, reply, 400, buf_view(&mistake));
    } else if (!commands_count(c)) {
        (void)!buf_add_sv(&reply->body, SV("{\"ok\":true,\"taken\":0}\n"));
    } else {
        struct batch *b = x_calloc(1, sizeof(*b));
        *b = (struct batch){.gw = gw, .later = admin_defer(r), .left = commands_count(c)};
        for (size_t i = 0; i < commands_count(c); i++) /* none is told within */
            submit(b, commands_at(c, i));
    }
    commands_free(c);
    buf_fini(&mistake);
}

void gw_api_on_emit(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    run(ctx, r, reply, COMMAND_EMIT);
}

void gw_api_on_join(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    run(ctx, r, reply, COMMAND_JOIN);
}

void gw_api_on_leave(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    run(ctx, r, reply, COMMAND_LEAVE);
}

void gw_api_on_disconnect(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    run(ctx, r, reply, COMMAND_DISCONNECT);
}

/* ---- GET /api/sockets */

/* The elements of all parts as one array, as many as fit. */
static bool put_sockets(struct buf *out, const struct answers *a)
{
    struct json_iter it;
    struct str_view one;
    bool is_first = true;
    for (size_t i = 0; i < a->nparts; i++)
        for (json_iter_init(&it, a->parts[i]); json_array_next(&it, &one); is_first = false) {
            if (out->n + one.n + 1 > ADMIN_REPLY_MAX - MISTAKE_MAX) return false;
            if (!is_first && !buf_add_char(out, ',')) return false;
            if (!buf_add_sv(out, one)) return false;
        }
    return true;
}

static void on_sockets(void *arg, const struct answers *a)
{
    struct admin_later *l = arg;
    struct buf *out = &admin_later_reply(l)->body;
    bool fits = buf_add_sv(out, SV("{\"ok\":true,\"sockets\":["));
    bool all = fits && put_sockets(out, a);
    const char *why = !all ? "there are too many sockets for one answer" : a->why;
    (void)!(buf_addf(out, "],\"complete\":%s", *why ? "false" : "true") &&
            (!*why || (buf_add_sv(out, SV(",\"why\":")) && json_string_encode(out, sv_of(why)))) &&
            buf_add_sv(out, SV("}\n")));
    admin_send(l);
}

/* A value of the query, at most as long as a name may be. False: it is not allowed. */
static bool read_query(struct str_view query, const char *key, const char *prefix, struct buf *name)
{
    struct buf value;
    bool is_bad = false;
    buf_init(&value, COMMAND_USER_MAX);
    bool ok = http_query_get(query, sv_of(key), &value, &is_bad);
    if (!ok)
        ok = !is_bad;
    else
        ok = utf8_is_valid(buf_view(&value)) && gw_room_name_is_valid(buf_view(&value)) &&
             buf_add_sv(name, sv_of(prefix)) && buf_add_sv(name, buf_view(&value));
    buf_fini(&value);
    return ok;
}

void gw_api_on_sockets(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    struct gateway *gw = ctx;
    struct buf nsp, room, user;
    if (!check(gw, r, reply)) return;
    buf_init(&nsp, COMMAND_NSP_MAX);
    buf_init(&room, COMMAND_ROOM_MAX);
    buf_init(&user, COMMAND_ROOM_MAX);
    if (!read_query(r->query, "nsp", "", &nsp) || (nsp.n && nsp.p[0] != '/')) {
        say_error(gw, reply, 400, SV("nsp: must be a namespace, which begins with \"/\""));
    } else if (!read_query(r->query, "room", "", &room)) {
        say_error(gw, reply, 400, SV("room: must be a room's name"));
    } else if (!read_query(r->query, "user", "user:", &user)) {
        say_error(gw, reply, 400, SV("user: must be a user's name"));
    } else {
        struct str_view names[2];
        struct bus_target which = {.rooms = names};
        if (room.n) names[which.nrooms++] = buf_view(&room);
        if (user.n) names[which.nrooms++] = buf_view(&user);
        questions_fetch(gw->questions, nsp.n ? buf_view(&nsp) : SV("/"), &which, 0, on_sockets,
                        admin_defer(r));
    }
    buf_fini(&nsp);
    buf_fini(&room);
    buf_fini(&user);
}
