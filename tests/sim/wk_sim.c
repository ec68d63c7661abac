/* Workers that join, leave, die and pause past their leases, over slow and breaking connections. What must
 * hold:
 *
 *   - a worker that thinks, by its own clock, that a partition is its own is who Redis has for it
 *   - each item has effects exactly once, those of a socket in their order
 *   - what is submitted again is not handled again by who has handled it, as long as the lease lasts
 *   - items that kill their worker are found out and buried
 *   - when things calm down everybody has the fair share within two leases, and everything is done
 *   - what a dead worker had is others' when its lease is over */

/* System */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Tests */
#include "sim/wk_sim.h"

#define TICK_MS 2u
#define CHAOS_MS 4000u
#define CALM_MS 6000u
#define DEATHS_MAX 3u
#define BLAME_MAX 8u /* so often another death, or a pause, may meet an innocent one in hand */

struct sim_job {
    struct sim_job *next;
    struct wk_ticket ticket;
    unsigned entry, deaths;
    bool is_running, has_stepped, is_stepping;
    bool is_void; /* revoked */
    uint64_t until;
};

struct sim_worker {
    struct sim *sim;
    struct sim_conn conn;
    struct wk_feed *feed;
    struct sim_job *jobs;
    bool is_alive, is_stopping, has_stopped, is_paused, wants_to_die;
    uint64_t paused_until;
};

static struct sim sim;
static struct sim_worker workers[SIM_WORKERS];
static unsigned nworkers;

/* ---- chance */

uint64_t sim_random(struct sim *s, uint64_t below)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

bool sim_chance(struct sim *s, unsigned percent)
{
    return sim_random(s, 100) < percent;
}

void sim_fail(const struct sim *s, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "seed %llu at %llu ms: ", (unsigned long long)s->seed,
            (unsigned long long)s->now);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

/* ---- a worker's core */

static void on_item(void *arg, const struct wk_ticket *t, const struct work_item *item,
                    unsigned deaths)
{
    struct sim_worker *w = arg;
    struct sim_job *j = x_calloc(1, sizeof(*j)), **at = &w->jobs;
    unsigned id = sim.entries[item->serial].id;
    uint64_t epoch = wk_stream_epoch(w->feed, t->partition);
    if (sim.given_to[id] == w->conn.worker + 1 && sim.given_in[id] == epoch)
        sim_fail(&sim, "worker %d is given item %u twice", w->conn.worker, id);
    sim.given_to[id] = w->conn.worker + 1;
    sim.given_in[id] = epoch;
    *j = (struct sim_job){.ticket = *t, .entry = (unsigned)item->serial, .deaths = deaths};
    while (*at)
        at = &(*at)->next;
    *at = j;
}

static bool can_kill(void *arg, const struct work_item *item)
{
    (void)arg;
    return sim.entries[item->serial].socket % 2 == 0; /* the others' handler is a backend */
}

static void on_revoked(void *arg, unsigned partition)
{
    struct sim_worker *w = arg;
    for (struct sim_job **at = &w->jobs; *at;) {
        struct sim_job *j = *at;
        if (j->ticket.partition == partition) j->is_void = true;
        if (!j->is_void || j->is_stepping) { /* its answer may come yet */
            at = &j->next;
            continue;
        }
        *at = j->next;
        x_free(j);
    }
}

static void on_stopped(void *arg)
{
    ((struct sim_worker *)arg)->has_stopped = true;
}

static const struct wk_feed_events events = {
    .item = on_item, .can_kill = can_kill, .revoked = on_revoked, .stopped = on_stopped};

static void on_step(void *arg, enum wk_stepped how)
{
    struct sim_job *j = arg;
    (void)how;
    j->is_stepping = false;
}

static bool is_first_of_socket(const struct sim_worker *w, const struct sim_job *job)
{
    const struct sim_job *j = w->jobs;
    while (j != job &&
           (j->is_void || sim.entries[j->entry].socket != sim.entries[job->entry].socket))
        j = j->next;
    return j == job;
}

