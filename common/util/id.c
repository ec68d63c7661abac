/* System */
#include <string.h>
#include <sys/random.h>
#include <errno.h>
#include <stdlib.h>
/* Util */
#include "util/id.h"
#include "util/log.h"

/* Bytes are drawn in blocks: one system call serves many ids. Used bytes are wiped. */
static unsigned char pool[256];
static size_t pool_left;

void id_random_bytes(void *out, size_t n)
{
    unsigned char *to = out;
    while (n) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            log_fatal("the kernel gives no random bytes: %s", strerror(errno));
        }
        to += got;
        n -= (size_t)got;
    }
}

void id_random(char *out, size_t n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < n; i++) {
        if (!pool_left) {
            id_random_bytes(pool, sizeof(pool));
            pool_left = sizeof(pool);
        }
        out[i] = alphabet[pool[--pool_left] & 63];
        pool[pool_left] = 0;
    }
}

void id_make(char out[ID_LEN], const char node[ID_NODE_LEN])
{
    memcpy(out, node, ID_NODE_LEN);
    id_random(out + ID_NODE_LEN, ID_LEN - ID_NODE_LEN);
}
