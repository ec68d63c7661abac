/* Socket.IO packets from a hostile peer. The input is a packet's text; behind a 0x1e each stand the
 * attachments that follow it. What must hold: fields keep their bounds; a packet written anew from
 * its fields reads the same; wider limits read it the same; an event's name is not reserved,
 * however it is written; the assembler gives back what it was given, within its bound; the name that an old client's
 * namespace stands for is plain ASCII, and its query is a JSON object. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
#include "proto/sio_url.h"

#define SEPARATOR '\x1e'
#define MAX_BYTES 512 /* small, so that the bound is met */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sio_limits limits = {.max_attachments = 10, .max_depth = 16, .max_nsp = 32};
static const struct sio_limits wide = {SIO_ATTACHMENTS_LIMIT, JSON_DEPTH_LIMIT, SIZE_MAX};

static void check_same(const struct sio_packet *a, const struct sio_packet *b)
{
    assert(a->type == b->type && a->attachments == b->attachments);
    assert(a->has_id == b->has_id && a->id == b->id);
    assert(sv_eq(a->nsp, b->nsp) && sv_eq(a->json, b->json) && sv_eq(a->event, b->event));
}

static void check_inside(struct str_view text, struct str_view v)
{
    assert(v.n == 0 || sv_eq(v, SV("/")) || (v.p >= text.p && v.p + v.n <= text.p + text.n));
}

static void check_event(const struct sio_packet *p)
{
    static const char *const reserved[] = {"connect",       "connect_error", "disconnect",
                                           "disconnecting", "newListener",   "removeListener"};
    assert(p->event.n && json_kind_of(p->json) == JSON_ARRAY);
    if (json_kind_of(p->event) == JSON_NUMBER) return;
    assert(json_kind_of(p->event) == JSON_STRING);
    struct buf name;
    buf_init(&name, p->event.n);
    assert(json_string_decode(&name, p->event, NULL));
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        assert(!sv_eq(buf_view(&name), sv_of(reserved[i])));
    buf_fini(&name);
}

static void check_shape(const struct sio_packet *p, struct str_view text)
{
    bool binary = p->type == SIO_BINARY_EVENT || p->type == SIO_BINARY_ACK;
    bool event = p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT;
    assert(p->type <= SIO_BINARY_ACK && p->type == (enum sio_type)(text.p[0] - '0'));
    assert(binary == (p->attachments > 0) && p->attachments <= limits.max_attachments);
    assert(p->has_id ? p->id <= SIO_ID_MAX : p->id == 0);
    assert(p->nsp.n && p->nsp.n <= limits.max_nsp && p->nsp.p[0] == '/');
    assert(sv_find(p->nsp, ',') == p->nsp.n && sv_find(p->nsp, '?') == p->nsp.n);
    check_inside(text, p->nsp);
    check_inside(text, p->nsp_query);
    assert(sv_find(p->nsp_query, ',') == p->nsp_query.n);
    check_inside(text, p->json);
    check_inside(p->json, p->event);
    assert(p->json.n || p->type == SIO_CONNECT || p->type == SIO_DISCONNECT);
    if (event)
        check_event(p);
    else
        assert(p->event.n == 0);
}

static void check_written_anew(const struct sio_packet *p)
{
    struct buf b;
    struct sio_packet again;
    const char *why;
    buf_init(&b, 64 + p->nsp.n + p->json.n);
    assert(sio_packet_encode_head(&b, p->type, p->attachments, p->nsp, p->has_id ? &p->id : NULL));
    assert(buf_add_sv(&b, p->json));
    assert(sio_packet_decode(buf_view(&b), &limits, &again, &why) == VERDICT_OK);
    check_same(p, &again);
    buf_fini(&b);
}

static void check_url(const struct sio_packet *p)
{
    struct buf path, auth;
    enum json_kind kind;
    const char *why;
    buf_init(&path, 64);
    buf_init(&auth, 256);
    if (sio_url_read(p->nsp, p->nsp_query, &path, &auth)) {
        struct str_view name = buf_view(&path);
        assert(name.n && name.p[0] == '/');
        for (size_t i = 0; i < name.n; i++)
            assert(name.p[i] > ' ' && name.p[i] < 0x7f && !memchr("?#\\\"<>`{}", name.p[i], 9));
        assert(json_scan_value(buf_view(&auth), 1, -1, &kind, &why) && kind == JSON_OBJECT);
    }
    assert(path.n <= path.max && auth.n <= auth.max);
    buf_fini(&path);
    buf_fini(&auth);
}

/* Gives the packet the attachments of rest, as many as there are, and some too many. */
static void check_assembler(const struct sio_packet *p, struct str_view text, struct str_view rest)
{
    struct sio_assembler a = {0};
    struct str_view given[SIO_ATTACHMENTS_LIMIT];
    size_t bytes = text.n;
    unsigned n = 0;
    bool fits = sio_assembler_begin(&a, text, p->attachments, MAX_BYTES);
    assert(fits == (text.n <= MAX_BYTES) && fits == sio_assembler_is_waiting(&a));
    while (fits && rest.n) {
        rest = sv_skip(rest, 1);
        struct str_view one = sv_make(rest.p, sv_find(rest, SEPARATOR));
        rest = sv_skip(rest, one.n);
        enum verdict v = sio_assembler_add(&a, one.p, one.n);
        if (n == p->attachments || bytes + one.n > MAX_BYTES) {
            assert(v == VERDICT_BAD);
            continue;
        }
        bytes += one.n;
        given[n++] = one;
        assert(v == (n == p->attachments ? VERDICT_OK : VERDICT_MORE));
    }
    assert(a.have == n && (!fits || sv_eq(buf_view(&a.text), text)));
    for (unsigned i = 0; i < n; i++)
        assert(sv_eq(sio_assembler_get(&a, i), given[i]));
    sio_assembler_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view in = {size ? (const char *)data : "", size};
    struct str_view text = sv_make(in.p, sv_find(in, SEPARATOR));
    struct sio_packet p, q;
    const char *why = NULL, *why_wide = NULL;
    enum verdict v = sio_packet_decode(text, &limits, &p, &why);
    enum verdict v_wide = sio_packet_decode(text, &wide, &q, &why_wide);
    assert(why && why_wide && (v == VERDICT_OK) == (*why == '\0'));
    assert(v == VERDICT_OK || v == VERDICT_BAD);
    if (v != VERDICT_OK) return 0;
    assert(v_wide == VERDICT_OK);
    check_same(&p, &q);
    check_shape(&p, text);
    check_written_anew(&p);
    check_url(&p);
    if (p.attachments) check_assembler(&p, text, sv_skip(in, text.n));
    return 0;
}