static void end(struct sim_worker *w, struct sim_job *j)
{
    struct wk_result r;
    wk_result_init(&r);
    if (sim.entries[j->entry].is_killer)
        w->feed->ops->bury(w->feed, &j->ticket, NULL, SV("kills"), j->deaths, &r);
    else
        w->feed->ops->finish(w->feed, &j->ticket, &r);
}

/* False: it has ended, or killed its worker. */
static bool run(struct sim_worker *w, struct sim_job *j)
{
    if (j->is_void) return j->is_stepping;
    if (j->is_stepping || !is_first_of_socket(w, j)) return true;
    if (!j->is_running) {
        if (!w->feed->ops->is_mine(w->feed, j->ticket.partition)) return true;
        const struct sim_entry *e = &sim.entries[j->entry];
        if (j->deaths > BLAME_MAX && !e->is_killer)
            sim_fail(&sim, "item %u is thought to have killed %u workers", j->entry, j->deaths);
        if (e->is_killer && j->deaths < DEATHS_MAX) {
            w->wants_to_die = true;
            return true;
        }
        j->is_running = true;
        j->until = sim.now + sim_random(&sim, sim_chance(&sim, 5) ? 200 : 20);
    }
    if (sim.now < j->until) return true;
    if (!j->has_stepped && sim_chance(&sim, 10)) {
        struct wk_result r;
        wk_result_init(&r);
        j->has_stepped = j->is_stepping = true;
        w->feed->ops->step(w->feed, &j->ticket, &r, on_step, j);
        return true;
    }
    return false;
}

static void run_jobs(struct sim_worker *w)
{
    for (struct sim_job **at = &w->jobs; *at && !w->wants_to_die;) {
        struct sim_job *j = *at;
        if (run(w, j)) {
            at = &j->next;
            continue;
        }
        if (!j->is_void) end(w, j);
        *at = j->next;
        x_free(j);
    }
}

/* ---- workers' lives */

static void join(void)
{
    static const struct wk_stream_settings settings = {.partitions = SIM_PARTITIONS,
                                                       .lease_ms = SIM_LEASE,
                                                       .patience_ms = SIM_PATIENCE,
                                                       .in_hand = SIM_IN_HAND,
                                                       .max_item = 100000,
                                                       .max_message = 100000};
    if (nworkers == SIM_WORKERS) return;
    struct sim_worker *w = &workers[nworkers];
    *w = (struct sim_worker){.sim = &sim, .is_alive = true};
    sim_conn_init(&w->conn, &sim, (int)nworkers++);
    w->feed = wk_stream_new(&settings, &w->conn.store, &events, w);
}

static void die(struct sim_worker *w)
{
    sim_conn_kill(&w->conn);
    sim.repeats += (unsigned)w->feed->stats.repeats;
    w->feed->ops->free(w->feed);
    while (w->jobs) {
        struct sim_job *j = w->jobs;
        w->jobs = j->next;
        x_free(j);
    }
    w->is_alive = w->is_paused = false;
}

static struct sim_worker *any_worker(void)
{
    struct sim_worker *w = &workers[sim_random(&sim, nworkers)];
    return w->is_alive && !w->is_stopping ? w : NULL;
}

static unsigned count_alive(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < nworkers; i++)
        n += workers[i].is_alive && !workers[i].is_stopping;
    return n;
}

static void turn(struct sim_worker *w)
{
    if (!w->conn.is_up && sim.now >= w->conn.back_at) w->conn.is_up = true;
    run_jobs(w);
    if (!w->wants_to_die) w->feed->ops->flush(w->feed);
    if (w->wants_to_die || w->has_stopped) die(w);
}

