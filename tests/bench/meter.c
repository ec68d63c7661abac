/* CPU time comes from schedstat, thread by thread: it counts nanoseconds, where /proc/PID/stat
 * counts ticks of 10 ms. A thread that ends takes its time with it; no server here ends any. */
/* System */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
/* This program */
#include "meter.h"

bool meter_cpu_ns(pid_t pid, uint64_t *out)
{
    char path[384];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *tasks = opendir(path);
    if (!tasks) return false;
    bool any = false;
    *out = 0;
    for (struct dirent *e; (e = readdir(tasks));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%ld/task/%s/schedstat", (long)pid, e->d_name);
        FILE *in = fopen(path, "r");
        if (!in) continue;
        uint64_t used;
        if (fscanf(in, "%" SCNu64, &used) == 1) {
            *out += used;
            any = true;
        }
        fclose(in);
    }
    closedir(tasks);
    return any;
}

uint64_t meter_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static unsigned step_of(uint64_t us)
{
    if (us < 64) return (unsigned)us;
    unsigned power = 63 - (unsigned)__builtin_clzll(us);
    unsigned step = (power - 5) * 64 + (unsigned)(us >> (power - 6) & 63);
    return step < METER_STEPS ? step : METER_STEPS - 1;
}

/* The greatest delay that falls into the step. */
static uint64_t end_of(unsigned step)
{
    if (step < 64) return step;
    unsigned power = step / 64 + 5;
    return ((uint64_t)(64 + step % 64 + 1) << (power - 6)) - 1;
}

void meter_hist_add(struct meter_hist *h, uint64_t us)
{
    h->count[step_of(us)]++;
    h->total++;
    if (us > h->max) h->max = us;
}

uint64_t meter_hist_at(const struct meter_hist *h, double share)
{
    uint64_t want = (uint64_t)((double)h->total * share), seen = 0;
    if (want < 1) want = 1;
    for (unsigned i = 0; i < METER_STEPS; i++) {
        seen += h->count[i];
        if (seen >= want) return end_of(i) < h->max ? end_of(i) : h->max;
    }
    return h->max;
}
