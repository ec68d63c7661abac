/* Connections that go to another process and come from one: which, with what bytes, and what is
 * refused. The sibling is this test, at the other ends of the inboxes. */
/* System */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gateway/gw_handover.h"
#include "gateway/gw_siblings.h"
/* Tests */
#include "unit/gateway/gateway_sim.h"

#define THEIRS "SIBLING1ABCDEFGHIJKL"
#define REQUEST(sid)                                                                               \
    "GET /socket.io/?EIO=4&transport=polling&sid=" sid " HTTP/1.1\r\nHost: sim\r\n\r\n"
#define HANDSHAKE "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: sim\r\n\r\n"
#define OTHER "GET /elsewhere HTTP/1.1\r\nHost: sim\r\n\r\n"
#define UNKNOWN "Session ID unknown"

static struct gw_family family;
static int own[2], their[2]; /* inbox, and what reaches it */

static int start(void **state)
{
    (void)state;
    sim_start(NULL, "");
    family = (struct gw_family){.board = gw_board_new(2), .admin_port = -1};
    assert_non_null(family.board);
    assert_true(gw_handover_pair(own) && gw_handover_pair(their));
    family.inbox = own[0];
    family.outboxes[0] = own[1];
    family.outboxes[1] = their[1];
    struct gw_board_process *sibling = &family.board->processes[1];
    memcpy(sibling->node, THEIRS, ID_NODE_LEN);
    sibling->pid = getpid();
    sim.gw->family = &family;
    sim.gw->handover = gw_handover_new(sim.gw);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sim_stop();
    gw_handover_clear(their[0]);
    for (int i = 0; i < 2; i++) {
        close(own[i]);
        close(their[i]);
    }
    gw_board_free(family.board);
    return 0;
}

/* ---- a client, and the sibling's side */

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static int client(const char *bytes)
{
    int fd = dial(gw_server_port(sim.gw));
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
    return fd;
}

static char answer[4096];
static size_t nanswer;

/* True once the answer so far holds the text. */
struct wanted {
    int fd;
    const char *text;
};
static bool has_come(void *arg)
{
    const struct wanted *w = arg;
    ssize_t n = recv(w->fd, answer + nanswer, sizeof(answer) - 1 - nanswer, MSG_DONTWAIT);
    if (n > 0) nanswer += (size_t)n;
    answer[nanswer] = '\0';
    return strstr(answer, w->text) != NULL;
}

static void await(int fd, const char *text)
{
    struct wanted w = {fd, text};
    nanswer = 0;
    sim_until(has_come, &w);
}

static bool has_ended(void *arg)
{
    char c;
    return recv(*(int *)arg, &c, 1, MSG_DONTWAIT) == 0;
}

/* What the sibling gets: its descriptor, and the bytes in got. -1: nothing. */
static char got[140000];
static size_t ngot;

static int receive(void)
{
    struct sockaddr_storage peer;
    union {
        struct cmsghdr align;
        char bytes[256];
    } extra;
    struct iovec parts[] = {{&peer, sizeof(peer)}, {got, sizeof(got)}};
    struct msghdr m = {.msg_iov = parts,
                       .msg_iovlen = 2,
                       .msg_control = extra.bytes,
                       .msg_controllen = sizeof(extra.bytes)};
    ssize_t n = recvmsg(their[0], &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fd = -1;
    if (n < 0) return -1;
    ngot = (size_t)n - sizeof(peer);
    assert_int_equal(((struct sockaddr_in *)&peer)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    assert_true(fd >= 0);
    return fd;
}

/* In another process the descriptor would have another number than it had here. */
static bool has_been_handed(void *arg)
{
    int filler = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *(int *)arg = receive();
    close(filler);
    return *(int *)arg >= 0;
}

static int await_handover(void)
{
    int fd = -1;
    sim_until(has_been_handed, &fd);
    return fd;
}

/* From the sibling: an address, bytes and n descriptors. */
static void give(const char *bytes, size_t nbytes, const int *fds, size_t n)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char address[sizeof(struct sockaddr_storage)] = {0};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } extra = {.bytes = {0}};
    union {
        const char *text;
        void *p;
    } out = {bytes};
    memcpy(address, &peer, sizeof(peer));
    struct iovec parts[] = {{address, sizeof(address)}, {out.p, nbytes}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    if (n) {
        m.msg_control = extra.bytes;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    if (sendmsg(own[1], &m, MSG_DONTWAIT) < 0) fail_msg("cannot give");
}

/* A connection that this test has accepted. */
static void connection(int ends[2])
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(any);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(door, (struct sockaddr *)&any, n), 0);
    assert_int_equal(listen(door, 1), 0);
    assert_int_equal(getsockname(door, (struct sockaddr *)&any, &n), 0);
    ends[0] = dial(ntohs(any.sin_port));
    ends[1] = accept4(door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(ends[1] >= 0);
    close(door);
}

/* ---- going */

static void a_request_goes_home_with_all_that_was_read(void **state)
{
    static const char bytes[] = REQUEST(THEIRS) OTHER "GET /half";
    int fd = client(bytes);
    (void)state;
    int handed = await_handover();
    assert_int_equal(ngot, strlen(bytes));
    assert_memory_equal(got, bytes, ngot);
    /* It is the same connection, and nobody here reads from it any more. */
    assert_int_equal(send(fd, "more", 4, MSG_NOSIGNAL), 4);
    sim_turns(3);
    assert_int_equal(recv(handed, got, sizeof(got), 0), 4);
    assert_int_equal(sim.gw->count.handovers_out, 1);
    assert_int_equal(sim.gw->count.http_requests, 0);
    assert_int_equal(sim.gw->nhttps, 0);
    close(handed);
    close(fd);
}

/* How many descriptors the loop waits for: lines "tfd: …" of its epoll sets. */
static unsigned watched(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));) {
        char path[64], what[64], line[256];
        snprintf(path, sizeof(path), "/proc/self/fd/%.16s", d->d_name);
        ssize_t size = readlink(path, what, sizeof(what) - 1);
        if (size < 0) continue;
        what[size] = '\0';
        if (strcmp(what, "anon_inode:[eventpoll]") != 0) continue;
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%.16s", d->d_name);
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
            n += strncmp(line, "tfd:", 4) == 0;
        fclose(f);
    }
    closedir(dir);
    return n;
}

