/* Design notes
 *
 * - A path is decoded once and refused if any segment is "..", "." or begins with a dot, or if it
 *   holds a backslash or a NUL; the file is then opened segment-safe by openat2(RESOLVE_BENEATH), so
 *   that symbolic links cannot leave the folder either.
 * - The validator is size and modification time; a browser's reload costs a 304. */

/* System */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Gateway */
#include "gw_files.h"

#define MAX_FILE (8u << 20)

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "application/javascript; charset=utf-8"},
    {".mjs", "application/javascript; charset=utf-8"},
    {".map", "application/json; charset=utf-8"},
    {".json", "application/json; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
};

static const char *type_of(struct str_view name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct str_view s = sv_of(types[i].suffix);
        if (name.n >= s.n && sv_eq(sv_skip(name, name.n - s.n), s)) return types[i].type;
    }
    return "application/octet-stream";
}

static void answer(struct gw_http *h, int status, const char *text)
{
    gw_http_reply(h, &(struct gw_reply){.status = status,
                                        .type = SV("text/plain; charset=utf-8"),
                                        .body = sv_of(text)});
}

/* Opens a regular file below dir; -1 if there is none. */
static int open_beneath(const char *dir, const char *name, struct stat *st)
{
    int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) return -1;
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
    close(at);
    if (fd >= 0 && (fstat(fd, st) || !S_ISREG(st->st_mode) || st->st_size > (off_t)MAX_FILE)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool read_all(int fd, struct buf *out, size_t size)
{
    char *to = buf_room(out, size);
    while (to && out->n < size) {
        ssize_t n = read(fd, out->p + out->n, size - out->n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        out->n += (size_t)n;
    }
    return to != NULL;
}

/* True: answered. */
static bool send_file(struct gw_http *h, const struct http_head *head, const char *dir,
                      const char *name)
{
    struct stat st;
    int fd = open_beneath(dir, name, &st);
    if (fd < 0) return false;
    char tag[64], headers[192];
    snprintf(tag, sizeof(tag), "\"%llx-%llx\"", (unsigned long long)st.st_size,
             (unsigned long long)st.st_mtim.tv_sec * 1000000000ull +
                 (unsigned long long)st.st_mtim.tv_nsec);
    int n = snprintf(headers, sizeof(headers),
                     "Cache-Control: public, max-age=0\r\nETag: %s\r\n"
                     "X-Content-Type-Options: nosniff\r\n",
                     tag);
    struct gw_reply r = {
        .status = 200, .type = sv_of(type_of(sv_of(name))), .headers = sv_make(headers, (size_t)n)};
    const struct str_view *have = http_head_get(head, SV("If-None-Match"));
    struct buf body;
    buf_init(&body, MAX_FILE);
    struct str_view weak = have ? *have : SV("");
    if (sv_starts_with(weak, SV("W/"))) weak = sv_skip(weak, 2);
    if (have && sv_eq(weak, sv_of(tag))) {
        r.status = 304;
        r.type = SV("");
    } else if (read_all(fd, &body, (size_t)st.st_size)) {
        r.body = buf_view(&body);
    } else {
        r = (struct gw_reply){.status = 500};
    }
    close(fd);
    gw_http_reply(h, &r);
    buf_fini(&body);
    return true;
}

/* No segment that begins with a dot: neither "..", nor hidden files. */
static bool is_plain_path(struct str_view p)
{
    for (size_t i = 0; i < p.n; i++) {
        if (p.p[i] == '\\' || p.p[i] == '\0') return false;
        if (p.p[i] == '.' && (i == 0 || p.p[i - 1] == '/')) return false;
    }
    return p.n > 0 && p.p[0] != '/';
}

static bool serve_static(struct gw_http *h, const struct http_head *head, const char *dir)
{
    struct buf path;
    buf_init(&path, 1024);
    bool done = false;
    bool good = http_path_decode(sv_skip(head->path, 1), &path) &&
                (path.n == 0 || is_plain_path(buf_view(&path)));
    if (good && (path.n == 0 || path.p[path.n - 1] == '/'))
        good = buf_add_sv(&path, SV("index.html"));
    const char *name = good ? buf_cstr(&path) : NULL;
    if (name) done = send_file(h, head, dir, name);
    buf_fini(&path);
    return done;
}

void gw_files_static(struct gw_http *h, const struct http_head *head)
{
    const char *dir = h->gw->cfg->gateway_static_dir;
    if (head->method != HTTP_GET && head->method != HTTP_HEAD) {
        gw_http_reply(h, &(struct gw_reply){.status = dir[0] ? 405 : 404,
                                            .headers = SV("Allow: GET, HEAD\r\n"),
                                            .type = SV("text/plain; charset=utf-8"),
                                            .body = SV("GET and HEAD only\n")});
        return;
    }
    if (!dir[0] || !serve_static(h, head, dir)) answer(h, 404, "not found\n");
}

bool gw_files_client(struct gw_http *h, const struct http_head *head, struct str_view name)
{
    static const char *const names[] = {
        "socket.io.js",
        "socket.io.js.map",
        "socket.io.min.js",
        "socket.io.min.js.map",
        "socket.io.esm.min.js",
        "socket.io.esm.min.js.map",
        "socket.io.msgpack.min.js",
        "socket.io.msgpack.min.js.map",
    };
    const char *dir = h->gw->cfg->gateway_client_dir;
    if (!dir[0] || (head->method != HTTP_GET && head->method != HTTP_HEAD)) return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!sv_eq(name, sv_of(names[i]))) continue;
        return send_file(h, head, dir, names[i]);
    }
    return false;
}
