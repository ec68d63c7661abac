/* Entries of a partition's stream, and notes of sockets, from whoever can write to Redis. The input is
 * texts, each with its length before it (one byte; 255: two more). What must hold: an item that is
 * taken is what it says, has proved texts, and encoded anew is the same item. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/work_note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t split(struct str_view in, struct str_view v[WORK_FIELDS_MAX])
{
    size_t n = 0;
    while (in.n && n < WORK_FIELDS_MAX) {
        const unsigned char *p = (const unsigned char *)in.p;
        size_t head = p[0] == 255 && in.n >= 3 ? 3 : 1;
        size_t len = head == 3 ? (size_t)(p[1] << 8 | p[2]) : p[0];
        in = sv_skip(in, head);
        if (len > in.n) len = in.n;
        v[n++] = sv_make(in.p, len);
        in = sv_skip(in, len);
    }
    return n;
}

static void check_json(struct str_view json, enum json_kind want)
{
    enum json_kind kind;
    const char *why;
    assert(utf8_is_valid(json) && json_scan_value(json, JSON_DEPTH_LIMIT, -1, &kind, &why));
    assert(kind == want);
}

static void check_same(const struct work_item *a, const struct work_item *b)
{
    assert(a->type == b->type && sv_eq(a->id, b->id) && sv_eq(a->nsp, b->nsp));
    assert(sv_eq(a->sid, b->sid) && sv_eq(a->gateway, b->gateway) && a->serial == b->serial);
    assert(sv_eq(a->user, b->user) && sv_eq(a->claims, b->claims) && sv_eq(a->data, b->data));
    assert(a->time_ms == b->time_ms && sv_eq(a->event, b->event) && sv_eq(a->args, b->args));
    assert(a->wants_ack == b->wants_ack && a->ack_id == b->ack_id && sv_eq(a->auth, b->auth));
    assert(sv_eq(a->address, b->address) && sv_eq(a->transport, b->transport));
    assert(a->asks == b->asks && sv_eq(a->reason, b->reason));
    assert(a->nattachments == b->nattachments);
    for (unsigned i = 0; i < a->nattachments; i++)
        assert(sv_eq(a->attachments[i], b->attachments[i]));
}

static void check_item(const struct str_view *v, size_t n)
{
    struct work_item item, again;
    struct str_view attachments[WORK_ATTACHMENTS_MAX], more[WORK_ATTACHMENTS_MAX];
    struct str_view out[WORK_FIELDS_MAX];
    const char *why = NULL;
    struct buf scratch;
    bool has_address = work_item_decode_address(&again, v, n);
    assert(!has_address || (again.nsp.n && again.sid.n && utf8_is_valid(again.sid)));
    if (!work_item_decode(&item, v, n, attachments, &why)) {
        assert(why && *why);
        return;
    }
    assert(has_address);
    check_json(item.claims, JSON_OBJECT);
    if (item.type == WORK_EVENT) check_json(item.args, JSON_ARRAY);
    if (item.type == WORK_CONNECT) check_json(item.auth, JSON_OBJECT);
    buf_init(&scratch, WORK_SCRATCH_MAX);
    struct work_item *copy = work_item_new(&item);
    size_t count = work_item_encode(copy, &scratch, out);
    assert(count <= n && work_item_decode(&again, out, count, more, &why));
    check_same(&item, &again);
    buf_fini(&scratch);
    x_free(copy);
}

static void check_note(struct str_view field, struct str_view value)
{
    struct work_item item, again;
    struct buf text, text_too, out;
    const char *why = NULL;
    buf_init(&text, 1 << 20);
    buf_init(&text_too, 1 << 20);
    buf_init(&out, 1 << 20);
    if (work_note_decode(&item, field, value, &text, &why)) {
        check_json(item.claims, JSON_OBJECT);
        assert(work_note_value(&out, &item));
        assert(work_note_decode(&again, field, buf_view(&out), &text_too, &why));
        check_same(&item, &again);
    } else {
        assert(why && *why);
    }
    buf_fini(&text);
    buf_fini(&text_too);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view v[WORK_FIELDS_MAX];
    size_t n = split(sv_make(size ? (const char *)data : "", size), v);
    check_item(v, n);
    if (n >= 2) check_note(v[0], v[1]);
    return 0;
}
