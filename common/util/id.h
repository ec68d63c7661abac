/* Random ids from the alphabet A-Z a-z 0-9 - _ (6 bits a character), from the kernel's generator.
 *
 * Engine.IO sids and Socket.IO ids have 20 characters: 8 that name the gateway process and 12
 * (72 bits) that cannot be guessed; other software of the cluster tests the length. */
#ifndef PEAL_UTIL_ID_H
#define PEAL_UTIL_ID_H

#include <stddef.h>
#include <stdint.h>

#define ID_LEN 20
#define ID_NODE_LEN 8

/* Fills n characters, no NUL. */
void id_random(char *out, size_t n);
/* 20 characters, the first 8 copied from node; no NUL. */
void id_make(char out[ID_LEN], const char node[ID_NODE_LEN]);
/* Random bytes, for keys of hash functions. */
void id_random_bytes(void *out, size_t n);

#endif
