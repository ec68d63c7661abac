/* JSON text from a hostile peer. The input is the text. What must hold: limits are met exactly and
 * a wider one never refuses what a narrower one takes; the rule for placeholders says the same as
 * looking each object up; proved text is walked without leaving it, each part is JSON itself, and
 * the parts without white space make a text that reads the same; strings survive both ways. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Proto */
#include "proto/json_scan.h"

#define MAX_LOOKED_UP 16 /* members of an object; looking one up walks it all */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What walking the text found. */
struct walk {
    struct buf compact; /* the text without white space */
    unsigned depth, deepest;
    uint64_t wanted; /* attachments that all placeholders need; UINT64_MAX: cannot be had */
};

static bool scan(struct str_view text, unsigned max_depth, int attachments, const char **why)
{
    enum json_kind kind;
    *why = NULL;
    bool ok = json_scan_value(text, max_depth, attachments, &kind, why);
    assert(*why && ok == (**why == '\0'));
    assert(!ok || kind == json_kind_of(text));
    return ok;
}

static bool is_json(struct str_view text)
{
    const char *why;
    return scan(text, JSON_DEPTH_LIMIT, -1, &why);
}

static void check_string(struct str_view raw)
{
    struct buf plain, again, twice;
    bool lone;
    buf_init(&plain, raw.n);
    buf_init(&again, 6 * raw.n);
    buf_init(&twice, raw.n);
    assert(raw.n >= 2 && raw.p[0] == '"' && raw.p[raw.n - 1] == '"');
    assert(json_string_decode(&plain, raw, &lone));
    assert(json_string_equals(raw, buf_view(&plain)));
    if (plain.n) assert(!json_string_equals(raw, sv_make(plain.p, plain.n - 1)));
    if (utf8_is_valid(raw)) {
        assert(utf8_is_valid(buf_view(&plain)) == !lone);
        assert(json_string_encode(&again, buf_view(&plain)) && utf8_is_valid(buf_view(&again)));
        assert(is_json(buf_view(&again)));
        assert(json_string_decode(&twice, buf_view(&again), NULL));
        assert(sv_eq(buf_view(&plain), buf_view(&twice)));
    }
    buf_fini(&plain);
    buf_fini(&again);
    buf_fini(&twice);
}

/* What the placeholder rule asks of this object, by looking its members up. */
static void note_placeholder(struct walk *w, struct str_view object)
{
    struct str_view v;
    uint64_t num = 0;
    if (!json_member_get(object, SV("_placeholder"), &v) || !sv_eq(v, SV("true"))) return;
    bool ok = json_member_get(object, SV("num"), &v) && v.n <= 9;
    for (size_t i = 0; ok && i < v.n; i++) {
        ok = v.p[i] >= '0' && v.p[i] <= '9';
        num = num * 10 + (uint64_t)(v.p[i] - '0');
    }
    if (!ok) num = UINT64_MAX - 1;
    if (num + 1 > w->wanted) w->wanted = num + 1;
}

/* The last of equal keys is what is found, and it is one with this key. */
static void check_member(struct str_view object, struct str_view key, struct str_view value)
{
    struct buf name;
    struct str_view found;
    buf_init(&name, key.n);
    assert(json_string_decode(&name, key, NULL));
    assert(json_member_get(object, buf_view(&name), &found) && found.p >= value.p);
    buf_fini(&name);
}

static void walk_value(struct walk *w, struct str_view text);

static void walk_object(struct walk *w, struct str_view text)
{
    struct json_iter it;
    struct str_view key, value;
    unsigned n = 0;
    assert(buf_add_char(&w->compact, '{'));
    json_iter_init(&it, text);
    while (json_object_next(&it, &key, &value)) {
        assert(key.p > text.p && value.p + value.n < text.p + text.n && value.n);
        if (n < MAX_LOOKED_UP) check_member(text, key, value);
        if (n++) assert(buf_add_char(&w->compact, ','));
        check_string(key);
        assert(buf_add_sv(&w->compact, key) && buf_add_char(&w->compact, ':'));
        walk_value(w, value);
    }
    assert(buf_add_char(&w->compact, '}'));
    note_placeholder(w, text);
}

static void walk_array(struct walk *w, struct str_view text)
{
    struct json_iter it;
    struct str_view element;
    unsigned n = 0;
    assert(buf_add_char(&w->compact, '['));
    json_iter_init(&it, text);
    while (json_array_next(&it, &element)) {
        assert(element.p > text.p && element.p + element.n < text.p + text.n && element.n);
        if (n++) assert(buf_add_char(&w->compact, ','));
        walk_value(w, element);
    }
    assert(buf_add_char(&w->compact, ']'));
}

