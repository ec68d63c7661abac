/* Acts gather during a turn, for each partition in one batch (or some, if they are many); a flush sends
 * them. What was on its way when the connection broke is sent again, in order: an entry that is away
 * already has no effects a second time, and if the lease is another's nothing happens at all.
 *
 * An item that the dead letters do not take stays where it is, and in hand, until they do. */

/* System */
#include <assert.h>
/* Util */
#include "util/x_alloc.h"
/* Worker */
#include "wk_stream_parts.h"

#define BATCH_ACTS 256u
#define BATCH_BYTES (4u << 20)
#define AGAIN_MS 500u /* until the dead letters are asked once more */

static void batch_free(struct wk_batch *b, bool tells)
{
    for (size_t i = 0; i < b->n; i++) {
        struct wk_act *a = &b->v[i];
        if (tells && a->step_cb) a->step_cb(a->step_arg, WK_STEP_REFUSED);
        wk_result_fini(&a->result);
        x_free(a->why);
    }
    x_free(b->v);
    x_free(b);
}

/* The partition's gathered acts are to be sent. */
static void enqueue(struct wk_stream *s, struct wk_stream_part *part)
{
    struct wk_batch *b = part->queued;
    part->queued = NULL;
    *s->out_last = b;
    s->out_last = &b->next;
}

struct wk_act *wk_stream_act(struct wk_stream *s, unsigned partition, enum wk_act_kind kind,
                             struct wk_place place, struct wk_result *r)
{
    struct wk_stream_part *part = &s->parts[partition];
    struct wk_batch *b = part->queued;
    if (b && (b->n == BATCH_ACTS || b->bytes > BATCH_BYTES)) {
        enqueue(s, part);
        b = NULL;
    }
    if (!b) {
        b = part->queued = x_calloc(1, sizeof(*b));
        b->partition = partition;
        b->epoch = part->epoch;
        part->cap = 0;
    }
    if (b->n == part->cap) {
        part->cap = part->cap ? part->cap * 2 : 4;
        b->v = x_realloc(b->v, part->cap * sizeof(*b->v));
    }
    struct wk_act *a = &b->v[b->n++];
    *a = (struct wk_act){.kind = kind, .place = place};
    if (!r) return a;
    a->result = *r;
    b->bytes += r->bytes;
    wk_result_init(r);
    return a;
}

static bool is_current(const struct wk_stream *s, const struct wk_batch *b)
{
    const struct wk_stream_part *part = &s->parts[b->partition];
    return part->is_open && part->epoch == b->epoch;
}

static void send_again(struct wk_stream *s)
{
    if (!s->again || s->store->ops->now(s->store) < s->again_at) return;
    *s->out_last = s->again;
    while (*s->out_last)
        s->out_last = &(*s->out_last)->next;
    s->again = NULL;
}

void wk_stream_send(struct wk_stream *s)
{
    send_again(s);
    for (unsigned p = 0; p < s->set.partitions; p++)
        if (s->parts[p].queued) enqueue(s, &s->parts[p]);
    for (struct wk_batch *b = s->out; b && s->store->ops->is_up(s->store); b = b->next) {
        if (b->is_sent) continue;
        b->is_sent = true;
        s->store->ops->act(s->store, b);
    }
}

/* ---- answers */

static void take_out(struct wk_stream *s, struct wk_batch *b)
{
    struct wk_batch **at = &s->out;
    while (*at && *at != b)
        at = &(*at)->next;
    assert(*at);
    *at = b->next;
    if (s->out_last == &b->next) s->out_last = at;
}

static void count_fenced(struct wk_stream *s, const struct wk_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        enum wk_act_kind kind = b->v[i].kind;
        s->feed.stats.fenced += kind == WK_ACT_FINISH || kind == WK_ACT_BURY || kind == WK_ACT_STEP;
    }
}

