/* What wk_server.c and wk_admin.c share. Nobody else includes this. */
#ifndef PEAL_WK_WORKER_H
#define PEAL_WK_WORKER_H

#include "cluster/questions.h"
#include "io/admin.h"
#include "util/id.h"
#include "wk_core.h"
#include "wk_http.h"
#include "wk_server.h"

struct worker {
    const struct cfg *cfg;
    struct loop *loop;
    char uid[ID_NODE_LEN];
    struct bus *bus;
    struct questions *questions;
    struct wk_core *core;
    struct wk_feed *feed;       /* the core's */
    const struct wk_http *http; /* the core's; NULL: no backends */
    struct admin *admin;        /* NULL: none */
    bool is_stopping;
};

/* Opens the admin port, if there is one. False with *err filled. */
bool wk_admin_open(struct worker *w, struct cfg_error *err);

#endif
