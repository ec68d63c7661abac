/* Claims are read from the payload's text with the scanner, not from libjwt's tree: the text is
 * what the identity keeps, and libjwt drops what it does not expect. The caller has proved the text
 * and its signature; its words are still judged, since whoever may sign may also err.
 *
 * Order of the refusals: times, audience, issuer, as in jsonwebtoken; then the names that become
 * rooms. */

/* System */
#include <math.h>
#include <stdlib.h>
#include <string.h>
/* Util */
#include "util/buf.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/json_scan.h"
/* This process */
#include "gw_auth.h"
#include "gw_claims.h"

/* A token of this second from a login host whose clock is a little ahead is no forgery, and iat is
 * not what ends a token's life. */
#define IAT_SLACK_S 30
#define NUMBER_MAX 9007199254740992.0 /* 2^53: whole seconds are exact in a double */

void gw_claims_rules_init(struct gw_claims_rules *r, const struct cfg *cfg)
{
    *r = (struct gw_claims_rules){.require_exp = cfg->auth_require_exp, .leeway = cfg->auth_leeway};
    r->issuer = x_strdup(cfg->auth_issuer);
    r->rooms_claim = x_strdup(cfg->auth_rooms_claim);
    r->audience.v = x_calloc(cfg->auth_audience.n, sizeof(char *));
    for (; r->audience.n < cfg->auth_audience.n; r->audience.n++)
        r->audience.v[r->audience.n] = x_strdup(cfg->auth_audience.v[r->audience.n]);
}

void gw_claims_rules_fini(struct gw_claims_rules *r)
{
    for (size_t i = 0; i < r->audience.n; i++)
        x_free(r->audience.v[i]);
    x_free(r->audience.v);
    x_free(r->issuer);
    x_free(r->rooms_claim);
    *r = (struct gw_claims_rules){0};
}

bool gw_claims_is_string(struct str_view raw)
{
    return raw.p && json_kind_of(raw) == JSON_STRING;
}

bool gw_claims_text(struct str_view raw, struct buf *out, struct str_view *text)
{
    bool lone = false;
    *text = sv_make(raw.p + 1, raw.n - 2);
    if (sv_find(raw, '\\') == raw.n) return text->n <= out->max;
    buf_clear(out);
    if (!json_string_decode(out, raw, &lone)) return false;
    *text = buf_view(out);
    return !lone;
}

static struct str_view put(char **at, struct str_view v)
{
    char *to = *at;
    if (v.n) memcpy(to, v.p, v.n);
    to[v.n] = '\0';
    *at = to + v.n + 1;
    return sv_make(to, v.n);
}

static struct gw_identity *identity_new(struct str_view sub, struct str_view claims,
                                        struct str_view rooms)
{
    struct gw_identity *id = x_malloc(sizeof(*id) + sub.n + claims.n + rooms.n + 3);
    char *at = (char *)(id + 1);
    *id = (struct gw_identity){.refs = 1};
    id->sub = put(&at, sub);
    id->claims = put(&at, claims);
    id->rooms = put(&at, rooms);
    return id;
}

struct claims {
    struct str_view exp, nbf, iat, sub, iss, aud, jti, rooms; /* raw values; .p NULL if absent */
};

static struct claims read_claims(const struct gw_claims_rules *r, struct str_view payload)
{
    struct claims c = {0};
    struct json_iter it;
    struct str_view key, value;
    struct {
        struct str_view name, *to;
    } const known[] = {{SV("exp"), &c.exp}, {SV("nbf"), &c.nbf}, {SV("iat"), &c.iat},
                       {SV("sub"), &c.sub}, {SV("iss"), &c.iss}, {SV("aud"), &c.aud},
                       {SV("jti"), &c.jti}};
    json_iter_init(&it, payload);
    while (json_object_next(&it, &key, &value)) {
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (json_string_equals(key, known[i].name)) *known[i].to = value;
        if (r->rooms_claim[0] && json_string_equals(key, sv_of(r->rooms_claim))) c.rooms = value;
    }
    return c;
}

/* exp and nbf are rounded up: for a whole number of seconds now, now >= exp means the same as now
 * >= ceil(exp). iat is rounded down, so that a clock with fractions is never "in the future". A
 * comma or brace follows the number, so strtod() ends there. */
static bool read_time(struct str_view raw, bool up, int64_t *out)
{
    if (json_kind_of(raw) != JSON_NUMBER) return false;
    double d = strtod(raw.p, NULL);
    if (!isfinite(d) || d > NUMBER_MAX || d < -NUMBER_MAX) return false;
    *out = (int64_t)d;
    if (up && (double)*out < d) (*out)++;
    if (!up && (double)*out > d) (*out)--;
    return true;
}

