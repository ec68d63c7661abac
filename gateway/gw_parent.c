/* Design notes
 *
 * - It forks and does not exec: processes have the configuration as the parent read it, also those
 *   that are started later, and any program that calls gw_server_run() can have several.
 * - Each process opens its own listening sockets; the parent keeps sockets that are bound and do not
 *   listen, so that the port stays its own while processes come and go. With sockets of the
 *   parent's, connections would queue for a process that is not there.
 * - Its signals are blocked and fetched one by one, so nothing interrupts it anywhere. A process
 *   is forked with them blocked and loses none before its handlers stand.
 * - A process tells by SIGUSR1 that it listens; the board says which. */

/* System */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
/* Util */
#include "util/id.h"
#include "util/log.h"
#include "util/now.h"
/* Io */
#include "io/listen_set.h"
#include "io/program.h"
/* Gateway */
#include "gw_handover.h"
#include "gw_parent.h"
#include "gw_reload.h"
#include "gw_roster.h"
#include "gw_server.h"
#include "gw_siblings.h"

static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1};

struct parent {
    struct cfg *cfg;
    const struct program_args *args; /* NULL: there is no configuration to read again */
    const char *name;
    struct gw_roster roster;
    struct gw_board *board;
    struct listen_set ports, admin_ports; /* reserved; of the admin server none without it */
    int inboxes[GW_ROSTER_MAX], outboxes[GW_ROSTER_MAX];
    unsigned npairs;
    int self; /* in a process its place; -1: this is the parent */
    bool was_whole;
};

unsigned gw_parent_count(const struct cfg *cfg)
{
    cpu_set_t cores;
    if (cfg->gateway_processes) return (unsigned)cfg->gateway_processes;
    if (sched_getaffinity(0, sizeof(cores), &cores)) return 1;
    unsigned n = (unsigned)CPU_COUNT(&cores);
    return n < GW_ROSTER_MAX ? n : GW_ROSTER_MAX;
}

static uint32_t draw(void)
{
    uint32_t r;
    id_random_bytes(&r, sizeof(r));
    return r;
}

static void signals(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
        sigaddset(set, handled[i]);
}

void gw_parent_unblock_signals(void)
{
    sigset_t set;
    signals(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- starting */

/* False with *err filled. */
static bool prepare(struct parent *p, unsigned n, struct cfg_error *err)
{
    const struct cfg *cfg = p->cfg;
    if (!listen_set_reserve(&p->ports, "gateway", &cfg->gateway_host, (int)cfg->gateway_port, err))
        return false;
    if (cfg->admin_port >= 0 &&
        !listen_set_reserve(&p->admin_ports, "admin", &cfg->admin_host, (int)cfg->admin_port, err))
        return false;
    p->board = gw_board_new(n);
    bool good = p->board != NULL;
    while (good && p->npairs < n) {
        int pair[2];
        good = gw_handover_pair(pair);
        if (!good) break;
        p->inboxes[p->npairs] = pair[0];
        p->outboxes[p->npairs++] = pair[1];
    }
    if (!good)
        snprintf(err->text, sizeof(err->text), "gateway.processes: %u cannot be had: %s", n,
                 strerror(errno));
    return good;
}

static void clean_up(struct parent *p)
{
    listen_set_close(&p->ports);
    listen_set_close(&p->admin_ports);
    for (unsigned i = 0; i < p->npairs; i++) {
        close(p->inboxes[i]);
        close(p->outboxes[i]);
    }
    gw_board_free(p->board);
}

/* The first things in a process. */
static void become_process(struct parent *p, unsigned place)
{
    char name[12];
    snprintf(name, sizeof(name), "%u", place + 1);
    log_set_process(name);
    p->self = (int)place;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != p->board->parent) _exit(1); /* killed before the line above */
    signal(SIGUSR1, SIG_IGN);
}

/* Starts all that are due. True: this is one of them. */
static bool start_due(struct parent *p)
{
    for (;;) {
        uint64_t now = now_mono_ms();
        int place = gw_roster_due(&p->roster, now);
        if (place < 0) return false;
        pid_t pid = fork();
        if (pid == 0) {
            become_process(p, (unsigned)place);
            return true;
        }
        if (pid < 0) log_warn("cannot fork: %s", strerror(errno));
        gw_roster_started(&p->roster, (unsigned)place, pid, now, draw());
    }
}

static int serve(const struct parent *p, const struct gw_handler *handler,
                 const struct gw_upper *upper)
{
    struct gw_family family = {.board = p->board,
                               .self = (unsigned)p->self,
                               .port = p->ports.port,
                               .admin_port = p->admin_ports.n ? p->admin_ports.port : -1,
                               .inbox = p->inboxes[p->self]};
    memcpy(family.outboxes, p->outboxes, sizeof(family.outboxes));
    return gw_server_serve(p->cfg, p->args, p->name, handler, upper, &family);
}

/* ---- what happens */

static void log_whole(const struct parent *p)
{
    struct log_line l;
    if (p->admin_ports.n) {
        log_begin(&l, LOG_INFO, "admin listening");
        log_kv_u64(&l, "port", (uint64_t)p->admin_ports.port);
        log_end(&l);
    }
    log_begin(&l, LOG_INFO, "listening");
    log_kv_u64(&l, "port", (uint64_t)p->ports.port);
    log_kv_c(&l, "path", p->cfg->gateway_path);
    log_kv_c(&l, "auth", p->cfg->auth_mode);
    log_kv_u64(&l, "processes", p->roster.n);
    log_end(&l);
}

static void see_who_is_up(struct parent *p)
{
    for (unsigned i = 0; i < p->roster.n; i++)
        if (atomic_load(&p->board->processes[i].pid) == p->roster.places[i].pid)
            gw_roster_up(&p->roster, i, now_mono_ms());
    if (p->was_whole || !gw_roster_all_up(&p->roster)) return;
    p->was_whole = true;
    log_whole(p);
}

static void pass_on(const struct parent *p, int signo)
{
    for (unsigned i = 0; i < p->roster.n; i++)
        if (p->roster.places[i].state != GW_ROSTER_IDLE) kill(p->roster.places[i].pid, signo);
}

static void log_end_of(const struct parent *p, unsigned place, pid_t pid, int status,
                       enum gw_roster_end end)
{
    struct log_line l;
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    log_begin(&l, clean ? LOG_INFO : LOG_ERROR, "process ended");
    log_kv_u64(&l, "place", place + 1);
    log_kv_u64(&l, "pid", (uint64_t)pid);
    if (WIFSIGNALED(status))
        log_kv_u64(&l, "signal", (uint64_t)WTERMSIG(status));
    else
        log_kv_u64(&l, "status", (uint64_t)WEXITSTATUS(status));
    if (end == GW_ROSTER_AGAIN) {
        uint64_t at = p->roster.places[place].start_at, now = now_mono_ms();
        log_kv_u64(&l, "again_in_ms", at > now ? at - now : 0);
    }
    log_end(&l);
}

static void end_all(struct parent *p, int signo, unsigned stops)
{
    atomic_store(&p->board->stops, stops);
    gw_roster_stop(&p->roster);
    pass_on(p, signo);
}

static void reap(struct parent *p)
{
    int status;
    pid_t pid;
    see_who_is_up(p); /* who was up and ended at once has been up */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        unsigned place;
        enum gw_roster_end end =
            gw_roster_ended(&p->roster, pid, status, now_mono_ms(), draw(), &place);
        if (end == GW_ROSTER_STRANGER) continue; /* as process 1 of a container one gets orphans */
        gw_siblings_bury(p->board, place);
        gw_handover_clear(p->inboxes[place]);
        log_end_of(p, place, pid, status, end);
        if (end == GW_ROSTER_AGAIN) atomic_fetch_add(&p->board->restarts, 1);
        if (end == GW_ROSTER_GIVE_UP) end_all(p, SIGTERM, 2);
    }
}

