/* A keyed hash of short texts (SipHash-1-3), for tables whose keys a peer can choose. The key is
 * random per process. */
#ifndef PEAL_UTIL_HASH_H
#define PEAL_UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

unsigned hash_keyed(const void *p, size_t n);
/* SipHash-1-3 with an explicit key, 64 bits: for tests. */
uint64_t hash_siphash13(const void *p, size_t n, uint64_t k0, uint64_t k1);

#endif
