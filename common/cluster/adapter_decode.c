/* A decoder's memory is bounded by the message's own size, which is bounded first: the JSON made of
 * a byte takes six at most (a control character's escape), binary and its placeholder aside; the
 * digits of a number as a name three. d->text gets its room before anything points into it, so that
 * it never moves under a view. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/adapter_part.h"

#define PLACEHOLDERS_MAX (SIO_ATTACHMENTS_LIMIT * 48) /* bytes of as many of them */

static size_t json_max(size_t bytes)
{
    return 6 * bytes + PLACEHOLDERS_MAX;
}

static size_t text_max(size_t bytes)
{
    return 3 * bytes;
}

struct adapter_decoder *adapter_decoder_new(const struct adapter_limits *limits)
{
    struct adapter_decoder *d = x_calloc(1, sizeof(*d));
    assert(limits->max_bytes <= SIZE_MAX / 8 - PLACEHOLDERS_MAX);
    d->limits = *limits;
    if (d->limits.max_attachments > SIO_ATTACHMENTS_LIMIT)
        d->limits.max_attachments = SIO_ATTACHMENTS_LIMIT;
    buf_init(&d->json, json_max(limits->max_bytes));
    buf_init(&d->text, text_max(limits->max_bytes));
    return d;
}

void adapter_decoder_free(struct adapter_decoder *d)
{
    if (!d) return;
    buf_fini(&d->json);
    buf_fini(&d->text);
    x_free(d->rooms.views);
    x_free(d->except.views);
    x_free(d->targets.views);
    x_free(d);
}

bool adapter_add_name(struct adapter_decoder *d, struct adapter_names *to, struct str_view name)
{
    if (to->n == d->limits.max_names) return adapter_bad(d, "too many rooms");
    if (to->n == to->cap) {
        to->cap = to->cap ? 2 * to->cap : 16;
        to->views = x_realloc(to->views, to->cap * sizeof(*to->views));
    }
    to->views[to->n++] = name;
    return true;
}

bool adapter_settle_nsp(struct adapter_decoder *d, struct str_view want, struct str_view *nsp)
{
    if (nsp->n == 0) *nsp = SV("/");
    if (want.n == 0 || sv_eq(*nsp, want)) return true;
    return adapter_bad(d, "another namespace");
}

/* Forgets the last message. False: this one is too large. */
static bool begin(struct adapter_decoder *d, struct str_view bytes)
{
    d->rooms.n = d->except.n = d->targets.n = 0;
    buf_clear(&d->json);
    buf_clear(&d->text);
    if (bytes.n <= d->limits.max_bytes && buf_room(&d->text, text_max(bytes.n))) return true;
    return adapter_bad(d, "too large");
}

static enum verdict verdict(const struct adapter_decoder *d, bool ok, const char **why)
{
    *why = ok ? "" : d->why;
    return ok ? VERDICT_OK : VERDICT_BAD;
}

static bool is_json(struct str_view bytes)
{
    return bytes.n && bytes.p[0] == '{';
}

enum verdict adapter_decode_broadcast(struct adapter_decoder *d, struct str_view bytes,
                                      struct str_view nsp, struct bus_msg *out,
                                      struct str_view *uid, const char **why)
{
    *out = (struct bus_msg){.refs = 1};
    *uid = SV("");
    bool ok = begin(d, bytes) && adapter_broadcast_from_pack(d, bytes, out, uid) &&
              adapter_settle_nsp(d, nsp, &out->nsp);
    out->rooms = d->rooms.views;
    out->nrooms = d->rooms.n;
    out->except = d->except.views;
    out->nexcept = d->except.n;
    return verdict(d, ok, why);
}

enum verdict adapter_decode_request(struct adapter_decoder *d, struct str_view bytes,
                                    struct str_view nsp, struct bus_request *out, const char **why)
{
    *out = (struct bus_request){.type = BUS_SOCKETS};
    bool ok = begin(d, bytes) && (is_json(bytes) ? adapter_request_from_json(d, bytes, out)
                                                 : adapter_request_from_pack(d, bytes, out));
    /* Requests in JSON do not say their namespace: it is the channel's. */
    if (ok && is_json(bytes)) out->nsp = nsp;
    ok = ok && adapter_settle_nsp(d, nsp, &out->nsp);
    out->rooms = d->rooms.views;
    out->nrooms = d->rooms.n;
    out->except = d->except.views;
    out->nexcept = d->except.n;
    out->targets = d->targets.views;
    out->ntargets = d->targets.n;
    return verdict(d, ok, why);
}

enum verdict adapter_decode_response(struct adapter_decoder *d, struct str_view bytes,
                                     struct str_view nsp, struct bus_response *out,
                                     const char **why)
{
    *out = (struct bus_response){.type = BUS_DONE, .nsp = nsp};
    bool ok = begin(d, bytes) && (is_json(bytes) ? adapter_response_from_json(d, bytes, out)
                                                 : adapter_response_from_pack(d, bytes, out));
    ok = ok && adapter_settle_nsp(d, nsp, &out->nsp);
    return verdict(d, ok, why);
}
