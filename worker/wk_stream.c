/* The feed put together: leases and what follows from them.
 *
 *   wk_lease.c        who has which partition
 *   wk_window.c       what is in hand of one
 *   wk_stream_in.c    reading, and giving out
 *   wk_stream_out.c   results and notes on their way to Redis
 *
 * An item is in hand from when it is read until Redis has confirmed that it is away; so a partition that
 * is given back has nothing on its way, and the window bounds what waits for Redis, too. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Worker */
#include "wk_stream_parts.h"

/* ---- leases */

static void on_taken(void *arg, unsigned p, bool is_heir)
{
    struct wk_stream *s = arg;
    struct wk_stream_part *part = &s->parts[p];
    wk_window_open(&part->window, is_heir ? s->set.in_hand : 0);
    part->epoch = wk_lease_epoch(s->lease, p);
    part->is_open = true;
    part->is_settled = !is_heir;
    s->feed.stats.leases++;
    s->feed.stats.partitions++;
}

static void close_part(struct wk_stream *s, unsigned p)
{
    struct wk_stream_part *part = &s->parts[p];
    if (!part->is_open) return;
    part->is_open = part->is_read = part->has_suspect = part->is_doubted = false;
    s->feed.stats.partitions--;
    s->feed.stats.in_hand -= part->window.in_hand;
    wk_stream_drop_acts(s, p);
    wk_kept_free(part->noted);
    part->noted = NULL;
    wk_window_open(&part->window, 0);
}

static void on_lost(void *arg, unsigned p)
{
    struct wk_stream *s = arg;
    s->feed.stats.lost++;
    close_part(s, p);
    s->feed.events->revoked(s->feed.arg, p);
}

static void on_leaving(void *arg, unsigned p)
{
    struct wk_stream *s = arg;
    if (!s->parts[p].window.in_hand) wk_lease_emptied(s->lease, p);
}

static void on_resumed(void *arg, unsigned p)
{
    (void)arg; /* the flush of this turn gives out what is kept, and reads */
    (void)p;
}

static void on_given(void *arg, unsigned p)
{
    struct wk_stream *s = arg;
    s->feed.stats.given += s->parts[p].is_open;
    close_part(s, p);
}

void wk_stream_release(struct wk_stream *s, unsigned partition, struct wk_place place)
{
    struct wk_stream_part *part = &s->parts[partition];
    if (!part->is_open || !wk_window_release(&part->window, place)) return;
    s->feed.stats.in_hand--;
    if (part->has_suspect && part->suspect.ms == place.ms && part->suspect.seq == place.seq)
        part->has_suspect = false;
    if (!part->window.in_hand) wk_lease_emptied(s->lease, partition);
}

static void on_beaten(void *arg, const struct wk_lease_answer *a, uint64_t backlog)
{
    struct wk_stream *s = arg;
    s->is_beaten = a != NULL;
    if (a) s->feed.stats.backlog = backlog;
    wk_lease_answered(s->lease, s->store->ops->now(s->store), a);
}

static void beat(struct wk_stream *s)
{
    struct wk_lease_ask asks[WK_PARTITIONS_MAX];
    uint64_t now = s->store->ops->now(s->store);
    wk_lease_tick(s->lease, now);
    if (!s->store->ops->is_up(s->store) || !wk_lease_wants_to_ask(s->lease, now)) return;
    bool is_member = wk_lease_ask(s->lease, now, asks);
    s->store->ops->beat(s->store, is_member, asks);
}

/* ---- operations */

static bool is_mine(struct wk_feed *f, unsigned partition)
{
    struct wk_stream *s = (struct wk_stream *)f;
    return wk_lease_is_good(s->lease, partition, s->store->ops->now(s->store));
}

/* Is the ticket one of an item in hand? Else it was revoked, and its result is void. */
static bool check(struct wk_stream *s, const struct wk_ticket *t, struct wk_result *r)
{
    struct wk_place place = {t->ms, t->seq};
    if (t->partition < s->set.partitions && s->parts[t->partition].is_open &&
        wk_window_holds(&s->parts[t->partition].window, place))
        return true;
    s->feed.stats.fenced++;
    wk_result_fini(r);
    return false;
}

static void step(struct wk_feed *f, const struct wk_ticket *t, struct wk_result *r, wk_step_cb cb,
                 void *arg)
{
    struct wk_stream *s = (struct wk_stream *)f;
    if (!check(s, t, r)) {
        wk_stream_refuse(s, cb, arg);
        return;
    }
    struct wk_act *a =
        wk_stream_act(s, t->partition, WK_ACT_STEP, (struct wk_place){t->ms, t->seq}, r);
    a->step_cb = cb;
    a->step_arg = arg;
}

