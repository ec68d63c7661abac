/* What a gateway notes of each socket whose connect workers were told: enough to tell them its
 * disconnect if the gateway cannot any more. The notes are fields of a hash (bus_name_sockets).
 *
 *   field   <nsp> "\n" <sid>
 *   value   {"serial":5,"user":"u1","claims":{…},"data":…} */
#ifndef PEAL_CLUSTER_WORK_NOTE_H
#define PEAL_CLUSTER_WORK_NOTE_H

#include "cluster/work_item.h"

/* Each appends. False, and out as it was, if it does not fit. */
bool work_note_field(struct buf *out, struct str_view nsp, struct str_view sid) MUST_CHECK;
bool work_note_value(struct buf *out, const struct work_item *item) MUST_CHECK;
/* Hostile input. Fills nsp, sid, serial, user, claims and data; the rest is zeroed. Views point into
 * field, value and text, which is emptied first and gets a user's name with escapes: one for each
 * note that is still in use. */
bool work_note_decode(struct work_item *item, struct str_view field, struct str_view value,
                      struct buf *text, const char **why) MUST_CHECK;

#endif
