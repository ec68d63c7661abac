/* Takes the pieces of an adapter's message off its MessagePack, one function a kind of value, into
 * one struct for all messages. For adapter_pack.c. */
#ifndef PEAL_CLUSTER_ADAPTER_TAKE_H
#define PEAL_CLUSTER_ADAPTER_TAKE_H

#include "cluster/adapter_part.h"
#include "proto/msgpack_json.h"

#define ADAPTER_NOT_GIVEN UINT64_MAX

/* What a message said. Lists of names are in the decoder. */
struct adapter_said {
    struct msgpack_reader r;
    struct msgpack_bins bins;
    struct str_view uid, id, nsp, json; /* empty: not given */
    uint64_t type, packet_type;
    struct str_view raw; /* opts.peal.json; p NULL: none */
    bool arranged;       /* opts.peal.bins: d->attachments has been filled */
    struct str_view *attachments;
    unsigned nattachments;
    bool is_volatile;
    uint64_t timeout_ms;
};

/* How a member of a map is taken. */
struct adapter_member {
    const char *key; /* NULL ends the table */
    bool (*take)(struct adapter_decoder *d, struct adapter_said *s);
};

void adapter_take_init(struct adapter_decoder *d, struct adapter_said *s, struct str_view bytes);

/* Each takes one value off s->r; false, and d->why says why, if it is none of that kind. */
bool adapter_take_next(struct adapter_decoder *d, struct adapter_said *s, struct msgpack_token *t);
bool adapter_take_skip(struct adapter_decoder *d, struct adapter_said *s);
bool adapter_take_text(struct adapter_decoder *d, struct adapter_said *s, struct str_view *text);
bool adapter_take_uint(struct adapter_decoder *d, struct adapter_said *s, uint64_t *v);
/* Members that are not in the table are skipped; of equal ones the last counts. */
bool adapter_take_map(struct adapter_decoder *d, struct adapter_said *s,
                      const struct adapter_member *members);
bool adapter_take_names(struct adapter_decoder *d, struct adapter_said *s,
                        struct adapter_names *to);
/* An event's array, into s->json. */
bool adapter_take_event(struct adapter_decoder *d, struct adapter_said *s);
/* Any value, into s->json; undefined is an empty text. */
bool adapter_take_value(struct adapter_decoder *d, struct adapter_said *s);
/* {json, bins}: the text as its sender had it. */
bool adapter_take_peal(struct adapter_decoder *d, struct adapter_said *s);

/* At the end: decides which text counts, the raw one or the one made here, proves it, and puts the
 * attachments in its order. */
bool adapter_take_settle(struct adapter_decoder *d, struct adapter_said *s, bool event);

#endif
