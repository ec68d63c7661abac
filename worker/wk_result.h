/* What handling an item has brought about so far: effects in the order the handler asked for them.
 * They leave together with the item's acknowledgment (see wk_feed.h), or not at all. */
#ifndef PEAL_WK_RESULT_H
#define PEAL_WK_RESULT_H

#include "cluster/bus.h"
#include "cluster/node_cmd.h"
#include "cluster/work_item.h"

enum wk_effect_type {
    WK_PUBLISH, /* a broadcast */
    WK_REQUEST, /* to all nodes, without answers: remote join, leave, disconnect */
    WK_DIRECT,  /* commands for a gateway */
};

struct wk_effect {
    enum wk_effect_type type;
    union {
        struct bus_msg *msg;         /* one reference */
        struct bus_request *request; /* owned */
        struct {
            char *node; /* the gateway's uid; owned */
            size_t node_len;
            struct buf bytes; /* node_cmds, encoded */
        } direct;
    };
};

struct wk_result {
    struct wk_effect *v;
    size_t n, cap;
    size_t bytes; /* about; bounded by WK_RESULT_BYTES_MAX */
};

#define WK_RESULT_EFFECTS_MAX 1000 /* of one item */
#define WK_RESULT_BYTES_MAX (16u << 20)

void wk_result_init(struct wk_result *r);
void wk_result_fini(struct wk_result *r);
/* Each copies. False: one of the bounds above is reached. max: the bytes of a message, beyond which
 * a command begins another one; false if it is larger by itself. */
bool wk_result_publish(struct wk_result *r, const struct bus_msg *m) MUST_CHECK;
bool wk_result_request(struct wk_result *r, const struct bus_request *q) MUST_CHECK;
bool wk_result_direct(struct wk_result *r, struct str_view node, const struct node_cmd *c,
                      size_t max) MUST_CHECK;
/* Tells who waits for the item that it has failed: {"status":"error",…} for its ack, or a connect's
 * refusal. Nothing if nobody waits, or no message takes it. code, message: words. */
void wk_result_error(struct wk_result *r, const struct work_item *item, const char *code,
                     const char *message, size_t max);

#endif
