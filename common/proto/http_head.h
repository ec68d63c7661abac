/* A strict reader of HTTP/1 request heads and chunked bodies. Bytes in, views out, no I/O.
 *
 * It reads what a gateway must read and refuses what proxies may read differently (RFC 9112):
 * bare CR or LF, folded lines, spaces before the colon, control characters, several Content-Length,
 * Content-Length beside Transfer-Encoding, an encoding other than one "chunked", HTTP/1.1 without
 * exactly one Host. Not for answers, not for HTTP/2. */
#ifndef PEAL_PROTO_HTTP_HEAD_H
#define PEAL_PROTO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/verdict.h"
#include "util/buf.h"
#include "util/str_view.h"

#define HTTP_MAX_FIELDS 100

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_OPTIONS,
    HTTP_OTHER, /* a well-formed method this project has no use for: PUT, DELETE, … */
};

struct http_field {
    struct str_view name, value; /* value trimmed */
};

struct http_head {
    enum http_method method;
    struct str_view method_text, target; /* as sent; target may be "http://host/path" or "*" */
    struct str_view path, query;         /* of the target, as sent; query without '?' */
    int minor;                           /* HTTP/1.minor: 0 or 1 */
    struct http_field fields[HTTP_MAX_FIELDS];
    size_t nfields;
    bool keep_alive;        /* what the version and Connection say */
    bool chunked;           /* Transfer-Encoding: chunked */
    bool has_length;        /* Content-Length present */
    uint64_t length;        /* its value; 0 if absent */
    bool expect_continue;   /* Expect: 100-continue (HTTP/1.1) */
    bool upgrade;           /* "Connection: upgrade" and an Upgrade field are there (HTTP/1.1) */
    bool upgrade_websocket; /* … and Upgrade names websocket */
    size_t size; /* bytes of the whole head, empty lines before and final CRLF included */
};

/* Reads one head from the n bytes at p. OK: *out is filled, with views into p (or literals). MORE:
 * call again with more bytes from the same start; only what is new is looked at if the caller keeps
 * *scan, 0 at first. BAD: *status is the answer (400, 414, 431, 501 unknown encoding, 505 version),
 * *why says what is wrong. After OK and BAD *scan is 0 again. The verdict does not depend on how
 * the bytes were cut. max_head bounds the head, what does not end within it is BAD: 431, or 414 if
 * not even the request line does. Up to two empty lines before the request line are skipped. */
enum verdict http_head_parse(const char *p, size_t n, size_t max_head, size_t *scan,
                             struct http_head *out, int *status, const char **why) MUST_CHECK;

/* The first field of that name (any case), or NULL. */
const struct str_view *http_head_get(const struct http_head *h, struct str_view name);
/* How many fields of that name there are. */
size_t http_head_count(const struct http_head *h, struct str_view name);
/* Does the comma-separated list field (all of that name) hold this token (any case)? Elements are
 * compared whole ("gzip;q=1" is not "gzip"). */
bool http_head_has_token(const struct http_head *h, struct str_view name, struct str_view token);

/* Value of a cookie ("Cookie: a=1; b=2"), surrounding double quotes removed; of several the first.
 * The name's case counts. False, and *value untouched, if there is none. */
bool http_cookie_get(const struct http_head *h, struct str_view name, struct str_view *value);

/* Value of a query key, percent-decoded ('+' is a space), appended to out; of several the last.
 * False, and out untouched, if the key is absent or its value does not decode or does not fit; *bad
 * (may be NULL) tells the second from the first. "key" without '=' is an empty value. May hold NUL
 * bytes. */
bool http_query_get(struct str_view query, struct str_view key, struct buf *out,
                    bool *bad) MUST_CHECK;
/* Percent-decodes a path (no '+' rule), appended to out. False, and out untouched, on a bad escape,
 * a NUL, or if out is full. */
bool http_path_decode(struct str_view path, struct buf *out) MUST_CHECK;

/* Chunked bodies. */
struct http_chunked {
    int state;
    uint64_t left;    /* of the current chunk */
    unsigned line;    /* bytes of the current size line so far */
    unsigned trailer; /* bytes of trailers so far */
};
/* Zeroed memory is the start. Reads from p, appends body bytes to body (bounded by its maximum: a
 * chunk that will not fit is refused at its size line). *used: bytes taken. OK: the body has ended,
 * what follows belongs to the next request. BAD: *status 400 or 413. Both last: a further call
 * takes nothing and says the same. Trailers are dropped. */
enum verdict http_chunked_feed(struct http_chunked *c, const char *p, size_t n, size_t *used,
                               struct buf *body, int *status) MUST_CHECK;

#endif
