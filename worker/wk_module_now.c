/* What a module does without an item: timers, replies that come late, emits at once, questions. It
 * does not wait for the feed, so a lease that is lost does not hold it back. */

/* Third party */
#include <utlist.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/node_cmd.h"
#include "cluster/questions.h"
/* Proto */
#include "proto/json_scan.h"
/* This process */
#include "wk_module_parts.h"

#define ANSWERS_MAX (64u << 20)

/* ---- timers */

static void timer_free(struct peal_timer *t)
{
    wheel_drop(loop_wheel(wk_core_loop(t->p->core)), &t->entry);
    DL_DELETE(t->p->timers, t);
    x_free(t);
}

static void on_timer(struct wheel_entry *e)
{
    struct peal_timer *t = (struct peal_timer *)e;
    void (*f)(void *ctx) = t->f;
    void *ctx = t->ctx;
    timer_free(t);
    f(ctx);
}

struct peal_timer *peal_after(struct peal *p, uint64_t ms, void (*f)(void *ctx), void *ctx)
{
    struct loop *loop = wk_core_loop(p->core);
    struct peal_timer *t = x_calloc(1, sizeof(*t));
    uint64_t now = loop_now(loop);
    *t = (struct peal_timer){.entry.fire = on_timer, .p = p, .f = f, .ctx = ctx};
    DL_APPEND(p->timers, t);
    wheel_set(loop_wheel(loop), &t->entry, ms < WHEEL_NEVER - 1 - now ? now + ms : WHEEL_NEVER - 1);
    return t;
}

void peal_cancel(struct peal_timer *t)
{
    if (t) timer_free(t);
}

/* ---- replies */

struct peal_reply *peal_reply_later(struct peal_event *e)
{
    if (!peal_wants_ack(e) || !wk_job_claim_ack(e->job)) return NULL;
    struct peal_reply *r = x_calloc(1, sizeof(*r));
    const struct work_item *item = wk_job_item(e->job);
    struct work_item where = {.type = WORK_EVENT,
                              .nsp = item->nsp,
                              .sid = item->sid,
                              .gateway = item->gateway,
                              .serial = item->serial,
                              .ack_id = item->ack_id};
    r->p = e->p;
    r->item = work_item_new(&where);
    DL_APPEND(e->p->replies, r);
    return r;
}

void peal_reply_drop(struct peal_reply *r)
{
    if (!r) return;
    DL_DELETE(r->p->replies, r);
    x_free(r->item);
    x_free(r);
}

static bool send_ack(struct wk_core *core, const struct work_item *to, struct str_view json,
                     const struct str_view *v, unsigned n)
{
    struct bus *bus = wk_core_bus(core);
    struct buf bytes;
    struct node_cmd c = {.type = NODE_ACK,
                         .nsp = to->nsp,
                         .sid = to->sid,
                         .serial = to->serial,
                         .ack_id = to->ack_id,
                         .json = json,
                         .attachments = v,
                         .nattachments = n};
    buf_init(&bytes, (size_t)wk_core_cfg(core)->bus_max_message);
    bool ok = node_cmd_encode(&bytes, &c);
    if (ok) bus->ops->direct(bus, to->gateway, buf_view(&bytes), NULL, NULL);
    buf_fini(&bytes);
    return ok;
}

bool peal_reply_send(struct peal_reply *r, const char *json, const struct peal_binary *attachments,
                     size_t n)
{
    struct str_view v[WORK_ATTACHMENTS_MAX];
    struct wk_core *core = r->p->core;
    bool ok = wk_module_views(v, attachments, n) &&
              wk_job_may_ack(core, sv_of(json), (unsigned)n) &&
              send_ack(core, r->item, sv_of(json), v, (unsigned)n);
    if (ok) peal_reply_drop(r);
    return ok;
}

/* ---- emits */

bool peal_emit_now(struct peal *p, const struct peal_target *to, const char *json,
                   const struct peal_binary *attachments, size_t n)
{
    struct str_view v[WORK_ATTACHMENTS_MAX];
    struct wk_module_place place;
    struct bus *bus = wk_core_bus(p->core);
    bool ok = wk_module_place_init(&place, to, "/") && wk_module_views(v, attachments, n) &&
              wk_job_may_emit(p->core, place.nsp, &place.to, sv_of(json), (unsigned)n);
    if (ok) {
        struct bus_msg m = bus_msg_view(place.nsp, &place.to, sv_of(json), v, (unsigned)n);
        bus->ops->publish(bus, bus_msg_new(&m), NULL, NULL);
    }
    wk_module_place_fini(&place);
    return ok;
}

/* ---- questions */

