/* The namespace field of a packet from a client of Engine.IO 3: not a name, but a URL's path and
 * query ("/admin?token=1234"), which socket.io 4 gives to a URL parser. Bytes in, bytes out.
 *
 * The path becomes the name as that parser writes it: dot segments resolved, '\' read as '/', what
 * is not plain ASCII percent-encoded, "//host" taken off, a fragment dropped. The query becomes the
 * payload that newer clients send with CONNECT. Source: WHATWG URL, "path state" and
 * application/x-www-form-urlencoded; socket.io/lib/client.ts. */
#ifndef PEAL_PROTO_SIO_URL_H
#define PEAL_PROTO_SIO_URL_H

#include <stdbool.h>

#include "util/buf.h"
#include "util/str_view.h"

/* nsp begins with '/'; query is what stood behind its '?'. Appends the name to path, and to auth a
 * JSON object of strings, "{}" without a query. False, and both are worth nothing, if one does not
 * fit, the URL has an empty host ("//"), or the query is not UTF-8 when it is decoded. */
bool sio_url_read(struct str_view nsp, struct str_view query, struct buf *path,
                  struct buf *auth) MUST_CHECK;

#endif
