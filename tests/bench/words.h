/* A command of the load generator: a verb and settings, `fanout seconds=1.5 event="message"`. Values
 * hold no spaces. A mistake ends the program: only tests/bench/ writes commands. */
#ifndef PEAL_BENCH_WORDS_H
#define PEAL_BENCH_WORDS_H

#include <stdbool.h>

enum { WORDS_MAX = 24 };

struct words {
    const char *verb;
    const char *name[WORDS_MAX], *value[WORDS_MAX];
    bool used[WORDS_MAX];
    int n;
};

/* Cuts the line up in place; the words lend it. False: it is empty. */
bool words_read(struct words *w, char *line);
/* The setting of that name, or what it is without one. */
long words_long(struct words *w, const char *name, long otherwise, long least, long most);
double words_real(struct words *w, const char *name, double otherwise);
const char *words_text(struct words *w, const char *name, const char *otherwise);
/* All settings have been asked for: one that nobody knows is a mistake. */
void words_done(const struct words *w);

#endif
