/* A batch of acts as the arguments of one script. Effects have the bytes that the bus would publish; one that
 * cannot be published (too large, a name that is too long) is left out, counted and logged: the others
 * were asked for as well, and the item would fail again for ever. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_wire.h"
/* Worker */
#include "wk_redis.h"
#include "wk_scripts.h"

#define HELD_PAUSE_MS 20u

/* Channel and message, as two words. False: nothing was added. */
static bool add_effect(struct wk_redis *r, const struct wk_effect *e)
{
    struct wk_words *w = &r->words;
    size_t max = (size_t)r->cfg->bus_max_message, words = w->n, start = w->bytes.n;
    struct buf name, bytes;
    bool fits = false;
    buf_init(&name, BUS_NAME_MAX);
    buf_init(&bytes, max);
    switch (e->type) {
    case WK_PUBLISH: fits = bus_wire_publish(&name, &bytes, r->key, r->uid, e->msg); break;
    case WK_REQUEST: fits = bus_wire_request(&name, &bytes, r->key, e->request); break;
    case WK_DIRECT:
        fits = bus_name_direct(&name, r->key, sv_make(e->direct.node, e->direct.node_len)) &&
               e->direct.bytes.n <= max && buf_add_sv(&bytes, buf_view(&e->direct.bytes));
        break;
    }
    if (fits) {
        wk_words_add(w, buf_view(&name));
        wk_words_add(w, buf_view(&bytes));
        fits = !w->is_full;
    }
    buf_fini(&name);
    buf_fini(&bytes);
    if (fits) return true;
    wk_words_cut(w, words, start);
    r->feed->stats.unsendable++;
    wk_redis_log(r, "an effect is left out",
                 SV("it is larger than bus.max_message, or its name is"));
    return false;
}

/* Their number stands before them: its word is made first and filled in behind. */
static void add_effects(struct wk_redis *r, const struct wk_result *result)
{
    struct wk_words *w = &r->words;
    size_t word = wk_words_reserve(w), n = 0;
    for (size_t i = 0; i < result->n; i++)
        n += add_effect(r, &result->v[i]);
    wk_words_fill(w, word, n);
}

static void add_act(struct wk_redis *r, const struct wk_act *a)
{
    static const char kinds[] = {'f', 'b', 's', 'n', 'o', 't'}; /* as enum wk_act_kind */
    struct wk_words *w = &r->words;
    wk_words_add(w, sv_make(&kinds[a->kind], 1));
    wk_words_addf(w, "%llu-%llu", (unsigned long long)a->place.ms,
                  (unsigned long long)a->place.seq);
    if (a->kind == WK_ACT_BURY) {
        wk_words_add(w, sv_of(a->why));
        wk_words_addf(w, "%u", a->attempts);
    }
    if (a->kind == WK_ACT_SIFT)
        wk_words_addf(w, "%lld", (long long)r->cfg->worker_in_hand);
    else if (a->kind != WK_ACT_NOTE)
        add_effects(r, &a->result);
}

/* ---- the answer */

struct asked {
    struct wk_redis *redis;
    struct wk_batch *batch;
};

#define ADDRESS_MAX 32 /* fields and values */

/* A list of fields and values for each entry that has been buried, or a number below 0. */
static int64_t take_sifted(struct wk_redis *r, const struct wk_batch *b,
                           const struct redis_reply *reply)
{
    size_t n = redis_reply_count(reply);
    if (redis_reply_kind(reply) == REDIS_LINK_INT) return redis_reply_int(reply);
    for (size_t i = 0; i < n; i++) {
        struct str_view v[ADDRESS_MAX];
        const struct redis_reply *fields = redis_reply_at(reply, i);
        size_t k = 0;
        for (; k < ADDRESS_MAX && k < redis_reply_count(fields); k++)
            v[k] = redis_reply_text(redis_reply_at(fields, k));
        r->store.events->sifted(r->store.arg, b->partition, v, k);
    }
    return (int64_t)n;
}

static bool take_results(struct wk_redis *r, struct wk_batch *b, const struct redis_reply *reply)
{
    if (redis_reply_count(reply) != b->n + 1) return false;
    struct str_view failed = redis_reply_text(redis_reply_at(reply, 0));
    if (failed.n) wk_redis_log(r, "Redis refuses an effect", failed);
    int64_t *results = x_calloc(b->n, sizeof(*results));
    for (size_t i = 0; i < b->n; i++) {
        const struct redis_reply *one = redis_reply_at(reply, i + 1);
        results[i] = b->v[i].kind == WK_ACT_SIFT ? take_sifted(r, b, one) : redis_reply_int(one);
    }
    r->store.events->acted(r->store.arg, b, WK_ACTED, results);
    x_free(results);
    return true;
}

/* What waits is sent again a little later; but first all that is on its way must have been answered, else
 * something might overtake it. */
static void count_answered(struct wk_redis *r, bool waits)
{
    r->acts_out--;
    if (waits) {
        r->is_held = true;
        r->held_until = loop_now(r->loop) + HELD_PAUSE_MS;
    }
    if (!r->is_held || r->acts_out) return;
    r->is_held = false;
    r->round++;
}

static void on_acted(const struct redis_reply *reply, void *arg)
{
    struct asked *asked = arg;
    struct wk_redis *r = asked->redis;
    struct wk_batch *b = asked->batch;
    x_free(asked);
    bool is_good = wk_redis_is_good(r, WK_SCRIPT_ACT, reply);
    bool is_number = is_good && redis_reply_kind(reply) == REDIS_LINK_INT;
    bool waits = is_number && redis_reply_int(reply) == WK_SCRIPT_ACT_WAITS;
    count_answered(r, waits);
    if (is_number && !waits)
        r->store.events->acted(r->store.arg, b, WK_FENCED, NULL);
    else if (!is_good || waits || !take_results(r, b, reply))
        r->store.events->acted(r->store.arg, b, WK_ACT_LOST, NULL);
}

void wk_redis_act(struct wk_store *store, struct wk_batch *b)
{
    struct wk_redis *r = (struct wk_redis *)store;
    struct wk_words *w = &r->words;
    wk_redis_begin(r, WK_SCRIPT_ACT, 5);
    wk_words_add_part(w, bus_name_lease, r->key, b->partition);
    wk_words_add_part(w, bus_name_work, r->key, b->partition);
    wk_words_add_part(w, bus_name_tries, r->key, b->partition);
    wk_words_add_part(w, bus_name_held, r->key, b->partition);
    wk_words_add_name(w, bus_name_dead, r->key);
    wk_words_addf(w, "%.*s %llu", SV_ARG(r->uid), (unsigned long long)b->epoch);
    wk_words_add(w, r->uid);
    wk_words_addf(w, "%u", b->partition);
    wk_words_addf(w, "%lld", (long long)r->cfg->worker_dead_max);
    wk_words_addf(w, "%zu", wk_entry_max((size_t)r->cfg->work_max_item));
    if (loop_now(r->loop) < r->patient_until)
        wk_words_addf(w, "%llu", (unsigned long long)r->round);
    else
        wk_words_add(w, SV(""));
    wk_words_add_node(w, bus_name_direct, r->key, SV(""));
    for (size_t i = 0; i < b->n; i++)
        add_act(r, &b->v[i]);
    struct asked *asked = x_malloc(sizeof(*asked));
    *asked = (struct asked){r, b};
    r->acts_out++;
    wk_redis_send(r, on_acted, asked);
}
