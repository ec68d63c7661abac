/* worker.http is small configuration, hence jansson; each mistake is told with its place. */

/* System */
#include <string.h>
/* Third party */
#include <jansson.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg_row.h"
/* This process */
#include "wk_http_parts.h"

#define TIMEOUT_MIN 50
#define TIMEOUT_MAX 600000

/* Where a mistake is. */
struct place {
    struct cfg_error *err;
    size_t entry;
};

static bool fail(struct place *p, const char *key, const char *rule)
{
    return cfg_row_error(p->err, "worker.http[%zu].%s: %s", p->entry, key, rule);
}

static bool fail_value(struct place *p, const char *key, const char *value, const char *rule)
{
    int shown = cfg_row_cut(sv_of(value));
    return cfg_row_error(p->err, "worker.http[%zu].%s: \"%.*s%s\" is not allowed: %s", p->entry,
                         key, shown, value, value[shown] ? "…" : "", rule);
}

static bool read_url(struct wk_http_route *r, json_t *v, struct place *p)
{
    const char *why;
    if (!v) return fail(p, "url", "is missing");
    if (!json_is_string(v)) return fail(p, "url", "must be a string");
    r->url = x_strdup(json_string_value(v));
    if (wk_fetch_check_url(r->url, &r->host, &why)) return true;
    /* A password may stand before an '@'. */
    return strchr(r->url, '@') ? fail(p, "url", why) : fail_value(p, "url", r->url, why);
}

static bool read_nsp(struct wk_http_route *r, json_t *v, struct place *p)
{
    if (v && !json_is_string(v)) return fail(p, "nsp", "must be a string");
    r->nsp = x_strdup(v ? json_string_value(v) : "*");
    if (r->nsp[0] == '/' || r->nsp[0] == '*') return true;
    return fail_value(p, "nsp", r->nsp, "a namespace, or a pattern, begins with \"/\" or \"*\"");
}

static bool read_events(struct wk_http_route *r, json_t *v, struct place *p)
{
    static const char rule[] = "must be an array of strings, of which none is empty";
    size_t n = json_array_size(v);
    if (v && (!json_is_array(v) || n == 0)) return fail(p, "events", rule);
    r->events.v = x_calloc(n + 1, sizeof(*r->events.v));
    if (!v) r->events.v[r->events.n++] = x_strdup("*");
    for (size_t i = 0; i < n; i++) {
        const char *event = json_string_value(json_array_get(v, i));
        if (!event || !*event) return fail(p, "events", rule);
        r->events.v[r->events.n++] = x_strdup(event);
    }
    return true;
}

static bool read_types(struct wk_http_route *r, json_t *v, struct place *p)
{
    static const char rule[] = "must be an array of \"event\", \"connect\", \"disconnect\"";
    if (!v) r->types = (1u << WORK_TYPES) - 1;
    if (v && (!json_is_array(v) || json_array_size(v) == 0)) return fail(p, "types", rule);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *word = json_string_value(json_array_get(v, i));
        unsigned type = 0;
        if (!word) return fail(p, "types", rule);
        while (type < WORK_TYPES && strcmp(word, work_type_name((enum work_type)type)) != 0)
            type++;
        if (type == WORK_TYPES)
            return fail_value(p, "types", word, "types are event, connect and disconnect");
        r->types |= 1u << type;
    }
    return true;
}

static bool read_timeout(struct wk_http_route *r, json_t *v, struct place *p)
{
    json_int_t ms = json_integer_value(v);
    if (!v) return true;
    if (!json_is_integer(v) || ms < TIMEOUT_MIN || ms > TIMEOUT_MAX)
        return fail(p, "timeout", "must be a whole number from 50 to 600000 (ms)");
    r->timeout_ms = (uint64_t)ms;
    return true;
}

static bool read_flag(bool *out, json_t *v, const char *key, struct place *p)
{
    if (!v) return true;
    *out = json_is_true(v);
    return json_is_boolean(v) || fail(p, key, "must be true or false");
}

static bool check_keys(json_t *entry, struct place *p)
{
    static const char *const known[] = {"url",     "nsp",        "events",   "types",
                                        "timeout", "idempotent", "env_proxy"};
    const char *key;
    json_t *value;
    json_object_foreach(entry, key, value)
    {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) && strcmp(key, known[i]) != 0)
            i++;
        if (i < sizeof(known) / sizeof(known[0])) continue;
        return cfg_row_error(
            p->err,
            "worker.http[%zu]: \"%.*s\" is unknown: keys are url, nsp, events, types, "
            "timeout, idempotent and env_proxy",
            p->entry, cfg_row_cut(sv_of(key)), key);
    }
    return true;
}

static bool read_entry(struct wk_http_route *r, json_t *entry, struct place *p)
{
    if (!json_is_object(entry))
        return cfg_row_error(p->err, "worker.http[%zu]: must be an object", p->entry);
    return check_keys(entry, p) && read_url(r, json_object_get(entry, "url"), p) &&
           read_nsp(r, json_object_get(entry, "nsp"), p) &&
           read_events(r, json_object_get(entry, "events"), p) &&
           read_types(r, json_object_get(entry, "types"), p) &&
           read_timeout(r, json_object_get(entry, "timeout"), p) &&
           read_flag(&r->is_idempotent, json_object_get(entry, "idempotent"), "idempotent", p) &&
           read_flag(&r->env_proxy, json_object_get(entry, "env_proxy"), "env_proxy", p);
}

bool wk_http_routes_read(struct wk_http_routes *r, const struct cfg *cfg, struct cfg_error *err)
{
    json_error_t why;
    json_t *list = json_loads(cfg->worker_http, JSON_REJECT_DUPLICATES, &why);
    *r = (struct wk_http_routes){0};
    if (!json_is_array(list)) {
        json_decref(list);
        return cfg_row_error(err, "worker.http: must be an array of objects");
    }
    size_t n = json_array_size(list);
    r->v = x_calloc(n + 1, sizeof(*r->v));
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        r->v[r->n++].timeout_ms = (uint64_t)cfg->worker_http_timeout;
        ok = read_entry(&r->v[i], json_array_get(list, i), &(struct place){err, i});
    }
    json_decref(list);
    return ok;
}

void wk_http_routes_fini(struct wk_http_routes *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct wk_http_route *one = &r->v[i];
        for (size_t e = 0; e < one->events.n; e++)
            x_free(one->events.v[e]);
        x_free(one->events.v);
        x_free(one->url);
        x_free(one->host);
        x_free(one->nsp);
    }
    x_free(r->v);
    *r = (struct wk_http_routes){0};
}

bool wk_http_route_takes(const struct wk_http_route *r, const struct work_item *item)
{
    if (!(r->types & 1u << item->type) || !sv_glob(sv_of(r->nsp), item->nsp)) return false;
    return item->type != WORK_EVENT || cfg_list_matches(&r->events, item->event);
}
