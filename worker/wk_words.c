/* System */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
/* Util */
#include "util/x_alloc.h"
/* Worker */
#include "wk_words.h"

#define KEPT (1u << 20) /* bytes of memory that are kept for the next command */

void wk_words_clear(struct wk_words *w)
{
    buf_clear(&w->bytes);
    w->n = 0;
    w->is_full = false;
}

/* What has been appended since `from` is a word. */
static void end(struct wk_words *w, size_t from)
{
    if (w->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        w->v = x_realloc(w->v, w->cap * sizeof(*w->v));
    }
    w->v[w->n++] = (struct wk_word){from, w->bytes.n - from};
}

void wk_words_add(struct wk_words *w, struct str_view word)
{
    size_t from = w->bytes.n;
    w->is_full |= !buf_add_sv(&w->bytes, word);
    end(w, from);
}

void wk_words_addf(struct wk_words *w, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < sizeof(text));
    wk_words_add(w, sv_make(text, (size_t)n));
}

void wk_words_add_name(struct wk_words *w, wk_name_cb name, struct str_view key)
{
    size_t from = w->bytes.n;
    w->is_full |= !name(&w->bytes, key);
    end(w, from);
}

void wk_words_add_part(struct wk_words *w, wk_part_name_cb name, struct str_view key,
                       unsigned partition)
{
    size_t from = w->bytes.n;
    w->is_full |= !name(&w->bytes, key, partition);
    end(w, from);
}

void wk_words_add_node(struct wk_words *w, wk_node_name_cb name, struct str_view key,
                       struct str_view node)
{
    size_t from = w->bytes.n;
    w->is_full |= !name(&w->bytes, key, node);
    end(w, from);
}

size_t wk_words_reserve(struct wk_words *w)
{
    end(w, w->bytes.n);
    return w->n - 1;
}

void wk_words_fill(struct wk_words *w, size_t word, size_t number)
{
    size_t from = w->bytes.n;
    w->is_full |= !buf_addf(&w->bytes, "%zu", number);
    w->v[word] = (struct wk_word){from, w->bytes.n - from};
}

void wk_words_cut(struct wk_words *w, size_t n, size_t bytes)
{
    w->n = n;
    w->bytes.n = bytes;
    w->is_full = false;
}

void wk_words_send(struct wk_words *w, struct redis_link *link, redis_reply_cb cb, void *arg)
{
    assert(!w->is_full);
    struct str_view *argv = x_calloc(w->n, sizeof(*argv));
    for (size_t i = 0; i < w->n; i++)
        argv[i] = sv_make(w->bytes.p ? w->bytes.p + w->v[i].at : "", w->v[i].n);
    redis_link_command(link, cb, arg, w->n, argv);
    x_free(argv);
    if (w->bytes.cap > KEPT) buf_fini(&w->bytes);
}

void wk_words_fini(struct wk_words *w)
{
    buf_fini(&w->bytes);
    x_free(w->v);
}
