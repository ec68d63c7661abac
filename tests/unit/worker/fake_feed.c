/* System */
#include <assert.h>
#include <stdarg.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/node_cmd.h"
/* This test */
#include "unit/worker/fake_feed.h"

static void say(struct fake_feed *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct fake_feed *f, const char *format, ...)
{
    char text[2048];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    assert(n >= 0 && (size_t)n < sizeof(text));
    bool fits = buf_add(&f->told, text, (size_t)n);
    assert(fits);
}

static void say_commands(struct fake_feed *f, struct str_view bytes)
{
    static const char *const names[] = {"ack",   "join",   "leave", "disconnect", "data",
                                        "admit", "refuse", "sync",  "synced"};
    struct node_cmd c;
    struct node_cmd_space space;
    const char *why;
    while (node_cmd_next(&bytes, &c, &space, &why)) {
        say(f, " %s", names[c.type]);
        if (c.nrooms) say(f, " %.*s", SV_ARG(c.rooms[0]));
        if (c.json.n) say(f, " %.*s", SV_ARG(c.json));
        if (c.nattachments) say(f, " +%u", c.nattachments);
        if (c.close) say(f, " all");
        if (c.type == NODE_SYNC) f->token = c.token;
    }
    assert(!why);
}

static void say_result(struct fake_feed *f, struct wk_result *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct wk_effect *e = &r->v[i];
        if (e->type == WK_DIRECT) {
            assert(e->direct.bytes.n <= (size_t)f->cfg.bus_max_message);
            say_commands(f, buf_view(&e->direct.bytes));
        } else if (e->type == WK_REQUEST) {
            say(f, " request %d", (int)e->request->type);
        } else {
            say(f, " emit");
            for (unsigned k = 0; k < e->msg->nrooms; k++)
                say(f, " %.*s", SV_ARG(e->msg->rooms[k]));
            for (unsigned k = 0; k < e->msg->nexcept; k++)
                say(f, " -%.*s", SV_ARG(e->msg->except[k]));
            if (e->msg->nattachments) say(f, " +%u", e->msg->nattachments);
            if (e->msg->flags & BUS_VOLATILE) say(f, " volatile");
            say(f, " %.*s", SV_ARG(e->msg->json));
        }
    }
    say(f, "; ");
    wk_result_fini(r);
}

static bool is_mine(struct wk_feed *feed, unsigned partition)
{
    (void)partition;
    return ((struct fake_feed *)feed)->mine;
}

static void step(struct wk_feed *feed, const struct wk_ticket *t, struct wk_result *r,
                 wk_step_cb cb, void *arg)
{
    struct fake_feed *f = (struct fake_feed *)feed;
    assert(!f->step_cb);
    f->step_cb = cb;
    f->step_arg = arg;
    say(f, "step %llu:", (unsigned long long)t->seq);
    say_result(f, r);
}

static void finish(struct wk_feed *feed, const struct wk_ticket *t, struct wk_result *r)
{
    struct fake_feed *f = (struct fake_feed *)feed;
    say(f, "finish %llu:", (unsigned long long)t->seq);
    say_result(f, r);
}

static void bury(struct wk_feed *feed, const struct wk_ticket *t, const struct work_item *item,
                 struct str_view why, unsigned attempts, struct wk_result *r)
{
    struct fake_feed *f = (struct fake_feed *)feed;
    (void)item;
    say(f, "bury %llu (%.*s, %u):", (unsigned long long)t->seq, SV_ARG(why), attempts);
    say_result(f, r);
}

static void stop(struct wk_feed *feed)
{
    ((struct fake_feed *)feed)->stops = true;
}

static const char *trouble(struct wk_feed *feed)
{
    return ((struct fake_feed *)feed)->mine ? NULL : "no lease";
}

/* All that was in hand is given back: the feed has stopped. */
static bool flush(struct wk_feed *feed)
{
    struct fake_feed *f = (struct fake_feed *)feed;
    if (f->stops && !f->is_stopped && !wk_core_stats(f->core)->jobs) {
        f->is_stopped = true;
        feed->events->stopped(feed->arg);
    }
    return false;
}

