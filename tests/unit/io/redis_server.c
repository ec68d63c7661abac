/* System */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Tests */
#include "unit/io/redis_server.h"

#define MAX_ARGS 64
#define START_MS 20000

bool redis_server_is_there(void)
{
    char folders[4096], path[4200];
    const char *set = getenv("PATH");
    snprintf(folders, sizeof(folders), "%s:/usr/bin:/usr/sbin", set ? set : "");
    for (char *rest = folders, *folder; (folder = strsep(&rest, ":")) != NULL;) {
        snprintf(path, sizeof(path), "%s/redis-server", folder);
        if (access(path, X_OK) == 0) return true;
    }
    return false;
}

unsigned redis_server_free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &n), 0);
    close(fd);
    return ntohs(addr.sin_port);
}

void redis_server_make_folder(struct redis_server *s)
{
    const char *folder = getenv("TMPDIR");
    if (s->folder[0]) return;
    snprintf(s->folder, sizeof(s->folder), "%s/peal-redis-XXXXXX",
             folder && *folder ? folder : P_tmpdir);
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof(s->path), "%s/redis.sock", s->folder);
    s->port = redis_server_free_port();
}

/* Reads what it prints until the words are there. */
static void wait_for(struct redis_server *s, const char *words)
{
    char text[16384];
    size_t n = 0;
    while (n < sizeof(text) - 1) {
        struct pollfd p = {.fd = s->log, .events = POLLIN};
        int ready = poll(&p, 1, START_MS);
        ssize_t got = ready == 1 ? read(s->log, text + n, sizeof(text) - 1 - n) : -1;
        if (got <= 0) break;
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, words)) return;
    }
    text[n] = '\0';
    fail_msg("redis-server did not start:\n%s", text);
}

static void run(struct redis_server *s, const char *const *args)
{
    char *argv[MAX_ARGS] = {NULL};
    int ends[2];
    size_t n = 0;
    for (; args[n]; n++) {
        assert_true(n < MAX_ARGS - 1);
        argv[n] = (char *)(uintptr_t)args[n];
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    s->log = ends[0];
}

void redis_server_start(struct redis_server *s, const char *const *more)
{
    char port[16];
    redis_server_make_folder(s);
    snprintf(port, sizeof(port), "%u", s->port);
    const char *args[MAX_ARGS] = {
        "redis-server", "--port",      port,      "--bind", "127.0.0.1", "--unixsocket",
        s->path,        "--dir",       s->folder, "--save", "",          "--appendonly",
        "no",           "--daemonize", "no",
    };
    size_t n = 15;
    for (; more && *more && n < MAX_ARGS - 1; more++)
        args[n++] = *more;
    run(s, args);
    wait_for(s, "eady to accept connections");
}

void redis_server_start_sentinel(struct redis_server *s, unsigned master_port)
{
    char path[REDIS_SERVER_PATH + 16];
    redis_server_make_folder(s);
    snprintf(path, sizeof(path), "%s/sentinel.conf", s->folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f,
            "port %u\nbind 127.0.0.1\ndir %s\nsentinel monitor mymaster 127.0.0.1 %u 1\n"
            "sentinel down-after-milliseconds mymaster 300\n"
            "sentinel failover-timeout mymaster 2000\n",
            s->port, s->folder, master_port);
    fclose(f);
    const char *const args[] = {"redis-server", path, "--sentinel", NULL};
    run(s, args);
    wait_for(s, "+monitor master");
}

void redis_server_signal(const struct redis_server *s, int signo)
{
    assert_true(s->pid > 0);
    assert_int_equal(kill(s->pid, signo), 0);
}

void redis_server_stop(struct redis_server *s)
{
    if (s->pid <= 0) return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    close(s->log);
    s->pid = 0;
}

void redis_server_remove(struct redis_server *s)
{
    char path[512];
    redis_server_stop(s);
    DIR *folder = s->folder[0] ? opendir(s->folder) : NULL;
    if (!folder) return;
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", s->folder, e->d_name);
        unlink(path);
    }
    closedir(folder);
    rmdir(s->folder);
    s->folder[0] = '\0';
}
