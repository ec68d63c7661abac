/* What a module reads of an event. The item's texts have no NUL behind them; they are copied when
 * they are asked for. */

/* Third party */
#include <utlist.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* This process */
#include "wk_module_parts.h"

struct peal_event *wk_module_event_new(struct peal *p, struct wk_job *job)
{
    struct peal_event *e = x_calloc(1, sizeof(*e));
    e->p = p;
    e->job = job;
    DL_APPEND(p->events, e);
    return e;
}

void wk_module_event_free(struct peal_event *e)
{
    DL_DELETE(e->p->events, e);
    for (size_t i = 0; i < TEXTS; i++)
        x_free(e->texts[i]);
    for (size_t i = 0; i < e->nargs; i++)
        x_free(e->args[i]);
    wk_module_json_free(e);
    x_free(e->args);
    x_free(e->binary);
    x_free(e->why);
    x_free(e);
}

static const struct work_item *item_of(const struct peal_event *e)
{
    return wk_job_item(e->job);
}

static const char *text_of(struct peal_event *e, enum wk_module_text which, struct str_view v)
{
    if (!e->texts[which]) e->texts[which] = x_memdup(v.n ? v.p : "", v.n);
    return e->texts[which];
}

struct peal *peal_of(const struct peal_event *e)
{
    return e->p;
}

const char *peal_event_id(struct peal_event *e)
{
    return text_of(e, TEXT_ID, item_of(e)->id);
}

unsigned peal_event_attempt(const struct peal_event *e)
{
    return wk_job_attempt(e->job);
}

uint64_t peal_event_time(const struct peal_event *e)
{
    return item_of(e)->time_ms;
}

const char *peal_event_name(struct peal_event *e)
{
    return text_of(e, TEXT_NAME, item_of(e)->event);
}

const char *peal_nsp(struct peal_event *e)
{
    return text_of(e, TEXT_NSP, item_of(e)->nsp);
}

const char *peal_sid(struct peal_event *e)
{
    return text_of(e, TEXT_SID, item_of(e)->sid);
}

const char *peal_user(struct peal_event *e)
{
    return text_of(e, TEXT_USER, item_of(e)->user);
}

const char *peal_claims(struct peal_event *e)
{
    return text_of(e, TEXT_CLAIMS, item_of(e)->claims);
}

const char *peal_data(struct peal_event *e)
{
    return text_of(e, TEXT_DATA, item_of(e)->data);
}

const char *peal_auth(struct peal_event *e)
{
    struct str_view auth = item_of(e)->auth;
    return text_of(e, TEXT_AUTH, auth.n ? auth : SV("{}"));
}

const char *peal_address(struct peal_event *e)
{
    return text_of(e, TEXT_ADDRESS, item_of(e)->address);
}

const char *peal_transport(struct peal_event *e)
{
    return text_of(e, TEXT_TRANSPORT, item_of(e)->transport);
}

const char *peal_reason(struct peal_event *e)
{
    return text_of(e, TEXT_REASON, item_of(e)->reason);
}

bool peal_wants_ack(const struct peal_event *e)
{
    return item_of(e)->type == WORK_EVENT && item_of(e)->wants_ack;
}

bool peal_asks(const struct peal_event *e)
{
    return item_of(e)->type == WORK_CONNECT && item_of(e)->asks;
}

/* ---- arguments */

const char *peal_args(struct peal_event *e, size_t *size)
{
    struct str_view args = item_of(e)->args;
    if (!args.n) args = SV("[]");
    if (size) *size = args.n;
    return text_of(e, TEXT_ARGS, args);
}

static void split_args(struct peal_event *e)
{
    struct json_iter it;
    struct str_view element;
    size_t n = 0;
    if (e->has_args) return;
    e->has_args = true;
    if (!item_of(e)->args.n) return;
    for (json_iter_init(&it, item_of(e)->args); json_array_next(&it, &element);)
        n++;
    e->args = x_calloc(n + 1, sizeof(char *));
    json_iter_init(&it, item_of(e)->args);
    if (!json_array_next(&it, &element)) return; /* the name */
    while (json_array_next(&it, &element))
        e->args[e->nargs++] = x_memdup(element.p, element.n);
}

const char *peal_arg(struct peal_event *e, size_t i)
{
    split_args(e);
    return i < e->nargs ? e->args[i] : NULL;
}

size_t peal_arg_count(struct peal_event *e)
{
    split_args(e);
    return e->nargs;
}

const struct peal_binary *peal_attachments(struct peal_event *e, size_t *n)
{
    const struct work_item *item = item_of(e);
    *n = item->nattachments;
    if (!*n) return NULL;
    if (!e->binary) {
        e->binary = x_calloc(*n, sizeof(*e->binary));
        for (size_t i = 0; i < *n; i++)
            e->binary[i] = (struct peal_binary){item->attachments[i].p, item->attachments[i].n};
    }
    return e->binary;
}
