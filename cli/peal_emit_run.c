/* Events leave in the order of the lines, on one connection, many of them unanswered. While that is
 * too many, nothing is read: whoever writes into the pipe waits. What is unanswered when the
 * connection breaks may have been published; it is not sent again, since that might be twice.
 *
 * Standard input stays as it is (it may be somebody else's terminal too, so not O_NONBLOCK): it is read
 * when poll would say so. Files are always readable, and epoll takes none. */

/* System */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
/* Third party */
#include <event2/event.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/adapter_msg.h"
#include "cluster/bus_names.h"
/* This process */
#include "peal_emit_run.h"
#include "peal_lines.h"
#include "peal_redis.h"

#define UID SV("emitter")
#define UNANSWERED_MAX 2048
#define UNANSWERED_BYTES_MAX (4u << 20) /* one event may be larger */
#define MAX_REPLY 65536

struct emit {
    const struct peal_emit_job *job;
    struct peal_redis *redis;
    struct buf name, json, bytes;

    struct peal_lines lines;
    struct event *readable; /* NULL: always */
    bool may_read, is_ended;
    bool is_stopped; /* nothing is read or published any more */

    unsigned unanswered;
    size_t unanswered_bytes;
    uint64_t published, unheard, uncertain, bad;
    int64_t first_heard; /* subscribers of the first that was published */
    bool is_refused, is_failed;
};

/* A publish without answer. */
struct sent {
    struct emit *e;
    size_t size;
    uint64_t line; /* 0: there are none */
};

/* --- publishing */

static void fail(struct emit *e, uint64_t line, const char *what, struct str_view detail)
{
    char place[40] = "";
    if (line) snprintf(place, sizeof(place), "line %llu: ", (unsigned long long)line);
    peal_redis_complain(PEAL_EMIT_COMMAND, "%s%s%.*s", place, what, SV_ARG(detail));
    e->is_failed = true;
}

static void count_published(struct emit *e, int64_t subscribers)
{
    if (e->published++ == 0) e->first_heard = subscribers;
    if (subscribers == 0) e->unheard++;
}

static void on_published(const struct redis_reply *r, void *arg)
{
    struct sent *s = arg;
    struct emit *e = s->e;
    e->unanswered--;
    e->unanswered_bytes -= s->size;
    if (!r) {
        e->uncertain++;
    } else if (redis_reply_kind(r) == REDIS_LINK_INT) {
        count_published(e, redis_reply_int(r));
    } else if (!e->is_refused) { /* it will refuse the others too */
        e->is_stopped = e->is_refused = true;
        fail(e, s->line, "Redis refuses: ", redis_reply_text(r));
    }
    x_free(s);
}

/* False after a complaint. */
static bool publish(struct emit *e, struct str_view json, uint64_t line)
{
    struct bus_msg m = e->job->head;
    m.json = json;
    buf_clear(&e->bytes);
    if (!adapter_encode_broadcast(&e->bytes, UID, &m)) {
        fail(e, line, "it is larger than bus.max_message, or nests too deep", SV(""));
        return false;
    }
    struct sent *s = x_malloc(sizeof(*s));
    *s = (struct sent){.e = e, .size = e->bytes.n, .line = line};
    e->unanswered++;
    e->unanswered_bytes += s->size;
    const struct str_view argv[] = {SV("PUBLISH"), buf_view(&e->name), buf_view(&e->bytes)};
    redis_link_command(peal_redis_link(e->redis), on_published, s, 3, argv);
    return true;
}

/* --- standard input */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct emit *e = arg;
    (void)fd;
    (void)what;
    e->may_read = true;
}

static void on_interrupt(int signo, void *arg)
{
    struct emit *e = arg;
    e->is_stopped = true;
    e->is_failed = true;    /* there may have been more */
    signal(signo, SIG_DFL); /* the next one ends it at once */
}

static void open_input(struct emit *e)
{
    struct stat st;
    struct loop *loop = peal_redis_loop(e->redis);
    peal_lines_init(&e->lines, (size_t)e->job->cfg->bus_max_message);
    e->may_read = true;
    if (fstat(STDIN_FILENO, &st) == 0 &&
        (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(STDIN_FILENO))) {
        e->may_read = false;
        e->readable = event_new(loop_base(loop), STDIN_FILENO, EV_READ, on_readable, e);
        assert(e->readable);
    }
    loop_on_signal(loop, SIGINT, on_interrupt, e);
    loop_on_signal(loop, SIGTERM, on_interrupt, e);
}

static void read_some(struct emit *e)
{
    char bytes[PEAL_LINES_FEED];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
    e->may_read = !e->readable;
    if (n > 0) {
        peal_lines_feed(&e->lines, bytes, (size_t)n);
    } else if (n == 0) {
        peal_lines_end(&e->lines);
        e->is_ended = true;
    } else if (errno != EINTR && errno != EAGAIN) {
        fail(e, 0, "standard input: ", sv_of(strerror(errno)));
        e->is_stopped = true;
    }
}

