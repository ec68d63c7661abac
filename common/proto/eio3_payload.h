/* Engine.IO 3 (socket.io-client 1.x and 2.x): packets, polling payloads and JSONP, bytes in, views
 * out. The packet types are those of version 4, and so is struct eio_packet; what differs is how
 * they are framed. What goes out is framed by eio_msg (its forms ..._ws3, ..._poll3, ...); here is
 * what comes in, and the script that a JSONP answer is. Does no I/O, knows no session. Bodies are
 * whole and their size has been bounded. Source: engine.io-protocol v3, engine.io/parser-v3 6.6.
 *
 * Stricter than the reference where it has several readings of one text: lengths are plain digits
 * without leading zeros, base64 is strict, text is well-formed UTF-8 and no length cuts a surrogate
 * pair, unknown types are bad. */
#ifndef PEAL_PROTO_EIO3_PAYLOAD_H
#define PEAL_PROTO_EIO3_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/eio_packet.h"

/* One packet from a WebSocket text frame or a text payload: "4hello", or "b4" + base64, which is
 * decoded into scratch as eio_packet_decode() does. Unlike there, binary may have any type (no
 * client sends other than messages so). That the text is UTF-8 is the caller's to know. OK or BAD.
 */
enum verdict eio3_packet_decode(struct str_view text, struct buf *scratch,
                                struct eio_packet *out) MUST_CHECK;
/* One packet from a WebSocket binary frame: the type as a raw byte, then data. OK or BAD. */
enum verdict eio3_packet_decode_binary(struct str_view bytes, struct eio_packet *out) MUST_CHECK;

/* Length of UTF-8 text in UTF-16 code units, which a text payload's lengths count. */
size_t eio3_units(struct str_view text);

/* Clients of 1.x expect text in a text payload to be UTF-8 encoded twice, and end the session over
 * any other character above ASCII; those of 2.x, which are told apart by nothing, expect it once.
 * Escapes both understand: if text is a packet of ASCII followed by JSON, and not all ASCII, appends
 * it to out with each character above ASCII as a \u escape of the same value; at most thrice the
 * length. False, and out unchanged in length, if text is not like that or out is full. */
bool eio3_escape(struct str_view text, struct buf *out) MUST_CHECK;

/* Walks a polling body. */
struct eio3_payload {
    struct str_view rest;
    bool binary, bad;
};

/* binary: the request's content type was application/octet-stream. A text body (a JSONP client's,
 * too, behind eio3_jsonp_body()) with nothing in it is bad, "0:" is none. Need not be checked for
 * UTF-8 before. */
void eio3_payload_init(struct eio3_payload *in, bool binary, struct str_view body);
/* The next packet; out lends from the body or from scratch (cleared first; its maximum bounds
 * binary in a text body). False at the end, and where the body is bad: then in->bad is set and it
 * stays false. What came before a bad place was good, and is to be delivered. */
bool eio3_payload_next(struct eio3_payload *in, struct buf *scratch,
                       struct eio_packet *out) MUST_CHECK;

/* --- JSONP: chosen by the query key j of the handshake, always with text payloads */

/* The number in the query value j, other characters ignored as the reference does. False without a
 * digit, or with more than a number of nine digits. */
bool eio3_jsonp_index(struct str_view j, uint32_t *index) MUST_CHECK;

/* The text payload in a form body ("d=…"), decoded and with its line feeds unescaped, in text
 * (cleared first). False if there is none: then *bad tells an undecodable or too long one (text's
 * maximum) from a form without d, of which nothing is to be delivered but which is no mistake. */
bool eio3_jsonp_body(struct str_view form, struct buf *text, bool *bad) MUST_CHECK;

/* Bytes that eio3_jsonp_wrap() makes of a payload of n bytes, at most. */
#define EIO3_JSONP_MAX(n) (6 * (n) + 32)

/* Appends the script ___eio[index]("…"); with payload as a string. No byte of it can end the string
 * or a script element: quotes, backslashes, control characters, line separators (U+2028, U+2029)
 * and '<', '>', '&' are escapes. False, and out unchanged in length, if out is full. */
bool eio3_jsonp_wrap(struct buf *out, uint32_t index, struct str_view payload) MUST_CHECK;

#endif
