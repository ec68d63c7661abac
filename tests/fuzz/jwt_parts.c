/* The first byte chooses: 'J': the rest is header and payload as text, split at the first newline,
 * and is encoded here (fuzzers do not find base64 of JSON by themselves); else: the rest is the
 * token.
 *
 * Properties: a token that passes is spelled in the one canonical way (its decoded parts encode to
 * it again), passes whenever the bound allows its length and never when it does not; a token that
 * is refused is refused in one of three ways. */
/* System */
#include <assert.h>
#include <stdint.h>
#include <string.h>
/* Util */
#include "util/buf.h"
#include "util/x_alloc.h"
/* Proto */
#include "proto/b64.h"
#include "proto/json_scan.h"
#include "proto/jwt_parts.h"

#define MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spelling(const struct jwt_parts *p, struct str_view token)
{
    struct buf again, signature;
    buf_init(&again, MAX + 8);
    buf_init(&signature, MAX);
    bool ok = b64url_encode(&again, p->header.p, p->header.n) && buf_add_char(&again, '.') &&
              b64url_encode(&again, p->payload.p, p->payload.n);
    assert(ok && sv_eq(buf_view(&again), p->signed_text));
    ok = b64url_decode(&signature, p->signature) && buf_add_char(&again, '.') &&
         b64url_encode(&again, signature.p, signature.n);
    assert(ok && signature.n > 0 && sv_eq(buf_view(&again), token));
    buf_fini(&again);
    buf_fini(&signature);
}

/* A second opinion on "distinct": every member is the one that its key finds. */
static void check_members(struct str_view object)
{
    struct json_iter it, jt;
    struct str_view key, value, other, ignored;
    struct buf name;
    buf_init(&name, object.n * 3);
    json_iter_init(&it, object);
    while (json_object_next(&it, &key, &value)) {
        buf_clear(&name);
        bool ok = json_string_decode(&name, key, NULL);
        assert(ok);
        size_t same = 0;
        json_iter_init(&jt, object);
        while (json_object_next(&jt, &other, &ignored))
            same += json_string_equals(other, buf_view(&name));
        assert(same == 1);
    }
    buf_fini(&name);
}

static void check(struct str_view token)
{
    struct jwt_parts p;
    const char *why = NULL;
    bool ok = jwt_parts_read(token, MAX, &p, &why);
    if (ok) {
        assert(p.payload.p[p.payload.n] == '\0' && p.header.p[p.header.n] == '\0');
        assert(utf8_is_valid(buf_view(&p.header)) && utf8_is_valid(buf_view(&p.payload)));
        check_spelling(&p, token);
        check_members(buf_view(&p.header));
        check_members(buf_view(&p.payload));
    } else {
        assert(strcmp(why, JWT_PARTS_MISSING) == 0 || strcmp(why, JWT_PARTS_MALFORMED) == 0 ||
               strcmp(why, JWT_PARTS_UNSIGNED) == 0);
        assert((strcmp(why, JWT_PARTS_MISSING) == 0) == (token.n == 0));
    }
    jwt_parts_fini(&p);
    if (token.n == 0) return;
    bool longer = jwt_parts_read(token, token.n, &p, &why);
    jwt_parts_fini(&p);
    bool shorter = jwt_parts_read(token, token.n - 1, &p, &why);
    jwt_parts_fini(&p);
    assert((longer == ok || token.n > MAX) && !shorter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view text = sv_make((const char *)data, size);
    struct buf token;
    bool json = size && data[0] == 'J';
    buf_init(&token, 2 * size + 16);
    bool ok = true;
    if (size) text = sv_skip(text, 1);
    if (json) {
        size_t n = sv_find(text, '\n');
        struct str_view payload = n < text.n ? sv_skip(text, n + 1) : SV("");
        ok = b64url_encode(&token, text.p, n) && buf_add_char(&token, '.') &&
             b64url_encode(&token, payload.p, payload.n) && buf_add(&token, ".AQID", 5);
    } else {
        ok = buf_add_sv(&token, text);
    }
    assert(ok);
    check(buf_view(&token));
    buf_fini(&token);
    return 0;
}
