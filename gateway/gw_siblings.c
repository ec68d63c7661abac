/* Design notes
 *
 * - Admin connections go to any of the processes, so each can speak for the whole. What it says of
 *   the others is what they told within the last second; of itself it tells first, so that no counter
 *   of the whole ever goes back, whoever is asked next.
 * - A process that ends takes no counts with it: the parent adds its last ones to the past. Otherwise
 *   the whole's counters would drop, and rate() would take all that is left for new. */

/* System */
#include <stdio.h>
#include <signal.h>
#include <unistd.h>
/* Proto */
#include "proto/prom_sum.h"
#include "proto/prom_text.h"
/* Gateway */
#include "gw_admin.h"
#include "gw_metrics.h"
#include "gw_siblings.h"
#include "gw_ws.h"

#define SILENT_MS 5000 /* a process tells once a second, unless it hangs */
#define READ_TRIES 100

static struct gw_board_process *own_place(const struct gateway *gw)
{
    return &gw->family->board->processes[gw->family->self];
}

/* ---- what this one tells */

void gw_siblings_up(struct gateway *gw)
{
    if (!gw->family) return;
    struct gw_board_process *p = own_place(gw);
    memcpy(p->node, gw->node, ID_NODE_LEN);
    gw_siblings_count(gw);
    gw_siblings_tell(gw);
    atomic_store(&p->pid, getpid());
    kill(gw->family->board->parent, SIGUSR1);
}

void gw_siblings_count(struct gateway *gw)
{
    if (!gw->family) return;
    struct gw_board_process *p = own_place(gw);
    atomic_store_explicit(&p->tcp, gw->nhttps + gw_ws_context_count(gw->ws), memory_order_relaxed);
    atomic_store_explicit(&p->sessions, gw->nconns, memory_order_relaxed);
}

bool gw_siblings_tell(struct gateway *gw)
{
    struct buf text;
    if (!gw->family) return true;
    struct gw_board_process *p = own_place(gw);
    bool is_ready = gw_admin_is_ready(gw);
    buf_init(&text, GW_BOARD_TEXT_MAX);
    bool fits = gw_metrics_write(gw, is_ready, &text) && gw_board_put(&p->metrics, buf_view(&text));
    buf_fini(&text);
    atomic_store(&p->is_ready, is_ready);
    if (fits) atomic_store(&p->told_ms, loop_now(gw->loop));
    return fits;
}

/* ---- limits, and the end */

unsigned gw_siblings_tcp(const struct gateway *gw)
{
    unsigned all = 0;
    for (unsigned i = 0; gw->family && i < gw->family->board->n; i++)
        if (i != gw->family->self)
            all += atomic_load_explicit(&gw->family->board->processes[i].tcp, memory_order_relaxed);
    return all;
}

unsigned gw_siblings_sessions(const struct gateway *gw)
{
    unsigned all = 0;
    for (unsigned i = 0; gw->family && i < gw->family->board->n; i++)
        if (i != gw->family->self)
            all += atomic_load_explicit(&gw->family->board->processes[i].sessions,
                                        memory_order_relaxed);
    return all;
}

unsigned gw_siblings_share(const struct cfg *cfg, const struct gw_family *family)
{
    unsigned max = (unsigned)cfg->gateway_max_connections, n = family ? family->board->n : 1;
    unsigned twice = 2 * ((max + n - 1) / n);
    return twice < max ? twice : max;
}

bool gw_siblings_end_at_once(const struct gateway *gw)
{
    return !gw->family || atomic_load(&gw->family->board->stops) > 1;
}

/* ---- readiness of the whole */

static const char *trouble_of(const struct gateway *gw, struct gw_board_process *p)
{
    uint64_t told = atomic_load(&p->told_ms), now = loop_now(gw->loop);
    if (!atomic_load(&p->pid)) return "is not up";
    if (told + SILENT_MS < now) return "is silent";
    return atomic_load(&p->is_ready) ? NULL : "is not ready";
}

bool gw_siblings_ready(struct gateway *gw, bool is_ready, struct buf *why)
{
    struct gw_board *b = gw->family->board;
    unsigned ready = is_ready;
    bool fits = true;
    for (unsigned i = 0; i < b->n; i++) {
        const char *trouble = i == gw->family->self ? NULL : trouble_of(gw, &b->processes[i]);
        if (trouble)
            fits &= buf_addf(why, "%s\"process %u %s\"", why->n ? "," : "", i + 1, trouble);
        else if (i != gw->family->self)
            ready++;
    }
    if (atomic_load(&b->stops)) {
        if (!why->n) fits &= buf_add_sv(why, SV("\"draining\""));
        ready = 0;
    }
    (void)fits; /* what does not fit is left out */
    return 2 * ready >= b->n;
}

/* ---- metrics of the whole */

static struct prom_sum *new_sum(void)
{
    return prom_sum_new(gw_metrics_rules, GW_METRICS_RULES);
}

