/* Names: the project's begin with peal_, those that every exporter has (process_*) are as
 * everywhere. Counters without labels come from counters.def by themselves. */

/* System */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
/* Util */
#include "util/table.h"
/* Proto */
#include "proto/prom_text.h"
/* Cluster */
#include "cluster/work_out.h"
/* Gateway */
#include "gw_auth.h"
#include "gw_handler.h"
#include "gw_metrics.h"
#include "gw_nsp.h"

#ifndef PEAL_VERSION
#define PEAL_VERSION "dev"
#endif

static const uint32_t late_bounds_us[GW_LATE_BUCKETS - 1] = {
    10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};

static const char *const sources[GW_AUTH_FROM_COUNT] = {"none",  "connect", "header",
                                                        "query", "cookie",  "event"};

const struct prom_sum_rule gw_metrics_rules[GW_METRICS_RULES] = {
    {"peal_ready", PROM_SUM_SKIP}, /* the whole has its own */
    {"process_start_time_seconds", PROM_SUM_SKIP},
    {"peal_connections_max", PROM_SUM_MAX}, /* each says that of the whole */
    {"peal_bus_canary_age_seconds", PROM_SUM_MAX},
    {"peal_work_down", PROM_SUM_MAX}, /* and of the same streams: */
    {"peal_work_backlog", PROM_SUM_MAX},
    {"peal_work_partitions_full", PROM_SUM_MAX},
};

/* ---- counting */

void gw_metrics_ping(struct gateway *gw, uint64_t due_ms)
{
    uint64_t now = loop_now(gw->loop), late_us = now > due_ms ? (now - due_ms) * 1000 : 0;
    unsigned i = 0;
    while (i < GW_LATE_BUCKETS - 1 && late_us > late_bounds_us[i])
        i++;
    gw->count.ping_late[i]++;
    gw->count.ping_late_sum_us += late_us;
}

void gw_metrics_auth_refused(struct gateway *gw, const struct gw_auth_error *why)
{
    enum gw_refusal r = GW_REFUSAL_INVALID_TOKEN;
    if (strcmp(why->code, GW_AUTH_REQUIRED) == 0) r = GW_REFUSAL_CREDENTIALS_REQUIRED;
    if (strcmp(why->code, GW_AUTH_BAD_FORMAT) == 0) r = GW_REFUSAL_CREDENTIALS_BAD_FORMAT;
    gw->count.auth_refusals++;
    gw->count.refusals[r]++;
}

/* ---- writing */

/* A word that stands there twice is one series. */
static void write_namespaces(struct prom_text *p, const struct cfg_list *words,
                             const unsigned *sockets)
{
    struct cfg_list before = {.v = words->v};
    for (; before.n < words->n; before.n++) {
        const char *word = words->v[before.n];
        if (!cfg_list_has(&before, sv_of(word)))
            prom_text_sample_of(p, "namespace", word, sockets[before.n]);
    }
}

static void write_clients(struct prom_text *p, const struct gateway *gw)
{
    const struct gw_gauges *g = &gw->gauge;
    prom_text_gauge(p, "peal_connections", "Engine.IO sessions by state.");
    prom_text_sample_of(p, "state", "open", gw->nconns - g->closing);
    prom_text_sample_of(p, "state", "closing", g->closing);
    prom_text_gauge(p, "peal_connections_by_transport", "The same by transport.");
    prom_text_sample_of(p, "transport", "websocket", g->websockets);
    prom_text_sample_of(p, "transport", "polling", gw->nconns - g->websockets);
    prom_text_one_gauge(p, "peal_connections_max", "gateway.max_connections.",
                        (uint64_t)gw->cfg->gateway_max_connections);
    prom_text_one_gauge(p, "peal_http_connections",
                        "TCP connections in HTTP, that is, not WebSockets.", gw->nhttps);
    prom_text_gauge(p, "peal_sockets",
                    "Socket.IO sockets by the word of socketio.namespaces that admitted them.");
    write_namespaces(p, &gw->cfg->socketio_namespaces, g->by_namespace);
    prom_text_gauge(p, "peal_sockets_by_auth_source",
                    "The same by where the token came from that they were let in with.");
    for (unsigned i = 0; i < GW_AUTH_FROM_COUNT; i++)
        prom_text_sample_of(p, "source", sources[i], g->by_source[i]);
    prom_text_one_gauge(p, "peal_namespaces",
                        "Namespaces that configuration names, or that have a socket.",
                        HASH_COUNT(gw->nsps));
    prom_text_one_gauge(p, "peal_rooms", "Rooms that have a member.", gw->nrooms);
    prom_text_one_gauge(p, "peal_queue_bytes", "Bytes that wait for clients, over all of them.",
                        g->queue_bytes);
}

