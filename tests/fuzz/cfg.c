/* A configuration file of any content, and the same text as --set and as environment.
 *
 * What must hold: a mistake is one line of text; what was read keeps the limits of the table; a
 * checked configuration, printed and read back, is checked again and prints the same; no secret is
 * in the print or in a mistake. */
/* System */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg.h"
#include "cluster/cfg_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct cfg_error *err)
{
    size_t n = strnlen(err->text, sizeof(err->text));
    assert(n > 0 && n < sizeof(err->text));
    for (size_t i = 0; i < n; i++)
        assert((unsigned char)err->text[i] >= ' ' && err->text[i] != 127);
}

static void check_list(const struct cfg_list *l)
{
    assert(l->n <= CFG_MAX_WORDS);
    for (size_t i = 0; i < l->n; i++) {
        struct str_view word = sv_of(l->v[i]);
        assert(word.n > 0 && sv_trim(word).n == word.n);
    }
}

static void check_fields(const struct cfg *c)
{
    for (size_t i = 0; i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        const void *field = (const char *)c + row->offset;
        if (row->type == CFG_TYPE_INT) {
            int64_t value = *(const int64_t *)field;
            assert(value >= row->min && value <= row->max);
        } else if (row->type == CFG_TYPE_LIST) {
            check_list(field);
        } else if (row->type == CFG_TYPE_ENUM) {
            bool known = false;
            for (const char *w = row->words; *w; w += strlen(w) + 1)
                known |= w == *(const char *const *)field;
            assert(known);
        } else if (row->type != CFG_TYPE_BOOL) {
            assert(*(const char *const *)field != NULL);
        }
    }
}

static void check_rules(const struct cfg *c)
{
    size_t n = strlen(c->gateway_path);
    assert(n && c->gateway_path[0] == '/' && c->gateway_path[n - 1] == '/');
    assert(c->engine_transports.n >= 1 && c->engine_transports.n <= 2);
    assert(c->socketio_namespaces.n >= 1);
    assert(!(c->cors_credentials && cfg_list_has(&c->cors_origins, SV("*"))));
    assert(!(c->auth_secret[0] && c->auth_secret_file[0]));
    assert(!strpbrk(c->auth_cookie, "; =\"") && !strpbrk(c->engine_cookie, "; =\""));
}

/* Gives: x_free. */
static char *print(const struct cfg *c)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    assert(to);
    cfg_print(c, to);
    assert(!fclose(to) && strlen(text) == n);
    return text;
}

static void check_printed(struct cfg *c)
{
    struct cfg again;
    struct cfg_error err;
    char *first = print(c);
    cfg_init(&again);
    bool ok = cfg_read_text(&again, sv_of(first), "printed", &err);
    /* Indented it may be longer than a file may be; nothing else may be wrong with it. */
    assert(ok || strlen(first) > 1 << 20);
    if (ok) {
        assert(cfg_check(&again, &err));
        char *second = print(&again);
        assert(strcmp(first, second) == 0);
        x_free(second);
    }
    cfg_fini(&again);
    x_free(first);
}

static void check_read(struct cfg *c, bool ok, struct cfg_error *err)
{
    if (ok) {
        check_fields(c);
        if (cfg_check(c, err)) {
            check_rules(c);
            check_printed(c);
        } else {
            check_line(err);
        }
    } else {
        check_line(err);
    }
    cfg_fini(c);
}

/* The texts as the value of every secret row: it must be in no mistake and no print. */
static void check_secrets(const char *text)
{
    static const char mark[] = "K7wq"; /* too odd to be in a print by itself */
    char *secret = x_asprintf("auth.secret=%s%s", mark, text);
    char *keys = x_asprintf("auth.keys=[{\"secret\":\"%s%s", mark, text);
    struct cfg_error err = {""};
    struct cfg c;
    cfg_init(&c);
    if (!cfg_set(&c, secret, &err) || !cfg_set(&c, keys, &err)) {
        assert(!strstr(err.text, mark));
    } else {
        char *out = print(&c);
        assert(strstr(text, mark) || !strstr(out, mark));
        x_free(out);
    }
    cfg_fini(&c);
    x_free(secret);
    x_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfg c;
    struct cfg_error err = {""};
    char *text = x_memdup(size ? (const char *)data : "", size); /* also ends in NUL */
    char *exact = x_malloc(size);
    memcpy(exact, text, size);

    cfg_init(&c);
    check_read(&c, cfg_read_text(&c, sv_make(exact, size), "fuzz", &err), &err);
    cfg_init(&c);
    check_read(&c, cfg_set(&c, text, &err), &err);
    char *variable = x_asprintf("PEAL_%s", text);
    char *const env[] = {text, variable, NULL};
    cfg_init(&c);
    check_read(&c, cfg_read_env(&c, env, &err), &err);
    check_secrets(text);

    x_free(variable);
    x_free(exact);
    x_free(text);
    return 0;
}
