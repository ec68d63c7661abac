/* What the tests of gw_auth and its parts share: keys, configurations, verdicts. */
#ifndef PEAL_TESTS_GW_AUTH_FIXTURE_H
#define PEAL_TESTS_GW_AUTH_FIXTURE_H

#include <stdint.h>

#include "cluster/cfg.h"
#include "gateway/gw_auth.h"
#include "unit/gateway/jwt_forge.h"
#include "util/str_view.h"

#define NOW 1700000000
#define SECRET "peal-test-secret-of-32-bytes-0123"
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define S10 "0123456789"
#define S50 S10 S10 S10 S10 S10
#define S250 S50 S50 S50 S50 S50

/* Made by make_keys(). rsa_short has 1024 bits. */
extern struct forge_key rsa, rsa_other, rsa_short, p256, p384, p521, k256;
int make_keys(void **state);
int drop_keys(void **state);

/* --- configurations; a text field, all defaults but a key, all defaults but auth.keys */
void set(char **field, const char *value);
struct cfg cfg_with(const char *alg, const char *secret);
struct cfg cfg_with_keys(const char *keys);
/* Takes c. */
struct gw_auth *auth_from(struct cfg c);

/* --- verdicts: "ok", or the words of the refusal */
const char *verify_sv(struct gw_auth *a, struct str_view token, int64_t now, const char **code);
const char *verify(struct gw_auth *a, const char *token);
void assert_verdict(struct gw_auth *a, const char *token, const char *words);
/* Takes token. */
void assert_forged(struct gw_auth *a, char *token, const char *words);
/* Fails if the token is refused. Gives: gw_identity_rele. */
struct gw_identity *identity_of(struct gw_auth *a, const char *token);
/* HS256 with SECRET, whatever the header says. x_free. */
char *signed_hs(const char *header, const char *payload);

#endif
