/* Cross-origin headers (the semantics of npm's `cors`, which Socket.IO servers use). */
#ifndef PEAL_GW_CORS_H
#define PEAL_GW_CORS_H

#include <stdbool.h>

#include "cluster/cfg.h"
#include "proto/http_head.h"

/* Appends the header lines that answers to this request carry, errors and 101 included; none if
 * cors.origins is empty. */
void gw_cors_headers(const struct cfg *cfg, const struct http_head *head, struct buf *out);
/* Is CORS on, so that OPTIONS is a preflight? */
bool gw_cors_is_on(const struct cfg *cfg);
/* Appends the further lines of a preflight answer. */
void gw_cors_preflight(const struct cfg *cfg, const struct http_head *head, struct buf *out);

#endif
