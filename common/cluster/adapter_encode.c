/* The order of keys is Node's, so that bytes can be compared. Whatever is written for Peal alone
 * (uid in responses, peal in opts) stands behind what Node writes. */

/* Proto */
#include "proto/json_scan.h"
#include "proto/msgpack_json.h"
/* Cluster */
#include "cluster/adapter_msg.h"

/* --- MessagePack */

static bool put_names(struct buf *out, const struct str_view *names, unsigned n)
{
    bool ok = msgpack_put_array(out, n);
    for (unsigned i = 0; ok && i < n; i++)
        ok = msgpack_put_str(out, names[i]);
    return ok;
}

/* "peal": the text as it was, and which binary value each of its attachments is. */
static bool put_peal(struct buf *out, struct str_view json, unsigned nattachments,
                     const struct msgpack_fare *fare)
{
    bool ok = msgpack_put_str(out, SV("peal")) && msgpack_put_map(out, nattachments ? 2 : 1) &&
              msgpack_put_str(out, SV("json")) && msgpack_put_str(out, json);
    if (!ok || nattachments == 0) return ok;
    ok = msgpack_put_str(out, SV("bins")) && msgpack_put_array(out, nattachments);
    for (unsigned i = 0; ok && i < nattachments; i++)
        ok = fare->place[i] == MSGPACK_NOWHERE ? msgpack_put_nil(out)
                                               : msgpack_put_uint(out, fare->place[i]);
    return ok;
}

/* {type: 2, data, nsp} */
static bool put_packet(struct buf *out, struct str_view json, const struct str_view *attachments,
                       unsigned nattachments, struct str_view nsp, struct msgpack_fare *fare)
{
    return buf_add_sv(out, SV("\x83\xa4type\x02\xa4"
                              "data")) &&
           msgpack_from_json(out, json, attachments, nattachments, fare) &&
           buf_add_sv(out, SV("\xa3nsp")) && msgpack_put_str(out, nsp);
}

static bool put_broadcast(struct buf *out, struct str_view uid, const struct bus_msg *m)
{
    struct msgpack_fare fare;
    return msgpack_put_array(out, 3) && msgpack_put_str(out, uid) &&
           put_packet(out, m->json, m->attachments, m->nattachments, m->nsp, &fare) &&
           msgpack_put_map(out, fare.lossy ? 4 : 3) && buf_add_sv(out, SV("\xa5rooms")) &&
           put_names(out, m->rooms, m->nrooms) &&
           buf_add_sv(out, SV("\xa6"
                              "except")) &&
           put_names(out, m->except, m->nexcept) &&
           buf_add_sv(out, m->flags & BUS_VOLATILE ? SV("\xa5"
                                                        "flags\x81\xa8volatile\xc3")
                                                   : SV("\xa5"
                                                        "flags\x80")) &&
           (!fare.lossy || put_peal(out, m->json, m->nattachments, &fare));
}

bool adapter_encode_broadcast(struct buf *out, struct str_view uid, const struct bus_msg *m)
{
    size_t start = out->n;
    if (put_broadcast(out, uid, m)) return true;
    out->n = start;
    return false;
}

/* {uid, requestId, type: 7, packet, opts: {rooms, except, flags}} */
static bool put_ack_request(struct buf *out, const struct bus_request *r)
{
    struct msgpack_fare fare;
    bool ok = msgpack_put_map(out, 5) && msgpack_put_str(out, SV("uid")) &&
              msgpack_put_str(out, r->uid) && msgpack_put_str(out, SV("requestId")) &&
              msgpack_put_str(out, r->id) && msgpack_put_str(out, SV("type")) &&
              msgpack_put_uint(out, r->type) && msgpack_put_str(out, SV("packet")) &&
              put_packet(out, r->json, r->attachments, r->nattachments, r->nsp, &fare) &&
              msgpack_put_str(out, SV("opts")) && msgpack_put_map(out, fare.lossy ? 4 : 3) &&
              msgpack_put_str(out, SV("rooms")) && put_names(out, r->rooms, r->nrooms) &&
              msgpack_put_str(out, SV("except")) && put_names(out, r->except, r->nexcept) &&
              msgpack_put_str(out, SV("flags")) && msgpack_put_map(out, r->timeout_ms ? 1 : 0);
    if (ok && r->timeout_ms)
        ok = msgpack_put_str(out, SV("timeout")) && msgpack_put_uint(out, r->timeout_ms);
    return ok && (!fare.lossy || put_peal(out, r->json, r->nattachments, &fare));
}

#define TYPE_SERVER_ACK 6
#define TYPE_CLIENT_COUNT 8
#define TYPE_CLIENT_ACK 9

/* {type: 9, requestId, packet}. The members of a map are counted before they are written, and
 * whether peal is one of them is known behind the packet: the head is patched. */
static bool put_client_ack(struct buf *out, const struct bus_response *r)
{
    struct msgpack_fare fare = {.lossy = false};
    size_t head = out->n;
    bool ok = msgpack_put_map(out, 0) && msgpack_put_str(out, SV("type")) &&
              msgpack_put_uint(out, TYPE_CLIENT_ACK) && msgpack_put_str(out, SV("requestId")) &&
              msgpack_put_str(out, r->id);
    if (ok && r->json.n)
        ok = msgpack_put_str(out, SV("packet")) &&
             msgpack_from_json(out, r->json, r->attachments, r->nattachments, &fare);
    if (ok && r->uid.n) ok = msgpack_put_str(out, SV("uid")) && msgpack_put_str(out, r->uid);
    if (ok && fare.lossy) ok = put_peal(out, r->json, r->nattachments, &fare);
    if (ok) out->p[head] = (char)(0x82 + (r->json.n > 0) + (r->uid.n > 0) + fare.lossy);
    return ok;
}

