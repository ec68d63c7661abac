/* System */
#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"

static void *checked(void *p)
{
    if (!p) {
        static const char text[] = "level=panic msg=\"out of memory\"\n";
        (void)!fwrite(text, 1, sizeof(text) - 1, stderr);
        abort();
    }
    return p;
}

void *x_malloc(size_t n)
{
    return checked(malloc(n ? n : 1));
}

void *x_calloc(size_t n, size_t size)
{
    assert(size == 0 || n <= SIZE_MAX / size);
    return checked(calloc(n ? n : 1, size ? size : 1));
}

void *x_realloc(void *p, size_t n)
{
    return checked(realloc(p, n ? n : 1));
}

void *x_memdup(const void *p, size_t n)
{
    char *copy = x_malloc(n + 1);
    if (n) memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

char *x_strdup(const char *s)
{
    return x_memdup(s, strlen(s));
}

char *x_asprintf(const char *fmt, ...)
{
    char *out = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&out, fmt, ap);
    va_end(ap);
    return checked(n < 0 ? NULL : out);
}

void x_free(void *p)
{
    free(p);
}

void x_free_secret(void *p, size_t n)
{
    if (p) explicit_bzero(p, n);
    free(p);
}
