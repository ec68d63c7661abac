/* The command line that all Peal programs share: options, configuration, help.
 *
 * A program calls program_configure() first; what it then has is a checked configuration and a log
 * level. It starts nothing, and reads no file but the one named by -c. */
#ifndef PEAL_IO_PROGRAM_H
#define PEAL_IO_PROGRAM_H

#include <stdbool.h>

#include "cluster/cfg.h"

/* Reads argv[1]… (argv[0] is passed over), then the configuration: defaults, -c FILE, the
 * environment, --set in the order given, -v; then checks it and sets the log level.
 *
 * name begins every mistake on stderr ("peal-gateway: …"), what is a sentence for --help.
 * True: go on; *cfg is the caller's, to cfg_fini. False: *exit_code is what main returns (0 after
 * --help, --version, -t, --print-config; 1 after a mistake), and *cfg holds nothing. */
bool program_configure(int argc, char **argv, const char *name, const char *what, struct cfg *cfg,
                       int *exit_code) MUST_CHECK;

/* Where a program's configuration came from; argv is borrowed for the program's life. */
struct program_args {
    int argc;
    char **argv;
};

/* Reads the same sources again, after a program_configure() with these arguments. True: *cfg is
 * checked and the caller's, to cfg_fini; it has been applied to nothing. False with *err filled,
 * and *cfg holds nothing. */
bool program_configure_again(const struct program_args *args, struct cfg *cfg,
                             struct cfg_error *err) MUST_CHECK;
/* Sets the log level to log.level. */
void program_apply_log_level(const struct cfg *cfg);
/* The configuration alone, for commands that have options of their own: defaults, file (may be
 * NULL), the environment, sets ("section.name=value") in their order; checked. Applies nothing.
 * False with *err filled, and *cfg holds nothing. */
bool program_read_cfg(const char *file, char **sets, size_t nsets, struct cfg *cfg,
                      struct cfg_error *err) MUST_CHECK;

#endif
