/* System */
#include <stdio.h>
/* Cluster */
#include "cluster/cfg.h"
/* Gateway */
#include "gateway/gw_server.h"
/* This process */
#include "fixture.h"

static bool set_all(struct cfg *cfg, const char *const *assignments, struct cfg_error *err)
{
    for (; *assignments; assignments++)
        if (!cfg_set(cfg, *assignments, err)) return false;
    return true;
}

int fixture_main(int argc, char **argv, const char *const *more, const struct gw_handler *handler,
                 const struct gw_upper *upper)
{
    static const char *const settings[] = {
        "gateway.host=localhost",      "engine.ping_interval=300", "engine.ping_timeout=200",
        "gateway.max_payload=1000000", "cors.origins=*",           "auth.mode=none",
        "log.level=warn",              NULL};
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
        code = gw_server_run(&cfg, argv[0], handler, upper);
    else
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
    cfg_fini(&cfg);
    return code;
}
