/* A module of another ABI. */
#include <peal_handler.h>

static const char *start(struct peal *p, const char *argument)
{
    (void)p;
    (void)argument;
    return "must not be called";
}

const struct peal_module peal_module = {PEAL_ABI + 1, "old", start, NULL};
