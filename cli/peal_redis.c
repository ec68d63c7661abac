/* The link tries for ever and tells nobody of an attempt that failed. A person at a prompt wants to
 * know at once, so each turn looks whether it has a reason for not being up. Its own timers
 * (redis.connect_timeout, redis.command_timeout) see to it that it has one in time. */

/* System */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/program.h"
/* This process */
#include "peal_redis.h"

struct peal_redis {
    struct loop *loop;
    struct redis_link *link;
    const struct peal_redis_events *events;
    void *arg;
    bool was_up, is_told_away;
};

/* --- options */

bool peal_redis_complain(const char *command, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s: ", command);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return false;
}

/* "--rediss=redis://:secret@…": only what stands before '=' is shown. */
static bool refuse_option(const struct peal_redis_options *o, int option, char **argv)
{
    const char *arg = argv[optind - 1];
    if (option == ':') return peal_redis_complain(o->command, "option %s needs a value", arg);
    if (optopt > 0 && optopt < 128)
        return peal_redis_complain(o->command, "unknown option -%c", optopt);
    return peal_redis_complain(o->command, "unknown option %.*s", (int)strcspn(arg, "="), arg);
}

bool peal_redis_take(struct peal_redis_options *o, int option, char **argv)
{
    switch (option) {
    case 'c': o->file = optarg; return true;
    case PEAL_REDIS_SET: o->sets[o->nsets++] = optarg; return true;
    case PEAL_REDIS_URL: o->url = optarg; return true;
    case 'v': o->is_verbose = true; return true;
    default: return refuse_option(o, option, argv);
    }
}

bool peal_redis_configure(struct peal_redis_options *o, struct cfg *cfg)
{
    static char no_sentinels[] = "redis.sentinels=";
    struct cfg_error err;
    log_set_level(o->is_verbose ? LOG_DEBUG : LOG_ERROR);
    char *url = o->url ? x_asprintf("redis.url=%s", o->url) : NULL;
    if (url) {
        o->sets[o->nsets++] = url;
        o->sets[o->nsets++] = no_sentinels; /* this server, not whom they name */
    }
    bool good = program_read_cfg(o->file, o->sets, o->nsets, cfg, &err);
    if (url) {
        o->nsets -= 2;
        x_free_secret(url, strlen(url));
    }
    if (!good) return peal_redis_complain(o->command, "%s", err.text);
    if (cfg_has_redis(cfg)) return true;
    cfg_fini(cfg);
    return peal_redis_complain(o->command, "no Redis is configured: give --redis URL, or set "
                                           "PEAL_REDIS_URL, or redis.url in the -c file");
}

/* --- running */

static void on_up(void *arg)
{
    struct peal_redis *r = arg;
    r->was_up = true;
    r->is_told_away = false;
    r->events->up(r->arg);
}

static void tell_away(struct peal_redis *r, const char *why)
{
    r->was_up = false;
    r->is_told_away = true;
    r->events->away(r->arg, why);
}

static void on_down(void *arg, const char *why)
{
    tell_away(arg, why);
}

static bool on_turn(void *arg)
{
    struct peal_redis *r = arg;
    if (!r->was_up && !r->is_told_away && redis_link_why(r->link)[0])
        tell_away(r, redis_link_why(r->link));
    return r->events->turn && r->events->turn(r->arg);
}

static int read_and_run(const struct peal_redis_command *c, struct peal_redis_options *o,
                        void *options, int argc, char **argv)
{
    struct cfg cfg;
    if (!c->read(options, argc, argv)) {
        fprintf(stderr, "%s --help shows the options\n", o->command);
        return 2;
    }
    if (o->wants_help) {
        fputs(c->usage, stdout);
        return 0;
    }
    if (!peal_redis_configure(o, &cfg)) return 1;
    int status = c->run(options, &cfg);
    cfg_fini(&cfg);
    return status;
}

int peal_redis_main(const struct peal_redis_command *c, struct peal_redis_options *o, void *options,
                    int argc, char **argv)
{
    o->sets = x_calloc((size_t)argc + 2, sizeof(*o->sets));
    int status = read_and_run(c, o, options, argc, argv);
    x_free(o->sets);
    return status;
}

struct peal_redis *peal_redis_new(const struct cfg *cfg, const char *command, size_t max_reply,
                                  const struct peal_redis_events *events, void *arg)
{
    static const struct redis_link_events link_events = {.up = on_up, .down = on_down};
    struct cfg_error err;
    struct peal_redis *r = x_calloc(1, sizeof(*r));
    r->events = events;
    r->arg = arg;
    r->loop = loop_new(&now_system);
    r->link = redis_link_new(cfg, r->loop, "cli", max_reply, &link_events, r, &err);
    if (!r->link) {
        peal_redis_complain(command, "%s", err.text);
        loop_free(r->loop);
        x_free(r);
        return NULL;
    }
    loop_add_phase(r->loop, on_turn, r);
    return r;
}

void peal_redis_free(struct peal_redis *r)
{
    if (!r) return;
    redis_link_free(r->link);
    loop_free(r->loop);
    x_free(r);
}

void peal_redis_run(struct peal_redis *r)
{
    redis_link_open(r->link);
    loop_run(r->loop);
}

void peal_redis_done(struct peal_redis *r)
{
    loop_stop(r->loop);
}

struct loop *peal_redis_loop(struct peal_redis *r)
{
    return r->loop;
}

struct redis_link *peal_redis_link(struct peal_redis *r)
{
    return r->link;
}
