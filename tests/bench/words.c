/* System */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
/* Util */
#include "util/log.h"
/* This program */
#include "words.h"

bool words_read(struct words *w, char *line)
{
    char *save = NULL, *word = strtok_r(line, " \n", &save);
    *w = (struct words){.verb = word};
    if (!word) return false;
    while ((word = strtok_r(NULL, " \n", &save))) {
        char *equals = strchr(word, '=');
        if (!equals || w->n == WORDS_MAX) log_fatal("not a setting: %s", word);
        *equals = '\0';
        w->name[w->n] = word;
        w->value[w->n++] = equals + 1;
    }
    return true;
}

const char *words_text(struct words *w, const char *name, const char *otherwise)
{
    for (int i = 0; i < w->n; i++) {
        if (strcmp(w->name[i], name) != 0) continue;
        w->used[i] = true;
        return w->value[i];
    }
    return otherwise;
}

long words_long(struct words *w, const char *name, long otherwise, long least, long most)
{
    const char *text = words_text(w, name, NULL);
    if (!text) return otherwise;
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < least || v > most)
        log_fatal("%s %s=%s: from %ld to %ld", w->verb, name, text, least, most);
    return v;
}

double words_real(struct words *w, const char *name, double otherwise)
{
    const char *text = words_text(w, name, NULL);
    if (!text) return otherwise;
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !(v >= 0 && v <= 1e6)) log_fatal("%s %s=%s", w->verb, name, text);
    return v;
}

void words_done(const struct words *w)
{
    for (int i = 0; i < w->n; i++)
        if (!w->used[i]) log_fatal("%s does not know %s=", w->verb, w->name[i]);
}
