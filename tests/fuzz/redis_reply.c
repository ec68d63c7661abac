/* What Redis sends, as redis_conn reads it. The first byte is the size of a chunk.
 *
 * Properties: no answer holds more text than the bound, or more parts than its bytes can make; the
 * size of the chunks changes nothing in what is told; a refused stream stays refused. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Io */
#include "io/redis_reply.h"

#define MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    size_t answers, texts, parts; /* texts, parts: of the answer under way */
    uint64_t all;                 /* of everything told */
    bool is_refused;
};

static void mix(struct sum *s, const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++)
        s->all = (s->all ^ b[i]) * 1099511628211u;
}

static void walk(struct sum *s, const struct redis_reply *r, unsigned depth)
{
    enum redis_reply_kind kind = redis_reply_kind(r);
    struct str_view text = redis_reply_text(r);
    int64_t number = redis_reply_int(r);
    assert(depth < 8);
    s->texts += text.n;
    s->parts += redis_reply_count(r);
    mix(s, &kind, sizeof(kind));
    mix(s, &number, sizeof(number));
    mix(s, text.p, text.n);
    for (size_t i = 0; i < redis_reply_count(r); i++)
        walk(s, redis_reply_at(r, i), depth + 1);
}

static struct sum run(const char *text, size_t n, size_t chunk)
{
    struct redis_parser *p = redis_parser_new(MAX);
    struct redis_reply *r = NULL;
    struct sum s = {.all = 14695981039346656037u};
    for (size_t at = 0; at < n && !s.is_refused; at += chunk) {
        s.is_refused = !redis_parser_feed(p, text + at, n - at < chunk ? n - at : chunk);
        while (!s.is_refused) {
            s.is_refused = !redis_parser_next(p, &r);
            if (s.is_refused || !r) break;
            s.answers++;
            s.texts = s.parts = 0;
            walk(&s, r, 0);
            assert(s.texts <= MAX && s.parts <= MAX / 3);
            redis_reply_free(r);
        }
    }
    if (s.is_refused) assert(redis_parser_error(p)[0] && !redis_parser_next(p, &r));
    redis_parser_free(p);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 65536) return 0;
    const char *text = (const char *)data + 1;
    size_t n = size - 1;
    struct sum pieces = run(text, n, 1 + (size_t)data[0] % 64), whole = run(text, n, n);
    /* A refusal for length may come earlier or later; what was told before it is the same. */
    if (pieces.is_refused == whole.is_refused)
        assert(pieces.answers == whole.answers && pieces.all == whole.all);
    return 0;
}
