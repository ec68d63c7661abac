/* What is said to Redis, and what it answers.
 *
 * An event is one XADD. A connect and a disconnect are a script of two commands each, so that the note
 * of a socket is there while its connect has been told and its disconnect has not; either may be
 * repeated.
 *
 * Lengths: what was added since an answer counts, so a turn that adds much is seen before Redis says
 * so. Partitions that were not empty are asked for again after a while: the full ones because nothing
 * is added to them, the others for the gauge. */

/* System */
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/log.h"
/* Cluster */
#include "cluster/work_note.h"
/* Io */
#include "io/work_redis_parts.h"

#define CONNECT_SCRIPT                                                                             \
    SV("redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3)) "                                        \
       "return redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])")
#define DISCONNECT_SCRIPT                                                                          \
    SV("redis.call('HDEL', KEYS[2], ARGV[1]) "                                                     \
       "return redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))")
/* Whose disconnect has been told meanwhile has no note, and gets none. */
#define RENEW_SCRIPT                                                                               \
    SV("if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end "                        \
       "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])")
#define HEAD_MAX 8 /* words of a command before an item's fields */

bool work_redis_may_send(const struct work_redis *w)
{
    return w->has_agreed && redis_link_is_up(w->link);
}

static void log_refusal(struct work_redis *w, struct str_view why)
{
    uint64_t now = loop_now(w->loop);
    if (w->logged_at && now - w->logged_at < WORK_REDIS_LOG_MS) return;
    w->logged_at = now;
    log_warn("Redis refuses work: %.*s", SV_ARG(why));
}

/* ---- lengths */

static void set_backlog(struct work_partition *p, uint64_t n)
{
    struct work_redis *w = p->work;
    uint64_t max = (uint64_t)w->cfg->work_max_backlog;
    bool was_full = p->is_full;
    w->out.stats.backlog += n - p->backlog;
    p->backlog = n;
    if (n > max) p->is_full = true;
    if (n <= max - max / 8) p->is_full = false;
    w->out.stats.partitions_full += (uint64_t)p->is_full - (uint64_t)was_full;
}

static void on_length(const struct redis_reply *r, void *arg)
{
    struct work_partition *p = arg;
    p->is_asked = false;
    if (!r) return;
    if (redis_reply_kind(r) == REDIS_LINK_INT && redis_reply_int(r) >= 0)
        set_backlog(p, (uint64_t)redis_reply_int(r));
    else
        log_refusal(p->work, redis_reply_text(r));
}

static void ask_length(struct work_redis *w, unsigned partition)
{
    struct work_partition *p = &w->partitions[partition];
    p->is_asked = true;
    p->is_touched = false;
    buf_clear(&w->name);
    bool fits = bus_name_work(&w->name, w->key, partition);
    assert(fits); /* bus.key is bounded */
    (void)fits;
    const struct str_view argv[] = {SV("XLEN"), buf_view(&w->name)};
    redis_link_command(w->link, on_length, p, 2, argv);
}

/* One question at a time for each partition; what is added meanwhile is asked about next. */
static void ask_lengths(struct work_redis *w)
{
    bool is_time = loop_now(w->loop) >= w->probe_at;
    if (is_time) w->probe_at = WHEEL_NEVER;
    if (w->is_touched || is_time) {
        w->is_touched = false;
        for (unsigned i = 0; i < w->npartitions; i++) {
            struct work_partition *p = &w->partitions[i];
            bool wants = p->is_touched || (is_time && p->backlog);
            if (wants && !p->is_asked)
                ask_length(w, i);
            else if (p->is_touched)
                w->is_touched = true;
        }
    }
    if (w->out.stats.backlog && w->probe_at == WHEEL_NEVER)
        w->probe_at = loop_now(w->loop) + WORK_REDIS_PROBE_MS;
}

/* ---- entries */

static void refused(struct work_entry *e, struct str_view why)
{
    struct work_redis *w = e->work;
    log_refusal(w, why);
    if (e->note || e->item->type == WORK_DISCONNECT) {
        if (!w->again.first) w->again_at = loop_now(w->loop) + WORK_REDIS_AGAIN_MS;
        work_queue_add(&w->again, e);
    } else {
        work_redis_settle(e, WORK_REFUSED);
    }
}

/* Within a script's error it stands somewhere. */
static bool says_replica(struct str_view text)
{
    return text.n && memmem(text.p, text.n, "READONLY", 8);
}

static void on_added(const struct redis_reply *r, void *arg)
{
    struct work_entry *e = arg;
    struct work_redis *w = e->work;
    if (!r) return; /* it is in the queue still */
    bool is_error = redis_reply_kind(r) == REDIS_LINK_ERROR;
    if (is_error && says_replica(redis_reply_text(r))) {
        redis_link_restart(w->link, "Redis has become a replica");
        return;
    }
    struct work_entry *first = work_queue_take(&w->queue);
    assert(first == e && e != w->unsent);
    (void)first;
    if (is_error)
        refused(e, redis_reply_text(r));
    else
        work_redis_settle(e, WORK_TAKEN);
}

