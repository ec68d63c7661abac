/* Handlers in C: the one header of a module for peal-worker and `peal serve`.
 *
 * A module is a shared object that defines `peal_module`. It needs nothing else of Peal: no
 * library to link, no other header. Its functions are called by the program that has loaded it:
 *
 *     cc -shared -fPIC -o chat.so chat.c
 *     peal serve --set worker.modules=./chat.so --set routes.events=chat=worker
 *
 * Rules for all of it
 *   - One thread, one call at a time. A handler must not block: everything waits for it. What
 *     takes time goes to peal_after(), or to the module's own thread, which must not call these
 *     functions.
 *   - What a handler asks for (acks, emits, joins, …) leaves when it has returned PEAL_OK,
 *     together with the acknowledgment of its item, once; if it fails, nothing leaves. An item may
 *     be handled twice (after a crash, or a network that was away): peal_event_id() is then the
 *     same, effects still happen once.
 *   - Events of one socket come one after the other, in the order the client sent them.
 *   - Texts are UTF-8 and end in NUL. What a function lends is good until the handler has
 *     returned, or until the event is ended if it is held. What it is given it copies.
 *   - JSON arguments are texts: `["hello",{"n":1}]`. They are proved; text that is not what is
 *     asked for makes the function return false, and nothing happens.
 *   - Binary data stands in JSON as {"_placeholder":true,"num":0} and so on, and beside it as an
 *     array of struct peal_binary, as in Socket.IO's own packets. */
#ifndef PEAL_HANDLER_H
#define PEAL_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rises when a module that was compiled with an older header could not work any more. */
#define PEAL_ABI 1

struct json_t; /* jansson's; who wants it includes <jansson.h> and links it */

/* What a module has of the program: given to start(), good until stop() has returned. */
struct peal;
/* A client's event, its connect or its disconnect, in the hands of a handler. */
struct peal_event;

/* ---- the module */

struct peal_module {
    uint32_t abi;     /* PEAL_ABI */
    const char *name; /* for logs */
    /* Registers handlers. argument: what stands behind `=` in worker.modules, or "". Returns NULL,
     * or why it cannot start, which ends the program with that line. */
    const char *(*start)(struct peal *p, const char *argument);
    /* The last call. Events that are still held, timers and questions are void by now. May be
     * NULL. */
    void (*stop)(struct peal *p);
};

/* The module defines it: const struct peal_module peal_module = {PEAL_ABI, "chat", start, stop}; */
extern const struct peal_module peal_module __attribute__((visibility("default")));

/* The module's own. */
void peal_set_user_data(struct peal *p, void *user_data);
void *peal_user_data(const struct peal *p);

/* A line in the program's log, with the module's name. */
enum peal_level { PEAL_DEBUG, PEAL_INFO, PEAL_WARN, PEAL_ERROR };
void peal_log(const struct peal *p, enum peal_level level, const char *text);

/* ---- registering: in start() only */

enum peal_result {
    PEAL_OK = 0,    /* done: the effects leave */
    PEAL_RETRY = 1, /* failed, perhaps not the next time: again after a pause (worker.attempts) */
    PEAL_FAIL = 2,  /* failed for good: to the dead letters; the client's ack is an error */
};

typedef enum peal_result (*peal_handler)(void *ctx, struct peal_event *e);

/* Patterns may hold '*' (any characters) and '?' (one). Of several that match, the one registered
 * first gets the event. The gateway sends what routes.events gives the target `worker`; connects
 * and disconnects of the namespaces in routes.lifecycle and routes.ask_connect. */
void peal_on_event(struct peal *p, const char *nsp, const char *event, peal_handler f, void *ctx);
/* With routes.ask_connect the client waits: PEAL_OK admits it, peal_refuse() does not. */
void peal_on_connect(struct peal *p, const char *nsp, peal_handler f, void *ctx);
/* The socket is gone: nothing can be sent to it. */
void peal_on_disconnect(struct peal *p, const char *nsp, peal_handler f, void *ctx);

