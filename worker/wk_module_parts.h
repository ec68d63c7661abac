/* What the wk_module*.c share; nobody else includes it. */
#ifndef PEAL_WK_MODULE_PARTS_H
#define PEAL_WK_MODULE_PARTS_H

#include "peal_handler.h"
#include "util/wheel.h"
#include "wk_core.h"
#include "wk_module.h"

struct wk_module_hook {
    enum work_type type;
    char *nsp, *event; /* patterns; event NULL unless type is WORK_EVENT */
    peal_handler f;
    void *ctx;
};

/* A question's asker; lives until the answer has come, p is NULL if the module has gone before. */
struct wk_module_ask {
    struct peal *p;
    struct wk_module_ask *prev, *next;
    peal_answers_cb f;
    void *ctx;
    bool is_fetch;
};

struct peal_timer {
    struct wheel_entry entry; /* first */
    struct peal *p;
    struct peal_timer *prev, *next;
    void (*f)(void *ctx);
    void *ctx;
};

struct peal_reply {
    struct peal *p;
    struct peal_reply *prev, *next;
    struct work_item *item; /* nothing is read of it but where the ack goes */
};

/* One module. */
struct peal {
    struct wk_core *core;
    void *library;
    const struct peal_module *module;
    void *user_data;
    bool starts; /* may register */
    struct wk_module_hook *hooks;
    size_t nhooks;
    struct peal_event *events; /* all, to be freed with the module */
    struct peal_timer *timers;
    struct peal_reply *replies;
    struct wk_module_ask *asks;
};

enum wk_module_text {
    TEXT_ID,
    TEXT_NAME,
    TEXT_NSP,
    TEXT_SID,
    TEXT_USER,
    TEXT_CLAIMS,
    TEXT_DATA,
    TEXT_ARGS,
    TEXT_AUTH,
    TEXT_ADDRESS,
    TEXT_TRANSPORT,
    TEXT_REASON,
    TEXTS,
};

struct peal_event {
    struct peal *p;
    struct peal_event *prev, *next;
    struct wk_job *job;
    bool is_held, is_void;
    bool runs; /* its handler has not returned yet */
    bool has_ended;
    char *texts[TEXTS]; /* with the NUL that the item's have not; made when asked for */
    char **args;        /* the same for single arguments, nargs of them */
    size_t nargs;
    bool has_args;
    struct peal_binary *binary;
    struct json_t **parsed; /* owned */
    size_t nparsed;
    struct json_t *args_json; /* one of those; NULL: not asked for */
    char *why;
};

/* wk_module_event.c */
struct peal_event *wk_module_event_new(struct peal *p, struct wk_job *job);
void wk_module_event_free(struct peal_event *e);

/* wk_module_json.c */
void wk_module_json_free(struct peal_event *e);

/* wk_module_effect.c */

/* A target in the bus's words. */
struct wk_module_place {
    struct bus_target to;
    struct str_view nsp;
    struct str_view *names; /* rooms, then except */
    char *user;             /* the room of a user */
};
/* False: too many names. Either way to be ended with wk_module_place_fini(). nsp: where the target
 * does not say. */
bool wk_module_place_init(struct wk_module_place *place, const struct peal_target *target,
                          const char *nsp) MUST_CHECK;
void wk_module_place_fini(struct wk_module_place *place);
/* Views of binaries, as many as an item may have. False: there are more. */
bool wk_module_views(struct str_view v[WORK_ATTACHMENTS_MAX], const struct peal_binary *binary,
                     size_t n) MUST_CHECK;

/* wk_module_now.c: timers, replies and questions of a module that goes. */
void wk_module_now_end(struct peal *p);

#endif
