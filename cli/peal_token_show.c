/* A token without a signature is shown too: it is what one wants to see when it is refused. Times
 * are judged as gateways do, whole seconds without leeway. */

/* System */
#include <stdio.h>
#include <string.h>
#include <time.h>
/* Third party */
#include <jansson.h>
/* Util */
#include "util/buf.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/jwt_parts.h"
/* This process */
#include "gateway/gw_auth.h"
#include "peal_token_show.h"

/* "59 min": the largest unit of which there are at least two, rounded down. */
static void span(int64_t seconds, char *out, size_t size)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (i < 3 && seconds < 2 * units[i].seconds)
        i++;
    snprintf(out, size, "%lld %s", (long long)(seconds / units[i].seconds), units[i].name);
}

static void show_time(const json_t *payload, const char *claim, int64_t now, const char *future,
                      const char *past)
{
    const json_t *value = json_object_get(payload, claim);
    char date[40], distance[32];
    struct tm tm;
    if (!value) return;
    double d = json_number_value(value);
    if (!json_is_number(value) || d < -62135596800.0 || d > 253402300799.0) {
        printf("%s: not a time\n", claim);
        return;
    }
    int64_t at = (int64_t)d;
    time_t t = (time_t)at;
    if (!gmtime_r(&t, &tm)) return;
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
    span(at > now ? at - now : now - at, distance, sizeof(distance));
    if (at > now)
        printf("%s in %s (%s)\n", future, distance, date);
    else
        printf("%s %s ago (%s)\n", past, distance, date);
}

/* jansson keeps order but cannot hold everything; what it cannot is shown as it is. */
static json_t *show_text(const char *title, const struct buf *text)
{
    json_t *tree = json_loadb(text->p, text->n, JSON_ALLOW_NUL, NULL);
    char *pretty = tree ? json_dumps(tree, JSON_INDENT(2)) : NULL;
    printf("%s: %s\n", title, pretty ? pretty : text->p);
    x_free(pretty);
    return tree;
}

bool peal_token_show(struct str_view token, int64_t now, char *alg, size_t alg_size)
{
    struct jwt_parts parts;
    const char *why;
    bool ok = jwt_parts_read(token, GW_AUTH_TOKEN_MAX, &parts, &why);
    alg[0] = '\0';
    if (!ok && strcmp(why, JWT_PARTS_UNSIGNED) != 0) {
        fprintf(stderr, "peal token: %s%s\n", why,
                token.n > GW_AUTH_TOKEN_MAX ? ": longer than gateways accept" : "");
        jwt_parts_fini(&parts);
        return false;
    }
    json_t *header = show_text("header", &parts.header);
    json_t *payload = show_text("payload", &parts.payload);
    const char *name = json_string_value(json_object_get(header, "alg"));
    if (name && strlen(name) < alg_size) memcpy(alg, name, strlen(name) + 1);
    show_time(payload, "iat", now, "issued", "issued");
    show_time(payload, "nbf", now, "active", "active since");
    show_time(payload, "exp", now, "expires", "expired");
    if (payload && !json_object_get(payload, "exp")) puts("does not expire");
    if (!ok) puts("without signature");
    json_decref(header);
    json_decref(payload);
    jwt_parts_fini(&parts);
    return true;
}