/* ---- reading an event */

struct peal *peal_of(const struct peal_event *e);
const char *peal_event_id(struct peal_event *e); /* the item's; the same if it comes again */
unsigned peal_event_attempt(const struct peal_event *e); /* from 1 */
uint64_t peal_event_time(const struct peal_event *e); /* ms since 1970, when the gateway got it */
const char *peal_event_name(struct peal_event *e);    /* "" for connect and disconnect */
const char *peal_nsp(struct peal_event *e);
const char *peal_sid(struct peal_event *e);    /* the socket's id, also the name of its own room */
const char *peal_user(struct peal_event *e);   /* the token's subject, or "" */
const char *peal_claims(struct peal_event *e); /* the token's claims: JSON object */
const char *peal_data(struct peal_event *e);   /* what peal_set_data() has set; "null" at first */

/* The arguments as the client sent them: a JSON array, the event's name first. size may be NULL. */
const char *peal_args(struct peal_event *e, size_t *size);
/* Argument i behind the name, as JSON text; NULL if there are not so many. */
const char *peal_arg(struct peal_event *e, size_t i);
size_t peal_arg_count(struct peal_event *e);
struct peal_binary {
    const void *data;
    size_t size;
};
/* What the placeholders in the arguments stand for; NULL if there are none. */
const struct peal_binary *peal_attachments(struct peal_event *e, size_t *n);
/* Does the client wait for an ack? */
bool peal_wants_ack(const struct peal_event *e);

/* connect: the client's `auth` object without its token (or "{}"), its address, "websocket" or
 * "polling"; does it wait to be admitted? */
const char *peal_auth(struct peal_event *e);
const char *peal_address(struct peal_event *e);
const char *peal_transport(struct peal_event *e);
bool peal_asks(const struct peal_event *e);
/* disconnect: Socket.IO's word for why ("transport close", "client namespace disconnect", …). */
const char *peal_reason(struct peal_event *e);

/* The arguments behind the name, parsed: a JSON array that the event owns (use json_incref to keep
 * something). NULL if jansson cannot hold them (integers beyond 64 bits, lone surrogates). */
struct json_t *peal_args_json(struct peal_event *e);
/* The same for any text: claims, data, auth, one argument. */
struct json_t *peal_json(struct peal_event *e, const char *text);

/* ---- what a handler can do; each leaves with the item. False: not allowed, or too much for one
 * item (a thousand effects, 16 MiB). */

/* Who is meant: the union of room, user, socket and rooms; all of the namespace if none is given.
 * Zeroed memory means everybody in the event's namespace. */
struct peal_target {
    const char *nsp; /* NULL: the event's, or "/" outside of one */
    const char *room;
    const char *user;          /* all sockets of this user */
    const char *socket;        /* an id */
    const char *const *rooms;  /* further rooms or ids, ended by NULL */
    const char *const *except; /* not those in these rooms or with these ids, ended by NULL */
    bool is_volatile;          /* may be lost: not for clients that cannot take it at once */
};

/* json: array, the event's name first. to NULL: everybody in the event's namespace. */
bool peal_emit(struct peal_event *e, const struct peal_target *to, const char *json);
bool peal_emit_binary(struct peal_event *e, const struct peal_target *to, const char *json,
                      const struct peal_binary *attachments, size_t n);
bool peal_emit_json(struct peal_event *e, const struct peal_target *to, const struct json_t *array);
/* To the event's own socket. */
bool peal_send(struct peal_event *e, const char *json);
/* Answers the client. json: array of arguments. Once; nothing if the client wants no ack. */
bool peal_ack(struct peal_event *e, const char *json);
bool peal_ack_binary(struct peal_event *e, const char *json, const struct peal_binary *attachments,
                     size_t n);
