/* A URL is taken apart from the outside in: scheme, query, authority and path, the user's part at the
 * authority's last '@'. Nothing of it is ever printed. */
/* System */
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg_row.h"
#include "cluster/cfg_secret.h"
#include "cluster/redis_target.h"

#define MAX_DB 999999u
#define MAX_PATH 107u /* of sockaddr_un, without the NUL */
#define MAX_PASSWORD 4096u

static bool refuse(struct cfg_error *err, const char *what)
{
    return cfg_row_error(err,
                         "redis.url: %s; it is written redis://[user:password@]host[:port][/db], "
                         "rediss://… for TLS, or unix:///path[?db=N]",
                         what);
}

/* Digits only, at most max. */
static bool read_number(struct str_view text, unsigned max, unsigned *out)
{
    unsigned v = 0;
    if (text.n == 0 || text.n > 9) return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return false;
        v = v * 10 + (unsigned)(text.p[i] - '0');
    }
    *out = v;
    return v <= max;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Gives: x_free. NULL: bad %XX, or a NUL. */
static char *percent_decoded(struct str_view text)
{
    char *out = x_malloc(text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int c = (unsigned char)text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
            int low = i + 2 < text.n ? hex_digit(text.p[i + 2]) : -1;
            c = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (c == 0) {
            x_free_secret(out, n);
            return NULL;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return out;
}

static bool is_host(struct str_view host, const char *more)
{
    if (host.n > REDIS_TARGET_MAX_HOST) return false;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(more, c))) return false;
    }
    return true;
}

bool redis_target_host_port(struct str_view text, unsigned default_port, char **host,
                            unsigned *port)
{
    struct str_view name = text, rest;
    if (text.n && text.p[0] == '[') {
        size_t end = sv_find(text, ']');
        if (end == text.n || end == 1) return false;
        name = sv_make(text.p + 1, end - 1);
        rest = sv_skip(text, end + 1);
        if (sv_find(name, ':') == name.n || !is_host(name, ":.%")) return false;
    } else {
        name.n = sv_find(text, ':');
        rest = sv_skip(text, name.n);
        if (!is_host(name, "._-")) return false;
    }
    *port = default_port;
    if (rest.n && (rest.p[0] != ':' || !read_number(sv_skip(rest, 1), 65535, port) || *port == 0))
        return false;
    *host = x_memdup(name.p, name.n);
    return true;
}

bool redis_target_place(struct str_view host_text, struct str_view port_text, char **host,
                        unsigned *port)
{
    if (host_text.n == 0 || !is_host(host_text, "._-:%")) return false;
    if (!read_number(port_text, 65535, port) || *port == 0) return false;
    *host = x_memdup(host_text.p, host_text.n);
    return true;
}

/* user:password, :password, or user alone. */
static bool read_user(struct redis_target *t, struct str_view text, struct cfg_error *err)
{
    struct str_view user = sv_make(text.p, sv_find(text, ':'));
    if (user.n) {
        t->user = percent_decoded(user);
        if (!t->user) return refuse(err, "the user has a \"%\" without two hex digits behind it");
    }
    if (user.n == text.n) return true;
    t->password = percent_decoded(sv_skip(text, user.n + 1));
    return t->password || refuse(err, "the password has a \"%\" without two hex digits behind it");
}

/* Behind the scheme: [user@]host[:port] and what is left of it. */
static bool read_authority(struct redis_target *t, struct str_view *url, bool has_host,
                           struct cfg_error *err)
{
    struct str_view authority = sv_make(url->p, sv_find(*url, '/'));
    *url = sv_skip(*url, authority.n);
    size_t at = authority.n;
    while (at && authority.p[at - 1] != '@')
        at--;
    if (at && !read_user(t, sv_make(authority.p, at - 1), err)) return false;
    struct str_view place = sv_skip(authority, at);
    if (!has_host)
        return place.n == 0 || refuse(err, "the path of a socket begins with three slashes");
    return redis_target_host_port(place, REDIS_TARGET_PORT, &t->host, &t->port) ||
           refuse(err, "host and port are not readable");
}

static bool read_unix(struct redis_target *t, struct str_view rest, struct cfg_error *err)
{
    size_t mark = sv_find(rest, '?');
    struct str_view query = sv_skip(rest, mark);
    rest.n = mark;
    if (!read_authority(t, &rest, false, err)) return false;
    t->path = percent_decoded(rest);
    if (!t->path) return refuse(err, "the path has a \"%\" without two hex digits behind it");
    if (strlen(t->path) < 2 || strlen(t->path) > MAX_PATH)
        return refuse(err, "the path of a socket has 2 to 107 bytes");
    if (query.n == 0) return true;
    return (sv_starts_with(query, SV("?db=")) && read_number(sv_skip(query, 4), MAX_DB, &t->db)) ||
           refuse(err, "behind \"?\" only db and its number may stand");
}

static bool read_tcp(struct redis_target *t, struct str_view rest, struct cfg_error *err)
{
    if (!read_authority(t, &rest, true, err)) return false;
    if (rest.n <= 1) return true;
    return read_number(sv_skip(rest, 1), MAX_DB, &t->db) ||
           refuse(err, "the database behind the host is not a number");
}

bool redis_target_parse(struct redis_target *t, const char *url, struct cfg_error *err)
{
    static const struct str_view tcp = {"redis://", 8}, tls = {"rediss://", 9},
                                 local = {"unix://", 7};
    struct str_view text = sv_of(url);
    bool ok;
    *t = (struct redis_target){.port = REDIS_TARGET_PORT};
    if (sv_starts_with(text, tcp))
        ok = read_tcp(t, sv_skip(text, tcp.n), err);
    else if (sv_starts_with(text, tls))
        ok = (t->tls = true) && read_tcp(t, sv_skip(text, tls.n), err);
    else if (sv_starts_with(text, local))
        ok = read_unix(t, sv_skip(text, local.n), err);
    else
        ok = refuse(err, "the value has no such beginning");
    if (!ok) redis_target_fini(t);
    return ok;
}

static void replace_secret(char **field, struct str_view text)
{
    if (*field) x_free_secret(*field, strlen(*field));
    *field = x_memdup(text.p, text.n);
}

static bool read_password_file(struct redis_target *t, const char *path, struct cfg_error *err)
{
    static const char key[] = "redis.password_file";
    struct buf text;
    bool ok = cfg_secret_read(&text, MAX_PASSWORD, path, key, err);
    bool fits = ok && !memchr(text.p, '\0', text.n);
    if (fits) replace_secret(&t->password, buf_view(&text));
    if (ok && !fits) cfg_row_error(err, "%s: \"%s\": a password has no NUL in it", key, path);
    cfg_secret_wipe(&text);
    return fits;
}

bool redis_target_read(struct redis_target *t, const struct cfg *c, struct cfg_error *err)
{
    if (!redis_target_parse(t, c->redis_url, err)) return false;
    if (c->redis_username[0]) replace_secret(&t->user, sv_of(c->redis_username));
    if (c->redis_password[0]) replace_secret(&t->password, sv_of(c->redis_password));
    if (!c->redis_password_file[0] || read_password_file(t, c->redis_password_file, err))
        return true;
    redis_target_fini(t);
    return false;
}

void redis_target_fini(struct redis_target *t)
{
    char **const secrets[] = {&t->user, &t->password};
    for (size_t i = 0; i < 2; i++)
        if (*secrets[i]) x_free_secret(*secrets[i], strlen(*secrets[i]));
    x_free(t->host);
    x_free(t->path);
    *t = (struct redis_target){0};
}
