/* HTTP/1.1 connections: reading requests in order, answering them in order.
 *
 * It knows heads, bodies, keep-alive and time-outs; what a request means is decided by whoever gave
 * it its events (gw_engine.c). A request is answered exactly once, at once or later (a
 * held poll); the next pipelined one is looked at when it has been. */
#ifndef PEAL_GW_HTTP_H
#define PEAL_GW_HTTP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "gw.h"
#include "proto/http_head.h"

enum gw_http_state {
    GW_HTTP_HEAD,   /* reading a head, or idle */
    GW_HTTP_BODY,   /* reading a body */
    GW_HTTP_HELD,   /* a request waits for its answer */
    GW_HTTP_MOVING, /* the request is for another process, and goes there with the connection */
    GW_HTTP_LINGER, /* answered for the last time; reads the rest away so that the answer arrives */
    GW_HTTP_DEAD,   /* freed at the turn's end */
};

struct gw_http {
    struct gateway *gw;
    struct gw_http *prev, *next; /* all of the gateway */
    struct gw_http *dirty_next, *dead_next;
    struct event *readable, *writable; /* writable only while output is stuck */
    struct wheel_entry timer;
    int fd; /* -1: handed over or closed */
    uint8_t state;
    bool is_dirty, keep_alive, head_only, gzip, eof, reading, unread_body;
    bool is_given;  /* another process has handed it over: the first request is answered here */
    uint8_t home;   /* MOVING: which process … */
    uint8_t tries;  /* … and how often it had no room */
    bool is_octets; /* the body's type is application/octet-stream; the owner's */
    size_t scan;    /* how far `in` has been searched for a head's end */
    struct buf in, out, body;
    struct buf cors; /* header lines for the answer of this request */
    struct http_chunked chunked;
    bool is_chunked;
    uint64_t body_left;
    void *owner; /* whose request is held or whose body is read; NULL: nobody's */
    struct sockaddr_storage peer;
};

/* What the layer above is told. */
struct gw_http_events {
    /* A head is read; its views are good during the call. Answer it, hold it, read its body, or
     * detach. */
    void (*request)(struct gw_http *h, const struct http_head *head);
    /* The body asked for by gw_http_read_body() is complete in h->body … */
    void (*body)(struct gw_http *h);
    /* … or was refused with this status; answer it. */
    void (*body_refused)(struct gw_http *h, int status);
    /* The connection ended while h->owner was set: a request it owned will not be answered. */
    void (*lost)(void *owner, struct gw_http *h);
};

struct gw_reply {
    int status;
    struct str_view type;    /* Content-Type; empty: none */
    struct str_view headers; /* further lines, each with CRLF */
    struct str_view body;
    bool close; /* end the connection behind it */
};

/* Takes a fresh descriptor. */
void gw_http_accept(struct gateway *gw, int fd, const struct sockaddr *peer, int peer_len);
/* Takes a descriptor that another process had, with the bytes it has read: at least one request's
 * head. */
void gw_http_take(struct gateway *gw, int fd, const struct sockaddr_storage *peer,
                  struct str_view bytes);
/* Answers the current request. */
void gw_http_reply(struct gw_http *h, const struct gw_reply *r);
/* Goes on to read a body (the head's framing) of at most max bytes. */
void gw_http_read_body(struct gw_http *h, const struct http_head *head, size_t max);
/* The request will be answered later. */
void gw_http_hold(struct gw_http *h);
/* The current request, the connection and all bytes behind the head go to process home, at the turn's
 * end or as soon as earlier answers have left. */
void gw_http_move(struct gw_http *h, unsigned home);
/* Writes what earlier answers left. True: nothing waits any more, the descriptor may be given away.
 */
bool gw_http_drain(struct gw_http *h);
/* Gives the descriptor away; nothing may follow but the end of this object. */
int gw_http_detach(struct gw_http *h);
/* Ends the connection without an answer. */
void gw_http_abort(struct gw_http *h);
/* Turn-end: go on with pipelined requests, write, free. */
bool gw_http_phase(struct gateway *gw);
/* At shutdown: those without a request go at once. Returns how many are left. */
void gw_http_stop(struct gateway *gw);
/* Frees all, at the gateway's end. */
void gw_http_fini(struct gateway *gw);

#endif
