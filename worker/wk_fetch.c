/* Design notes
 *
 * curl sends a request anew by itself if a connection that was used before turns out to be dead. That is
 * only harmless if the body has not left yet. So the body is read by a callback that cannot go
 * back: curl goes on by itself up to the first byte, and fails afterwards. For the same reason a
 * connection that was idle for a second or two is not used again: servers close idle ones, some after
 * two seconds, and a request may meet that.
 *
 * curl's callbacks only note what it wants; they are called from within its functions, where no other
 * may be called. Ends are looked at afterwards (collect), and there the caller may do anything.
 *
 * Each step of a request begins with curl asking for a timer of 0 ms. So it has one of libevent's: the
 * wheel's tick would be waited for at each. */

/* System */
#include <assert.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <curl/curl.h>
#include <event2/event.h>
#include <utlist.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* This process */
#include "wk_fetch.h"

#define HEAD_MAX 65536 /* bytes of an answer's head */
#define IDLE_MAX_S 1   /* an idle connection is used again up to this */
#define RETRY_AFTER_MAX_S 86400
#define UPLOAD_MAX 16384L /* bytes curl takes of a body at a time, in a buffer for each request */

#ifndef PEAL_VERSION
#define PEAL_VERSION "dev"
#endif

struct wk_fetch {
    struct wk_fetcher *owner;
    struct wk_fetch *prev, *next;
    CURL *easy;
    struct curl_slist *headers;
    struct buf body, answer;
    size_t sent, head;
    bool is_too_large, has_head;
    uint64_t began_us;
    wk_fetch_cb cb;
    void *arg;
    char why[CURL_ERROR_SIZE];
};

struct wk_fetcher {
    struct loop *loop;
    CURLM *multi;
    size_t max_answer;
    struct event *timer;
    struct wk_fetch *all;
    CURL **spare; /* handles of requests that have ended, for the next ones; room for max_spare */
    size_t nspare, max_spare;
    bool is_ending;
};

/* A descriptor of curl's. */
struct watch {
    struct event *event;
};

/* ---- addresses */

static bool url_part(CURLU *u, CURLUPart part, unsigned flags, char **out)
{
    *out = NULL;
    return curl_url_get(u, part, out, flags) == CURLUE_OK && *out && **out;
}

static const char *check_parts(CURLU *u, char **host)
{
    char *scheme = NULL, *name = NULL, *port = NULL, *other = NULL;
    const char *why = NULL;
    if (!url_part(u, CURLUPART_SCHEME, 0, &scheme) ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        why = "it begins with http:// or https://";
    else if (url_part(u, CURLUPART_USER, 0, &other) || url_part(u, CURLUPART_PASSWORD, 0, &other))
        why = "it holds no user and no password";
    else if (url_part(u, CURLUPART_FRAGMENT, 0, &other))
        why = "it has no \"#\"";
    else if (!url_part(u, CURLUPART_HOST, 0, &name) ||
             !url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port))
        why = "it names no host";
    else
        *host = x_asprintf("%s://%s:%s", scheme, name, port);
    curl_free(scheme);
    curl_free(name);
    curl_free(port);
    curl_free(other);
    return why;
}

bool wk_fetch_check_url(const char *url, char **host, const char **why)
{
    CURLU *u = curl_url();
    if (!u) log_fatal("libcurl gives no memory");
    *why = "it is no address such as http://backend:8000/peal";
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ') goto out;
    if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
        *why = check_parts(u, host);
out:
    curl_url_cleanup(u);
    return !*why;
}

/* ---- what curl calls */

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
    struct wk_fetch *f = arg;
    size_t left = f->body.n - f->sent, now = size * n < left ? size * n : left;
    if (now) memcpy(to, f->body.p + f->sent, now);
    f->sent += now;
    return now;
}

/* Less than all: curl gives up. */
static size_t on_answer(char *p, size_t size, size_t n, void *arg)
{
    struct wk_fetch *f = arg;
    if (buf_add(&f->answer, p, size * n)) return size * n;
    f->is_too_large = true;
    return 0;
}

/* One line. curl takes a head for whole that ends with the connection; we do not. */
static size_t on_head(char *p, size_t size, size_t n, void *arg)
{
    struct wk_fetch *f = arg;
    f->head += size * n;
    if (size * n > 5 && memcmp(p, "HTTP/", 5) == 0) f->has_head = false;
    if (size * n <= 2 && (p[0] == '\r' || p[0] == '\n')) f->has_head = true;
    if (f->head <= HEAD_MAX) return size * n;
    f->is_too_large = true;
    return 0;
}

/* ---- ends */

/* What it points to is going. */
static void give_back(struct wk_fetcher *m, CURL *easy)
{
    if (m->is_ending || m->nspare == m->max_spare) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    m->spare[m->nspare++] = easy;
}

static void fetch_free(struct wk_fetch *f)
{
    DL_DELETE(f->owner->all, f);
    curl_multi_remove_handle(f->owner->multi, f->easy);
    give_back(f->owner, f->easy);
    curl_slist_free_all(f->headers);
    buf_fini(&f->body);
    buf_fini(&f->answer);
    x_free(f);
}

static enum wk_fetch_end end_of(const struct wk_fetch *f, CURLcode code)
{
    if (f->is_too_large) return WK_FETCH_TOO_LARGE;
    switch (code) {
    case CURLE_OK: return f->has_head ? WK_FETCH_ANSWERED : WK_FETCH_LOST;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return f->sent ? WK_FETCH_LOST : WK_FETCH_UNREACHED;
    case CURLE_OPERATION_TIMEDOUT: return WK_FETCH_TIMEOUT;
    default: return WK_FETCH_LOST;
    }
}

