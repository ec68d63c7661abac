/* What the scripts of wk_scripts.c do, as C, with connections in between. A command that was on its way
 * when a connection broke may still arrive, even behind those of the next connection. */

/* System */
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Tests */
#include "sim/wk_sim.h"

enum op_kind { OP_BEAT, OP_ACT, OP_READ };

struct sim_op {
    struct sim_op *next;
    struct sim_conn *conn;
    enum op_kind kind;
    uint64_t at; /* when it arrives, or its answer */
    bool is_done, is_lost, is_told;
    /* BEAT */
    bool is_member;
    struct wk_lease_ask asks[SIM_PARTITIONS];
    enum wk_lease_found found[SIM_PARTITIONS];
    unsigned workers, rank;
    uint64_t expiry_ms;
    /* ACT: a copy of what the script is given, for it may arrive when the batch is gone */
    struct wk_batch *batch;
    unsigned partition;
    uint64_t epoch;
    size_t n;
    struct wk_act *acts;
    int64_t *results;
    bool is_fenced;
    /* READ */
    struct wk_store_cursor cursors[SIM_PARTITIONS];
    size_t ncursors, count;
    uint64_t wait_until;
    bool is_woken;
    unsigned *found_entries;
    size_t nfound;
};

/* ---- the server */

bool sim_lease_is(const struct sim *s, unsigned partition, int worker, uint64_t epoch)
{
    const struct sim_lease *l = &s->leases[partition];
    return l->owner == worker && l->epoch == epoch && s->now < l->expiry;
}

static void expire(struct sim *s)
{
    for (unsigned p = 0; p < SIM_PARTITIONS; p++)
        if (s->leases[p].owner >= 0 && s->now >= s->leases[p].expiry) s->leases[p].owner = -1;
}

static enum wk_lease_found take(struct sim *s, struct sim_lease *l, int me, uint64_t epoch)
{
    bool is_mine = l->owner == me;
    if (l->owner >= 0 && !is_mine) return WK_LEASE_IS_OTHERS;
    if (is_mine && l->epoch >= epoch) return WK_LEASE_IS_OTHERS; /* an old question */
    if (l->last_owner >= 0 && l->last_owner != me) l->has_died = true;
    *l = (struct sim_lease){me, epoch, s->now + SIM_LEASE, me, l->has_died};
    return l->has_died ? WK_LEASE_IS_HEIR : WK_LEASE_IS_MINE;
}

static enum wk_lease_found beat_one(struct sim *s, unsigned p, int me, const struct wk_lease_ask *a)
{
    struct sim_lease *l = &s->leases[p];
    bool is_this = l->owner == me && l->epoch == a->epoch;
    if (a->want == WK_LEASE_TAKE) return take(s, l, me, a->epoch);
    if ((a->want == WK_LEASE_HOLD || a->want == WK_LEASE_GIVE) && is_this) {
        if (a->is_settled) l->has_died = false;
        if (a->want == WK_LEASE_HOLD) {
            l->expiry = s->now + SIM_LEASE;
            return WK_LEASE_IS_MINE;
        }
        l->owner = l->last_owner = -1;
        return WK_LEASE_IS_FREE;
    }
    return l->owner < 0 || l->owner == me ? WK_LEASE_IS_FREE : WK_LEASE_IS_OTHERS;
}

static void serve_beat(struct sim *s, struct sim_op *op)
{
    int me = op->conn->worker;
    s->members[me] = op->is_member ? s->now + SIM_LEASE : 0;
    op->expiry_ms = UINT64_MAX;
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        op->found[p] = beat_one(s, p, me, &op->asks[p]);
        const struct sim_lease *l = &s->leases[p];
        if (l->owner >= 0 && l->owner != me && l->expiry - s->now < op->expiry_ms)
            op->expiry_ms = l->expiry - s->now;
    }
    for (int i = 0; i < (int)SIM_WORKERS; i++) {
        if (s->members[i] <= s->now) continue;
        op->workers++;
        op->rank += i < me;
    }
}

static void count_effects(struct sim *s, struct sim_entry *e)
{
    s->naway++;
    e->is_away = true;
    if (e->is_repeat || e->is_bad) return;
    if (e->number != s->socket_last[e->socket] + 1)
        sim_fail(s, "socket %u: item %llu has effects behind item %llu", e->socket,
                 (unsigned long long)e->number, (unsigned long long)s->socket_last[e->socket]);
    s->socket_last[e->socket] = e->number;
    s->effects++;
}

