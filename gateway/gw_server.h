/* A gateway as a program sees it: make it from a configuration, run the loop, stop it. */
#ifndef PEAL_GW_SERVER_H
#define PEAL_GW_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cfg.h"

struct gateway;
struct gw_family;
struct gw_handler;
struct gw_upper;
struct loop;
struct program_args;

/* Makes a gateway and starts listening. NULL with *err filled if the configuration, the keys or the
 * port do not allow it. cfg and loop are borrowed for its life; handler may be NULL. upper NULL:
 * Socket.IO. Gives: gw_server_free. */
struct gateway *gw_server_new(const struct cfg *cfg, struct loop *loop,
                              const struct gw_handler *handler, const struct gw_upper *upper,
                              struct cfg_error *err);
/* The port in use (that of gateway.port, or the one the system chose); 0 if nobody is accepted any
 * more. */
int gw_server_port(const struct gateway *gw);
/* Begins the drain (gw_drain.h), at whose end all clients have been closed cleanly and the loop is
 * stopped. */
void gw_server_stop(struct gateway *gw);
void gw_server_free(struct gateway *gw);

/* The whole life of a gateway program: gateway.processes of them (gw_parent.h), each with loop,
 * gateway, SIGTERM and SIGINT (a second one ends at once), SIGHUP (cfg is read again from args; NULL:
 * it is not); exit status. name is for messages. */
int gw_server_run(struct cfg *cfg, const struct program_args *args, const char *name,
                  const struct gw_handler *handler, const struct gw_upper *upper);
/* The same for one process, alone (family NULL) or of several: for gw_parent.c. */
int gw_server_serve(struct cfg *cfg, const struct program_args *args, const char *name,
                    const struct gw_handler *handler, const struct gw_upper *upper,
                    const struct gw_family *family);

#endif
