/* Reading streams. What comes is hostile: names that were not asked for, ids that are none, entries with
 * too many fields. Whatever cannot be given on as an entry is passed over; what can, the feed judges. */

/* Worker */
#include "wk_redis.h"

#define BLOCK_MS 200u
#define FIELDS_MAX (4 * WORK_FIELDS_MAX)

static bool read_place(struct str_view id, struct wk_place *place)
{
    size_t at = sv_find(id, '-');
    return at < id.n && sv_number(sv_make(id.p, at), UINT64_MAX, &place->ms) &&
           sv_number(sv_skip(id, at + 1), UINT64_MAX, &place->seq);
}

/* The key's name ends with "{<p>}". */
static bool read_partition(const struct wk_redis *r, struct str_view name, unsigned *partition)
{
    uint64_t n;
    size_t brace = name.n;
    while (brace && name.p[brace - 1] != '{')
        brace--;
    if (brace == 0 || name.p[name.n - 1] != '}') return false;
    if (!sv_number(sv_make(name.p + brace, name.n - brace - 1),
                   (uint64_t)r->cfg->work_partitions - 1, &n))
        return false;
    *partition = (unsigned)n;
    return true;
}

static void take_entry(struct wk_redis *r, unsigned partition, const struct redis_reply *entry)
{
    struct str_view v[FIELDS_MAX];
    struct wk_place place;
    if (redis_reply_count(entry) != 2) return;
    const struct redis_reply *fields = redis_reply_at(entry, 1);
    size_t n = redis_reply_count(fields), bytes = 0;
    if (!read_place(redis_reply_text(redis_reply_at(entry, 0)), &place)) return;
    if (n > FIELDS_MAX) n = 1; /* that is no item */
    for (size_t i = 0; i < n; i++) {
        v[i] = redis_reply_text(redis_reply_at(fields, i));
        bytes += v[i].n;
    }
    r->store.events->entry(r->store.arg, partition, place, v, n, bytes);
}

static void on_read(const struct redis_reply *reply, void *arg)
{
    struct wk_redis *r = arg;
    bool is_bad = reply && redis_reply_kind(reply) == REDIS_LINK_ERROR;
    if (is_bad) wk_redis_log(r, "Redis lets no stream be read", redis_reply_text(reply));
    if (is_bad) r->held_until = loop_now(r->loop) + BLOCK_MS;
    for (size_t i = 0; reply && i < redis_reply_count(reply); i++) {
        const struct redis_reply *stream = redis_reply_at(reply, i);
        unsigned partition;
        if (redis_reply_count(stream) != 2) continue;
        if (!read_partition(r, redis_reply_text(redis_reply_at(stream, 0)), &partition)) continue;
        const struct redis_reply *entries = redis_reply_at(stream, 1);
        for (size_t k = 0; k < redis_reply_count(entries); k++)
            take_entry(r, partition, redis_reply_at(entries, k));
    }
    r->store.events->read(r->store.arg, !reply || is_bad);
}

void wk_redis_read(struct wk_store *store, const struct wk_store_cursor *v, size_t n, size_t count)
{
    struct wk_redis *r = (struct wk_redis *)store;
    struct wk_words *w = &r->words;
    uint64_t wait = (uint64_t)r->cfg->redis_command_timeout / 2;
    wk_words_clear(w);
    wk_words_add(w, SV("XREAD"));
    wk_words_add(w, SV("COUNT"));
    wk_words_addf(w, "%zu", count);
    wk_words_add(w, SV("BLOCK"));
    wk_words_addf(w, "%u", wait < BLOCK_MS ? (unsigned)wait : BLOCK_MS);
    wk_words_add(w, SV("STREAMS"));
    for (size_t i = 0; i < n; i++)
        wk_words_add_part(w, bus_name_work, r->key, v[i].partition);
    for (size_t i = 0; i < n; i++)
        wk_words_addf(w, "%llu-%llu", (unsigned long long)v[i].behind.ms,
                      (unsigned long long)v[i].behind.seq);
    wk_words_send(w, r->reader, on_read, r);
    redis_link_flush(r->reader);
}
