/* Lines out of a stream of bytes, numbered, none of them longer than a maximum. No I/O. */
#ifndef PEAL_CLI_PEAL_LINES_H
#define PEAL_CLI_PEAL_LINES_H

#include <stdint.h>

#include "util/buf.h"

struct peal_lines {
    struct buf bytes;
    size_t max;
    size_t at, seen;  /* where the next line begins; no line end stands before seen */
    uint64_t number;  /* of the line told last */
    bool is_skipping; /* the rest of a line that is too long */
    bool is_ended;
};

#define PEAL_LINES_FEED 65536 /* most bytes fed at once */

enum peal_line {
    PEAL_LINE_NONE, /* feed more, or it is the end */
    PEAL_LINE_OK,
    PEAL_LINE_LONG, /* told once, and skipped */
};

/* max: bytes of a line without its end. */
void peal_lines_init(struct peal_lines *l, size_t max);
void peal_lines_fini(struct peal_lines *l);
/* Takes n bytes, at most PEAL_LINES_FEED. Only after peal_lines_next() has told NONE. */
void peal_lines_feed(struct peal_lines *l, const char *bytes, size_t n);
/* Nothing will be fed any more: what is left is a line too, unless it is empty. */
void peal_lines_end(struct peal_lines *l);
/* The next line without "\n" or "\r\n", lent until the next call; l->number tells which. */
enum peal_line peal_lines_next(struct peal_lines *l, struct str_view *line);

#endif