/* Begun again by who began it last: nobody has died of it. */
static int64_t note(struct sim *s, unsigned entry, int me)
{
    if (s->notes[entry] && s->noted_by[entry] == me) return s->notes[entry];
    s->noted_by[entry] = me;
    return ++s->notes[entry];
}

static int64_t act(struct sim *s, const struct wk_act *a, int me)
{
    if (a->kind == WK_ACT_SIFT || a->kind == WK_ACT_TELL) return 0;
    struct sim_entry *e = &s->entries[a->place.ms - 1];
    if (a->kind == WK_ACT_NOTE) return note(s, (unsigned)a->place.ms - 1, me);
    if (e->is_away) return 0;
    if (a->kind == WK_ACT_STEP) return 2;
    count_effects(s, e);
    if (a->kind == WK_ACT_BURY && !e->is_bad && !e->is_killer) sim_fail(s, "a good item is buried");
    s->buried += a->kind == WK_ACT_BURY;
    return 1;
}

static void serve_act(struct sim *s, struct sim_op *op)
{
    op->is_fenced = !sim_lease_is(s, op->partition, op->conn->worker, op->epoch);
    s->fenced += op->is_fenced;
    op->results = x_calloc(op->n + 1, sizeof(*op->results));
    for (size_t i = 0; i < op->n && !op->is_fenced; i++)
        op->results[i] = act(s, &op->acts[i], op->conn->worker);
}

/* False: nothing yet. */
static bool serve_read(struct sim *s, struct sim_op *op)
{
    if (!op->found_entries) op->found_entries = x_calloc(SIM_ENTRIES, sizeof(unsigned));
    for (size_t i = 0; i < op->ncursors; i++) {
        size_t n = 0;
        for (uint64_t e = op->cursors[i].behind.ms; e < s->nentries && n < op->count; e++) {
            if (s->entries[e].partition != op->cursors[i].partition || s->entries[e].is_away)
                continue;
            op->found_entries[op->nfound++] = (unsigned)e;
            n++;
        }
    }
    return op->nfound || op->is_woken || s->now >= op->wait_until;
}

static void serve(struct sim *s, struct sim_op *op)
{
    expire(s);
    if (op->kind == OP_READ && !serve_read(s, op)) return; /* again next time */
    if (op->kind == OP_BEAT) serve_beat(s, op);
    if (op->kind == OP_ACT) serve_act(s, op);
    op->is_done = true;
    op->at = s->now + sim_random(s, s->slowness + 1);
    if (op->at < op->conn->last_answer && op->kind != OP_READ) op->at = op->conn->last_answer;
    if (op->kind != OP_READ) op->conn->last_answer = op->at;
}

/* ---- answers */

static void tell_entries(struct sim *s, struct sim_op *op)
{
    char id[32];
    struct sim_conn *c = op->conn;
    for (size_t i = 0; i < op->nfound; i++) {
        const struct sim_entry *e = &s->entries[op->found_entries[i]];
        struct str_view v[WORK_FIELDS_MAX];
        struct buf scratch;
        buf_init(&scratch, 4096);
        snprintf(id, sizeof(id), "gateway-%u", e->id);
        struct work_item item = {.type = WORK_EVENT,
                                 .id = sv_of(id),
                                 .nsp = SV("/"),
                                 .sid = SV("socket"),
                                 .gateway = SV("gateway"),
                                 .serial = op->found_entries[i],
                                 .claims = SV("{}"),
                                 .data = SV("null"),
                                 .event = SV("x"),
                                 .args = SV("[\"x\"]")};
        size_t n = work_item_encode(&item, &scratch, v);
        struct wk_place place = {op->found_entries[i] + 1, 0};
        c->store.events->entry(c->store.arg, e->partition, place, v, e->is_bad ? n - 2 : n, 100);
        buf_fini(&scratch);
    }
}

static void tell(struct sim *s, struct sim_op *op)
{
    struct sim_conn *c = op->conn;
    op->is_told = true;
    if (op->kind == OP_BEAT) {
        struct wk_lease_answer a = {op->workers, op->rank, op->expiry_ms, op->found};
        c->store.events->beaten(c->store.arg, op->is_lost ? NULL : &a, 0);
    } else if (op->kind == OP_READ) {
        if (!op->is_lost) tell_entries(s, op);
        c->store.events->read(c->store.arg, op->is_lost);
    } else {
        enum wk_acted how = op->is_lost ? WK_ACT_LOST : op->is_fenced ? WK_FENCED : WK_ACTED;
        s->resent += op->is_lost;
        c->store.events->acted(c->store.arg, op->batch, how, op->results);
    }
}

static void op_free(struct sim_op *op)
{
    x_free(op->acts);
    x_free(op->results);
    x_free(op->found_entries);
    x_free(op);
}

