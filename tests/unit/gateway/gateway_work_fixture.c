/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Tests */
#include "unit/gateway/gateway_work_fixture.h"
/* Gateway */
#include "gateway/gw_ask.h"

struct fake_work fake_work;

void tell_item(unsigned i, enum work_outcome outcome)
{
    work_stats_count(&fake_work.out.stats, outcome);
    if (fake_work.all[i].done) fake_work.all[i].done(outcome, fake_work.all[i].arg);
    fake_work.all[i].done = NULL;
}

static void fake_submit(struct work_out *w, const struct work_item *item, work_done_cb done,
                        void *arg)
{
    assert_ptr_equal(w, &fake_work.out);
    assert_true(fake_work.n < ITEMS_MAX);
    fake_work.all[fake_work.n].item = work_item_new(item);
    fake_work.all[fake_work.n].done = done;
    fake_work.all[fake_work.n++].arg = arg;
}

static void fake_forget(struct work_out *w, struct str_view nsp, struct str_view sid)
{
    (void)w;
    snprintf(fake_work.forgotten, sizeof(fake_work.forgotten), "%.*s %.*s", SV_ARG(nsp),
             SV_ARG(sid));
}

static void fake_renew(struct work_out *w, const struct work_item *item)
{
    (void)w;
    snprintf(fake_work.renewed, sizeof(fake_work.renewed), "%.*s %llu %.*s", SV_ARG(item->sid),
             (unsigned long long)item->serial, SV_ARG(item->data));
}

static bool fake_flush(struct work_out *w)
{
    (void)w;
    for (unsigned i = 0; fake_work.takes_at_once && i < fake_work.n; i++)
        if (fake_work.all[i].done) tell_item(i, WORK_TAKEN);
    return false;
}

static const char *fake_trouble(struct work_out *w)
{
    (void)w;
    return NULL;
}

static void fake_free(struct work_out *w)
{
    (void)w;
    for (unsigned i = 0; i < fake_work.n; i++) {
        if (fake_work.all[i].done) tell_item(i, WORK_REFUSED);
        x_free(fake_work.all[i].item);
    }
}

void start_work(const char *settings)
{
    static const struct work_out_ops ops = {.submit = fake_submit,
                                            .renew = fake_renew,
                                            .forget = fake_forget,
                                            .flush = fake_flush,
                                            .trouble = fake_trouble,
                                            .free = fake_free};
    sim_start(NULL, settings);
    sim.gw->work->ops->free(sim.gw->work);
    memset(&fake_work, 0, sizeof(fake_work));
    fake_work.out.ops = &ops;
    fake_work.takes_at_once = true;
    sim.gw->work = &fake_work.out;
}

int stop_work(void **state)
{
    (void)state;
    sim_stop();
    return 0;
}

static bool has_item(void *arg)
{
    return fake_work.n > *(unsigned *)arg;
}

const struct work_item *next_work_item(enum work_type type)
{
    sim_until(has_item, &fake_work.seen);
    const struct work_item *item = fake_work.all[fake_work.seen++].item;
    assert_string_equal(work_type_name(item->type), work_type_name(type));
    char id[32];
    snprintf(id, sizeof(id), "%.*s-%u", SV_ARG(item->gateway), fake_work.seen);
    assert_true(sv_eq(item->id, sv_of(id)));
    assert_true(sv_eq(item->gateway, sv_make(sim.gw->node, ID_NODE_LEN)));
    assert_true(item->time_ms > UINT64_C(1700000000000));
    return item;
}

void assert_no_work_item(void)
{
    sim_turns(5);
    assert_int_equal(fake_work.n, fake_work.seen);
}

void answer_item(const struct work_item *item, enum node_cmd_type type, const char *json)
{
    gw_ask_answer(sim.gw, &(struct node_cmd){.type = type,
                                             .nsp = item->nsp,
                                             .sid = item->sid,
                                             .serial = item->serial,
                                             .json = json ? sv_of(json) : SV("")});
}

char *auth_of(const char *sub)
{
    char *claims = x_asprintf("{\"sub\":\"%s\",\"exp\":%lld}", sub, (long long)sim.wall + 1000);
    char *token = sim_token(claims);
    char *auth = x_asprintf("{\"a\":[1],\"token\":\"%s\",\"b\":\"\\u0000\"}", token);
    x_free(token);
    x_free(claims);
    return auth;
}

void assert_no_items_of(const char *nsp)
{
    struct sim_client c = {0};
    char *auth = auth_of("ann");
    sim_connect(&c, nsp, auth);
    sim_drop(&c);
    assert_no_work_item();
    x_free(auth);
}
