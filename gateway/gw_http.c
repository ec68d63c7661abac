/* Design notes
 *
 * - One buffer each for what comes in and what goes out; both are freed when empty, so an idle or
 *   polling connection holds none.
 * - A held request reads on, but only to notice the peer's end and to keep what is pipelined, up to
 *   one head; more is abuse.
 * - An answer with `close` behind an unread body is followed by a linger: half-close, then the rest
 *   is read away for a while. Closing at once would reset the connection and could destroy the answer
 *   on its way. */

/* System */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
/* Third party */
#include <event2/event.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_handover.h"
#include "gw_http.h"

#define READ_SIZE 16384
#define LINGER_MS 2000
#define MOVE_TRIES 12   /* with pauses of 5, 10, … 320 ms: two seconds */
#define OUT_PAUSE 65536 /* more waiting than this: no further request is looked at */

static void on_timer(struct wheel_entry *e);

static void mark_dirty(struct gw_http *h)
{
    if (h->is_dirty || h->state == GW_HTTP_DEAD) return;
    h->is_dirty = true;
    h->dirty_next = h->gw->dirty_https;
    h->gw->dirty_https = h;
}

static void set_timer(struct gw_http *h, int64_t ms)
{
    wheel_set(loop_wheel(h->gw->loop), &h->timer, loop_now(h->gw->loop) + (uint64_t)ms);
}

/* What the connection waits for decides how long it may. */
static void restart_timer(struct gw_http *h)
{
    const struct cfg *cfg = h->gw->cfg;
    if (h->out.n)
        set_timer(h, cfg->queue_max_age);
    else if (h->state == GW_HTTP_BODY)
        set_timer(h, cfg->gateway_body_timeout);
    else if (h->state == GW_HTTP_LINGER)
        set_timer(h, LINGER_MS);
    else if (h->state == GW_HTTP_HEAD)
        set_timer(h, h->in.n ? cfg->gateway_head_timeout : cfg->gateway_keepalive_timeout);
    else
        wheel_drop(loop_wheel(h->gw->loop), &h->timer);
}

static void die(struct gw_http *h)
{
    if (h->state == GW_HTTP_DEAD) return;
    void *owner = h->owner;
    h->state = GW_HTTP_DEAD;
    h->owner = NULL;
    wheel_drop(loop_wheel(h->gw->loop), &h->timer);
    h->dead_next = h->gw->dead_https;
    h->gw->dead_https = h;
    if (owner) h->gw->http_events->lost(owner, h);
}

void gw_http_abort(struct gw_http *h)
{
    h->owner = NULL;
    die(h);
}

/* ---- answers */

static const char *status_text(int status)
{
    switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

static bool put_head(struct gw_http *h, const struct gw_reply *r, bool keep)
{
    bool bare = r->status == 204 || r->status == 304;
    return buf_addf(&h->out, "HTTP/1.1 %d %s\r\n", r->status, status_text(r->status)) &&
           (!r->type.n || buf_addf(&h->out, "Content-Type: %.*s\r\n", SV_ARG(r->type))) &&
           (r->status == 304 ||
            buf_addf(&h->out, "Content-Length: %zu\r\n", bare ? 0 : r->body.n)) &&
           buf_add_sv(&h->out, buf_view(&h->cors)) && buf_add_sv(&h->out, r->headers) &&
           buf_addf(&h->out, "Connection: %s\r\n\r\n", keep ? "keep-alive" : "close");
}

void gw_http_reply(struct gw_http *h, const struct gw_reply *r)
{
    if (h->state == GW_HTTP_DEAD) return;
    /* Behind a body that nobody read the next request could not be found. While stopping, polling
     * clients need the connection they have: a new one would be refused. */
    bool keep =
        h->keep_alive && !h->unread_body && !r->close && !(h->gw->stopping && !h->gw->nconns);
    bool fits = put_head(h, r, keep) && (h->head_only || buf_add_sv(&h->out, r->body));
    h->owner = NULL;
    buf_fini(&h->cors);
    buf_fini(&h->body);
    if (!fits) {
        die(h);
        return;
    }
    h->state = keep ? GW_HTTP_HEAD : GW_HTTP_LINGER;
    restart_timer(h);
    mark_dirty(h);
}

void gw_http_hold(struct gw_http *h)
{
    h->state = GW_HTTP_HELD;
    restart_timer(h);
}

static void refuse(struct gw_http *h, int status, const char *why)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "%s\n", why);
    h->gw->count.http_bad++;
    h->keep_alive = false;
    gw_http_reply(h, &(struct gw_reply){.status = status,
                                        .type = SV("text/plain; charset=utf-8"),
                                        .body = sv_make(text, (size_t)n),
                                        .close = true});
}

