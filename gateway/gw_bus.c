/* The gateway's side of the bus that needs no module of its own: which bus it is, what other programs
 * are told about this node, and the namespaces that are always of interest. */

/* System */
#include <stdio.h>
#include <unistd.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Io */
#include "io/bus_redis.h"
/* Gateway */
#include "gw_bus.h"
#include "gw_cluster.h"
#include "gw_fanout.h"
#include "gw_node_cmd.h"
#include "gw_nsp.h"
#include "gw_server.h"

/* Told to sockets of all namespaces; what it says is about everything. */
static void on_gap(uint64_t ms, void *arg)
{
    struct gateway *gw = arg;
    char json[64];
    if (!gw->cfg->bus_gap_event) return;
    int n = snprintf(json, sizeof(json), "[\"bus_gap\",{\"ms\":%llu}]", (unsigned long long)ms);
    struct gw_nsp *nsp, *next;
    HASH_ITER(hh, gw->nsps, nsp, next)
    {
        struct bus_msg m = {.nsp = nsp->view, .json = sv_make(json, (size_t)n)};
        gw_fanout_deliver(&m, gw);
    }
}

static bool describe(struct buf *out, void *arg)
{
    const struct gateway *gw = arg;
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    const char *trouble = gw->bus->ops->trouble(gw->bus);
    const struct bus_stats *s = &gw->bus->stats;
    return buf_add_sv(out, SV(",\"host\":")) && json_string_encode(out, sv_of(host)) &&
           buf_addf(out,
                    ",\"pid\":%ld,\"version\":\"%s\",\"port\":%d,\"connections\":%u,"
                    "\"sockets\":%u,\"rooms\":%u,\"channels\":%llu,\"canary_age_ms\":%llu,"
                    "\"lag_us\":%llu,\"gaps\":%llu,\"pending\":%llu,\"stopping\":%s,"
                    "\"trouble\":\"%s\"",
                    (long)getpid(), PEAL_VERSION, gw_server_port(gw), gw->nconns, gw->nsockets,
                    gw->nrooms, (unsigned long long)s->channels,
                    (unsigned long long)s->canary_age_ms,
                    (unsigned long long)(s->lag_count ? s->lag_sum_us / s->lag_count : 0),
                    (unsigned long long)s->gaps, (unsigned long long)s->pending,
                    gw->drain.state != GW_DRAIN_NO ? "true" : "false", trouble ? trouble : "");
}

/* Namespaces that configuration names in full are there from the start: the first client does not
 * wait for the bus, and other nodes count this one. */
static void hold_namespaces(struct gateway *gw)
{
    const struct cfg_list *names = &gw->cfg->socketio_namespaces;
    gw->fixed_nsps = x_calloc(names->n + 1, sizeof(struct gw_nsp *));
    for (size_t i = 0; i < names->n; i++) {
        struct str_view name = sv_of(names->v[i]);
        struct gw_nsp *nsp = sv_is_glob(name) ? NULL : gw_nsp_get(gw, name);
        if (!nsp) continue;
        gw_nsp_hold(nsp);
        gw->fixed_nsps[gw->nfixed_nsps++] = nsp;
    }
}

bool gw_bus_open(struct gateway *gw, struct cfg_error *err)
{
    static const struct bus_events events = {.deliver = gw_fanout_deliver,
                                             .request = gw_cluster_on_request,
                                             .response = gw_cluster_on_response,
                                             .direct = gw_node_cmd_on_direct,
                                             .gap = on_gap,
                                             .describe = describe};
    struct str_view uid = sv_make(gw->node, ID_NODE_LEN);
    gw->bus = cfg_has_redis(gw->cfg) ? bus_redis_new(gw->cfg, gw->loop, &events, gw, uid, err)
                                     : bus_local_new(&events, gw, uid);
    if (!gw->bus) return false;
    gw->questions = gw_cluster_questions_new(gw);
    gw_node_cmd_open(gw);
    hold_namespaces(gw);
    return true;
}

struct bus *gw_bus(struct gateway *gw)
{
    return gw->bus;
}

struct work_out *gw_work_out(struct gateway *gw)
{
    return gw->work;
}

struct questions *gw_questions(struct gateway *gw)
{
    return gw->questions;
}

void gw_bus_close(struct gateway *gw)
{
    questions_stop(gw->questions);
    while (gw->nfixed_nsps)
        gw_nsp_rele(gw->fixed_nsps[--gw->nfixed_nsps]);
    x_free(gw->fixed_nsps);
    gw->bus->ops->free(gw->bus);
    questions_free(gw->questions);
    gw_node_cmd_close(gw);
}