static void tell(struct wk_fetch *f, CURLcode code)
{
    long status = 0;
    curl_off_t after = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &after);
    if (after > RETRY_AFTER_MAX_S) after = RETRY_AFTER_MAX_S;
    struct wk_fetch_result r = {
        .end = end_of(f, code),
        .is_sent = f->sent > 0,
        .status = (int)status,
        .retry_after_ms = after > 0 ? (uint64_t)after * 1000 : 0,
        .body = buf_view(&f->answer),
        .why = f->why[0] ? f->why : curl_easy_strerror(code),
        .us = now_mono_us() - f->began_us,
    };
    f->cb(f->arg, &r);
}

static void collect(struct wk_fetcher *m)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(m->multi, &left)) != NULL) {
        struct wk_fetch *f = NULL;
        CURLcode code = msg->data.result;
        if (msg->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &f);
        tell(f, code);
        fetch_free(f);
    }
}

/* ---- curl on the loop */

static void act(struct wk_fetcher *m, curl_socket_t fd, int flags)
{
    int running;
    curl_multi_socket_action(m->multi, fd, flags, &running);
    collect(m);
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
    int flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    act(arg, fd, flags);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_want_timer(CURLM *multi, long ms, void *arg)
{
    struct wk_fetcher *m = arg;
    struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)multi;
    if (ms < 0 || m->is_ending)
        evtimer_del(m->timer);
    else if (evtimer_add(m->timer, &in))
        log_fatal("libevent takes no timer");
    return 0;
}

static int on_want_fd(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    struct wk_fetcher *m = arg;
    struct watch *w = socket;
    (void)easy;
    if (w) event_free(w->event);
    if (what == CURL_POLL_REMOVE) {
        x_free(w);
        return 0;
    }
    if (!w) {
        w = x_calloc(1, sizeof(*w));
        curl_multi_assign(m->multi, fd, w);
    }
    short events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
    w->event = event_new(loop_base(m->loop), fd, (short)(events | EV_PERSIST), on_fd, m);
    if (!w->event || event_add(w->event, NULL)) log_fatal("libevent gives no event");
    return 0;
}

/* ---- life */

struct wk_fetcher *wk_fetcher_new(struct loop *loop, size_t connections, size_t max_answer)
{
    struct wk_fetcher *m = x_calloc(1, sizeof(*m));
    *m = (struct wk_fetcher){.loop = loop, .max_answer = max_answer};
    m->max_spare = connections;
    m->spare = x_calloc(connections, sizeof(CURL *));
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) log_fatal("libcurl cannot be used");
    m->multi = curl_multi_init();
    if (!m->multi) log_fatal("libcurl gives no memory");
    m->timer = evtimer_new(loop_base(loop), on_timer, m);
    if (!m->timer) log_fatal("libevent gives no timer");
    curl_multi_setopt(m->multi, CURLMOPT_SOCKETFUNCTION, on_want_fd);
    curl_multi_setopt(m->multi, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(m->multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
    curl_multi_setopt(m->multi, CURLMOPT_TIMERDATA, m);
    curl_multi_setopt(m->multi, CURLMOPT_MAXCONNECTS, (long)connections);
    return m;
}

void wk_fetcher_free(struct wk_fetcher *f)
{
    if (!f) return;
    f->is_ending = true;
    while (f->all)
        fetch_free(f->all);
    while (f->nspare)
        curl_easy_cleanup(f->spare[--f->nspare]);
    x_free(f->spare);
    curl_multi_cleanup(f->multi);
    event_free(f->timer);
    curl_global_cleanup();
    x_free(f);
}

static void set_headers(struct wk_fetch *f, const struct wk_fetch_request *r)
{
    static const char *const always[] = {"Content-Type: application/json",
                                         "Accept: application/json", "Expect:"};
    size_t n = sizeof(always) / sizeof(always[0]);
    for (size_t i = 0; i < n + r->nheaders; i++) {
        struct curl_slist *more =
            curl_slist_append(f->headers, i < n ? always[i] : r->headers[i - n]);
        if (!more) log_fatal("libcurl gives no memory");
        f->headers = more;
    }
}

/* All of them: the handle may be one that was used. */
static void set_options(struct wk_fetch *f, const struct wk_fetch_request *r)
{
    CURL *e = f->easy;
    bool ok = !curl_easy_setopt(e, CURLOPT_URL, r->url) &&
              !curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    assert(ok); /* the address has been checked */
    (void)ok;
    curl_easy_setopt(e, CURLOPT_PRIVATE, f);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->why);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "peal/" PEAL_VERSION);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a name's lookup is not waited for */
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->timeout_ms);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
    curl_easy_setopt(e, CURLOPT_PROXY, r->env_proxy ? NULL : "");
    curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_MAX);
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(e, CURLOPT_READDATA, f);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
}

struct wk_fetch *wk_fetch_start(struct wk_fetcher *m, const struct wk_fetch_request *r,
                                struct buf *body, wk_fetch_cb cb, void *arg)
{
    struct wk_fetch *f = x_calloc(1, sizeof(*f));
    f->owner = m;
    f->cb = cb;
    f->arg = arg;
    f->body = *body;
    buf_init(body, body->max);
    buf_init(&f->answer, m->max_answer);
    f->began_us = now_mono_us();
    f->easy = m->nspare ? m->spare[--m->nspare] : curl_easy_init();
    if (!f->easy) log_fatal("libcurl gives no memory");
    DL_APPEND(m->all, f);
    set_headers(f, r);
    set_options(f, r);
    if (curl_multi_add_handle(m->multi, f->easy)) log_fatal("libcurl gives no memory");
    return f;
}

void wk_fetch_cancel(struct wk_fetch *f)
{
    fetch_free(f);
}
