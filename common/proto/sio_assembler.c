/* The attachments lie in one buffer, so that a packet of many tiny ones costs two allocations. The
 * text's share is taken off the bound at the beginning; from then on the buffer's own maximum is
 * the rule. Both buffers are empty whenever no packet waits or is being looked at. */

/* System */
#include <assert.h>
/* Proto */
#include "proto/sio_packet.h"

bool sio_assembler_begin(struct sio_assembler *a, struct str_view text, unsigned want,
                         size_t max_bytes)
{
    assert(want > 0 && want <= SIO_ATTACHMENTS_LIMIT);
    if (sio_assembler_is_waiting(a)) return false;
    sio_assembler_fini(a);
    if (text.n > max_bytes) return false;
    buf_init(&a->text, text.n);
    buf_init(&a->bytes, max_bytes - text.n);
    if (!buf_add_sv(&a->text, text)) return false;
    a->want = want;
    return true;
}

enum verdict sio_assembler_add(struct sio_assembler *a, const void *p, size_t n)
{
    if (!sio_assembler_is_waiting(a) || !buf_add(&a->bytes, p, n)) return VERDICT_BAD;
    a->ends[a->have++] = a->bytes.n;
    return sio_assembler_is_waiting(a) ? VERDICT_MORE : VERDICT_OK;
}

struct str_view sio_assembler_get(const struct sio_assembler *a, unsigned i)
{
    assert(i < a->have);
    size_t start = i ? a->ends[i - 1] : 0;
    return sv_make(buf_view(&a->bytes).p + start, a->ends[i] - start);
}

void sio_assembler_fini(struct sio_assembler *a)
{
    buf_fini(&a->text);
    buf_fini(&a->bytes);
    a->have = a->want = 0;
}
