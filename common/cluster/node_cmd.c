/* Each command is an array: the type, whom it is for, then what it is about.
 *
 *   ACK         [0, nsp, sid, serial, ack_id, json, [binary, …]]
 *   JOIN LEAVE  [1, nsp, sid, serial, [room, …]]
 *   DISCONNECT  [3, nsp, sid, serial, close]
 *   DATA        [4, nsp, sid, serial, json]
 *   ADMIT       [5, nsp, sid, serial]
 *   REFUSE      [6, nsp, sid, serial, json]
 *   SYNC        [7, from, token]
 *   SYNCED      [8, token]
 *
 * Only Peal's own nodes say this to each other, so nothing is guessed: a type that is not known, an
 * element too many or of another kind makes the message malformed. */

/* Proto */
#include "proto/json_scan.h"
#include "proto/msgpack.h"
/* Cluster */
#include "cluster/node_cmd.h"

static const unsigned char elements[] = {
    [NODE_ACK] = 7,   [NODE_JOIN] = 5,   [NODE_LEAVE] = 5, [NODE_DISCONNECT] = 5, [NODE_DATA] = 5,
    [NODE_ADMIT] = 4, [NODE_REFUSE] = 5, [NODE_SYNC] = 3,  [NODE_SYNCED] = 2};
#define TYPES (sizeof(elements) / sizeof(elements[0]))

static bool is_about_a_socket(enum node_cmd_type type)
{
    return type != NODE_SYNC && type != NODE_SYNCED;
}

/* ---- writing */

static bool put_list(struct buf *out, const struct str_view *v, unsigned n,
                     bool (*put)(struct buf *out, struct str_view v))
{
    bool fits = msgpack_put_array(out, n);
    for (unsigned i = 0; fits && i < n; i++)
        fits = put(out, v[i]);
    return fits;
}

static bool put_head(struct buf *out, const struct node_cmd *c)
{
    bool fits = msgpack_put_array(out, elements[c->type]) && msgpack_put_uint(out, c->type);
    if (!is_about_a_socket(c->type)) return fits;
    return fits && msgpack_put_str(out, c->nsp) && msgpack_put_str(out, c->sid) &&
           msgpack_put_uint(out, c->serial);
}

static bool put_rest(struct buf *out, const struct node_cmd *c)
{
    switch (c->type) {
    case NODE_ACK:
        return msgpack_put_uint(out, c->ack_id) && msgpack_put_str(out, c->json) &&
               put_list(out, c->attachments, c->nattachments, msgpack_put_bin);
    case NODE_JOIN:
    case NODE_LEAVE: return put_list(out, c->rooms, c->nrooms, msgpack_put_str);
    case NODE_DISCONNECT: return msgpack_put_bool(out, c->close);
    case NODE_DATA:
    case NODE_REFUSE: return msgpack_put_str(out, c->json);
    case NODE_ADMIT: break;
    case NODE_SYNC: return msgpack_put_str(out, c->from) && msgpack_put_uint(out, c->token);
    case NODE_SYNCED: return msgpack_put_uint(out, c->token);
    }
    return true;
}

bool node_cmd_encode(struct buf *out, const struct node_cmd *c)
{
    size_t before = out->n;
    if (c->nrooms > NODE_CMD_ROOMS_MAX || c->nattachments > NODE_CMD_ATTACHMENTS_MAX) return false;
    if (put_head(out, c) && put_rest(out, c)) return true;
    out->n = before;
    return false;
}

/* ---- reading */

/* What is left of the message, and what is wrong with it. */
struct reading {
    struct msgpack_reader r;
    const char *why;
};

static bool bad(struct reading *in, const char *why)
{
    in->why = why;
    return false;
}

static bool take(struct reading *in, enum msgpack_kind kind, struct msgpack_token *t)
{
    if (!msgpack_next(&in->r, t)) return bad(in, "malformed MessagePack");
    return t->kind == kind || bad(in, "another kind of value expected");
}

static bool take_uint(struct reading *in, uint64_t *v)
{
    struct msgpack_token t;
    if (!take(in, MSGPACK_UINT, &t)) return false;
    *v = t.u;
    return true;
}

