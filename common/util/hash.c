/* SipHash by Aumasson and Bernstein, one compression and three finalization rounds: the variant
 * that hash tables of language runtimes use. */

/* System */
#include <string.h>
#include <stdbool.h>
/* Util */
#include "util/hash.h"
#include "util/id.h"

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t hash_siphash13(const void *p, size_t n, uint64_t k0, uint64_t k1)
{
    const unsigned char *in = p;
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
    uint64_t last = (uint64_t)n << 56, m;
    for (; n >= 8; in += 8, n -= 8) {
        memcpy(&m, in,
               8); /* little endian, as every machine this runs on; else only the values differ */
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    for (size_t i = 0; i < n; i++)
        last |= (uint64_t)in[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

unsigned hash_keyed(const void *p, size_t n)
{
    static uint64_t key[2];
    static bool drawn;
    if (!drawn) {
        id_random_bytes(key, sizeof(key));
        drawn = true;
    }
    return (unsigned)hash_siphash13(p, n, key[0], key[1]);
}
