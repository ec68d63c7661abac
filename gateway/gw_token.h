/* Where a token may be in a handshake request: header, query, cookie, each with its switch. */
#ifndef PEAL_GW_TOKEN_H
#define PEAL_GW_TOKEN_H

#include "cluster/cfg.h"
#include "proto/http_head.h"
/* Gateway */
#include "gw_tally.h"

struct gw_token {
    char *text; /* NULL: none */
    enum gw_auth_source from;
};

/* The first token found, in the order header, query, cookie. Gives its text (x_free_secret). One
 * that is too long or badly encoded counts as found: a text that is no token is given.
 * is_script: the answer will be a script (JSONP), which any page can load, so cookies do not count. */
struct gw_token gw_token_take(const struct cfg *cfg, const struct http_head *head, bool is_script);

#endif
