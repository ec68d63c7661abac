/* Reading. One read at a time, over all partitions that have room for at least half a window; it waits
 * in Redis when they have nothing. When another one gets room meanwhile the wait is ended.
 *
 * An answer is bounded by how many entries are asked for, in the light of how large they have been. If
 * a read is lost (its answer may have been too large for the connection), entries are taken to be as
 * large as they may be, until some have been read that are not; and Redis is asked to bury those that
 * are larger still, which anybody may have put there, before the partition is read again.
 *
 * Suspects. When a lease has expired instead of being given back, its owner may have died of an item:
 * one of the first worker.in_hand entries. Those that can kill are given one at a time, each noted
 * before; what stands behind them is kept so that a socket's order stays. The note's count goes along:
 * an item that kills worker after worker is told apart from its neighbours by it. */

/* System */
#include <assert.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Worker */
#include "wk_stream_parts.h"

#define BAD_LOG_MS 10000u
#define TOO_LARGE "too_large" /* the gateways' word for it */

/* ---- giving out */

static bool may_kill(const struct wk_stream *s, const struct work_item *item)
{
    return !s->feed.events->can_kill || s->feed.events->can_kill(s->feed.arg, item);
}

static void give(struct wk_stream *s, unsigned partition, struct wk_place place,
                 const struct work_item *item, unsigned deaths)
{
    struct wk_ticket t = {partition, place.ms, place.seq};
    s->feed.stats.items++;
    s->feed.stats.suspects += deaths > 0;
    s->feed.events->item(s->feed.arg, &t, item, deaths);
}

static void settle(struct wk_stream *s, unsigned partition)
{
    struct wk_stream_part *part = &s->parts[partition];
    if (part->is_settled || part->window.suspects || part->window.nkept || part->has_suspect)
        return;
    part->is_settled = true;
    wk_lease_settled(s->lease, partition);
}

/* Takes the first of the kept ones; false: it must wait. */
static bool give_next(struct wk_stream *s, unsigned partition)
{
    struct wk_stream_part *part = &s->parts[partition];
    const struct wk_kept *head = part->window.first;
    if (!head || part->has_suspect) return false;
    if (wk_lease_state(s->lease, partition) != WK_LEASE_MINE) return false;
    bool is_alone = head->is_suspect && may_kill(s, head->item);
    if (is_alone && part->window.in_hand) return false;
    struct wk_kept *k = wk_window_next(&part->window);
    s->feed.stats.in_hand++;
    if (is_alone) {
        part->has_suspect = true;
        part->suspect = k->place;
        part->noted = k;
        wk_stream_act(s, partition, WK_ACT_NOTE, k->place, NULL);
    } else {
        give(s, partition, k->place, k->item, 0);
        wk_kept_free(k);
    }
    return true;
}

void wk_stream_pump(struct wk_stream *s, unsigned partition)
{
    while (give_next(s, partition))
        continue;
}

void wk_stream_on_noted(struct wk_stream *s, unsigned partition, int64_t count)
{
    struct wk_stream_part *part = &s->parts[partition];
    struct wk_kept *k = part->noted;
    if (!k) return; /* asked for in an earlier life of the partition */
    part->noted = NULL;
    give(s, partition, k->place, k->item, count > 0 && count < 1000000 ? (unsigned)count : 1);
    wk_kept_free(k);
}

/* ---- what is read */

static void log_bad(struct wk_stream *s, unsigned partition, const char *why)
{
    uint64_t now = s->store->ops->now(s->store);
    if (s->bad_logged_at && now - s->bad_logged_at < BAD_LOG_MS) return;
    s->bad_logged_at = now;
    struct log_line l;
    log_begin(&l, LOG_WARN, "an entry of a stream is no item");
    log_kv_u64(&l, "partition", partition);
    log_kv_c(&l, "why", why);
    log_kv_u64(&l, "bad", s->feed.stats.bad);
    log_end(&l);
}

/* Whoever waits for an entry that cannot be handled is told so, if it says who that is. */
static struct wk_act *answer(struct wk_stream *s, unsigned partition, enum wk_act_kind kind,
                             struct wk_place place, const struct str_view *v, size_t n,
                             const char *code)
{
    struct work_item item;
    struct wk_result r;
    wk_result_init(&r);
    if (work_item_decode_address(&item, v, n))
        wk_result_error(&r, &item, code, "it cannot be handled", s->set.max_message);
    return wk_stream_act(s, partition, kind, place, &r);
}

static void take_bad(struct wk_stream *s, unsigned partition, struct wk_place place,
                     const struct str_view *v, size_t n, const char *code, const char *why)
{
    s->feed.stats.bad++;
    log_bad(s, partition, why);
    answer(s, partition, WK_ACT_BURY, place, v, n, code)->why = x_strdup(why);
}

void wk_stream_on_sifted(void *arg, unsigned partition, const struct str_view *v, size_t n)
{
    struct wk_stream *s = arg;
    if (partition >= s->set.partitions || !s->parts[partition].is_open) return;
    answer(s, partition, WK_ACT_TELL, (struct wk_place){0, 0}, v, n, TOO_LARGE);
}