static void on_timer(struct wheel_entry *e)
{
    struct gw_http *h = (struct gw_http *)((char *)e - offsetof(struct gw_http, timer));
    if (h->state == GW_HTTP_MOVING && !h->out.n) {
        mark_dirty(h);
        return;
    }
    bool in_request = (h->state == GW_HTTP_HEAD && h->in.n) || h->state == GW_HTTP_BODY;
    void *owner = h->owner;
    if (!in_request || h->out.n) { /* idle, lingering, or the peer takes nothing */
        if (h->out.n) h->gw->count.http_timeouts++;
        die(h);
        return;
    }
    h->gw->count.http_timeouts++;
    h->owner = NULL;
    if (owner) h->gw->http_events->lost(owner, h);
    refuse(h, 408, "the request took too long");
}

/* ---- requests */

void gw_http_read_body(struct gw_http *h, const struct http_head *head, size_t max)
{
    h->state = GW_HTTP_BODY;
    h->unread_body = false;
    h->is_chunked = head->chunked;
    h->chunked = (struct http_chunked){0};
    h->body_left = head->length;
    buf_init(&h->body, max);
    if (head->expect_continue && !buf_add_sv(&h->out, SV("HTTP/1.1 100 Continue\r\n\r\n"))) {
        die(h);
        return;
    }
    mark_dirty(h);
    restart_timer(h);
}

static void on_head(struct gw_http *h, const struct http_head *head)
{
    h->gw->count.http_requests++;
    h->keep_alive = head->keep_alive;
    h->head_only = head->method == HTTP_HEAD;
    h->gzip = false;
    h->unread_body = head->chunked || head->length > 0;
    buf_init(&h->cors, 4096);
    h->gw->http_events->request(h, head);
    h->is_given = false;
}

/* True: something was taken from `in` and there may be more to do. */
static bool take_head(struct gw_http *h)
{
    struct http_head head;
    int status = 400;
    const char *why = "";
    if (!h->in.n) return false;
    switch (http_head_parse(h->in.p, h->in.n, (size_t)h->gw->cfg->gateway_max_head, &h->scan, &head,
                            &status, &why)) {
    case VERDICT_MORE: return false;
    case VERDICT_BAD: refuse(h, status, why); return false;
    case VERDICT_OK: break;
    }
    h->scan = 0;
    /* The views of `head` live in the buffer until the request has been looked at. */
    on_head(h, &head);
    if (h->state == GW_HTTP_DEAD || h->state == GW_HTTP_MOVING) return false;
    buf_drop(&h->in, head.size);
    return true;
}

static bool take_body(struct gw_http *h)
{
    size_t used = 0;
    bool done = false;
    int status = 400;
    if (h->is_chunked) {
        switch (http_chunked_feed(&h->chunked, h->in.p, h->in.n, &used, &h->body, &status)) {
        case VERDICT_BAD:
            h->keep_alive = false;
            h->gw->http_events->body_refused(h, status);
            return false;
        case VERDICT_OK: done = true; break;
        case VERDICT_MORE: break;
        }
    } else {
        used = h->in.n < h->body_left ? h->in.n : (size_t)h->body_left;
        if (!buf_add(&h->body, h->in.p, used)) { /* the length was checked: cannot be */
            die(h);
            return false;
        }
        h->body_left -= used;
        done = h->body_left == 0;
    }
    buf_drop(&h->in, used);
    if (done) h->gw->http_events->body(h);
    return done;
}

