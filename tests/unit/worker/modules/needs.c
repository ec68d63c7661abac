/* A module that needs what the program does not offer. */
#include <peal_handler.h>

void peal_of_the_future(struct peal *p);

static const char *start(struct peal *p, const char *argument)
{
    (void)argument;
    peal_of_the_future(p);
    return NULL;
}

const struct peal_module peal_module = {PEAL_ABI, "needs", start, NULL};
