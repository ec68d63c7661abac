/* The store of the feed: connections, scripts, the question about leases.
 *
 *   wk_redis_read.c   reading streams
 *   wk_redis_act.c    results
 *   wk_janitor.c      sockets whose gateway is gone
 *   wk_words.c        a command that is put together
 *   wk_scripts.c      what runs in Redis
 *
 * A script is called by its hash once Redis has told that, else by its text; if Redis has forgotten it, the
 * answer counts as lost, and the next call has the text. */

/* System */
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Worker */
#include "wk_redis.h"
#include "wk_scripts.h"

#define REPLY_MAX (64u << 20) /* notes of sockets may be large, and some come at once */
#define READ_REPLY_SPARE (64u << 20)
#define WORDS_MAX (96u << 20) /* a batch's results are bounded well below */
#define REFUSED_PAUSE_MS 100u
#define LOG_MS 10000u
#define PATIENCE_MS 1000u /* behind two of the longest pauses between attempts to connect */
#define PATIENCE_MAX_MS 10000u

/* ---- scripts */

void wk_redis_log(struct wk_redis *r, const char *what, struct str_view why)
{
    uint64_t now = loop_now(r->loop);
    if (r->logged_at && now - r->logged_at < LOG_MS) return;
    r->logged_at = now;
    struct log_line l;
    log_begin(&l, LOG_WARN, what);
    log_kv(&l, "why", why);
    log_end(&l);
}

void wk_redis_begin(struct wk_redis *r, unsigned script, unsigned nkeys)
{
    const struct wk_script *s = &r->scripts[script];
    wk_words_clear(&r->words);
    wk_words_add(&r->words, s->sha[0] ? SV("EVALSHA") : SV("EVAL"));
    wk_words_add(&r->words, sv_of(s->sha[0] ? s->sha : s->text));
    wk_words_addf(&r->words, "%u", nkeys);
}

void wk_redis_send(struct wk_redis *r, redis_reply_cb cb, void *arg)
{
    wk_words_send(&r->words, r->commands, cb, arg);
}

bool wk_redis_is_good(struct wk_redis *r, unsigned script, const struct redis_reply *reply)
{
    if (!reply) return false;
    if (redis_reply_kind(reply) != REDIS_LINK_ERROR) return true;
    struct str_view text = redis_reply_text(reply);
    if (sv_starts_with(text, SV("NOSCRIPT"))) {
        r->scripts[script].sha[0] = '\0';
    } else {
        r->held_until = loop_now(r->loop) + REFUSED_PAUSE_MS;
        wk_redis_log(r, "Redis refuses a worker's script", text);
        if (sv_starts_with(text, SV("READONLY")))
            redis_link_restart(r->commands, "Redis has become a replica");
    }
    return false;
}

static void on_loaded(const struct redis_reply *reply, void *arg)
{
    struct wk_script *s = arg;
    if (!reply || redis_reply_kind(reply) != REDIS_LINK_TEXT) return;
    struct str_view sha = redis_reply_text(reply);
    if (sha.n == WK_SCRIPT_SHA) memcpy(s->sha, sha.p, sha.n);
}

/* ---- connections */

static void on_reader_id(const struct redis_reply *reply, void *arg)
{
    struct wk_redis *r = arg;
    if (!reply || redis_reply_kind(reply) != REDIS_LINK_INT) return;
    snprintf(r->reader_id, sizeof(r->reader_id), "%lld", (long long)redis_reply_int(reply));
}

/* Redis was away, for the gateways as well. They may come back a little later. */
static void be_patient(struct wk_redis *r)
{
    uint64_t ms = 2 * (uint64_t)r->cfg->redis_backoff_max + PATIENCE_MS;
    if (r->has_been_up)
        r->patient_until = loop_now(r->loop) + (ms < PATIENCE_MAX_MS ? ms : PATIENCE_MAX_MS);
    r->has_been_up = true;
}

static void on_commands_up(void *arg)
{
    struct wk_redis *r = arg;
    r->held_until = 0;
    be_patient(r);
    for (unsigned i = 0; i < WK_SCRIPTS; i++) {
        const struct str_view argv[] = {SV("SCRIPT"), SV("LOAD"), sv_of(r->scripts[i].text)};
        r->scripts[i].sha[0] = '\0';
        redis_link_command(r->commands, on_loaded, &r->scripts[i], 3, argv);
    }
}

static void on_reader_up(void *arg)
{
    struct wk_redis *r = arg;
    const struct str_view argv[] = {SV("CLIENT"), SV("ID")};
    r->reader_id[0] = '\0';
    redis_link_command(r->reader, on_reader_id, r, 2, argv);
}