static void reload(struct parent *p)
{
    if (!p->args) return;
    if (gw_reload_cfg(p->cfg, p->args))
        pass_on(p, SIGHUP);
    else
        atomic_fetch_add(&p->board->reloads_refused, 1);
}

static void stop(struct parent *p, int signo)
{
    bool again = p->roster.stopping;
    log_info("signal %d: %s", signo, again ? "ending at once" : "stopping");
    end_all(p, signo, again ? 2 : 1);
}

static void on_signal(struct parent *p, int signo)
{
    switch (signo) {
    case SIGTERM:
    case SIGINT: stop(p, signo); break;
    case SIGHUP: reload(p); break;
    case SIGCHLD: reap(p); break;
    case SIGUSR1: see_who_is_up(p); break;
    default: break;
    }
}

/* Until a signal comes or somebody is due. */
static int wait_for_signal(const struct parent *p, const sigset_t *set)
{
    uint64_t at = gw_roster_next(&p->roster), now = now_mono_ms();
    uint64_t ms = at > now ? at - now : 0;
    struct timespec limit = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    return sigtimedwait(set, NULL, at == GW_ROSTER_NEVER ? NULL : &limit);
}

int gw_parent_run(struct cfg *cfg, const struct program_args *args, const char *name,
                  const struct gw_handler *handler, const struct gw_upper *upper, unsigned n)
{
    struct parent p = {.cfg = cfg, .args = args, .name = name, .self = -1};
    struct cfg_error err;
    sigset_t set;
    int status = 1;
    if (!prepare(&p, n, &err)) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        clean_up(&p);
        return status;
    }
    p.board->parent = getpid();
    p.board->started_s = now_wall_s();
    gw_roster_init(&p.roster, n);
    log_set_process("parent");
    signal(SIGPIPE, SIG_IGN);
    signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    while (!gw_roster_is_over(&p.roster)) {
        if (start_due(&p)) {
            status = serve(&p, handler, upper);
            clean_up(&p);
            return status;
        }
        on_signal(&p, wait_for_signal(&p, &set));
    }
    clean_up(&p);
    log_info("stopped");
    return p.roster.failed ? 1 : 0;
}
