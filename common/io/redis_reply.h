/* What Redis answers: bytes in, answers out. hiredis' reader does the parsing; the answers are our
 * own, so that what they may cost is known before it is allocated.
 *
 * It does no I/O and keeps no time. hiredis' asynchronous connection is not used: it ends the
 * process (assert) when a server sends what it does not expect, see docs/decisions. */
#ifndef PEAL_IO_REDIS_REPLY_H
#define PEAL_IO_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "io/redis_link.h"

struct redis_parser;

/* max: most bytes of one answer. Gives: redis_parser_free. */
struct redis_parser *redis_parser_new(size_t max);
void redis_parser_free(struct redis_parser *p);

/* Adds what has come. False: the stream cannot be used any more (redis_parser_error). */
bool redis_parser_feed(struct redis_parser *p, const char *bytes, size_t n);
/* The next whole answer, or NULL: there is none yet. Gives: redis_reply_free. False: as above. */
bool redis_parser_next(struct redis_parser *p, struct redis_reply **out);
/* What is wrong with the stream, for the log. Lends. */
const char *redis_parser_error(const struct redis_parser *p);

void redis_reply_free(struct redis_reply *r);

#endif
