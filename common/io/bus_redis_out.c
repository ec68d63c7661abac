/* What goes to Redis.
 *
 * An item is one PUBLISH. While the bus hears, it goes straight to the link and only its head stays,
 * for the answer; else it waits with a copy of its bytes. Nothing is published while the bus is
 * deaf: the own clients, and with a restarted Redis most others, would not hear it. For the same
 * reason an item waits while its channel is being subscribed here, for the two links may overtake each
 * other; and what comes later waits behind it, so that what one client says keeps its order. An item
 * that was on its way when the link broke is not sent again, since it may have been delivered. */

/* System */
#include <assert.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/bus_redis_parts.h"

#define OUT_ITEM_COST 256 /* bytes that one more item counts for beside its own */

struct out_item {
    struct out_item *next;
    struct bus_redis *bus;
    bus_done_cb done;
    void *arg;
    uint64_t since;
    size_t size; /* what it counts for in pending_bytes */
    enum bus_outcome outcome;
    bool is_direct;
    size_t name_len, payload_len; /* of bytes, while it waits */
    char bytes[];
};

static bool may_send(const struct bus_redis *b)
{
    return b->is_hearing && redis_link_is_up(b->out);
}

static bool may_send_to(const struct bus_redis *b, struct str_view channel)
{
    return may_send(b) && !bus_interest_is_pending(b->interest, false, channel);
}

/* ---- the end of an item */

static void count_outcome(struct bus_stats *s, enum bus_outcome outcome)
{
    switch (outcome) {
    case BUS_TAKEN: s->published++; break;
    case BUS_REFUSED: s->refused++; break;
    case BUS_TOO_LARGE: s->too_large++; break;
    case BUS_UNCERTAIN: s->uncertain++; break;
    case BUS_NOBODY: s->nobody++; break;
    }
}

static void settle(struct out_item *i, enum bus_outcome outcome)
{
    struct bus_redis *b = i->bus;
    b->bus.stats.pending--;
    b->bus.stats.pending_bytes -= i->size;
    count_outcome(&b->bus.stats, outcome);
    if (i->done) i->done(outcome, i->arg);
    x_free(i);
}

void bus_redis_log_refusal(struct bus_redis *b, struct str_view why)
{
    uint64_t now = loop_now(b->loop);
    if (b->refusal_logged_at && now - b->refusal_logged_at < BUS_REDIS_LOG_MS) return;
    b->refusal_logged_at = now;
    log_warn("Redis refuses: %.*s", SV_ARG(why));
}

static void on_published(const struct redis_reply *r, void *arg)
{
    struct out_item *i = arg;
    if (!r) {
        settle(i, BUS_UNCERTAIN);
    } else if (redis_reply_kind(r) == REDIS_LINK_ERROR) {
        bus_redis_log_refusal(i->bus, redis_reply_text(r));
        settle(i, BUS_REFUSED);
    } else {
        bool is_lost = i->is_direct && redis_reply_int(r) == 0; /* how many have heard it */
        settle(i, is_lost ? BUS_NOBODY : BUS_TAKEN);
    }
}

static void owe(struct bus_redis *b, struct out_item *i, enum bus_outcome outcome)
{
    i->outcome = outcome;
    i->next = b->owed;
    b->owed = i;
}

/* ---- the start of an item */

static struct out_item *item_new(struct bus_redis *b, size_t kept, bus_done_cb done, void *arg)
{
    struct out_item *i = x_malloc(sizeof(*i) + kept);
    *i = (struct out_item){.bus = b, .done = done, .arg = arg, .since = loop_now(b->loop)};
    i->size = OUT_ITEM_COST + b->name.n + b->bytes.n;
    b->bus.stats.pending++;
    b->bus.stats.pending_bytes += i->size;
    return i;
}

static void command(struct bus_redis *b, struct str_view name, struct str_view payload,
                    struct out_item *i)
{
    const struct str_view argv[] = {SV("PUBLISH"), name, payload};
    redis_link_command(b->out, on_published, i, 3, argv);
}

static void keep(struct bus_redis *b, bool is_direct, bus_done_cb done, void *arg)
{
    struct out_item *i = item_new(b, b->name.n + b->bytes.n, done, arg);
    i->is_direct = is_direct;
    i->name_len = b->name.n;
    i->payload_len = b->bytes.n;
    memcpy(i->bytes, b->name.p, b->name.n);
    memcpy(i->bytes + b->name.n, b->bytes.p, b->bytes.n);
    *b->waiting_last = i;
    b->waiting_last = &i->next;
}

void bus_redis_send_failed(struct bus_redis *b, enum bus_outcome outcome, bus_done_cb done,
                           void *arg)
{
    buf_clear(&b->name);
    buf_clear(&b->bytes);
    owe(b, item_new(b, 0, done, arg), outcome);
}

static void send_now(struct bus_redis *b, bool is_direct, bus_done_cb done, void *arg)
{
    struct out_item *i = item_new(b, 0, done, arg);
    i->is_direct = is_direct;
    command(b, buf_view(&b->name), buf_view(&b->bytes), i);
}

void bus_redis_send(struct bus_redis *b, bool is_direct, bus_done_cb done, void *arg)
{
    uint64_t bytes = b->bus.stats.pending_bytes + OUT_ITEM_COST + b->name.n + b->bytes.n;
    if (b->bytes.n > (size_t)b->cfg->bus_max_message)
        bus_redis_send_failed(b, BUS_TOO_LARGE, done, arg);
    else if (bytes > (uint64_t)b->cfg->bus_pending_max_bytes)
        bus_redis_send_failed(b, BUS_REFUSED, done, arg);
    else if (!b->waiting && may_send_to(b, buf_view(&b->name)))
        send_now(b, is_direct, done, arg);
    else
        keep(b, is_direct, done, arg);
}

