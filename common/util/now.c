/* System */
#include <time.h>
/* Util */
#include "util/now.h"

uint64_t now_mono_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t now_mono_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t now_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int64_t now_wall_s(void)
{
    /* Not time(): it lags by a tick, so that a token of this very second came from the future. */
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec;
}

static uint64_t system_mono(void *arg)
{
    (void)arg;
    return now_mono_ms();
}

static int64_t system_wall(void *arg)
{
    (void)arg;
    return now_wall_s();
}

const struct now_source now_system = {system_mono, system_wall, NULL};
