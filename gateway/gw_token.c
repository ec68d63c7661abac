/* A browser sends cookies along with requests of any page, and WebSockets are not held back by CORS: a
 * token in a cookie counts only if the page is one of ours. A script is loaded without saying whose
 * page it is for: there it never counts. The other sources are put in by the page itself. */

/* Util */
#include "util/x_alloc.h"
/* Gateway */
#include "gw_auth.h"
#include "gw_token.h"

static char *copy(struct str_view token)
{
    if (token.n > GW_AUTH_TOKEN_MAX) token = SV("malformed"); /* too long to be kept */
    return x_memdup(token.p, token.n);
}

static bool from_header(const struct http_head *head, struct str_view *token)
{
    const struct str_view *v = http_head_get(head, SV("Authorization"));
    struct str_view scheme = SV("Bearer ");
    if (!v || v->n < scheme.n || !sv_eq_nocase(sv_make(v->p, scheme.n), scheme)) return false;
    *token = sv_trim(sv_skip(*v, scheme.n));
    return true;
}

/* No Origin (no browser), the same host as the request's, or one that cors.origins names. "*" is no
 * name. */
static bool is_own_page(const struct cfg *cfg, const struct http_head *head)
{
    const struct str_view *origin = http_head_get(head, SV("Origin"));
    const struct str_view *host = http_head_get(head, SV("Host"));
    if (!origin) return true;
    if (cfg_list_has(&cfg->cors_origins, *origin) && !sv_eq(*origin, SV("*"))) return true;
    struct str_view rest = *origin;
    if (sv_starts_with(rest, SV("https://")))
        rest = sv_skip(rest, 8);
    else if (sv_starts_with(rest, SV("http://")))
        rest = sv_skip(rest, 7);
    else
        return false;
    return host && sv_eq_nocase(rest, *host);
}

/* The value is decoded: a NUL in it would cut what is kept as a C string. */
static char *from_query(const struct http_head *head)
{
    struct buf b;
    bool bad = false;
    buf_init(&b, GW_AUTH_TOKEN_MAX);
    bool there = http_query_get(head->query, SV("token"), &b, &bad);
    if (there && b.n && memchr(b.p, '\0', b.n)) {
        there = false;
        bad = true;
    }
    char *found = there ? copy(buf_view(&b)) : bad ? copy(SV("malformed")) : NULL;
    if (b.p) explicit_bzero(b.p, b.n);
    buf_fini(&b);
    return found;
}

struct gw_token gw_token_take(const struct cfg *cfg, const struct http_head *head, bool is_script)
{
    struct str_view token;
    /* In these modes nobody would verify it, and what is not needed is not kept. */
    if (strcmp(cfg->auth_mode, "none") == 0 || strcmp(cfg->auth_mode, "event") == 0)
        return (struct gw_token){0};
    if (cfg->auth_from_header && from_header(head, &token))
        return (struct gw_token){copy(token), GW_AUTH_FROM_HEADER};
    if (cfg->auth_from_query) {
        char *found = from_query(head);
        if (found) return (struct gw_token){found, GW_AUTH_FROM_QUERY};
    }
    if (!is_script && cfg->auth_cookie[0] && is_own_page(cfg, head) &&
        http_cookie_get(head, sv_of(cfg->auth_cookie), &token))
        return (struct gw_token){copy(token), GW_AUTH_FROM_COOKIE};
    return (struct gw_token){0};
}
