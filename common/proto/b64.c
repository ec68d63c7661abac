/* One table look-up a character either way. The decoder does not branch on a bad character: a value
 * of a character outside the alphabet has its top bit set, the bits of all characters are gathered,
 * and looked at once behind the loop. */

/* System */
#include <stdint.h>
/* Proto */
#include "proto/b64.h"

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char std_chars[] = ALNUM "+/";
static const char url_chars[] = ALNUM "-_";

/* clang-format off */
#define XX 0x80 /* not in the alphabet */
#define X16 XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX
/* The rows from 0x20 on; what the alphabets do not share is given. */
#define VALUES(plus, minus, slash, under) { \
    X16, X16, \
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, plus, XX, minus, XX, slash, \
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX, \
    XX, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, \
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, under, \
    XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, \
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX, \
    X16, X16, X16, X16, X16, X16, X16, X16 }
/* clang-format on */

static const uint8_t std_values[256] = VALUES(62, XX, 63, XX);
static const uint8_t url_values[256] = VALUES(XX, 62, XX, 63);

static char *encode_tail(char *to, const unsigned char *from, size_t left, const char *chars,
                         bool pad)
{
    if (left == 0) return to;
    *to++ = chars[from[0] >> 2];
    if (left == 1) {
        *to++ = chars[(from[0] & 3) << 4];
        if (pad) *to++ = '=';
    } else {
        *to++ = chars[(from[0] & 3) << 4 | from[1] >> 4];
        *to++ = chars[(from[1] & 15) << 2];
    }
    if (pad) *to++ = '=';
    return to;
}

static bool encode(struct buf *out, const void *p, size_t n, const char *chars, bool pad)
{
    static const size_t tail_len[] = {0, 2, 3};
    const unsigned char *from = p;
    if (n > SIZE_MAX / 4 * 3 - 2) return false;
    char *to = buf_room(out, pad ? B64_ENCODED_LEN(n) : n / 3 * 4 + tail_len[n % 3]);
    if (!to) return false;
    const char *start = to;
    for (; n >= 3; n -= 3, from += 3, to += 4) {
        uint32_t v = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        to[0] = chars[v >> 18];
        to[1] = chars[v >> 12 & 63];
        to[2] = chars[v >> 6 & 63];
        to[3] = chars[v & 63];
    }
    to = encode_tail(to, from, n, chars, pad);
    out->n += (size_t)(to - start);
    return true;
}

/* text without padding. */
static bool decode(struct buf *out, struct str_view text, const uint8_t *values)
{
    static const size_t tail_len[] = {0, 0, 1, 2};
    const unsigned char *from = (const unsigned char *)text.p;
    size_t left = text.n;
    if (left % 4 == 1) return false;
    size_t len = left / 4 * 3 + tail_len[left % 4];
    char *to = buf_room(out, len);
    if (!to) return false;
    uint8_t seen = 0;
    for (; left >= 4; left -= 4, from += 4, to += 3) {
        uint8_t a = values[from[0]], b = values[from[1]], c = values[from[2]], d = values[from[3]];
        uint32_t v = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;
        seen |= a | b | c | d;
        to[0] = (char)(v >> 16);
        to[1] = (char)(v >> 8);
        to[2] = (char)v;
    }
    if (left) {
        uint8_t a = values[from[0]], b = values[from[1]], c = left == 3 ? values[from[2]] : 0;
        uint8_t behind_end = left == 3 ? c & 3 : b & 15;
        if (behind_end) return false;
        seen |= a | b | c;
        to[0] = (char)(a << 2 | b >> 4);
        if (left == 3) to[1] = (char)(b << 4 | c >> 2);
    }
    if (seen & XX) return false;
    out->n += len;
    return true;
}

bool b64_encode(struct buf *out, const void *p, size_t n)
{
    return encode(out, p, n, std_chars, true);
}

bool b64_decode(struct buf *out, struct str_view text)
{
    if (text.n % 4) return false;
    for (int i = 0; i < 2 && text.n && text.p[text.n - 1] == '='; i++)
        text.n--;
    return decode(out, text, std_values);
}

bool b64url_encode(struct buf *out, const void *p, size_t n)
{
    return encode(out, p, n, url_chars, false);
}

bool b64url_decode(struct buf *out, struct str_view text)
{
    return decode(out, text, url_values);
}