static void on_down(void *arg, const char *why)
{
    (void)arg; /* what was on its way has been told; the link has logged why */
    (void)why;
}

static uint64_t now(struct wk_store *store)
{
    return loop_now(((struct wk_redis *)store)->loop);
}

static bool is_up(const struct wk_store *store)
{
    const struct wk_redis *r = (const struct wk_redis *)store;
    return redis_link_is_up(r->commands) && !r->is_held && loop_now(r->loop) >= r->held_until;
}

static bool can_read(const struct wk_store *store)
{
    const struct wk_redis *r = (const struct wk_redis *)store;
    return redis_link_is_up(r->reader) && loop_now(r->loop) >= r->held_until;
}

static void wake(struct wk_store *store)
{
    struct wk_redis *r = (struct wk_redis *)store;
    if (!r->reader_id[0] || !redis_link_is_up(r->commands)) return;
    const struct str_view argv[] = {SV("CLIENT"), SV("UNBLOCK"), sv_of(r->reader_id)};
    redis_link_command(r->commands, NULL, NULL, 3, argv);
}

/* ---- leases */

/* Who finds out at its start must not run: half of the items would never be read. Later it only waits. */
static void refuse_partitions(struct wk_redis *r, int64_t theirs)
{
    if (!r->has_been_beaten)
        log_fatal("work.partitions: %lld is not allowed: the cluster of bus.key \"%.*s\" has %lld",
                  (long long)r->cfg->work_partitions, SV_ARG(r->key), (long long)theirs);
    r->held_until = loop_now(r->loop) + REFUSED_PAUSE_MS;
    wk_redis_log(r, "the cluster has another number of partitions", SV("work.partitions"));
}

static unsigned small(int64_t n)
{
    return n < 0 ? 0 : n > 1000000 ? 1000000 : (unsigned)n;
}

static bool take_beat(struct wk_redis *r, const struct redis_reply *reply)
{
    enum wk_lease_found found[WK_PARTITIONS_MAX];
    unsigned n = (unsigned)r->cfg->work_partitions;
    if (redis_reply_count(reply) == 1) {
        refuse_partitions(r, redis_reply_int(redis_reply_at(reply, 0)));
        return false;
    }
    struct str_view digits =
        redis_reply_count(reply) == 6 ? redis_reply_text(redis_reply_at(reply, 5)) : SV("");
    if (digits.n != n) return false;
    for (unsigned i = 0; i < n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '3') return false;
        found[i] = (enum wk_lease_found)(digits.p[i] - '0');
    }
    int64_t expiry = redis_reply_int(redis_reply_at(reply, 3));
    struct wk_lease_answer a = {.workers = small(redis_reply_int(redis_reply_at(reply, 1))),
                                .rank = small(redis_reply_int(redis_reply_at(reply, 2))),
                                .expiry_ms = expiry < 0 ? UINT64_MAX : (uint64_t)expiry,
                                .found = found};
    int64_t backlog = redis_reply_int(redis_reply_at(reply, 4));
    r->has_been_beaten = true;
    r->store.events->beaten(r->store.arg, &a, backlog < 0 ? 0 : (uint64_t)backlog);
    return true;
}

static void on_beaten(const struct redis_reply *reply, void *arg)
{
    struct wk_redis *r = arg;
    if (!wk_redis_is_good(r, WK_SCRIPT_BEAT, reply) || !take_beat(r, reply))
        r->store.events->beaten(r->store.arg, NULL, 0);
}

static void beat(struct wk_store *store, bool is_member, const struct wk_lease_ask *asks)
{
    static const char wants[] = {'L', 'T', 'H', 'G'}; /* as enum wk_lease_want */
    struct wk_redis *r = (struct wk_redis *)store;
    struct wk_words *w = &r->words;
    unsigned n = (unsigned)r->cfg->work_partitions;
    wk_redis_begin(r, WK_SCRIPT_BEAT, 2 + 3 * n);
    wk_words_add_name(w, bus_name_workers, r->key);
    wk_words_add_name(w, bus_name_partitions, r->key);
    for (unsigned p = 0; p < n; p++) {
        wk_words_add_part(w, bus_name_lease, r->key, p);
        wk_words_add_part(w, bus_name_tries, r->key, p);
        wk_words_add_part(w, bus_name_work, r->key, p);
    }
    wk_words_add(w, r->uid);
    wk_words_addf(w, "%lld", (long long)r->cfg->worker_lease_time);
    wk_words_add(w, is_member ? SV("1") : SV("0"));
    wk_words_addf(w, "%u", n);
    for (unsigned p = 0; p < n; p++)
        wk_words_addf(w, "%c%d%llu", wants[asks[p].want], asks[p].is_settled,
                      (unsigned long long)asks[p].epoch);
    wk_redis_send(r, on_beaten, r);
}

