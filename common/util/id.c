/* System */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
/* Util */
#include "util/id.h"
#include "util/log.h"

/* Bytes are drawn in blocks: one system call serves many ids. Used bytes are wiped, and a child of
 * fork() does not hand out again what its parent has left. */
static unsigned char pool[256];
static size_t pool_left;

static void forget_pool(void)
{
    pool_left = 0;
}

static void fill_pool(void)
{
    static bool registered;
    if (!registered) pthread_atfork(NULL, NULL, forget_pool);
    registered = true;
    id_random_bytes(pool, sizeof(pool));
    pool_left = sizeof(pool);
}

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
        if (!pool_left) fill_pool();
        out[i] = alphabet[pool[--pool_left] & 63];
        pool[pool_left] = 0;
    }
}

void id_make(char out[ID_LEN], const char node[ID_NODE_LEN])
{
    memcpy(out, node, ID_NODE_LEN);
    id_random(out + ID_NODE_LEN, ID_LEN - ID_NODE_LEN);
}
