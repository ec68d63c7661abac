/* The configuration for people: as JSON, as help text, as docs/config.md.
 *
 * The JSON is built as a tree that never holds a secret: "***" is put in before anything is
 * written, so there is no text from which one could have been forgotten to be cut. */
/* System */
#include <assert.h>
/* Third party */
#include <jansson.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg.h"
#include "cluster/cfg_row.h"

#define COLUMNS 100
#define HELP_INDENT 32
#define LOAD_FLAGS JSON_REJECT_DUPLICATES

/* --- JSON */

static void hide_secrets(json_t *v)
{
    size_t i;
    json_t *member;
    for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it)) {
        if (strcasecmp(json_object_iter_key(it), "secret") == 0)
            json_object_iter_set_new(v, it, json_string("***"));
        else
            hide_secrets(json_object_iter_value(it));
    }
    json_array_foreach(v, i, member) hide_secrets(member);
}

static json_t *list_value(const struct cfg_list *l)
{
    json_t *array = json_array();
    for (size_t i = 0; i < l->n; i++)
        json_array_append_new(array, json_string(l->v[i]));
    return array;
}

static json_t *array_value(const char *text)
{
    json_t *array = json_loads(text, LOAD_FLAGS, NULL);
    hide_secrets(array);
    return array;
}

static json_t *row_value(const struct cfg *c, const struct cfg_row *row)
{
    const void *field = (const char *)c + row->offset;
    switch (row->type) {
    case CFG_TYPE_INT: return json_integer(*(const int64_t *)field);
    case CFG_TYPE_BOOL: return json_boolean(*(const bool *)field);
    case CFG_TYPE_SECRET: return json_string(**(char *const *)field ? "***" : "");
    case CFG_TYPE_STR:
    case CFG_TYPE_ENUM: return json_string(*(const char *const *)field);
    case CFG_TYPE_LIST: return list_value(field);
    case CFG_TYPE_JSON: return array_value(*(char *const *)field);
    }
    return NULL;
}

void cfg_print(const struct cfg *c, FILE *to)
{
    json_t *root = json_object();
    for (size_t i = 0; i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        json_t *section = json_object_get(root, row->section);
        if (!section) {
            section = json_object();
            json_object_set_new(root, row->section, section);
        }
        int failed = json_object_set_new(section, row->name, row_value(c, row));
        assert(!failed); /* every field was checked when it was stored */
    }
    json_dumpf(root, to, JSON_INDENT(2));
    fputc('\n', to);
    json_decref(root);
}

/* --- help */

/* Columns of a word: UTF-8 bytes that continue a character take none. */
static size_t columns_of(const char *p, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)p[i] & 0xc0) != 0x80;
    return columns;
}

/* Length of the piece that text begins with: up to a space, or, if that is wider than a line, up
 * to a comma. */
static size_t piece_of(const char *text)
{
    size_t n = strcspn(text, " ");
    while (columns_of(text, n) > COLUMNS - HELP_INDENT) {
        const char *comma = memrchr(text, ',', n - 1);
        if (!comma) break;
        n = (size_t)(comma - text) + 1;
    }
    return n;
}

/* Prints the words of text, wrapped; the caret is at column HELP_INDENT before and at 0 after. */
static void print_wrapped(FILE *to, const char *text)
{
    size_t at = HELP_INDENT, space = 0;
    while (*text) {
        size_t n = piece_of(text), columns = columns_of(text, n);
        if (at > HELP_INDENT && at + space + columns > COLUMNS) {
            fprintf(to, "\n%*s", HELP_INDENT, "");
            at = HELP_INDENT;
            space = 0;
        }
        if (space) fputc(' ', to);
        fwrite(text, 1, n, to);
        at += space + columns;
        space = text[n] == ' ';
        text += n + strspn(text + n, " ");
    }
    fputc('\n', to);
}

void cfg_print_help(FILE *to)
{
    for (size_t i = 0; i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        char allowed[200];
        cfg_row_allowed(row, allowed, sizeof(allowed));
        fprintf(to, "  %-*s", HELP_INDENT - 2, row->key);
        print_wrapped(to, row->sentence);
        char *limits = x_asprintf("[%s; default: %s]", allowed, row->def[0] ? row->def : "empty");
        fprintf(to, "%*s", HELP_INDENT, "");
        print_wrapped(to, limits);
        x_free(limits);
    }
}

/* --- docs/config.md */

static void print_escaped(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') fputc('\\', to);
        fputc(*text, to);
    }
}

static void print_markdown_row(FILE *to, const struct cfg_row *row)
{
    char env[CFG_NAME_MAX], allowed[200];
    cfg_row_env(row, env);
    cfg_row_allowed(row, allowed, sizeof(allowed));
    fprintf(to, "| `%s` | `%s` | ", row->key, env);
    print_escaped(to, allowed);
    fputs(" | ", to);
    if (row->def[0]) fputc('`', to);
    print_escaped(to, row->def[0] ? row->def : "empty");
    if (row->def[0]) fputc('`', to);
    fprintf(to, " | %s | ", row->reloadable ? "yes" : "no");
    print_escaped(to, row->sentence);
    fputs(" |\n", to);
}

void cfg_print_markdown(FILE *to)
{
    fputs(
        "# Configuration\n\n"
        "<!-- Printed by `peal-gateway --markdown-config`; do not edit. -->\n\n"
        "Every Peal program takes these keys from a JSON file (`-c FILE`) that holds\n"
        "`{\"gateway\": {\"port\": 3000}}` or `{\"gateway.port\": 3000}`, from the environment\n"
        "(`PEAL_GATEWAY_PORT=3000`) and from the command line (`--set gateway.port=3000`).\n"
        "The command line wins over the environment, the environment over the file, and the\n"
        "file over the default.\n"
        "All of it is checked before anything starts (`-t` checks and exits): the first mistake,\n"
        "an unknown key too, ends the program with one line that says what is allowed.\n",
        to);
    const char *section = "";
    for (size_t i = 0; i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        if (strcmp(section, row->section) != 0) {
            section = row->section;
            fprintf(to, "\n## %s\n\n", section);
            fputs("| key | environment | allowed | default | reloadable | meaning |\n"
                  "|---|---|---|---|---|---|\n",
                  to);
        }
        print_markdown_row(to, row);
    }
}
