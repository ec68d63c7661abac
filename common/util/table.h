/* uthash with a keyed hash function, since peers choose the names of rooms and channels and could
 * aim collisions at a fixed one. Include this instead of <uthash.h> for tables whose keys a peer can
 * influence. */
#ifndef PEAL_UTIL_TABLE_H
#define PEAL_UTIL_TABLE_H

#include "util/hash.h"
#include "util/x_alloc.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = hash_keyed((keyptr), (keylen)))
#define uthash_malloc(size) x_malloc(size)
#define uthash_free(p, size) x_free(p)
#include <uthash.h>

#endif
