/* The gateway's routes on the admin port: /healthz, /readyz, /metrics. */
#ifndef PEAL_GW_ADMIN_H
#define PEAL_GW_ADMIN_H

#include "gw.h"

/* Fills gw->admin unless admin.port is -1. False with *err filled if the port cannot be had. Gives:
 * admin_free. */
bool gw_admin_open(struct gateway *gw, struct cfg_error *err) MUST_CHECK;

/* Nothing speaks against sending clients to this process. */
bool gw_admin_is_ready(struct gateway *gw);

#endif
