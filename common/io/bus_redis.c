/* The Redis bus put together: its two links, the table of operations, and the timer.
 *
 *   bus_redis_out.c     what is published: kept, sent, answered
 *   bus_redis_in.c      what is subscribed and what comes in
 *   bus_redis_canary.c  is it hearing?
 *   bus_redis_nodes.c   heartbeats
 *
 * Everything is sent in flush, the turn's bus phase: subscriptions first, then messages, one write
 * for each link. What comes in is delivered in the callback that brings it; that only queues. */

/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_wire.h"
/* Io */
#include "io/bus_redis_parts.h"

#define REPLY_SPARE 65536 /* of an answer, beside the largest message */
/* Somebody else's message may be larger than ours may be. It is read and refused as long as the
 * connection can bear it, for a connection that ends costs what others say meanwhile: Redis itself
 * ends a subscriber's, by default, when that much waits for it. */
#define MESSAGE_SPARE (32u << 20)

/* ---- links */

static void on_out_up(void *arg)
{
    struct bus_redis *b = arg;
    b->bus.stats.connects++;
    b->canary_at = b->heartbeat_at = loop_now(b->loop); /* the flush of this turn sends them */
}

static void on_out_down(void *arg, const char *why)
{
    struct bus_redis *b = arg;
    (void)why; /* the link has logged it */
    b->bus.stats.disconnects++;
}

static void on_in_up(void *arg)
{
    struct bus_redis *b = arg;
    b->bus.stats.connects++;
    bus_redis_in_up(b);
}

static void on_in_down(void *arg, const char *why)
{
    struct bus_redis *b = arg;
    (void)why;
    b->bus.stats.disconnects++;
    bus_redis_in_down(b);
}

/* ---- operations */

static void finish(struct bus_redis *b, bool fits, bus_done_cb done, void *arg)
{
    if (fits)
        bus_redis_send(b, false, done, arg);
    else
        bus_redis_send_failed(b, BUS_TOO_LARGE, done, arg);
}

static void start(struct bus_redis *b)
{
    buf_clear(&b->name);
    buf_clear(&b->bytes);
}

static void publish(struct bus *bus, struct bus_msg *m, bus_done_cb done, void *arg)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    start(b);
    bool fits = bus_wire_publish(&b->name, &b->bytes, b->key, bus->uid, m);
    bus_msg_rele(m);
    finish(b, fits, done, arg);
}

static void request(struct bus *bus, const struct bus_request *r, bus_done_cb done, void *arg)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    start(b);
    bool fits = bus_wire_request(&b->name, &b->bytes, b->key, r);
    finish(b, fits, done, arg);
}

/* Requesters listen to both channels; only the ack of a server's event goes to the shared one, as
 * the reference does it. */
static void respond(struct bus *bus, const struct bus_response *r)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    struct str_view to = r->type == BUS_SERVER_ACK ? SV("") : r->to;
    start(b);
    bool fits =
        bus_name_response(&b->name, b->key, r->nsp, to) && adapter_encode_response(&b->bytes, r);
    finish(b, fits, NULL, NULL);
}

/* A name that is longer than any can be is nobody's. */
static void direct(struct bus *bus, struct str_view node, struct str_view bytes, bus_done_cb done,
                   void *arg)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    start(b);
    if (!bus_name_direct(&b->name, b->key, node))
        bus_redis_send_failed(b, BUS_NOBODY, done, arg);
    else if (!buf_add_sv(&b->bytes, bytes))
        bus_redis_send_failed(b, BUS_TOO_LARGE, done, arg);
    else
        bus_redis_send(b, true, done, arg);
}

/* name holds "<key>…#<nsp>#…": where the namespace stands follows from the key's word. */
static void want(struct bus_redis *b, bool on, bool is_pattern, enum bus_channel_kind kind,
                 const char *word, struct str_view nsp)
{
    size_t at = b->key.n + strlen(word) + 1;
    if (!on)
        bus_interest_drop(b->interest, is_pattern, buf_view(&b->name));
    else if (is_pattern) /* what is special in it may be escaped: the pattern has no view of it */
        bus_interest_add(b->interest, true, buf_view(&b->name), kind, 0, 0);
    else
        bus_interest_add(b->interest, false, buf_view(&b->name), kind, at, nsp.n);
    buf_clear(&b->name);
}