/* ---- the turn's end */

static struct out_item *take_first(struct bus_redis *b)
{
    struct out_item *i = b->waiting;
    b->waiting = i->next;
    if (!b->waiting) b->waiting_last = &b->waiting;
    return i;
}

static void tell_owed(struct bus_redis *b)
{
    struct out_item *list = NULL, *next;
    for (struct out_item *i = b->owed; i; i = next) { /* oldest first */
        next = i->next;
        i->next = list;
        list = i;
    }
    b->owed = NULL;
    for (struct out_item *i = list; i; i = next) {
        next = i->next;
        settle(i, i->outcome);
    }
}

static void send_waiting(struct bus_redis *b)
{
    while (b->waiting) {
        struct str_view name = sv_make(b->waiting->bytes, b->waiting->name_len);
        if (!may_send_to(b, name)) return;
        struct out_item *i = take_first(b);
        command(b, name, sv_make(i->bytes + i->name_len, i->payload_len), i);
    }
}

static void drop_old(struct bus_redis *b)
{
    while (b->waiting && loop_now(b->loop) >= bus_redis_out_deadline(b))
        settle(take_first(b), BUS_REFUSED);
}

uint64_t bus_redis_out_deadline(const struct bus_redis *b)
{
    return b->waiting ? b->waiting->since + (uint64_t)b->cfg->bus_pending_max_age : WHEEL_NEVER;
}

void bus_redis_out_flush(struct bus_redis *b)
{
    tell_owed(b);
    send_waiting(b);
    drop_old(b);
    if (redis_link_is_up(b->out)) redis_link_flush(b->out);
}

void bus_redis_out_fini(struct bus_redis *b)
{
    tell_owed(b);
    while (b->waiting)
        settle(take_first(b), BUS_REFUSED);
    tell_owed(b);
}

/* ---- how many listen */

/* Beside all who take requests, each known gateway is asked for: it alone hears the channel of its own
 * answers. The heartbeats' list may change meanwhile, so the names are copied. */
struct count {
    bus_count_cb cb;
    void *arg;
    size_t n;
    struct bus_node *known;
    struct buf names;
};

static void count_free(struct count *c)
{
    buf_fini(&c->names);
    x_free(c->known);
    x_free(c);
}

static struct count *count_new(const struct bus_redis *b, bus_count_cb cb, void *arg)
{
    struct count *c = x_malloc(sizeof(*c));
    size_t bytes = 0;
    *c = (struct count){.cb = cb, .arg = arg};
    c->known = x_calloc(b->nnodes + 1, sizeof(*c->known));
    for (size_t i = 0; i < b->nnodes; i++)
        bytes += b->nodes[i].id.n;
    buf_init(&c->names, bytes + 1);
    char *at = bytes ? buf_room(&c->names, bytes) : NULL;
    for (size_t i = 0; i < b->nnodes; i++) {
        struct str_view id = b->nodes[i].id;
        if (sv_eq(id, b->bus.uid) || !buf_add_sv(&c->names, id)) continue;
        c->known[c->n++].id = sv_make(at, id.n);
        at += id.n;
    }
    return c;
}

/* Pairs of a channel and its number of subscribers; false: the answer is something else. */
static bool read_number(const struct redis_reply *r, size_t pair, int64_t *n)
{
    const struct redis_reply *number = redis_reply_at(r, 2 * pair + 1);
    if (redis_reply_kind(number) != REDIS_LINK_INT) return false;
    *n = redis_reply_int(number);
    return true;
}

static void on_count(const struct redis_reply *r, void *arg)
{
    struct count *c = arg;
    int64_t all = -1, own;
    size_t n = 0;
    bool good = r && redis_reply_count(r) == 2 * (c->n + 1) && read_number(r, 0, &all);
    for (size_t i = 0; good && i < c->n; i++)
        if (read_number(r, i + 1, &own) && own > 0) c->known[n++] = c->known[i];
    c->cb(good ? all : -1, c->known, n, c->arg);
    count_free(c);
}

static void on_not_counted(enum bus_outcome outcome, void *arg)
{
    (void)outcome;
    on_count(NULL, arg);
}

/* The command's words behind the first two, one behind the other in names. */
static bool name_channels(const struct bus_redis *b, struct str_view nsp, const struct count *c,
                          struct str_view *argv, struct buf *names)
{
    bool fits = bus_name_request(names, b->key, nsp);
    argv[0].n = names->n;
    for (size_t i = 0; fits && i < c->n; i++) {
        size_t before = names->n;
        fits = bus_name_response(names, b->key, nsp, c->known[i].id);
        argv[i + 1].n = names->n - before;
    }
    size_t at = 0;
    for (size_t i = 0; i <= c->n; at += argv[i++].n)
        argv[i].p = names->p + at;
    return fits;
}

void bus_redis_count(struct bus *bus, struct str_view nsp, bus_count_cb cb, void *arg)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    struct count *c = count_new(b, cb, arg);
    struct str_view *argv = x_calloc(c->n + 3, sizeof(*argv));
    struct buf names;
    buf_init(&names, (c->n + 1) * BUS_NAME_MAX);
    argv[0] = SV("PUBSUB");
    argv[1] = SV("NUMSUB");
    if (may_send(b) && name_channels(b, nsp, c, argv + 2, &names))
        redis_link_command(b->out, on_count, c, c->n + 3, argv);
    else
        bus_redis_send_failed(b, BUS_REFUSED, on_not_counted, c);
    buf_fini(&names);
    x_free(argv);
}
