/* The HTTP API for backends that push without an event: /api/… on the admin port. docs/openapi.yaml
 * describes it; the bodies are commands as in a backend's answers (cluster/command.h).
 *
 * Requests need the key of admin.api_key; without one there is no /api/. A command is answered with
 * {"ok":true} when the bus has taken it, which says nothing about clients. */
#ifndef PEAL_GW_API_H
#define PEAL_GW_API_H

#include "cluster/cfg.h"
#include "io/admin.h"

struct gateway;
struct gw_api;

/* Reads admin.api_key or its file. Without either it is one that opens nothing. NULL with *err filled.
 * Gives: gw_api_free. */
struct gw_api *gw_api_new(const struct cfg *cfg, struct cfg_error *err);
void gw_api_free(struct gw_api *api);
bool gw_api_is_open(const struct gw_api *api);

/* Routes; ctx is the gateway. */
void gw_api_on_emit(void *ctx, const struct admin_request *r, struct admin_reply *reply);
void gw_api_on_join(void *ctx, const struct admin_request *r, struct admin_reply *reply);
void gw_api_on_leave(void *ctx, const struct admin_request *r, struct admin_reply *reply);
void gw_api_on_disconnect(void *ctx, const struct admin_request *r, struct admin_reply *reply);
void gw_api_on_sockets(void *ctx, const struct admin_request *r, struct admin_reply *reply);

#endif
