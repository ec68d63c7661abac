/* System */
#include <stdio.h>
/* Cluster */
#include "cluster/cfg.h"
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gateway/gw_conn.h"
#include "gateway/gw_server.h"
/* This process */
#include "fixture.h"

#define PAUSE_MS 20

struct pause {
    struct wheel_entry timer;
    struct gw_conn *conn;
    struct pause *next;
};
static struct pause *pauses;

void fixture_forget(struct gw_conn *c)
{
    for (struct pause **p = &pauses; *p; p = &(*p)->next) {
        struct pause *found = *p;
        if (found->conn != c) continue;
        *p = found->next;
        wheel_drop(loop_wheel(c->gw->loop), &found->timer);
        x_free(found);
        return;
    }
}

static void on_rested(struct wheel_entry *e)
{
    struct gw_conn *c = ((struct pause *)e)->conn;
    fixture_forget(c);
    gw_conn_cork(c, false);
}

void fixture_pause(struct gw_conn *c)
{
    fixture_forget(c);
    struct pause *p = x_calloc(1, sizeof(*p));
    *p = (struct pause){.timer.fire = on_rested, .conn = c, .next = pauses};
    pauses = p;
    gw_conn_cork(c, true);
    wheel_set(loop_wheel(c->gw->loop), &p->timer, loop_now(c->gw->loop) + PAUSE_MS);
}

static bool set_all(struct cfg *cfg, const char *const *assignments, struct cfg_error *err)
{
    for (; *assignments; assignments++)
        if (!cfg_set(cfg, *assignments, err)) return false;
    return true;
}

int fixture_main(int argc, char **argv, const char *const *more, const struct gw_handler *handler,
                 const struct gw_upper *upper)
{
    static const char *const settings[] = {"gateway.host=localhost",  "engine.ping_interval=300",
                                           "engine.ping_timeout=200", "gateway.max_payload=1000000",
                                           "cors.origins=*",          "auth.mode=none",
                                           "log.level=warn",          NULL};
    struct cfg cfg;
    struct cfg_error err;
    char port[64];
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    snprintf(port, sizeof(port), "gateway.port=%s", argv[1]);
    const char *const last[] = {port, NULL};
    cfg_init(&cfg);
    int code = 1;
    if (set_all(&cfg, settings, &err) && set_all(&cfg, more, &err) && set_all(&cfg, last, &err) &&
        cfg_check(&cfg, &err))
        code = gw_server_run(&cfg, NULL, argv[0], handler, upper);
    else
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
    cfg_fini(&cfg);
    return code;
}