static bool take_text(struct reading *in, struct str_view *text)
{
    struct msgpack_token t;
    if (!take(in, MSGPACK_STR, &t)) return false;
    *text = t.bytes;
    return utf8_is_valid(t.bytes) || bad(in, "not UTF-8");
}

static bool take_name(struct reading *in, struct str_view *name)
{
    return take_text(in, name) && (name->n || bad(in, "a name is empty"));
}

static bool take_list(struct reading *in, enum msgpack_kind kind, struct str_view *v, unsigned max,
                      unsigned *n)
{
    struct msgpack_token t;
    if (!take(in, MSGPACK_ARRAY, &t)) return false;
    if (t.n > max) return bad(in, "too many in a list");
    for (*n = 0; *n < t.n; (*n)++) {
        struct msgpack_token one;
        if (!take(in, kind, &one)) return false;
        if (kind == MSGPACK_STR && !utf8_is_valid(one.bytes)) return bad(in, "not UTF-8");
        v[*n] = one.bytes;
    }
    return true;
}

/* What the JSON must be in a command of this type. */
static bool is_fit(enum node_cmd_type type, enum json_kind kind)
{
    if (type == NODE_ACK) return kind == JSON_ARRAY;
    return type != NODE_REFUSE || kind == JSON_OBJECT;
}

static bool prove_json(struct reading *in, const struct node_cmd *c)
{
    enum json_kind kind;
    int rule = c->nattachments ? (int)c->nattachments : -1;
    if (!json_scan_value(c->json, JSON_DEPTH_LIMIT, rule, &kind, &in->why)) return false;
    return is_fit(c->type, kind) || bad(in, "another kind of JSON expected");
}

static bool take_json(struct reading *in, struct node_cmd *c)
{
    return take_text(in, &c->json) && prove_json(in, c);
}

static bool take_head(struct reading *in, struct node_cmd *c)
{
    struct msgpack_token list;
    uint64_t type;
    if (!take(in, MSGPACK_ARRAY, &list) || !take_uint(in, &type)) return false;
    if (type >= TYPES) return bad(in, "a command of a type that is not known");
    if (list.n != elements[type]) return bad(in, "a command with another number of elements");
    c->type = (enum node_cmd_type)type;
    if (!is_about_a_socket(c->type)) return true;
    return take_name(in, &c->nsp) && take_name(in, &c->sid) && take_uint(in, &c->serial);
}

static bool take_ack(struct reading *in, struct node_cmd *c, struct node_cmd_space *space)
{
    c->attachments = space->attachments;
    return take_uint(in, &c->ack_id) && take_text(in, &c->json) &&
           take_list(in, MSGPACK_BIN, space->attachments, NODE_CMD_ATTACHMENTS_MAX,
                     &c->nattachments) &&
           prove_json(in, c);
}

static bool take_rest(struct reading *in, struct node_cmd *c, struct node_cmd_space *space)
{
    struct msgpack_token t = {.truth = false};
    switch (c->type) {
    case NODE_ACK: return take_ack(in, c, space);
    case NODE_JOIN:
    case NODE_LEAVE:
        c->rooms = space->rooms;
        return take_list(in, MSGPACK_STR, space->rooms, NODE_CMD_ROOMS_MAX, &c->nrooms);
    case NODE_DISCONNECT:
        if (!take(in, MSGPACK_BOOL, &t)) return false;
        c->close = t.truth;
        return true;
    case NODE_DATA:
    case NODE_REFUSE: return take_json(in, c);
    case NODE_ADMIT: break;
    case NODE_SYNC: return take_name(in, &c->from) && take_uint(in, &c->token);
    case NODE_SYNCED: return take_uint(in, &c->token);
    }
    return true;
}

bool node_cmd_next(struct str_view *bytes, struct node_cmd *c, struct node_cmd_space *space,
                   const char **why)
{
    struct reading in = {.r = msgpack_reader_of(*bytes)};
    *why = NULL;
    *c = (struct node_cmd){.nsp = SV(""), .sid = SV(""), .json = SV(""), .from = SV("")};
    if (!bytes->n) return false;
    if (!take_head(&in, c) || !take_rest(&in, c, space)) {
        *why = in.why;
        return false;
    }
    *bytes = sv_make((const char *)in.r.p, (size_t)(in.r.end - in.r.p));
    return true;
}
