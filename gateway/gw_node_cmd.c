/* Design notes
 *
 * - A socket that is being admitted is in no room yet. What is to be done with it then waits behind
 *   its admission: both wait for the bus (sync), which tells in the order of asking. What comes for it
 *   later stays behind what waits.
 * - SYNC is answered when the bus hears what all commands before it wished for. If some of them wait,
 *   that is in two rounds: the first one carries them out, the second hears what they wished for.
 * - What waits is bounded in bytes, whoever sends. */

/* System */
#include <assert.h>
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
    size_t waiting, waiting_bytes; /* commands about sockets; what they and the SYNCs count for */
    uint64_t bad_logged_at;
};

/* ---- what waits for the bus */

/* A command, as it came. */
struct waiter {
    struct gateway *gw;
    bool again; /* SYNC: commands before it wait; one more round */
    size_t n;
    char bytes[];
};

/* NULL: too much waits. Gives: waiter_free. */
static struct waiter *waiter_new(struct gateway *gw, struct str_view bytes)
{
    size_t max = (size_t)gw->cfg->bus_pending_max_bytes;
    if (gw->node_cmds->waiting_bytes + WAITER_COST + bytes.n > max) return NULL;
    struct waiter *w = x_malloc(sizeof(*w) + bytes.n);
    *w = (struct waiter){.gw = gw, .n = bytes.n};
    memcpy(w->bytes, bytes.p, bytes.n);
    gw->node_cmds->waiting_bytes += WAITER_COST + bytes.n;
    return w;
}

static void waiter_free(struct waiter *w)
{
    w->gw->node_cmds->waiting_bytes -= WAITER_COST + w->n;
    x_free(w);
}

static void wait_for_bus(struct waiter *w, bus_done_cb done)
{
    w->gw->bus_waits = true;
    w->gw->bus->ops->sync(w->gw->bus, done, w);
}

/* It is read as it was before. */
static void read_again(const struct waiter *w, struct node_cmd *c, struct node_cmd_space *space)
{
    struct str_view bytes = sv_make(w->bytes, w->n);
    const char *why;
    bool is_read = node_cmd_next(&bytes, c, space, &why);
    assert(is_read);
    (void)is_read;
}

/* ---- one command about one socket */

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

static void on_waited(enum bus_outcome outcome, void *arg)
{
    struct waiter *w = arg;
    struct gateway *gw = w->gw;
    struct node_cmd_space space;
    struct node_cmd c;
    read_again(w, &c, &space);
    struct gw_socket *s = gw_socket_find_same(gw, c.nsp, c.sid, c.serial);
    gw->node_cmds->waiting--;
    if (s) s->nwaiting--;
    if (s && outcome == BUS_TAKEN && s->state == GW_SOCKET_READY)
        carry_out(s, &c);
    else
        gw->count.node_cmds_void++;
    waiter_free(w);
}

static void wait_behind_admission(struct gw_socket *s, struct str_view bytes)
{
    struct gateway *gw = s->conn->gw;
    struct waiter *w = s->nwaiting == WAITERS_MAX ? NULL : waiter_new(gw, bytes);
    if (!w) {
        refuse(s, "too much waits");
        return;
    }
    s->nwaiting++;
    gw->node_cmds->waiting++;
    wait_for_bus(w, on_waited);
}

static void on_socket_cmd(struct gateway *gw, const struct node_cmd *c, struct str_view bytes)
{
    struct gw_socket *s = gw_socket_find_same(gw, c->nsp, c->sid, c->serial);
    if (s && (s->is_admitting || s->nwaiting))
        wait_behind_admission(s, bytes);
    else if (s && s->state == GW_SOCKET_READY)
        carry_out(s, c);
    else
        gw->count.node_cmds_void++;
}

/* ---- does the bus hear it all? */

static void say_synced(struct gateway *gw, const struct node_cmd *c)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    if (node_cmd_encode(&out, &(struct node_cmd){.type = NODE_SYNCED, .token = c->token}))
        gw->bus->ops->direct(gw->bus, c->from, buf_view(&out), NULL, NULL);
    gw->bus_waits = true;
    buf_fini(&out);
}

/* Not heard in time: who asks has a time-out of its own. */
static void on_heard(enum bus_outcome outcome, void *arg)
{
    struct waiter *w = arg;
    struct bus *bus = w->gw->bus;
    struct node_cmd_space space;
    struct node_cmd c;
    if (outcome == BUS_TAKEN && w->again && !bus->ops->is_synced(bus)) {
        w->again = false;
        wait_for_bus(w, on_heard);
        return;
    }
    read_again(w, &c, &space);
    if (outcome == BUS_TAKEN) say_synced(w->gw, &c);
    waiter_free(w);
}

static void on_sync(struct gateway *gw, const struct node_cmd *c, struct str_view bytes)
{
    bool waits = gw->node_cmds->waiting > 0;
    if (!waits && gw->bus->ops->is_synced(gw->bus)) {
        gw->count.node_cmds++;
        say_synced(gw, c);
        return;
    }
    struct waiter *w = waiter_new(gw, bytes);
    if (!w) {
        gw->count.node_cmds_refused++;
        return;
    }
    gw->count.node_cmds++;
    w->again = waits;
    wait_for_bus(w, on_heard);
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
    case NODE_SYNC: on_sync(gw, c, bytes); break;
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