static bool is_blank(struct str_view line)
{
    return sv_trim(line).n == 0;
}

static void take_line(struct emit *e, enum peal_line kind, struct str_view line)
{
    const struct peal_emit_form *form = &e->job->form;
    const char *why = "longer than bus.max_message";
    if (kind == PEAL_LINE_OK && !form->is_text && is_blank(line)) return;
    if (kind == PEAL_LINE_OK && peal_emit_event_from_line(&e->json, form, line, &why)) {
        if (publish(e, buf_view(&e->json), e->lines.number)) return;
    } else {
        fail(e, e->lines.number, why, SV(""));
    }
    e->bad++;
    e->is_stopped |= e->job->is_strict;
}

static bool is_full(const struct emit *e)
{
    return e->unanswered >= UNANSWERED_MAX || e->unanswered_bytes >= UNANSWERED_BYTES_MAX;
}

/* Lines to Redis, until there are none, or enough is on its way. */
static void pump(struct emit *e)
{
    struct str_view line;
    while (!e->is_stopped && !is_full(e)) {
        enum peal_line kind = peal_lines_next(&e->lines, &line);
        if (kind != PEAL_LINE_NONE) {
            take_line(e, kind, line);
        } else if (e->is_ended) {
            e->is_stopped = true;
        } else if (e->may_read) {
            read_some(e);
        } else {
            event_add(e->readable, NULL);
            return;
        }
    }
}

/* --- the run */

static void on_up(void *arg)
{
    struct emit *e = arg;
    if (!e->job->json.n) return; /* the turn's end sees to it */
    publish(e, e->job->json, 0);
    e->is_stopped = true;
}

static void on_away(void *arg, const char *why)
{
    struct emit *e = arg;
    e->is_stopped = true;
    e->is_failed = true;
    peal_redis_complain(PEAL_EMIT_COMMAND, "Redis at %s: %s",
                        redis_link_where(peal_redis_link(e->redis)), why);
}

static bool on_turn(void *arg)
{
    struct emit *e = arg;
    if (!e->job->json.n && redis_link_is_up(peal_redis_link(e->redis))) pump(e);
    if (e->is_stopped && e->unanswered == 0) peal_redis_done(e->redis);
    return false; /* while input is to be read, answers are awaited */
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void report(const struct emit *e)
{
    const char *head = PEAL_EMIT_COMMAND;
    unsigned long long n = e->published, heard = (unsigned long long)e->first_heard;
    if (e->job->json.n && n) printf("published to %llu subscriber%s\n", heard, plural(heard));
    if (!e->job->json.n)
        printf("published %llu event%s%s", n, plural(n), n ? ", the first to " : "\n");
    if (!e->job->json.n && n) printf("%llu subscriber%s\n", heard, plural(heard));
    if (e->unheard && e->unheard == e->published)
        peal_redis_complain(head,
                            "nobody listens: no server has clients there (is it the gateways' "
                            "Redis, and their bus.key?)");
    else if (e->unheard)
        peal_redis_complain(head, "%llu of them reached no server", (unsigned long long)e->unheard);
    if (e->bad)
        peal_redis_complain(head, "%llu line%s not taken", (unsigned long long)e->bad,
                            plural(e->bad));
    if (e->uncertain)
        peal_redis_complain(head, "%llu event%s may or may not have been published",
                            (unsigned long long)e->uncertain, plural(e->uncertain));
}

static bool name_channel(struct emit *e)
{
    const struct bus_msg *to = &e->job->head;
    buf_init(&e->name, BUS_NAME_MAX);
    return bus_name_broadcast(&e->name, sv_of(e->job->cfg->bus_key), to->nsp,
                              to->nrooms == 1 ? to->rooms[0] : SV("")) ||
           peal_redis_complain(PEAL_EMIT_COMMAND,
                               "namespace and room are too long: %d bytes in all", BUS_NAME_MAX);
}

bool peal_emit_run(const struct peal_emit_job *job)
{
    static const struct peal_redis_events events = {on_up, on_away, on_turn};
    struct emit e = {.job = job};
    size_t most = (size_t)job->cfg->bus_max_message;
    buf_init(&e.json, most);
    buf_init(&e.bytes, most);
    bool good = name_channel(&e);
    if (good)
        good =
            (e.redis = peal_redis_new(job->cfg, PEAL_EMIT_COMMAND, MAX_REPLY, &events, &e)) != NULL;
    if (good) {
        if (!job->json.n) open_input(&e);
        peal_redis_run(e.redis);
        if (e.readable) event_free(e.readable);
        report(&e);
        good = !e.is_failed;
    }
    if (fflush(stdout) != 0)
        good = peal_redis_complain(PEAL_EMIT_COMMAND, "standard output: %s", strerror(errno));
    peal_redis_free(e.redis);
    peal_lines_fini(&e.lines);
    buf_fini(&e.name);
    buf_fini(&e.json);
    buf_fini(&e.bytes);
    return good;
}
