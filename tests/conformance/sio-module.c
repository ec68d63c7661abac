/* The fixture of the Socket.IO test suite as a handler module: "auth" at connect, "message" comes
 * back as "message-back", "message-with-ack" is acked with its arguments. */

/* System */
#include <stdio.h>
#include <string.h>
/* The module's only header */
#include <peal_handler.h>

#define AUTH_DELAY_MS                                                                              \
    20 /* behind CONNECT: the suite's client loses a frame that comes with another */

/* "auth" is owed to a socket. */
static struct owed {
    struct peal *p;
    char nsp[128], sid[128], json[1024];
    bool is_used;
} owed[64];

static void on_auth_due(void *ctx)
{
    struct owed *o = ctx;
    struct peal_target to = {.nsp = o->nsp, .socket = o->sid};
    peal_emit_now(o->p, &to, o->json, NULL, 0);
    o->is_used = false;
}

static enum peal_result on_connect(void *ctx, struct peal_event *e)
{
    size_t i = 0;
    (void)ctx;
    while (i < 64 && owed[i].is_used)
        i++;
    if (i == 64) return PEAL_RETRY;
    struct owed *o = &owed[i];
    o->p = peal_of(e);
    o->is_used = true;
    snprintf(o->nsp, sizeof(o->nsp), "%s", peal_nsp(e));
    snprintf(o->sid, sizeof(o->sid), "%s", peal_sid(e));
    snprintf(o->json, sizeof(o->json), "[\"auth\",%s]", peal_auth(e));
    peal_after(o->p, AUTH_DELAY_MS, on_auth_due, o);
    return PEAL_OK;
}

/* What stands behind the event's name: ",…]" or "]". The name holds no escapes here. */
static const char *tail_of(struct peal_event *e)
{
    return strchr(peal_args(e, NULL), '"') + strlen(peal_event_name(e)) + 2;
}

static enum peal_result on_message(void *ctx, struct peal_event *e)
{
    char json[4096];
    size_t n;
    const struct peal_binary *v = peal_attachments(e, &n);
    struct peal_target own = {.socket = peal_sid(e)};
    (void)ctx;
    int len = snprintf(json, sizeof(json), "[\"message-back\"%s", tail_of(e));
    if (len < 0 || (size_t)len >= sizeof(json)) return PEAL_FAIL;
    return peal_emit_binary(e, &own, json, v, n) ? PEAL_OK : PEAL_FAIL;
}

static enum peal_result on_message_with_ack(void *ctx, struct peal_event *e)
{
    char json[4096];
    size_t n;
    const struct peal_binary *v = peal_attachments(e, &n);
    const char *tail = tail_of(e);
    (void)ctx;
    int len = snprintf(json, sizeof(json), "[%s", tail[0] == ',' ? tail + 1 : tail);
    if (len < 0 || (size_t)len >= sizeof(json)) return PEAL_FAIL;
    return peal_ack_binary(e, json, v, n) ? PEAL_OK : PEAL_FAIL;
}

static enum peal_result on_other(void *ctx, struct peal_event *e)
{
    (void)ctx;
    (void)e;
    return PEAL_OK;
}

static const char *start(struct peal *p, const char *argument)
{
    (void)argument;
    peal_on_connect(p, "*", on_connect, NULL);
    peal_on_event(p, "/", "message", on_message, NULL);
    peal_on_event(p, "/", "message-with-ack", on_message_with_ack, NULL);
    peal_on_event(p, "*", "*", on_other, NULL);
    return NULL;
}

const struct peal_module peal_module = {PEAL_ABI, "conformance", start, NULL};
