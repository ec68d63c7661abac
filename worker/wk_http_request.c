/* An item as JSON. Its arguments, claims and data are JSON already and stay the text they are. */

/* Proto */
#include "proto/b64.h"
#include "proto/json_scan.h"
/* This process */
#include "wk_http_parts.h"

static bool put_text(struct buf *out, const char *key, struct str_view v)
{
    return buf_addf(out, ",\"%s\":", key) && json_string_encode(out, v);
}

static bool put_json(struct buf *out, const char *key, struct str_view v)
{
    return buf_addf(out, ",\"%s\":", key) && buf_add_sv(out, v);
}

static bool put_bool(struct buf *out, const char *key, bool v)
{
    return buf_addf(out, ",\"%s\":%s", key, v ? "true" : "false");
}

/* Without the name, which is the first element. */
static bool put_args(struct buf *out, struct str_view args)
{
    struct json_iter it;
    struct str_view name;
    json_iter_init(&it, args);
    if (!json_array_next(&it, &name)) return buf_add_sv(out, SV(",\"args\":[]"));
    size_t comma = sv_find(it.rest, ','), end = sv_find(it.rest, ']');
    struct str_view rest = sv_skip(it.rest, comma < end ? comma + 1 : end);
    return buf_add_sv(out, SV(",\"args\":[")) && buf_add_sv(out, rest);
}

static bool put_attachments(struct buf *out, const struct work_item *item)
{
    if (!buf_add_sv(out, SV(",\"attachments\":["))) return false;
    for (unsigned i = 0; i < item->nattachments; i++) {
        struct str_view a = item->attachments[i];
        if (i && !buf_add_char(out, ',')) return false;
        if (!buf_add_char(out, '"') || !b64_encode(out, a.p, a.n) || !buf_add_char(out, '"'))
            return false;
    }
    return buf_add_char(out, ']');
}

bool wk_http_put_item(struct buf *out, const struct work_item *item, unsigned attempt)
{
    bool fits =
        buf_addf(out, "{\"v\":1,\"type\":\"%s\"", work_type_name(item->type)) &&
        put_text(out, "id", item->id) && put_text(out, "nsp", item->nsp) &&
        put_text(out, "sid", item->sid) && put_text(out, "gateway", item->gateway) &&
        put_text(out, "user", item->user) && put_json(out, "claims", item->claims) &&
        put_json(out, "data", item->data) &&
        buf_addf(out, ",\"time\":%llu,\"attempt\":%u", (unsigned long long)item->time_ms, attempt);
    switch (item->type) {
    case WORK_EVENT:
        fits = fits && put_text(out, "event", item->event) && put_args(out, item->args) &&
               put_attachments(out, item) && put_bool(out, "ack", item->wants_ack);
        break;
    case WORK_CONNECT:
        fits = fits && put_json(out, "auth", item->auth) &&
               put_text(out, "address", item->address) &&
               put_text(out, "transport", item->transport) && put_bool(out, "asks", item->asks);
        break;
    default: fits = fits && put_text(out, "reason", item->reason); break;
    }
    return fits && buf_add_char(out, '}');
}
