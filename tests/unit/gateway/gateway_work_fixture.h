/* A whole gateway of gateway_sim.h with a fake in the place of the way to the workers: it keeps what it is
 * given, and tests say what becomes of each item. */
#ifndef PEAL_TEST_GATEWAY_WORK_FIXTURE_H
#define PEAL_TEST_GATEWAY_WORK_FIXTURE_H

#include "cluster/node_cmd.h"
#include "cluster/work_out.h"
#include "unit/gateway/gateway_sim.h"

#define ITEMS_MAX 64

extern struct fake_work {
    struct work_out out;
    struct {
        struct work_item *item; /* NULL: it has been told */
        work_done_cb done;
        void *arg;
    } all[ITEMS_MAX];
    unsigned n;
    unsigned seen; /* by next_work_item() */
    char forgotten[256], renewed[256];
    bool takes_at_once;
} fake_work;

/* A gateway whose items go to the fake, which takes them at once unless fake_work.takes_at_once is taken
 * off. */
void start_work(const char *settings);
/* For cmocka's teardown. */
int stop_work(void **state);

/* Says what has become of item i. */
void tell_item(unsigned i, enum work_outcome outcome);
/* The next item in order, which must be of this type; lends. */
const struct work_item *next_work_item(enum work_type type);
/* None has come behind the last one that next_work_item() gave. */
void assert_no_work_item(void);
/* Workers are not told who comes to this namespace and goes. */
void assert_no_items_of(const char *nsp);
/* What a worker says about the connect that it was asked about. json may be NULL. */
void answer_item(const struct work_item *item, enum node_cmd_type type, const char *json);
/* The payload of a CONNECT packet with a token for this user, and something beside it. Gives: x_free. */
char *auth_of(const char *sub);

#define assert_text(view, want)                                                                    \
    do {                                                                                           \
        struct str_view view_ = (view);                                                            \
        assert_int_equal(view_.n, strlen(want));                                                   \
        if (view_.n) assert_memory_equal(view_.p, want, view_.n);                                  \
    } while (0)

#endif