/* ---- the turn */

static void on_timer(struct wheel_entry *e)
{
    (void)e; /* the flush of the same turn does what is due */
}

static void arm(struct wk_redis *r)
{
    uint64_t at = wk_stream_next(r->feed), t = loop_now(r->loop);
    if (r->held_until > t && r->held_until > at) at = r->held_until;
    if (r->sweep_at < at) at = r->sweep_at;
    if (at <= t) at = t + REFUSED_PAUSE_MS; /* it waits for Redis, which wakes the loop itself */
    if (!wheel_is_set(&r->timer) || r->timer.deadline != at)
        wheel_set(loop_wheel(r->loop), &r->timer, at);
}

static struct wk_redis *of(struct wk_feed *f)
{
    return (struct wk_redis *)wk_stream_store(f);
}

static bool flush(struct wk_feed *f)
{
    struct wk_redis *r = of(f);
    bool more = r->stream_ops->flush(f);
    wk_janitor_tick(r);
    if (redis_link_is_up(r->commands)) redis_link_flush(r->commands);
    arm(r);
    return more;
}

/* ---- life */

static void free_store(struct wk_redis *r)
{
    redis_link_free(r->commands); /* what is on its way is told as lost */
    redis_link_free(r->reader);
    wheel_drop(loop_wheel(r->loop), &r->timer);
}

static void free_feed(struct wk_feed *f)
{
    struct wk_redis *r = of(f);
    free_store(r);
    r->stream_ops->free(f);
    wk_words_fini(&r->words);
    x_free(r);
}

static bool make_links(struct wk_redis *r, struct cfg_error *err)
{
    static const struct redis_link_events commands = {.up = on_commands_up, .down = on_down};
    static const struct redis_link_events reader = {.up = on_reader_up, .down = on_down};
    size_t most = (size_t)r->cfg->work_max_item * 2 + READ_REPLY_SPARE;
    r->commands = redis_link_new(r->cfg, r->loop, "work", REPLY_MAX, &commands, r, err);
    if (!r->commands) return false;
    r->reader = redis_link_new(r->cfg, r->loop, "work-in", most, &reader, r, err);
    return r->reader != NULL;
}

/* Less than the core's, so that leases are given back before it all ends. */
static uint64_t patience(const struct cfg *cfg)
{
    uint64_t all = (uint64_t)cfg->worker_shutdown_timeout;
    return all > 2000 ? all - 500 : all - all / 4;
}

struct wk_feed *wk_feed_redis_new(const struct cfg *cfg, struct loop *loop, struct str_view uid,
                                  const struct wk_feed_events *events, void *arg,
                                  struct cfg_error *err)
{
    static const struct wk_store_ops ops = {.now = now,
                                            .is_up = is_up,
                                            .can_read = can_read,
                                            .beat = beat,
                                            .act = wk_redis_act,
                                            .read = wk_redis_read,
                                            .wake = wake};
    const struct wk_stream_settings settings = {
        .partitions = (unsigned)cfg->work_partitions,
        .lease_ms = (uint64_t)cfg->worker_lease_time,
        .patience_ms = patience(cfg),
        .in_hand = (unsigned)cfg->worker_in_hand,
        .max_item = (size_t)cfg->work_max_item,
        .max_message = (size_t)cfg->bus_max_message,
    };
    struct wk_redis *r = x_calloc(1, sizeof(*r));
    r->store.ops = &ops;
    r->cfg = cfg;
    r->loop = loop;
    r->key = sv_of(cfg->bus_key);
    r->uid = uid;
    r->timer.fire = on_timer;
    r->scripts[WK_SCRIPT_BEAT].text = wk_script_beat;
    r->scripts[WK_SCRIPT_ACT].text = wk_script_act;
    r->scripts[WK_SCRIPT_ORPHAN].text = wk_script_orphan;
    buf_init(&r->words.bytes, WORDS_MAX);
    if (!make_links(r, err)) {
        free_store(r);
        wk_words_fini(&r->words);
        x_free(r);
        return NULL;
    }
    r->feed = wk_stream_new(&settings, &r->store, events, arg);
    r->stream_ops = r->feed->ops;
    r->ops = *r->stream_ops;
    r->ops.flush = flush;
    r->ops.free = free_feed;
    r->feed->ops = &r->ops;
    redis_link_open(r->commands);
    redis_link_open(r->reader);
    return r->feed;
}