bool peal_ack_json(struct peal_event *e, const struct json_t *array);
/* The event's own socket. An emit to a room behind a join of it reaches the socket. */
bool peal_join(struct peal_event *e, const char *room);
bool peal_leave(struct peal_event *e, const char *room);
/* After all else. close: its whole connection, with other namespaces. */
bool peal_disconnect(struct peal_event *e, bool close);
/* json: any value. Later events of this socket have it as peal_data(), fetchSockets as `data`. */
bool peal_set_data(struct peal_event *e, const char *json);
/* A connect that asks: the client gets connect_error with this message and, unless NULL, this JSON
 * value as its `data`. */
bool peal_refuse(struct peal_event *e, const char *message, const char *data);
/* Sockets of the whole cluster. */
bool peal_remote_join(struct peal_event *e, const struct peal_target *which, const char *room);
bool peal_remote_leave(struct peal_event *e, const struct peal_target *which, const char *room);
bool peal_remote_disconnect(struct peal_event *e, const struct peal_target *which, bool close);

/* ---- taking time */

/* Keeps the event after the handler has returned (whose result does not count then), until
 * peal_done() or peal_fail() ends it. Other events of the same socket wait. */
void peal_hold(struct peal_event *e);
/* A held event is void when its partition has moved to another worker: what it asks for is
 * dropped. It must still be ended. */
bool peal_is_void(const struct peal_event *e);
void peal_done(struct peal_event *e);
/* how: PEAL_RETRY or PEAL_FAIL; why: for the log and the dead letter. Outside of held events, too:
 * in a handler it says why the PEAL_RETRY or PEAL_FAIL that follows is returned. */
void peal_fail(struct peal_event *e, enum peal_result how, const char *why);

/* An ack that is sent later, while the item is done and other events go on. NULL if the client
 * wants none or has one already. It is sent at once and at most once: not if the worker dies
 * before. Ended by either of the two below. */
struct peal_reply *peal_reply_later(struct peal_event *e);
bool peal_reply_send(struct peal_reply *r, const char *json, const struct peal_binary *attachments,
                     size_t n);
void peal_reply_drop(struct peal_reply *r);

/* Calls f once, in at least ms milliseconds. Gives back the timer, which is gone when f is called
 * or peal_cancel() is. */
struct peal_timer *peal_after(struct peal *p, uint64_t ms, void (*f)(void *ctx), void *ctx);
void peal_cancel(struct peal_timer *t);

/* ---- at once, without an item: from timers, or where a handler needs an answer. They happen
 * again if the item is handled again. */

bool peal_emit_now(struct peal *p, const struct peal_target *to, const char *json,
                   const struct peal_binary *attachments, size_t n);

/* What came with one ack. */
struct peal_answer {
    const struct peal_binary *v;
    size_t n;
};
/* What has come; good during the call. */
struct peal_answers {
    const char *json; /* array of the answers; of sockets: {"id","handshake","rooms","data"} each */
    size_t count;     /* of acks; 0 for peal_fetch() */
    const struct peal_answer *binary; /* attachments of ack i; NULL for peal_fetch() */
    bool is_complete;                 /* all have answered in time */
    const char *why;                  /* why not; "" if complete */
};
typedef void (*peal_answers_cb)(void *ctx, const struct peal_answers *a);

/* An event for clients of the whole cluster, who are asked for acks: each one's first argument.
 * timeout_ms 0: bus.request_timeout. f is called once, later, unless the module is stopped before.
 * False: not allowed, and f is not called. */
bool peal_emit_with_ack(struct peal *p, const struct peal_target *to, const char *json,
                        const struct peal_binary *attachments, size_t n, uint64_t timeout_ms,
                        peal_answers_cb f, void *ctx);
/* fetchSockets: who of these is there, on all nodes. */
bool peal_fetch(struct peal *p, const struct peal_target *which, uint64_t timeout_ms,
                peal_answers_cb f, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
