/* Options end where the event's name stands, so that -5 can be an argument. An argument that looks
 * like an option is refused: a `--to` that is taken for text would send to everybody what was meant
 * for one room. For the same reason no room's name may be empty ("--to $ROOM" without ROOM). */

/* System */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* This process */
#include "peal_emit.h"
#include "peal_emit_run.h"
#include "peal_redis.h"

static const char usage[] =
    "usage: peal emit [options] EVENT [JSON]...   one event with these arguments\n"
    "       peal emit [options] [EVENT] -         standard input: an event a line\n"
    "\n"
    "Arguments are JSON, texts in quotes: peal emit message '\"hello\"' '{\"n\": 1}'\n"
    "A line of standard input is [\"event\", argument, ...]; with EVENT, it is one argument.\n"
    "Empty lines are passed over, wrong ones are told with their number.\n"
    "\n"
    "To whom (all of them together; none: every client of the namespace):\n"
    "  --to ROOM           clients in this room; may be repeated\n"
    "  --user SUB          clients of this user (`sub` of the token); may be repeated\n"
    "  --except ROOM       but not those in this room; may be repeated\n"
    "  --nsp NAME          namespace (/)\n"
    "\n"
    "How:\n"
    "  --text              arguments and lines are plain text, not JSON\n"
    "  --volatile          clients that cannot take it at once are passed over\n"
    "  --stdin             the same as - at the end\n"
    "  --strict            stop at the first wrong line\n"
    "\n" PEAL_REDIS_HELP "\n"
    "Exit status: 0 if Redis has taken everything, else 1; 2 for wrong use.\n";

struct names {
    struct str_view *v;
    unsigned n;
};

struct options {
    struct peal_redis_options redis;
    struct names rooms, except;
    char **owned; /* texts made for rooms */
    size_t nowned;
    const char *nsp;
    bool is_text, is_volatile, is_stdin, is_strict;
    char **operands; /* what stands behind the options, without "-" */
    size_t noperands;
};

enum { TO = PEAL_REDIS_OWN, USER, EXCEPT, NSP, TEXT, VOLATILE, STDIN, STRICT };