static void finish(struct wk_feed *f, const struct wk_ticket *t, struct wk_result *r)
{
    struct wk_stream *s = (struct wk_stream *)f;
    if (check(s, t, r))
        wk_stream_act(s, t->partition, WK_ACT_FINISH, (struct wk_place){t->ms, t->seq}, r);
}

static void bury(struct wk_feed *f, const struct wk_ticket *t, const struct work_item *item,
                 struct str_view why, unsigned attempts, struct wk_result *r)
{
    struct wk_stream *s = (struct wk_stream *)f;
    (void)item; /* its fields are in the stream */
    if (!check(s, t, r)) return;
    struct wk_act *a =
        wk_stream_act(s, t->partition, WK_ACT_BURY, (struct wk_place){t->ms, t->seq}, r);
    a->why = x_memdup(why.p, why.n);
    a->attempts = attempts;
}

static void stop(struct wk_feed *f)
{
    struct wk_stream *s = (struct wk_stream *)f;
    s->is_stopping = true;
    wk_lease_stop(s->lease, s->store->ops->now(s->store));
}

static const char *trouble(struct wk_feed *f)
{
    struct wk_stream *s = (struct wk_stream *)f;
    if (s->is_stopping) return "stopping";
    if (!s->store->ops->is_up(s->store) || !s->store->ops->can_read(s->store))
        return "Redis is away";
    return s->is_beaten ? NULL : "Redis has not answered about leases";
}

static bool flush(struct wk_feed *f)
{
    struct wk_stream *s = (struct wk_stream *)f;
    wk_lease_tick(s->lease, s->store->ops->now(s->store));
    for (unsigned p = 0; p < s->set.partitions; p++)
        if (s->parts[p].is_open && s->parts[p].window.first) wk_stream_pump(s, p);
    wk_stream_send(s);
    beat(s);
    wk_stream_read(s);
    if (s->is_stopping && !s->is_stopped && wk_lease_is_over(s->lease)) {
        s->is_stopped = true;
        f->events->stopped(f->arg);
    }
    return wk_stream_tell_refused(s);
}

uint64_t wk_stream_next(const struct wk_feed *f)
{
    const struct wk_stream *s = (const struct wk_stream *)f;
    uint64_t at = wk_lease_next(s->lease);
    return s->again && s->again_at < at ? s->again_at : at;
}

struct wk_store *wk_stream_store(const struct wk_feed *f)
{
    return ((const struct wk_stream *)f)->store;
}

uint64_t wk_stream_epoch(const struct wk_feed *f, unsigned partition)
{
    return wk_lease_epoch(((const struct wk_stream *)f)->lease, partition);
}

bool wk_stream_has(const struct wk_feed *f, unsigned partition)
{
    const struct wk_stream *s = (const struct wk_stream *)f;
    return wk_lease_state(s->lease, partition) == WK_LEASE_MINE;
}

/* ---- life */

static void free_feed(struct wk_feed *f)
{
    struct wk_stream *s = (struct wk_stream *)f;
    wk_stream_out_fini(s);
    for (unsigned p = 0; p < s->set.partitions; p++) {
        wk_kept_free(s->parts[p].noted);
        wk_window_fini(&s->parts[p].window);
    }
    wk_lease_free(s->lease);
    x_free(s);
}

struct wk_feed *wk_stream_new(const struct wk_stream_settings *settings, struct wk_store *store,
                              const struct wk_feed_events *events, void *arg)
{
    static const struct wk_feed_ops ops = {.is_mine = is_mine,
                                           .step = step,
                                           .finish = finish,
                                           .bury = bury,
                                           .stop = stop,
                                           .trouble = trouble,
                                           .flush = flush,
                                           .free = free_feed};
    static const struct wk_lease_events lease_events = {.taken = on_taken,
                                                        .leaving = on_leaving,
                                                        .resumed = on_resumed,
                                                        .lost = on_lost,
                                                        .given = on_given};
    static const struct wk_store_events store_events = {.beaten = on_beaten,
                                                        .acted = wk_stream_on_acted,
                                                        .entry = wk_stream_on_entry,
                                                        .sifted = wk_stream_on_sifted,
                                                        .read = wk_stream_on_read};
    struct wk_stream *s = x_calloc(1, sizeof(*s) + settings->partitions * sizeof(s->parts[0]));
    s->feed = (struct wk_feed){.ops = &ops, .events = events, .arg = arg};
    s->set = *settings;
    s->store = store;
    store->events = &store_events;
    store->arg = s;
    s->out_last = &s->out;
    s->item_bytes = 1024;
    for (unsigned p = 0; p < settings->partitions; p++)
        wk_window_init(&s->parts[p].window, settings->in_hand);
    s->lease = wk_lease_new(settings->partitions, settings->lease_ms, settings->patience_ms,
                            &lease_events, s);
    return &s->feed;
}
