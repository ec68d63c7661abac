/* Namespaces and rooms are other people's words and may hold any byte, a '#' too. So two pairs of
 * namespace and room can share a channel's name (the wire's fault): a message says itself which
 * namespace it is for. */

/* System */
#include <stdio.h>
/* Cluster */
#include "cluster/bus_names.h"

/* Appends the parts one behind the other, or nothing. */
static bool join(struct buf *out, const struct str_view *parts, size_t n)
{
    size_t start = out->n;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = buf_add_sv(out, parts[i]);
    if (ok && out->n - start <= BUS_NAME_MAX) return true;
    out->n = start;
    return false;
}

#define JOIN(out, ...)                                                                             \
    join((out), (const struct str_view[]){__VA_ARGS__},                                            \
         sizeof((const struct str_view[]){__VA_ARGS__}) / sizeof(struct str_view))

/* Room for a name in which each byte may be escaped. */
#define ESCAPED_MAX (2 * BUS_NAME_MAX)

struct escaped {
    char bytes[ESCAPED_MAX];
    size_t n;
};

/* So that Redis' glob takes every byte of it as it is. False: too long. */
static bool escape(struct escaped *to, struct str_view v)
{
    to->n = 0;
    if (v.n > BUS_NAME_MAX) return false;
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') to->bytes[to->n++] = '\\';
        to->bytes[to->n++] = c;
    }
    return true;
}

static struct str_view escaped_view(const struct escaped *e)
{
    return sv_make(e->bytes, e->n);
}

bool bus_name_broadcast(struct buf *out, struct str_view key, struct str_view nsp,
                        struct str_view room)
{
    return JOIN(out, key, SV("#"), nsp, SV("#"), room, room.n ? SV("#") : SV(""));
}

bool bus_name_everything(struct buf *out, struct str_view key, struct str_view nsp)
{
    struct escaped k, n;
    return escape(&k, key) && escape(&n, nsp) &&
           JOIN(out, escaped_view(&k), SV("#"), escaped_view(&n), SV("#*"));
}

bool bus_name_own_ids(struct buf *out, struct str_view key, struct str_view node)
{
    struct escaped k, n;
    return escape(&k, key) && escape(&n, node) &&
           JOIN(out, escaped_view(&k), SV("#*#"), escaped_view(&n), SV("*"));
}

bool bus_name_request(struct buf *out, struct str_view key, struct str_view nsp)
{
    return JOIN(out, key, SV("-request#"), nsp, SV("#"));
}

bool bus_name_response(struct buf *out, struct str_view key, struct str_view nsp,
                       struct str_view uid)
{
    return JOIN(out, key, SV("-response#"), nsp, SV("#"), uid, uid.n ? SV("#") : SV(""));
}

/* Takes prefix off *s. */
static bool take(struct str_view *s, struct str_view prefix)
{
    if (!sv_starts_with(*s, prefix)) return false;
    *s = sv_skip(*s, prefix.n);
    return true;
}

bool bus_name_room_of(struct str_view channel, struct str_view key, struct str_view nsp,
                      struct str_view *room)
{
    if (!take(&channel, key) || !take(&channel, SV("#")) || !take(&channel, nsp) ||
        !take(&channel, SV("#")))
        return false;
    if (channel.n && channel.p[channel.n - 1] != '#') return false;
    *room = sv_make(channel.p, channel.n ? channel.n - 1 : 0);
    return true;
}

bool bus_name_canary(struct buf *out, struct str_view key, struct str_view node)
{
    return JOIN(out, key, SV("-peal-canary#"), node);
}

bool bus_name_direct(struct buf *out, struct str_view key, struct str_view node)
{
    return JOIN(out, key, SV("-peal-direct#"), node);
}

bool bus_name_nodes(struct buf *out, struct str_view key)
{
    return JOIN(out, key, SV("-peal-nodes"));
}

bool bus_name_node(struct buf *out, struct str_view key, struct str_view node)
{
    return JOIN(out, key, SV("-peal-node#"), node);
}

static bool partition_name(struct buf *out, struct str_view key, struct str_view what,
                           unsigned partition)
{
    char number[16];
    int n = snprintf(number, sizeof(number), "{%u}", partition);
    return JOIN(out, key, what, sv_make(number, (size_t)n));
}

bool bus_name_work(struct buf *out, struct str_view key, unsigned partition)
{
    return partition_name(out, key, SV("-peal-work#"), partition);
}

bool bus_name_lease(struct buf *out, struct str_view key, unsigned partition)
{
    return partition_name(out, key, SV("-peal-lease#"), partition);
}

bool bus_name_tries(struct buf *out, struct str_view key, unsigned partition)
{
    return partition_name(out, key, SV("-peal-tries#"), partition);
}

bool bus_name_held(struct buf *out, struct str_view key, unsigned partition)
{
    return partition_name(out, key, SV("-peal-held#"), partition);
}

bool bus_name_dead(struct buf *out, struct str_view key)
{
    return JOIN(out, key, SV("-peal-dead"));
}

bool bus_name_workers(struct buf *out, struct str_view key)
{
    return JOIN(out, key, SV("-peal-workers"));
}

bool bus_name_partitions(struct buf *out, struct str_view key)
{
    return JOIN(out, key, SV("-peal-partitions"));
}

bool bus_name_sockets(struct buf *out, struct str_view key, struct str_view node)
{
    return JOIN(out, key, SV("-peal-sockets#"), node);
}

bool bus_name_all_sockets(struct buf *out, struct str_view key)
{
    struct escaped k;
    return escape(&k, key) && bus_name_sockets(out, escaped_view(&k), SV("*"));
}
