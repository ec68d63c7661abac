/* evdns_getaddrinfo() may call back at once (hosts file) or later, and calls back even behind a
 * cancel, in the loop; the resolver may be freed only behind that. So an answer is kept and told by
 * `tell`, an event made active by hand, and a lookup that was given up stays until the resolver has
 * called. Each lookup has a resolver of its own: it reads resolv.conf and hosts as they are now. */
/* System */
#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/un.h>
/* Third party */
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* Io */
#include "io/redis_lookup.h"

struct redis_lookup {
    struct evdns_base *dns;
    struct evdns_getaddrinfo_request *request; /* NULL: the resolver has called, or was not asked */
    struct event *tell;
    bool is_orphan; /* nobody waits for it any more */
    char *host;
    unsigned port;
    struct redis_place places[REDIS_FIND_MAX];
    size_t n;
    char why[160];
    redis_lookup_cb cb;
    void *arg;
};

bool redis_place_numeric(struct redis_place *p, const char *host, unsigned port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char service[16];
    *p = (struct redis_place){.addr_len = 0};
    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) return false; /* asks nobody: numeric */
    memcpy(&p->addr, found->ai_addr, found->ai_addrlen);
    p->addr_len = found->ai_addrlen;
    freeaddrinfo(found);
    snprintf(p->host, sizeof(p->host), "%s", host);
    bool is_v6 = p->addr.ss_family == AF_INET6;
    snprintf(p->where, sizeof(p->where), is_v6 ? "[%s]:%u" : "%s:%u", host, port);
    return true;
}

void redis_place_unix(struct redis_place *p, const char *path)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&p->addr;
    size_t n = strlen(path);
    *p = (struct redis_place){.addr_len = sizeof(*un)};
    assert(n < sizeof(un->sun_path));
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, n + 1);
    snprintf(p->where, sizeof(p->where), "unix:%s", path);
}

static void reap(struct redis_lookup *l)
{
    event_free(l->tell);
    if (l->dns) evdns_base_free(l->dns, 0);
    x_free(l->host);
    x_free(l);
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
    struct redis_lookup *l = arg;
    (void)fd;
    (void)what;
    if (l->is_orphan)
        reap(l);
    else
        l->cb(l->arg, l->places, l->n, l->why);
}

static void add_place(struct redis_lookup *l, const struct sockaddr *addr, socklen_t n)
{
    char text[INET6_ADDRSTRLEN + 32];
    struct redis_place *p = &l->places[l->n];
    if (l->n == REDIS_FIND_MAX || n > sizeof(p->addr)) return;
    if (getnameinfo(addr, n, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0) return;
    memcpy(&p->addr, addr, n);
    p->addr_len = n;
    snprintf(p->host, sizeof(p->host), "%s", l->host);
    snprintf(p->where, sizeof(p->where), "%s:%u (%s)", l->host, l->port, text);
    l->n++;
}

static void on_resolved(int result, struct evutil_addrinfo *found, void *arg)
{
    struct redis_lookup *l = arg;
    l->request = NULL;
    for (const struct evutil_addrinfo *a = found; a; a = a->ai_next)
        add_place(l, a->ai_addr, (socklen_t)a->ai_addrlen);
    if (found) evutil_freeaddrinfo(found);
    if (l->n == 0)
        snprintf(l->why, sizeof(l->why), "host \"%.80s\" not found: %s", l->host,
                 result ? evutil_gai_strerror(result) : "it has no address");
    event_active(l->tell, EV_READ, 0);
}

static void on_resolver_log(int is_warning, const char *text)
{
    (void)is_warning;
    log_debug("resolver: %s", text);
}

/* A missing resolv.conf is no mistake: /etc/hosts may know the name. */
static void ask(struct redis_lookup *l, struct event_base *base, const char *server)
{
    static const char *const settings[][2] = {
        {"timeout:", "1"},                  /* seconds for one question to one server */
        {"attempts:", "3"},                 /* then the next server */
        {"getaddrinfo-allow-skew:", "0.3"}, /* one family has come: wait so long for the other */
        {"randomize-case:", "0"},           /* some servers answer in lower case */
    };
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char service[16];
    evdns_set_log_fn(on_resolver_log);
    l->dns = evdns_base_new(base, 0);
    assert(l->dns);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        evdns_base_set_option(l->dns, settings[i][0], settings[i][1]);
    if (server)
        evdns_base_nameserver_ip_add(l->dns, server);
    else
        evdns_base_resolv_conf_parse(l->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    snprintf(service, sizeof(service), "%u", l->port);
    l->request = evdns_getaddrinfo(l->dns, l->host, service, &hints, on_resolved, l);
}

struct redis_lookup *redis_lookup_new(struct event_base *base, const char *host, unsigned port,
                                      const char *server, redis_lookup_cb cb, void *arg)
{
    struct redis_lookup *l = x_calloc(1, sizeof(*l));
    l->host = x_strdup(host);
    l->port = port;
    l->cb = cb;
    l->arg = arg;
    l->tell = event_new(base, -1, 0, on_tell, l);
    assert(l->tell);
    if (redis_place_numeric(&l->places[0], host, port)) {
        l->n = 1;
        event_active(l->tell, EV_READ, 0);
    } else {
        ask(l, base, server);
    }
    return l;
}

void redis_lookup_free(struct redis_lookup *l)
{
    if (!l) return;
    l->is_orphan = true;
    if (l->request)
        evdns_getaddrinfo_cancel(l->request);
    else
        reap(l);
}
