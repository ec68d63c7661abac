/* A command to Redis that is put together word by word, in one piece of memory. Bounded: what does not fit
 * is left out and noted (is_full); such a command is not sent. */
#ifndef PEAL_WK_WORDS_H
#define PEAL_WK_WORDS_H

#include "io/redis_link.h"
#include "util/buf.h"

struct wk_words {
    struct buf bytes; /* its maximum is the owner's to set */
    struct wk_word {
        size_t at, n;
    } * v;
    size_t n, cap;
    bool is_full;
};

void wk_words_clear(struct wk_words *w);
void wk_words_add(struct wk_words *w, struct str_view word);
void wk_words_addf(struct wk_words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Names of bus_names.h. */
typedef bool (*wk_name_cb)(struct buf *out, struct str_view key);
typedef bool (*wk_part_name_cb)(struct buf *out, struct str_view key, unsigned partition);
typedef bool (*wk_node_name_cb)(struct buf *out, struct str_view key, struct str_view node);
void wk_words_add_name(struct wk_words *w, wk_name_cb name, struct str_view key);
void wk_words_add_part(struct wk_words *w, wk_part_name_cb name, struct str_view key,
                       unsigned partition);
void wk_words_add_node(struct wk_words *w, wk_node_name_cb name, struct str_view key,
                       struct str_view node);

/* A word that is a number which is known only when what follows has been added. */
size_t wk_words_reserve(struct wk_words *w);
void wk_words_fill(struct wk_words *w, size_t word, size_t number);
/* Back to n words and so many bytes, which fitted. */
void wk_words_cut(struct wk_words *w, size_t n, size_t bytes);

void wk_words_send(struct wk_words *w, struct redis_link *link, redis_reply_cb cb, void *arg);
void wk_words_fini(struct wk_words *w);

#endif
