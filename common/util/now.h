/* Time. One reading a turn of the loop is enough: the loop caches it and hands it down, protocol
 * code gets it as an argument. Tests replace the source (the clock seam). */
#ifndef PEAL_UTIL_NOW_H
#define PEAL_UTIL_NOW_H

#include <stdint.h>

struct now_source {
    uint64_t (*mono_ms)(void *arg); /* milliseconds that only grow */
    int64_t (*wall_s)(void *arg);   /* seconds since 1970, for JWT claims */
    void *arg;
};

/* The system's clocks. */
extern const struct now_source now_system;

uint64_t now_mono_ms(void);
uint64_t now_mono_us(void); /* for measuring */
int64_t now_wall_s(void);
uint64_t now_wall_ms(void); /* since 1970, for stamps */

#endif
