/* System */
#include <string.h>
#include <sys/mman.h>
/* Gateway */
#include "gw_board.h"

#define GET_TRIES 100 /* a writer that puts faster than we copy is none of ours */

static size_t size_of(unsigned n)
{
    return sizeof(struct gw_board) + n * sizeof(struct gw_board_process);
}

struct gw_board *gw_board_new(unsigned n)
{
    struct gw_board *b = mmap(NULL, size_of(n), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b == MAP_FAILED) return NULL;
    b->n = n;
    return b;
}

void gw_board_free(struct gw_board *b)
{
    if (b) munmap(b, size_of(b->n));
}

bool gw_board_put(struct gw_board_text *t, struct str_view text)
{
    uint32_t version = atomic_load(&t->version) + 1;
    if (text.n > GW_BOARD_TEXT_MAX) return false;
    memcpy(t->bytes[version & 1], text.p, text.n);
    t->n[version & 1] = text.n;
    atomic_store(&t->version, version);
    return true;
}

/* What was good when the copy began is overwritten by the second put from then on, not before. */
bool gw_board_get(struct gw_board_text *t, struct buf *out)
{
    size_t before = out->n;
    for (unsigned i = 0; i < GET_TRIES; i++) {
        uint32_t version = atomic_load(&t->version);
        size_t n = t->n[version & 1];
        char *to = n <= GW_BOARD_TEXT_MAX ? buf_room(out, n + 1) : NULL;
        if (!to) return false;
        memcpy(to, t->bytes[version & 1], n);
        if (atomic_load(&t->version) != version) continue;
        out->n = before + n;
        return true;
    }
    return false;
}
