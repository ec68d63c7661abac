/* A whole worker on Redis: bus, questions, core, feed, admin port. For peal-worker, and for a gateway with
 * redis.url that runs handlers itself. */
#ifndef PEAL_WK_SERVER_H
#define PEAL_WK_SERVER_H

#include "cluster/cfg.h"
#include "io/loop.h"
#include "proto/prom_text.h"

struct wk_core;
struct worker;

/* Adds a program's own handlers to the core, before those of the configuration. False with *err filled. */
typedef bool (*wk_handlers_cb)(struct wk_core *core, const struct cfg *cfg, struct loop *loop,
                               struct cfg_error *err);

/* With the handlers of worker.modules and worker.http, and own ones (may be NULL). cfg and loop are borrowed for its life.
 * has_admin: serve admin.port. NULL with *err filled if the configuration does not allow it. Gives:
 * wk_server_free. */
struct worker *wk_server_new(const struct cfg *cfg, struct loop *loop, wk_handlers_cb own,
                             bool has_admin, struct cfg_error *err);
/* Finishes what is in hand, for at most worker.shutdown_timeout, gives leases back, then tells. */
void wk_server_stop(struct worker *w, void (*stopped)(void *arg), void *arg);
void wk_server_write_metrics(const struct worker *w, struct prom_text *p);
void wk_server_free(struct worker *w);

/* The whole life of a worker program; name is for messages. Gives the exit status. */
int wk_server_run(const struct cfg *cfg, const char *name, wk_handlers_cb own);

#endif