static void free_feed(struct wk_feed *feed)
{
    struct fake_feed *f = (struct fake_feed *)feed;
    if (f->step_cb) fake_feed_answer_step(f, WK_STEP_REFUSED);
}

static uint64_t mono_ms(void *arg)
{
    return ((struct fake_feed *)arg)->now;
}

static int64_t wall_s(void *arg)
{
    return (int64_t)(((struct fake_feed *)arg)->now / 1000);
}

static bool phase_core(void *arg)
{
    wk_core_flush(((struct fake_feed *)arg)->core);
    return false;
}

struct fake_feed *fake_feed_new(const char *const *sets)
{
    static const struct wk_feed_ops ops = {is_mine, step,    finish, bury,
                                           stop,    trouble, flush,  free_feed};
    static struct now_source now;
    struct fake_feed *f = x_calloc(1, sizeof(*f));
    struct cfg_error err;
    now = (struct now_source){mono_ms, wall_s, f};
    f->now = 1000;
    f->mine = true;
    f->bus.uid = SV("worker01");
    buf_init(&f->told, 1 << 20);
    cfg_init(&f->cfg);
    for (; sets && *sets; sets++) {
        bool is_set = cfg_set(&f->cfg, *sets, &err);
        assert(is_set);
    }
    f->loop = loop_new(&now);
    f->core = wk_core_new(&f->cfg, f->loop, &f->bus, NULL, &err);
    assert(f->core);
    f->feed.ops = &ops;
    f->feed.events = &wk_core_feed_events;
    f->feed.arg = f->core;
    wk_core_set_feed(f->core, &f->feed);
    loop_add_phase(f->loop, phase_core, f);
    return f;
}

void fake_feed_free(struct fake_feed *f)
{
    wk_core_free(f->core);
    loop_free(f->loop);
    cfg_fini(&f->cfg);
    buf_fini(&f->told);
    x_free(f);
}

uint64_t fake_feed_item(struct fake_feed *f, struct work_item *item, unsigned deaths)
{
    struct wk_ticket t = {.partition = 3, .ms = 1, .seq = ++f->next};
    char id[32];
    int n = snprintf(id, sizeof(id), "gw000001-%llu", (unsigned long long)t.seq);
    item->id = sv_make(id, (size_t)n);
    if (!item->nsp.n) item->nsp = SV("/");
    item->gateway = SV("gw000001");
    item->claims = SV("{}");
    if (!item->data.n) item->data = SV("null");
    f->last = t;
    f->feed.events->item(f->feed.arg, &t, item, deaths);
    return t.seq;
}

uint64_t fake_feed_event(struct fake_feed *f, const char *sid, const char *event)
{
    char args[256];
    int n = snprintf(args, sizeof(args), "[\"%s\",1,{\"a\":2}]", event);
    struct work_item item = {.type = WORK_EVENT,
                             .sid = sv_of(sid),
                             .user = SV("ann"),
                             .event = sv_of(event),
                             .args = sv_make(args, (size_t)n),
                             .wants_ack = true,
                             .ack_id = 7};
    return fake_feed_item(f, &item, 0);
}

void fake_feed_turn(struct fake_feed *f, uint64_t ms)
{
    f->now += ms;
    loop_turn(f->loop, false);
}

void fake_feed_answer_step(struct fake_feed *f, enum wk_stepped how)
{
    wk_step_cb cb = f->step_cb;
    assert(cb);
    f->step_cb = NULL;
    cb(f->step_arg, how);
}

void fake_feed_synced(struct fake_feed *f, uint64_t token)
{
    struct buf bytes;
    struct node_cmd c = {.type = NODE_SYNCED, .token = token};
    buf_init(&bytes, 1024);
    bool fits = node_cmd_encode(&bytes, &c);
    assert(fits);
    wk_core_direct(f->core, buf_view(&bytes));
    buf_fini(&bytes);
}

const char *fake_feed_told(struct fake_feed *f)
{
    static char text[8192];
    snprintf(text, sizeof(text), "%.*s", (int)f->told.n, f->told.p ? f->told.p : "");
    buf_clear(&f->told);
    return text;
}
