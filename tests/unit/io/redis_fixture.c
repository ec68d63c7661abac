/* System */
#include <stdlib.h>
#include <string.h>
/* Util */
#include "util/buf.h"
#include "util/log.h"
#include "util/x_alloc.h"
/* Tests */
#include "unit/io/redis_fixture.h"

#define MAX_WORDS 16

static struct fixture fixture;

static void nothing(struct wheel_entry *e)
{
    (void)e;
}

void fixture_turn(struct fixture *f)
{
    struct wheel_entry soon = {.fire = nothing};
    wheel_set(loop_wheel(f->loop), &soon, now_mono_ms() + 20);
    loop_turn(f->loop, true);
    wheel_drop(loop_wheel(f->loop), &soon);
}

void fixture_set(struct fixture *f, const char *assignment)
{
    struct cfg_error err;
    if (!cfg_set(&f->cfg, assignment, &err)) fail_msg("%s", err.text);
}

void fixture_setf(struct fixture *f, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fixture_set(f, text);
}

int fixture_begin(void **state)
{
    struct fixture *f = &fixture;
    memset(f, 0, sizeof(*f));
    *state = f;
    log_set_level(getenv("PEAL_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    f->loop = loop_new(&now_system);
    cfg_init(&f->cfg);
    fixture_set(f, "redis.connect_timeout=2000");
    fixture_set(f, "redis.command_timeout=500");
    fixture_set(f, "redis.backoff_min=10");
    fixture_set(f, "redis.backoff_max=100");
    return 0;
}

void fixture_serve(struct fixture *f, const char *const *more)
{
    if (!redis_server_is_there()) {
        print_message("redis-server is not installed (deploy/setup test installs it)\n");
        skip();
    }
    redis_server_start(&f->server, more);
    fixture_setf(f, "redis.url=redis://127.0.0.1:%u", f->server.port);
}

int fixture_end(void **state)
{
    struct fixture *f = *state;
    fixture_unlink(&f->one);
    fixture_unlink(&f->two);
    cfg_fini(&f->cfg);
    loop_free(f->loop);
    redis_server_remove(&f->server);
    return 0;
}

static void note(struct noted *n, char what)
{
    size_t at = strlen(n->order);
    if (at + 1 < sizeof(n->order)) n->order[at] = what;
}

static void on_up(void *arg)
{
    struct noted *n = arg;
    assert_true(redis_link_is_up(n->link));
    n->ups++;
    note(n, 'u');
}

static void on_down(void *arg, const char *why)
{
    struct noted *n = arg;
    assert_false(redis_link_is_up(n->link));
    n->downs++;
    snprintf(n->why, sizeof(n->why), "%s", why);
    note(n, 'd');
}

static void on_message(void *arg, struct str_view pattern, struct str_view channel,
                       struct str_view payload)
{
    struct noted *n = arg;
    char shown[201] = "";
    n->messages++;
    for (size_t i = 0; i < payload.n && i < 200; i++)
        shown[i] = payload.p[i] ? payload.p[i] : '.'; /* it may be binary */
    snprintf(n->last, sizeof(n->last), "%.*s|%.*s|%s", SV_ARG(pattern), SV_ARG(channel), shown);
}

static void on_subscribed(void *arg, bool is_pattern, struct str_view channel, bool on)
{
    struct noted *n = arg;
    *(on ? &n->subscribed : &n->unsubscribed) += 1;
    snprintf(n->last, sizeof(n->last), "%s%.*s", is_pattern ? "pattern " : "", SV_ARG(channel));
}

void fixture_link(struct fixture *f, struct noted *n, const char *name)
{
    static const struct redis_link_events events = {
        .up = on_up, .down = on_down, .message = on_message, .subscribed = on_subscribed};
    struct cfg_error err;
    n->link = redis_link_new(&f->cfg, f->loop, name, 1 << 20, &events, n, &err);
    if (!n->link) fail_msg("%s", err.text);
    if (f->name_server) redis_link_use_name_server(n->link, f->name_server);
    redis_link_open(n->link);
    assert_int_equal(n->ups, 0); /* nothing is told from within */
}

void fixture_unlink(struct noted *n)
{
    redis_link_free(n->link);
    n->link = NULL;
}

static void describe(const struct redis_reply *r, struct buf *to)
{
    struct str_view text = redis_reply_text(r);
    bool ok = true;
    switch (redis_reply_kind(r)) {
    case REDIS_LINK_NIL: ok = buf_add_sv(to, SV("nil")); break;
    case REDIS_LINK_INT: ok = buf_addf(to, "%lld", (long long)redis_reply_int(r)); break;
    case REDIS_LINK_TEXT: ok = buf_add_sv(to, text); break;
    case REDIS_LINK_ERROR: ok = buf_addf(to, "!%.*s", SV_ARG(text)); break;
    case REDIS_LINK_ARRAY:
        ok = buf_add_char(to, '[');
        for (size_t i = 0; i < redis_reply_count(r); i++) {
            if (i) ok = ok && buf_add_char(to, ' ');
            describe(redis_reply_at(r, i), to);
        }
        ok = ok && buf_add_char(to, ']');
        break;
    }
    assert_true(ok);
}

void fixture_on_answer(const struct redis_reply *r, void *arg)
{
    struct noted *n = arg;
    struct buf text;
    n->answers++;
    note(n, r ? 'a' : 'n');
    if (!r) {
        n->nulls++;
        snprintf(n->last, sizeof(n->last), "NULL");
        return;
    }
    buf_init(&text, 1 << 21);
    describe(r, &text);
    snprintf(n->last, sizeof(n->last), "%s", buf_cstr(&text));
    buf_fini(&text);
}

void fixture_command(struct noted *n, const char *words)
{
    struct str_view argv[MAX_WORDS], rest = sv_of(words);
    size_t argc = 0;
    while (rest.n) {
        size_t end = sv_find(rest, ' ');
        assert_true(argc < MAX_WORDS);
        argv[argc++] = sv_make(rest.p, end);
        rest = end < rest.n ? sv_skip(rest, end + 1) : SV("");
    }
    redis_link_command(n->link, fixture_on_answer, n, argc, argv);
}

const char *fixture_ask(struct fixture *f, struct noted *n, const char *words)
{
    unsigned before = n->answers;
    fixture_command(n, words);
    assert_int_equal(n->answers, before);
    UNTIL(f, n->answers == before + 1);
    return n->last;
}
