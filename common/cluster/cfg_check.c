/* Rules that one row of the table cannot say: the shape of texts, and keys that exclude each other.
 *
 * Table bounds are not repeated here. What passed here need not be checked again by those who use
 * it: a path ends in '/', a cookie name can stand in a header, a route has a target. */
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_names.h"
#include "cluster/cfg.h"
#include "cluster/cfg_row.h"
#include "cluster/redis_target.h"

static bool refuse(struct cfg_error *err, const char *key, const char *value, const char *rule)
{
    int shown = cfg_row_cut(sv_of(value));
    return cfg_row_error(err, "%s: \"%.*s%s\" is not allowed: %s", key, shown, value,
                         value[shown] ? "…" : "", rule);
}

static bool check_path(struct cfg *c, struct cfg_error *err)
{
    char *path = c->gateway_path;
    if (path[0] != '/' || strpbrk(path, "?# "))
        return refuse(err, "gateway.path", path,
                      "a path that begins with \"/\", without \"?\", \"#\" and spaces");
    if (path[strlen(path) - 1] == '/') return true;
    c->gateway_path = x_asprintf("%s/", path);
    x_free(path);
    return true;
}

static bool check_transports(const struct cfg_list *l, struct cfg_error *err)
{
    static const char key[] = "engine.transports";
    size_t seen[2] = {0};
    if (l->n == 0) return cfg_row_error(err, "%s: at least one transport is needed", key);
    for (size_t i = 0; i < l->n; i++) {
        bool is_polling = strcmp(l->v[i], "polling") == 0;
        if (!is_polling && strcmp(l->v[i], "websocket") != 0)
            return refuse(err, key, l->v[i], "transports are polling and websocket");
        if (seen[is_polling]++) return refuse(err, key, l->v[i], "it stands there twice");
    }
    return true;
}

static bool check_namespaces(const struct cfg_list *l, struct cfg_error *err)
{
    static const char key[] = "socketio.namespaces";
    if (l->n == 0) return cfg_row_error(err, "%s: at least one namespace is needed", key);
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i][0] != '/') return refuse(err, key, l->v[i], "a namespace begins with \"/\"");
    return true;
}

static bool route_target_is_known(const char *target)
{
    static const char *const targets[] = {"all", "others", "room", "worker", "none"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        if (strcmp(target, targets[i]) == 0) return true;
    return false;
}

/* [/namespace ]event=target; an event may hold '=' and spaces, so the last '=' counts. Behind
 * it no space can be left, so a space found ends a namespace. */
static bool check_route(const char *route, struct cfg_error *err)
{
    static const char key[] = "routes.events";
    const char *equals = strrchr(route, '='), *event = route;
    if (!equals)
        return refuse(err, key, route, "write event=target or \"/namespace event=target\"");
    if (!route_target_is_known(equals + 1))
        return refuse(err, key, route, "targets are all, others, room, worker and none");
    if (route[0] == '/') {
        const char *space = strchr(route, ' ');
        if (!space) return refuse(err, key, route, "behind a namespace come a space and the event");
        event = space + 1;
    }
    if (event == equals) return refuse(err, key, route, "it names no event");
    return true;
}

static bool check_routes(const struct cfg_list *l, struct cfg_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (!check_route(l->v[i], err)) return false;
    return true;
}

static bool check_patterns(const char *key, const struct cfg_list *l, struct cfg_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (!strchr("/*?", l->v[i][0]))
            return refuse(err, key, l->v[i], "a namespace begins with \"/\"");
    return true;
}

static bool check_cors(const struct cfg *c, struct cfg_error *err)
{
    for (size_t i = 0; i < c->cors_origins.n; i++) {
        const char *origin = c->cors_origins.v[i];
        if (strcmp(origin, "*") != 0 && !strstr(origin, "://"))
            return refuse(err, "cors.origins", origin,
                          "an origin is * or written like https://example.com");
    }
    if (c->cors_credentials && cfg_list_has(&c->cors_origins, SV("*")))
        return cfg_row_error(err,
                             "cors.credentials: browsers refuse credentials from a server that "
                             "allows any origin: name the origins in cors.origins instead of *");
    return true;
}

/* The token of RFC 6265 (that is, of RFC 2616). */
static bool is_token(const char *s)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "!#$%&'*+-.^_`|~";
    return s[strspn(s, alphabet)] == '\0';
}

static bool check_cookie(const char *key, const char *name, struct cfg_error *err)
{
    return is_token(name) ||
           refuse(err, key, name, "a cookie name has letters, digits and !#$%&'*+-.^_`|~ only");
}

static bool check_secret(const struct cfg *c, struct cfg_error *err)
{
    if (c->auth_secret[0] == '\0' || c->auth_secret_file[0] == '\0') return true;
    return cfg_row_error(err, "auth.secret: auth.secret_file is set, too: one of them only");
}

#define KEY_MIN 16 /* bytes of keys that programs have, not people */

/* A key, or the file that holds it. */
static bool check_key(const char *name, const char *key, const char *file, struct cfg_error *err)
{
    if (key[0] && file[0])
        return cfg_row_error(err, "%s: %s_file is set, too: one of them only", name, name);
    if (key[0] && strlen(key) < KEY_MIN)
        return cfg_row_error(err, "%s: has %zu bytes: at least %d are needed", name, strlen(key),
                             KEY_MIN);
    return true;
}

