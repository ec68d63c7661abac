/* A handler module for tests/integration: "c" is acked with its first argument; "c-told" is, too, a little
 * later, and the client is sent ["did", <it>] besides. The module's argument names a file; each call adds
 * the line "<item> <socket> <first argument>" to it, in one piece, whichever process it is. */
/* System */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* The module's only header */
#include <peal_handler.h>

#define WORK_MS 2

static int record = -1;

static bool put_down(struct peal_event *e)
{
    char line[256];
    int n = snprintf(line, sizeof(line), "%s %s %s\n", peal_event_id(e), peal_sid(e),
                     peal_arg(e, 0) ? peal_arg(e, 0) : "-");
    return n > 0 && (size_t)n < sizeof(line) && write(record, line, (size_t)n) == n;
}

static bool answer(struct peal_event *e, const char *format,
                   bool (*by)(struct peal_event *e, const char *json))
{
    char json[64];
    int n = snprintf(json, sizeof(json), format, peal_arg(e, 0) ? peal_arg(e, 0) : "null");
    return n > 0 && (size_t)n < sizeof(json) && by(e, json);
}

static enum peal_result on_event(void *ctx, struct peal_event *e)
{
    (void)ctx;
    return put_down(e) && answer(e, "[%s]", peal_ack) ? PEAL_OK : PEAL_FAIL;
}

static void on_due(void *ctx)
{
    struct peal_event *e = ctx;
    if (answer(e, "[\"did\",%s]", peal_send) && answer(e, "[%s]", peal_ack))
        peal_done(e);
    else
        peal_fail(e, PEAL_FAIL, "it cannot be answered");
}

static enum peal_result on_told(void *ctx, struct peal_event *e)
{
    (void)ctx;
    if (!put_down(e)) return PEAL_FAIL;
    peal_hold(e);
    peal_after(peal_of(e), WORK_MS, on_due, e);
    return PEAL_OK;
}

static const char *start(struct peal *p, const char *argument)
{
    record = open(argument, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (record < 0) return "its record cannot be opened";
    peal_on_event(p, "*", "c", on_event, NULL);
    peal_on_event(p, "*", "c-told", on_told, NULL);
    return NULL;
}

static void stop(struct peal *p)
{
    (void)p;
    close(record);
}

const struct peal_module peal_module = {PEAL_ABI, "record", start, stop};
