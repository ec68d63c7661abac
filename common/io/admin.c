/* Design notes
 *
 * evhttp 2.1 counts no connections, tells nobody of a new one before its first request, and knows
 * only time-outs of silence. But it lets us make each connection's bufferevent. So each has a slot
 * here with a reference to it and a deadline, which moves with each request: a bufferevent that
 * evhttp has let go has no callbacks any more, and one that is to end is told so by the event that
 * a real time-out would be. A connection too many has no time.
 *
 * The bufferevent must be the one that closes the descriptor (BEV_OPT_CLOSE_ON_FREE): evhttp closes
 * it at once otherwise, and events of the bufferevent, which we still hold, would stay with a number
 * that is somebody else's by then.
 *
 * A request that is answered later is evhttp's as long as its connection lives, and ours if evhttp
 * has parted them (it does at a lost connection). So it is let go of when the connection closes; the
 * answer, when it comes, has no request then, and goes nowhere. */

/* System */
#include <assert.h>
#include <stdio.h>
/* Third party */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <utlist.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* Io */
#include "io/admin.h"
#include "io/listen_set.h"

#define JSON "application/json"

struct slot {
    struct admin *admin;
    struct bufferevent *bev; /* held; NULL: free */
    struct wheel_entry deadline;
};

struct admin_later {
    struct admin_later *prev, *next; /* of the server's, while there is a request */
    struct slot *slot;
    struct evhttp_request *req; /* NULL: gone */
    struct admin_reply reply;
};

struct admin_call {
    struct slot *slot;
    struct evhttp_request *req;
    bool is_deferred;
};

struct admin {
    struct evhttp *http;
    struct loop *loop;
    const struct admin_route *routes;
    size_t nroutes;
    void *ctx;
    int port;
    struct admin_later *later;
    struct slot slots[ADMIN_CONNS_MAX + 1]; /* the last is for one too many */
};

/* ---- connections */

static void set_deadline(struct slot *s, uint64_t ms)
{
    struct loop *loop = s->admin->loop;
    wheel_set(loop_wheel(loop), &s->deadline, loop_now(loop) + ms);
}

static bool is_over(const struct slot *s)
{
    bufferevent_event_cb on_event;
    bufferevent_getcb(s->bev, NULL, NULL, &on_event, NULL);
    return !on_event;
}

static void clear(struct slot *s)
{
    wheel_drop(loop_wheel(s->admin->loop), &s->deadline);
    bufferevent_decref(s->bev);
    s->bev = NULL;
}

static void clear_ended(struct admin *a)
{
    for (unsigned i = 0; i <= ADMIN_CONNS_MAX; i++)
        if (a->slots[i].bev && is_over(&a->slots[i])) clear(&a->slots[i]);
}

static void end(struct slot *s)
{
    if (!is_over(s)) bufferevent_trigger_event(s->bev, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
    if (s->bev) clear(s); /* else on_conn_closed() has done it */
}

static void on_deadline(struct wheel_entry *e)
{
    end((struct slot *)((char *)e - offsetof(struct slot, deadline)));
}

/* A connection has been accepted. */
static struct bufferevent *on_new_conn(struct event_base *base, void *arg)
{
    struct admin *a = arg;
    struct slot *s = a->slots;
    clear_ended(a);
    while (s < a->slots + ADMIN_CONNS_MAX && s->bev)
        s++;
    bool too_many = s == a->slots + ADMIN_CONNS_MAX;
    if (s->bev) end(s); /* two too many in one turn */
    s->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!s->bev) log_fatal("libevent gives no bufferevent");
    bufferevent_incref(s->bev);
    set_deadline(s, too_many ? 0 : ADMIN_REQUEST_MS);
    return s->bev;
}

/* Nobody waits for these answers any more. */
static void forget_later(struct slot *s)
{
    struct admin *a = s->admin;
    struct admin_later *l, *next;
    DL_FOREACH_SAFE(a->later, l, next)
    {
        if (l->slot != s) continue;
        DL_DELETE(a->later, l);
        if (!evhttp_request_get_connection(l->req)) evhttp_request_free(l->req);
        l->req = NULL;
    }
}

