/* HTTP heads, chunked bodies, queries and cookies from a hostile peer. The input is a byte stream
 * as a connection would bring it. What must hold: the verdict and every field are the same however
 * the bytes are cut; views stay inside the head; a head written anew from its fields reads the
 * same; body and bytes taken do not depend on the cuts; what decodes survives being encoded again.
 */
/* System */
#include <assert.h>
#include <stdint.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/http_head.h"

#define MAX_HEAD 1024 /* small, so that the bound is met */
#define MAX_BODY 256
#define SV_END(v) ((v).p + (v).n)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    enum verdict verdict;
    int status;
    const char *why;
    struct http_head head;
    char *copy; /* of exactly the bytes given, for the sanitizer; the views point into it */
};

static struct result read_step(const char *p, size_t n, size_t *scan)
{
    struct result r = {.status = 0};
    r.copy = x_malloc(n ? n : 1);
    if (n) memcpy(r.copy, p, n);
    r.verdict = http_head_parse(r.copy, n, MAX_HEAD, scan, &r.head, &r.status, &r.why);
    return r;
}

static void check_head_same(const struct http_head *a, const struct http_head *b)
{
    assert(a->method == b->method && a->minor == b->minor);
    assert(sv_eq(a->method_text, b->method_text) && sv_eq(a->target, b->target));
    assert(sv_eq(a->path, b->path) && sv_eq(a->query, b->query));
    assert(a->keep_alive == b->keep_alive && a->chunked == b->chunked);
    assert(a->has_length == b->has_length && a->length == b->length);
    assert(a->expect_continue == b->expect_continue);
    assert(a->upgrade == b->upgrade && a->upgrade_websocket == b->upgrade_websocket);
    assert(a->nfields == b->nfields);
    for (size_t i = 0; i < a->nfields; i++) {
        assert(sv_eq(a->fields[i].name, b->fields[i].name));
        assert(sv_eq(a->fields[i].value, b->fields[i].value));
    }
}

static void check_result_same(const struct result *a, const struct result *b)
{
    assert(a->verdict == b->verdict && a->status == b->status);
    assert(a->verdict != VERDICT_BAD || strcmp(a->why, b->why) == 0);
    if (a->verdict != VERDICT_OK) return;
    assert(a->head.size == b->head.size);
    check_head_same(&a->head, &b->head);
}

/* Pieces of pseudo-random length up to `longest`; the seed comes from the input, so a crash
 * repeats. */
static void check_cuts(struct str_view in, const struct result *whole, unsigned seed,
                       size_t longest)
{
    size_t scan = 0;
    for (size_t n = 0;;) {
        struct result r = read_step(in.p, n, &scan);
        bool more = r.verdict == VERDICT_MORE && n < in.n;
        if (more && whole->verdict == VERDICT_OK) assert(n < whole->head.size);
        if (!more) check_result_same(whole, &r);
        x_free(r.copy);
        if (!more) break;
        seed = seed * 1103515245u + 12345u;
        n += 1 + (seed >> 16) % longest;
        if (n > in.n) n = in.n;
    }
}

static void check_inside(const struct http_head *h, const char *p, struct str_view v)
{
    assert(v.p >= p && SV_END(v) <= p + h->size);
    for (size_t i = 0; i < v.n; i++)
        assert(v.p[i] != '\r' && v.p[i] != '\n' && v.p[i] != '\0');
}

