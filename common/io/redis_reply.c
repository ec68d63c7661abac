/* hiredis' reader calls us for each piece of an answer. The pieces are slots: an array's elements
 * lie in one block, so that a piece costs sizeof(struct redis_reply) and its text.
 *
 * Bounds, checked before allocating: an element is at least three bytes on the wire ("+\r\n"), so
 * an answer cannot announce more than max / 3 of them in all; texts together are at most max; what
 * waits for its end in the reader is at most max and some framing; arrays nest MAX_DEPTH deep. */
/* System */
#include <assert.h>
/* Third party */
#include <hiredis/hiredis.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/redis_reply.h"

#define MAX_DEPTH 7       /* as hiredis 0.14 has it; 1.x has no bound */
#define MAX_LINE 65536u   /* of a status, an error, a number */
#define MAX_FRAMING 1024u /* beside a text: its length line and its end */

/* hiredis 1.0 changed the type of a count and added kinds that only RESP3 has. */
#if HIREDIS_MAJOR >= 1
typedef size_t count_type;
#else
typedef int count_type;
#endif

struct redis_reply {
    enum redis_reply_kind kind;
    union {
        int64_t number;
        char *text;
        struct redis_reply *elements;
    } u;
    size_t n; /* bytes of the text, elements of the array */
};

struct redis_parser {
    redisReader *reader;
    size_t max, texts, elements; /* of the answer under way */
    const char *error;           /* ours; else the reader's counts */
};

/* The place of a piece: in its array, or a new one if it is the answer itself. */
static struct redis_reply *slot_of(const redisReadTask *task, enum redis_reply_kind kind)
{
    struct redis_reply *array = task->parent ? task->parent->obj : NULL;
    struct redis_reply *r = array ? &array->u.elements[task->idx] : x_calloc(1, sizeof(*r));
    r->kind = kind;
    return r;
}

static void *refuse(struct redis_parser *p, const char *why)
{
    p->error = why;
    return NULL;
}

static void *create_string(const redisReadTask *task, char *text, size_t n)
{
    struct redis_parser *p = task->privdata;
    if (n > p->max - p->texts) return refuse(p, "an answer is larger than allowed");
    p->texts += n;
    struct redis_reply *r =
        slot_of(task, task->type == REDIS_REPLY_ERROR ? REDIS_LINK_ERROR : REDIS_LINK_TEXT);
    r->u.text = x_memdup(text, n);
    r->n = n;
    return r;
}

static void *create_array(const redisReadTask *task, count_type count)
{
    struct redis_parser *p = task->privdata;
    size_t depth = 0, n = (size_t)count;
    for (const redisReadTask *up = task->parent; up; up = up->parent)
        if (++depth >= MAX_DEPTH) return refuse(p, "an answer is nested too deep");
    if (n > p->max / 3 - p->elements) return refuse(p, "an answer has more parts than allowed");
    p->elements += n;
    struct redis_reply *r = slot_of(task, REDIS_LINK_ARRAY);
    r->u.elements = n ? x_calloc(n, sizeof(*r)) : NULL;
    r->n = n;
    return r;
}

static void *create_integer(const redisReadTask *task, long long number)
{
    struct redis_reply *r = slot_of(task, REDIS_LINK_INT);
    r->u.number = number;
    return r;
}

static void *create_nil(const redisReadTask *task)
{
    return slot_of(task, REDIS_LINK_NIL);
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double number, char *text, size_t n)
{
    (void)number;
    return create_string(task, text, n);
}

static void *create_bool(const redisReadTask *task, int is_true)
{
    return create_integer(task, is_true);
}
#endif

static void wipe(struct redis_reply *r)
{
    if (r->kind == REDIS_LINK_TEXT || r->kind == REDIS_LINK_ERROR) x_free(r->u.text);
    if (r->kind != REDIS_LINK_ARRAY) return;
    for (size_t i = 0; i < r->n; i++)
        wipe(&r->u.elements[i]);
    x_free(r->u.elements);
}

static void free_object(void *r)
{
    redis_reply_free(r);
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = free_object,
};

struct redis_parser *redis_parser_new(size_t max)
{
    struct redis_parser *p = x_calloc(1, sizeof(*p));
    p->max = max;
    p->reader = redisReaderCreateWithFunctions(&functions);
    if (!p->reader) log_fatal("out of memory");
    p->reader->privdata = p;
    return p;
}

void redis_parser_free(struct redis_parser *p)
{
    if (!p) return;
    redisReaderFree(p->reader);
    x_free(p);
}

/* A text may be long; anything else that has no end yet is a line. */
static bool is_too_long(const struct redis_parser *p)
{
    const redisReader *r = p->reader;
    size_t waiting = r->len - r->pos;
    if (waiting > p->max + MAX_FRAMING) return true;
    if (waiting <= MAX_LINE || r->ridx < 0) return false;
#if HIREDIS_MAJOR >= 1
    int type = r->task[r->ridx]->type;
    if (type == REDIS_REPLY_VERB) return false;
#else
    int type = r->rstack[r->ridx].type;
#endif
    return type != REDIS_REPLY_STRING;
}

bool redis_parser_feed(struct redis_parser *p, const char *bytes, size_t n)
{
    return redisReaderFeed(p->reader, bytes, n) == REDIS_OK;
}

bool redis_parser_next(struct redis_parser *p, struct redis_reply **out)
{
    void *reply = NULL;
    *out = NULL;
    if (p->error || redisReaderGetReply(p->reader, &reply) != REDIS_OK) return false;
    *out = reply;
    if (reply) {
        p->texts = p->elements = 0;
        return true;
    }
    if (is_too_long(p)) p->error = "an answer is larger than allowed";
    return !p->error;
}

const char *redis_parser_error(const struct redis_parser *p)
{
    return p->error ? p->error : p->reader->errstr;
}

void redis_reply_free(struct redis_reply *r)
{
    if (!r) return;
    wipe(r);
    x_free(r);
}

enum redis_reply_kind redis_reply_kind(const struct redis_reply *r)
{
    return r->kind;
}

int64_t redis_reply_int(const struct redis_reply *r)
{
    return r->kind == REDIS_LINK_INT ? r->u.number : 0;
}

struct str_view redis_reply_text(const struct redis_reply *r)
{
    if (r->kind != REDIS_LINK_TEXT && r->kind != REDIS_LINK_ERROR) return SV("");
    return sv_make(r->u.text, r->n);
}

size_t redis_reply_count(const struct redis_reply *r)
{
    return r->kind == REDIS_LINK_ARRAY ? r->n : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i)
{
    assert(i < redis_reply_count(r));
    return &r->u.elements[i];
}
