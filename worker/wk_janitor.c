/* A gateway that dies tells nobody, but it has left notes of its sockets whose connect workers were told
 * (work_note.h). The worker that has partition 0 looks for such hashes, a step of SCAN at a time; those
 * whose gateway's heartbeat has expired it empties: each note becomes a disconnect item, by a script that
 * looks once more whether all that is so. Two janitors at a time do no harm: a note goes once. */

/* System */
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/work_note.h"
/* Worker */
#include "wk_redis.h"

#define STEP_MS 50u     /* between two steps of a scan */
#define SWEEP_MS 2000u  /* between two scans */
#define KEYS_A_STEP 64u /* of gateways; the others wait for the next scan */
#define GATEWAY_MAX 64u /* no gateway's name is longer */
/* The gateway itself never got so far. */
#define FIRST_NUMBER ((uint64_t)1 << 62)
#define NOTE_MAX 1048576u /* of a note's item */

/* A gateway that may be gone. */
struct gone {
    struct wk_redis *redis;
    size_t left;  /* notes of this round that are not answered */
    bool has_one; /* of them has become an item */
    size_t len;
    char gateway[GATEWAY_MAX];
};

static struct str_view name_of(const struct gone *g)
{
    return sv_make(g->gateway, g->len);
}

static bool is_on_duty(const struct wk_redis *r)
{
    return wk_stream_has(r->feed, 0) && redis_link_is_up(r->commands);
}

static void ask_notes(struct gone *g);

static void on_orphan(const struct redis_reply *reply, void *arg)
{
    struct gone *g = arg;
    struct wk_redis *r = g->redis;
    if (wk_redis_is_good(r, WK_SCRIPT_ORPHAN, reply) && redis_reply_int(reply) == 1)
        g->has_one = true;
    if (--g->left) return;
    if (g->has_one && reply && is_on_duty(r))
        ask_notes(g);
    else
        x_free(g);
}

static void add_item(struct wk_redis *r, struct work_item *item, struct str_view gateway)
{
    struct str_view v[WORK_FIELDS_MAX];
    struct buf scratch, id;
    buf_init(&scratch, WORK_SCRATCH_MAX);
    buf_init(&id, BUS_NAME_MAX);
    item->type = WORK_DISCONNECT;
    item->gateway = gateway;
    item->reason = SV("gateway lost");
    item->time_ms = (uint64_t)loop_wall_s(r->loop) * 1000;
    uint64_t number = FIRST_NUMBER + item->time_ms * 1000 + r->orphans++ % 1000000;
    if (buf_addf(&id, "%.*s-%llu", SV_ARG(gateway), (unsigned long long)number))
        item->id = buf_view(&id);
    size_t n = work_item_encode(item, &scratch, v);
    for (size_t i = 0; i < n; i++)
        wk_words_add(&r->words, v[i]);
    wk_words_add(&r->words, SV("replay")); /* no repeat, whatever its number is */
    wk_words_add(&r->words, SV("1"));
    buf_fini(&scratch);
    buf_fini(&id);
}

static void submit(struct gone *g, struct str_view field, struct str_view value)
{
    struct wk_redis *r = g->redis;
    struct wk_words *w = &r->words;
    struct work_item item;
    struct buf text;
    const char *why;
    buf_init(&text, NOTE_MAX);
    if (work_note_decode(&item, field, value, &text, &why)) {
        unsigned p = work_partition(item.sid, (unsigned)r->cfg->work_partitions);
        wk_redis_begin(r, WK_SCRIPT_ORPHAN, 4);
        wk_words_add_node(w, bus_name_sockets, r->key, name_of(g));
        wk_words_add_part(w, bus_name_work, r->key, p);
        wk_words_add_part(w, bus_name_lease, r->key, 0);
        wk_words_add_node(w, bus_name_node, r->key, name_of(g));
        wk_words_addf(w, "%.*s %llu", SV_ARG(r->uid),
                      (unsigned long long)wk_stream_epoch(r->feed, 0));
        wk_words_add(w, field);
        wk_words_add(w, value);
        add_item(r, &item, name_of(g));
        if (!w->is_full) {
            g->left++;
            wk_redis_send(r, on_orphan, g);
        }
    } else {
        wk_redis_log(r, "a note of a lost gateway's socket is not readable", sv_of(why));
        struct buf name;
        buf_init(&name, BUS_NAME_MAX);
        if (bus_name_sockets(&name, r->key, name_of(g))) {
            const struct str_view argv[] = {SV("HDEL"), buf_view(&name), field};
            redis_link_command(r->commands, NULL, NULL, 3, argv);
        }
        buf_fini(&name);
    }
    buf_fini(&text);
}

