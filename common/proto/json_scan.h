/* A JSON scanner that validates and finds, and builds nothing.
 *
 * The gateway does not own payload text: what a client sent must arrive as the same JSON values
 * (big integers, key order, \u0000, lone surrogates), so no tree is built. json_scan_value() proves
 * that a text is one RFC 8259 value (as strict as JSON.parse: no trailing commas, no NaN, control
 * characters escaped); the other functions walk text that has been proved. Input is expected to be
 * valid UTF-8 (the WebSocket layer or utf8_is_valid() has seen to it). No recursion: depth is
 * bounded by max_depth (<= JSON_DEPTH_LIMIT). */
#ifndef PEAL_PROTO_JSON_SCAN_H
#define PEAL_PROTO_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/str_view.h"

#define JSON_DEPTH_LIMIT 1024

enum json_kind {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

/* Is text exactly one JSON value, white space around it allowed, nested at most max_depth deep? If
 * attachments >= 0, each object that has "_placeholder": true (keys compared after unescaping, the
 * last of equal keys counts, as in JSON.parse) must have "num" with plain digits, below
 * attachments; that is Socket.IO's rule for binary packets. On success *kind tells the outermost
 * kind. On failure *why (never NULL afterwards) names the reason in a few static words. */
bool json_scan_value(struct str_view text, unsigned max_depth, int attachments,
                     enum json_kind *kind, const char **why) MUST_CHECK;

/* --- the following need text that json_scan_value() accepted --- */

/* Kind of the value that starts text (leading white space allowed). */
enum json_kind json_kind_of(struct str_view text);

/* Walks the elements of an array, or the keys and values of an object. */
struct json_iter {
    struct str_view rest;
};
/* text: a proved array or object. */
void json_iter_init(struct json_iter *it, struct str_view text);
/* The next element, trimmed of white space. False at the end. Lends views into the text. */
bool json_array_next(struct json_iter *it, struct str_view *element);
/* The next member; key is the raw string with its quotes. */
bool json_object_next(struct json_iter *it, struct str_view *key, struct str_view *value);
/* The value of the member whose unescaped key equals key; of several the last. False if there is
 * none or text is no object. */
bool json_member_get(struct str_view object, struct str_view key, struct str_view *value);

/* Appends the characters that a proved JSON string (with its quotes) stands for, as UTF-8; a lone
 * surrogate becomes its three-byte form; *lone (may be NULL) tells if there was one. False, and out
 * unchanged in length, if out is full. */
bool json_string_decode(struct buf *out, struct str_view raw, bool *lone) MUST_CHECK;
/* Does the proved JSON string (with quotes) stand for exactly these characters? No allocation. */
bool json_string_equals(struct str_view raw, struct str_view plain);
/* Appends text (UTF-8) as a JSON string with quotes; a surrogate's three-byte form becomes an
 * escape. False, and out unchanged in length, if out is full. */
bool json_string_encode(struct buf *out, struct str_view plain) MUST_CHECK;

/* Is text well-formed UTF-8 (RFC 3629: no overlongs, no surrogates, nothing above U+10FFFF)? */
bool utf8_is_valid(struct str_view text);

#endif
