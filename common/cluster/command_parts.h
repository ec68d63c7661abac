/* What command.c (the commands) and command_read.c (what they are made of: names, flags, binary) share.
 * Nobody else includes this. */
#ifndef PEAL_CLUSTER_COMMAND_PARTS_H
#define PEAL_CLUSTER_COMMAND_PARTS_H

#include <stddef.h>

#include "cluster/command.h"

struct block {
    struct block *next;
    max_align_t bytes[];
};

struct commands {
    struct command *v;
    size_t n, cap;
    struct block *blocks;
};

/* Members of a command. */
enum member {
    EVENT,
    ARGS,
    ROOMS,
    TO,
    USER,
    EXCEPT,
    NSP,
    VOLATILE,
    CLOSE,
    ATTACHMENTS,
    MEMBERS,
};

struct reader {
    struct commands *out;
    struct buf *err;
    struct buf scratch; /* a name's characters */
    bool has_own;       /* there is an item, so an own socket */
    const char *kind;   /* where we are: kind[index].member */
    size_t index;
    bool in_list, is_alone; /* alone: the kind is not in the text */
    unsigned names;         /* of the command so far */
};

/* Writes where we are and what is wrong to r->err. False. */
bool command_fail(struct reader *r, const char *member, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* … and that nobody knows this key. */
bool command_fail_unknown(struct reader *r, struct str_view raw, const char *what);

/* Memory that lives as long as the commands. */
void *command_keep(struct reader *r, size_t n);
struct str_view command_keep_text(struct reader *r, struct str_view v);

size_t command_count_elements(struct str_view array);
/* The members of an object, those not there with NULL; only the allowed ones (bits) may be. */
bool command_read_object(struct reader *r, struct str_view object, unsigned allowed,
                         struct str_view members[MEMBERS]) MUST_CHECK;
/* One list of the names of two members (the second may be MEMBERS: none). */
bool command_read_list(struct reader *r, const struct str_view *members, enum member a,
                       enum member b, const struct str_view **out, unsigned *n) MUST_CHECK;
/* Each: nothing, if raw.p is NULL. */
bool command_read_nsp(struct reader *r, struct str_view raw, struct str_view *out) MUST_CHECK;
bool command_read_bool(struct reader *r, enum member m, struct str_view raw, bool *out) MUST_CHECK;
bool command_read_attachments(struct reader *r, struct str_view raw, struct command *c) MUST_CHECK;
/* Placeholders must refer to an attachment, if there are any; then only they have a meaning. */
bool command_check_placeholders(struct reader *r, const char *member,
                                const struct command *c) MUST_CHECK;

#endif
