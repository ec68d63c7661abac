/* Borrowed text: a pointer and a length, never owned, not NUL-terminated, may hold any byte. */
#ifndef PEAL_UTIL_STR_VIEW_H
#define PEAL_UTIL_STR_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct str_view {
    const char *p;
    size_t n;
};

/* A view of a string literal. */
#define SV(lit) ((struct str_view){(lit), sizeof(lit) - 1})
/* For printf: "%.*s", SV_ARG(v). */
#define SV_ARG(v) (int)(v).n, (v).p

static inline struct str_view sv_of(const char *s)
{
    return (struct str_view){s, s ? strlen(s) : 0};
}

static inline struct str_view sv_make(const char *p, size_t n)
{
    return (struct str_view){p, n};
}

static inline bool sv_eq(struct str_view a, struct str_view b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool sv_eq_nocase(struct str_view a, struct str_view b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static inline bool sv_starts_with(struct str_view s, struct str_view prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* The rest of s behind its first n bytes; n <= s.n. */
static inline struct str_view sv_skip(struct str_view s, size_t n)
{
    return (struct str_view){s.p + n, s.n - n};
}

/* Position of c in s, or s.n. */
static inline size_t sv_find(struct str_view s, char c)
{
    const char *q = s.n ? memchr(s.p, c, s.n) : NULL;
    return q ? (size_t)(q - s.p) : s.n;
}

/* Without spaces and tabs at either end. */
static inline struct str_view sv_trim(struct str_view s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Decimal digits and nothing else, at most max. False: *out is as it was. */
bool sv_to_u64(struct str_view s, uint64_t max, uint64_t *out);
/* The same, and the first digit no needless zero: as numbers are written that have one form only. */
bool sv_number(struct str_view s, uint64_t max, uint64_t *out);

/* Shell-like match: '*' in pattern stands for any run of bytes (also none), '?' for one byte.
 * Linear in practice, at worst pattern.n * s.n. */
bool sv_glob(struct str_view pattern, struct str_view s);
/* Does it hold a '*' or '?'? */
static inline bool sv_is_glob(struct str_view s)
{
    return sv_find(s, '*') < s.n || sv_find(s, '?') < s.n;
}

#endif
