/* A worker for tests/integration. The event ["say", room] emits ["said", room, <the item's id>] to that room of
 * "/"; ["fail"] fails for good. Each takes some milliseconds. Options as peal-worker's. */
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Io */
#include "io/program.h"
/* Worker */
#include "worker/wk_core.h"
#include "worker/wk_server.h"

#define WORK_MS 4

struct working {
    struct wheel_entry timer;
    struct wk_job *job;
    struct loop *loop;
};

static bool takes(void *ctx, const struct work_item *item)
{
    (void)ctx;
    return item->type == WORK_EVENT;
}

static bool say(struct wk_job *job)
{
    const struct work_item *item = wk_job_item(job);
    struct buf json;
    bool ok;
    buf_init(&json, 1024);
    struct str_view rooms[1] = {item->user};
    struct bus_target to = {.rooms = rooms, .nrooms = 1};
    ok = buf_add_sv(&json, SV("[\"said\",")) && json_string_encode(&json, item->user) &&
         buf_add_char(&json, ',') && json_string_encode(&json, item->id) &&
         buf_add_char(&json, ']') && wk_job_emit(job, SV("/"), &to, buf_view(&json), NULL, 0);
    buf_fini(&json);
    return ok;
}

static void on_done(struct wheel_entry *e)
{
    struct working *w = (struct working *)((char *)e - offsetof(struct working, timer));
    struct wk_job *job = w->job;
    x_free(w);
    wk_job_set_ctx(job, NULL);
    if (sv_eq(wk_job_item(job)->event, SV("fail")))
        wk_job_fail(job, WK_FATAL, SV("as it was told"));
    else if (say(job))
        wk_job_done(job);
    else
        wk_job_fail(job, WK_FATAL, SV("too large"));
}

static void handle(void *ctx, struct wk_job *job)
{
    struct working *w = x_calloc(1, sizeof(*w));
    w->job = job;
    w->loop = ctx;
    w->timer.fire = on_done;
    wk_job_set_ctx(job, w);
    wheel_set(loop_wheel(w->loop), &w->timer, loop_now(w->loop) + WORK_MS);
}

static void abandon(void *ctx, struct wk_job *job)
{
    struct working *w = wk_job_ctx(job);
    wheel_drop(loop_wheel(ctx), &w->timer);
    x_free(w);
    wk_job_done(job);
}

static void free_nothing(void *ctx)
{
    (void)ctx;
}

static bool add_handlers(struct wk_core *core, const struct cfg *cfg, struct loop *loop,
                         struct cfg_error *err)
{
    const struct wk_handler handler = {
        .ctx = loop, .takes = takes, .handle = handle, .abandon = abandon, .free = free_nothing};
    (void)cfg;
    (void)err;
    wk_core_add_handler(core, &handler);
    return true;
}

int main(int argc, char **argv)
{
    struct cfg cfg;
    int code = 0;
    if (!program_configure(argc, argv, "worker-fixture", "A worker for tests.", &cfg, &code))
        return code;
    code = wk_server_run(&cfg, "worker-fixture", add_handlers);
    cfg_fini(&cfg);
    return code;
}