void wk_stream_sift_over(struct wk_stream *s, unsigned partition, int64_t n)
{
    s->parts[partition].is_doubted = false;
    if (n <= 0) return;
    s->feed.stats.bad += (uint64_t)n;
    log_bad(s, partition, "too large to be read");
}

/* `peal dead replay` marks what it puts back: that is meant to be handled again. */
static bool is_replay(const struct str_view *v, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        if (sv_eq(v[i], SV("replay"))) return true;
    return false;
}

static void take_item(struct wk_stream *s, unsigned partition, struct wk_place place,
                      const struct work_item *item, bool is_replayed)
{
    struct wk_stream_part *part = &s->parts[partition];
    bool is_suspect = part->window.suspects > 0;
    if (is_suspect) part->window.suspects--;
    if (!is_replayed && wk_window_knows(&part->window, item->id)) {
        s->feed.stats.repeats++;
        wk_stream_act(s, partition, WK_ACT_FINISH, place, NULL);
    } else if (part->window.first || part->has_suspect || is_suspect) {
        wk_window_keep(&part->window, place, item, is_suspect);
        s->feed.stats.in_hand--;
        wk_stream_pump(s, partition);
    } else {
        give(s, partition, place, item, 0);
    }
}

void wk_stream_on_entry(void *arg, unsigned partition, struct wk_place place,
                        const struct str_view *v, size_t n, size_t bytes)
{
    struct wk_stream *s = arg;
    struct str_view attachments[WORK_ATTACHMENTS_MAX];
    struct work_item item;
    const char *why;
    if (partition >= s->set.partitions) return;
    struct wk_stream_part *part = &s->parts[partition];
    if (!part->is_open || !part->is_read || part->nread >= s->count) return; /* not asked for */
    if (wk_lease_state(s->lease, partition) != WK_LEASE_MINE) return;
    part->nread++;
    if (bytes > s->largest) s->largest = bytes;
    if (!wk_window_pass(&part->window, place)) return;
    s->feed.stats.in_hand++;
    if (bytes > wk_entry_max(s->set.max_item))
        take_bad(s, partition, place, v, n, TOO_LARGE, "larger than work.max_item");
    else if (!work_item_decode(&item, v, n, attachments, &why))
        take_bad(s, partition, place, v, n, "malformed", why);
    else
        take_item(s, partition, place, &item, is_replay(v, n));
}

void wk_stream_on_read(void *arg, bool is_lost)
{
    struct wk_stream *s = arg;
    s->is_reading = s->is_woken = false;
    if (is_lost)
        s->item_bytes = s->set.max_item;
    else if (s->largest > s->item_bytes)
        s->item_bytes = s->largest;
    else if (s->largest)
        s->item_bytes -= (s->item_bytes - s->largest) / 8;
    for (unsigned p = 0; p < s->set.partitions; p++) {
        struct wk_stream_part *part = &s->parts[p];
        if (part->is_read && part->is_open && !is_lost) {
            /* The stream has no more: what comes later nobody has had in hand. */
            bool is_mine = wk_lease_state(s->lease, p) == WK_LEASE_MINE;
            if (part->nread < s->count && is_mine) part->window.suspects = 0;
        }
        if (part->is_read && part->is_open && is_lost) {
            part->is_doubted = true;
            wk_stream_act(s, p, WK_ACT_SIFT, part->window.seen, NULL);
        }
        part->is_read = false;
    }
}

/* ---- asking */

static bool wants_read(const struct wk_stream *s, unsigned p)
{
    const struct wk_stream_part *part = &s->parts[p];
    unsigned room = wk_window_room(&part->window);
    return part->is_open && !part->is_doubted && room && room * 2 >= part->window.limit &&
           wk_lease_state(s->lease, p) == WK_LEASE_MINE;
}

static void wake_for(struct wk_stream *s)
{
    if (s->is_woken) return;
    for (unsigned p = 0; p < s->set.partitions; p++) {
        if (s->parts[p].is_read || !wants_read(s, p)) continue;
        s->is_woken = true;
        s->store->ops->wake(s->store);
        return;
    }
}

void wk_stream_read(struct wk_stream *s)
{
    struct wk_store_cursor v[WK_PARTITIONS_MAX];
    size_t n = 0, count = s->set.in_hand, most = WK_READ_BYTES / (s->item_bytes + 1);
    for (unsigned p = 0; p < s->set.partitions; p++)
        if (s->parts[p].is_open) settle(s, p);
    if (s->is_reading) {
        wake_for(s);
        return;
    }
    if (!s->store->ops->can_read(s->store)) return;
    for (unsigned i = 0; i < s->set.partitions; i++) {
        unsigned p = (s->first + i) % s->set.partitions;
        if (n && n >= most) break;
        if (!wants_read(s, p)) continue;
        struct wk_stream_part *part = &s->parts[p];
        unsigned room = wk_window_room(&part->window);
        if (room < count) count = room;
        part->is_read = true;
        part->nread = 0;
        v[n++] = (struct wk_store_cursor){p, part->window.seen};
    }
    if (!n) return;
    if (count * n > most) count = most / n;
    s->first = (v[n - 1].partition + 1) % s->set.partitions;
    s->count = count ? count : 1;
    s->largest = 0;
    s->is_reading = true;
    s->store->ops->read(s->store, v, n, s->count);
}
