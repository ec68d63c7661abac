/* Cluster */
#include "cluster/cfg_diff.h"
#include "cluster/cfg_row.h"

static const void *field_of(const struct cfg *c, const struct cfg_row *row)
{
    return (const char *)c + row->offset;
}

static size_t size_of(const struct cfg_row *row)
{
    switch (row->type) {
    case CFG_TYPE_INT: return sizeof(int64_t);
    case CFG_TYPE_BOOL: return sizeof(bool);
    case CFG_TYPE_LIST: return sizeof(struct cfg_list);
    case CFG_TYPE_STR:
    case CFG_TYPE_SECRET:
    case CFG_TYPE_ENUM:
    case CFG_TYPE_JSON: break;
    }
    return sizeof(char *);
}

static bool lists_are_equal(const struct cfg_list *a, const struct cfg_list *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0) return false;
    return true;
}

static bool is_equal(const struct cfg_row *row, const struct cfg *a, const struct cfg *b)
{
    const void *x = field_of(a, row), *y = field_of(b, row);
    switch (row->type) {
    case CFG_TYPE_INT: return *(const int64_t *)x == *(const int64_t *)y;
    case CFG_TYPE_BOOL: return *(const bool *)x == *(const bool *)y;
    case CFG_TYPE_LIST: return lists_are_equal(x, y);
    case CFG_TYPE_STR:
    case CFG_TYPE_SECRET:
    case CFG_TYPE_ENUM:
    case CFG_TYPE_JSON: break;
    }
    return strcmp(*(char *const *)x, *(char *const *)y) == 0;
}

size_t cfg_diff_keys(const struct cfg *a, const struct cfg *b, bool reloadable, struct buf *names)
{
    size_t n = 0;
    for (size_t i = 0; i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        if (row->reloadable != reloadable || is_equal(row, a, b)) continue;
        (void)!buf_addf(names, "%s%s", n++ ? ", " : "", row->key);
    }
    return n;
}

void cfg_diff_swap(struct cfg *live, struct cfg *fresh)
{
    char kept[sizeof(struct cfg_list)];
    for (size_t i = 0; i < cfg_row_count; i++) {
        const struct cfg_row *row = &cfg_rows[i];
        if (!row->reloadable || is_equal(row, live, fresh)) continue;
        char *a = (char *)live + row->offset, *b = (char *)fresh + row->offset;
        size_t n = size_of(row);
        memcpy(kept, a, n);
        memcpy(a, b, n);
        memcpy(b, kept, n);
    }
}
