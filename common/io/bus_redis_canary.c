/* Does this gateway hear?
 *
 * Every second a canary is published on the one link and must come back on the other, through the
 * same connection as everything that clients depend on. It counts for a fresh connection only if it
 * was sent after all subscriptions had been confirmed, so hearing it proves them. If it is late, the
 * subscribed link is made anew; the publishing link too, if Redis has not even answered its
 * PUBLISH. */

/* System */
#include <stdio.h>
#include <stdlib.h>
/* Util */
#include "util/log.h"
/* Io */
#include "io/bus_redis_parts.h"

const uint32_t bus_lag_bounds[BUS_LAG_BUCKETS - 1] = {250,   500,   1000,   2500,   5000,   10000,
                                                      25000, 50000, 100000, 500000, 2000000};

static void send_canary(struct bus_redis *b);

/* ---- a fresh connection */

void bus_redis_in_up(struct bus_redis *b)
{
    b->heard_at = loop_now(b->loop);
    bus_interest_lost(b->interest);
}

void bus_redis_check_subscribed(struct bus_redis *b)
{
    if (b->is_subscribed || !redis_link_is_up(b->in)) return;
    if (!bus_interest_is_restored(b->interest)) return;
    b->is_subscribed = true;
    b->canary_floor = b->canary_seq + 1;
    send_canary(b);
}

/* A fresh connection with very many subscriptions may take longer for them than bus.canary_timeout; to
 * begin anew would be no faster. */
void bus_redis_confirmed(struct bus_redis *b)
{
    if (!b->is_subscribed) b->heard_at = loop_now(b->loop);
}

static void go_deaf(struct bus_redis *b, uint64_t since)
{
    if (!b->is_hearing) return;
    b->is_hearing = false;
    b->deaf_since = since;
}

/* The last canary is the last proof. With Sentinels only what they say is: since they were last asked
 * others may have gone to a new master, while the canary went on round through the old one. */
static uint64_t deaf_since(const struct bus_redis *b)
{
    uint64_t asked = loop_now(b->loop) - (uint64_t)b->cfg->redis_connect_timeout;
    return b->cfg->redis_sentinels.n && asked < b->heard_at ? asked : b->heard_at;
}

void bus_redis_in_down(struct bus_redis *b)
{
    /* What arrived until now has been heard, but an end for want of buffer space loses some. */
    go_deaf(b, deaf_since(b));
    b->is_subscribed = false;
    bus_interest_lost(b->interest);
}

/* ---- the canary */

static void on_canary_answered(const struct redis_reply *r, void *arg)
{
    struct bus_redis *b = arg;
    b->canaries_out--;
    if (r && redis_reply_kind(r) == REDIS_LINK_ERROR)
        bus_redis_log_refusal(b, redis_reply_text(r)); /* else nobody knew why it is never heard */
}

static void send_canary(struct bus_redis *b)
{
    char text[64];
    if (!redis_link_is_up(b->out)) return;
    buf_clear(&b->name);
    if (!bus_name_canary(&b->name, b->key, b->bus.uid)) return;
    int n = snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)++b->canary_seq,
                     (unsigned long long)now_mono_us());
    const struct str_view argv[] = {SV("PUBLISH"), buf_view(&b->name), sv_make(text, (size_t)n)};
    b->canaries_out++;
    redis_link_command(b->out, on_canary_answered, b, 3, argv);
}

static void note_lag(struct bus_stats *s, uint64_t us)
{
    unsigned i = 0;
    while (i < BUS_LAG_BUCKETS - 1 && us > bus_lag_bounds[i])
        i++;
    s->lag[i]++;
    s->lag_count++;
    s->lag_sum_us += us;
}

static void hear_again(struct bus_redis *b)
{
    uint64_t ms = loop_now(b->loop) - b->deaf_since;
    b->is_hearing = true;
    if (b->has_heard) {
        b->bus.stats.gaps++;
        b->bus.stats.gap_ms += ms;
        log_warn("bus gap ms=%llu: messages of others may have been missed",
                 (unsigned long long)ms);
        b->bus.events->gap(ms, b->bus.arg);
    }
    b->has_heard = true;
}

/* "<number> <microseconds>", as it was sent; anybody may publish there. */
void bus_redis_canary_heard(struct bus_redis *b, struct str_view payload)
{
    char text[64];
    unsigned long long seq, us;
    uint64_t now_us = now_mono_us();
    if (payload.n >= sizeof(text)) return;
    memcpy(text, payload.p, payload.n);
    text[payload.n] = '\0';
    char *end;
    seq = strtoull(text, &end, 10);
    if (*end != ' ') return;
    us = strtoull(end + 1, &end, 10);
    if (*end || seq > b->canary_seq || us > now_us) return;
    note_lag(&b->bus.stats, now_us - us);
    if (!b->is_subscribed || seq < b->canary_floor) return;
    b->heard_at = loop_now(b->loop);
    if (!b->is_hearing) hear_again(b);
}

static bool is_late(const struct bus_redis *b, uint64_t now)
{
    return now - b->heard_at >= (uint64_t)b->cfg->bus_canary_timeout;
}

static void make_anew(struct bus_redis *b)
{
    bool is_answered = b->canaries_out == 0;
    b->bus.stats.canaries_late++;
    go_deaf(b, b->heard_at);
    b->heard_at = loop_now(b->loop);
    if (redis_link_is_up(b->in)) redis_link_restart(b->in, "no canary heard");
    if (redis_link_is_up(b->out) && !is_answered) redis_link_restart(b->out, "no answer");
}

void bus_redis_canary_tick(struct bus_redis *b)
{
    uint64_t now = loop_now(b->loop);
    /* Without a link to publish on nothing can be sent round: the old proof stands. */
    if (!redis_link_is_up(b->out))
        b->heard_at = now;
    else if (redis_link_is_up(b->in) && is_late(b, now))
        make_anew(b);
    if (now < b->canary_at) return;
    b->canary_at = now + (uint64_t)b->cfg->bus_canary_interval;
    if (redis_link_is_up(b->in)) send_canary(b);
}

uint64_t bus_redis_canary_deadline(const struct bus_redis *b)
{
    uint64_t late = b->heard_at + (uint64_t)b->cfg->bus_canary_timeout;
    bool watched = redis_link_is_up(b->in) && redis_link_is_up(b->out);
    return watched && late < b->canary_at ? late : b->canary_at;
}

const char *bus_redis_trouble(struct bus *bus)
{
    const struct bus_redis *b = (const struct bus_redis *)bus;
    if (!redis_link_is_up(b->out) || !redis_link_is_up(b->in)) return "not connected to Redis";
    if (!b->is_subscribed) return "subscribing";
    if (!b->is_hearing) return "no canary heard";
    return NULL;
}
