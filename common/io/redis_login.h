/* The first words to a Redis: AUTH, CLIENT SETNAME, SELECT, ROLE, PING, pipelined; and what the
 * answers mean. PING shows what else stands in the way (LOADING, MASTERDOWN). Used by redis_link. */
#ifndef PEAL_IO_REDIS_LOGIN_H
#define PEAL_IO_REDIS_LOGIN_H

#include "cluster/redis_target.h"
#include "io/redis_conn.h"

enum redis_login_step { LOGIN_AUTH, LOGIN_NAME, LOGIN_SELECT, LOGIN_ROLE, LOGIN_PING };
#define REDIS_LOGIN_STEPS 5

struct redis_login {
    enum redis_login_step steps[REDIS_LOGIN_STEPS];
    size_t n, answered;
};

/* Queues the commands. name: for CLIENT LIST. must_be_master: else the login fails. */
void redis_login_begin(struct redis_login *l, struct redis_conn *c, const struct redis_target *t,
                       const char *name, bool must_be_master);
/* Takes the next answer; only while redis_login_is_done() is false. False: refused; *what and *detail
 * (lent by r) say why. */
bool redis_login_take(struct redis_login *l, const struct redis_reply *r, const char **what,
                      struct str_view *detail) MUST_CHECK;
bool redis_login_is_done(const struct redis_login *l);

#endif