void sim_redis_step(struct sim *s, const bool *is_paused)
{
    expire(s);
    for (struct sim_op **at = &s->ops; *at;) {
        struct sim_op *op = *at;
        bool is_due = s->now >= op->at;
        if (is_due && !op->is_done) serve(s, op);
        bool can_hear = !op->is_told && !is_paused[op->conn->worker];
        if (can_hear && (op->is_lost || (op->is_done && s->now >= op->at))) tell(s, op);
        if (op->is_told && op->is_done) {
            *at = op->next;
            op_free(op);
        } else {
            at = &op->next;
        }
    }
}

/* ---- connections */

static uint64_t now(struct wk_store *store)
{
    return ((struct sim_conn *)store)->sim->now;
}

static bool is_up(const struct wk_store *store)
{
    return ((const struct sim_conn *)store)->is_up;
}

static struct sim_op *add(struct sim_conn *c, enum op_kind kind)
{
    struct sim *s = c->sim;
    struct sim_op *op = x_calloc(1, sizeof(*op)), **at = &s->ops;
    assert(c->is_up);
    op->conn = c;
    op->kind = kind;
    op->at = s->now + sim_random(s, s->slowness + 1);
    if (op->at < c->last_arrival && kind != OP_READ) op->at = c->last_arrival;
    if (kind != OP_READ) c->last_arrival = op->at;
    while (*at)
        at = &(*at)->next;
    *at = op;
    return op;
}

static void beat(struct wk_store *store, bool is_member, const struct wk_lease_ask *asks)
{
    struct sim_op *op = add((struct sim_conn *)store, OP_BEAT);
    op->is_member = is_member;
    memcpy(op->asks, asks, sizeof(op->asks));
}

static void act_on(struct wk_store *store, struct wk_batch *b)
{
    struct sim_op *op = add((struct sim_conn *)store, OP_ACT);
    op->batch = b;
    op->partition = b->partition;
    op->epoch = b->epoch;
    op->n = b->n;
    op->acts = x_memdup(b->v, b->n * sizeof(*b->v));
}

static void read_from(struct wk_store *store, const struct wk_store_cursor *v, size_t n,
                      size_t count)
{
    struct sim_op *op = add((struct sim_conn *)store, OP_READ);
    memcpy(op->cursors, v, n * sizeof(*v));
    op->ncursors = n;
    op->count = count;
    op->wait_until = op->at + 100;
}

static void wake(struct wk_store *store)
{
    struct sim_conn *c = (struct sim_conn *)store;
    for (struct sim_op *op = c->sim->ops; op; op = op->next)
        if (op->conn == c && op->kind == OP_READ) op->is_woken = true;
}

void sim_conn_init(struct sim_conn *c, struct sim *s, int worker)
{
    static const struct wk_store_ops ops = {.now = now,
                                            .is_up = is_up,
                                            .can_read = is_up,
                                            .beat = beat,
                                            .act = act_on,
                                            .read = read_from,
                                            .wake = wake};
    *c = (struct sim_conn){.store.ops = &ops, .sim = s, .worker = worker, .is_up = true};
}

/* Of what is on its way the first part arrives, perhaps late; a read has nobody to answer to. */
static void lose(struct sim_conn *c, bool tells)
{
    struct sim *s = c->sim;
    bool is_cut = false;
    bool is_late = !s->is_calm && sim_chance(s, 30);
    uint64_t delay = is_late ? sim_random(s, 2 * SIM_LEASE) : 0;
    for (struct sim_op *op = s->ops; op; op = op->next) {
        if (op->conn != c || op->is_told) continue;
        if (tells)
            op->is_lost = true;
        else
            op->is_told = true;
        if (op->is_done) continue;
        if (op->kind != OP_READ) is_cut |= sim_chance(s, 30);
        op->is_done = op->kind == OP_READ || is_cut;
        op->at += delay;
    }
}

void sim_conn_break(struct sim_conn *c, uint64_t for_ms)
{
    if (!c->is_up) return;
    c->is_up = false;
    c->back_at = c->sim->now + for_ms;
    lose(c, true);
}

void sim_conn_kill(struct sim_conn *c)
{
    c->is_up = false;
    c->is_dead = true;
    lose(c, false);
}

void sim_redis_init(struct sim *s)
{
    for (unsigned p = 0; p < SIM_PARTITIONS; p++)
        s->leases[p].owner = s->leases[p].last_owner = -1;
}

void sim_redis_fini(struct sim *s)
{
    while (s->ops) {
        struct sim_op *op = s->ops;
        s->ops = op->next;
        op_free(op);
    }
}
