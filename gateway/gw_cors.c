/* Lines that do not fit into the caller's buffer are left out whole: a browser then refuses the
 * answer, which is the safe side. */

/* Gateway */
#include "gw_cors.h"

bool gw_cors_is_on(const struct cfg *cfg)
{
    return cfg->cors_origins.n > 0;
}

static void line(struct buf *out, const char *name, struct str_view value)
{
    (void)!buf_addf(out, "%s: %.*s\r\n", name, SV_ARG(value));
}

static void list_line(struct buf *out, const char *name, const struct cfg_list *l)
{
    struct buf text;
    buf_init(&text, 2048);
    bool fits = true;
    for (size_t i = 0; i < l->n; i++)
        fits = fits && buf_addf(&text, "%s%s", i ? "," : "", l->v[i]);
    if (fits && l->n) line(out, name, buf_view(&text));
    buf_fini(&text);
}

void gw_cors_headers(const struct cfg *cfg, const struct http_head *head, struct buf *out)
{
    if (!gw_cors_is_on(cfg)) return;
    const struct str_view *origin = http_head_get(head, SV("Origin"));
    if (cfg_list_has(&cfg->cors_origins, SV("*"))) {
        line(out, "Access-Control-Allow-Origin", SV("*"));
    } else {
        if (origin && cfg_list_has(&cfg->cors_origins, *origin))
            line(out, "Access-Control-Allow-Origin", *origin);
        line(out, "Vary", SV("Origin"));
    }
    if (cfg->cors_credentials) line(out, "Access-Control-Allow-Credentials", SV("true"));
    list_line(out, "Access-Control-Expose-Headers", &cfg->cors_exposed_headers);
}

void gw_cors_preflight(const struct cfg *cfg, const struct http_head *head, struct buf *out)
{
    const struct str_view *asked = http_head_get(head, SV("Access-Control-Request-Headers"));
    list_line(out, "Access-Control-Allow-Methods", &cfg->cors_methods);
    if (cfg->cors_allowed_headers.n) {
        list_line(out, "Access-Control-Allow-Headers", &cfg->cors_allowed_headers);
    } else {
        line(out, "Vary", SV("Access-Control-Request-Headers"));
        if (asked && asked->n <= 1024) line(out, "Access-Control-Allow-Headers", *asked);
    }
    if (cfg->cors_max_age)
        (void)!buf_addf(out, "Access-Control-Max-Age: %lld\r\n", (long long)cfg->cors_max_age);
}
