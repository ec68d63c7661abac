/* Allocation that never fails: out of memory ends the process with a message.
 *
 * That is only safe because every size a peer can influence is bounded before it gets here (see
 * buf.h). All memory of the project goes through these functions; raw malloc and free are banned
 * elsewhere, so that a counting or failing allocator needs one file. */
#ifndef PEAL_UTIL_X_ALLOC_H
#define PEAL_UTIL_X_ALLOC_H

#include <stddef.h>

void *x_malloc(size_t n) __attribute__((malloc, returns_nonnull));
/* Zeroed; n * size must not overflow (asserted). */
void *x_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *x_realloc(void *p, size_t n) __attribute__((returns_nonnull));
/* A copy of n bytes with a NUL behind it. Gives: free with x_free. */
void *x_memdup(const void *p, size_t n) __attribute__((returns_nonnull));
char *x_strdup(const char *s) __attribute__((returns_nonnull));
char *x_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
void x_free(void *p);
/* Overwrites n bytes before freeing them: for secrets and tokens. */
void x_free_secret(void *p, size_t n);

#endif