/* One array of all answers; those to a fetch are arrays already, whose elements are taken. */
static bool join_answers(struct buf *out, const struct answers *a, bool is_fetch)
{
    size_t n = 0;
    bool fits = buf_add_char(out, '[');
    for (size_t i = 0; fits && i < a->nparts; i++) {
        struct json_iter it;
        struct str_view element = a->parts[i];
        if (is_fetch) json_iter_init(&it, a->parts[i]);
        while (fits && (!is_fetch || json_array_next(&it, &element))) {
            fits = (!n++ || buf_add_char(out, ',')) && buf_add_sv(out, element);
            if (!is_fetch) break;
        }
    }
    return fits && buf_add_char(out, ']');
}

static struct peal_answer *binaries_new(const struct answers *a, struct peal_binary **all)
{
    struct peal_answer *v = x_calloc(a->nparts + 1, sizeof(*v));
    size_t n = 0;
    for (size_t i = 0; i < a->nparts; i++)
        n += a->binary[i].n;
    *all = x_calloc(n + 1, sizeof(**all));
    n = 0;
    for (size_t i = 0; i < a->nparts; i++) {
        v[i] = (struct peal_answer){*all + n, a->binary[i].n};
        for (unsigned k = 0; k < a->binary[i].n; k++)
            (*all)[n++] = (struct peal_binary){a->binary[i].v[k].p, a->binary[i].v[k].n};
    }
    return v;
}

static void tell(struct wk_module_ask *ask, const struct answers *a)
{
    struct buf json;
    struct peal_binary *all = NULL;
    struct peal_answer *binary = ask->is_fetch || !a->binary ? NULL : binaries_new(a, &all);
    buf_init(&json, ANSWERS_MAX);
    bool fits = join_answers(&json, a, ask->is_fetch) && buf_cstr(&json);
    struct peal_answers told = {.json = fits ? json.p : "[]",
                                .count = fits && !ask->is_fetch ? a->nparts : 0,
                                .binary = binary,
                                .is_complete = fits && a->is_complete,
                                .why = fits ? a->why : "more than can be held"};
    ask->f(ask->ctx, &told);
    buf_fini(&json);
    x_free(binary);
    x_free(all);
}

static void on_answers(void *arg, const struct answers *a)
{
    struct wk_module_ask *ask = arg;
    if (ask->p) {
        DL_DELETE(ask->p->asks, ask);
        tell(ask, a);
    }
    x_free(ask);
}

static struct wk_module_ask *ask_new(struct peal *p, peal_answers_cb f, void *ctx, bool is_fetch)
{
    struct wk_module_ask *ask = x_calloc(1, sizeof(*ask));
    *ask = (struct wk_module_ask){.p = p, .f = f, .ctx = ctx, .is_fetch = is_fetch};
    DL_APPEND(p->asks, ask);
    return ask;
}

bool peal_emit_with_ack(struct peal *p, const struct peal_target *to, const char *json,
                        const struct peal_binary *attachments, size_t n, uint64_t timeout_ms,
                        peal_answers_cb f, void *ctx)
{
    struct str_view v[WORK_ATTACHMENTS_MAX];
    struct wk_module_place place;
    struct questions *qs = wk_core_questions(p->core);
    bool ok = wk_module_place_init(&place, to, "/") && wk_module_views(v, attachments, n) && qs &&
              wk_job_may_emit(p->core, place.nsp, &place.to, sv_of(json), (unsigned)n);
    if (ok)
        questions_broadcast(qs, place.nsp, &place.to, sv_of(json), v, (unsigned)n, timeout_ms,
                            on_answers, ask_new(p, f, ctx, false));
    wk_module_place_fini(&place);
    return ok;
}

bool peal_fetch(struct peal *p, const struct peal_target *which, uint64_t timeout_ms,
                peal_answers_cb f, void *ctx)
{
    struct wk_module_place place;
    struct questions *qs = wk_core_questions(p->core);
    bool ok =
        wk_module_place_init(&place, which, "/") && qs && wk_job_may_ask(place.nsp, &place.to);
    if (ok)
        questions_fetch(qs, place.nsp, &place.to, timeout_ms, on_answers, ask_new(p, f, ctx, true));
    wk_module_place_fini(&place);
    return ok;
}

void wk_module_now_end(struct peal *p)
{
    struct wk_module_ask *ask, *next;
    while (p->timers)
        timer_free(p->timers);
    while (p->replies)
        peal_reply_drop(p->replies);
    DL_FOREACH_SAFE(p->asks, ask, next)
    {
        DL_DELETE(p->asks, ask);
        ask->p = NULL; /* the questions still owe it an answer */
    }
}