/* evhttp goes on to let go of it: what is left of it goes at once. */
static void on_conn_closed(struct evhttp_connection *conn, void *arg)
{
    struct slot *s = arg;
    forget_later(s);
    if (s->bev == evhttp_connection_get_bufferevent(conn)) clear(s);
}

/* A request has come: its connection's time begins anew, unless it is one too many. */
static struct slot *renew(struct admin *a, struct evhttp_connection *conn)
{
    const struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
    struct slot *s = a->slots;
    while (s < a->slots + ADMIN_CONNS_MAX && s->bev != bev)
        s++;
    assert(s->bev == bev);
    if (s < a->slots + ADMIN_CONNS_MAX) set_deadline(s, ADMIN_REQUEST_MS);
    evhttp_connection_set_closecb(conn, on_conn_closed, s);
    return s;
}

/* ---- requests */

static const char *method_name(enum evhttp_cmd_type type)
{
    switch (type) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD: return "GET";
    case EVHTTP_REQ_POST: return "POST";
    default: return "";
    }
}

static void say(struct admin_reply *r, int status, const char *what)
{
    r->status = status;
    r->type = JSON;
    buf_clear(&r->body);
    bool fits = buf_addf(&r->body, "{\"status\":%d,\"error\":\"%s\"}\n", status, what);
    assert(fits);
    (void)fits;
}

/* HEAD is offered wherever GET is. */
static void refuse_method(const struct admin *a, struct evhttp_request *req, struct str_view path,
                          struct admin_reply *reply)
{
    struct buf allow;
    buf_init(&allow, 256);
    for (size_t i = 0; i < a->nroutes; i++) {
        const struct admin_route *r = &a->routes[i];
        if (!sv_eq(sv_of(r->path), path)) continue;
        (void)!buf_addf(&allow, "%s%s%s", allow.n ? ", " : "", r->method,
                        strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
    }
    evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", buf_cstr(&allow));
    buf_fini(&allow);
    say(reply, 405, "method not allowed");
}

static void route(const struct admin *a, struct evhttp_request *req,
                  const struct admin_request *request, struct admin_reply *reply)
{
    bool known = false;
    for (size_t i = 0; i < a->nroutes; i++) {
        const struct admin_route *r = &a->routes[i];
        if (!sv_eq(sv_of(r->path), request->path)) continue;
        known = true;
        if (!sv_eq(sv_of(r->method), request->method)) continue;
        r->handle(a->ctx, request, reply);
        return;
    }
    if (known)
        refuse_method(a, req, request->path, reply);
    else
        say(reply, 404, "not found");
}

/* A HEAD's answer has the length of the body it lacks. */
static void send_reply(struct evhttp_request *req, const struct admin_reply *r)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    bool head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
    struct evbuffer *body = evbuffer_new();
    char length[24];
    if (!body) log_fatal("libevent gives no buffer");
    snprintf(length, sizeof(length), "%zu", r->body.n);
    evhttp_add_header(headers, "Content-Type", r->type);
    evhttp_add_header(headers, "Content-Length", length);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    if (r->challenge) evhttp_add_header(headers, "WWW-Authenticate", r->challenge);
    if (!head) evbuffer_add(body, r->body.p, r->body.n);
    evhttp_send_reply(req, r->status, NULL, body);
    evbuffer_free(body);
}

static struct str_view body_of(struct evhttp_request *req)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t n = evbuffer_get_length(in);
    const char *p = n ? (const char *)evbuffer_pullup(in, -1) : "";
    if (!p) log_fatal("libevent gives no memory");
    return sv_make(p, n);
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct admin *a = arg;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    struct admin_call call = {renew(a, evhttp_request_get_connection(req)), req, false};
    struct admin_request request = {
        .method = sv_of(method_name(evhttp_request_get_command(req))),
        .path = sv_of(evhttp_uri_get_path(uri)),
        .query = sv_of(evhttp_uri_get_query(uri)),
        .authorization =
            sv_of(evhttp_find_header(evhttp_request_get_input_headers(req), "Authorization")),
        .body = body_of(req),
        .call = &call,
    };
    struct admin_reply reply = {.status = 200, .type = JSON};
    buf_init(&reply.body, ADMIN_REPLY_MAX);
    route(a, req, &request, &reply);
    if (!call.is_deferred) send_reply(req, &reply);
    buf_fini(&reply.body);
}

/* ---- answers that come later */