/* Recursion is bounded: the text was proved with a limit. */
static void walk_value(struct walk *w, struct str_view text)
{
    enum json_kind kind = json_kind_of(text);
    if (text.n <= 64) assert(is_json(text));
    if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
        if (++w->depth > w->deepest) w->deepest = w->depth;
        if (kind == JSON_OBJECT)
            walk_object(w, text);
        else
            walk_array(w, text);
        w->depth--;
        return;
    }
    if (kind == JSON_STRING) check_string(text);
    assert(buf_add_sv(&w->compact, text));
}

static void check_limits(struct str_view text, const struct walk *w)
{
    static const int counts[] = {0, 1, 2, 10, 64, 1000000000};
    const char *why;
    assert(scan(text, w->deepest, -1, &why));
    if (w->deepest) {
        assert(!scan(text, w->deepest - 1, -1, &why));
        assert(strcmp(why, "JSON nested too deep") == 0);
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        bool ok = scan(text, JSON_DEPTH_LIMIT, counts[i], &why);
        assert(ok == (w->wanted <= (uint64_t)counts[i]));
        assert(ok || strcmp(why, "illegal attachments") == 0);
    }
}

/* An array of it is JSON (if that is not too deep); it with something behind is not. */
static void check_around(struct str_view text, unsigned depth)
{
    struct buf b;
    buf_init(&b, text.n + 2);
    assert(buf_add_char(&b, '[') && buf_add_sv(&b, text) && buf_add_char(&b, ']'));
    assert(is_json(buf_view(&b)) == (depth < JSON_DEPTH_LIMIT));
    assert(!is_json(sv_skip(buf_view(&b), 1)));
    assert(!is_json(sv_make(b.p, b.n - 1)));
    buf_fini(&b);
}

static void check_proved(struct str_view text)
{
    struct walk w = {.depth = 0}, again = {.depth = 0};
    struct str_view trimmed = text;
    while (strchr(" \t\r\n", trimmed.p[0]))
        trimmed = sv_skip(trimmed, 1);
    while (strchr(" \t\r\n", trimmed.p[trimmed.n - 1]))
        trimmed.n--;
    buf_init(&w.compact, text.n);
    buf_init(&again.compact, text.n);
    walk_value(&w, trimmed);
    check_limits(text, &w);
    check_around(text, w.deepest);
    assert(is_json(buf_view(&w.compact)));
    walk_value(&again, buf_view(&w.compact));
    assert(sv_eq(buf_view(&w.compact), buf_view(&again.compact)));
    assert(w.deepest == again.deepest && w.wanted == again.wanted);
    buf_fini(&w.compact);
    buf_fini(&again.compact);
}

/* The input as characters to be written as a JSON string. */
static void check_plain(struct str_view plain)
{
    struct buf raw, back;
    bool lone;
    buf_init(&raw, 2 + 6 * plain.n);
    buf_init(&back, plain.n);
    assert(json_string_encode(&raw, plain) && is_json(buf_view(&raw)));
    if (utf8_is_valid(plain)) {
        assert(json_string_decode(&back, buf_view(&raw), &lone) && !lone);
        assert(sv_eq(buf_view(&back), plain) && json_string_equals(buf_view(&raw), plain));
    }
    buf_fini(&raw);
    buf_fini(&back);
}

/* Well-formed halves make a well-formed whole, and a whole falls into such where no character is
 * cut. */
static void check_utf8(struct str_view text)
{
    size_t cut = text.n / 2;
    bool whole = utf8_is_valid(text);
    bool first = utf8_is_valid(sv_make(text.p, cut)), second = utf8_is_valid(sv_skip(text, cut));
    if (first && second) assert(whole);
    if (whole) assert(first == second);
    if (whole && cut < text.n) assert(first == (((unsigned char)text.p[cut] & 0xc0) != 0x80));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view text = {size ? (const char *)data : "", size};
    const char *why;
    bool ok = is_json(text);
    if (!ok) {
        assert(!scan(text, 8, -1, &why));
        assert(!scan(text, JSON_DEPTH_LIMIT, 1, &why));
    } else {
        check_proved(text);
    }
    check_plain(text);
    check_utf8(text);
    return 0;
}
