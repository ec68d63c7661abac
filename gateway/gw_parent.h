/* The parent of several gateway processes: it reserves the ports, forks, starts anew what dies, and
 * passes signals on. It touches no connection and talks to nobody; what the whole says of itself, its
 * processes say (gw_siblings.h). Whom to start when is decided by gw_roster.h.
 *
 * SIGTERM, SIGINT: all drain, and it exits when they are out; again: they end at once. SIGHUP: the
 * configuration is read again, here for processes that are started later, and if it is good in each
 * of them. If the parent is killed, the kernel kills its processes. */
#ifndef PEAL_GW_PARENT_H
#define PEAL_GW_PARENT_H

#include "cluster/cfg.h"

struct gw_handler;
struct gw_upper;
struct program_args;

/* gateway.processes, with 0 put as the number of cores this process may use. */
unsigned gw_parent_count(const struct cfg *cfg);
/* Runs n processes, each a gw_server_serve(); arguments as there. Returns the exit status, in the
 * parent and in each of the processes. */
int gw_parent_run(struct cfg *cfg, const struct program_args *args, const char *name,
                  const struct gw_handler *handler, const struct gw_upper *upper, unsigned n);
/* For a process that has installed its handlers: signals that came meanwhile are told now. */
void gw_parent_unblock_signals(void);

#endif
