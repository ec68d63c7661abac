/* Design notes
 *
 * - libwebsockets tells through io() which readiness it wants of a descriptor; one libevent event
 *   each carries both directions. Write readiness is asked for only while output is really stuck (the
 *   gateway writes directly at the turn's end), so epoll is not touched on the fast path.
 * - The private data of a wsi is not reachable through the public interface of 4.1.6, so events are
 *   kept in a table by descriptor. A slot is emptied when the library stops both directions, which it
 *   does before it closes the descriptor.
 * - 4.1.6 was built without a libevent plug-in. Asked for LWS_SERVER_OPTION_LIBEVENT it calls the
 *   exported lws_plugins_init() for "evlib_event"; the definition below takes that call's place and
 *   hands over our table, with no file in the library's folder. The layout is that of
 *   lib/event-libs/private-lib-event-libs.h in 4.1.x, hence the check of the version.
 * - A connection that the library has given up but whose output is stuck is kept for five seconds,
 *   and its input is neither read nor unwatched meanwhile: the loop would turn without rest.
 *   on_ready() sees that input stays where it is and ends the connection.
 * - Its timers are one sorted list that hangs off any scheduled entry. We run it once a second:
 *   only time-outs of closing sockets are ever in it. */

/* System */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
/* Third party */
#include <event2/event.h>
#include <libwebsockets.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Gateway */
#include "gw_lws_loop.h"

#if LWS_LIBRARY_VERSION_NUMBER >= 4003000
#define HAVE_CUSTOM_LOOP 1
typedef unsigned int io_flags;
#else
#define HAVE_CUSTOM_LOOP 0
typedef int io_flags;
enum { LWS_EV_READ = 1, LWS_EV_WRITE = 2, LWS_EV_START = 4, LWS_EV_STOP = 8 };
struct lws_event_loop_ops {
    const char *name;
    int (*init_context)(struct lws_context *, const struct lws_context_creation_info *);
    int (*destroy_context1)(struct lws_context *);
    int (*destroy_context2)(struct lws_context *);
    int (*init_vhost_listen_wsi)(struct lws *);
    int (*init_pt)(struct lws_context *, void *, int);
    int (*wsi_logical_close)(struct lws *);
    int (*check_client_connect_ok)(struct lws *);
    void (*close_handle_manually)(struct lws *);
    int (*sock_accept)(struct lws *);
    void (*io)(struct lws *, int);
    void (*run_pt)(struct lws_context *, int);
    void (*destroy_pt)(struct lws_context *, int);
    void (*destroy_wsi)(struct lws *);
    uint8_t flags;
    uint16_t evlib_size_ctx, evlib_size_pt, evlib_size_vh, evlib_size_wsi;
};
#endif

#define READS_A_TURN (16384 / GW_LWS_RX) /* of one connection; the others have their turn too */
#define UNREAD_MAX 16

struct slot {
    struct event *ev;
    struct lws *wsi;
    short wants;    /* EV_READ | EV_WRITE */
    uint8_t unread; /* times in a row that input was left where it was */
};

/* One libwebsockets context lives in a process; so does this. */
static struct {
    struct event_base *base;
    struct slot *slots;
    size_t n;
    lws_sorted_usec_list_t probe; /* leads to the library's timer list */
} self;

static struct lws_context *context_of(struct lws *wsi)
{
    return lws_get_context(wsi);
}

static struct slot *slot_of(int fd)
{
    if ((size_t)fd >= self.n) {
        size_t n = self.n ? self.n : 256;
        while (n <= (size_t)fd)
            n *= 2;
        self.slots = x_realloc(self.slots, n * sizeof(*self.slots));
        memset(self.slots + self.n, 0, (n - self.n) * sizeof(*self.slots));
        self.n = n;
    }
    return &self.slots[fd];
}

static int input_of(int fd)
{
    int n = 0;
    return ioctl(fd, FIONREAD, &n) ? 0 : n;
}

/* The library reads one small buffer an event. What else has come is read in the same turn, so that
 * what it leads to leaves in one write: with 8 broadcasts in flight that halves the cost of a
 * delivery (docs/performance.md). How much is left is asked for once, not for each buffer. */
