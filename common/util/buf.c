/* System */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* Util */
#include "util/buf.h"
#include "util/x_alloc.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    x_free(b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

char *buf_room(struct buf *b, size_t n)
{
    if (n > b->max || b->n > b->max - n) return NULL;
    size_t want = b->n + n;
    if (want > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < want)
            cap = cap > b->max / 2 ? b->max : cap * 2;
        b->p = x_realloc(b->p, cap);
        b->cap = cap;
    }
    return b->p ? b->p + b->n : (char *)""; /* n == 0 on an empty buffer */
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
    char *to = buf_room(b, n);
    if (!to) return false;
    if (n) memcpy(to, p, n);
    b->n += n;
    return true;
}

bool buf_add_sv(struct buf *b, struct str_view v)
{
    return buf_add(b, v.p, v.n);
}

bool buf_add_char(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    char small[256];
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    assert(n >= 0);
    if ((size_t)n < sizeof(small)) return buf_add(b, small, (size_t)n);
    if (!buf_room(b, (size_t)n)) return false;
    char *big = x_malloc((size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(big, (size_t)n + 1, fmt, ap);
    va_end(ap);
    bool ok = buf_add(b, big, (size_t)n);
    x_free(big);
    return ok;
}

void buf_drop(struct buf *b, size_t n)
{
    assert(n <= b->n);
    b->n -= n;
    if (n && b->n) memmove(b->p, b->p + n, b->n);
}

const char *buf_cstr(struct buf *b)
{
    char *end = buf_room(b, 1);
    if (!end) return NULL;
    *end = '\0';
    return b->p;
}
