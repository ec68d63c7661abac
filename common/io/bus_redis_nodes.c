/* Heartbeats: each gateway keeps a key about itself that expires, and reads who else has one. Redis's
 * clock decides what has expired, so the hosts' clocks do not matter. A set lists the names; those
 * whose key is gone are taken out by whoever sees it. */

/* System */
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Io */
#include "io/bus_redis_parts.h"

#define NODES_MAX 4096 /* more are not looked at */
#define NOTE_MAX 4096

/* ---- writing */

static void on_written(const struct redis_reply *r, void *arg)
{
    struct bus_redis *b = arg;
    if (!r || redis_reply_kind(r) != REDIS_LINK_ERROR) return;
    struct str_view text = redis_reply_text(r);
    if (!sv_starts_with(text, SV("READONLY"))) return;
    /* Not the master any more: whoever publishes here reaches nobody. */
    redis_link_restart(b->out, "Redis has become a replica");
    redis_link_restart(b->in, "Redis has become a replica");
}

static bool write_note(struct bus_redis *b)
{
    char ms[24];
    buf_clear(&b->name);
    buf_clear(&b->bytes);
    bool fits = bus_name_node(&b->name, b->key, b->bus.uid) &&
                buf_addf(&b->bytes, "{\"id\":\"%.*s\"", SV_ARG(b->bus.uid)) &&
                (!b->bus.events->describe || b->bus.events->describe(&b->bytes, b->bus.arg)) &&
                buf_add_char(&b->bytes, '}');
    if (!fits) return false;
    int n = snprintf(ms, sizeof(ms), "%lld", (long long)b->cfg->bus_heartbeat_timeout);
    const struct str_view argv[] = {SV("SET"), buf_view(&b->name), buf_view(&b->bytes), SV("PX"),
                                    sv_make(ms, (size_t)n)};
    redis_link_command(b->out, on_written, b, 5, argv);
    return true;
}

/* ---- reading */

struct listing {
    struct bus_redis *bus;
    size_t n;
    struct str_view *ids;
    struct buf bytes;
};

static void listing_free(struct listing *l)
{
    buf_fini(&l->bytes);
    x_free(l->ids);
    x_free(l);
}

static void take_over(struct bus_redis *b, struct listing *l, const bool *alive)
{
    bus_redis_nodes_fini(b);
    b->nodes = x_calloc(l->n ? l->n : 1, sizeof(*b->nodes));
    b->node_names = l->bytes.p;
    l->bytes = (struct buf){0};
    for (size_t i = 0; i < l->n; i++)
        if (alive[i]) b->nodes[b->nnodes++].id = l->ids[i];
}

static void take_out(struct bus_redis *b, struct str_view id)
{
    buf_clear(&b->name);
    if (!redis_link_is_up(b->out) || !bus_name_nodes(&b->name, b->key)) return;
    const struct str_view argv[] = {SV("SREM"), buf_view(&b->name), id};
    redis_link_command(b->out, NULL, NULL, 3, argv);
}

static void on_notes(const struct redis_reply *r, void *arg)
{
    struct listing *l = arg;
    if (r && redis_reply_count(r) == l->n) {
        bool *alive = x_calloc(l->n, sizeof(*alive));
        for (size_t i = 0; i < l->n; i++) {
            alive[i] = redis_reply_kind(redis_reply_at(r, i)) == REDIS_LINK_TEXT;
            if (!alive[i]) take_out(l->bus, l->ids[i]);
        }
        take_over(l->bus, l, alive);
        x_free(alive);
    }
    listing_free(l);
}

/* False: no place for more. */
static bool add_id(struct listing *l, struct str_view id)
{
    if (id.n == 0 || id.n > 64) return true; /* none of ours */
    if (!buf_add_sv(&l->bytes, id)) return false;
    l->ids[l->n++].n = id.n;
    return true;
}

static void on_members(const struct redis_reply *r, void *arg)
{
    struct bus_redis *b = arg;
    size_t n = r ? redis_reply_count(r) : 0;
    if (n == 0 || !redis_link_is_up(b->out)) return;
    if (n > NODES_MAX) n = NODES_MAX;
    struct listing *l = x_calloc(1, sizeof(*l));
    l->bus = b;
    l->ids = x_calloc(n, sizeof(*l->ids));
    buf_init(&l->bytes, NODES_MAX * 64);
    for (size_t i = 0; i < n && add_id(l, redis_reply_text(redis_reply_at(r, i))); i++)
        ;
    size_t at = 0;
    for (size_t i = 0; i < l->n; at += l->ids[i++].n)
        l->ids[i].p = l->bytes.p + at;

    struct str_view *argv = x_calloc(l->n + 1, sizeof(*argv));
    struct buf names;
    buf_init(&names, (l->n + 1) * BUS_NAME_MAX);
    argv[0] = SV("MGET");
    bool fits = l->n > 0;
    for (size_t i = 0; fits && i < l->n; i++) {
        size_t before = names.n;
        fits = bus_name_node(&names, b->key, l->ids[i]);
        argv[i + 1].n = names.n - before;
    }
    at = 0;
    for (size_t i = 1; fits && i <= l->n; at += argv[i++].n)
        argv[i].p = names.p + at;
    if (fits)
        redis_link_command(b->out, on_notes, l, l->n + 1, argv);
    else
        listing_free(l);
    buf_fini(&names);
    x_free(argv);
}

void bus_redis_nodes_tick(struct bus_redis *b)
{
    uint64_t now = loop_now(b->loop);
    if (now < b->heartbeat_at) return;
    b->heartbeat_at = now + (uint64_t)b->cfg->bus_heartbeat_interval;
    if (!redis_link_is_up(b->out) || !write_note(b)) return;
    buf_clear(&b->name);
    if (!bus_name_nodes(&b->name, b->key)) return;
    const struct str_view add[] = {SV("SADD"), buf_view(&b->name), b->bus.uid};
    redis_link_command(b->out, NULL, NULL, 3, add);
    const struct str_view list[] = {SV("SMEMBERS"), buf_view(&b->name)};
    redis_link_command(b->out, on_members, b, 2, list);
}

void bus_redis_nodes_leave(struct bus_redis *b)
{
    if (!redis_link_is_up(b->out)) return;
    buf_clear(&b->name);
    if (bus_name_node(&b->name, b->key, b->bus.uid)) {
        const struct str_view argv[] = {SV("DEL"), buf_view(&b->name)};
        redis_link_command(b->out, NULL, NULL, 2, argv);
    }
    take_out(b, b->bus.uid);
    redis_link_flush(b->out);
}

const struct bus_node *bus_redis_nodes(struct bus *bus, size_t *n)
{
    const struct bus_redis *b = (const struct bus_redis *)bus;
    *n = b->nnodes;
    return b->nodes;
}

void bus_redis_nodes_fini(struct bus_redis *b)
{
    x_free(b->nodes);
    x_free(b->node_names);
    b->nodes = NULL;
    b->node_names = NULL;
    b->nnodes = 0;
}