static const struct option words[] = {
    PEAL_REDIS_WORDS,
    {"to", required_argument, NULL, TO},
    {"user", required_argument, NULL, USER},
    {"except", required_argument, NULL, EXCEPT},
    {"nsp", required_argument, NULL, NSP},
    {"text", no_argument, NULL, TEXT},
    {"volatile", no_argument, NULL, VOLATILE},
    {"stdin", no_argument, NULL, STDIN},
    {"strict", no_argument, NULL, STRICT},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

#define complain(...) peal_redis_complain(PEAL_EMIT_COMMAND, __VA_ARGS__)

static bool add_name(struct names *to, const char *option, struct str_view name)
{
    if (name.n == 0) return complain("%s: a name is not empty", option);
    if (!utf8_is_valid(name)) return complain("%s: the name is not UTF-8", option);
    to->v[to->n++] = name;
    return true;
}

static bool add_user(struct options *o, const char *sub)
{
    if (!sub[0]) return complain("--user: a name is not empty");
    char *room = o->owned[o->nowned++] = x_asprintf("user:%s", sub);
    return add_name(&o->rooms, "--user", sv_of(room));
}

/* As the emitter's of(): a name without '/' gets one. */
static bool set_nsp(struct options *o, const char *name)
{
    if (!utf8_is_valid(sv_of(name))) return complain("--nsp: the name is not UTF-8");
    o->nsp = o->owned[o->nowned++] = x_asprintf("%s%s", name[0] == '/' ? "" : "/", name);
    return true;
}

static bool take_option(struct options *o, int option, char **argv)
{
    switch (option) {
    case TO: return add_name(&o->rooms, "--to", sv_of(optarg));
    case USER: return add_user(o, optarg);
    case EXCEPT: return add_name(&o->except, "--except", sv_of(optarg));
    case NSP: return set_nsp(o, optarg);
    case TEXT: return o->is_text = true;
    case VOLATILE: return o->is_volatile = true;
    case STDIN: return o->is_stdin = true;
    case STRICT: return o->is_strict = true;
    case 'h': return o->redis.wants_help = true;
    default: return peal_redis_take(&o->redis, option, argv);
    }
}

/* False after a complaint. */
static bool read_options(void *options, int argc, char **argv)
{
    struct options *o = options;
    optind = 0; /* the main program may have used getopt too */
    opterr = 0;
    for (int option;
         (option = getopt_long(argc, argv, "+:h" PEAL_REDIS_LETTERS, words, NULL)) != -1;)
        if (!take_option(o, option, argv)) return false;
    o->operands = argv + optind;
    size_t n = (size_t)(argc - optind);
    if (n && strcmp(o->operands[n - 1], "-") == 0) {
        o->is_stdin = true;
        --n;
    }
    o->noperands = n;
    if (o->redis.wants_help) return true;
    if (n == 0 && !o->is_stdin) return complain("which event?");
    if (n > 1 && o->is_stdin)
        return complain("arguments and standard input: only one of them at a time");
    if (n == 0 && o->is_text) return complain("--text needs an EVENT");
    bool is_literal = strcmp(argv[optind - 1], "--") == 0;
    for (size_t i = 1; i < n && !is_literal; i++)
        if (strncmp(o->operands[i], "--", 2) == 0)
            return complain(
                "\"%s\": options stand before EVENT (is it text? write -- before EVENT)",
                o->operands[i]);
    return true;
}

/* Longest text that is shown of what is wrong. */
#define SHOWN 60

static bool refuse_argument(const struct options *o, const char *text, const char *why)
{
    bool is_cut = strlen(text) > SHOWN;
    if (o->is_text || strpbrk(text, "\"[{'\n"))
        return complain("argument %.*s%s: %s", SHOWN, text, is_cut ? "…" : "", why);
    if (is_cut)
        return complain("argument %.*s… is not JSON: a text is quoted, or use --text", SHOWN, text);
    return complain("argument %s is not JSON: quote a text, '\"%s\"', or use --text", text, text);
}

static bool make_event(const struct options *o, const struct peal_emit_form *form, struct buf *json,
                       char **args, size_t n)
{
    const char *why;
    size_t wrong;
    if (peal_emit_event_from_args(json, form, args, n, &wrong, &why)) return true;
    return wrong < n ? refuse_argument(o, args[wrong], why) : complain("%s: %s", form->event, why);
}

/* Is the event's name one that clients may get? Told before the first line is read. */
static bool check_name(const struct peal_emit_form *form, struct buf *json)
{
    const char *why;
    return !form->event || peal_emit_event_from_args(json, form, NULL, 0, NULL, &why) ||
           complain("%s: %s", form->event, why);
}

static int emit(void *options, const struct cfg *cfg)
{
    const struct options *o = options;
    char **operands = o->operands;
    size_t n = o->noperands;
    struct peal_emit_job job = {
        .cfg = cfg,
        .head = {.nsp = sv_of(o->nsp),
                 .flags = o->is_volatile ? BUS_VOLATILE : 0,
                 .rooms = o->rooms.v,
                 .nrooms = o->rooms.n,
                 .except = o->except.v,
                 .nexcept = o->except.n},
        .form = {.event = n ? operands[0] : NULL,
                 .is_text = o->is_text,
                 .max_depth = (unsigned)cfg->socketio_max_json_depth},
        .is_strict = o->is_strict,
    };
    struct buf json;
    if (o->rooms.n > cfg->socketio_max_rooms || o->except.n > cfg->socketio_max_rooms) {
        complain("too many rooms: gateways take %lld (socketio.max_rooms)",
                 (long long)cfg->socketio_max_rooms);
        return 2;
    }
    buf_init(&json, (size_t)cfg->bus_max_message);
    bool is_right = o->is_stdin ? check_name(&job.form, &json)
                                : make_event(o, &job.form, &json, operands + 1, n - 1);
    if (!o->is_stdin) job.json = buf_view(&json);
    int status = !is_right ? 2 : peal_emit_run(&job) ? 0 : 1;
    buf_fini(&json);
    return status;
}

int peal_emit_main(int argc, char **argv)
{
    static const struct peal_redis_command command = {usage, read_options, emit};
    size_t most = (size_t)argc + 2;
    struct options o = {.redis = {.command = PEAL_EMIT_COMMAND}, .nsp = "/"};
    o.rooms.v = x_calloc(most, sizeof(*o.rooms.v));
    o.except.v = x_calloc(most, sizeof(*o.except.v));
    o.owned = x_calloc(most, sizeof(*o.owned));
    int status = peal_redis_main(&command, &o.redis, &o, argc, argv);
    for (size_t i = 0; i < o.nowned; i++)
        x_free(o.owned[i]);
    x_free(o.owned);
    x_free(o.except.v);
    x_free(o.rooms.v);
    return status;
}
