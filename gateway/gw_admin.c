/* Proto */
#include "proto/prom_text.h"
/* Io */
#include "io/admin.h"
#include "io/listen_set.h"
/* Gateway */
#include "gw_admin.h"
#include "gw_api.h"
#include "gw_drain.h"
#include "gw_listener.h"
#include "gw_metrics.h"
#include "gw_siblings.h"

#define REASONS_MAX 8192

/* Why clients should not be sent here now. Empty: no reason. */
static void reasons(struct gateway *gw, struct buf *out)
{
    buf_init(out, REASONS_MAX);
    if (gw->drain.state != GW_DRAIN_NO) admin_add_reason(out, "", "draining");
    admin_add_reason(out, "bus: ", gw->bus->ops->trouble(gw->bus));
    if (gw_listener_is_full(gw))
        admin_add_reason(out, "full: ", "gateway.max_connections is reached");
}

bool gw_admin_is_ready(struct gateway *gw)
{
    struct buf why;
    reasons(gw, &why);
    bool is_ready = !why.n;
    buf_fini(&why);
    return is_ready;
}

static void on_ready(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    struct gateway *gw = ctx;
    struct buf why;
    (void)r;
    reasons(gw, &why);
    bool is_ready = !why.n;
    if (gw->family) is_ready = gw_siblings_ready(gw, is_ready, &why);
    admin_say_ready(reply, is_ready, buf_view(&why));
    buf_fini(&why);
}

/* Of several processes the sum, and of one with ?process=2. The status to answer with. */
static int write_metrics(struct gateway *gw, struct str_view query, struct buf *out)
{
    static const char one[] = "process=";
    if (!gw->family) return gw_metrics_write(gw, gw_admin_is_ready(gw), out) ? 200 : 500;
    if (sv_starts_with(query, SV(one)))
        return gw_siblings_metrics_of(gw, sv_skip(query, sizeof(one) - 1), out) ? 200 : 404;
    return gw_siblings_metrics(gw, out) ? 200 : 500;
}

static void on_metrics(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    reply->type = PROM_TEXT_TYPE;
    reply->status = write_metrics(ctx, r->query, &reply->body);
    if (reply->status != 200) buf_clear(&reply->body);
}

static const struct admin_route routes[] = {
    {"GET", "/healthz", admin_on_health},
    {"GET", "/readyz", on_ready},
    {"GET", "/metrics", on_metrics},
    {"POST", "/api/emit", gw_api_on_emit},
    {"POST", "/api/join", gw_api_on_join},
    {"POST", "/api/leave", gw_api_on_leave},
    {"POST", "/api/disconnect", gw_api_on_disconnect},
    {"GET", "/api/sockets", gw_api_on_sockets},
};

#define NROUTES (sizeof(routes) / sizeof(routes[0]))

/* One of several processes: any of them answers. The parent says where. */
static bool open_shared(struct gateway *gw, struct cfg_error *err)
{
    struct listen_set set;
    if (!listen_set_share(&set, "admin", &gw->cfg->admin_host, gw->family->admin_port, err))
        return false;
    gw->admin = admin_new_on(&set, gw->loop, routes, NROUTES, gw);
    admin_set_max_body(gw->admin, (size_t)gw->cfg->admin_api_max_body);
    return true;
}

bool gw_admin_open(struct gateway *gw, struct cfg_error *err)
{
    if (gw->cfg->admin_port < 0) return true;
    if (gw->family) return open_shared(gw, err);
    gw->admin = admin_new(gw->cfg, gw->loop, routes, NROUTES, gw, err);
    if (!gw->admin) return false;
    admin_set_max_body(gw->admin, (size_t)gw->cfg->admin_api_max_body);
    return true;
}