/* --- JSON */

/* Writes one behind the other; ok turns false when something does not fit. */
struct writer {
    struct buf *out;
    bool ok;
};

static void raw(struct writer *w, struct str_view json)
{
    w->ok = w->ok && buf_add_sv(w->out, json);
}

static void text(struct writer *w, struct str_view plain)
{
    w->ok = w->ok && json_string_encode(w->out, plain);
}

static void number(struct writer *w, uint64_t v)
{
    w->ok = w->ok && buf_addf(w->out, "%llu", (unsigned long long)v);
}

static void names(struct writer *w, const struct str_view *v, unsigned n)
{
    raw(w, SV("["));
    for (unsigned i = 0; i < n; i++) {
        if (i) raw(w, SV(","));
        text(w, v[i]);
    }
    raw(w, SV("]"));
}

/* "uid":…,  unless it is empty. Likewise the id. */
static void uid_and_id(struct writer *w, struct str_view uid, struct str_view id)
{
    if (uid.n) {
        raw(w, SV("\"uid\":"));
        text(w, uid);
        raw(w, SV(","));
    }
    if (id.n) {
        raw(w, SV("\"requestId\":"));
        text(w, id);
        raw(w, SV(","));
    }
}

static void type(struct writer *w, const struct bus_request *r)
{
    raw(w, SV("\"type\":"));
    number(w, r->type);
}

static void opts(struct writer *w, const struct bus_request *r)
{
    raw(w, SV(",\"opts\":{\"rooms\":"));
    names(w, r->rooms, r->nrooms);
    raw(w, SV(",\"except\":"));
    names(w, r->except, r->nexcept);
    raw(w, SV("}"));
}

/* JOIN, LEAVE and DISCONNECT for one socket, as older nodes write them. */
static void for_one_socket(struct writer *w, const struct bus_request *r)
{
    uid_and_id(w, SV(""), r->id);
    type(w, r);
    raw(w, SV(",\"sid\":"));
    text(w, r->sid);
    if (r->type == BUS_REMOTE_DISCONNECT) return;
    raw(w, SV(",\"room\":"));
    text(w, r->ntargets ? r->targets[0] : SV(""));
}

static void json_request(struct writer *w, const struct bus_request *r)
{
    raw(w, SV("{"));
    if (r->sid.n) {
        for_one_socket(w, r);
    } else {
        uid_and_id(w, r->uid, r->id);
        type(w, r);
    }
    switch (r->type) {
    case BUS_SOCKETS:
        raw(w, SV(",\"rooms\":"));
        names(w, r->rooms, r->nrooms);
        break;
    case BUS_REMOTE_JOIN:
    case BUS_REMOTE_LEAVE:
        if (r->sid.n) break;
        opts(w, r);
        raw(w, SV(",\"rooms\":"));
        names(w, r->targets, r->ntargets);
        break;
    case BUS_REMOTE_DISCONNECT:
        if (!r->sid.n) opts(w, r);
        raw(w, r->close ? SV(",\"close\":true") : SV(",\"close\":false"));
        break;
    case BUS_REMOTE_FETCH: opts(w, r); break;
    case BUS_SERVER_SIDE_EMIT:
        raw(w, SV(",\"data\":"));
        raw(w, r->json);
        break;
    default: break;
    }
    raw(w, SV("}"));
}

bool adapter_encode_request(struct buf *out, const struct bus_request *r)
{
    struct writer w = {.out = out, .ok = true};
    size_t start = out->n;
    if (r->type == BUS_BROADCAST)
        w.ok = put_ack_request(out, r);
    else
        json_request(&w, r);
    if (!w.ok) out->n = start;
    return w.ok;
}

static void json_response(struct writer *w, const struct bus_response *r)
{
    raw(w, SV("{"));
    if (r->type == BUS_SERVER_ACK || r->type == BUS_CLIENT_COUNT) {
        raw(w, SV("\"type\":"));
        number(w, r->type == BUS_SERVER_ACK ? TYPE_SERVER_ACK : TYPE_CLIENT_COUNT);
        raw(w, SV(","));
    }
    raw(w, SV("\"requestId\":"));
    text(w, r->id);
    switch (r->type) {
    case BUS_SOCKET_IDS:
    case BUS_FETCHED: raw(w, SV(",\"sockets\":")); break;
    case BUS_ROOMS: raw(w, SV(",\"rooms\":")); break;
    case BUS_SERVER_ACK:
        if (r->json.n) raw(w, SV(",\"data\":"));
        break;
    case BUS_CLIENT_COUNT:
        raw(w, SV(",\"clientCount\":"));
        number(w, r->count);
        break;
    default: break;
    }
    if (r->type != BUS_DONE && r->type != BUS_CLIENT_COUNT) raw(w, r->json);
    if (r->uid.n) {
        raw(w, SV(",\"uid\":"));
        text(w, r->uid);
    }
    if (r->is_cut) raw(w, SV(",\"cut\":true"));
    raw(w, SV("}"));
}

bool adapter_encode_response(struct buf *out, const struct bus_response *r)
{
    struct writer w = {.out = out, .ok = true};
    size_t start = out->n;
    if (r->type == BUS_CLIENT_ACK)
        w.ok = put_client_ack(out, r);
    else
        json_response(&w, r);
    if (!w.ok) out->n = start;
    return w.ok;
}
