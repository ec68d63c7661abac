/* Design notes
 *
 * A descriptor that has been handed over is closed a turn later. libevent tells the kernel together,
 * before it waits, what it has been told (io/loop.c): closed at once, the connection would stay in
 * this process's epoll set for as long as the other process has it open, under a number that is
 * somebody else's by then. */

/* System */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
/* Third party */
#include <event2/event.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_handover.h"
#include "gw_siblings.h"
#include "gw_ws.h"

#define BYTES_MAX 131072      /* a head at its largest, and two reads of gw_http.c */
#define AT_ONCE 64            /* taken in a turn: clients of our own wait meanwhile */
#define INBOX_BYTES (1 << 20) /* asked for; the system's limit may be less */

struct gw_handover {
    struct gateway *gw;
    struct event *readable;
    int *gone; /* descriptors to be closed in the next turn */
    size_t ngone, size;
};

/* What recvmsg() gives beside bytes. */
union ancillary {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

/* A message: the client's address, then the bytes. */
struct parcel {
    struct sockaddr_storage peer;
    char bytes[BYTES_MAX];
    size_t n; /* received in all */
    int fd;   /* -1: none */
    pid_t sender;
    bool is_cut;
};

/* ---- the inbox */

bool gw_handover_pair(int in[2])
{
    int one = 1, size = INBOX_BYTES;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, in)) return false;
    setsockopt(in[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return setsockopt(in[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0;
}

/* Alignment leaves room for a second descriptor, which nobody of us sends. */
static void read_descriptors(const struct cmsghdr *c, struct parcel *p)
{
    int fds[2];
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), n < 2 ? n * sizeof(int) : sizeof(fds));
    p->fd = fds[0];
    if (n < 2) return;
    close(fds[1]);
    p->is_cut = true;
}

static void read_ancillary(struct msghdr *m, struct parcel *p)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            read_descriptors(c, p);
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred from;
            memcpy(&from, CMSG_DATA(c), sizeof(from));
            p->sender = from.pid;
        }
    }
}

/* False: nothing is there. */
static bool receive(int inbox, struct parcel *p)
{
    union ancillary extra;
    struct iovec parts[] = {{&p->peer, sizeof(p->peer)}, {p->bytes, sizeof(p->bytes)}};
    struct msghdr m = {.msg_iov = parts,
                       .msg_iovlen = 2,
                       .msg_control = extra.bytes,
                       .msg_controllen = sizeof(extra.bytes)};
    ssize_t n;
    do
        n = recvmsg(inbox, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    p->n = (size_t)n;
    p->fd = -1;
    p->sender = 0;
    p->is_cut = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
    read_ancillary(&m, p);
    return true;
}

void gw_handover_clear(int inbox)
{
    static struct parcel p;
    while (receive(inbox, &p))
        if (p.fd >= 0) close(p.fd);
}

static bool is_sibling(const struct gateway *gw, pid_t pid)
{
    struct gw_board *b = gw->family->board;
    for (unsigned i = 0; i < b->n; i++)
        if (pid && atomic_load(&b->processes[i].pid) == pid) return true;
    return false;
}

static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t n = sizeof(protocol);
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &n) == 0 && protocol == IPPROTO_TCP;
}

static bool is_good(const struct gateway *gw, const struct parcel *p)
{
    return p->fd >= 0 && !p->is_cut && p->n > sizeof(p->peer) && is_sibling(gw, p->sender) &&
           is_tcp(p->fd) &&
           gw->nhttps + gw_ws_context_count(gw->ws) < gw_siblings_share(gw->cfg, gw->family);
}

static void take(struct gateway *gw, const struct parcel *p)
{
    if (is_good(gw, p)) {
        gw->count.handovers_in++;
        gw_http_take(gw, p->fd, &p->peer, sv_make(p->bytes, p->n - sizeof(p->peer)));
        return;
    }
    gw->count.handovers_refused++;
    if (p->fd >= 0) close(p->fd);
}

static void on_inbox(evutil_socket_t fd, short what, void *arg)
{
    struct gw_handover *h = arg;
    static struct parcel p;
    (void)what;
    for (unsigned i = 0; i < AT_ONCE && receive(fd, &p); i++)
        take(h->gw, &p);
}

struct gw_handover *gw_handover_new(struct gateway *gw)
{
    struct gw_handover *h = x_calloc(1, sizeof(*h));
    h->gw = gw;
    h->readable =
        event_new(loop_base(gw->loop), gw->family->inbox, EV_READ | EV_PERSIST, on_inbox, h);
    assert(h->readable);
    event_add(h->readable, NULL);
    return h;
}

void gw_handover_free(struct gw_handover *h)
{
    if (!h) return;
    event_free(h->readable);
    for (size_t i = 0; i < h->ngone; i++)
        close(h->gone[i]);
    x_free(h->gone);
    x_free(h);
}

/* ---- sending */

int gw_handover_home(const struct gateway *gw, struct str_view sid)
{
    if (!gw->family || sid.n != ID_LEN || memcmp(sid.p, gw->node, ID_NODE_LEN) == 0) return -1;
    struct gw_board *b = gw->family->board;
    for (unsigned i = 0; i < b->n; i++)
        if (i != gw->family->self && atomic_load(&b->processes[i].pid) &&
            memcmp(sid.p, b->processes[i].node, ID_NODE_LEN) == 0)
            return (int)i;
    return -1;
}

enum gw_handover_outcome gw_handover_send(struct gateway *gw, const struct gw_http *h,
                                          unsigned home)
{
    const struct gw_family *family = gw->family;
    struct sockaddr_storage peer = h->peer;
    union ancillary extra = {.bytes = {0}};
    struct iovec parts[] = {{&peer, sizeof(peer)}, {h->in.p, h->in.n}};
    struct msghdr m = {.msg_iov = parts,
                       .msg_iovlen = 2,
                       .msg_control = extra.bytes,
                       .msg_controllen = CMSG_SPACE(sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &h->fd, sizeof(int));
    if (!atomic_load(&family->board->processes[home].pid)) return GW_HANDOVER_GONE;
    ssize_t n;
    do
        n = sendmsg(family->outboxes[home], &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0) {
        gw->count.handovers_out++;
        return GW_HANDOVER_DONE;
    }
    return GW_HANDOVER_LATER;
}

void gw_handover_close(struct gateway *gw, int fd)
{
    struct gw_handover *h = gw->handover;
    if (h->ngone == h->size) {
        h->size = h->size ? 2 * h->size : 64;
        h->gone = x_realloc(h->gone, h->size * sizeof(h->gone[0]));
    }
    h->gone[h->ngone++] = fd;
}

void gw_handover_reap(struct gateway *gw)
{
    struct gw_handover *h = gw->handover;
    if (!h) return;
    for (size_t i = 0; i < h->ngone; i++)
        close(h->gone[i]);
    h->ngone = 0;
}

bool gw_handover_owes(const struct gateway *gw)
{
    return gw->handover && gw->handover->ngone;
}
