/* A dead letter on paper. What is in it is anybody's who can write to that Redis: texts are escaped. */
#ifndef PEAL_CLI_PEAL_DEAD_VIEW_H
#define PEAL_CLI_PEAL_DEAD_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "io/redis_link.h"

/* An entry of the stream: its id, fields and values in turn. */
struct peal_dead_letter {
    struct str_view id;
    const struct redis_reply *fields;
};

/* False: that is no entry. */
bool peal_dead_read(struct peal_dead_letter *d, const struct redis_reply *entry);
/* A field's value; "" if there is none. */
struct str_view peal_dead_field(const struct peal_dead_letter *d, const char *name);

void peal_dead_print_head(FILE *to);
void peal_dead_print_row(const struct peal_dead_letter *d, FILE *to);
void peal_dead_print_all(const struct peal_dead_letter *d, FILE *to);
/* {"id":…,"fields":{…}}, one line; a value that is no text is {"base64":…}. */
void peal_dead_print_json(const struct peal_dead_letter *d, FILE *to);

#endif