static bool hears_everything(const struct bus_redis *b)
{
    return strcmp(b->cfg->bus_subscribe, "everything") == 0;
}

/* What comes for clients, and what others ask. */
static void set_clients_part(struct bus_redis *b, struct str_view nsp, bool on)
{
    if (hears_everything(b)) {
        if (bus_name_everything(&b->name, b->key, nsp))
            want(b, on, true, BUS_CHANNEL_BROADCAST, "", nsp);
    } else if (bus_name_broadcast(&b->name, b->key, nsp, SV(""))) {
        want(b, on, false, BUS_CHANNEL_BROADCAST, "", nsp);
    }
    if (bus_name_request(&b->name, b->key, nsp))
        want(b, on, false, BUS_CHANNEL_REQUEST, "-request", nsp);
}

static void set_namespace(struct bus_redis *b, struct str_view nsp, bool on)
{
    buf_clear(&b->name);
    if (bus_redis_has_clients(b)) set_clients_part(b, nsp, on);
    if (bus_name_response(&b->name, b->key, nsp, SV("")))
        want(b, on, false, BUS_CHANNEL_RESPONSE, "-response", nsp);
    if (bus_name_response(&b->name, b->key, nsp, b->bus.uid))
        want(b, on, false, BUS_CHANNEL_RESPONSE, "-response", nsp);
}

static void enter(struct bus *bus, struct str_view nsp)
{
    set_namespace((struct bus_redis *)bus, nsp, true);
}

static void exit_nsp(struct bus *bus, struct str_view nsp)
{
    set_namespace((struct bus_redis *)bus, nsp, false);
}

/* A room that begins like the own ids is met by their pattern: a second subscription would bring its
 * messages twice. */
static void set_room(struct bus_redis *b, struct str_view nsp, struct str_view room, bool on)
{
    if (!bus_redis_has_clients(b) || hears_everything(b) || bus_redis_is_own_id(b, nsp, room))
        return;
    buf_clear(&b->name);
    if (bus_name_broadcast(&b->name, b->key, nsp, room))
        want(b, on, false, BUS_CHANNEL_BROADCAST, "", nsp);
}

static void join(struct bus *bus, struct str_view nsp, struct str_view room)
{
    set_room((struct bus_redis *)bus, nsp, room, true);
}

static void leave(struct bus *bus, struct str_view nsp, struct str_view room)
{
    set_room((struct bus_redis *)bus, nsp, room, false);
}

static bool is_synced(struct bus *bus)
{
    return bus_interest_is_synced(((const struct bus_redis *)bus)->interest);
}

static void sync(struct bus *bus, bus_done_cb done, void *arg)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    bus_interest_wait(b->interest, loop_now(b->loop), done, arg);
}

/* ---- the turn */

static void arm(struct bus_redis *b)
{
    uint64_t at = bus_redis_canary_deadline(b), other;
    if (b->heartbeat_at < at) at = b->heartbeat_at;
    if ((other = bus_redis_out_deadline(b)) < at) at = other;
    other = bus_interest_deadline(b->interest, (uint64_t)b->cfg->bus_pending_max_age);
    if (other < at) at = other;
    if (!wheel_is_set(&b->timer) || b->timer.deadline != at)
        wheel_set(loop_wheel(b->loop), &b->timer, at);
}

/* The flush of the same turn does what is due. */
static void on_timer(struct wheel_entry *e)
{
    (void)e;
}

static bool flush(struct bus *bus)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    bus_redis_in_flush(b);
    bus_redis_canary_tick(b);
    bus_redis_nodes_tick(b);
    bus_redis_out_flush(b);
    b->bus.stats.channels = bus_interest_count(b->interest);
    b->bus.stats.canary_age_ms = loop_now(b->loop) - b->heard_at;
    arm(b);
    return b->owed != NULL;
}