/* As long as the sibling has it open, the kernel would still tell this process about it. */
static void what_has_gone_is_not_waited_for(void **state)
{
    (void)state;
    sim_turns(3);
    unsigned before = watched();
    assert_true(before > 0);
    for (unsigned i = 0; i < 3; i++) {
        int fd = client(OTHER); /* it is waited for before it goes */
        await(fd, "HTTP/1.1 404");
        assert_int_equal(watched(), before + 1);
        assert_int_equal(send(fd, REQUEST(THEIRS), strlen(REQUEST(THEIRS)), MSG_NOSIGNAL),
                         (ssize_t)strlen(REQUEST(THEIRS)));
        int handed = await_handover();
        sim_turns(3);
        assert_int_equal(watched(), before);
        close(handed);
        close(fd);
    }
}

static void answers_to_earlier_requests_leave_first(void **state)
{
    int fd = client(OTHER REQUEST(THEIRS) OTHER);
    (void)state;
    int handed = await_handover();
    assert_int_equal(ngot, strlen(REQUEST(THEIRS) OTHER));
    await(fd, "HTTP/1.1 404");
    assert_int_equal(send(handed, "answer", 6, MSG_NOSIGNAL), 6);
    await(fd, "answer");
    close(handed);
    close(fd);
}

static void upgrades_and_bodies_go_too(void **state)
{
    static const char *const heads[] = {
        "GET /socket.io/?EIO=4&transport=websocket&sid=" THEIRS " HTTP/1.1\r\nHost: sim\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        "POST /socket.io/?EIO=4&transport=polling&sid=" THEIRS " HTTP/1.1\r\nHost: sim\r\n"
        "Content-Length: 10\r\n\r\n42[\"",
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int fd = client(heads[i]), handed = await_handover();
        assert_int_equal(ngot, strlen(heads[i]));
        assert_memory_equal(got, heads[i], ngot);
        close(handed);
        close(fd);
    }
}

static void nobodys_sessions_stay(void **state)
{
    static const char *const sids[] = {"NOBODY12ABCDEFGHIJKL", "SIBLING1", "SIBLING1ABCDEFGHIJKLM",
                                       "", "SIBLING1ABCDEFGHIJK%00"};
    (void)state;
    for (size_t i = 0; i < sizeof(sids) / sizeof(sids[0]); i++) {
        char *bytes = x_asprintf("GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
                                 "Host: sim\r\n\r\n",
                                 sids[i]);
        int fd = client(bytes);
        await(fd, sids[i][0] ? UNKNOWN : "\"sid\"");
        close(fd);
        x_free(bytes);
    }
    family.board->processes[1].pid = 0;
    int fd = client(REQUEST(THEIRS));
    await(fd, UNKNOWN);
    close(fd);
    assert_int_equal(receive(), -1);
}