static bool check_keys(const struct cfg *c, struct cfg_error *err)
{
    return check_key("worker.http_secret", c->worker_http_secret, c->worker_http_secret_file,
                     err) &&
           check_key("admin.api_key", c->admin_api_key, c->admin_api_key_file, err);
}

/* --- redis, bus */

static bool check_sentinels(const struct cfg *c, const struct redis_target *t,
                            struct cfg_error *err)
{
    for (size_t i = 0; i < c->redis_sentinels.n; i++) {
        const char *word = c->redis_sentinels.v[i];
        char *host;
        unsigned port;
        if (strchr(word, '@') ||
            !redis_target_host_port(sv_of(word), REDIS_TARGET_SENTINEL_PORT, &host, &port))
            return cfg_row_error(err, "redis.sentinels: each is written host:port, and holds no "
                                      "user and no password");
        bool has_host = host[0] != '\0';
        x_free(host);
        if (!has_host) return refuse(err, "redis.sentinels", word, "it names no host");
    }
    if (c->redis_sentinels.n && t->path)
        return cfg_row_error(err, "redis.sentinels: a master cannot be found by Sentinels if "
                                  "redis.url is unix://");
    if (c->redis_sentinels.n && !c->redis_sentinel_master[0])
        return cfg_row_error(err, "redis.sentinel_master: the Sentinels are asked for a name");
    return true;
}

static bool check_redis_tls(const struct cfg *c, bool has_tls, struct cfg_error *err)
{
    const struct {
        const char *key, *value;
    } files[] = {
        {"redis.tls_ca", c->redis_tls_ca},
        {"redis.tls_cert", c->redis_tls_cert},
        {"redis.tls_key", c->redis_tls_key},
        {"redis.tls_name", c->redis_tls_name},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (files[i].value[0] && !has_tls)
            return cfg_row_error(err, "%s: it is for a redis.url that begins with rediss://",
                                 files[i].key);
    if (strlen(c->redis_tls_name) > REDIS_TARGET_MAX_HOST)
        return cfg_row_error(err, "redis.tls_name: it is longer than host names are");
    if (!c->redis_tls_cert[0] != !c->redis_tls_key[0])
        return cfg_row_error(err, "redis.tls_cert: redis.tls_cert and redis.tls_key go together");
    return true;
}

static bool check_redis(const struct cfg *c, struct cfg_error *err)
{
    struct redis_target t = {0};
    if (c->redis_password[0] && c->redis_password_file[0])
        return cfg_row_error(err,
                             "redis.password: redis.password_file is set, too: one of them only");
    if (c->redis_backoff_min > c->redis_backoff_max)
        return cfg_row_error(err, "redis.backoff_min: it must not be more than redis.backoff_max");
    if (c->redis_url[0] && !redis_target_parse(&t, c->redis_url, err)) return false;
    bool ok = check_sentinels(c, &t, err) && check_redis_tls(c, t.tls, err);
    if (ok && c->redis_sentinels.n && !c->redis_url[0])
        ok = cfg_row_error(err, "redis.sentinels: redis.url must be set, too: redis:// is enough");
    if (ok && c->redis_url[0] && !t.path && !t.host[0] && !c->redis_sentinels.n)
        ok = cfg_row_error(err, "redis.url: it names no host");
    redis_target_fini(&t);
    return ok;
}

static bool check_bus(const struct cfg *c, struct cfg_error *err)
{
    size_t key = strlen(c->bus_key);
    if (!key || key > BUS_KEY_MAX) return refuse(err, "bus.key", c->bus_key, "1 to 256 bytes");
    if (c->bus_canary_timeout <= c->bus_canary_interval)
        return cfg_row_error(err, "bus.canary_timeout: it must be more than bus.canary_interval");
    if (c->bus_heartbeat_timeout <= c->bus_heartbeat_interval)
        return cfg_row_error(err,
                             "bus.heartbeat_timeout: it must be more than bus.heartbeat_interval");
    return true;
}

/* Not even 0 on a machine with one core: what is allowed must not depend on the machine. */
static bool check_processes(const struct cfg *c, struct cfg_error *err)
{
    if (c->gateway_processes == 1 || cfg_has_redis(c)) return true;
    return cfg_row_error(
        err,
        "gateway.processes: %lld is not allowed: several processes need redis.url, "
        "by which their clients hear each other; without it 1",
        (long long)c->gateway_processes);
}

bool cfg_check(struct cfg *c, struct cfg_error *err)
{
    return check_path(c, err) && check_transports(&c->engine_transports, err) &&
           check_cookie("engine.cookie", c->engine_cookie, err) &&
           check_namespaces(&c->socketio_namespaces, err) && check_cors(c, err) &&
           check_secret(c, err) && check_cookie("auth.cookie", c->auth_cookie, err) &&
           check_routes(&c->routes_events, err) &&
           check_patterns("routes.lifecycle", &c->routes_lifecycle, err) &&
           check_patterns("routes.ask_connect", &c->routes_ask_connect, err) &&
           check_redis(c, err) && check_bus(c, err) && check_processes(c, err) &&
           check_keys(c, err);
}
