/* Commands as JSON: what a backend's answer may hold, and what the HTTP API of the admin port takes.
 * docs/schema/commands.json has both as JSON Schema.
 *
 *   emit        [{"event":"chat","args":[…],"to":["room"],"user":["u1"],"except":["room"],
 *                 "nsp":"/","volatile":true,"attachments":["<base64>"]}]
 *   join        ["room", {"rooms":["room"],"to":["other"]}]       a word: the item's own socket
 *   leave       the same
 *   disconnect  true, or {"to":["room"],"user":["u1"],"close":true}
 *   ack         an array of arguments, or one value that is no array
 *   attachments ["<base64>"]: binary that the ack's placeholders refer to
 *   data        any value
 *   error       {"message":"…","data":…}: refuses a connect that is asked about; fails an event's ack
 *
 * `to` is a list of rooms or socket ids; `user` of users; both together are a union; with neither an
 * emit goes to the whole namespace, and the others mean the item's own socket. One object or word
 * instead of a list of one is fine, of several equal keys the last counts, a key that is not known is
 * a mistake. Arguments stay the text they are; nobody builds a tree of them. */
#ifndef PEAL_CLUSTER_COMMAND_H
#define PEAL_CLUSTER_COMMAND_H

#include <stdbool.h>

#include "cluster/bus.h"
#include "util/buf.h"
#include "util/str_view.h"

enum command_type {
    COMMAND_EMIT,
    COMMAND_JOIN,
    COMMAND_LEAVE,
    COMMAND_DISCONNECT,
    COMMAND_ACK,
    COMMAND_DATA,
    COMMAND_ERROR,
};

#define COMMANDS_MAX 1000      /* in one text */
#define COMMAND_NAMES_MAX 1000 /* rooms, users and ids in one command */
#define COMMAND_ROOM_MAX 261   /* bytes of a room's name, as in the gateway */
#define COMMAND_USER_MAX 256   /* … of a user's */
#define COMMAND_NSP_MAX 128    /* … of a namespace's */
#define COMMAND_DEPTH_MAX 256  /* nesting of the text */
#define COMMAND_ATTACHMENTS_MAX 64

struct command {
    enum command_type type;
    bool is_own;         /* JOIN, LEAVE, DISCONNECT: the item's own socket, nothing in `which` */
    struct str_view nsp; /* empty: not said */
    struct bus_target which;
    const struct str_view *rooms; /* JOIN, LEAVE: to enter or leave */
    unsigned nrooms;
    bool close;           /* DISCONNECT */
    struct str_view json; /* EMIT: ["event", …]. ACK: array. DATA, ERROR: the value */
    const struct str_view *attachments; /* EMIT, ACK */
    unsigned nattachments;
};

struct commands; /* owns everything that its commands' views point to */
/* Reads a backend's answer: hostile input. Order of commands: join and leave first, then data, emits,
 * ack or error, and disconnect last; within one kind as they stand there. allowed: bits
 * 1 << command_type. NULL with err filled: what is wrong and where ("emit[2].to: …"). Gives:
 * commands_free. */
struct commands *commands_parse(struct str_view json, unsigned allowed, struct buf *err);
/* Reads the value of one kind alone, EMIT, JOIN, LEAVE or DISCONNECT, where there is no item, so no
 * own socket either: what the HTTP API takes. Else as above. */
struct commands *commands_parse_kind(struct str_view json, enum command_type type, struct buf *err);
size_t commands_count(const struct commands *c);
const struct command *commands_at(const struct commands *c, size_t i);
void commands_free(struct commands *c);

#endif
