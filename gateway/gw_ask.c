/* Design notes
 *
 * - The question's time runs on the socket's timer, which is not needed otherwise while it waits, and
 *   instead of the time for joining a namespace.
 * - A refusal is the end of what workers know of the socket; after a time-out they are told the
 *   disconnect, for they may be about to admit it. */

/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_ask.h"
#include "gw_login.h"
#include "gw_work.h"

bool gw_ask_wants(const struct gateway *gw, struct str_view nsp)
{
    return cfg_list_matches(&gw->cfg->routes_ask_connect, nsp);
}

/* It waits no longer. */
static struct gw_admission *take(struct gw_socket *s)
{
    struct gateway *gw = s->conn->gw;
    struct gw_admission *a = s->asked;
    s->asked = NULL;
    gw->gauge.asking--;
    wheel_drop(loop_wheel(gw->loop), &s->timer);
    return a;
}

static void refuse(struct gw_socket *s, enum gw_refusal what, const struct gw_rejection *r)
{
    struct gw_admission *a = s->asked;
    s->conn->gw->count.refusals[what]++;
    gw_admit_reject(s, a, r); /* ends the socket, which drops the question */
}

void gw_ask_not_asked(struct gw_socket *s, enum work_outcome outcome)
{
    struct gw_work_excuse why = gw_work_excuse(outcome);
    struct buf json;
    buf_init(&json, 256);
    if (buf_addf(&json, "{\"message\":\"%s\",\"data\":{\"code\":\"%s\"}}", why.message, why.code))
        refuse(s, GW_REFUSAL_NOT_ASKED,
               &(struct gw_rejection){REASON_NOT_ADMITTED, why.code, buf_view(&json)});
    buf_fini(&json);
}

static void on_timeout(struct wheel_entry *e)
{
    struct gw_socket *s = (struct gw_socket *)((char *)e - offsetof(struct gw_socket, timer));
    refuse(s, GW_REFUSAL_ADMISSION_TIMEOUT,
           &(struct gw_rejection){REASON_ADMISSION_TIMEOUT, "admission_timeout",
                                  SV("{\"message\":\"admission timed out\"}")});
}

void gw_ask_begin(struct gw_socket *s, struct gw_admission *a)
{
    struct gateway *gw = s->conn->gw;
    struct wheel *w = loop_wheel(gw->loop);
    s->asked = a;
    gw->gauge.asking++;
    gw->count.asks++;
    wheel_drop(w, &s->conn->connect_timer);
    s->timer.fire = on_timeout;
    wheel_set(w, &s->timer, loop_now(gw->loop) + (uint64_t)gw->cfg->routes_ask_timeout);
    if (!gw_work_ask(s, gw_admit_identity(a), gw_admit_auth(a))) gw_ask_not_asked(s, WORK_REFUSED);
}

static void admit(struct gw_socket *s)
{
    s->conn->gw->count.asks_admitted++;
    gw_admit_go_on(s, take(s));
}

void gw_ask_answer(struct gateway *gw, const struct node_cmd *c)
{
    struct gw_socket *s = gw_socket_find_same(gw, c->nsp, c->sid, c->serial);
    if (!s || !s->asked) {
        gw->count.node_cmds_void++;
        return;
    }
    gw->count.node_cmds++;
    if (c->type == NODE_ADMIT) {
        admit(s);
    } else {
        gw_work_forget(s);
        refuse(s, GW_REFUSAL_BY_WORKER,
               &(struct gw_rejection){REASON_NOT_ADMITTED, "refused", c->json});
    }
}

void gw_ask_drop(struct gw_socket *s)
{
    if (s->asked) gw_admit_drop(take(s));
}
