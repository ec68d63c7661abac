/* The configuration of every Peal program: one struct, made from the rows of cfg.def and passed
 * down.
 *
 * Sources, later ones win: defaults, the JSON file (-c), the environment (PEAL_GATEWAY_PORT for
 * gateway.port), --set gateway.port=3000. Everything is checked; the first mistake is one line that
 * names the source, the key, the value (never a secret's) and what is allowed. It reads no other
 * file than the -c file (secret_file belongs to auth) and keeps no globals. */
#ifndef PEAL_CLUSTER_CFG_H
#define PEAL_CLUSTER_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/buf.h"
#include "util/str_view.h"

#define CFG_MAX_WORDS 1000 /* of a list, and objects of a CFG_JSON array */

/* A list of words. */
struct cfg_list {
    char **v;
    size_t n;
};

struct cfg {
#define CFG_INT(section, name, ...) int64_t section##_##name;
#define CFG_BOOL(section, name, ...) bool section##_##name;
#define CFG_STR(section, name, ...) char *section##_##name;
#define CFG_SECRET(section, name, ...) char *section##_##name;
#define CFG_ENUM(section, name, ...) const char *section##_##name; /* one of the row's words */
#define CFG_LIST(section, name, ...) struct cfg_list section##_##name;
#define CFG_JSON(section, name, ...) char *section##_##name; /* compact text of an array */
#include "cluster/cfg.def"
#undef CFG_INT
#undef CFG_BOOL
#undef CFG_STR
#undef CFG_SECRET
#undef CFG_ENUM
#undef CFG_LIST
#undef CFG_JSON
};

/* One line for a person; cut at the end. */
struct cfg_error {
    char text[512];
};

/* All defaults. */
void cfg_init(struct cfg *c);
void cfg_fini(struct cfg *c);

/* Each: true, or false with *err filled and c in a state fit only for cfg_fini(). */
bool cfg_read_text(struct cfg *c, struct str_view json, const char *source,
                   struct cfg_error *err) MUST_CHECK;
bool cfg_read_file(struct cfg *c, const char *path, struct cfg_error *err) MUST_CHECK;
/* env: NULL-terminated "NAME=value" list. A PEAL_ name that is no key (other than PEAL_TEST_*,
 * PEAL_DEMO_*) is a mistake. */
bool cfg_read_env(struct cfg *c, char *const *env, struct cfg_error *err) MUST_CHECK;
/* "section.name=value". Lists: comma-separated words or a JSON array. */
bool cfg_set(struct cfg *c, const char *assignment, struct cfg_error *err) MUST_CHECK;
/* Rules that join several keys (e.g. transports' words, patterns' shape, paths begin with '/').
 * Normalizes gateway.path to end in '/'. */
bool cfg_check(struct cfg *c, struct cfg_error *err) MUST_CHECK;

/* Is word in the list? */
bool cfg_list_has(const struct cfg_list *l, struct str_view word);
/* Does one of its words, as a pattern, match the text? */
bool cfg_list_matches(const struct cfg_list *l, struct str_view text);
/* Is there a Redis to be used? */
bool cfg_has_redis(const struct cfg *c);

/* The whole configuration as JSON, secrets as "***"; what it prints can be read again apart from
 * those. */
void cfg_print(const struct cfg *c, FILE *to);
/* The keys for --help, and docs/config.md. */
void cfg_print_help(FILE *to);
void cfg_print_markdown(FILE *to);

#endif
