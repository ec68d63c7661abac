/* One entry at a time goes by: read it, print it or act on it by its id, read the next one. With --all that is
 * the one behind it; what is buried meanwhile is met too, up to the last id that was there at the start. */

/* System */
#include <getopt.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_names.h"
/* This process */
#include "peal_dead.h"
#include "peal_dead_view.h"
#include "peal_redis.h"

#define COMMAND "peal dead"
#define MAX_REPLY (1u << 29)
#define ID_MAX 48

static const char usage[] =
    "usage: peal dead list                       the dead letters, oldest first\n"
    "       peal dead show ID...|--all           all that is known of them\n"
    "       peal dead replay ID...|--all         puts them back into their streams, to be handled "
    "anew\n"
    "       peal dead drop ID...|--all           removes them for good\n"
    "\n"
    "  --json              one JSON document a line (list, show)\n"
    "\n" PEAL_REDIS_HELP "\n"
    "Exit status: 0; 1 for a failure, or an id that is not there; 2 for wrong use.\n";

/* KEYS dead, stream; ARGV id. 1: done, 0: it is not there, -1: it has not all its fields. */
static const char replay_script[] =
    "local e = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]\n"
    "if not e then return 0 end\n"
    "local f, v = e[2], {'replay', '1'}\n"
    "for i = 1, #f, 2 do\n"
    "  if f[i] == 'dead.size' then return -1 end\n"
    "  if string.sub(f[i], 1, 5) ~= 'dead.' and f[i] ~= 'replay' then\n"
    "    v[#v + 1] = f[i]\n"
    "    v[#v + 1] = f[i + 1]\n"
    "  end\n"
    "end\n"
    "if #v == 2 then return -1 end\n"
    "redis.call('XADD', KEYS[2], '*', unpack(v))\n"
    "redis.call('XDEL', KEYS[1], ARGV[1])\n"
    "return 1\n";

enum action { LIST, SHOW, REPLAY, DROP };

struct options {
    struct peal_redis_options redis;
    enum action action;
    bool is_all, is_json;
    char **ids;
    size_t nids;
};

struct dead {
    const struct options *o;
    const struct cfg *cfg;
    struct peal_redis *redis;
    struct buf key;
    char id[ID_MAX];   /* of the entry that is acted on */
    char last[ID_MAX]; /* with --all: no further than this */
    size_t at;         /* of o->ids */
    unsigned long long done;
    bool is_failed;
};

enum { ALL = PEAL_REDIS_OWN, JSON };

static const struct option words[] = {
    PEAL_REDIS_WORDS,
    {"all", no_argument, NULL, ALL},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

#define complain(...) peal_redis_complain(COMMAND, __VA_ARGS__)

/* ---- options */

static bool take_option(struct options *o, int option, char **argv)
{
    switch (option) {
    case ALL: return o->is_all = true;
    case JSON: return o->is_json = true;
    case 'h': return o->redis.wants_help = true;
    default: return peal_redis_take(&o->redis, option, argv);
    }
}

static bool is_id(const char *text)
{
    size_t n = strlen(text);
    return n > 2 && n < ID_MAX && strspn(text, "0123456789-") == n && strchr(text, '-') &&
           text[0] != '-';
}

static bool read_action(struct options *o, const char *word)
{
    static const char *const names[] = {"list", "show", "replay", "drop"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(word, names[i]) != 0) continue;
        o->action = (enum action)i;
        return true;
    }
    return complain("\"%s\": list, show, replay or drop is expected", word);
}

static bool read_options(void *options, int argc, char **argv)
{
    struct options *o = options;
    optind = 0;
    opterr = 0;
    for (int option;
         (option = getopt_long(argc, argv, ":h" PEAL_REDIS_LETTERS, words, NULL)) != -1;)
        if (!take_option(o, option, argv)) return false;
    if (o->redis.wants_help) return true;
    if (optind == argc) return complain("list, show, replay or drop?");
    if (!read_action(o, argv[optind++])) return false;
    o->ids = argv + optind;
    o->nids = (size_t)(argc - optind);
    for (size_t i = 0; i < o->nids; i++)
        if (!is_id(o->ids[i])) return complain("\"%s\" is no id of a dead letter", o->ids[i]);
    if (o->action == LIST && o->nids) return complain("list takes no ids (show does)");
    if (o->action == LIST) o->is_all = true;
    if (o->is_all && o->nids) return complain("ids and --all: only one of them at a time");
    if (!o->is_all && !o->nids) return complain("which? give ids, or --all");
    if (o->is_json && o->action > SHOW) return complain("--json is for list and show");
    return true;
}

/* ---- the walk */

static void next(struct dead *d);

static void fail(struct dead *d, const char *what, struct str_view why)
{
    d->is_failed = true;
    complain("%s: %.*s", what, SV_ARG(why));
    peal_redis_done(d->redis);
}

/* False: told, and it is over. */
static bool check(struct dead *d, const struct redis_reply *r)
{
    if (!r) return false; /* away() tells */
    if (redis_reply_kind(r) != REDIS_LINK_ERROR) return true;
    fail(d, "Redis refuses", redis_reply_text(r));
    return false;
}

static void on_acted(const struct redis_reply *r, void *arg)
{
    struct dead *d = arg;
    if (!check(d, r)) return;
    if (redis_reply_int(r) == 1) {
        d->done++;
    } else {
        d->is_failed = true;
        complain("%s: %s", d->id,
                 redis_reply_int(r) ? "its fields are not there, or not all" : "is not there");
    }
    next(d);
}

