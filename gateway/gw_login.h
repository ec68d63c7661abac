/* Who a socket is: the modes of authentication, refresh, and expiry on the live socket. Tokens are
 * verified by gw_auth.c; here is when, and what the client hears. Source of the event way:
 * socketio-jwt. */
#ifndef PEAL_GW_LOGIN_H
#define PEAL_GW_LOGIN_H

#include "gw_admit.h"
#include "gw_socket.h"

/* A CONNECT packet for a namespace that exists. Makes a socket (READY, or PENDING in the event way)
 * or refuses. auth: JSON object. */
void gw_login_connect(struct gw_conn *c, struct gw_nsp *nsp, struct str_view auth);
/* CONNECT_ERROR for a namespace: message, and data (a JSON value) unless empty. Old clients get the
 * data alone, or else the message: it is the argument of their event `error`. */
void gw_login_refuse(struct gw_conn *c, struct str_view nsp, const char *message,
                     struct str_view data);
/* The same for a namespace that there is not: of the same form for all clients. */
void gw_login_refuse_nsp(struct gw_conn *c, struct str_view nsp);
/* The event `authenticate`: a first token, or a refresh in-band. */
void gw_login_authenticate(struct gw_socket *s, const struct gw_event *e);
/* Sets the socket's timer: the authentication deadline while PENDING, then the token's end. */
void gw_login_arm(struct gw_socket *s);
/* Workers have not admitted a PENDING socket, which ends: CONNECT_ERROR, or in the event way (e is its
 * `authenticate`) `unauthorized`. */
void gw_login_reject_connect(struct gw_socket *s, const struct gw_rejection *r);
void gw_login_reject_event(struct gw_socket *s, const struct gw_event *e,
                           const struct gw_rejection *r);
/* Any other event of a PENDING socket. */
void gw_login_refuse_event(struct gw_socket *s, const struct gw_event *e);

#endif
