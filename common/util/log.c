/* System */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* Util */
#include "util/log.h"

static enum log_level threshold = LOG_INFO;
static char process[16];
static const char *const names[] = {"debug", "info", "warn", "error", "fatal", "panic"};

bool log_level_from(struct str_view word, enum log_level *out)
{
    for (unsigned i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (sv_eq(word, sv_of(names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

void log_set_process(const char *name)
{
    snprintf(process, sizeof(process), "%s", name);
}

bool log_wants(enum log_level level)
{
    return level >= threshold;
}

/* Room is kept for the cut mark and the newline. */
static void put(struct log_line *l, const char *p, size_t n)
{
    size_t room = sizeof(l->text) - 8 - l->n;
    if (n > room) n = room;
    memcpy(l->text + l->n, p, n);
    l->n += n;
}

static bool is_plain(struct str_view v)
{
    if (v.n == 0) return false;
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) return false;
    }
    return true;
}

static void put_value(struct log_line *l, struct str_view v)
{
    if (is_plain(v)) {
        put(l, v.p, v.n);
        return;
    }
    put(l, "\"", 1);
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        char esc[8];
        if (c == '"' || c == '\\') {
            esc[0] = '\\';
            esc[1] = (char)c;
            put(l, esc, 2);
        } else if (c < ' ' || c == 0x7f) {
            put(l, esc, (size_t)snprintf(esc, sizeof(esc), "\\x%02x", c));
        } else {
            put(l, v.p + i, 1);
        }
    }
    put(l, "\"", 1);
}

void log_begin(struct log_line *l, enum log_level level, const char *msg)
{
    l->level = level;
    l->n = 0;
    if (!log_wants(level)) return;
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    char head[80];
    size_t n = strftime(head, sizeof(head), "time=%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(head + n, sizeof(head) - n, ".%03dZ level=%s",
                          (int)(ts.tv_nsec / 1000000), names[level]);
    put(l, head, n);
    if (process[0]) log_kv_c(l, "process", process);
    log_kv_c(l, "msg", msg);
}

void log_kv(struct log_line *l, const char *key, struct str_view value)
{
    if (!log_wants(l->level)) return;
    put(l, " ", l->n ? 1 : 0);
    put(l, key, strlen(key));
    put(l, "=", 1);
    put_value(l, value);
}

void log_kv_c(struct log_line *l, const char *key, const char *value)
{
    log_kv(l, key, sv_of(value));
}

void log_kv_u64(struct log_line *l, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    log_kv_c(l, key, text);
}

void log_end(struct log_line *l)
{
    if (!log_wants(l->level)) return;
    if (l->n >= sizeof(l->text) - 8) {
        memcpy(l->text + l->n, "…", 3);
        l->n += 3;
    }
    l->text[l->n++] = '\n';
    (void)!write(STDERR_FILENO, l->text, l->n);
}

static void vprint(enum log_level level, const char *fmt, va_list ap)
{
    char msg[800];
    struct log_line l;
    vsnprintf(msg, sizeof(msg), fmt, ap);
    log_begin(&l, level, msg);
    log_end(&l);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
    if (!log_wants(level)) return;
    va_list ap;
    va_start(ap, fmt);
    vprint(level, fmt, ap);
    va_end(ap);
}

void log_fatal(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprint(LOG_FATAL, fmt, ap);
    va_end(ap);
    exit(1);
}
