/* What the tests of the configuration share. */
#ifndef PEAL_TESTS_CFG_FIXTURE_H
#define PEAL_TESTS_CFG_FIXTURE_H

#include <stdio.h>

#include "cluster/cfg.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline bool read_text(struct cfg *c, const char *json, struct cfg_error *err)
{
    return cfg_read_text(c, sv_of(json), "peal.json", err);
}

/* What cfg_print() prints. Gives: x_free. Not inlined: gcc 12 takes the stream's text for the local
 * that points at it. */
__attribute__((noinline, unused)) static char *printed(const struct cfg *c)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    cfg_print(c, to);
    fclose(to);
    return text;
}

#endif