static void check_shape(const struct http_head *h, const char *p, size_t n)
{
    assert(h->size <= n && h->size <= MAX_HEAD && h->size >= 4);
    assert(memcmp(p + h->size - 4, "\r\n\r\n", 4) == 0);
    assert(h->nfields <= HTTP_MAX_FIELDS);
    check_inside(h, p, h->method_text);
    check_inside(h, p, h->target);
    assert(h->method_text.n >= 1 && h->method_text.n <= 32);
    assert(h->path.n && (h->path.p[0] == '/' || sv_eq(h->path, SV("*"))));
    assert(sv_find(h->path, '?') == h->path.n);
    assert(h->path.n + h->query.n <= h->target.n + 1);
    assert(!h->chunked || h->minor == 1);
    assert(!(h->chunked && h->has_length) && h->length <= UINT64_C(1) << 53);
    assert(h->minor == 0 || http_head_count(h, SV("host")) == 1);
    assert(!h->upgrade_websocket || h->upgrade);
    assert(h->upgrade == (h->minor && http_head_count(h, SV("upgrade")) &&
                          http_head_has_token(h, SV("connection"), SV("upgrade"))));
    assert(!h->keep_alive || !http_head_has_token(h, SV("connection"), SV("close")));
    assert(h->has_length == (http_head_count(h, SV("content-length")) == 1));
    assert(h->chunked == (http_head_count(h, SV("transfer-encoding")) == 1));
    for (size_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];
        check_inside(h, p, f->name);
        check_inside(h, p, f->value);
        assert(f->name.n && sv_find(f->name, ' ') == f->name.n);
        assert(sv_trim(f->value).n == f->value.n);
        assert(http_head_count(h, f->name) >= 1 && http_head_get(h, f->name) <= &f->value);
    }
}

static void check_written_anew(const struct http_head *h)
{
    struct buf b;
    buf_init(&b, 16 * MAX_HEAD);
    assert(buf_addf(&b, "%.*s %.*s HTTP/1.%d\r\n", SV_ARG(h->method_text), SV_ARG(h->target),
                    h->minor));
    for (size_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];
        assert(buf_addf(&b, "%.*s:%.*s\r\n", SV_ARG(f->name), SV_ARG(f->value)));
    }
    assert(buf_add_sv(&b, SV("\r\n")));
    assert(b.n <= h->size);
    size_t scan = 0;
    struct result r = read_step(b.p, b.n, &scan);
    assert(r.verdict == VERDICT_OK);
    check_head_same(h, &r.head);
    x_free(r.copy);
    buf_fini(&b);
}

static void check_cookies(const struct http_head *h)
{
    static const struct str_view names[] = {{"a", 1}, {"token", 5}, {"", 0}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct str_view v;
        if (!http_cookie_get(h, names[i], &v)) continue;
        bool inside = false;
        for (size_t j = 0; j < h->nfields; j++) {
            const struct http_field *f = &h->fields[j];
            if (!sv_eq_nocase(f->name, SV("cookie"))) continue;
            inside |= v.p >= f->value.p && SV_END(v) <= SV_END(f->value);
        }
        assert(inside && sv_find(v, ';') == v.n);
    }
}

/* "k=" and every byte of v as an escape. */
static void add_escaped(struct buf *b, struct str_view v)
{
    assert(buf_add_sv(b, SV("k=")));
    for (size_t i = 0; i < v.n; i++)
        assert(buf_addf(b, "%%%02x", (unsigned char)v.p[i]));
}

static void check_query_key(struct str_view query, struct str_view key)
{
    struct buf out, again, value;
    bool bad = true;
    buf_init(&out, query.n);
    buf_init(&again, 2 + 3 * query.n);
    buf_init(&value, query.n);
    bool found = http_query_get(query, key, &out, &bad);
    assert(!(found && bad) && (found || out.n == 0)); /* the room suffices always */
    if (found) {
        add_escaped(&again, buf_view(&out));
        assert(http_query_get(buf_view(&again), SV("k"), &value, &bad) && !bad);
        assert(sv_eq(buf_view(&out), buf_view(&value)));
    }
    buf_fini(&out);
    buf_fini(&again);
    buf_fini(&value);
}

