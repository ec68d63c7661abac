/* Messages of the Redis adapter from whoever can publish; the input is tried as a broadcast, a
 * request and a response. What must hold: a message that is taken has proved texts, within the
 * limits; written anew it is taken again and says the same, and written a third time it has the
 * same bytes; cut short it is bad. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
/* Cluster */
#include "cluster/adapter_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct adapter_limits limits = {
    .max_bytes = 4096, .max_depth = 12, .max_names = 8, .max_attachments = 3};
/* What is written anew may be longer. */
static const struct adapter_limits wide = {
    .max_bytes = 1 << 20, .max_depth = 16, .max_names = 8, .max_attachments = 3};
#define OUT_MAX (1 << 20)

static struct adapter_decoder *first, *second;
static struct buf out, again;

static void check_list(const struct str_view *a, unsigned na, const struct str_view *b, unsigned nb)
{
    assert(na == nb);
    for (unsigned i = 0; i < na; i++)
        assert(sv_eq(a[i], b[i]));
}

static void check_json(struct str_view json, unsigned nattachments, bool event)
{
    enum json_kind kind;
    const char *why;
    struct str_view name;
    assert(nattachments <= limits.max_attachments);
    assert(utf8_is_valid(json));
    assert(json_scan_value(json, limits.max_depth + 2, nattachments ? (int)nattachments : -1, &kind,
                           &why));
    if (event) assert(kind == JSON_ARRAY && sio_event_is_legal(json, &name, &why));
}

static void check_broadcast(struct str_view in)
{
    struct bus_msg m, n;
    struct str_view uid, uid_too;
    const char *why = NULL;
    enum verdict v = adapter_decode_broadcast(first, in, SV(""), &m, &uid, &why);
    assert(why && (v == VERDICT_OK) == (*why == '\0'));
    if (v != VERDICT_OK) return;
    assert(m.nrooms <= limits.max_names && m.nexcept <= limits.max_names && m.nsp.n);
    check_json(m.json, m.nattachments, true);
    assert(adapter_encode_broadcast(&out, uid, &m));
    assert(adapter_decode_broadcast(second, buf_view(&out), m.nsp, &n, &uid_too, &why) ==
           VERDICT_OK);
    assert(sv_eq(uid, uid_too) && sv_eq(m.nsp, n.nsp) && m.flags == n.flags);
    check_list(m.rooms, m.nrooms, n.rooms, n.nrooms);
    check_list(m.except, m.nexcept, n.except, n.nexcept);
    check_json(n.json, n.nattachments, true);
    assert(adapter_encode_broadcast(&again, uid_too, &n));
    assert(sv_eq(buf_view(&out), buf_view(&again)));
    assert(adapter_decode_broadcast(first, sv_make(out.p, out.n - 1), SV(""), &n, &uid, &why) ==
           VERDICT_BAD);
}

static void check_same_request(const struct bus_request *a, const struct bus_request *b)
{
    assert(a->type == b->type && sv_eq(a->nsp, b->nsp) && sv_eq(a->id, b->id));
    assert(sv_eq(a->sid, b->sid) && a->close == b->close && a->timeout_ms == b->timeout_ms);
    check_list(a->rooms, a->nrooms, b->rooms, b->nrooms);
    check_list(a->except, a->nexcept, b->except, b->nexcept);
    check_list(a->targets, a->ntargets, b->targets, b->ntargets);
}

static void check_request(struct str_view in)
{
    struct bus_request r, q;
    const char *why = NULL;
    enum verdict v = adapter_decode_request(first, in, SV(""), &r, &why);
    assert(why && (v == VERDICT_OK) == (*why == '\0'));
    if (v != VERDICT_OK) return;
    assert(r.type <= BUS_BROADCAST && r.nsp.n && r.ntargets <= limits.max_names);
    if (r.type >= BUS_SERVER_SIDE_EMIT)
        check_json(r.json, r.nattachments, r.type == BUS_BROADCAST);
    else
        assert(r.json.n == 0 && r.nattachments == 0);
    assert(adapter_encode_request(&out, &r));
    assert(adapter_decode_request(second, buf_view(&out), r.nsp, &q, &why) == VERDICT_OK);
    check_same_request(&r, &q);
    assert(adapter_encode_request(&again, &q));
    assert(sv_eq(buf_view(&out), buf_view(&again)));
    assert(adapter_decode_request(first, sv_make(out.p, out.n - 1), SV(""), &q, &why) ==
           VERDICT_BAD);
}

static void check_response(struct str_view in)
{
    struct bus_response r, q;
    const char *why = NULL;
    enum verdict v = adapter_decode_response(first, in, SV("/"), &r, &why);
    assert(why && (v == VERDICT_OK) == (*why == '\0'));
    if (v != VERDICT_OK) return;
    assert(r.type <= BUS_CLIENT_ACK && r.id.n && r.to.n == 0);
    if (r.json.n) check_json(r.json, r.nattachments, false);
    assert(adapter_encode_response(&out, &r));
    assert(adapter_decode_response(second, buf_view(&out), SV("/"), &q, &why) == VERDICT_OK);
    assert(r.type == q.type && r.count == q.count && sv_eq(r.id, q.id) && sv_eq(r.uid, q.uid));
    assert((r.json.n == 0) == (q.json.n == 0));
    assert(adapter_encode_response(&again, &q));
    assert(sv_eq(buf_view(&out), buf_view(&again)));
    assert(adapter_decode_response(first, sv_make(out.p, out.n - 1), SV("/"), &q, &why) ==
           VERDICT_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view in = {size ? (const char *)data : "", size};
    void (*const checks[])(struct str_view) = {check_broadcast, check_request, check_response};
    first = adapter_decoder_new(&limits);
    second = adapter_decoder_new(&wide);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        buf_init(&out, OUT_MAX);
        buf_init(&again, OUT_MAX);
        checks[i](in);
        buf_fini(&out);
        buf_fini(&again);
    }
    adapter_decoder_free(first);
    adapter_decoder_free(second);
    return 0;
}
