/* The least a handler in C can do: it acks `module`. */
#include <peal_handler.h>

static enum peal_result on_event(void *ctx, struct peal_event *e)
{
    (void)ctx;
    return peal_ack(e, "[{\"status\":\"ok\"}]") ? PEAL_OK : PEAL_FAIL;
}

static const char *start(struct peal *p, const char *argument)
{
    (void)argument;
    peal_on_event(p, "/", "module", on_event, NULL);
    return NULL;
}

const struct peal_module peal_module = {PEAL_ABI, "bench", start, NULL};
