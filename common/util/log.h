/* Log lines in logfmt on stderr, one write a line; the supervisor stores them.
 *
 * debug: per message, off by default. info: what a peer did or suffered. warn: the environment is
 * wrong, once per change. error: an operation failed for good. fatal: cannot start, exit 1.
 * panic: we are wrong, abort. Tokens, query strings and payloads never go in: callers pass ids,
 * reasons and numbers. Values are escaped here, so a peer's text cannot forge a line. */
#ifndef PEAL_UTIL_LOG_H
#define PEAL_UTIL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "util/str_view.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL, LOG_PANIC };

struct log_line {
    char text[1024]; /* longer lines are cut, with "…" */
    size_t n;
    enum log_level level;
};

/* "debug" … "error". False if the word is unknown. */
bool log_level_from(struct str_view word, enum log_level *out);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
/* Names this process in each of its lines (process=2), where several share one stderr. Copied; "":
 * not named. */
void log_set_process(const char *name);

/* A line piece by piece: begin, any number of kv, end. Free of cost if the level is off. */
void log_begin(struct log_line *l, enum log_level level, const char *msg);
void log_kv(struct log_line *l, const char *key, struct str_view value);
void log_kv_c(struct log_line *l, const char *key, const char *value);
void log_kv_u64(struct log_line *l, const char *key, uint64_t value);
void log_end(struct log_line *l);

/* A line that is only a message. */
#define log_debug(...) log_printf(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_printf(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_printf(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_printf(LOG_ERROR, __VA_ARGS__)
void log_printf(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Start-up cannot go on: prints and exits with status 1. */
void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
