/* Bytes of test vectors, written in hex. Spaces may stand between them. */
#ifndef PEAL_TESTS_UNIT_HEX_H
#define PEAL_TESTS_UNIT_HEX_H

#include <assert.h>
#include <string.h>

#include "util/str_view.h"
#include "util/x_alloc.h"

/* Gives: free .p with x_free((void *)p). Exactly as many bytes are allocated, so that a sanitizer
 * sees a read behind them. */
static inline struct str_view unhex(const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    char *bytes = x_malloc(strlen(hex) / 2 + 1);
    size_t n = 0;
    unsigned v = 1; /* with a mark before the digits */
    for (; *hex; hex++) {
        if (*hex == ' ') continue;
        const char *digit = strchr(digits, *hex);
        assert(digit);
        v = v << 4 | (unsigned)(digit - digits);
        if (v < 0x100) continue;
        bytes[n++] = (char)v;
        v = 1;
    }
    assert(v == 1);
    return sv_make(x_realloc(bytes, n ? n : 1), n);
}

static inline void unhex_free(struct str_view v)
{
    x_free((void *)(size_t)v.p);
}

/* Gives: free with x_free. */
static inline char *hex_of(struct str_view v)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = x_malloc(2 * v.n + 1);
    for (size_t i = 0; i < v.n; i++) {
        hex[2 * i] = digits[(unsigned char)v.p[i] >> 4];
        hex[2 * i + 1] = digits[v.p[i] & 15];
    }
    hex[2 * v.n] = '\0';
    return hex;
}

#endif
