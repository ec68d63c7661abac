/* What the commands that talk to Redis share: the options that say where it is, one connection, and
 * a loop that runs until the command is done.
 *
 * A command configures, makes a peal_redis, runs it, frees it. The link's own log is off unless -v
 * is given: what went wrong is told to the command, for one line to a person. */
#ifndef PEAL_CLI_PEAL_REDIS_H
#define PEAL_CLI_PEAL_REDIS_H

#include "cluster/cfg.h"
#include "io/loop.h"
#include "io/redis_link.h"

struct peal_redis_options {
    const char *command; /* "peal status" begins complaints */
    const char *file, *url;
    char **sets; /* of argc + 2 at least; borrowed texts */
    size_t nsets;
    bool is_verbose, wants_help;
};

/* Numbers that getopt_long gives for the options of all; a command's own begin at PEAL_REDIS_OWN. */
enum { PEAL_REDIS_SET = 1000, PEAL_REDIS_URL, PEAL_REDIS_OWN };

#define PEAL_REDIS_LETTERS "c:v"
#define PEAL_REDIS_WORDS                                                                           \
    {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, PEAL_REDIS_SET},    \
        {"redis", required_argument, NULL, PEAL_REDIS_URL},                                        \
    {                                                                                              \
        "verbose", no_argument, NULL, 'v'                                                          \
    }
#define PEAL_REDIS_HELP                                                                            \
    "Where Redis is, for gateways and commands alike:\n"                                           \
    "  --redis URL         redis://[user:password@]host[:port][/db]; other users of the machine\n" \
    "                      can see it, so a password rather stands in PEAL_REDIS_URL\n"            \
    "  -c FILE             the gateways' configuration (redis.*, bus.key)\n"                       \
    "  --set NAME=VALUE    one key of it; each is also read from the environment\n"                \
    "  -v                  the connection's log on standard error\n"

/* Says something on stderr, behind the command's name; false, for "return …". */
bool peal_redis_complain(const char *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* False after a complaint: it is none of the options of all, or wrong. opterr must be 0, and the
 * letters begin with ':' (behind '+'). */
bool peal_redis_take(struct peal_redis_options *o, int option, char **argv) MUST_CHECK;
/* Reads the configuration. False after a complaint, also if it names no Redis; *cfg is then void. */
bool peal_redis_configure(struct peal_redis_options *o, struct cfg *cfg) MUST_CHECK;

/* The frame of a command: options, --help, configuration, run. */
struct peal_redis_command {
    const char *usage;
    bool (*read)(void *options, int argc, char **argv); /* false after a complaint */
    int (*run)(void *options, const struct cfg *cfg);   /* gives the exit status */
};
/* o: a part of options, with its command set; its sets are made here. Gives the exit status: 2 after a
 * mistake in the options, 1 after one in the configuration. */
int peal_redis_main(const struct peal_redis_command *c, struct peal_redis_options *o, void *options,
                    int argc, char **argv);

struct peal_redis_events {
    void (*up)(void *arg);
    /* Could not connect, or was lost: once for each outage, behind the NULLs of commands. */
    void (*away)(void *arg, const char *why);
    /* At the end of each turn; true: there is more to do. May be NULL. */
    bool (*turn)(void *arg);
};

struct peal_redis;
/* cfg and events are borrowed. Gives: peal_redis_free. NULL after a complaint. */
struct peal_redis *peal_redis_new(const struct cfg *cfg, const char *command, size_t max_reply,
                                  const struct peal_redis_events *events, void *arg);
void peal_redis_free(struct peal_redis *r);
/* Connects, and returns after peal_redis_done(). */
void peal_redis_run(struct peal_redis *r);
void peal_redis_done(struct peal_redis *r);

struct loop *peal_redis_loop(struct peal_redis *r);
struct redis_link *peal_redis_link(struct peal_redis *r);

#endif
