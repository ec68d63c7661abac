/* Where a token may be in a handshake request: header, query, cookie, each with its switch. */
#ifndef PEAL_GW_TOKEN_H
#define PEAL_GW_TOKEN_H

#include "cluster/cfg.h"
#include "proto/http_head.h"

/* The first token found, in the order header, query, cookie. Gives (x_free_secret), or NULL. One
 * that is too long or badly encoded counts as found: a text that is no token is given. */
char *gw_token_take(const struct cfg *cfg, const struct http_head *head);

#endif