struct admin_later *admin_defer(const struct admin_request *r)
{
    struct admin_later *l = x_calloc(1, sizeof(*l));
    assert(!r->call->is_deferred);
    r->call->is_deferred = true;
    *l = (struct admin_later){
        .slot = r->call->slot, .req = r->call->req, .reply = {.status = 200, .type = JSON}};
    buf_init(&l->reply.body, ADMIN_REPLY_MAX);
    DL_APPEND(l->slot->admin->later, l);
    return l;
}

struct admin_reply *admin_later_reply(struct admin_later *l)
{
    return &l->reply;
}

void admin_send(struct admin_later *l)
{
    struct evhttp_request *req = l->req;
    if (req) {
        DL_DELETE(l->slot->admin->later, l);
        send_reply(req, &l->reply);
    }
    buf_fini(&l->reply.body);
    x_free(l);
}

/* ---- what all programs answer alike */

void admin_on_health(void *ctx, const struct admin_request *r, struct admin_reply *reply)
{
    (void)ctx;
    (void)r;
    reply->type = "text/plain; charset=utf-8";
    (void)!buf_add_sv(&reply->body, SV("ok\n"));
}

void admin_add_reason(struct buf *reasons, const char *what, const char *why)
{
    struct buf text;
    if (!why) return;
    buf_init(&text, 256);
    bool fits = buf_addf(&text, "%s%s", what, why) && (!reasons->n || buf_add_char(reasons, ',')) &&
                json_string_encode(reasons, buf_view(&text));
    buf_fini(&text);
    assert(fits);
    (void)fits;
}

void admin_say_ready(struct admin_reply *reply, bool is_ready, struct str_view reasons)
{
    reply->status = is_ready ? 200 : 503;
    (void)!buf_addf(&reply->body, "{\"ready\":%s,\"reasons\":[%.*s]}\n",
                    is_ready ? "true" : "false", SV_ARG(reasons));
}

/* ---- life */

struct admin *admin_new(const struct cfg *cfg, struct loop *loop, const struct admin_route *routes,
                        size_t nroutes, void *ctx, struct cfg_error *err)
{
    struct listen_set set;
    if (!listen_set_open(&set, "admin", &cfg->admin_host, (int)cfg->admin_port, err)) return NULL;
    struct log_line l;
    log_begin(&l, LOG_INFO, "admin listening");
    log_kv_u64(&l, "port", (uint64_t)set.port);
    log_end(&l);
    return admin_new_on(&set, loop, routes, nroutes, ctx);
}

struct admin *admin_new_on(struct listen_set *set, struct loop *loop,
                           const struct admin_route *routes, size_t nroutes, void *ctx)
{
    struct admin *a = x_calloc(1, sizeof(*a));
    *a = (struct admin){
        .loop = loop, .routes = routes, .nroutes = nroutes, .ctx = ctx, .port = set->port};
    for (unsigned i = 0; i <= ADMIN_CONNS_MAX; i++)
        a->slots[i] = (struct slot){.admin = a, .deadline.fire = on_deadline};
    a->http = evhttp_new(loop_base(loop));
    if (!a->http) log_fatal("libevent gives no HTTP server");
    evhttp_set_max_headers_size(a->http, ADMIN_HEAD_MAX);
    evhttp_set_max_body_size(a->http, ADMIN_BODY_MAX);
    evhttp_set_timeout(a->http, ADMIN_REQUEST_MS / 1000);
    /* All that it knows, so that those we do not want are answered by us. */
    evhttp_set_allowed_methods(a->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                            EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                            EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_bevcb(a->http, on_new_conn, a);
    evhttp_set_gencb(a->http, on_request, a);
    for (unsigned i = 0; i < set->n; i++)
        if (evhttp_accept_socket(a->http, set->fds[i])) log_fatal("libevent gives no listener");
    return a;
}

int admin_port(const struct admin *a)
{
    return a->port;
}

void admin_set_max_body(struct admin *a, size_t max)
{
    evhttp_set_max_body_size(a->http, (ev_ssize_t)max);
}

void admin_free(struct admin *a)
{
    if (!a) return;
    evhttp_free(a->http);
    assert(!a->later); /* each has a connection, and was let go of with it */
    clear_ended(a);
    x_free(a);
}
