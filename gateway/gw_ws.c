/* Design notes
 *
 * - libwebsockets gets one canonical upgrade request, made here, never the client's own bytes: its
 *   HTTP side has defects that a crafted request reaches. It completes the handshake inside the
 *   adoption call.
 * - Frames leave by LWS_WRITE_RAW, which a partly sent write does not corrupt; while output is
 *   stuck nothing more is written, so the library's unbounded list holds one write at most.
 * - Our close: frames, a close frame, half-close of the TCP connection, then the peer has
 *   CLOSE_WAIT_MS to answer. Waiting sockets are on a list in the order of their deadlines (all wait
 *   equally long), because the library's own timers are a sorted list that many closes at once would
 *   make quadratic.
 * - The library's per-session memory is our struct, so an idle WebSocket costs no allocation of ours. */

/* System */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Third party */
#include <libwebsockets.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/loop.h"
/* Gateway */
#include "gw_lws_loop.h"
#include "gw_ws.h"

#define CLOSE_WAIT_MS 3000
#define TICK_MS 1000
#define TX_SIZE (64u << 20) /* no cutting of writes */
#define MAX_REST 65536
#define HEADER_MAX 512 /* values of the canonical request */

/* A WebSocket on its way out: our close frame waits for its answer. */
struct closing {
    struct gw_ws *ws;
    struct closing *prev, *next;
    uint64_t by;
};

/* One for each client, mostly idle: what few need at a time is behind pointers. */
struct gw_ws {
    struct lws *wsi;         /* NULL: not established */
    void *owner;             /* NULL once closing */
    struct buf *in;          /* a message that comes in several pieces; else NULL */
    struct closing *closing; /* NULL: not closing */
    uint32_t max_message;
    bool half_closed, peer_closed, too_large;
    bool is_corked; /* until the first write */
};

struct gw_ws_context {
    struct loop *loop;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    const struct gw_ws_events *events;
    size_t max_message;
    struct closing *closing_first, *closing_last;
    uint64_t tick_at;
    unsigned count;
    /* during gw_ws_adopt() */
    bool adopting, adopt_corked;
    void *adopt_owner; /* NULL: to be closed at once */
    struct gw_ws *adopted;
    struct str_view adopt_headers;
};

static struct gw_ws_context *context_of(const struct gw_ws *ws)
{
    return lws_context_user(lws_get_context(ws->wsi));
}

/* ---- closing list */

static void closing_add(struct gw_ws *ws)
{
    struct gw_ws_context *cx = context_of(ws);
    struct closing *c = x_malloc(sizeof(*c));
    *c = (struct closing){
        .ws = ws, .prev = cx->closing_last, .by = loop_now(cx->loop) + CLOSE_WAIT_MS};
    *(c->prev ? &c->prev->next : &cx->closing_first) = c;
    cx->closing_last = c;
    ws->closing = c;
}

static void closing_remove(struct gw_ws *ws)
{
    struct gw_ws_context *cx = context_of(ws);
    struct closing *c = ws->closing;
    if (!c) return;
    ws->closing = NULL;
    *(c->prev ? &c->prev->next : &cx->closing_first) = c->next;
    *(c->next ? &c->next->prev : &cx->closing_last) = c->prev;
    x_free(c);
}

static void half_close(struct gw_ws *ws)
{
    if (ws->half_closed || lws_partial_buffered(ws->wsi)) return;
    ws->half_closed = true;
    shutdown(lws_get_socket_fd(ws->wsi), SHUT_WR);
}

/* While on, the kernel keeps back what would not fill a segment. So the library's 101 and the first
 * packets leave together: one segment less saves 10 µs of CPU a connection. */
