/* Namespaces and rooms: who is where. Two indexes, changed only together: a room's members and a
 * socket's rooms. Empty rooms, and namespaces made from a pattern, vanish with their last member.
 * The bus is told which rooms and namespaces there are (its enter and join): nothing else says what
 * is of interest here. */
#ifndef PEAL_GW_NSP_H
#define PEAL_GW_NSP_H

#include "gw.h"
#include "util/table.h"

#define GW_NSP_MAX 128  /* bytes of a namespace's name */
#define GW_ROOM_MAX 261 /* bytes of a room's name: "user:" and the longest subject fit */

struct gw_socket;

/* A place in a room; the socket keeps the mirror (gw_socket.h, struct gw_membership). */
struct gw_member {
    struct gw_socket *socket;
    uint32_t slot; /* index in the socket's list of rooms */
};

struct gw_room {
    UT_hash_handle hh;         /* namespace's rooms, by name */
    struct gw_member *members; /* `first`, or memory of its own */
    struct gw_member first;
    uint32_t n, cap;
    uint32_t name_len;
    char name[]; /* no NUL */
};

struct gw_nsp {
    UT_hash_handle hh; /* gateway's namespaces, by name */
    struct gateway *gw;
    struct gw_room *rooms;      /* uthash */
    struct gw_socket *by_id;    /* uthash of all sockets */
    struct gw_socket **sockets; /* the same, packed, for walks; authenticated ones only */
    uint32_t n, cap;
    uint32_t word;     /* of socketio.namespaces that admits it, by index */
    uint32_t refs;     /* sockets that point here, the gone of this turn too */
    uint64_t next_ack; /* ids of acks that clients are asked for */
    char *name;
    struct str_view view; /* of name */
};

/* The namespace of that name if configuration allows it (exact or by pattern), made if need be;
 * else NULL. The caller holds it or releases it. */
struct gw_nsp *gw_nsp_get(struct gateway *gw, struct str_view name);
/* The same without making it. */
struct gw_nsp *gw_nsp_find(struct gateway *gw, struct str_view name);
/* A socket points here, or no longer: the last one frees it. */
void gw_nsp_hold(struct gw_nsp *n);
void gw_nsp_rele(struct gw_nsp *n);

/* A socket enters (authenticated) or leaves the namespace's walk list. */
void gw_nsp_add(struct gw_nsp *n, struct gw_socket *s);
void gw_nsp_remove(struct gw_nsp *n, struct gw_socket *s);

struct gw_room *gw_nsp_room(struct gw_nsp *n, struct str_view name);
bool gw_room_name_is_valid(struct str_view name);
/* A socket is in no room. What has been so prepared must not be moved. */
void gw_room_none(struct gw_socket *s);
/* Both indexes. Joining a room again does nothing. False: name not valid, or the socket is in
 * socketio.max_rooms. */
bool gw_room_join(struct gw_socket *s, struct str_view name);
void gw_room_leave(struct gw_socket *s, struct str_view name);
void gw_room_leave_all(struct gw_socket *s);
bool gw_room_has(const struct gw_room *r, const struct gw_socket *s);

#endif
