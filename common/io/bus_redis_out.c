/* What goes to Redis.
 *
 * An item is one PUBLISH. While the bus hears, it goes straight to the link and only its head stays,
 * for the answer; else it waits with a copy of its bytes. Nothing is published while the bus is
 * deaf: the own clients, and with a restarted Redis most others, would not hear it. An item that was
 * on its way when the link broke is not sent again, since it may have been delivered. */

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
    size_t name_len, payload_len; /* of bytes, while it waits */
    char bytes[];
};

static bool may_send(const struct bus_redis *b)
{
    return b->is_hearing && redis_link_is_up(b->out);
}

/* ---- the end of an item */

static void count_outcome(struct bus_stats *s, enum bus_outcome outcome)
{
    switch (outcome) {
    case BUS_TAKEN: s->published++; break;
    case BUS_REFUSED: s->refused++; break;
    case BUS_TOO_LARGE: s->too_large++; break;
    case BUS_UNCERTAIN: s->uncertain++; break;
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

static void on_published(const struct redis_reply *r, void *arg)
{
    struct out_item *i = arg;
    if (!r) {
        settle(i, BUS_UNCERTAIN);
    } else if (redis_reply_kind(r) == REDIS_LINK_ERROR) {
        log_warn("Redis refuses a message: %.*s", SV_ARG(redis_reply_text(r)));
        settle(i, BUS_REFUSED);
    } else {
        settle(i, BUS_TAKEN);
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

static void keep(struct bus_redis *b, bus_done_cb done, void *arg)
{
    struct out_item *i = item_new(b, b->name.n + b->bytes.n, done, arg);
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

void bus_redis_send(struct bus_redis *b, bus_done_cb done, void *arg)
{
    uint64_t bytes = b->bus.stats.pending_bytes + OUT_ITEM_COST + b->name.n + b->bytes.n;
    if (b->bytes.n > (size_t)b->cfg->bus_max_message)
        bus_redis_send_failed(b, BUS_TOO_LARGE, done, arg);
    else if (bytes > (uint64_t)b->cfg->bus_pending_max_bytes)
        bus_redis_send_failed(b, BUS_REFUSED, done, arg);
    else if (may_send(b) && !b->waiting)
        command(b, buf_view(&b->name), buf_view(&b->bytes), item_new(b, 0, done, arg));
    else
        keep(b, done, arg);
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
    while (b->waiting && may_send(b)) {
        struct out_item *i = take_first(b);
        struct str_view name = sv_make(i->bytes, i->name_len);
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

struct count {
    bus_count_cb cb;
    void *arg;
};

static void on_count(const struct redis_reply *r, void *arg)
{
    struct count *c = arg;
    bool good =
        r && redis_reply_count(r) == 2 && redis_reply_kind(redis_reply_at(r, 1)) == REDIS_LINK_INT;
    c->cb(good ? redis_reply_int(redis_reply_at(r, 1)) : -1, c->arg);
    x_free(c);
}

static void on_not_counted(enum bus_outcome outcome, void *arg)
{
    (void)outcome;
    on_count(NULL, arg);
}

void bus_redis_count(struct bus *bus, struct str_view nsp, bus_count_cb cb, void *arg)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    struct count *c = x_malloc(sizeof(*c));
    *c = (struct count){cb, arg};
    buf_clear(&b->name);
    if (!may_send(b) || !bus_name_request(&b->name, b->key, nsp)) {
        bus_redis_send_failed(b, BUS_REFUSED, on_not_counted, c);
        return;
    }
    const struct str_view argv[] = {SV("PUBSUB"), SV("NUMSUB"), buf_view(&b->name)};
    redis_link_command(b->out, on_count, c, 3, argv);
}