/* Takes what the act has. */
static void keep(struct wk_stream *s, const struct wk_batch *b, struct wk_act *a)
{
    struct wk_batch *kept = x_calloc(1, sizeof(*kept));
    if (!s->again) s->again_at = s->store->ops->now(s->store) + AGAIN_MS;
    kept->partition = b->partition;
    kept->epoch = b->epoch;
    kept->n = 1;
    kept->bytes = a->result.bytes;
    kept->v = x_calloc(1, sizeof(*kept->v));
    kept->v[0] = *a;
    wk_result_init(&a->result);
    a->why = NULL;
    kept->next = s->again;
    s->again = kept;
}

static void take_result(struct wk_stream *s, const struct wk_batch *b, struct wk_act *a,
                        int64_t result)
{
    wk_step_cb cb = a->step_cb;
    a->step_cb = NULL;
    if (result < 0) {
        if (is_current(s, b)) keep(s, b, a);
        return;
    }
    switch (a->kind) {
    case WK_ACT_STEP:
        cb(a->step_arg, result > 1    ? WK_STEP_TAKEN
                        : result == 1 ? WK_STEP_NOBODY
                                      : WK_STEP_REFUSED);
        if (result > 0) return;
        break; /* the entry is away: so it is out of hand */
    case WK_ACT_NOTE:
        if (is_current(s, b)) wk_stream_on_noted(s, b->partition, result);
        return;
    case WK_ACT_SIFT:
        if (is_current(s, b)) wk_stream_sift_over(s, b->partition, result);
        return;
    case WK_ACT_TELL: return;
    case WK_ACT_FINISH: s->feed.stats.finished++; break;
    case WK_ACT_BURY: s->feed.stats.buried++; break;
    }
    if (is_current(s, b)) wk_stream_release(s, b->partition, a->place);
}

void wk_stream_on_acted(void *arg, struct wk_batch *b, enum wk_acted how, const int64_t *results)
{
    struct wk_stream *s = arg;
    assert(b->is_sent);
    b->is_sent = false;
    if (how == WK_ACT_LOST && is_current(s, b)) return; /* is sent again */
    take_out(s, b);
    for (size_t i = 0; i < b->n && how == WK_ACTED; i++)
        take_result(s, b, &b->v[i], results[i]);
    if (how != WK_ACTED) count_fenced(s, b);
    if (how == WK_FENCED) wk_lease_was_fenced(s->lease, b->partition, b->epoch);
    batch_free(b, true);
}

void wk_stream_drop_acts(struct wk_stream *s, unsigned partition)
{
    struct wk_stream_part *part = &s->parts[partition];
    if (part->queued) enqueue(s, part);
    for (struct wk_batch *b = s->out, *next; b; b = next) {
        next = b->next;
        if (b->partition != partition || b->is_sent) continue;
        take_out(s, b);
        count_fenced(s, b);
        batch_free(b, true);
    }
    for (struct wk_batch **at = &s->again, *b; (b = *at) != NULL;) {
        if (b->partition != partition) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        count_fenced(s, b);
        batch_free(b, true);
    }
}

void wk_stream_refuse(struct wk_stream *s, wk_step_cb cb, void *arg)
{
    struct wk_batch *b = x_calloc(1, sizeof(*b));
    b->v = x_calloc(1, sizeof(*b->v));
    b->n = 1;
    b->v[0] = (struct wk_act){.kind = WK_ACT_STEP, .step_cb = cb, .step_arg = arg};
    b->next = s->refused;
    s->refused = b;
}

bool wk_stream_tell_refused(struct wk_stream *s)
{
    struct wk_batch *list = s->refused, *next;
    s->refused = NULL;
    for (struct wk_batch *b = list; b; b = next) {
        next = b->next;
        batch_free(b, true);
    }
    return s->refused != NULL;
}

static void free_list(struct wk_batch *b)
{
    for (struct wk_batch *next; b; b = next) {
        next = b->next;
        batch_free(b, false);
    }
}

void wk_stream_out_fini(struct wk_stream *s)
{
    for (unsigned p = 0; p < s->set.partitions; p++)
        if (s->parts[p].queued) enqueue(s, &s->parts[p]);
    free_list(s->out);
    free_list(s->again);
    free_list(s->refused);
}
