/* A growing byte buffer with a maximum: for anything whose size a peer can influence.
 *
 * It cannot be made without a maximum; an append that would pass it changes nothing and returns
 * false. It does not shrink by itself: buf_fini() when idle. */
#ifndef PEAL_UTIL_BUF_H
#define PEAL_UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "util/str_view.h"

#define MUST_CHECK __attribute__((warn_unused_result))

struct buf {
    char *p;
    size_t n, cap, max;
};

/* max in bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Frees the bytes; the buffer may be used again (same maximum). Safe on zeroed memory. */
void buf_fini(struct buf *b);
/* Empties it, keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->n = 0;
}

bool buf_add(struct buf *b, const void *p, size_t n) MUST_CHECK;
bool buf_add_sv(struct buf *b, struct str_view v) MUST_CHECK;
bool buf_add_char(struct buf *b, char c) MUST_CHECK;
bool buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3))) MUST_CHECK;
/* Room for n more bytes behind b->n; lends the place, or NULL if that passes the maximum.
 * The caller adds what it wrote to b->n. */
char *buf_room(struct buf *b, size_t n) MUST_CHECK;
/* Removes the first n bytes; n <= b->n. */
void buf_drop(struct buf *b, size_t n);
/* Lends the content with a NUL behind it (not counted in n). NULL if no room for the NUL. */
const char *buf_cstr(struct buf *b);

static inline struct str_view buf_view(const struct buf *b)
{
    return (struct str_view){b->p ? b->p : "", b->n};
}

#endif
