/* A handler module for tests/integration. Whatever is asked is answered when the cluster has answered:
 * ["who"] fetches the sockets of "/", ["everyone"] asks all clients for an ack, ["some"] does not wait long. */
#include <peal_handler.h>
#include <stdio.h>
#include <string.h>

#define JSON_MAX 8192
#define SOME_MS 200

/* [complete, acks, answers, texts]: all attachments as texts, those of one answer as they are. */
static void on_answers(void *ctx, const struct peal_answers *a)
{
    struct peal_reply *reply = ctx;
    struct peal_answer binary = {0};
    char json[JSON_MAX], texts[JSON_MAX / 2] = "";
    size_t len = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (a->binary[i].n) binary = a->binary[i];
        for (size_t k = 0; k < a->binary[i].n && len < sizeof(texts); k++)
            len +=
                (size_t)snprintf(texts + len, sizeof(texts) - len, "%s\"%.*s\"", len ? "," : "",
                                 (int)a->binary[i].v[k].size, (const char *)a->binary[i].v[k].data);
    }
    snprintf(json, sizeof(json), "[%s,%zu,%s,[%s]]", a->is_complete ? "true" : "false", a->count,
             a->json, texts);
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
    if (strcmp(event, "some") == 0)
        is_asked =
            peal_emit_with_ack(p, NULL, "[\"question\",2]", NULL, 0, SOME_MS, on_answers, reply);
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