/* ---- life */

static void free_bus(struct bus *bus)
{
    struct bus_redis *b = (struct bus_redis *)bus;
    if (b->out) bus_redis_nodes_leave(b);
    redis_link_free(b->in);
    redis_link_free(b->out); /* tells what is on its way: BUS_UNCERTAIN */
    bus_redis_out_fini(b);
    bus_interest_free(b->interest);
    bus_redis_nodes_fini(b);
    adapter_decoder_free(b->decoder);
    wheel_drop(loop_wheel(b->loop), &b->timer);
    buf_fini(&b->name);
    buf_fini(&b->bytes);
    x_free(b);
}

static bool make_links(struct bus_redis *b, struct cfg_error *err)
{
    static const struct redis_link_events out = {.up = on_out_up, .down = on_out_down};
    static const struct redis_link_events in = {.up = on_in_up,
                                                .down = on_in_down,
                                                .message = bus_redis_on_message,
                                                .subscribed = bus_redis_on_subscribed};
    size_t max = (size_t)b->cfg->bus_max_message;
    b->out = redis_link_new(b->cfg, b->loop, BUS_REDIS_OUT, max + REPLY_SPARE, &out, b, err);
    b->in = redis_link_new(b->cfg, b->loop, BUS_REDIS_IN, max + MESSAGE_SPARE, &in, b, err);
    return b->out && b->in;
}

/* What this node hears whatever its clients do. */
static void want_basics(struct bus_redis *b)
{
    buf_clear(&b->name);
    if (bus_name_canary(&b->name, b->key, b->bus.uid))
        want(b, true, false, BUS_CHANNEL_CANARY, "", SV(""));
    if (b->bus.events->direct && bus_name_direct(&b->name, b->key, b->bus.uid))
        want(b, true, false, BUS_CHANNEL_DIRECT, "", SV(""));
    if (bus_redis_has_clients(b) && !hears_everything(b) &&
        bus_name_own_ids(&b->name, b->key, b->bus.uid))
        want(b, true, true, BUS_CHANNEL_OWN_IDS, "", SV(""));
}

struct bus *bus_redis_new(const struct cfg *cfg, struct loop *loop, const struct bus_events *events,
                          void *arg, struct str_view uid, struct cfg_error *err)
{
    static const struct bus_ops ops = {.publish = publish,
                                       .enter = enter,
                                       .exit = exit_nsp,
                                       .join = join,
                                       .leave = leave,
                                       .is_synced = is_synced,
                                       .sync = sync,
                                       .request = request,
                                       .respond = respond,
                                       .count = bus_redis_count,
                                       .direct = direct,
                                       .flush = flush,
                                       .trouble = bus_redis_trouble,
                                       .nodes = bus_redis_nodes,
                                       .free = free_bus};
    struct bus_redis *b = x_calloc(1, sizeof(*b));
    struct adapter_limits limits = {.max_bytes = (size_t)cfg->bus_max_message,
                                    .max_depth = (unsigned)cfg->socketio_max_json_depth,
                                    .max_names = (unsigned)cfg->socketio_max_rooms,
                                    .max_attachments = (unsigned)cfg->socketio_max_attachments};
    b->bus = (struct bus){.ops = &ops, .events = events, .arg = arg, .uid = uid};
    b->cfg = cfg;
    b->loop = loop;
    b->key = sv_of(cfg->bus_key);
    b->timer.fire = on_timer;
    b->waiting_last = &b->waiting;
    b->interest = bus_interest_new();
    b->decoder = adapter_decoder_new(&limits);
    buf_init(&b->name, BUS_NAME_MAX);
    buf_init(&b->bytes, (size_t)cfg->bus_max_message);
    want_basics(b);
    if (!make_links(b, err)) {
        free_bus(&b->bus);
        return NULL;
    }
    redis_link_open(b->out);
    redis_link_open(b->in);
    arm(b);
    return &b->bus;
}
