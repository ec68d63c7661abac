/* Tokens against gateways' real check with an HS256 key. The first byte chooses: 'H': the rest is a
 * header's text, 'P': a payload's, either correctly signed here; else: the rest is the token.
 *
 * Properties: what is accepted bears an HMAC-SHA256 that this file computes for itself, says HS256,
 * and is in force; its identity keeps the bounds; what the strict rules accept the lax rules accept
 * too; a bit changed in the signature always spoils it. */
/* System */
#include <assert.h>
#include <stdint.h>
#include <string.h>
/* Third party */
#include <openssl/evp.h>
#include <openssl/hmac.h>
/* Util */
#include "util/buf.h"
#include "util/log.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/b64.h"
#include "proto/json_scan.h"
/* Gateway */
#include "gateway/gw_auth.h"
/* Tests */
#include "unit/gateway/jwt_forge.h"

#define SECRET "peal-test-secret-of-32-bytes-0123"
#define NOW 1700000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set(char **field, const char *value)
{
    x_free(*field);
    *field = x_strdup(value);
}

static struct gw_auth *make(bool strict)
{
    struct cfg c;
    struct cfg_error err;
    cfg_init(&c);
    set(&c.auth_secret, SECRET);
    set(&c.auth_rooms_claim, "rooms");
    if (strict) {
        set(&c.auth_issuer, "i");
        c.auth_require_exp = true;
        c.auth_audience.v = x_calloc(1, sizeof(char *));
        c.auth_audience.v[c.auth_audience.n++] = x_strdup("a");
    } else {
        c.auth_leeway = 60;
    }
    struct gw_auth *a = gw_auth_new(&c, &err);
    assert(a);
    cfg_fini(&c);
    return a;
}

static void check_signature(struct str_view token)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    size_t dot = token.n;
    while (dot > 0 && token.p[dot - 1] != '.')
        dot--;
    assert(dot > 0);
    struct buf signature;
    buf_init(&signature, token.n);
    bool ok = b64url_decode(&signature, sv_skip(token, dot));
    HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, (const unsigned char *)token.p, dot - 1, mac,
         &n);
    assert(ok && sv_eq(buf_view(&signature), sv_make((const char *)mac, n)));
    buf_fini(&signature);
    struct buf header;
    struct str_view rest = sv_make(token.p, sv_find(token, '.'));
    buf_init(&header, token.n);
    ok = b64url_decode(&header, rest);
    struct json_iter it;
    struct str_view key, value;
    size_t found = 0;
    json_iter_init(&it, buf_view(&header));
    while (ok && json_object_next(&it, &key, &value))
        found += json_string_equals(key, SV("alg")) && json_string_equals(value, SV("HS256"));
    assert(found == 1);
    buf_fini(&header);
}

static void check_name(struct str_view name)
{
    assert(name.n <= GW_AUTH_NAME_MAX && utf8_is_valid(name));
    for (size_t i = 0; i < name.n; i++)
        assert((unsigned char)name.p[i] >= ' ' && name.p[i] != 0x7f);
}

static void check_identity(const struct gw_identity *id)
{
    enum json_kind kind;
    const char *why;
    assert(id->refs == 1 && (id->exp == 0 || id->exp + 60 > NOW) && id->iat <= NOW + 60);
    bool ok = json_scan_value(id->claims, 64, -1, &kind, &why);
    assert(ok && kind == JSON_OBJECT);
    check_name(id->sub);
    struct str_view rooms = id->rooms;
    size_t n = 0;
    while (rooms.n) {
        size_t end = sv_find(rooms, '\0');
        assert(end > 0 && end < rooms.n);
        check_name(sv_make(rooms.p, end));
        rooms = sv_skip(rooms, end + 1);
        n++;
    }
    assert(n <= GW_AUTH_ROOMS_MAX);
}

static bool accepts(struct gw_auth *a, struct str_view token, int64_t now, int64_t *exp)
{
    struct gw_identity *id = NULL;
    struct gw_auth_error why;
    bool ok = gw_auth_verify(a, token, now, &id, &why);
    assert(ok == (id != NULL) && (ok || (why.code && why.message)));
    if (ok && now == NOW) check_identity(id);
    if (ok && exp) *exp = id->exp;
    gw_identity_rele(id);
    return ok;
}

static void check(struct str_view token)
{
    static struct gw_auth *lax, *strict;
    if (!lax) {
        log_set_level(LOG_ERROR);
        lax = make(false);
        strict = make(true);
    }
    int64_t exp = 0;
    bool ok = accepts(lax, token, NOW, &exp);
    bool strictly = accepts(strict, token, NOW, NULL);
    assert(ok || !strictly);
    if (!ok) return;
    check_signature(token);
    if (exp) assert(!accepts(lax, token, exp + 60, NULL));
    char *other = x_memdup(token.p, token.n);
    char *at = &other[token.n - 2]; /* not the last character, which has spare bits */
    *at = *at == 'A' ? 'B' : 'A';
    assert(!accepts(lax, sv_make(other, token.n), NOW, NULL));
    x_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str_view text = sv_make((const char *)data + 1, size - 1);
    if (data[0] != 'H' && data[0] != 'P') {
        check(text);
        return 0;
    }
    char *header = data[0] == 'H' ? x_memdup(text.p, text.n) : x_strdup("{\"alg\":\"HS256\"}");
    struct str_view payload = data[0] == 'H' ? SV("{\"sub\":\"a\",\"exp\":1700000001}") : text;
    char *token = forge_token(header, payload, "HS256", SV(SECRET));
    check(sv_of(token));
    x_free(token);
    x_free(header);
    return 0;
}
