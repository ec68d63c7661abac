/* System */
#include <errno.h>
#include <stdio.h>
#include <string.h>
/* Cluster */
#include "cluster/cfg_row.h"
#include "cluster/cfg_secret.h"

#define LINE_END 2 /* bytes that do not count */

/* All of a file that its bound lets in. False with *err filled. */
static bool read_all(FILE *f, struct buf *text, const char *path, const char *name,
                     struct cfg_error *err)
{
    char chunk[4096];
    bool fits = true;
    size_t n;
    errno = 0;
    while (fits && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        fits = buf_add(text, chunk, n);
    int error = ferror(f) ? errno : 0;
    explicit_bzero(chunk, sizeof(chunk));
    if (error) return cfg_row_error(err, "%s: \"%s\": %s", name, path, strerror(error));
    if (text->n && text->p[text->n - 1] == '\n') text->n--;
    if (text->n && text->p[text->n - 1] == '\r') text->n--;
    if (!fits || text->n > text->max - LINE_END)
        return cfg_row_error(err, "%s: \"%s\": longer than %zu bytes", name, path,
                             text->max - LINE_END);
    return text->n || cfg_row_error(err, "%s: \"%s\": the file is empty", name, path);
}

bool cfg_secret_read(struct buf *out, size_t max, const char *path, const char *name,
                     struct cfg_error *err)
{
    buf_init(out, max + LINE_END);
    FILE *f = fopen(path, "rbe");
    if (!f) return cfg_row_error(err, "%s: \"%s\": %s", name, path, strerror(errno));
    bool ok = read_all(f, out, path, name, err);
    fclose(f);
    if (!ok) cfg_secret_wipe(out);
    return ok;
}

void cfg_secret_wipe(struct buf *b)
{
    if (b->p) explicit_bzero(b->p, b->cap);
    buf_fini(b);
}
