/* Design notes
 *
 * - A socket that is being admitted is in no room yet. What is to be done with it then waits behind
 *   its admission: both wait for the bus (sync), which tells in the order of asking. What comes for it
 *   later stays behind what waits.
 * - SYNC is answered when the bus hears what all commands before it wished for. If some of them wait,
 *   that is in two rounds: the first one carries them out, the second hears what they wished for.
 * - What waits is bounded in bytes, whoever sends. */

/* System */
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_node_cmd.h"
#include "gw_socket.h"

#define WAITER_COST 128 /* bytes that one more counts for beside its own */
#define LOG_EVERY 10000 /* ms; anybody who reaches Redis can cause it */
#define WAITERS_MAX 255 /* commands that wait for one socket */
#define ANSWER_MAX 64   /* bytes of a SYNCED */

struct gw_node_cmds {
    gw_node_cmd_cb on_answer;
    void (*on_synced)(uint64_t token, void *arg);
    void *synced_arg;
    size_t waiting, waiting_bytes; /* commands, and what they and the SYNCs count for */
    uint64_t bad_logged_at;
};

/* ---- what may wait */

static bool may_wait(const struct gateway *gw, size_t bytes)
{
    size_t max = (size_t)gw->cfg->bus_pending_max_bytes;
    return gw->node_cmds->waiting_bytes + WAITER_COST + bytes <= max;
}

static void wait_for_bus(struct gateway *gw, size_t bytes, bus_done_cb done, void *arg)
{
    gw->node_cmds->waiting_bytes += WAITER_COST + bytes;
    gw->bus_waits = true;
    gw->bus->ops->sync(gw->bus, done, arg);
}

static void has_waited(struct gateway *gw, size_t bytes)
{
    gw->node_cmds->waiting_bytes -= WAITER_COST + bytes;
}

/* ---- one command about one socket */

/* PENDING ones, too. */
static struct gw_socket *find(struct gateway *gw, const struct node_cmd *c)
{
    struct gw_nsp *n = gw_nsp_find(gw, c->nsp);
    struct gw_socket *s = NULL;
    if (n) HASH_FIND(hh, n->by_id, c->sid.p, c->sid.n, s);
    return s && s->serial == c->serial ? s : NULL;
}

static void refuse(struct gw_socket *s, const char *what)
{
    struct log_line l;
    s->conn->gw->count.node_cmds_refused++;
    if (!log_wants(LOG_DEBUG)) return;
    log_begin(&l, LOG_DEBUG, "a worker's command cannot be carried out");
    log_kv(&l, "sid", gw_socket_id(s));
    log_kv_c(&l, "what", what);
    log_end(&l);
}

static void join(struct gw_socket *s, const struct node_cmd *c)
{
    for (unsigned i = 0; i < c->nrooms; i++)
        if (!gw_socket_join(s, c->rooms[i])) refuse(s, "join");
}

static void leave(struct gw_socket *s, const struct node_cmd *c)
{
    for (unsigned i = 0; i < c->nrooms; i++)
        gw_socket_leave(s, c->rooms[i]);
}

static void carry_out(struct gw_socket *s, const struct node_cmd *c)
{
    s->conn->gw->count.node_cmds++;
    switch (c->type) {
    case NODE_ACK: gw_socket_ack(s, c->ack_id, c->json, c->attachments, c->nattachments); break;
    case NODE_JOIN: join(s, c); break;
    case NODE_LEAVE: leave(s, c); break;
    case NODE_DISCONNECT: gw_socket_disconnect(s, c->close); break;
    case NODE_DATA:
        if (!gw_socket_set_data(s, c->json)) refuse(s, "data");
        break;
    case NODE_ADMIT:
    case NODE_REFUSE:
    case NODE_SYNC:
    case NODE_SYNCED: break; /* not about a socket that is in */
    }
}

/* ---- a command that waits until its socket is in */

struct waiter {
    struct gateway *gw;
    size_t n;
    char bytes[]; /* the command as it came */
};

static void on_waited(enum bus_outcome outcome, void *arg)
{
    struct waiter *w = arg;
    struct gateway *gw = w->gw;
    struct str_view bytes = sv_make(w->bytes, w->n);
    struct node_cmd_space space;
    struct node_cmd c;
    const char *why;
    bool is_read = node_cmd_next(&bytes, &c, &space, &why); /* as it was before */
    struct gw_socket *s = is_read ? find(gw, &c) : NULL;
    gw->node_cmds->waiting--;
    has_waited(gw, w->n);
    if (s) s->nwaiting--;
    if (s && outcome == BUS_TAKEN && s->state == GW_SOCKET_READY)
        carry_out(s, &c);
    else
        gw->count.node_cmds_void++;
    x_free(w);
}

static void wait_behind_admission(struct gw_socket *s, struct str_view bytes)
{
    struct gateway *gw = s->conn->gw;
    if (s->nwaiting == WAITERS_MAX || !may_wait(gw, bytes.n)) {
        refuse(s, "too much waits");
        return;
    }
    struct waiter *w = x_malloc(sizeof(*w) + bytes.n);
    *w = (struct waiter){.gw = gw, .n = bytes.n};
    memcpy(w->bytes, bytes.p, bytes.n);
    s->nwaiting++;
    gw->node_cmds->waiting++;
    wait_for_bus(gw, bytes.n, on_waited, w);
}

