/* Design notes
 *
 * A reserved socket is bound without SO_REUSEPORT: with it a second gateway of the same user would
 * get the same port and nobody would be told. Those that share bind beside it because both have
 * SO_REUSEADDR and it does not listen; the kernel chooses no such port for anybody else. */

/* System */
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Cluster */
#include "cluster/cfg_row.h"
/* Io */
#include "io/listen_set.h"

#define BACKLOG 4096

enum how { ALONE, RESERVE, SHARE };

static int bind_one(const struct addrinfo *a, int port, enum how how)
{
    struct sockaddr_storage s;
    int one = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    memcpy(&s, a->ai_addr, a->ai_addrlen);
    if (a->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)&s)->sin6_port = htons((uint16_t)port);
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    } else {
        ((struct sockaddr_in *)&s)->sin_port = htons((uint16_t)port);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (how == SHARE) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&s, a->ai_addrlen) || (how != RESERVE && listen(fd, BACKLOG))) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage s;
    socklen_t n = sizeof(s);
    if (getsockname(fd, (struct sockaddr *)&s, &n)) return 0;
    return ntohs(s.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&s)->sin6_port
                                         : ((struct sockaddr_in *)&s)->sin_port);
}

static void explain(struct cfg_error *err, const char *section, const char *host, int port, int e)
{
    char key[CFG_NAME_MAX], env[CFG_NAME_MAX];
    if (e != EADDRINUSE) {
        cfg_row_error(err, "%s.host: cannot listen on \"%s\" port %d: %s", section, host, port,
                      strerror(e));
        return;
    }
    snprintf(key, sizeof(key), "%s.port", section);
    const struct cfg_row *row = cfg_row_find(sv_of(key));
    assert(row);
    cfg_row_env(row, env);
    cfg_row_error(err, "%s: %d is in use by another program (on %s); choose another with %s or %s",
                  key, port, host, key, env);
}

/* One numeric address or interface name. A machine without IPv6 is no error where the address was
 * not asked for by name. */
static bool listen_on(struct listen_set *s, const char *section, const char *host, enum how how,
                      bool optional, struct cfg_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int e = getaddrinfo(host, "0", &hints, &list);
    if (e) return cfg_row_error(err, "%s.host: \"%s\": %s", section, host, gai_strerror(e));
    bool good = true;
    for (struct addrinfo *a = list; a && good && s->n < LISTEN_SET_MAX; a = a->ai_next) {
        int fd = bind_one(a, s->port, how);
        if (fd < 0) {
            good = optional && errno != EADDRINUSE;
            if (!good) explain(err, section, host, s->port, errno);
            continue;
        }
        if (!s->port) s->port = port_of(fd);
        s->fds[s->n++] = fd;
    }
    freeaddrinfo(list);
    return good;
}

static bool listen_on_word(struct listen_set *s, const char *section, const char *word,
                           enum how how, struct cfg_error *err)
{
    if (strcmp(word, "*") == 0)
        return listen_on(s, section, "0.0.0.0", how, false, err) &&
               listen_on(s, section, "::", how, true, err);
    if (strcmp(word, "localhost") == 0)
        return listen_on(s, section, "127.0.0.1", how, false, err) &&
               listen_on(s, section, "::1", how, true, err);
    return listen_on(s, section, word, how, false, err);
}

static bool open_set(struct listen_set *s, const char *section, const struct cfg_list *hosts,
                     int port, enum how how, struct cfg_error *err)
{
    *s = (struct listen_set){.port = port};
    bool good = true;
    for (size_t i = 0; good && i < hosts->n; i++)
        good = listen_on_word(s, section, hosts->v[i], how, err);
    if (good && !s->n) good = cfg_row_error(err, "%s.host: no address to listen on", section);
    if (!good) listen_set_close(s);
    return good;
}

bool listen_set_open(struct listen_set *s, const char *section, const struct cfg_list *hosts,
                     int port, struct cfg_error *err)
{
    return open_set(s, section, hosts, port, ALONE, err);
}

bool listen_set_reserve(struct listen_set *s, const char *section, const struct cfg_list *hosts,
                        int port, struct cfg_error *err)
{
    return open_set(s, section, hosts, port, RESERVE, err);
}

bool listen_set_share(struct listen_set *s, const char *section, const struct cfg_list *hosts,
                      int port, struct cfg_error *err)
{
    return open_set(s, section, hosts, port, SHARE, err);
}

void listen_set_close(struct listen_set *s)
{
    while (s->n)
        close(s->fds[--s->n]);
}