static void read_on(int fd, struct lws *wsi, struct lws_context *cx)
{
    struct lws_pollfd p = {.fd = fd, .events = LWS_POLLIN};
    int left = input_of(fd);
    for (int i = 1; i < READS_A_TURN && left > 0; i++) {
        if (lws_partial_buffered(wsi)) return;
        p.revents = LWS_POLLIN;
        lws_service_fd(cx, &p);
        if (slot_of(fd)->wsi != wsi) return; /* it is gone */
        left -= GW_LWS_RX;
        if (left <= 0) left = input_of(fd);
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct lws_pollfd p = {.fd = fd};
    struct slot *s = slot_of(fd);
    struct lws *wsi = s->wsi;
    bool stuck = what & EV_READ && lws_partial_buffered(wsi);
    int before = stuck ? input_of(fd) : 0;
    if (what & EV_READ) p.events |= LWS_POLLIN;
    if (what & EV_WRITE) p.events |= LWS_POLLOUT;
    p.revents = p.events;
    lws_service_fd(arg, &p);
    s = slot_of(fd);
    if (s->wsi != wsi) return; /* it is gone */
    s->unread = stuck && input_of(fd) == before ? (uint8_t)(s->unread + 1) : 0;
    if (s->unread >= UNREAD_MAX) {
        s->unread = 0;
        shutdown(fd, SHUT_RDWR); /* its next write fails, and that ends it */
    } else if (what & EV_READ && !stuck) {
        read_on(fd, wsi, arg);
    }
}

static void set_wants(struct slot *s, int fd, short wants, struct lws_context *cx)
{
    if (!wants) s->wsi = NULL;
    if (wants == s->wants) return;
    if (s->ev) event_free(s->ev);
    s->ev = NULL;
    s->wants = wants;
    if (!wants) return;
    s->ev = event_new(self.base, fd, (short)(wants | EV_PERSIST), on_ready, cx);
    if (!s->ev || event_add(s->ev, NULL)) log_error("no event for descriptor %d", fd);
}

static void io(struct lws *wsi, io_flags flags)
{
    int fd = lws_get_socket_fd(wsi);
    if (fd < 0) return;
    struct slot *s = slot_of(fd);
    short bits =
        (short)((flags & LWS_EV_READ ? EV_READ : 0) | (flags & LWS_EV_WRITE ? EV_WRITE : 0));
    short wants = (short)(flags & LWS_EV_START ? s->wants | bits : s->wants & ~bits);
    if (s->wsi != wsi) s->unread = 0;
    s->wsi = wsi;
    set_wants(s, fd, wants, context_of(wsi));
}

static int init_pt(struct lws_context *cx, void *base, int tsi)
{
    (void)cx;
    (void)base;
    (void)tsi;
    return 0;
}

static int logical_close(struct lws *wsi)
{
    int fd = lws_get_socket_fd(wsi);
    if (fd >= 0 && (size_t)fd < self.n) set_wants(&self.slots[fd], fd, 0, NULL);
    return 0;
}

static void run_pt(struct lws_context *cx, int tsi)
{
    (void)cx;
    (void)tsi; /* our loop runs, not the library's */
}

static void destroy_pt(struct lws_context *cx, int tsi)
{
    (void)cx;
    (void)tsi;
}

static void destroy_wsi(struct lws *wsi)
{
    (void)wsi;
}

static const struct lws_event_loop_ops loop_ops = {
    .name = "peal-libevent",
    .init_pt = init_pt,
    .wsi_logical_close = logical_close,
    .io = io,
    .run_pt = run_pt,
    .destroy_pt = destroy_pt,
    .destroy_wsi = destroy_wsi,
};

static const lws_plugin_evlib_t evlib = {
    .hdr = {"peal event loop", "lws_evlib_plugin",
#if HAVE_CUSTOM_LOOP
            NULL,
#endif
            LWS_PLUGIN_API_MAGIC},
    .ops = &loop_ops,
};

#if !HAVE_CUSTOM_LOOP
static struct lws_plugin plugin;

/* Takes the place of the library's own function, see the design notes. */
int lws_plugins_init(struct lws_plugin **list, const char *const *dirs, const char *class_name,
                     const char *filter, each_plugin_cb_t each, void *each_user)
{
    (void)dirs;
    (void)class_name;
    (void)each;
    (void)each_user;
    if (!filter || strcmp(filter, "evlib_event") != 0) return 0;
    plugin.hdr = &evlib.hdr;
    plugin.list = NULL;
    *list = &plugin;
    return 0;
}

int lws_plugins_destroy(struct lws_plugin **list, each_plugin_cb_t each, void *each_user)
{
    (void)each;
    (void)each_user;
    *list = NULL;
    return 0;
}
#endif

void gw_lws_loop_prepare(struct lws_context_creation_info *info, struct event_base *base)
{
    static void *loops[1];
    const char *version = lws_get_library_version();
    self.base = base;
#if HAVE_CUSTOM_LOOP
    info->event_lib_custom = &evlib;
#else
    if (strncmp(version, "4.1.", 4) != 0)
        log_fatal("built for libwebsockets 4.1 but %s is installed; rebuild", version);
    info->options |= LWS_SERVER_OPTION_LIBEVENT;
#endif
    loops[0] = base;
    info->foreign_loops = loops;
    log_debug("libwebsockets %s", version);
}

bool gw_lws_loop_forced(struct lws_context *cx)
{
    if (lws_service_adjust_timeout(cx, 1, 0)) return false;
    _lws_plat_service_forced_tsi(cx, 0);
    return lws_service_adjust_timeout(cx, 1, 0) == 0;
}

static void on_probe(lws_sorted_usec_list_t *sul)
{
    (void)sul;
}

void gw_lws_loop_tick(struct lws_context *cx)
{
    /* Scheduling an entry of our own shows the list it is on. */
    lws_sul_schedule(cx, 0, &self.probe, on_probe, 3600 * LWS_US_PER_SEC);
    lws_dll2_owner_t *owner = self.probe.list.owner;
    __lws_sul_service_ripe(owner, 1, lws_now_usecs());
    /* 4.3 insists on a callback to cancel, too. */
    lws_sul_schedule(cx, 0, &self.probe, on_probe, LWS_SET_TIMER_USEC_CANCEL);
}

void gw_lws_loop_fini(void)
{
    for (size_t i = 0; i < self.n; i++)
        if (self.slots[i].ev) event_free(self.slots[i].ev);
    x_free(self.slots);
    self.slots = NULL;
    self.n = 0;
}