static bool add_text(struct prom_sum *sum, struct gw_board_text *t, enum prom_sum_part part)
{
    struct buf text;
    buf_init(&text, GW_BOARD_TEXT_MAX + 1);
    bool good = gw_board_get(t, &text) && prom_sum_add(sum, buf_view(&text), part);
    buf_fini(&text);
    return good;
}

/* What the parent counts, too. */
static bool add_parents(struct prom_sum *sum, struct gw_board *b)
{
    struct prom_text p;
    struct buf text;
    buf_init(&text, 256);
    prom_text_init(&p, &text);
    prom_text_one_counter(&p, "peal_reloads_refused_total", "", atomic_load(&b->reloads_refused));
    bool good = !p.cut && prom_sum_add(sum, buf_view(&text), PROM_SUM_ALL);
    buf_fini(&text);
    return good;
}

/* NULL: a text that is none, or the parent was in between. */
static struct prom_sum *try_sum(struct gw_board *b)
{
    struct prom_sum *sum = new_sum();
    uint32_t burials = atomic_load(&b->burials);
    bool good = true;
    for (unsigned i = 0; i < b->n && good; i++)
        good = add_text(sum, &b->processes[i].metrics, PROM_SUM_ALL);
    good = good && add_text(sum, &b->past, PROM_SUM_ALL) && add_parents(sum, b);
    if (good && !(burials & 1) && atomic_load(&b->burials) == burials) return sum;
    prom_sum_free(sum);
    return NULL;
}

static bool write_whole(struct gateway *gw, struct buf *out)
{
    struct gw_board *b = gw->family->board;
    struct prom_text p;
    struct buf why;
    buf_init(&why, 1);
    prom_text_init(&p, out);
    prom_text_one_gauge(&p, "peal_ready", "Whether /readyz says 200.",
                        gw_siblings_ready(gw, atomic_load(&own_place(gw)->is_ready), &why));
    buf_fini(&why);
    prom_text_one_gauge(&p, "process_start_time_seconds", "Start, in seconds since 1970.",
                        (uint64_t)b->started_s);
    prom_text_one_gauge(&p, "peal_processes", "Processes that share the port: gateway.processes.",
                        b->n);
    prom_text_one_counter(&p, "peal_process_restarts_total",
                          "Processes started in place of another.", atomic_load(&b->restarts));
    prom_text_gauge(&p, "peal_process_connections", "Engine.IO sessions of each process.");
    for (unsigned i = 0; i < b->n; i++) {
        struct gw_board_process *one = &b->processes[i];
        char number[12];
        snprintf(number, sizeof(number), "%u", i + 1);
        if (!atomic_load(&one->pid)) continue;
        const struct prom_label labels[] = {{"process", sv_of(number)},
                                            {"node", sv_make(one->node, ID_NODE_LEN)}};
        prom_text_sample(&p, labels, 2, atomic_load(&one->sessions));
    }
    return !p.cut;
}

bool gw_siblings_metrics(struct gateway *gw, struct buf *out)
{
    struct prom_sum *sum = NULL;
    gw_siblings_count(gw);
    if (!gw_siblings_tell(gw)) return false;
    for (unsigned i = 0; i < READ_TRIES && !sum; i++)
        sum = try_sum(gw->family->board);
    bool good = sum && write_whole(gw, out) && prom_sum_write(sum, out);
    prom_sum_free(sum);
    return good;
}

bool gw_siblings_metrics_of(struct gateway *gw, struct str_view number, struct buf *out)
{
    struct gw_board *b = gw->family->board;
    for (unsigned i = 0; i < b->n; i++) {
        char name[12];
        snprintf(name, sizeof(name), "%u", i + 1);
        if (!sv_eq(sv_of(name), number)) continue;
        return atomic_load(&b->processes[i].pid) && gw_board_get(&b->processes[i].metrics, out);
    }
    return false;
}

void gw_siblings_bury(struct gw_board *b, unsigned place)
{
    struct gw_board_process *p = &b->processes[place];
    struct prom_sum *sum = new_sum();
    struct buf text;
    buf_init(&text, GW_BOARD_TEXT_MAX);
    bool good = add_text(sum, &b->past, PROM_SUM_COUNTERS) &&
                add_text(sum, &p->metrics, PROM_SUM_COUNTERS) && prom_sum_write(sum, &text);
    prom_sum_free(sum);
    atomic_store(&p->pid, 0);
    atomic_store(&p->tcp, 0);
    atomic_store(&p->sessions, 0);
    atomic_store(&p->is_ready, false);
    atomic_fetch_add(&b->burials, 1);
    if (good) good = gw_board_put(&b->past, buf_view(&text));
    good &= gw_board_put(&p->metrics, SV(""));
    atomic_fetch_add(&b->burials, 1);
    buf_fini(&text);
    if (!good) log_warn("the counters of process %u are lost", place + 1);
}