static void on_socket_cmd(struct gateway *gw, const struct node_cmd *c, struct str_view bytes)
{
    struct gw_socket *s = find(gw, c);
    if (s && (s->is_admitting || s->nwaiting))
        wait_behind_admission(s, bytes);
    else if (s && s->state == GW_SOCKET_READY)
        carry_out(s, c);
    else
        gw->count.node_cmds_void++;
}

/* ---- does the bus hear it all? */

struct sync {
    struct gateway *gw;
    uint64_t token;
    bool again; /* commands before it wait: one more round */
    size_t from_len;
    char from[];
};

static void say_synced(struct gateway *gw, struct str_view to, uint64_t token)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    if (node_cmd_encode(&out, &(struct node_cmd){.type = NODE_SYNCED, .token = token}))
        gw->bus->ops->direct(gw->bus, to, buf_view(&out), NULL, NULL);
    gw->bus_waits = true;
    buf_fini(&out);
}

/* Not heard in time: who asks has a time-out of its own. */
static void on_heard(enum bus_outcome outcome, void *arg)
{
    struct sync *y = arg;
    struct gateway *gw = y->gw;
    has_waited(gw, y->from_len);
    if (outcome == BUS_TAKEN && y->again && !gw->bus->ops->is_synced(gw->bus)) {
        y->again = false;
        wait_for_bus(gw, y->from_len, on_heard, y);
        return;
    }
    if (outcome == BUS_TAKEN) say_synced(gw, sv_make(y->from, y->from_len), y->token);
    x_free(y);
}

static void on_sync(struct gateway *gw, const struct node_cmd *c)
{
    bool waits = gw->node_cmds->waiting > 0;
    bool is_heard = !waits && gw->bus->ops->is_synced(gw->bus);
    if (!is_heard && !may_wait(gw, c->from.n)) {
        gw->count.node_cmds_refused++;
        return;
    }
    gw->count.node_cmds++;
    if (is_heard) {
        say_synced(gw, c->from, c->token);
        return;
    }
    struct sync *y = x_malloc(sizeof(*y) + c->from.n);
    *y = (struct sync){.gw = gw, .token = c->token, .again = waits, .from_len = c->from.n};
    memcpy(y->from, c->from.p, c->from.n);
    wait_for_bus(gw, c->from.n, on_heard, y);
}

/* ---- commands for others */

static void on_answer(struct gateway *gw, const struct node_cmd *c)
{
    if (gw->node_cmds->on_answer)
        gw->node_cmds->on_answer(gw, c);
    else
        gw->count.node_cmds_void++;
}

static void on_synced(struct gateway *gw, const struct node_cmd *c)
{
    const struct gw_node_cmds *n = gw->node_cmds;
    if (n->on_synced)
        n->on_synced(c->token, n->synced_arg);
    else
        gw->count.node_cmds_void++;
}

void gw_node_cmd_on_answer(struct gateway *gw, gw_node_cmd_cb cb)
{
    gw->node_cmds->on_answer = cb;
}

void gw_node_cmd_on_synced(struct gateway *gw, void (*cb)(uint64_t token, void *arg), void *arg)
{
    gw->node_cmds->on_synced = cb;
    gw->node_cmds->synced_arg = arg;
}

/* ---- a message */

static void bad(struct gateway *gw, const char *why)
{
    struct log_line l;
    uint64_t now = loop_now(gw->loop), *at = &gw->node_cmds->bad_logged_at;
    gw->count.node_cmds_bad++;
    gw->bus->stats.bad++;
    if (*at && now - *at < LOG_EVERY) return;
    *at = now;
    log_begin(&l, LOG_WARN, "a message for this node is not readable");
    log_kv_c(&l, "why", why);
    log_kv_u64(&l, "bad", gw->count.node_cmds_bad);
    log_end(&l);
}

static void on_cmd(struct gateway *gw, const struct node_cmd *c, struct str_view bytes)
{
    switch (c->type) {
    case NODE_ACK:
    case NODE_JOIN:
    case NODE_LEAVE:
    case NODE_DISCONNECT:
    case NODE_DATA: on_socket_cmd(gw, c, bytes); break;
    case NODE_ADMIT:
    case NODE_REFUSE: on_answer(gw, c); break;
    case NODE_SYNC: on_sync(gw, c); break;
    case NODE_SYNCED: on_synced(gw, c); break;
    }
}

void gw_node_cmd_on_direct(struct str_view bytes, void *arg)
{
    struct gateway *gw = arg;
    struct node_cmd_space space;
    struct node_cmd c;
    struct str_view rest = bytes;
    const char *why;
    bool is_empty = bytes.n == 0;
    while (node_cmd_next(&rest, &c, &space, &why)) {
        on_cmd(gw, &c, sv_make(bytes.p, (size_t)(rest.p - bytes.p)));
        bytes = rest;
    }
    if (why || is_empty) bad(gw, is_empty ? "empty" : why);
}

/* ---- life */

void gw_node_cmd_open(struct gateway *gw)
{
    gw->node_cmds = x_calloc(1, sizeof(*gw->node_cmds));
}

void gw_node_cmd_close(struct gateway *gw)
{
    x_free(gw->node_cmds);
    gw->node_cmds = NULL;
}
