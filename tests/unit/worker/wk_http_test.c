/* Handlers over HTTP against a real server that answers well, badly, late or never. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
#include <openssl/hmac.h>
/* Util */
#include "util/x_alloc.h"
/* Tests */
#include "unit/worker/fake_job.h"
#include "unit/worker/http_backend.h"
/* Worker */
#include "worker/wk_http.h"

#define PATIENCE_MS 10000
#define SECRET "a secret of sixteen bytes or more"
#define ANSWER(status, more) "HTTP/1.1 " status "\r\n" more "Content-Length: 0\r\n\r\n"

static const struct backend_page pages[] = {
    {"/empty", BACKEND_SAY, ANSWER("204 No Content", "")},
    {"/blank", BACKEND_BODY, "\r\n"},
    /* clang-format off */
    {"/all", BACKEND_BODY,
     "{\"ack\":[\"ok\"],\"data\":{\"n\":1},\"disconnect\":{\"close\":true},"
     "\"join\":[\"a\",{\"rooms\":\"b\",\"user\":\"u\"}],\"leave\":\"c\","
     "\"emit\":[{\"event\":\"e\",\"args\":[{\"_placeholder\":true,\"num\":0}],"
     "\"to\":\"a\",\"except\":\"x\",\"nsp\":\"/n\",\"attachments\":[\"aGk=\"]}]}"},
    {"/others", BACKEND_BODY,
     "{\"leave\":{\"rooms\":\"b\",\"to\":\"s\"},\"disconnect\":{\"to\":\"s\",\"close\":true},"
     "\"emit\":{\"event\":\"e\"}}"},
    {"/error", BACKEND_BODY, "{\"error\":{\"message\":\"no\",\"data\":{\"a\":1}}}"},
    /* clang-format on */
    {"/typo", BACKEND_BODY, "{\"emmit\":[]}"},
    {"/html", BACKEND_BODY, "<html>"},
    {"/redirect", BACKEND_SAY, ANSWER("302 Found", "Location: /empty\r\n")},
    {"/400", BACKEND_SAY, ANSWER("400 Bad Request", "")},
    {"/404", BACKEND_SAY, ANSWER("404 Not Found", "")},
    {"/429", BACKEND_SAY, ANSWER("429 Too Many", "")},
    {"/503", BACKEND_SAY, ANSWER("503 Busy", "Retry-After: 1\r\n")},
    {"/500", BACKEND_SAY, ANSWER("500 Oops", "Retry-After: 1\r\n")},
    {"/hang", BACKEND_HANG, NULL},
    {"/close", BACKEND_CLOSE, NULL},
    {"/drip", BACKEND_DRIP, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"},
    {"/drip-head", BACKEND_DRIP, "HTTP/1.1 200 OK\r\nX: "},
    {"/flood", BACKEND_FLOOD, NULL},
    {"/cut-head", BACKEND_CUT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"/cut", BACKEND_CUT,
     "HTTP/1.1 200 OK\r\nContent-Length: 49\r\n\r\n{\"ack\":1,                                     "
     "   }"},
    {"/junk", BACKEND_SAY, "\1\2\3\4 junk that is no HTTP at all, and goes on for a while\r\n\r\n"},
    {NULL, BACKEND_SAY, NULL},
};

static struct {
    struct cfg cfg;
    struct loop *loop;
    struct http_backend backend, other;
    struct wk_http *http;
} t;

static int begin(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    cfg_init(&t.cfg);
    t.loop = loop_new(&now_system);
    http_backend_open(&t.backend, t.loop, pages);
    http_backend_open(&t.other, t.loop, pages);
    return 0;
}

static int end(void **state)
{
    (void)state;
    wk_http_free(t.http);
    http_backend_close(&t.backend);
    http_backend_close(&t.other);
    loop_free(t.loop);
    cfg_fini(&t.cfg);
    return 0;
}

static void set(const char *assignment)
{
    struct cfg_error err;
    if (!cfg_set(&t.cfg, assignment, &err)) fail_msg("%s", err.text);
}

/* worker.http with one entry; more: further members, each with a comma before it. */
static void open_http(const char *path, const char *more)
{
    struct cfg_error err;
    char *text = x_asprintf("worker.http=[{\"url\":\"http://127.0.0.1:%d%s\"%s}]", t.backend.port,
                            path, more);
    wk_http_free(t.http);
    set(text);
    x_free(text);
    t.http = wk_http_new(&t.cfg, t.loop, &err);
    if (!t.http) fail_msg("%s", err.text);
    assert_int_equal(wk_http_count(t.http), 1);
}

static void give(size_t i, struct wk_job *job)
{
    struct wk_handler h = wk_http_handler(t.http, i);
    assert_true(h.takes(h.ctx, &job->item));
    h.handle(h.ctx, job);
    assert_int_equal(job->end, FAKE_OPEN); /* never from within */
}

/* Turns until cond. */
#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        uint64_t until_ = now_mono_ms() + PATIENCE_MS;                                             \
        while (!(cond)) {                                                                          \
            if (now_mono_ms() > until_) fail_msg("never: %s", #cond);                              \
            loop_turn(t.loop, true);                                                               \
        }                                                                                          \
    } while (0)

/* A job from its beginning to its end, at the first entry. */
static void give_and_wait(struct wk_job *job)
{
    give(0, job);
    UNTIL(job->end != FAKE_OPEN);
}

/* The same for the usual event, with one entry for the path. */
static void run(struct wk_job *job, const char *path, const char *more)
{
    fake_job_init(job);
    open_http(path, more);
    give_and_wait(job);
}

static void become_connect(struct wk_job *job, const char *auth, bool asks)
{
    fake_job_init(job);
    job->item.type = WORK_CONNECT;
    job->item.auth = sv_of(auth);
    job->item.address = SV("::1");
    job->item.transport = SV("websocket");
    job->item.asks = asks;
}

static void become_disconnect(struct wk_job *job, const char *reason)
{
    fake_job_init(job);
    job->item.type = WORK_DISCONNECT;
    job->item.reason = sv_of(reason);
}

/* The first entry's jobs are taken back. */
static void abandon(struct wk_job *v, size_t n)
{
    struct wk_handler h = wk_http_handler(t.http, 0);
    for (size_t i = 0; i < n; i++)
        h.abandon(h.ctx, &v[i]);
}

static uint64_t outcome(enum wk_http_outcome o)
{
    return wk_http_stats(t.http)->outcomes[o];
}

/* ---- answers */

static void commands_become_effects(void **state)
{
    struct wk_job job;
    (void)state;
    run(&job, "/all", "");
    assert_string_equal(fake_job_why(&job), "");
    assert_string_equal(
        fake_job_notes(&job),
        "join a\n"
        "others join b in / to user:u\n"
        "leave c\n"
        "data {\"n\":1}\n"
        "emit [\"e\",{\"_placeholder\":true,\"num\":0}] with hi in /n to a except x\n"
        "ack [\"ok\"]\n"
        "disconnect close\n");
    assert_int_equal(job.end, FAKE_DONE);
    assert_int_equal(outcome(WK_HTTP_DONE), 1);
    fake_job_fini(&job);
}

static void no_answer_is_fine(void **state)
{
    static const char *const paths[] = {"/empty", "/blank"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct wk_job job;
        run(&job, paths[i], "");
        assert_int_equal(job.end, FAKE_DONE);
        assert_string_equal(fake_job_notes(&job), "");
        fake_job_fini(&job);
    }
}

static void an_error_fails_the_ack_or_refuses_the_connect(void **state)
{
    struct wk_job job;
    (void)state;
    run(&job, "/error", "");
    assert_int_equal(job.end, FAKE_DONE);
    assert_string_equal(fake_job_notes(&job), "ack [{\"status\":\"error\",\"code\":\"refused\","
                                              "\"message\":\"no\",\"data\":{\"a\":1}}]\n");
    assert_int_equal(outcome(WK_HTTP_REFUSED), 1);
    fake_job_fini(&job);

    become_connect(&job, "{}", true);
    give_and_wait(&job);
    assert_int_equal(job.end, FAKE_DONE);
    assert_string_equal(fake_job_notes(&job), "refuse {\"message\":\"no\",\"data\":{\"a\":1}}\n");
    fake_job_fini(&job);

    become_disconnect(&job, "transport close"); /* nobody asks */
    give_and_wait(&job);
    assert_int_equal(job.end, FAKE_FATAL);
    assert_string_equal(fake_job_why(&job), "the answer: error: cannot be done here");
    fake_job_fini(&job);
}

static void what_is_after_a_disconnect_is_for_others(void **state)
{
    struct wk_job job;
    (void)state;
    open_http("/others", "");
    become_disconnect(&job, "transport close");
    give_and_wait(&job);
    assert_string_equal(fake_job_why(&job), "");
    assert_string_equal(fake_job_notes(&job), "others leave b in / to s\nemit [\"e\"] in /\n"
                                              "others close in / to s\n");
    fake_job_fini(&job);
}

static void effects_that_do_not_fit_fail_the_item(void **state)
{
    struct wk_job job;
    (void)state;
    fake_job_init(&job);
    job.is_full = true;
    open_http("/all", "");
    give_and_wait(&job);
    assert_int_equal(job.end, FAKE_FATAL);
    assert_string_equal(fake_job_why(&job),
                        "the answer: command 1 of 7 cannot be: too many or too large");
    fake_job_fini(&job);
}

/* ---- what is tried again */

static void only_the_safe_is_tried_again(void **state)
{
    static const struct {
        const char *path;
        enum wk_http_outcome outcome;
        enum fake_end end, end_if_idempotent;
        const char *why; /* how it begins */
    } v[] = {
        {"/typo", WK_HTTP_MALFORMED, FAKE_FATAL, FAKE_FATAL, "the answer: \"emmit\" is no command"},
        {"/html", WK_HTTP_MALFORMED, FAKE_FATAL, FAKE_FATAL,
         "the answer: unexpected character in JSON"},
        {"/redirect", WK_HTTP_REDIRECT, FAKE_FATAL, FAKE_FATAL,
         "the backend answered 302, and redirects are not followed"},
        {"/400", WK_HTTP_MISTAKE, FAKE_FATAL, FAKE_FATAL, "the backend answered 400"},
        {"/404", WK_HTTP_MISTAKE, FAKE_FATAL, FAKE_FATAL, "the backend answered 404"},
        {"/429", WK_HTTP_BUSY, FAKE_RETRY, FAKE_RETRY, "the backend answered 429"},
        {"/503", WK_HTTP_BUSY, FAKE_RETRY, FAKE_RETRY, "the backend answered 503"},
        {"/500", WK_HTTP_BROKEN, FAKE_FATAL, FAKE_RETRY, "the backend answered 500"},
        {"/hang", WK_HTTP_TIMEOUT, FAKE_FATAL, FAKE_RETRY, "the backend did not answer in time: "},
        {"/drip", WK_HTTP_TIMEOUT, FAKE_FATAL, FAKE_RETRY, "the backend did not answer in time: "},
        {"/drip-head", WK_HTTP_TIMEOUT, FAKE_FATAL, FAKE_RETRY,
         "the backend did not answer in time: "},
        {"/close", WK_HTTP_LOST, FAKE_FATAL, FAKE_RETRY, "the backend's answer was lost: "},
        {"/cut", WK_HTTP_LOST, FAKE_FATAL, FAKE_RETRY, "the backend's answer was lost: "},
        {"/cut-head", WK_HTTP_LOST, FAKE_FATAL, FAKE_RETRY, "the backend's answer was lost: "},
        {"/junk", WK_HTTP_LOST, FAKE_FATAL, FAKE_RETRY, "the backend's answer was lost: "},
        {"/flood", WK_HTTP_TOO_LARGE, FAKE_FATAL, FAKE_FATAL,
         "the backend's answer is larger than worker.http_max_answer"},
    };
    (void)state;
    set("worker.http_timeout=300");
    set("worker.retry_max=50");
    for (size_t i = 0; i < 2 * sizeof(v) / sizeof(v[0]); i++) {
        bool idempotent = i % 2;
        struct wk_job job;
        run(&job, v[i / 2].path, idempotent ? ",\"idempotent\":true" : "");
        if (job.end != (idempotent ? v[i / 2].end_if_idempotent : v[i / 2].end) ||
            strncmp(fake_job_why(&job), v[i / 2].why, strlen(v[i / 2].why)) != 0)
            fail_msg("%s: %d, %s", v[i / 2].path, job.end, fake_job_why(&job));
        assert_string_equal(fake_job_notes(&job), "");
        assert_int_equal(outcome(v[i / 2].outcome), 1);
        assert_int_equal(wk_http_stats(t.http)->requests, 1);
        assert_int_equal(wk_http_stats(t.http)->running, 0);
        fake_job_fini(&job);
    }
    assert_int_equal(t.backend.requests, 2 * sizeof(v) / sizeof(v[0])); /* nothing was sent twice */
}

static void no_connection_is_tried_again(void **state)
{
    struct wk_job job;
    (void)state;
    http_backend_close(&t.backend);
    run(&job, "/all", "");
    assert_int_equal(job.end, FAKE_RETRY);
    assert_int_equal(outcome(WK_HTTP_UNREACHED), 1);
    fake_job_fini(&job);
    wk_http_free(t.http);
    set("worker.http=[{\"url\":\"http://no-such-host.invalid/\"}]");
    struct cfg_error err;
    t.http = wk_http_new(&t.cfg, t.loop, &err);
    fake_job_init(&job);
    give_and_wait(&job);
    assert_int_equal(job.end, FAKE_RETRY);
    assert_int_equal(outcome(WK_HTTP_UNREACHED), 1);
    fake_job_fini(&job);
    http_backend_open(&t.backend, t.loop, pages);
}

/* A connection that has died since its last answer, and is used again: nothing may be sent twice. */
static void a_kept_connection_that_dies_is_no_second_request(void **state)
{
    struct wk_job job;
    (void)state;
    run(&job, "/empty", "");
    fake_job_fini(&job);
    fake_job_init(&job);
    static const struct backend_page closing[] = {{"/empty", BACKEND_CLOSE, NULL}, {NULL, 0, NULL}};
    t.backend.pages = closing;
    give_and_wait(&job);
    assert_int_equal(job.end, FAKE_FATAL);
    assert_int_equal(outcome(WK_HTTP_LOST), 1);
    assert_int_equal(t.backend.requests, 2);
    fake_job_fini(&job);
}

static void retry_after_is_waited_for_but_not_longer_than_allowed(void **state)
{
    struct wk_job job;
    (void)state;
    uint64_t begun = now_mono_ms();
    run(&job, "/503", "");
    assert_true(now_mono_ms() - begun >= 900); /* it said a second */
    fake_job_fini(&job);
    set("worker.retry_max=60000");
    fake_job_init(&job);
    give(0, &job);
    UNTIL(wk_http_stats(t.http)->pausing);
    abandon(&job, 1); /* it can be taken back meanwhile */
    assert_int_equal(job.end, FAKE_DONE);
    assert_int_equal(wk_http_stats(t.http)->pausing, 0);
    fake_job_fini(&job);
}

/* ---- many */

#define MANY 40
static struct wk_job jobs[MANY];

static bool all_ended(size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (jobs[i].end == FAKE_OPEN) return false;
    return true;
}

static void end_jobs(size_t n)
{
    for (size_t i = 0; i < n; i++)
        fake_job_fini(&jobs[i]);
}

static void requests_are_bounded_and_connections_kept(void **state)
{
    size_t n = MANY;
    (void)state;
    set("worker.http_concurrency=4");
    open_http("/empty", "");
    for (size_t i = 0; i < n; i++) {
        fake_job_init(&jobs[i]);
        give(0, &jobs[i]);
        assert_true(wk_http_stats(t.http)->running <= 4);
    }
    assert_int_equal(wk_http_stats(t.http)->waiting, n - 4);
    UNTIL(all_ended(n));
    assert_int_equal(t.backend.requests, n);
    assert_true(t.backend.accepts <= 4);
    assert_int_equal(outcome(WK_HTTP_DONE), n);
    end_jobs(n);
}

static void one_that_hangs_does_not_stop_the_other(void **state)
{
    struct cfg_error err;
    size_t n = MANY;
    unsigned half = 4;
    (void)state;
    char *text =
        x_asprintf("worker.http=[{\"url\":\"http://127.0.0.1:%d/hang\",\"events\":[\"slow\"]},"
                   "{\"url\":\"http://127.0.0.1:%d/empty\"}]",
                   t.backend.port, t.other.port);
    set(text);
    x_free(text);
    set("worker.http_concurrency=8");
    t.http = wk_http_new(&t.cfg, t.loop, &err);
    for (size_t i = 0; i < n; i++) {
        bool slow = i < n / 2;
        fake_job_init(&jobs[i]);
        if (slow) jobs[i].item.event = SV("slow");
        give(slow ? 0 : 1, &jobs[i]);
    }
    UNTIL(t.backend.held >= half);
    UNTIL(outcome(WK_HTTP_DONE) == n / 2);
    assert_int_equal(t.backend.most_held, half);
    abandon(jobs, n / 2); /* those that run and those that wait; none begins meanwhile */
    UNTIL(all_ended(n));
    assert_int_equal(t.backend.requests, half);
    assert_int_equal(outcome(WK_HTTP_ABANDONED), n / 2);
    assert_int_equal(wk_http_stats(t.http)->running + wk_http_stats(t.http)->waiting, 0);
    end_jobs(n);
}

static void what_waits_goes_on_when_others_are_taken_back(void **state)
{
    size_t n = 3;
    unsigned two = 2;
    (void)state;
    set("worker.http_concurrency=2");
    open_http("/hang", "");
    for (size_t i = 0; i < n; i++) {
        fake_job_init(&jobs[i]);
        give(0, &jobs[i]);
    }
    UNTIL(t.backend.held >= two);
    abandon(jobs, 1);
    UNTIL(t.backend.requests >= 3 && t.backend.held >= two);
    http_backend_release(&t.backend, "HTTP/1.1 204 No Content\r\n\r\n");
    UNTIL(all_ended(n));
    end_jobs(n);
}

static void what_is_under_way_at_the_end_goes(void **state)
{
    unsigned one = 1;
    (void)state;
    struct wk_job job;
    fake_job_init(&job);
    open_http("/hang", "");
    give(0, &job);
    UNTIL(t.backend.held >= one);
    abandon(&job, 1);
    wk_http_free(t.http);
    t.http = NULL;
    fake_job_fini(&job);
}

/* ---- requests */

static const char *header(const char *name)
{
    static char value[512];
    const char *at = strstr(buf_cstr(&t.backend.head), name);
    if (!at) return NULL;
    at += strlen(name);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

static void an_event_is_sent_as_json(void **state)
{
    static const struct str_view binary[] = {SV("\0\1\xff"), SV("")};
    struct wk_job job;
    (void)state;
    fake_job_init(&job);
    job.attempt = 3;
    job.item.event = SV("ch\"at\n");
    job.item.args = SV("[ \"ch\\\"at\\n\" , {\"a\":1e99},\"\\ud800\" ]");
    job.item.attachments = binary;
    job.item.nattachments = 2;
    open_http("/empty", "");
    give_and_wait(&job);
    assert_string_equal(
        buf_cstr(&t.backend.body),
        "{\"v\":1,\"type\":\"event\",\"id\":\"gate0001-1\",\"nsp\":\"/\",\"sid\":\"sid-1\","
        "\"gateway\":\"gate0001\",\"user\":\"ann\",\"claims\":{\"sub\":\"ann\"},\"data\":null,"
        "\"time\":1700000000123,\"attempt\":3,\"event\":\"ch\\\"at\\n\",\"args\":[ "
        "{\"a\":1e99},\"\\ud800\" ],"
        "\"attachments\":[\"AAH/\",\"\"],\"ack\":true}");
    assert_true(strncmp(t.backend.head.p, "POST /empty HTTP/1.1\r\n", 22) == 0);
    assert_string_equal(header("\r\nContent-Type: "), "application/json");
    assert_string_equal(header("\r\nPeal-Item: "), "gate0001-1");
    assert_null(header("\r\nExpect:"));
    assert_null(header("\r\nPeal-Signature: ")); /* there is no key */
    fake_job_fini(&job);
}

static void a_name_alone_has_no_arguments(void **state)
{
    static const char *const args[] = {"[\"chat\"]", " [ \"chat\" ] ", "[7]"};
    (void)state;
    open_http("/empty", "");
    for (size_t i = 0; i < 3; i++) {
        struct wk_job job;
        fake_job_init(&job);
        job.item.args = sv_of(args[i]);
        give_and_wait(&job);
        const char *at = strstr(buf_cstr(&t.backend.body), "\"args\":[");
        assert_non_null(at);
        assert_int_equal(at[8 + strspn(at + 8, " ")], ']');
        fake_job_fini(&job);
    }
}

static void a_connect_and_a_disconnect_are_sent_as_json(void **state)
{
    struct wk_job job;
    (void)state;
    open_http("/empty", "");
    become_connect(&job, "{\"a\":1}", false);
    give_and_wait(&job);
    assert_non_null(strstr(
        buf_cstr(&t.backend.body),
        ",\"auth\":{\"a\":1},\"address\":\"::1\",\"transport\":\"websocket\",\"asks\":false}"));
    fake_job_fini(&job);
    become_disconnect(&job, "ping timeout");
    give_and_wait(&job);
    assert_non_null(strstr(buf_cstr(&t.backend.body), ",\"reason\":\"ping timeout\"}"));
    fake_job_fini(&job);
}

static void requests_are_signed(void **state)
{
    struct wk_job job;
    char text[70000], hex[65] = "";
    unsigned char mac[32];
    unsigned n = 0;
    (void)state;
    set("worker.http_secret=" SECRET);
    run(&job, "/empty", "");
    const char *signature = header("\r\nPeal-Signature: t=");
    assert_non_null(signature);
    long long at = strtoll(signature, NULL, 10);
    assert_true(llabs(at - (long long)now_wall_s()) <= PATIENCE_MS / 1000);
    int len = snprintf(text, sizeof(text), "%lld.%s", at, buf_cstr(&t.backend.body));
    HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, (unsigned char *)text, (size_t)len, mac, &n);
    for (unsigned i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    const char *v1 = strstr(signature, ",v1=");
    assert_non_null(v1);
    assert_string_equal(v1 + 4, hex);
    fake_job_fini(&job);
}

static void the_environments_proxy_counts_only_if_it_is_wanted(void **state)
{
    struct wk_job job;
    char proxy[64];
    (void)state;
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", t.other.port);
    setenv("http_proxy", proxy, 1);
    unsetenv("no_proxy");
    run(&job, "/empty", "");
    assert_int_equal(t.backend.requests, 1);
    fake_job_fini(&job);
    char *whole = x_asprintf("http://127.0.0.1:%d/empty", t.backend.port);
    const struct backend_page proxied[] = {{whole, BACKEND_SAY, ANSWER("204 No Content", "")},
                                           {NULL, BACKEND_SAY, NULL}};
    t.other.pages = proxied;
    run(&job, "/empty", ",\"env_proxy\":true");
    unsetenv("http_proxy");
    assert_int_equal(t.backend.requests, 1);
    assert_int_equal(t.other.requests, 1);
    assert_int_equal(job.end, FAKE_DONE);
    fake_job_fini(&job);
    x_free(whole);
}

/* ---- configuration */

static void an_entry_says_what_it_takes(void **state)
{
    struct wk_job job;
    (void)state;
    fake_job_init(&job);
    open_http("/empty",
              ",\"nsp\":\"/a*\",\"events\":[\"x\",\"chat-?\"],\"types\":[\"event\",\"connect\"]");
    struct wk_handler h = wk_http_handler(t.http, 0);
    assert_false(h.takes(h.ctx, &job.item)); /* another namespace */
    job.item.nsp = SV("/abc");
    assert_false(h.takes(h.ctx, &job.item)); /* another event */
    job.item.event = SV("chat-1");
    assert_true(h.takes(h.ctx, &job.item));
    job.item.type = WORK_CONNECT;
    job.item.event = SV("");
    assert_true(h.takes(h.ctx, &job.item));
    job.item.type = WORK_DISCONNECT;
    assert_false(h.takes(h.ctx, &job.item));
    fake_job_fini(&job);
}

static void mistakes_are_one_line(void **state)
{
#define U "{\"url\":\"http://h/\""
    static const struct {
        const char *value, *why;
    } v[] = {
        {"[{}]", "worker.http[0].url: is missing"},
        {"[" U "},{\"url\":5}]", "worker.http[1].url: must be a string"},
        {"[{\"url\":\"ftp://h/\"}]",
         "worker.http[0].url: \"ftp://h/\" is not allowed: it begins with "
         "http:// or https://"},
        {"[{\"url\":\"/peal\"}]",
         "worker.http[0].url: \"/peal\" is not allowed: it is no address such "
         "as http://backend:8000/peal"},
        {"[{\"url\":\"http://h/a b\"}]",
         "worker.http[0].url: \"http://h/a b\" is not allowed: it is no "
         "address such as http://backend:8000/peal"},
        {"[{\"url\":\"http://h/#x\"}]",
         "worker.http[0].url: \"http://h/#x\" is not allowed: it has no \"#\""},
        {"[" U ",\"nsp\":\"a\"}]",
         "worker.http[0].nsp: \"a\" is not allowed: a namespace, or a pattern, "
         "begins with \"/\" or \"*\""},
        {"[" U ",\"events\":\"a\"}]",
         "worker.http[0].events: must be an array of strings, of which none is empty"},
        {"[" U ",\"events\":[\"\"]}]",
         "worker.http[0].events: must be an array of strings, of which none is empty"},
        {"[" U ",\"types\":[]}]",
         "worker.http[0].types: must be an array of \"event\", \"connect\", \"disconnect\""},
        {"[" U ",\"types\":[\"ack\"]}]",
         "worker.http[0].types: \"ack\" is not allowed: types are event, "
         "connect and disconnect"},
        {"[" U ",\"timeout\":10}]",
         "worker.http[0].timeout: must be a whole number from 50 to 600000 (ms)"},
        {"[" U ",\"timeout\":\"1s\"}]",
         "worker.http[0].timeout: must be a whole number from 50 to 600000 (ms)"},
        {"[" U ",\"idempotent\":1}]", "worker.http[0].idempotent: must be true or false"},
        {"[" U ",\"retries\":1}]", "worker.http[0]: \"retries\" is unknown: keys are url, nsp, "
                                   "events, types, timeout, idempotent "
                                   "and env_proxy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        struct cfg_error err = {""};
        char *text = x_asprintf("worker.http=%s", v[i].value);
        set(text);
        x_free(text);
        assert_null(wk_http_new(&t.cfg, t.loop, &err));
        assert_string_equal(err.text, v[i].why);
    }
    struct cfg_error err = {""};
    set("worker.http=[{\"url\":\"http://ann:password@h/\"}]");
    assert_null(wk_http_new(&t.cfg, t.loop, &err));
    assert_null(strstr(err.text, "password@")); /* it is not shown */
    set("worker.http=[]");
    set("worker.http_secret_file=/no/such/file");
    assert_null(wk_http_new(&t.cfg, t.loop, &err));
    assert_string_equal(err.text,
                        "worker.http_secret_file: \"/no/such/file\": No such file or directory");
}

static void what_happens_is_in_the_metrics(void **state)
{
    struct wk_job job;
    struct prom_text p;
    struct buf text;
    (void)state;
    run(&job, "/404", "");
    buf_init(&text, 1 << 16);
    prom_text_init(&p, &text);
    wk_http_write_metrics(t.http, &p);
    assert_false(p.cut);
    const char *all = buf_cstr(&text);
    assert_non_null(strstr(all, "\npeal_worker_http_requests_total 1\n"));
    assert_non_null(strstr(all, "\npeal_worker_http_ends_total{outcome=\"status_4xx\"} 1\n"));
    assert_non_null(strstr(all, "\npeal_worker_http_ends_total{outcome=\"done\"} 0\n"));
    assert_non_null(strstr(all, "\npeal_worker_http_requests{state=\"running\"} 0\n"));
    assert_non_null(strstr(all, "\npeal_worker_http_seconds_count 1\n"));
    buf_fini(&text);
    fake_job_fini(&job);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(commands_become_effects),
        TEST(no_answer_is_fine),
        TEST(an_error_fails_the_ack_or_refuses_the_connect),
        TEST(what_is_after_a_disconnect_is_for_others),
        TEST(effects_that_do_not_fit_fail_the_item),
        TEST(only_the_safe_is_tried_again),
        TEST(no_connection_is_tried_again),
        TEST(a_kept_connection_that_dies_is_no_second_request),
        TEST(retry_after_is_waited_for_but_not_longer_than_allowed),
        TEST(requests_are_bounded_and_connections_kept),
        TEST(one_that_hangs_does_not_stop_the_other),
        TEST(what_waits_goes_on_when_others_are_taken_back),
        TEST(what_is_under_way_at_the_end_goes),
        TEST(an_event_is_sent_as_json),
        TEST(a_name_alone_has_no_arguments),
        TEST(a_connect_and_a_disconnect_are_sent_as_json),
        TEST(requests_are_signed),
        TEST(the_environments_proxy_counts_only_if_it_is_wanted),
        TEST(an_entry_says_what_it_takes),
        TEST(mistakes_are_one_line),
        TEST(what_happens_is_in_the_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
