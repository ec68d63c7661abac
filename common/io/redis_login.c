/* System */
#include <assert.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Io */
#include "io/redis_login.h"

static void add(struct redis_login *l, struct redis_conn *c, enum redis_login_step step,
                size_t argc, const struct str_view *argv)
{
    assert(l->n < REDIS_LOGIN_STEPS);
    l->steps[l->n++] = step;
    redis_conn_add(c, argc, argv);
}

void redis_login_begin(struct redis_login *l, struct redis_conn *c, const struct redis_target *t,
                       const char *name, bool must_be_master)
{
    char *own = x_asprintf("peal:%s", name), db[16];
    const struct str_view user[] = {SV("AUTH"), sv_of(t->user), sv_of(t->password)};
    const struct str_view password[] = {SV("AUTH"), sv_of(t->password)};
    const struct str_view set_name[] = {SV("CLIENT"), SV("SETNAME"), sv_of(own)};
    const struct str_view role[] = {SV("ROLE")}, ping[] = {SV("PING")};
    snprintf(db, sizeof(db), "%u", t->db);
    const struct str_view select[] = {SV("SELECT"), sv_of(db)};
    l->n = l->answered = 0;
    if (t->user)
        add(l, c, LOGIN_AUTH, 3, user);
    else if (t->password)
        add(l, c, LOGIN_AUTH, 2, password);
    add(l, c, LOGIN_NAME, 3, set_name);
    if (t->db) add(l, c, LOGIN_SELECT, 2, select);
    if (must_be_master) add(l, c, LOGIN_ROLE, 1, role);
    add(l, c, LOGIN_PING, 1, ping);
    x_free(own);
}

static bool begins(struct str_view text, const char *word)
{
    return sv_starts_with(text, sv_of(word));
}

/* Old servers know no names, and a user of the access list may lack these two: no matter. */
static bool may_fail(enum redis_login_step step, struct str_view error)
{
    if (step != LOGIN_NAME && step != LOGIN_PING) return false;
    if (begins(error, "NOPERM")) return true;
    return step == LOGIN_NAME && begins(error, "ERR") && !begins(error, "ERR max");
}

static bool is_master(const struct redis_reply *role)
{
    return redis_reply_count(role) > 0 &&
           sv_eq(redis_reply_text(redis_reply_at(role, 0)), SV("master"));
}

bool redis_login_take(struct redis_login *l, const struct redis_reply *r, const char **what,
                      struct str_view *detail)
{
    static const char *const names[] = {"AUTH", "CLIENT SETNAME", "SELECT", "ROLE", "PING"};
    assert(l->answered < l->n);
    enum redis_login_step step = l->steps[l->answered++];
    *detail = redis_reply_text(r);
    *what = names[step];
    if (redis_reply_kind(r) == REDIS_LINK_ERROR) return may_fail(step, *detail);
    *what = "the server that the Sentinel named is not a master";
    *detail = SV("");
    return step != LOGIN_ROLE || is_master(r);
}

bool redis_login_is_done(const struct redis_login *l)
{
    return l->answered == l->n;
}