static void write_counters(struct prom_text *p, const struct gateway *gw)
{
#define COUNTER(name, sentence)                                                                    \
    prom_text_one_counter(p, "peal_" #name "_total", sentence, gw->count.name);
#include "cluster/counters.def"
#undef COUNTER
    static const struct {
        const char *layer, *code;
    } refusals[] = {
#define REFUSAL(name, layer, code) {layer, code},
#include "gw_refusal.def"
#undef REFUSAL
    };
    prom_text_counter(p, "peal_closes_total", "Ends of Engine.IO sessions by reason.");
    for (unsigned r = REASON_NONE + 1; r < REASON_COUNT; r++)
        prom_text_sample_of(p, "reason", close_reason_text((enum close_reason)r),
                            gw->count.closes[r]);
    prom_text_counter(p, "peal_refusals_total", "What clients were refused, by layer and code.");
    for (unsigned r = 0; r < GW_REFUSAL_COUNT; r++) {
        const struct prom_label labels[] = {{"layer", sv_of(refusals[r].layer)},
                                            {"code", sv_of(refusals[r].code)}};
        prom_text_sample(p, labels, 2, gw->count.refusals[r]);
    }
    prom_text_histogram(p, "peal_ping_lateness_seconds",
                        "How much later than due Engine.IO pings were sent.", late_bounds_us,
                        gw->count.ping_late, GW_LATE_BUCKETS, gw->count.ping_late_sum_us);
}

static void write_bus(struct prom_text *p, const struct bus_stats *s)
{
    prom_text_counter(p, "peal_bus_publishes_total",
                      "Broadcasts, requests, answers and direct messages by outcome.");
    prom_text_sample_of(p, "outcome", "taken", s->published);
    prom_text_sample_of(p, "outcome", "refused", s->refused);
    prom_text_sample_of(p, "outcome", "too_large", s->too_large);
    prom_text_sample_of(p, "outcome", "uncertain", s->uncertain);
    prom_text_sample_of(p, "outcome", "nobody", s->nobody);
    prom_text_one_counter(p, "peal_bus_received_total", "Messages that came from the bus.",
                          s->received);
    prom_text_one_counter(p, "peal_bus_received_bytes_total", "Their bytes.", s->received_bytes);
    prom_text_one_counter(p, "peal_bus_direct_total", "Of those, messages for this node alone.",
                          s->directs);
    prom_text_one_counter(p, "peal_bus_bad_total",
                          "Messages that came from the bus and were refused as malformed.", s->bad);
    prom_text_one_counter(
        p, "peal_bus_answers_cut_total",
        "Answers to other nodes that had to leave something out (bus.max_message).", s->cut);
    prom_text_one_counter(p, "peal_bus_connects_total", "Connections made to the bus.",
                          s->connects);
    prom_text_one_counter(p, "peal_bus_disconnects_total", "Connections to the bus that were lost.",
                          s->disconnects);
    prom_text_one_counter(p, "peal_bus_canaries_late_total",
                          "Canaries that were not heard in time.", s->canaries_late);
    prom_text_one_counter(p, "peal_bus_gaps_total", "Times in which messages may have been missed.",
                          s->gaps);
    prom_text_counter(p, "peal_bus_gap_seconds_total", "Their length in all.");
    prom_text_sample_real(p, NULL, 0, (double)s->gap_ms / 1e3);
    prom_text_one_gauge(p, "peal_bus_pending", "Publishes that wait or are in flight.", s->pending);
    prom_text_one_gauge(p, "peal_bus_pending_bytes", "Their bytes.", s->pending_bytes);
    prom_text_one_gauge(p, "peal_bus_channels", "Channels and patterns subscribed.", s->channels);
    prom_text_one_gauge_real(p, "peal_bus_canary_age_seconds",
                             "Time since a canary was last heard.", (double)s->canary_age_ms / 1e3);
    prom_text_histogram(p, "peal_bus_lag_seconds",
                        "Time from publish to receipt on the own subscription, by canary.",
                        bus_lag_bounds, s->lag, BUS_LAG_BUCKETS, s->lag_sum_us);
}

static void write_work(struct prom_text *p, const struct gateway *gw)
{
    static const struct work_stats none;
    const struct work_stats *s = gw->work ? &gw->work->stats : &none;
    bool is_down = gw->work && gw->work->ops->trouble(gw->work);
    prom_text_counter(p, "peal_work_items_total",
                      "Events, connects and disconnects handed to workers, by outcome.");
    prom_text_sample_of(p, "outcome", "taken", s->taken);
    prom_text_sample_of(p, "outcome", "full", s->full);
    prom_text_sample_of(p, "outcome", "refused", s->refused);
    prom_text_sample_of(p, "outcome", "too_large", s->too_large);
    prom_text_sample_of(p, "outcome", "uncertain", s->uncertain);
    prom_text_one_counter(
        p, "peal_work_repeated_total",
        "Items handed over again after a lost connection: workers may see them twice.",
        s->repeated);
    prom_text_one_counter(p, "peal_work_connects_total", "Connections made to Redis for work.",
                          s->connects);
    prom_text_one_counter(p, "peal_work_disconnects_total",
                          "Connections to Redis for work that were lost.", s->disconnects);
    prom_text_one_gauge(p, "peal_work_down", "Whether items cannot be handed over now.", is_down);
    prom_text_one_gauge(p, "peal_work_pending", "Items that wait or are on their way.", s->pending);
    prom_text_one_gauge(p, "peal_work_pending_bytes", "Their bytes.", s->pending_bytes);
    prom_text_one_gauge(p, "peal_work_backlog", "Items in all partitions, as last seen.",
                        s->backlog);
    prom_text_one_gauge(p, "peal_work_partitions_full",
                        "Partitions that take no further events now.", s->partitions_full);
    prom_text_one_gauge(p, "peal_asks_pending", "Connects that wait for a worker's answer.",
                        gw->gauge.asking);
}

static uint64_t resident_bytes(void)
{
    unsigned long long all, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return 0;
    if (fscanf(f, "%llu %llu", &all, &resident) != 2) resident = 0;
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double seconds(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void write_process(struct prom_text *p, const struct gateway *gw)
{
    struct rusage use;
    const struct prom_label about[] = {{"version", SV(PEAL_VERSION)},
                                       {"node", sv_make(gw->node, ID_NODE_LEN)}};
    prom_text_gauge(p, "peal_build_info", "Version, and the id of this process; always 1.");
    prom_text_sample(p, about, 2, 1);
    prom_text_one_counter(p, "peal_loop_turns_total", "Turns of the event loop.",
                          loop_turns(gw->loop));
    prom_text_one_gauge(p, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
    prom_text_one_gauge(p, "process_start_time_seconds", "Start, in seconds since 1970.",
                        (uint64_t)gw->started_s);
    if (getrusage(RUSAGE_SELF, &use)) return;
    prom_text_counter(p, "process_cpu_seconds_total", "User and system CPU time.");
    prom_text_sample_real(p, NULL, 0, seconds(use.ru_utime) + seconds(use.ru_stime));
}

bool gw_metrics_write(struct gateway *gw, bool is_ready, struct buf *out)
{
    struct prom_text p;
    prom_text_init(&p, out);
    prom_text_one_gauge(&p, "peal_ready", "Whether /readyz says 200.", is_ready);
    write_clients(&p, gw);
    write_counters(&p, gw);
    write_bus(&p, &gw->bus->stats);
    write_work(&p, gw);
    write_process(&p, gw);
    if (gw->handler_is_open && gw->handler && gw->handler->metrics)
        gw->handler->metrics(gw->handler->ctx, &p);
    return !p.cut;
}
