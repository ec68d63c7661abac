/* A module that does what the event's name says; see wk_module_test.c. */
#include <jansson.h>
#include <peal_handler.h>
#include <stdio.h>
#include <string.h>

static struct peal_event *held;
static struct peal_reply *reply;
static struct peal_timer *timer;
static int tries;

static bool is(struct peal_event *e, const char *name)
{
    return strcmp(peal_event_name(e), name) == 0;
}

static bool say(struct peal_event *e, const char *format, const char *a, const char *b)
{
    char json[1024];
    snprintf(json, sizeof(json), format, a, b);
    return peal_ack(e, json);
}

static bool read_all(struct peal_event *e)
{
    char json[1024];
    size_t n, size;
    const struct peal_binary *v = peal_attachments(e, &n);
    json_t *args = peal_args_json(e);
    const char *text = peal_args(e, &size);
    snprintf(json, sizeof(json), "[\"%s\",\"%s\",\"%s\",\"%s\",%s,%s,%s,%d,%d,%d,\"%.*s\",%d,%d]",
             peal_event_id(e), peal_nsp(e), peal_sid(e), peal_user(e), peal_claims(e), peal_data(e),
             text, (int)peal_arg_count(e), (int)size, (int)n, v ? (int)v[0].size : 0,
             v ? (const char *)v[0].data : "",
             (int)json_integer_value(json_object_get(json_array_get(args, 1), "a")),
             (int)json_object_size(peal_json(e, peal_claims(e))));
    return peal_ack(e, json) && !peal_arg(e, 2) && peal_wants_ack(e);
}

static bool emit_all(struct peal_event *e)
{
    static const char *const rooms[] = {"r2", "r3", NULL}, *const except[] = {"x", NULL};
    struct peal_target many = {
        .room = "r1", .user = "ann", .socket = "s", .rooms = rooms, .except = except};
    struct peal_target other = {.nsp = "/other", .is_volatile = true};
    struct peal_binary bytes = {"ab", 2};
    json_t *array = json_pack("[s,i]", "json", 5);
    bool ok = peal_emit(e, &many, "[\"many\"]") && peal_emit(e, NULL, "[\"all\"]") &&
              peal_emit(e, &other, "[\"other\"]") && peal_send(e, "[\"own\"]") &&
              peal_emit_binary(e, NULL, "[\"b\",{\"_placeholder\":true,\"num\":0}]", &bytes, 1) &&
              peal_emit_json(e, NULL, array) && !peal_emit(e, NULL, "[\"bad\"");
    json_decref(array);
    return ok;
}

static bool do_all(struct peal_event *e)
{
    struct peal_target room = {.room = "r"};
    return peal_join(e, "in") && peal_leave(e, "out") && peal_set_data(e, "{\"k\":1}") &&
           peal_remote_join(e, &room, "t") && peal_remote_leave(e, &room, "t") &&
           peal_remote_disconnect(e, &room, false) && peal_disconnect(e, true);
}

static void on_later(void *ctx)
{
    static const char *const except[] = {"x", NULL};
    struct peal_target to = {
        .nsp = "/n", .room = "r", .user = "ann", .except = except, .is_volatile = true};
    peal_emit_now(ctx, &to, "[\"later\"]", NULL, 0);
    timer = NULL;
}

static void on_reply_due(void *ctx)
{
    struct peal_binary bytes = {"xyz", 3};
    (void)ctx;
    if (!peal_reply_send(reply, "{}", NULL, 0))
        peal_reply_send(reply, "[{\"_placeholder\":true,\"num\":0}]", &bytes, 1);
    reply = NULL;
}

static void on_held_due(void *ctx)
{
    struct peal_event *e = held;
    (void)ctx;
    held = NULL;
    if (is(e, "hold"))
        peal_done(e);
    else
        peal_fail(e, PEAL_FAIL, "held too long");
}

static enum peal_result on_event(void *ctx, struct peal_event *e)
{
    struct peal *p = peal_of(e);
    if (is(e, "read")) return read_all(e) ? PEAL_OK : PEAL_FAIL;
    if (is(e, "emit")) return emit_all(e) ? PEAL_OK : PEAL_FAIL;
    if (is(e, "do")) return do_all(e) ? PEAL_OK : PEAL_FAIL;
    if (is(e, "retry")) {
        tries++;
        return peal_event_attempt(e) < 3 ? PEAL_RETRY : PEAL_OK;
    }
    if (is(e, "fail")) {
        peal_fail(e, PEAL_FAIL, "not like this");
        return PEAL_FAIL;
    }
    if (is(e, "hold") || is(e, "hold-fail") || is(e, "hold-ever")) {
        peal_hold(e);
        held = e;
        if (!is(e, "hold-ever")) peal_after(p, 100, on_held_due, NULL);
        return peal_join(e, "held") ? PEAL_OK : PEAL_FAIL;
    }
    if (is(e, "hold-none")) {
        peal_hold(e);
        peal_done(e);
        return PEAL_FAIL; /* does not count */
    }
    if (is(e, "reply")) {
        reply = peal_reply_later(e);
        if (peal_reply_later(e) || !peal_ack(e, "[1]")) return PEAL_FAIL;
        peal_after(p, 50, on_reply_due, NULL);
        return PEAL_OK;
    }
    if (is(e, "later")) {
        struct peal_timer *other = peal_after(p, 50, on_later, p);
        timer = peal_after(p, 100, on_later, p);
        peal_cancel(other);
        return PEAL_OK;
    }
    return say(e, "[\"%s\",\"%s\"]", ctx, peal_event_name(e)) ? PEAL_OK : PEAL_FAIL;
}

static enum peal_result on_connect(void *ctx, struct peal_event *e)
{
    const char *who = json_string_value(json_object_get(peal_json(e, peal_auth(e)), "who"));
    (void)ctx;
    if (!peal_asks(e)) return PEAL_OK;
    if (who && strcmp(who, "friend") == 0) return peal_join(e, "friends") ? PEAL_OK : PEAL_FAIL;
    return peal_refuse(e, "not you, \"friend\"", "{\"code\":7}") ? PEAL_OK : PEAL_FAIL;
}

static enum peal_result on_disconnect(void *ctx, struct peal_event *e)
{
    struct peal_target all = {.room = "watchers"};
    char json[256];
    (void)ctx;
    snprintf(json, sizeof(json), "[\"gone\",\"%s\",\"%s\"]", peal_sid(e), peal_reason(e));
    return peal_emit(e, &all, json) ? PEAL_OK : PEAL_FAIL;
}

static const char *start(struct peal *p, const char *argument)
{
    static char odd[] = "odd", any[] = "any";
    if (strcmp(argument, "not=now") == 0) return "it does not feel like it";
    peal_set_user_data(p, any);
    peal_on_event(p, "/", "odd*", on_event, odd);
    peal_on_event(p, "/", "*", on_event, peal_user_data(p));
    peal_on_connect(p, "*", on_connect, NULL);
    peal_on_disconnect(p, "*", on_disconnect, NULL);
    return NULL;
}

static void stop(struct peal *p)
{
    if (held && !peal_is_void(held)) peal_log(p, PEAL_ERROR, "a held event is not void");
    if (held) peal_done(held);
    peal_cancel(timer);
    held = NULL; /* the library is not unloaded: the next test starts it again */
    reply = NULL;
    timer = NULL;
}

const struct peal_module peal_module = {PEAL_ABI, "probe", start, stop};