static void on_notes(const struct redis_reply *reply, void *arg)
{
    struct gone *g = arg;
    bool is_list = reply && redis_reply_count(reply) == 2;
    const struct redis_reply *notes = is_list ? redis_reply_at(reply, 1) : NULL;
    size_t n = notes ? redis_reply_count(notes) : 0;
    g->left = 1; /* so that no answer frees it meanwhile */
    g->has_one = false;
    if (n && is_on_duty(g->redis)) {
        for (size_t i = 0; i + 1 < n; i += 2)
            submit(g, redis_reply_text(redis_reply_at(notes, i)),
                   redis_reply_text(redis_reply_at(notes, i + 1)));
    }
    if (--g->left == 0) x_free(g);
}

static void ask_notes(struct gone *g)
{
    struct buf name;
    buf_init(&name, BUS_NAME_MAX);
    if (bus_name_sockets(&name, g->redis->key, name_of(g))) {
        const struct str_view argv[] = {SV("HSCAN"), buf_view(&name), SV("0"), SV("COUNT"),
                                        SV("10")};
        redis_link_command(g->redis->commands, on_notes, g, 5, argv);
    } else {
        x_free(g);
    }
    buf_fini(&name);
}

static void on_exists(const struct redis_reply *reply, void *arg)
{
    struct gone *g = arg;
    bool is_gone = reply && redis_reply_kind(reply) == REDIS_LINK_INT && !redis_reply_int(reply);
    if (is_gone && is_on_duty(g->redis))
        ask_notes(g);
    else
        x_free(g);
}

/* key: that of a gateway's notes. */
static void look_at(struct wk_redis *r, struct str_view key)
{
    struct buf name;
    buf_init(&name, BUS_NAME_MAX);
    if (bus_name_sockets(&name, r->key, SV("")) && sv_starts_with(key, buf_view(&name)) &&
        key.n > name.n && key.n - name.n <= GATEWAY_MAX) {
        struct gone *g = x_calloc(1, sizeof(*g));
        g->redis = r;
        g->len = key.n - name.n;
        memcpy(g->gateway, key.p + name.n, g->len);
        buf_clear(&name);
        bool fits = bus_name_node(&name, r->key, name_of(g));
        const struct str_view argv[] = {SV("EXISTS"), buf_view(&name)};
        if (fits)
            redis_link_command(r->commands, on_exists, g, 2, argv);
        else
            x_free(g);
    }
    buf_fini(&name);
}

static void on_scanned(const struct redis_reply *reply, void *arg)
{
    struct wk_redis *r = arg;
    struct str_view cursor = SV("0");
    r->is_sweeping = false;
    if (reply && redis_reply_count(reply) == 2 && is_on_duty(r)) {
        const struct redis_reply *keys = redis_reply_at(reply, 1);
        cursor = redis_reply_text(redis_reply_at(reply, 0));
        for (size_t i = 0; i < redis_reply_count(keys) && i < KEYS_A_STEP; i++)
            look_at(r, redis_reply_text(redis_reply_at(keys, i)));
    }
    bool is_over = cursor.n == 0 || cursor.n >= sizeof(r->cursor) || sv_eq(cursor, SV("0"));
    snprintf(r->cursor, sizeof(r->cursor), "%.*s", is_over ? 1 : (int)cursor.n,
             is_over ? "0" : cursor.p);
    r->sweep_at = loop_now(r->loop) + (is_over ? SWEEP_MS : STEP_MS);
}

void wk_janitor_tick(struct wk_redis *r)
{
    struct buf pattern;
    if (r->is_sweeping || loop_now(r->loop) < r->sweep_at) return;
    /* After Redis was away, heartbeats may be missing of gateways that are not back yet. */
    if (!is_on_duty(r) || loop_now(r->loop) < r->patient_until) {
        r->sweep_at = loop_now(r->loop) + SWEEP_MS;
        return;
    }
    buf_init(&pattern, 2 * BUS_NAME_MAX);
    if (bus_name_all_sockets(&pattern, r->key)) {
        const struct str_view argv[] = {SV("SCAN"),  sv_of(r->cursor[0] ? r->cursor : "0"),
                                        SV("MATCH"), buf_view(&pattern),
                                        SV("COUNT"), SV("1000")};
        r->is_sweeping = true;
        redis_link_command(r->commands, on_scanned, r, 6, argv);
    }
    buf_fini(&pattern);
}