static void replay(struct dead *d, const struct peal_dead_letter *letter)
{
    struct str_view partition = peal_dead_field(letter, "dead.partition");
    unsigned n = 0;
    for (size_t i = 0; i < partition.n && n < 1000; i++)
        n = n * 10 + (unsigned)(partition.p[i] - '0');
    struct buf stream;
    buf_init(&stream, BUS_NAME_MAX);
    if (partition.n == 0 || n >= 256 || !bus_name_work(&stream, sv_of(d->cfg->bus_key), n)) {
        d->is_failed = true;
        complain("%s: it does not say from which partition it is", d->id);
        buf_fini(&stream);
        next(d);
        return;
    }
    const struct str_view argv[] = {SV("EVAL"),        sv_of(replay_script), SV("2"),
                                    buf_view(&d->key), buf_view(&stream),    sv_of(d->id)};
    redis_link_command(peal_redis_link(d->redis), on_acted, d, 6, argv);
    buf_fini(&stream);
}

static void act(struct dead *d, const struct peal_dead_letter *letter)
{
    const struct str_view drop[] = {SV("XDEL"), buf_view(&d->key), sv_of(d->id)};
    switch (d->o->action) {
    case LIST:
    case SHOW:
        if (d->o->is_json)
            peal_dead_print_json(letter, stdout);
        else if (d->o->action == LIST)
            peal_dead_print_row(letter, stdout);
        else
            peal_dead_print_all(letter, stdout);
        d->done++;
        next(d);
        return;
    case REPLAY: replay(d, letter); return;
    case DROP: redis_link_command(peal_redis_link(d->redis), on_acted, d, 3, drop); return;
    }
}

static void on_entry(const struct redis_reply *r, void *arg)
{
    struct dead *d = arg;
    struct peal_dead_letter letter;
    if (!check(d, r)) return;
    if (redis_reply_count(r) == 0) {
        if (d->o->is_all) {
            peal_redis_done(d->redis);
            return;
        }
        d->is_failed = true;
        complain("%s: is not there", d->id);
        next(d);
        return;
    }
    if (!peal_dead_read(&letter, redis_reply_at(r, 0)) || letter.id.n >= sizeof(d->id)) {
        fail(d, "Redis says", SV("what is no entry of a stream"));
        return;
    }
    snprintf(d->id, sizeof(d->id), "%.*s", SV_ARG(letter.id));
    act(d, &letter);
}

static void ask(struct dead *d, const char *from, const char *to)
{
    const struct str_view argv[] = {SV("XRANGE"), buf_view(&d->key), sv_of(from),
                                    sv_of(to),    SV("COUNT"),       SV("1")};
    redis_link_command(peal_redis_link(d->redis), on_entry, d, 6, argv);
}

static void next(struct dead *d)
{
    char from[ID_MAX + 1];
    if (d->o->is_all) {
        snprintf(from, sizeof(from), "%s%s", d->id[0] ? "(" : "-", d->id);
        ask(d, from, d->last);
    } else if (d->at < d->o->nids) {
        snprintf(d->id, sizeof(d->id), "%s", d->o->ids[d->at++]);
        ask(d, d->id, d->id);
    } else {
        peal_redis_done(d->redis);
    }
}

static void on_last(const struct redis_reply *r, void *arg)
{
    struct dead *d = arg;
    struct peal_dead_letter letter;
    if (!check(d, r)) return;
    if (redis_reply_count(r) == 0 || !peal_dead_read(&letter, redis_reply_at(r, 0)) ||
        letter.id.n >= sizeof(d->last)) {
        peal_redis_done(d->redis);
        return;
    }
    snprintf(d->last, sizeof(d->last), "%.*s", SV_ARG(letter.id));
    if (d->o->action == LIST && !d->o->is_json) peal_dead_print_head(stdout);
    next(d);
}

/* ---- life */

static void on_up(void *arg)
{
    struct dead *d = arg;
    const struct str_view argv[] = {SV("XREVRANGE"), buf_view(&d->key), SV("+"),
                                    SV("-"),         SV("COUNT"),       SV("1")};
    if (d->o->is_all)
        redis_link_command(peal_redis_link(d->redis), on_last, d, 6, argv);
    else
        next(d);
}

static void on_away(void *arg, const char *why)
{
    fail(arg, "Redis", sv_of(why));
}

static int run(void *options, const struct cfg *cfg)
{
    const struct options *o = options;
    static const struct peal_redis_events events = {.up = on_up, .away = on_away};
    static const char *const done[] = {"", "", "put back", "dropped"};
    struct dead d = {.o = o, .cfg = cfg};
    buf_init(&d.key, BUS_NAME_MAX);
    d.redis = peal_redis_new(cfg, COMMAND, MAX_REPLY, &events, &d);
    if (!d.redis || !bus_name_dead(&d.key, sv_of(cfg->bus_key))) {
        d.is_failed = true;
    } else {
        peal_redis_run(d.redis);
        if (o->action >= REPLAY) printf("%llu %s\n", d.done, done[o->action]);
        if (o->action == LIST && !d.done && !d.is_failed && !o->is_json)
            puts("there are no dead letters");
    }
    peal_redis_free(d.redis);
    buf_fini(&d.key);
    return d.is_failed || fflush(stdout) ? 1 : 0;
}

int peal_dead_main(int argc, char **argv)
{
    static const struct peal_redis_command command = {usage, read_options, run};
    struct options o = {.redis = {.command = COMMAND}};
    return peal_redis_main(&command, &o.redis, &o, argc, argv);
}
