/* What an HTTP request means: Engine.IO under gateway.path, files elsewhere. Source: engine.io 6.6
 * (error bodies, order of checks). */
#ifndef PEAL_GW_ENGINE_H
#define PEAL_GW_ENGINE_H

#include "gw_http.h"

extern const struct gw_http_events gw_engine_events;

#endif