static void cork(int fd, int on)
{
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* ---- callbacks */

static int on_established(struct gw_ws_context *cx, struct gw_ws *ws, struct lws *wsi)
{
    if (!cx->adopting) return -1; /* cannot be: only adoption brings WebSockets */
    *ws = (struct gw_ws){.wsi = wsi,
                         .owner = cx->adopt_owner,
                         .max_message = (uint32_t)cx->max_message,
                         .is_corked = cx->adopt_corked};
    cx->adopted = ws;
    cx->count++;
    if (ws->owner) cx->events->opened(ws->owner, ws);
    return 0;
}

static int refuse_large(struct gw_ws *ws)
{
    ws->too_large = true;
    lws_close_reason(ws->wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
    return -1;
}

static void drop_pieces(struct gw_ws *ws)
{
    if (ws->in) buf_fini(ws->in);
    x_free(ws->in);
    ws->in = NULL;
}

/* Adds a piece to those that came before. */
static bool keep_piece(struct gw_ws *ws, const char *p, size_t n)
{
    if (!ws->in) {
        ws->in = x_malloc(sizeof(*ws->in));
        buf_init(ws->in, ws->max_message);
    }
    return lws_remaining_packet_payload(ws->wsi) <= ws->max_message && buf_add(ws->in, p, n);
}

static int on_receive(struct gw_ws *ws, const char *p, size_t n)
{
    if (!ws->owner) return 0; /* we are closing: what still comes is not wanted */
    struct lws *wsi = ws->wsi;
    const struct gw_ws_events *events = context_of(ws)->events;
    bool whole = lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi);
    if (whole && !ws->in) {
        if (n > ws->max_message) return refuse_large(ws);
        events->message(ws->owner, ws, lws_frame_is_binary(wsi), sv_make(p, n));
        return 0;
    }
    if (!keep_piece(ws, p, n)) return refuse_large(ws);
    if (!whole) return 0;
    struct buf message = *ws->in; /* the owner may close us meanwhile */
    *ws->in = (struct buf){0};
    drop_pieces(ws);
    events->message(ws->owner, ws, lws_frame_is_binary(wsi), buf_view(&message));
    buf_fini(&message);
    return 0;
}

static void tell_closed(struct gw_ws *ws, enum close_reason reason)
{
    void *owner = ws->owner;
    ws->owner = NULL;
    if (!owner) return;
    context_of(ws)->events->closed(owner, ws, reason);
}

static int on_peer_close(struct gw_ws *ws)
{
    ws->peer_closed = true;
    if (ws->closing) return -1; /* the answer to our close frame: done */
    tell_closed(ws, REASON_TRANSPORT_CLOSE);
    return 0; /* the library answers the close frame */
}

static void on_closed(struct gw_ws *ws)
{
    if (!ws->wsi) return; /* never established */
    struct gw_ws_context *cx = context_of(ws);
    if (cx->adopted == ws) cx->adopted = NULL;
    closing_remove(ws);
    tell_closed(ws, ws->too_large ? REASON_TRANSPORT_ERROR : REASON_TRANSPORT_CLOSE);
    drop_pieces(ws);
    cx->count--;
    ws->wsi = NULL;
}

static int add_headers(struct gw_ws_context *cx, struct lws_process_html_args *args)
{
    if (!cx->adopting || cx->adopt_headers.n > (size_t)args->max_len) return 0;
    memcpy(args->p, cx->adopt_headers.p, cx->adopt_headers.n);
    args->p += cx->adopt_headers.n;
    return 0;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct gw_ws *ws = user;
    /* Some callbacks come before the context is in place. */
    struct gw_ws_context *cx =
        wsi && lws_get_context(wsi) ? lws_context_user(lws_get_context(wsi)) : NULL;
    switch (reason) {
    case LWS_CALLBACK_ADD_HEADERS: return add_headers(cx, in);
    case LWS_CALLBACK_ESTABLISHED: return on_established(cx, ws, wsi);
    case LWS_CALLBACK_RECEIVE: return on_receive(ws, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (ws->owner)
            cx->events->writable(ws->owner, ws);
        else if (ws->closing)
            half_close(ws);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return on_peer_close(ws);
    case LWS_CALLBACK_CLOSED: on_closed(ws); return 0;
    default: return 0;
    }
}

/* ---- context */

static const struct lws_protocols protocols[] = {
    {.name = "peal",
     .callback = on_lws,
     .per_session_data_size = sizeof(struct gw_ws),
     .rx_buffer_size = GW_LWS_RX,
     .tx_packet_size = TX_SIZE},
    {0},
};

/* All zero: no pings and validity timers of the library's own. */
static const lws_retry_bo_t no_timers;

static void on_lws_log(int level, const char *line)
{
    (void)level;
    size_t n = strcspn(line, "\n");
    log_debug("libwebsockets: %.*s", (int)(n > 200 ? 200 : n), line);
}

struct gw_ws_context *gw_ws_context_new(struct loop *loop, size_t max_message,
                                        const struct gw_ws_events *events)
{
    struct gw_ws_context *cx = x_calloc(1, sizeof(*cx));
    cx->loop = loop;
    cx->events = events;
    cx->max_message = max_message;
    /* It has a line for each adoption, which it formats even if nobody wants to read it. */
    lws_set_log_level(log_wants(LOG_DEBUG) ? LLL_ERR | LLL_WARN : 0, on_lws_log);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .options = LWS_SERVER_OPTION_VALIDATE_UTF8,
        .user = cx,
        .pt_serv_buf_size = 16384,
        .max_http_header_data = HEADER_MAX,
        .retry_and_idle_policy = &no_timers,
        .vhost_name = "peal",
    };
    gw_lws_loop_prepare(&info, loop_base(loop));
    cx->lws = lws_create_context(&info);
    if (!cx->lws) log_fatal("libwebsockets cannot start");
    cx->vhost = lws_get_vhost_by_name(cx->lws, "peal");
    if (!cx->vhost) log_fatal("libwebsockets has no virtual host");
    return cx;
}

void gw_ws_context_free(struct gw_ws_context *cx)
{
    if (!cx) return;
    lws_context_destroy(cx->lws);
    gw_lws_loop_fini();
    x_free(cx);
}

/* The library would go on trying for five seconds, the kernel for minutes after that. */
static void give_up_output(struct gw_ws *ws)
{
    int fd = lws_get_socket_fd(ws->wsi);
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    shutdown(fd, SHUT_RDWR);
}

bool gw_ws_context_phase(struct gw_ws_context *cx)
{
    uint64_t now = loop_now(cx->loop);
    while (cx->closing_first && cx->closing_first->by <= now) {
        struct gw_ws *ws = cx->closing_first->ws;
        closing_remove(ws);
        if (lws_partial_buffered(ws->wsi)) give_up_output(ws);
        lws_set_timeout(ws->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    }
    if (cx->count && now >= cx->tick_at) {
        cx->tick_at = now + TICK_MS;
        gw_lws_loop_tick(cx->lws);
    }
    return gw_lws_loop_forced(cx->lws);
}

unsigned gw_ws_context_count(const struct gw_ws_context *cx)
{
    return cx->count;
}

/* ---- one WebSocket */

struct gw_ws *gw_ws_adopt(struct gw_ws_context *cx, int fd, struct str_view key,
                          struct str_view headers, struct str_view rest, bool writes_at_once,
                          void *owner)
{
    struct buf request;
    buf_init(&request, MAX_REST + 512);
    bool fits = buf_addf(&request,
                         "GET / HTTP/1.1\r\nHost: peal\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: %.*s\r\n\r\n",
                         SV_ARG(key)) &&
                buf_add_sv(&request, rest);
    if (!fits) {
        buf_fini(&request);
        close(fd);
        return NULL;
    }
    cx->adopt_corked = writes_at_once;
    if (writes_at_once) cork(fd, 1);
    cx->adopting = true;
    cx->adopt_owner = owner;
    cx->adopt_headers = headers;
    cx->adopted = NULL;
    lws_adopt_socket_vhost_readbuf(cx->vhost, fd, request.p, request.n);
    cx->adopting = false;
    buf_fini(&request);
    struct gw_ws *ws = cx->adopted;
    cx->adopted = NULL;
    if (ws && !owner) gw_ws_close(ws, GW_WS_CLOSE_NONE);
    return owner ? ws : NULL;
}

void gw_ws_set_limit(struct gw_ws *ws, size_t max_message)
{
    ws->max_message = (uint32_t)max_message;
    if (ws->in) ws->in->max = max_message;
}

bool gw_ws_is_writable(const struct gw_ws *ws)
{
    return !ws->peer_closed && !lws_partial_buffered(ws->wsi);
}

bool gw_ws_write(struct gw_ws *ws, struct str_view frames)
{
    if (ws->peer_closed) return false;
    /* RAW writes change nothing in the buffer; the library's parameter is not const all the same.
     */
    union {
        const char *in;
        unsigned char *out;
    } p = {frames.p};
    bool ok = lws_write(ws->wsi, p.out, frames.n, LWS_WRITE_RAW) >= 0;
    if (ws->is_corked) cork(lws_get_socket_fd(ws->wsi), 0);
    ws->is_corked = false;
    return ok;
}

void gw_ws_close(struct gw_ws *ws, unsigned code)
{
    static const char none[] = {(char)0x88, 0};
    const char with_code[] = {(char)0x88, 2, (char)(code >> 8), (char)code};
    ws->owner = NULL;
    drop_pieces(ws);
    if (ws->closing) return;
    closing_add(ws);
    if (ws->peer_closed) return;
    if (gw_ws_write(ws, code ? sv_make(with_code, 4) : sv_make(none, 2))) half_close(ws);
}
