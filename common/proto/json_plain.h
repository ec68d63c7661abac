/* The inner loop of whoever walks JSON's strings, where most bytes of JSON are. */
#ifndef PEAL_PROTO_JSON_PLAIN_H
#define PEAL_PROTO_JSON_PLAIN_H

#include <stdint.h>
#include <string.h>

/* The first byte from p on that may mean something in a string (a quote, a backslash, a control
 * character), or end. Eight bytes at a time, then one by one. */
static inline __attribute__((always_inline)) const char *json_skip_plain(const char *p,
                                                                         const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    while (end - p >= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        uint64_t quote = v ^ ones * '"', escape = v ^ ones * '\\';
        uint64_t hit =
            ((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((escape - ones) & ~escape);
        if (hit & tops) break;
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

#endif
