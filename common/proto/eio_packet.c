/* The reference decodes "b…" with a decoder that skips what it does not know; here bytes that are
 * not base64 are a bad packet, so that nobody downstream can read them differently. Whether text is
 * UTF-8 is the transport's question and has been answered before. */

/* Proto */
#include "proto/b64.h"
#include "proto/eio_packet.h"

enum verdict eio_packet_decode(struct str_view text, struct buf *scratch, struct eio_packet *out)
{
    buf_clear(scratch);
    if (text.n == 0) return VERDICT_BAD;
    struct str_view rest = sv_skip(text, 1);
    char c = text.p[0];
    if (c >= '0' + EIO_OPEN && c <= '0' + EIO_NOOP) {
        *out = (struct eio_packet){.type = (enum eio_type)(c - '0'), .data = rest};
        return VERDICT_OK;
    }
    if (c != 'b' || !b64_decode(scratch, rest)) return VERDICT_BAD;
    *out = (struct eio_packet){.type = EIO_MESSAGE, .binary = true, .data = buf_view(scratch)};
    return VERDICT_OK;
}

bool eio_payload_next(struct str_view *rest, bool *started, struct str_view *segment)
{
    if (!*started) {
        *started = true;
    } else {
        /* What is left begins with the separator that ended the segment before, or is the end. */
        if (rest->n == 0) return false;
        *rest = sv_skip(*rest, 1);
    }
    size_t n = sv_find(*rest, EIO_SEPARATOR);
    *segment = sv_make(rest->p, n);
    *rest = sv_skip(*rest, n);
    return true;
}
