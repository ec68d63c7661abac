/* What an HTTP request means: Engine.IO under gateway.path, files elsewhere. Source: engine.io 6.6
 * (error bodies, order of checks). */
#ifndef PEAL_GW_ENGINE_H
#define PEAL_GW_ENGINE_H

#include "gw_http.h"

/* A request's head is read; cors lines are in h->cors. Answers, holds, reads the body, or hands the
 * descriptor over. */
void gw_engine_request(struct gw_http *h, const struct http_head *head);
/* The body asked for by gw_http_read_body() is complete in h->body … */
void gw_engine_body(struct gw_http *h);
/* … or was refused with this status. */
void gw_engine_body_refused(struct gw_http *h, int status);

#endif
