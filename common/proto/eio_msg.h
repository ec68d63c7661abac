/* What goes out to clients: one immutable, shared run of Engine.IO packets that belong together (an
 * event's text and its attachments, or one control packet), with its wire forms.
 *
 * Encoded once, queued by reference at any number of connections. The WebSocket form is made at
 * birth; the forms for polling, for b64 WebSockets and for Engine.IO 3 on first use, and cost
 * nothing before. Source: engine.io-protocol v4 (binary has no type byte on WebSocket and is "b" +
 * base64 elsewhere) and v3. */
#ifndef PEAL_PROTO_EIO_MSG_H
#define PEAL_PROTO_EIO_MSG_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/eio_packet.h"
#include "util/str_view.h"

struct eio_msg;

/* A message packet whose text is head followed by tail, then n binary messages. Copies all. Gives
 * one reference: eio_msg_rele. */
struct eio_msg *eio_msg_new(struct str_view head, struct str_view tail,
                            const struct str_view *attachments, unsigned n);
/* One binary message. */
struct eio_msg *eio_msg_new_binary(struct str_view data);
/* One packet of any type without attachments: open, ping, noop, … */
struct eio_msg *eio_msg_new_control(enum eio_type type, struct str_view data);

struct eio_msg *eio_msg_hold(struct eio_msg *m);
void eio_msg_rele(struct eio_msg *m); /* NULL is fine */

/* Ready frames for a WebSocket, unmasked, all packets one behind the other. Lends. */
struct str_view eio_msg_ws(struct eio_msg *m);
/* The same for a WebSocket that asked for base64: text frames only. Lends. */
struct str_view eio_msg_ws_b64(struct eio_msg *m);
/* For a polling payload: packets with separators between them, none at the ends. Lends. */
struct str_view eio_msg_poll(struct eio_msg *m);

/* --- Engine.IO 3. All lend; a payload of several messages is their forms one behind the other. */

/* Is one of its packets binary? */
bool eio_msg_has_binary(const struct eio_msg *m);
/* Frames for a WebSocket: binary begins with its type as a byte. The same bytes as eio_msg_ws() (and
 * the same place) if no packet is binary. */
struct str_view eio_msg_ws3(struct eio_msg *m);
/* Frames for a WebSocket that asked for base64: text frames only, binary is "b4" + base64. */
struct str_view eio_msg_ws3_b64(struct eio_msg *m);
/* For a text payload: each packet behind its length in UTF-16 code units, and JSON as ASCII
 * (eio3_escape() says why). */
struct str_view eio_msg_poll3(struct eio_msg *m);
/* For a binary payload, which an answer is if the client takes binary and eio_msg_has_binary() says
 * so of any message in it: then all its messages are in this form. */
struct str_view eio_msg_poll3_binary(struct eio_msg *m);

/* Bytes this message counts for in a queue's limit. */
size_t eio_msg_size(const struct eio_msg *m);

#endif