static void process(struct gw_http *h)
{
    bool more = true;
    while (more) {
        if (h->state == GW_HTTP_HEAD && h->out.n <= OUT_PAUSE)
            more = take_head(h);
        else if (h->state == GW_HTTP_BODY)
            more = take_body(h);
        else
            more = false;
    }
    if (h->state == GW_HTTP_LINGER) buf_fini(&h->in);
    if (h->state != GW_HTTP_DEAD && h->in.n == 0) buf_fini(&h->in);
}

/* ---- reading and writing */

static void set_reading(struct gw_http *h, bool on)
{
    if (h->reading == on || !h->readable) return;
    h->reading = on;
    if (on)
        event_add(h->readable, NULL);
    else
        event_del(h->readable);
}

/* May more be kept than is there? A held request and stuck output must not make the buffer grow. */
static bool has_room(const struct gw_http *h)
{
    return h->state == GW_HTTP_LINGER || h->in.n <= (size_t)h->gw->cfg->gateway_max_head;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct gw_http *h = arg;
    static char bytes[READ_SIZE];
    (void)what;
    if (h->state == GW_HTTP_DEAD) return;
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        if (n == 0 && h->out.n && h->state != GW_HTTP_HELD) { /* half-closed: it may still listen */
            h->eof = true;
            set_reading(h, false);
            return;
        }
        die(h);
        return;
    }
    if (h->state == GW_HTTP_LINGER) return;
    bool was_idle = h->in.n == 0 && h->state == GW_HTTP_HEAD;
    if (!buf_add(&h->in, bytes, (size_t)n)) {
        die(h);
        return;
    }
    if (was_idle) restart_timer(h);
    process(h);
    if (h->state == GW_HTTP_DEAD) return;
    if (!has_room(h)) {
        if (h->state == GW_HTTP_HELD)
            die(h);
        else
            set_reading(h, false);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    mark_dirty(arg);
}

static void flush(struct gw_http *h)
{
    size_t done = 0;
    while (done < h->out.n) {
        ssize_t n = send(h->fd, h->out.p + done, h->out.n - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) {
            die(h);
            return;
        }
        done += (size_t)n;
    }
    buf_drop(&h->out, done);
    if (h->out.n) {
        event_add(h->writable, NULL);
        if (done) restart_timer(h);
        return;
    }
    buf_fini(&h->out);
    if (h->state == GW_HTTP_LINGER) {
        if (h->eof) {
            die(h);
            return;
        }
        shutdown(h->fd, SHUT_WR);
    } else if (h->eof && h->state == GW_HTTP_HEAD && !h->in.n) {
        die(h);
        return;
    }
    restart_timer(h);
    if (!h->eof && h->state != GW_HTTP_MOVING) set_reading(h, true);
}

/* ---- life */

static void release(struct gw_http *h)
{
    struct gateway *gw = h->gw;
    *(h->prev ? &h->prev->next : &gw->https) = h->next;
    if (h->next) h->next->prev = h->prev;
    gw->nhttps--;
    if (h->readable) event_free(h->readable);
    if (h->writable) event_free(h->writable);
    if (h->fd >= 0) close(h->fd);
    buf_fini(&h->in);
    buf_fini(&h->out);
    buf_fini(&h->body);
    buf_fini(&h->cors);
    x_free(h);
}

