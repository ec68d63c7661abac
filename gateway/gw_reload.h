/* SIGHUP: the configuration is read again from where it came from, and what the table marks
 * reloadable is taken over, all of it or nothing. */
#ifndef PEAL_GW_RELOAD_H
#define PEAL_GW_RELOAD_H

#include "gw.h"
#include "io/program.h"

/* cfg is gw's own, args where it came from. Logs what became of it. True: taken over. Key files are
 * read again even if no key has changed. */
bool gw_reload(struct gateway *gw, struct cfg *cfg, const struct program_args *args);
/* The same for the parent of several processes, which has a configuration but no gateway. */
bool gw_reload_cfg(struct cfg *cfg, const struct program_args *args);

#endif