/* Names of the two keys, one behind the other in w->name. */
static void name_keys(struct work_redis *w, unsigned partition, struct str_view *work,
                      struct str_view *sockets)
{
    buf_clear(&w->name);
    bool fits = bus_name_work(&w->name, w->key, partition);
    size_t n = w->name.n;
    fits = fits && bus_name_sockets(&w->name, w->key, w->uid);
    assert(fits); /* bus.key is bounded */
    (void)fits;
    *work = sv_make(w->name.p, n);
    *sockets = sv_make(w->name.p + n, w->name.n - n);
}

/* The command's words before the item's fields. */
static size_t make_head(struct work_redis *w, const struct work_entry *e,
                        struct str_view argv[HEAD_MAX])
{
    struct str_view work, sockets;
    name_keys(w, e->partition, &work, &sockets);
    if (e->item->type == WORK_EVENT) {
        const struct str_view head[] = {SV("XADD"), work, SV("*")};
        memcpy(argv, head, sizeof(head));
        return 3;
    }
    bool connects = e->item->type == WORK_CONNECT;
    buf_clear(&w->note);
    buf_clear(&w->value);
    bool fits = work_note_field(&w->note, e->item->nsp, e->item->sid) &&
                (!connects || work_note_value(&w->value, e->item));
    assert(fits); /* names are bounded, and so is the item */
    (void)fits;
    const struct str_view head[] = {SV("EVAL"),
                                    connects ? CONNECT_SCRIPT : DISCONNECT_SCRIPT,
                                    SV("2"),
                                    work,
                                    sockets,
                                    buf_view(&w->note),
                                    buf_view(&w->value)};
    memcpy(argv, head, sizeof(head));
    return connects ? 7 : 6;
}

static void send_item(struct work_redis *w, struct work_entry *e)
{
    struct work_partition *p = &w->partitions[e->partition];
    struct str_view argv[HEAD_MAX + WORK_FIELDS_MAX];
    buf_clear(&w->scratch);
    size_t n = make_head(w, e, argv);
    n += work_item_encode(e->item, &w->scratch, argv + n);
    redis_link_command(w->link, on_added, e, n, argv);
    set_backlog(p, p->backlog + 1);
    p->is_touched = w->is_touched = true;
}

static void send_note(struct work_redis *w, struct work_entry *e)
{
    struct str_view work, sockets, note = sv_make(e->note, e->note_len);
    name_keys(w, 0, &work, &sockets);
    const struct str_view forget[] = {SV("HDEL"), sockets, note};
    const struct str_view renew[] = {SV("EVAL"), RENEW_SCRIPT, SV("1"),
                                     sockets,    note,         sv_make(e->value, e->value_len)};
    if (e->value)
        redis_link_command(w->link, on_added, e, 6, renew);
    else
        redis_link_command(w->link, on_added, e, 3, forget);
}

void work_redis_send(struct work_redis *w)
{
    if (!work_redis_may_send(w)) return;
    while (w->unsent) {
        struct work_entry *e = w->unsent;
        w->unsent = e->next;
        if (e->was_sent && e->item) w->out.stats.repeated++;
        e->was_sent = true;
        if (e->item)
            send_item(w, e);
        else
            send_note(w, e);
    }
    ask_lengths(w);
    redis_link_flush(w->link);
}

/* ---- the connection */

static void disagree(struct work_redis *w, struct str_view theirs)
{
    bool is_number = theirs.n > 0 && theirs.n < 12;
    for (size_t i = 0; i < theirs.n; i++)
        is_number = is_number && theirs.p[i] >= '0' && theirs.p[i] <= '9';
    snprintf(w->mismatch, sizeof(w->mismatch),
             "work.partitions: %u is not allowed: the programs that use this Redis have %.*s",
             w->npartitions, is_number ? (int)theirs.n : 13,
             is_number ? theirs.p : "another count");
    log_error("%s", w->mismatch);
    work_redis_refuse_all(w);
}

static void on_count(const struct redis_reply *r, void *arg)
{
    struct work_redis *w = arg;
    char own[16];
    if (!r) return;
    if (redis_reply_kind(r) != REDIS_LINK_TEXT) {
        log_refusal(w, redis_reply_text(r));
        redis_link_restart(w->link, "work.partitions cannot be agreed on");
        return;
    }
    int n = snprintf(own, sizeof(own), "%u", w->npartitions);
    w->has_agreed = sv_eq(redis_reply_text(r), sv_make(own, (size_t)n));
    if (w->has_agreed)
        w->mismatch[0] = '\0';
    else
        disagree(w, redis_reply_text(r));
}

void work_redis_on_up(void *arg)
{
    struct work_redis *w = arg;
    char own[16];
    int n = snprintf(own, sizeof(own), "%u", w->npartitions);
    w->out.stats.connects++;
    buf_clear(&w->name);
    bool fits = bus_name_partitions(&w->name, w->key);
    assert(fits); /* bus.key is bounded */
    (void)fits;
    const struct str_view set[] = {SV("SET"), buf_view(&w->name), sv_make(own, (size_t)n),
                                   SV("NX")};
    const struct str_view get[] = {SV("GET"), buf_view(&w->name)};
    redis_link_command(w->link, NULL, NULL, 4, set);
    redis_link_command(w->link, on_count, w, 2, get);
    redis_link_flush(w->link);
}

void work_redis_on_down(void *arg, const char *why)
{
    struct work_redis *w = arg;
    (void)why;
    w->out.stats.disconnects++;
    w->has_agreed = false;
    w->unsent = w->queue.first;
}
