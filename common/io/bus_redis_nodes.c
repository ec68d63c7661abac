/* Heartbeats: each gateway keeps a key about itself that expires, and reads who else has one. Redis's
 * clock decides what has expired, so the hosts' clocks do not matter. A set lists the names; those
 * whose key is gone are taken out by whoever sees it. A node without clients keeps a key too (who writes
 * notices when Redis has become a replica), but is not in the set.
 *
 * Others may have written there: no more names are asked for than are looked at, and of the keys only
 * whether they are there, since an answer that is too large costs the connection. */

/* System */
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Io */
#include "io/bus_redis_parts.h"

#define NODES_MAX 4096 /* more are not looked at */
#define ID_MAX 64
#define NOTE_MAX 4096

/* ---- writing */

static void on_written(const struct redis_reply *r, void *arg)
{
    struct bus_redis *b = arg;
    if (!r || redis_reply_kind(r) != REDIS_LINK_ERROR) return;
    struct str_view text = redis_reply_text(r);
    if (!sv_starts_with(text, SV("READONLY"))) {
        bus_redis_log_refusal(b, text); /* else nobody knew why this node is not listed */
        return;
    }
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

/* One name of the set. */
struct found {
    struct listing *in;
    struct str_view id;
    bool is_alive;
};

struct listing {
    struct bus_redis *bus;
    struct found *found;
    size_t n, left; /* left: not answered yet */
    bool is_whole;
    struct buf bytes;
};

static void listing_free(struct listing *l)
{
    buf_fini(&l->bytes);
    x_free(l->found);
    x_free(l);
}

static void take_out(struct bus_redis *b, struct str_view id)
{
    buf_clear(&b->name);
    if (!redis_link_is_up(b->out) || !bus_name_nodes(&b->name, b->key)) return;
    const struct str_view argv[] = {SV("SREM"), buf_view(&b->name), id};
    redis_link_command(b->out, NULL, NULL, 3, argv);
}

static void take_over(struct listing *l)
{
    struct bus_redis *b = l->bus;
    bus_redis_nodes_fini(b);
    b->nodes = x_calloc(l->n, sizeof(*b->nodes));
    b->node_names = l->bytes.p;
    l->bytes = (struct buf){0};
    for (size_t i = 0; i < l->n; i++) {
        if (l->found[i].is_alive)
            b->nodes[b->nnodes++].id = l->found[i].id;
        else
            take_out(b, l->found[i].id);
    }
}

static void on_exists(const struct redis_reply *r, void *arg)
{
    struct found *f = arg;
    struct listing *l = f->in;
    if (r && redis_reply_kind(r) == REDIS_LINK_INT)
        f->is_alive = redis_reply_int(r) > 0;
    else
        l->is_whole = false;
    if (--l->left) return;
    if (l->is_whole) take_over(l);
    listing_free(l);
}

static void add_id(struct listing *l, struct str_view id)
{
    if (id.n == 0 || id.n > ID_MAX) return; /* none of ours */
    if (buf_add_sv(&l->bytes, id)) l->found[l->n++].id.n = id.n;
}

static struct listing *listing_new(struct bus_redis *b, const struct redis_reply *r, size_t n)
{
    struct listing *l = x_calloc(1, sizeof(*l));
    l->bus = b;
    l->is_whole = true;
    l->found = x_calloc(n, sizeof(*l->found));
    buf_init(&l->bytes, n * ID_MAX);
    for (size_t i = 0; i < n; i++)
        add_id(l, redis_reply_text(redis_reply_at(r, i)));
    size_t at = 0;
    for (size_t i = 0; i < l->n; at += l->found[i++].id.n) {
        l->found[i].in = l;
        l->found[i].id.p = l->bytes.p + at;
    }
    return l;
}

static void on_members(const struct redis_reply *r, void *arg)
{
    struct bus_redis *b = arg;
    size_t n = r ? redis_reply_count(r) : 0;
    if (n == 0 || n > NODES_MAX || !redis_link_is_up(b->out)) return;
    struct listing *l = listing_new(b, r, n);
    l->left = l->n;
    for (size_t i = 0; i < l->n; i++) {
        buf_clear(&b->name);
        bool fits = bus_name_node(&b->name, b->key, l->found[i].id);
        assert(fits); /* key and id are bounded */
        (void)fits;
        const struct str_view argv[] = {SV("EXISTS"), buf_view(&b->name)};
        redis_link_command(b->out, on_exists, &l->found[i], 2, argv);
    }
    if (!l->n) listing_free(l);
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
    if (bus_redis_has_clients(b)) redis_link_command(b->out, NULL, NULL, 3, add);
    char most[24];
    int n = snprintf(most, sizeof(most), "%d", NODES_MAX);
    const struct str_view list[] = {SV("SRANDMEMBER"), buf_view(&b->name),
                                    sv_make(most, (size_t)n)};
    redis_link_command(b->out, on_members, b, 3, list);
}

void bus_redis_nodes_leave(struct bus_redis *b)
{
    if (!redis_link_is_up(b->out)) return;
    buf_clear(&b->name);
    if (bus_name_node(&b->name, b->key, b->bus.uid)) {
        const struct str_view argv[] = {SV("DEL"), buf_view(&b->name)};
        redis_link_command(b->out, NULL, NULL, 2, argv);
    }
    if (bus_redis_has_clients(b)) take_out(b, b->bus.uid);
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
