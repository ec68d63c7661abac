/* MessagePack and JSON text from a hostile peer; the input is tried as both. What must hold:
 * MessagePack that becomes JSON becomes a proved text, from as many bytes as skipping takes, and
 * comes back as itself; JSON that is said to be carried unchanged has the same values on the other
 * side. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Proto */
#include "proto/decimal.h"
#include "proto/json_scan.h"
#include "proto/msgpack_json.h"

#define MAX_DEPTH 40
#define MAX_BINS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_json(struct str_view text, int attachments)
{
    enum json_kind kind;
    const char *why;
    return json_scan_value(text, MAX_DEPTH, attachments, &kind, &why);
}

/* A whole value, into text. */
static bool to_json(struct str_view bytes, struct buf *text, struct msgpack_bins *bins)
{
    struct msgpack_reader r = msgpack_reader_of(bytes), s = r;
    const char *why = NULL;
    buf_init(text, 6 * bytes.n + 64 * (MAX_BINS + 1));
    bool ok = msgpack_to_json(&r, text, MAX_DEPTH, bins, &why);
    assert(why && ok == (*why == '\0') && (ok || text->n == 0));
    if (ok) assert(msgpack_skip(&s) && s.p == r.p && r.p <= r.end);
    return ok;
}

static void check_pack(struct str_view bytes)
{
    struct str_view views[MAX_BINS], again_views[MAX_BINS];
    struct msgpack_bins bins = {.views = views, .max = MAX_BINS};
    struct msgpack_bins again_bins = {.views = again_views, .max = MAX_BINS};
    struct msgpack_fare fare;
    struct buf text, pack, again;
    if (to_json(bytes, &text, &bins)) {
        assert(utf8_is_valid(buf_view(&text)) && is_json(buf_view(&text), -1));
        assert(bins.has_forged || is_json(buf_view(&text), (int)bins.n));
        if (!bins.has_forged) {
            buf_init(&pack, 9 * text.n + bytes.n);
            assert(msgpack_from_json(&pack, buf_view(&text), views, bins.n, &fare));
            assert(!fare.lossy && fare.nbins == bins.n);
            assert(to_json(buf_view(&pack), &again, &again_bins));
            assert(sv_eq(buf_view(&text), buf_view(&again)) && again_bins.n == bins.n);
            for (unsigned i = 0; i < bins.n; i++)
                assert(sv_eq(views[i], again_views[i]) && fare.place[i] == i);
            buf_fini(&pack);
            buf_fini(&again);
        }
    }
    buf_fini(&text);
}

static void check_same(struct str_view a, struct str_view b);

static void check_same_strings(struct str_view a, struct str_view b)
{
    struct buf plain;
    buf_init(&plain, a.n);
    assert(json_string_decode(&plain, a, NULL) && json_string_equals(b, buf_view(&plain)));
    buf_fini(&plain);
}

static void check_same_parts(struct str_view a, struct str_view b, bool object)
{
    struct json_iter i, k;
    struct str_view x, y, key, key_too;
    json_iter_init(&i, a);
    json_iter_init(&k, b);
    if (object) {
        while (json_object_next(&i, &key, &x)) {
            assert(json_object_next(&k, &key_too, &y));
            check_same_strings(key, key_too);
            check_same(x, y);
        }
        assert(!json_object_next(&k, &key_too, &y));
        return;
    }
    while (json_array_next(&i, &x)) {
        assert(json_array_next(&k, &y));
        check_same(x, y);
    }
    assert(!json_array_next(&k, &y));
}

/* Recursion is bounded: both were proved with a limit. */
static void check_same(struct str_view a, struct str_view b)
{
    enum json_kind kind = json_kind_of(a);
    bool exact;
    assert(kind == json_kind_of(b));
    switch (kind) {
    case JSON_OBJECT: check_same_parts(a, b, true); break;
    case JSON_ARRAY: check_same_parts(a, b, false); break;
    case JSON_STRING: check_same_strings(a, b); break;
    case JSON_NUMBER: assert(decimal_read(a, &exact) == decimal_read(b, &exact)); break;
    default: break;
    }
}

static struct str_view trim(struct str_view v)
{
    while (v.n && strchr(" \t\r\n", v.p[0]))
        v = sv_skip(v, 1);
    while (v.n && strchr(" \t\r\n", v.p[v.n - 1]))
        v.n--;
    return v;
}

static void check_json(struct str_view json, const struct str_view *attachments, unsigned n)
{
    struct str_view views[SIO_ATTACHMENTS_LIMIT];
    struct msgpack_bins bins = {.views = views, .max = SIO_ATTACHMENTS_LIMIT};
    struct msgpack_fare fare;
    struct buf pack, text;
    const char *why;
    buf_init(&pack, 9 * json.n + 4096);
    buf_init(&text, 9 * json.n + 4096);
    if (msgpack_from_json(&pack, json, attachments, n, &fare)) {
        struct msgpack_reader r = msgpack_reader_of(buf_view(&pack));
        /* A placeholder is no deeper than the object it was. */
        assert(msgpack_to_json(&r, &text, MAX_DEPTH, &bins, &why) && r.p == r.end);
        assert(bins.n == fare.nbins && is_json(buf_view(&text), n ? (int)bins.n : -1));
        for (unsigned i = 0; i < n; i++)
            if (fare.place[i] != MSGPACK_NOWHERE)
                assert(sv_eq(views[fare.place[i]], attachments[i]));
        if (n == 0 && !fare.lossy) check_same(trim(json), buf_view(&text));
    } else {
        assert(n);
    }
    buf_fini(&pack);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str_view attachments[MAX_BINS] = {{"A", 1}, {"", 0}, {"ccc", 3}};
    struct str_view in = {size ? (const char *)data : "", size};
    check_pack(in);
    if (utf8_is_valid(in) && is_json(in, -1)) check_json(in, NULL, 0);
    if (utf8_is_valid(in) && is_json(in, MAX_BINS)) check_json(in, attachments, MAX_BINS);
    return 0;
}