static const char *check_times(const struct gw_claims_rules *r, const struct claims *c, int64_t now,
                               int64_t *exp, int64_t *iat)
{
    int64_t nbf;
    *exp = *iat = 0;
    if (c->exp.p && !read_time(c->exp, true, exp)) return "invalid exp value";
    if (c->nbf.p && !read_time(c->nbf, true, &nbf)) return "invalid nbf value";
    if (c->iat.p && !read_time(c->iat, false, iat)) return "invalid iat value";
    if (c->nbf.p && nbf > now + r->leeway) return "jwt not active";
    /* exp 0 would mean "never" from here on. */
    if (c->exp.p && (*exp <= 0 || now >= *exp + r->leeway)) return "jwt expired";
    if (!c->exp.p && r->require_exp) return "jwt exp required";
    if (*iat > now + r->leeway + IAT_SLACK_S) return "jwt issued in the future";
    return NULL;
}

static bool is_in(struct str_view raw, const struct cfg_list *words)
{
    for (size_t i = 0; i < words->n; i++)
        if (json_string_equals(raw, sv_of(words->v[i]))) return true;
    return false;
}

/* Walks a claim that may be a string or an array of strings. */
struct strings {
    struct json_iter it;
    struct str_view single;
    bool bad; /* it is neither */
};

static void strings_init(struct strings *s, struct str_view raw)
{
    enum json_kind kind = json_kind_of(raw);
    *s = (struct strings){0};
    if (kind == JSON_STRING)
        s->single = raw;
    else if (kind == JSON_ARRAY)
        json_iter_init(&s->it, raw);
    else
        s->bad = true;
}

static bool strings_next(struct strings *s, struct str_view *raw)
{
    if (s->single.p) {
        *raw = s->single;
        s->single.p = NULL;
        return true;
    }
    if (s->bad || !s->it.rest.p || !json_array_next(&s->it, raw)) return false;
    s->bad = !gw_claims_is_string(*raw);
    return !s->bad;
}

static const char *check_audience(const struct gw_claims_rules *r, const struct claims *c)
{
    bool found = r->audience.n == 0;
    if (c->aud.p) {
        struct strings s;
        struct str_view raw;
        strings_init(&s, c->aud);
        while (strings_next(&s, &raw))
            found = found || is_in(raw, &r->audience);
        if (s.bad) return "invalid aud value";
    }
    return found ? NULL : "jwt audience invalid";
}

/* A name goes into log lines and other names: bounded by the maximum of scratch, and no control
 * characters (C0, DEL). */
static bool read_name(struct str_view raw, size_t min, struct buf *scratch, struct str_view *name)
{
    if (!gw_claims_text(raw, scratch, name) || name->n < min) return false;
    for (size_t i = 0; i < name->n; i++)
        if ((unsigned char)name->p[i] < ' ' || name->p[i] == 0x7f) return false;
    return true;
}

static bool read_rooms(struct str_view raw, struct buf *rooms)
{
    struct strings s;
    struct str_view element, name;
    struct buf scratch;
    size_t n = 0;
    bool ok = true;
    buf_init(&scratch, GW_AUTH_NAME_MAX);
    strings_init(&s, raw);
    while (ok && strings_next(&s, &element))
        ok = ++n <= GW_AUTH_ROOMS_MAX && read_name(element, 1, &scratch, &name) &&
             buf_add_sv(rooms, name) && buf_add_char(rooms, '\0');
    buf_fini(&scratch);
    return ok && !s.bad;
}

const char *gw_claims_check(const struct gw_claims_rules *r, struct str_view payload, int64_t now,
                            struct gw_identity **id)
{
    struct claims c = read_claims(r, payload);
    struct str_view sub = {0};
    struct buf scratch, rooms;
    int64_t exp, iat;
    const char *why = check_times(r, &c, now, &exp, &iat);
    buf_init(&scratch, GW_AUTH_NAME_MAX);
    buf_init(&rooms, GW_AUTH_TOKEN_MAX);
    if (!why) why = check_audience(r, &c);
    if (!why && c.iss.p && !gw_claims_is_string(c.iss)) why = "invalid iss value";
    if (!why && r->issuer[0] && (!c.iss.p || !json_string_equals(c.iss, sv_of(r->issuer))))
        why = "jwt issuer invalid";
    if (!why && c.jti.p && !gw_claims_is_string(c.jti)) why = "invalid jti value";
    if (!why && c.sub.p && (!gw_claims_is_string(c.sub) || !read_name(c.sub, 0, &scratch, &sub)))
        why = "invalid sub value";
    if (!why && c.rooms.p && !read_rooms(c.rooms, &rooms)) why = "invalid rooms value";
    if (!why) {
        *id = identity_new(sub, payload, buf_view(&rooms));
        (*id)->exp = exp;
        (*id)->iat = iat;
    }
    buf_fini(&scratch);
    buf_fini(&rooms);
    return why;
}
