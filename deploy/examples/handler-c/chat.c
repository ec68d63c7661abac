/* A chat: who enters the lobby gets its messages. Clients emit "enter" and "chat" and are acked. */
#include <peal_handler.h>
#include <stdio.h>

static enum peal_result on_enter(void *ctx, struct peal_event *e)
{
    (void)ctx;
    return peal_join(e, "lobby") && peal_ack(e, "[{\"status\":\"ok\"}]") ? PEAL_OK : PEAL_FAIL;
}

static enum peal_result on_chat(void *ctx, struct peal_event *e)
{
    struct peal_target lobby = {.room = "lobby"};
    const char *text = peal_arg(e, 0); /* JSON: a string comes with its quotes */
    char json[4096];
    int n = snprintf(json, sizeof(json), "[\"chat\",\"%s\",%s]", peal_sid(e), text ? text : "null");
    (void)ctx;
    if (n < 0 || (size_t)n >= sizeof(json)) /* too long: the client is told so */
        return peal_ack(e, "[{\"status\":\"error\"}]") ? PEAL_OK : PEAL_FAIL;
    return peal_emit(e, &lobby, json) && peal_ack(e, "[{\"status\":\"ok\"}]") ? PEAL_OK : PEAL_FAIL;
}

static const char *start(struct peal *p, const char *argument)
{
    (void)argument;
    peal_on_event(p, "/", "enter", on_enter, NULL);
    peal_on_event(p, "/", "chat", on_chat, NULL);
    return NULL;
}

const struct peal_module peal_module = {PEAL_ABI, "chat", start, NULL};
