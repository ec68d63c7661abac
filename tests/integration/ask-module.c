/* A handler module for tests/integration. Whatever is asked is answered when the cluster has answered:
 * ["who"] fetches the sockets of "/", ["everyone"] asks all clients for an ack. */
#include <peal_handler.h>
#include <stdio.h>
#include <string.h>

#define JSON_MAX 8192

/* [complete, acks, answers], with the attachments of one answer: only one may have some. */
static void on_answers(void *ctx, const struct peal_answers *a)
{
    struct peal_reply *reply = ctx;
    struct peal_answer binary = {0};
    char json[JSON_MAX];
    for (size_t i = 0; i < a->count; i++)
        if (a->binary[i].n) binary = a->binary[i];
    snprintf(json, sizeof(json), "[%s,%zu,%s]", a->is_complete ? "true" : "false", a->count,
             a->json);
    if (!peal_reply_send(reply, json, binary.v, binary.n)) peal_reply_drop(reply);
}

static enum peal_result on_event(void *ctx, struct peal_event *e)
{
    struct peal *p = peal_of(e);
    const char *event = peal_event_name(e);
    struct peal_reply *reply = peal_reply_later(e);
    bool is_asked = false;
    (void)ctx;
    if (!reply) return PEAL_FAIL;
    if (strcmp(event, "who") == 0) is_asked = peal_fetch(p, NULL, 0, on_answers, reply);
    if (strcmp(event, "everyone") == 0)
        is_asked = peal_emit_with_ack(p, NULL, "[\"question\",1]", NULL, 0, 0, on_answers, reply);
    if (is_asked) return PEAL_OK;
    peal_reply_drop(reply);
    return PEAL_FAIL;
}

static const char *start(struct peal *p, const char *argument)
{
    (void)argument;
    peal_on_event(p, "/", "*", on_event, NULL);
    return NULL;
}

const struct peal_module peal_module = {PEAL_ABI, "ask", start, NULL};