static struct gw_http *http_new(struct gateway *gw, int fd, const struct sockaddr *peer,
                                size_t peer_len)
{
    struct gw_http *h = x_calloc(1, sizeof(*h));
    struct event_base *base = loop_base(gw->loop);
    h->gw = gw;
    h->fd = fd;
    h->timer.fire = on_timer;
    memcpy(&h->peer, peer, peer_len < sizeof(h->peer) ? peer_len : sizeof(h->peer));
    buf_init(&h->in, (size_t)gw->cfg->gateway_max_head + 2 * READ_SIZE);
    /* Output is one answer (a queue's content, at worst all escapes in a script) and pipelined small
     * ones. */
    buf_init(&h->out, (size_t)gw->cfg->queue_max_bytes * 6 + OUT_PAUSE + (16u << 20));
    h->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, h);
    h->writable = event_new(base, fd, EV_WRITE, on_writable, h);
    assert(h->readable && h->writable);
    h->next = gw->https;
    if (h->next) h->next->prev = h;
    gw->https = h;
    gw->nhttps++;
    set_reading(h, true);
    set_timer(h, gw->cfg->gateway_head_timeout);
    return h;
}

void gw_http_accept(struct gateway *gw, int fd, const struct sockaddr *peer, int peer_len)
{
    http_new(gw, fd, peer, (size_t)peer_len);
}

void gw_http_take(struct gateway *gw, int fd, const struct sockaddr_storage *peer,
                  struct str_view bytes)
{
    struct gw_http *h = http_new(gw, fd, (const struct sockaddr *)peer, sizeof(*peer));
    h->is_given = true;
    if (buf_add_sv(&h->in, bytes))
        mark_dirty(h);
    else
        die(h);
}

bool gw_http_drain(struct gw_http *h)
{
    if (h->out.n) flush(h);
    return h->state != GW_HTTP_DEAD && !h->out.n;
}

int gw_http_detach(struct gw_http *h)
{
    int fd = h->fd;
    event_free(h->readable);
    event_free(h->writable);
    h->readable = h->writable = NULL;
    h->fd = -1;
    h->owner = NULL;
    die(h);
    return fd;
}

void gw_http_move(struct gw_http *h, unsigned home)
{
    h->state = GW_HTTP_MOVING;
    h->home = (uint8_t)home;
    h->tries = 0;
    h->gw->count.http_requests--; /* counted where it is answered */
    set_reading(h, false);        /* what still comes is read there */
    mark_dirty(h);
}

static void move(struct gw_http *h)
{
    switch (gw_handover_send(h->gw, h, h->home)) {
    case GW_HANDOVER_DONE: gw_handover_close(h->gw, gw_http_detach(h)); break;
    case GW_HANDOVER_GONE: /* asked again, it is nobody's session */
        h->state = GW_HTTP_HEAD;
        buf_fini(&h->cors);
        process(h);
        break;
    case GW_HANDOVER_LATER:
        if (h->tries++ < MOVE_TRIES)
            set_timer(h, h->tries < 7 ? 5 << (h->tries - 1) : 320);
        else
            gw_http_reply(h, &(struct gw_reply){.status = 503, .close = true});
        break;
    }
}

bool gw_http_phase(struct gateway *gw)
{
    while (gw->dirty_https) {
        struct gw_http *h = gw->dirty_https;
        gw->dirty_https = h->dirty_next;
        h->is_dirty = false;
        if (h->state == GW_HTTP_DEAD) continue;
        flush(h);
        if (h->state == GW_HTTP_MOVING && !h->out.n) move(h);
        if (h->state == GW_HTTP_HEAD && h->in.n) process(h);
    }
    while (gw->dead_https) {
        struct gw_http *h = gw->dead_https;
        gw->dead_https = h->dead_next;
        release(h);
    }
    return gw->dirty_conns || gw->dead_conns;
}

void gw_http_stop(struct gateway *gw)
{
    for (struct gw_http *h = gw->https, *next; h; h = next) {
        next = h->next;
        if (h->state == GW_HTTP_HEAD && !h->out.n) die(h);
    }
}

void gw_http_fini(struct gateway *gw)
{
    for (struct gw_http *h = gw->https, *next; h; h = next) {
        next = h->next;
        if (h->state != GW_HTTP_DEAD) gw_http_abort(h);
    }
    gw_http_phase(gw);
}
