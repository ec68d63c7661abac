/* A line is LONG as soon as more than max bytes of it are there, so the buffer holds max bytes and
 * one feed at most. */

/* System */
#include <assert.h>
/* This process */
#include "peal_lines.h"

void peal_lines_init(struct peal_lines *l, size_t max)
{
    *l = (struct peal_lines){.max = max};
    buf_init(&l->bytes, max + 1 + PEAL_LINES_FEED); /* 1: a '\r' */
}

void peal_lines_fini(struct peal_lines *l)
{
    buf_fini(&l->bytes);
}

void peal_lines_feed(struct peal_lines *l, const char *bytes, size_t n)
{
    buf_drop(&l->bytes, l->at);
    l->seen -= l->at;
    l->at = 0;
    bool fits = buf_add(&l->bytes, bytes, n);
    assert(fits);
    (void)fits;
}

void peal_lines_end(struct peal_lines *l)
{
    l->is_ended = true;
}

/* The end of the line that begins at l->at, or false. */
static bool find_end(struct peal_lines *l, size_t *end)
{
    size_t rest = l->bytes.n - l->seen;
    const char *nl = rest ? memchr(l->bytes.p + l->seen, '\n', rest) : NULL;
    l->seen = l->bytes.n;
    *end = nl ? (size_t)(nl - l->bytes.p) : l->bytes.n;
    return nl || (l->is_ended && *end > l->at);
}

static void pass(struct peal_lines *l, size_t end)
{
    l->at = l->seen = end < l->bytes.n ? end + 1 : end;
}

enum peal_line peal_lines_next(struct peal_lines *l, struct str_view *line)
{
    size_t end;
    for (;;) {
        bool is_whole = find_end(l, &end);
        if (l->is_skipping) {
            pass(l, end);
            if (!is_whole) return PEAL_LINE_NONE;
            l->is_skipping = false;
            continue;
        }
        size_t n = end - l->at;
        if (is_whole && n && l->bytes.p[end - 1] == '\r') n--;
        if (n > l->max + !is_whole) { /* its last byte may be a '\r' */
            l->number++;
            l->is_skipping = !is_whole;
            pass(l, end);
            return PEAL_LINE_LONG;
        }
        if (!is_whole) return PEAL_LINE_NONE;
        l->number++;
        *line = sv_make(l->bytes.p + l->at, n);
        pass(l, end);
        return PEAL_LINE_OK;
    }
}
