/* Reads what a process has used, and counts delays. It measures from outside: the servers need no
 * help for it, and so all are measured alike. */
#ifndef PEAL_BENCH_METER_H
#define PEAL_BENCH_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Nanoseconds that all threads of a process that still live were on a core, user and kernel. False
 * if /proc does not tell. */
bool meter_cpu_ns(pid_t pid, uint64_t *out);

/* Microseconds since some start. */
uint64_t meter_now_us(void);

/* Delays in µs: exact below 64, then 64 steps for each power of two (1.6 % wide). */
enum { METER_STEPS = 4096 };
struct meter_hist {
    uint64_t count[METER_STEPS];
    uint64_t total, max;
};

void meter_hist_add(struct meter_hist *h, uint64_t us);
/* The delay that a share (0 to 1) of all stays at or below; 0 if there is none. */
uint64_t meter_hist_at(const struct meter_hist *h, double share);

#endif