/* A key of the query, decoded as if it were a value, must be found under what it decodes to. */
static void check_query(struct str_view query)
{
    check_query_key(query, SV("token"));
    check_query_key(query, SV(""));
    int keys = 0;
    for (struct str_view rest = query; rest.n && keys++ < 8;) {
        size_t amp = sv_find(rest, '&');
        struct str_view raw = sv_make(rest.p, amp);
        rest = sv_skip(rest, amp < rest.n ? amp + 1 : amp);
        if (!raw.n) continue;
        raw.n = sv_find(raw, '=');
        struct buf text, key, value;
        buf_init(&text, raw.n + 2);
        buf_init(&key, raw.n);
        buf_init(&value, query.n);
        assert(buf_add_sv(&text, SV("k=")) && buf_add_sv(&text, raw));
        bool bad, decodes = http_query_get(buf_view(&text), SV("k"), &key, &bad);
        if (decodes) {
            bool found = http_query_get(query, buf_view(&key), &value, &bad);
            assert(found || bad);
            check_query_key(query, buf_view(&key));
        }
        buf_fini(&text);
        buf_fini(&key);
        buf_fini(&value);
    }
}

static void check_path(struct str_view path)
{
    struct buf out;
    buf_init(&out, path.n);
    bool ok = http_path_decode(path, &out);
    assert(out.n <= path.n && (ok || !out.n));
    assert(!ok || sv_find(buf_view(&out), '\0') == out.n);
    assert(ok || sv_find(path, '%') < path.n || sv_find(path, '\0') < path.n);
    buf_fini(&out);
}

struct body_result {
    enum verdict verdict;
    int status;
    size_t used;
    struct buf body;
};

static struct body_result feed(struct str_view in, size_t piece)
{
    struct body_result r = {.verdict = VERDICT_MORE};
    struct http_chunked c = {0};
    buf_init(&r.body, MAX_BODY);
    while (r.verdict == VERDICT_MORE && in.n) {
        size_t n = in.n < piece ? in.n : piece, used = SIZE_MAX;
        char *copy = x_memdup(in.p, n);
        r.verdict = http_chunked_feed(&c, copy, n, &used, &r.body, &r.status);
        x_free(copy);
        assert(used <= n && (r.verdict != VERDICT_MORE || used == n));
        r.used += used;
        in = sv_skip(in, used);
    }
    assert(r.body.n <= MAX_BODY);
    return r;
}

static void check_body(struct str_view in, unsigned seed)
{
    struct body_result whole = feed(in, SIZE_MAX);
    const size_t pieces[] = {1, 2 + seed % 30};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct body_result r = feed(in, pieces[i]);
        assert(r.verdict == whole.verdict && r.status == whole.status && r.used == whole.used);
        assert(sv_eq(buf_view(&r.body), buf_view(&whole.body)));
        buf_fini(&r.body);
    }
    if (whole.verdict == VERDICT_OK) { /* what was taken ends a body, whatever follows it */
        struct body_result r = feed(sv_make(in.p, whole.used), SIZE_MAX);
        assert(r.verdict == VERDICT_OK && r.used == whole.used);
        buf_fini(&r.body);
        assert(memcmp(in.p + whole.used - 2, "\r\n", 2) == 0);
    }
    buf_fini(&whole.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view in = {size ? (const char *)data : "", size};
    unsigned seed = 2166136261u;
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ data[i]) * 16777619u;

    size_t scan = 0;
    struct result whole = read_step(in.p, in.n, &scan);
    check_cuts(in, &whole, seed, 100);
    if (size <= 512) check_cuts(in, &whole, seed, 1);
    if (whole.verdict == VERDICT_OK) {
        check_shape(&whole.head, whole.copy, in.n);
        check_written_anew(&whole.head);
        check_cookies(&whole.head);
        check_query(whole.head.query);
        check_path(whole.head.path);
        if (whole.head.chunked) check_body(sv_skip(in, whole.head.size), seed);
    } else { /* do not waste it */
        check_body(in, seed);
        check_query(in);
        check_path(in);
    }
    x_free(whole.copy);
    return 0;
}