/* By its own clock it has no more than what Redis says. */
static void check_leases(const struct sim_worker *w)
{
    const struct wk_feed_stats *st = &w->feed->stats;
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        if (!w->feed->ops->is_mine(w->feed, p)) continue;
        int me = w->conn.worker;
        if (sim.leases[p].owner != me || sim.now >= sim.leases[p].expiry)
            sim_fail(&sim, "worker %d thinks that it has partition %u, which worker %d has", me, p,
                     sim.leases[p].owner);
    }
    if (st->in_hand > (uint64_t)SIM_IN_HAND * SIM_PARTITIONS) sim_fail(&sim, "too much in hand");
}

static void produce(unsigned percent)
{
    static uint64_t numbers[SIM_SOCKETS];
    if (sim.nentries == 0) memset(numbers, 0, sizeof(numbers));
    while (sim.nentries < SIM_ENTRIES && sim_chance(&sim, percent)) {
        struct sim_entry *e = &sim.entries[sim.nentries];
        unsigned old = sim.nentries ? (unsigned)sim_random(&sim, sim.nentries) : 0;
        if (sim.nentries && sim_chance(&sim, 3) && !sim.entries[old].is_bad &&
            !sim.entries[old].is_killer) { /* submitted again */
            *e = sim.entries[old];
            e->is_repeat = true;
            e->is_away = false;
        } else {
            e->socket = (unsigned)sim_random(&sim, SIM_SOCKETS);
            e->partition = e->socket % SIM_PARTITIONS;
            e->is_bad = sim_chance(&sim, 1);
            e->is_killer = e->socket % 2 == 0 && !e->is_bad && sim_random(&sim, 300) == 0;
            e->number = e->is_bad ? 0 : ++numbers[e->socket];
            e->id = sim.nentries;
        }
        sim.nentries++;
    }
}

static void tick(void)
{
    bool is_paused[SIM_WORKERS] = {false};
    sim.now += TICK_MS;
    for (unsigned i = 0; i < nworkers; i++) {
        struct sim_worker *w = &workers[i];
        if (w->is_paused && sim.now >= w->paused_until) w->is_paused = false;
        is_paused[i] = w->is_paused;
    }
    sim_redis_step(&sim, is_paused);
    for (unsigned i = 0; i < nworkers; i++)
        if (workers[i].is_alive && !workers[i].is_paused) turn(&workers[i]);
    for (unsigned i = 0; i < nworkers; i++)
        if (workers[i].is_alive && !workers[i].is_paused) check_leases(&workers[i]);
}

/* ---- what happens to them */

static void disturb(void)
{
    struct sim_worker *w = any_worker();
    unsigned what = (unsigned)sim_random(&sim, 1000);
    if (count_alive() < 2 || what < 3) {
        join();
    } else if (!w) {
        return;
    } else if (what < 5) {
        die(w);
    } else if (what < 8) {
        w->is_stopping = true;
        w->feed->ops->stop(w->feed);
    } else if (what < 14) {
        w->is_paused = true;
        w->paused_until = sim.now + sim_random(&sim, 3 * SIM_LEASE);
    } else if (what < 24) {
        sim_conn_break(&w->conn, sim_random(&sim, sim_chance(&sim, 20) ? 2 * SIM_LEASE : 50));
    } else if (what < 28) {
        sim.slowness = (unsigned)sim_random(&sim, sim_chance(&sim, 20) ? SIM_LEASE / 2 : 20);
    }
}

static void check_shares(const char *when)
{
    unsigned n = count_alive(), rank = 0;
    for (unsigned i = 0; i < nworkers; i++) {
        if (!workers[i].is_alive || workers[i].is_stopping) continue;
        unsigned has = 0, share = wk_lease_share(SIM_PARTITIONS, n, rank++);
        for (unsigned p = 0; p < SIM_PARTITIONS; p++)
            has += workers[i].feed->ops->is_mine(workers[i].feed, p);
        if (has != share)
            sim_fail(&sim, "%s: worker %u has %u partitions, its share is %u", when, i, has, share);
    }
}

