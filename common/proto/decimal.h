/* Numbers of JSON and doubles, without detours through a tree or a locale. */
#ifndef PEAL_PROTO_DECIMAL_H
#define PEAL_PROTO_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/str_view.h"

/* The double next to a proved JSON number; beyond the largest an infinity, as JSON.parse has it.
 * *exact: decimal_write() gives the same number again (not the same spelling: 1.50 is 1.5). */
double decimal_read(struct str_view number, bool *exact);

/* Appends the shortest digits that read as the same double; null if it is no number or infinite.
 * False, and out as it was, if out is full. */
bool decimal_write(struct buf *out, double v) MUST_CHECK;
bool decimal_write_uint(struct buf *out, uint64_t v) MUST_CHECK;
bool decimal_write_int(struct buf *out, int64_t v) MUST_CHECK;

#endif
