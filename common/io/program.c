/* Options first, all of them, then the configuration: so --help and --version work whatever is
 * configured, and a mistyped option is told before a mistake in the file.
 *
 * getopt_long's own messages are off. They begin with argv[0], and they would repeat the text of a
 * mistyped --set, in which a secret may stand. */
/* System */
#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg.h"
/* IO */
#include "io/program.h"

#ifndef PEAL_VERSION
#define PEAL_VERSION "dev"
#endif

enum mode { MODE_RUN, MODE_CHECK, MODE_PRINT, MODE_HELP, MODE_VERSION, MODE_MARKDOWN };

struct options {
    const char *name;
    enum mode mode;
    const char *file;
    char **sets; /* borrowed texts, in the order given */
    size_t nsets;
    const char *processes;
    bool verbose;
};

static bool mistake(const struct options *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static bool mistake(const struct options *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s: ", o->name);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return false;
}

/* "--sett=auth.secret=…": only what stands before '=' is shown. */
static bool unknown_option(const struct options *o, char **argv)
{
    const char *arg = argv[optind - 1];
    if (optopt > 0 && optopt < 128) return mistake(o, "unknown option -%c (see --help)", optopt);
    return mistake(o, "unknown option %.*s (see --help)", (int)strcspn(arg, "="), arg);
}

enum { OPT_SET = 1000, OPT_PROCESSES, OPT_PRINT, OPT_HELP, OPT_MARKDOWN };

static bool take_option(struct options *o, int option, char **argv)
{
    switch (option) {
    case 'c':
        if (o->file) return mistake(o, "-c is given twice");
        o->file = optarg;
        return true;
    case OPT_SET: o->sets[o->nsets++] = optarg; return true;
    case OPT_PROCESSES: o->processes = optarg; return true;
    case 'v': o->verbose = true; return true;
    case 't': o->mode = o->mode == MODE_RUN ? MODE_CHECK : o->mode; return true;
    case OPT_PRINT: o->mode = MODE_PRINT; return true;
    case OPT_HELP: o->mode = MODE_HELP; return true;
    case 'V': o->mode = MODE_VERSION; return true;
    case OPT_MARKDOWN: o->mode = MODE_MARKDOWN; return true;
    case ':': return mistake(o, "option %s needs a value (see --help)", argv[optind - 1]);
    default: return unknown_option(o, argv);
    }
}

static bool read_options(struct options *o, int argc, char **argv)
{
    static const struct option table[] = {
        {"config", required_argument, NULL, 'c'},
        {"set", required_argument, NULL, OPT_SET},
        {"processes", required_argument, NULL, OPT_PROCESSES},
        {"test", no_argument, NULL, 't'},
        {"print-config", no_argument, NULL, OPT_PRINT},
        {"help", no_argument, NULL, OPT_HELP},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, 'V'},
        {"markdown-config", no_argument, NULL, OPT_MARKDOWN},
        {0},
    };
    optind = 0; /* from the start, also when called again */
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":c:tvV", table, NULL)) != -1;)
        if (!take_option(o, option, argv)) return false;
    if (optind < argc) return mistake(o, "unexpected \"%s\" (see --help)", argv[optind]);
    return true;
}

static void print_help(const char *name, const char *what)
{
    printf("Usage: %s [options]\n\n%s\n\n", name, what);
    fputs("Options:\n"
          "  -c FILE, --config FILE        JSON file with the configuration\n"
          "  --set section.name=value      one key of it; wins over file and environment\n"
          "  --processes N|auto            gateways: gateway.processes=N; auto: one a core\n"
          "  -t, --test                    check the configuration and exit\n"
          "  --print-config                print the whole configuration without secrets and exit\n"
          "  -v, --verbose                 log.level=debug\n"
          "  -V, --version                 print the version and exit\n"
          "  --help                        print this and exit\n"
          "\n"
          "Keys, each also as environment variable (PEAL_GATEWAY_PORT for gateway.port):\n",
          stdout);
    cfg_print_help(stdout);
}

static bool set_processes(struct cfg *cfg, const char *n, struct cfg_error *err)
{
    char *set = x_asprintf("gateway.processes=%s", strcmp(n, "auto") == 0 ? "0" : n);
    bool good = cfg_set(cfg, set, err);
    x_free(set);
    return good;
}

static bool configure(const struct options *o, struct cfg *cfg, struct cfg_error *err)
{
    if (o->file && !cfg_read_file(cfg, o->file, err)) return false;
    if (!cfg_read_env(cfg, environ, err)) return false;
    for (size_t i = 0; i < o->nsets; i++)
        if (!cfg_set(cfg, o->sets[i], err)) return false;
    if (o->processes && !set_processes(cfg, o->processes, err)) return false;
    if (o->verbose && !cfg_set(cfg, "log.level=debug", err)) return false;
    return cfg_check(cfg, err);
}

void program_apply_log_level(const struct cfg *cfg)
{
    enum log_level level;
    if (log_level_from(sv_of(cfg->log_level), &level)) log_set_level(level);
}

/* A pipe that is closed or a disk that is full must not look like success. */
static int finish(const struct options *o)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    mistake(o, "cannot write to standard output");
    return 1;
}

/* Returns true to go on. */
static bool act(const struct options *o, const char *what, struct cfg *cfg, int *exit_code)
{
    struct cfg_error err;
    if (o->mode == MODE_HELP) print_help(o->name, what);
    if (o->mode == MODE_VERSION) printf("%s %s\n", o->name, PEAL_VERSION);
    if (o->mode == MODE_MARKDOWN) cfg_print_markdown(stdout);
    if (o->mode >= MODE_HELP) {
        *exit_code = finish(o);
        return false;
    }
    cfg_init(cfg);
    if (!configure(o, cfg, &err)) {
        cfg_fini(cfg);
        return mistake(o, "%s", err.text);
    }
    program_apply_log_level(cfg);
    if (o->mode == MODE_RUN) return true;
    if (o->mode == MODE_PRINT) cfg_print(cfg, stdout);
    if (o->mode == MODE_CHECK) puts("configuration OK");
    *exit_code = finish(o);
    cfg_fini(cfg);
    return false;
}

bool program_configure(int argc, char **argv, const char *name, const char *what, struct cfg *cfg,
                       int *exit_code)
{
    struct options o = {.name = name};
    o.sets = x_calloc((size_t)argc, sizeof(o.sets[0]));
    *exit_code = 1;
    bool go = read_options(&o, argc, argv) && act(&o, what, cfg, exit_code);
    x_free(o.sets);
    return go;
}

/* Gives a checked *cfg, or nothing. */
static bool read_cfg(const struct options *o, struct cfg *cfg, struct cfg_error *err)
{
    cfg_init(cfg);
    bool good = configure(o, cfg, err);
    if (!good) cfg_fini(cfg);
    return good;
}

bool program_configure_again(const struct program_args *args, struct cfg *cfg,
                             struct cfg_error *err)
{
    struct options o = {0};
    o.sets = x_calloc((size_t)args->argc, sizeof(o.sets[0]));
    bool understood = read_options(&o, args->argc, args->argv);
    assert(understood); /* as at the start */
    (void)understood;
    bool good = read_cfg(&o, cfg, err);
    x_free(o.sets);
    return good;
}

bool program_read_cfg(const char *file, char **sets, size_t nsets, struct cfg *cfg,
                      struct cfg_error *err)
{
    const struct options o = {.file = file, .sets = sets, .nsets = nsets};
    return read_cfg(&o, cfg, err);
}