static void run_for(uint64_t ms)
{
    for (uint64_t until = sim.now + ms; sim.now < until;)
        tick();
}

static void calm_down(void)
{
    sim.slowness = 2;
    sim.is_calm = true;
    for (unsigned i = 0; i < nworkers; i++) {
        workers[i].paused_until = sim.now;
        workers[i].conn.back_at = sim.now;
    }
    while (count_alive() < 3)
        join();
    for (uint64_t until = sim.now + CALM_MS; sim.now < until && sim.naway < sim.nentries;) {
        if (count_alive() < 3) join(); /* of what kills */
        tick();
    }
    if (sim.naway < sim.nentries)
        sim_fail(&sim, "%u of %u entries are left", sim.nentries - sim.naway, sim.nentries);
}

/* Everything is done and everybody lives: now only what leases do. */
static void check_spread(void)
{
    run_for(2 * SIM_LEASE);
    check_shares("after two leases");
    join();
    run_for(2 * SIM_LEASE);
    check_shares("after somebody joined");
    run_for(sim_random(&sim, SIM_LEASE));
    for (unsigned i = 0; i < nworkers; i++) {
        if (!workers[i].is_alive || workers[i].is_stopping) continue;
        die(&workers[i]);
        break;
    }
    run_for(SIM_LEASE + 50); /* and some round trips */
    check_shares("a lease after somebody died");
    uint64_t lost = 0, given = 0;
    for (int round = 0; round < 2; round++) { /* and nothing flaps */
        uint64_t leases = 0;
        for (unsigned i = 0; i < nworkers; i++)
            if (workers[i].is_alive) leases += workers[i].feed->stats.leases;
        if (round && leases != lost) sim_fail(&sim, "leases change hands for no reason");
        lost = leases;
        run_for(2 * SIM_LEASE);
    }
    for (unsigned i = 0; i < nworkers; i++) {
        if (!workers[i].is_alive) continue;
        struct sim_worker *w = &workers[i];
        w->is_stopping = true;
        given = w->feed->stats.given;
        w->feed->ops->stop(w->feed);
        run_for(100);
        if (w->is_alive)
            sim_fail(&sim, "an idle worker does not stop (%llu given)", (unsigned long long)given);
    }
}

static void run_seed(uint64_t seed)
{
    memset(&sim, 0, sizeof(sim));
    memset(workers, 0, sizeof(workers));
    nworkers = 0;
    sim.seed = sim.random = seed;
    sim.slowness = (unsigned)sim_random(&sim, 20);
    sim_redis_init(&sim);
    join();
    while (sim.now < CHAOS_MS) {
        produce(20);
        if (sim_chance(&sim, 50)) disturb();
        tick();
    }
    calm_down();
    check_spread();
    for (unsigned i = 0; i < nworkers; i++)
        if (workers[i].is_alive) die(&workers[i]);
    sim_redis_fini(&sim);
}

int main(void)
{
    const char *one = getenv("PEAL_SIM_SEED"), *many = getenv("PEAL_SIM_SEEDS");
    uint64_t from = one ? strtoull(one, NULL, 10) : 1;
    uint64_t n = one ? 1 : many ? strtoull(many, NULL, 10) : 1000;
    unsigned long long effects = 0, fenced = 0, resent = 0, buried = 0, repeats = 0;
    log_set_level(getenv("PEAL_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    for (uint64_t seed = from; seed < from + n; seed++) {
        run_seed(seed);
        effects += sim.effects;
        fenced += sim.fenced;
        resent += sim.resent;
        buried += sim.buried;
        repeats += sim.repeats;
    }
    printf("%llu seeds: %llu items, %llu scripts fenced, %llu answers lost, %llu items buried, "
           "%llu repeats dropped\n",
           (unsigned long long)n, effects, fenced, resent, buried, repeats);
    /* What is not met with is not tested. */
    return n < 100 || (fenced && resent && buried && repeats) ? 0 : 1;
}
