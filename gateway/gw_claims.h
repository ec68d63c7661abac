/* The rules for claims of a token whose signature is proved, and the identity made from them. Only
 * gw_auth.c calls it; it knows no keys and no libjwt. */
#ifndef PEAL_GW_CLAIMS_H
#define PEAL_GW_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cfg.h"
#include "util/buf.h"
#include "util/str_view.h"

struct gw_identity;

struct gw_claims_rules {
    char *issuer, *rooms_claim; /* "": not asked for */
    struct cfg_list audience;   /* empty: not asked for */
    bool require_exp;
    int64_t leeway;
};
/* Copies what it needs from auth.*. */
void gw_claims_rules_init(struct gw_claims_rules *r, const struct cfg *cfg);
void gw_claims_rules_fini(struct gw_claims_rules *r);

/* payload: text that jwt_parts_read() accepted, a NUL behind it. NULL, with *id a new reference; or
 * the words that refuse it. */
const char *gw_claims_check(const struct gw_claims_rules *r, struct str_view payload, int64_t now,
                            struct gw_identity **id) MUST_CHECK;

/* Is there (.p not NULL) a JSON string? */
bool gw_claims_is_string(struct str_view raw);
/* The characters of a JSON string; scratch is used only if it has escapes, and its maximum bounds
 * the length either way. False: too long, or a lone surrogate. */
bool gw_claims_text(struct str_view raw, struct buf *scratch, struct str_view *text) MUST_CHECK;

#endif
