/* A command for the gateway that the effect before it goes to is appended to that one, as long as it
 * fits: it is one message then, and order is kept. */

/* System */
#include <stdio.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Worker */
#include "wk_result.h"

/* What an effect counts for beside its texts. */
#define EFFECT_COST 256u

void wk_result_init(struct wk_result *r)
{
    *r = (struct wk_result){0};
}

static void release(struct wk_effect *e)
{
    switch (e->type) {
    case WK_PUBLISH: bus_msg_rele(e->msg); break;
    case WK_REQUEST: x_free(e->request); break;
    case WK_DIRECT:
        x_free(e->direct.node);
        buf_fini(&e->direct.bytes);
        break;
    }
}

void wk_result_fini(struct wk_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        release(&r->v[i]);
    x_free(r->v);
    wk_result_init(r);
}

static size_t size_of_list(const struct str_view *v, unsigned n)
{
    size_t size = n * sizeof(*v);
    for (unsigned i = 0; i < n; i++)
        size += v[i].n;
    return size;
}

static bool has_room(const struct wk_result *r, size_t bytes)
{
    return r->n < WK_RESULT_EFFECTS_MAX && bytes <= WK_RESULT_BYTES_MAX - r->bytes;
}

static struct wk_effect *add(struct wk_result *r, enum wk_effect_type type, size_t bytes)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 4;
        r->v = x_realloc(r->v, r->cap * sizeof(*r->v));
    }
    struct wk_effect *e = &r->v[r->n++];
    memset(e, 0, sizeof(*e));
    e->type = type;
    r->bytes += bytes;
    return e;
}

bool wk_result_publish(struct wk_result *r, const struct bus_msg *m)
{
    size_t bytes = EFFECT_COST + m->nsp.n + m->json.n + size_of_list(m->rooms, m->nrooms) +
                   size_of_list(m->except, m->nexcept) +
                   size_of_list(m->attachments, m->nattachments);
    if (!has_room(r, bytes)) return false;
    add(r, WK_PUBLISH, bytes)->msg = bus_msg_new(m);
    return true;
}

bool wk_result_request(struct wk_result *r, const struct bus_request *q)
{
    size_t bytes = EFFECT_COST + q->nsp.n + q->uid.n + q->id.n + q->sid.n + q->json.n +
                   size_of_list(q->rooms, q->nrooms) + size_of_list(q->except, q->nexcept) +
                   size_of_list(q->targets, q->ntargets) +
                   size_of_list(q->attachments, q->nattachments);
    if (!has_room(r, bytes)) return false;
    add(r, WK_REQUEST, bytes)->request = bus_request_new(q);
    return true;
}

static bool append(struct wk_result *r, struct wk_effect *e, const struct node_cmd *c, size_t max)
{
    size_t before = e->direct.bytes.n, room = before + WK_RESULT_BYTES_MAX - r->bytes;
    e->direct.bytes.max = room < max ? room : max;
    if (!node_cmd_encode(&e->direct.bytes, c)) return false;
    r->bytes += e->direct.bytes.n - before;
    return true;
}

static bool is_for(const struct wk_effect *e, struct str_view node)
{
    return e->type == WK_DIRECT && sv_eq(sv_make(e->direct.node, e->direct.node_len), node);
}

bool wk_result_direct(struct wk_result *r, struct str_view node, const struct node_cmd *c,
                      size_t max)
{
    if (r->n && is_for(&r->v[r->n - 1], node) && append(r, &r->v[r->n - 1], c, max)) return true;
    if (!has_room(r, EFFECT_COST + node.n)) return false;
    struct wk_effect *e = add(r, WK_DIRECT, EFFECT_COST + node.n);
    e->direct.node = x_memdup(node.p, node.n);
    e->direct.node_len = node.n;
    buf_init(&e->direct.bytes, max);
    if (append(r, e, c, max)) return true;
    r->bytes -= EFFECT_COST + node.n;
    release(e);
    r->n--;
    return false;
}

void wk_result_error(struct wk_result *r, const struct work_item *item, const char *code,
                     const char *message, size_t max)
{
    char text[256];
    int n = snprintf(text, sizeof(text),
                     "[{\"status\":\"error\",\"code\":\"%s\",\"message\":\"%s\"}]", code, message);
    struct node_cmd c = {.type = NODE_ACK,
                         .nsp = item->nsp,
                         .sid = item->sid,
                         .serial = item->serial,
                         .ack_id = item->ack_id,
                         .json = sv_make(text, (size_t)n)};
    bool asks = item->type == WORK_CONNECT && item->asks;
    if (asks) c.type = NODE_REFUSE;
    if (asks) c.json = SV("{\"message\":\"not available\"}");
    if (asks || (item->type == WORK_EVENT && item->wants_ack))
        (void)!wk_result_direct(r, item->gateway, &c, max);
}
