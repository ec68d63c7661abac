/* The JSON text ["event", …] of what is to be emitted, from arguments or a line of input. No I/O. */
#ifndef PEAL_CLI_PEAL_EMIT_EVENT_H
#define PEAL_CLI_PEAL_EMIT_EVENT_H

#include "util/buf.h"

struct peal_emit_form {
    const char *event; /* NULL: a line is the whole array */
    bool is_text;      /* arguments and lines are plain text */
    unsigned max_depth;
};

/* Both replace what is in out. False: *why says what is wrong, in static words; *wrong (may be
 * NULL) is then the index of the argument, or n if it is not one of them. */
bool peal_emit_event_from_args(struct buf *out, const struct peal_emit_form *f, char *const *args,
                               size_t n, size_t *wrong, const char **why) MUST_CHECK;
bool peal_emit_event_from_line(struct buf *out, const struct peal_emit_form *f,
                               struct str_view line, const char **why) MUST_CHECK;

#endif
