/* Everything is a span of one growing buffer, since that moves as it grows; views are made when all
 * is told. */

/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/collect.h"

#define BYTES_MAX (64u << 20) /* of one question's answers, in all */
#define PARTS_MAX 1000000     /* and as many attachments */
#define NAMES_MAX 4096        /* of who has answered */

void collect_init(struct collect *c)
{
    *c = (struct collect){0};
    buf_init(&c->bytes, BYTES_MAX);
}

void collect_fini(struct collect *c)
{
    x_free(c->parts);
    x_free(c->binary);
    x_free(c->answered);
    x_free(c->asked);
    x_free(c->part_views);
    x_free(c->binary_views);
    x_free(c->binary_of);
    x_free(c->silent);
    buf_fini(&c->bytes);
}

static bool keep(struct collect *c, struct str_view v, size_t *at)
{
    *at = c->bytes.n;
    if (buf_add_sv(&c->bytes, v)) return true;
    c->is_lossy = true;
    return false;
}

static bool keep_binary(struct collect *c, const struct str_view *attachments, unsigned n)
{
    if (c->nbinary + n > c->cap_binary) {
        c->cap_binary += c->nbinary + n;
        c->binary = x_realloc(c->binary, c->cap_binary * sizeof(*c->binary));
    }
    for (unsigned i = 0; i < n; i++) {
        struct collect_span b = {.n = attachments[i].n};
        if (!keep(c, attachments[i], &b.at)) return false;
        c->binary[c->nbinary++] = b;
    }
    return true;
}

void collect_part(struct collect *c, struct str_view json, const struct str_view *attachments,
                  unsigned n)
{
    struct collect_part p = {.n = json.n, .first_binary = c->nbinary, .nbinary = n};
    bool fits = c->nparts < PARTS_MAX && c->nbinary + n <= PARTS_MAX;
    if (!fits) c->is_lossy = true;
    if (!fits || !keep(c, json, &p.at) || (n && !keep_binary(c, attachments, n))) return;
    if (c->nparts == c->cap_parts) {
        c->cap_parts = c->cap_parts ? c->cap_parts * 2 : 8;
        c->parts = x_realloc(c->parts, c->cap_parts * sizeof(*c->parts));
    }
    c->parts[c->nparts++] = p;
}

/* ---- who */

static struct str_view view_of(const struct collect *c, struct collect_span s)
{
    return sv_make(c->bytes.p + s.at, s.n);
}

static bool has_answered(const struct collect *c, struct str_view name)
{
    for (size_t i = 0; i < c->nanswered; i++)
        if (sv_eq(view_of(c, c->answered[i]), name)) return true;
    return false;
}

void collect_asked(struct collect *c, const struct bus_node *nodes, size_t n)
{
    c->asked = x_calloc(n + 1, sizeof(*c->asked));
    for (size_t i = 0; i < n; i++) {
        struct collect_span s = {.n = nodes[i].id.n};
        if (keep(c, nodes[i].id, &s.at)) c->asked[c->nasked++] = s;
    }
}

bool collect_answered(struct collect *c, struct str_view name)
{
    struct collect_span s = {.n = name.n};
    if (!name.n) return true;
    if (has_answered(c, name)) return false;
    if (c->nanswered >= NAMES_MAX || !keep(c, name, &s.at)) return true;
    c->answered = x_realloc(c->answered, (c->nanswered + 1) * sizeof(*c->answered));
    c->answered[c->nanswered++] = s;
    return true;
}

/* Gateways that were asked and have not answered. Returns how many; out has room. */
static size_t find_silent(const struct collect *c, struct str_view *out, size_t room)
{
    size_t found = 0;
    for (size_t i = 0; i < c->nasked && found < room; i++) {
        struct str_view id = view_of(c, c->asked[i]);
        if (!has_answered(c, id)) out[found++] = id;
    }
    return found;
}

/* ---- telling */

struct answers collect_tell(struct collect *c, size_t missing)
{
    size_t named = missing < c->nasked ? missing : c->nasked; /* missing is what Redis says */
    c->part_views = x_calloc(c->nparts + 1, sizeof(*c->part_views));
    c->binary_views = x_calloc(c->nbinary + 1, sizeof(*c->binary_views));
    c->binary_of = x_calloc(c->nparts + 1, sizeof(*c->binary_of));
    c->silent = x_calloc(named + 1, sizeof(*c->silent));
    for (size_t i = 0; i < c->nbinary; i++)
        c->binary_views[i] = view_of(c, c->binary[i]);
    for (size_t i = 0; i < c->nparts; i++) {
        const struct collect_part *p = &c->parts[i];
        c->part_views[i] = sv_make(c->bytes.p + p->at, p->n);
        c->binary_of[i] = (struct answers_binary){c->binary_views + p->first_binary, p->nbinary};
    }
    struct answers a = {.parts = c->part_views,
                        .nparts = c->nparts,
                        .binary = c->binary_of,
                        .silent = c->silent,
                        .nsilent = find_silent(c, c->silent, named)};
    a.nunnamed = missing - a.nsilent;
    return a;
}