/* Fills the sibling's inbox, which is made small before; the clients' connections. */
static size_t fill(int *fds, size_t max)
{
    int size = 65536;
    size_t n = 0;
    uint64_t before;
    static char bytes[16000];
    snprintf(bytes, sizeof(bytes),
             "GET /socket.io/?EIO=4&transport=polling&sid=" THEIRS " HTTP/1.1\r\nHost: sim\r\n"
             "Filler: %-15800s\r\n\r\n",
             "x");
    setsockopt(their[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    do {
        before = sim.gw->count.handovers_out;
        assert_true(n < max);
        fds[n++] = client(bytes);
        for (unsigned i = 0; i < 200 && sim.gw->count.handovers_out == before; i++)
            sim_turns(1);
    } while (sim.gw->count.handovers_out > before);
    return n;
}

static void who_finds_no_room_waits_for_it(void **state)
{
    int fds[64];
    (void)state;
    size_t n = fill(fds, 64);
    assert_true(n > 2);
    gw_handover_clear(their[0]);
    sim.mono += 10;
    int handed = await_handover();
    close(handed);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static void who_finds_no_room_for_long_is_refused(void **state)
{
    int fds[64];
    (void)state;
    size_t n = fill(fds, 64);
    for (unsigned i = 0; i < 300; i++) {
        sim.mono += 10;
        sim_turns(1);
    }
    await(fds[n - 1], "HTTP/1.1 503");
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static void who_waits_for_one_that_ends_is_told(void **state)
{
    int fds[64];
    (void)state;
    size_t n = fill(fds, 64);
    family.board->processes[1].pid = 0;
    sim.mono += 10;
    await(fds[n - 1], UNKNOWN);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

/* ---- coming */

static void a_connection_from_a_sibling_is_served(void **state)
{
    int ends[2];
    (void)state;
    connection(ends);
    give(HANDSHAKE OTHER, strlen(HANDSHAKE OTHER), &ends[1], 1);
    close(ends[1]);
    await(ends[0], "HTTP/1.1 404"); /* the second answer */
    assert_non_null(strstr(answer, "\"sid\""));
    assert_int_equal(send(ends[0], OTHER, strlen(OTHER), MSG_NOSIGNAL), (ssize_t)strlen(OTHER));
    await(ends[0], "HTTP/1.1 404");
    /* Kept alive, it goes on when a request for another's session comes. */
    const char *theirs = REQUEST(THEIRS);
    assert_int_equal(send(ends[0], theirs, strlen(theirs), MSG_NOSIGNAL), (ssize_t)strlen(theirs));
    close(await_handover());
    assert_int_equal(sim.gw->count.handovers_in, 1);
    assert_int_equal(sim.gw->count.handovers_out, 1);
    close(ends[0]);
}

static void what_was_given_is_not_given_on(void **state)
{
    int ends[2];
    (void)state;
    connection(ends);
    give(REQUEST(THEIRS), strlen(REQUEST(THEIRS)), &ends[1], 1);
    close(ends[1]);
    await(ends[0], UNKNOWN);
    assert_int_equal(sim.gw->count.handovers_out, 0);
    close(ends[0]);
}

static void assert_refused(int fd)
{
    uint64_t before = sim.gw->count.handovers_refused;
    sim_until(has_ended, &fd);
    assert_int_equal(before, 1);
    sim.gw->count.handovers_refused = 0;
    assert_int_equal(sim.gw->nhttps, 0);
    close(fd);
}

static void what_is_no_connection_is_refused(void **state)
{
    int ends[2], more[2], pair[2];
    (void)state;
    give(HANDSHAKE, strlen(HANDSHAKE), NULL, 0);
    sim_turns(3);
    assert_int_equal(sim.gw->count.handovers_refused, 1);
    sim.gw->count.handovers_refused = 0;

    connection(ends); /* no bytes */
    give("", 0, &ends[1], 1);
    close(ends[1]);
    sim_turns(3);
    assert_refused(ends[0]);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    give(HANDSHAKE, strlen(HANDSHAKE), &pair[1], 1);
    close(pair[1]);
    sim_turns(3);
    assert_refused(pair[0]);

    for (size_t n = 2; n <= 3; n++) { /* several */
        connection(ends);
        connection(more);
        const int three[] = {ends[1], more[1], more[1]};
        give(HANDSHAKE, strlen(HANDSHAKE), three, n);
        close(ends[1]);
        close(more[1]);
        sim_turns(3);
        sim_until(has_ended, &more[0]);
        close(more[0]);
        assert_refused(ends[0]);
    }

    connection(ends); /* more bytes than one may have */
    memset(got, 'x', sizeof(got));
    give(got, sizeof(got), &ends[1], 1);
    close(ends[1]);
    sim_turns(3);
    assert_refused(ends[0]);
}

static void strangers_are_refused(void **state)
{
    int ends[2], status;
    (void)state;
    connection(ends);
    pid_t pid = fork(); /* has the socket, and is no process of this gateway */
    if (pid == 0) {
        give(HANDSHAKE, strlen(HANDSHAKE), &ends[1], 1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(ends[1]);
    sim_turns(3);
    assert_refused(ends[0]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_goes_home_with_all_that_was_read),
        TEST(what_has_gone_is_not_waited_for),
        TEST(answers_to_earlier_requests_leave_first),
        TEST(upgrades_and_bodies_go_too),
        TEST(nobodys_sessions_stay),
        TEST(who_finds_no_room_waits_for_it),
        TEST(who_finds_no_room_for_long_is_refused),
        TEST(who_waits_for_one_that_ends_is_told),
        TEST(a_connection_from_a_sibling_is_served),
        TEST(what_was_given_is_not_given_on),
        TEST(what_is_no_connection_is_refused),
        TEST(strangers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
