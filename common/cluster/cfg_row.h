/* The table behind cfg.h: one row a key, made from cfg.def, and the words that rows are spoken of
 * in. Only cfg*.c, those that tell mistakes in its words, and tests look in here; programs use
 * struct cfg. */
#ifndef PEAL_CLUSTER_CFG_ROW_H
#define PEAL_CLUSTER_CFG_ROW_H

#include "cluster/cfg.h"

#define CFG_NAME_MAX 64 /* no key or environment name is longer, with its NUL */

enum cfg_type {
    CFG_TYPE_INT,
    CFG_TYPE_BOOL,
    CFG_TYPE_STR,
    CFG_TYPE_SECRET,
    CFG_TYPE_ENUM,
    CFG_TYPE_LIST,
    CFG_TYPE_JSON,
};

struct cfg_row {
    const char *section, *name;
    const char *key; /* section.name */
    enum cfg_type type;
    size_t offset;     /* of the field in struct cfg */
    const char *def;   /* the default as --set would take it */
    int64_t min, max;  /* INT */
    const char *unit;  /* INT */
    const char *words; /* ENUM: each with its NUL, an empty one ends them */
    bool reloadable;
    const char *sentence;
};

extern const struct cfg_row cfg_rows[];
extern const size_t cfg_row_count;

/* The row of "section.name", or NULL. */
const struct cfg_row *cfg_row_find(struct str_view key);
/* The row of "PEAL_SECTION_NAME", or NULL. */
const struct cfg_row *cfg_row_find_env(struct str_view name);
bool cfg_row_has_section(struct str_view section);
/* "PEAL_GATEWAY_PORT". */
void cfg_row_env(const struct cfg_row *row, char out[CFG_NAME_MAX]);
/* What may stand there, for a person: "a whole number from 0 to 65535 (port)". */
void cfg_row_allowed(const struct cfg_row *row, char *out, size_t size);
/* Would the value betray something? Such a one is never shown. */
bool cfg_row_is_secret(const struct cfg_row *row);

/* What a mistyped key or section probably should have been; false if nothing is near. */
bool cfg_row_nearest(struct str_view word, char out[CFG_NAME_MAX]);
/* The same for an environment name. */
bool cfg_row_nearest_env(struct str_view name, char out[CFG_NAME_MAX]);

/* How many bytes of a value a mistake shows: 64 at most, no character cut in two. */
int cfg_row_cut(struct str_view value);
/* Fills err with one line: control characters become '?'. Returns false, for "return …". */
bool cfg_row_error(struct cfg_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
