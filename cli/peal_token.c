/* Making and checking is gw_auth's: what `peal token` makes and accepts is what gateways accept.
 *
 * Only the token goes to stdout when one is made, so that TOKEN=$(peal token --sub alice) works;
 * all complaints go to stderr. */

/* System */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* Third party */
#include <jansson.h>
/* Util */
#include "util/buf.h"
#include "util/log.h"
#include "util/now.h"
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg_secret.h"
/* This process */
#include "gateway/gw_auth.h"
#include "gateway/gw_keys.h"
#include "peal_token.h"
#include "peal_token_show.h"

#define INPUT_MAX 65536
#define NEVER INT64_MAX

static const char usage[] =
    "usage: peal token [options]                   make a token, print it alone\n"
    "       peal token inspect [options] [TOKEN|-] show what a token (or standard input) says\n"
    "\n"
    "Key, for both:\n"
    "  --secret SECRET     shared secret; other users of the machine can see it, so better:\n"
    "  --secret-file FILE  file with the secret, or a key in PEM form: the private key to\n"
    "                      make RS and ES tokens, the public key to inspect them\n"
    "                      (neither given: the environment's PEAL_AUTH_SECRET)\n"
    "  --alg ALG           one of " GW_ALG_NAMES "\n"
    "                      (make: HS256; inspect: what the token says)\n"
    "\n"
    "What the token says:\n"
    "  --sub NAME          who it is for\n"
    "  --exp 1h            how long it is good: 30s, 90m, 12h, 7d, or `never`; -1h has expired\n"
    "  --iss ISSUER\n"
    "  --aud AUDIENCE      may be repeated\n"
    "  --claim NAME=VALUE  any other; VALUE is JSON if it reads as JSON, else a string;\n"
    "                      may be repeated\n"
    "  --kid ID            key id for the token's header\n"
    "\n"
    "  PEAL_AUTH_SECRET=… peal token --sub alice --claim 'rooms=[\"red\"]'\n";

struct options {
    const char *secret, *secret_file, *alg, *kid;
    int64_t life; /* seconds, or NEVER */
    json_t *claims;
};

static bool complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("peal token: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return false;
}

/* --- options */

static bool read_life(const char *text, int64_t *life)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'\0', 1}};
    const int64_t most = 100LL * 366 * 86400;
    char *end;
    if (strcmp(text, "never") == 0) {
        *life = NEVER;
        return true;
    }
    errno = 0;
    long long n = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (end == text || errno || *end != units[i].unit || (*end && end[1])) continue;
        if (n > most / units[i].seconds || n < -most / units[i].seconds) break;
        *life = n * units[i].seconds;
        return true;
    }
    return complain("--exp: \"%s\" is not a time: 30s, 90m, 12h, 7d or never", text);
}

static bool set_claim(json_t *claims, const char *name, json_t *value)
{
    return json_object_set_new(claims, name, value) == 0 ||
           complain("\"%s\" is not valid UTF-8", name);
}

static bool add_audience(json_t *claims, const char *text)
{
    json_t *word = json_string(text), *old = json_object_get(claims, "aud");
    if (!old || !word) return set_claim(claims, "aud", word);
    if (json_is_array(old)) return json_array_append_new(old, word) == 0;
    json_t *both = json_array();
    json_array_append(both, old);
    json_array_append_new(both, word);
    return set_claim(claims, "aud", both);
}

static bool add_claim(json_t *claims, const char *text)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text) return complain("--claim: \"%s\" is not of the form NAME=VALUE", text);
    char *name = x_memdup(text, (size_t)(eq - text));
    json_t *value = json_loads(eq + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    bool ok = set_claim(claims, name, value ? value : json_string(eq + 1));
    x_free(name);
    return ok;
}

enum { SECRET = 256, SECRET_FILE, ALG, KID, SUB, EXP, ISS, AUD, CLAIM };

static const struct option words[] = {
    {"secret", required_argument, NULL, SECRET},
    {"secret-file", required_argument, NULL, SECRET_FILE},
    {"alg", required_argument, NULL, ALG},
    {"kid", required_argument, NULL, KID},
    {"sub", required_argument, NULL, SUB},
    {"exp", required_argument, NULL, EXP},
    {"iss", required_argument, NULL, ISS},
    {"aud", required_argument, NULL, AUD},
    {"claim", required_argument, NULL, CLAIM},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take_option(struct options *o, int option)
{
    switch (option) {
    case SECRET: o->secret = optarg; return true;
    case SECRET_FILE: o->secret_file = optarg; return true;
    case ALG: o->alg = optarg; return true;
    case KID: o->kid = optarg; return true;
    case SUB: return set_claim(o->claims, "sub", json_string(optarg));
    case ISS: return set_claim(o->claims, "iss", json_string(optarg));
    case AUD: return add_audience(o->claims, optarg);
    case EXP: return read_life(optarg, &o->life);
    case CLAIM: return add_claim(o->claims, optarg);
    default: return false; /* getopt has said why */
    }
}

/* False after a complaint. Operands are left at argv[optind]. */
static bool read_options(struct options *o, int argc, char **argv, bool *help)
{
    int option;
    optind = 0; /* the main program may have used getopt too */
    while ((option = getopt_long(argc, argv, "h", words, NULL)) != -1) {
        if (option == 'h') {
            *help = true;
            return true;
        }
        if (!take_option(o, option)) return false;
    }
    if (o->secret && o->secret_file) return complain("give --secret or --secret-file, not both");
    if (!o->secret && !o->secret_file) o->secret = getenv("PEAL_AUTH_SECRET");
    if (o->secret && !o->secret[0]) o->secret = NULL;
    if (o->alg && !gw_alg_find(sv_of(o->alg)))
        return complain("--alg: \"%s\" is not allowed: one of " GW_ALG_NAMES, o->alg);
    return true;
}

/* --- making */

/* The claims' text with iat and exp; x_free. A --claim of that name wins. */
static char *claims_text(const struct options *o)
{
    int64_t now = now_wall_s();
    if (!json_object_get(o->claims, "iat")) set_claim(o->claims, "iat", json_integer(now));
    if (o->life != NEVER && !json_object_get(o->claims, "exp"))
        set_claim(o->claims, "exp", json_integer(now + o->life));
    char *dumped = json_dumps(o->claims, JSON_COMPACT);
    if (!dumped) return NULL;
    char *text = x_strdup(dumped);
    x_free(dumped);
    return text;
}

static bool print_token(const struct options *o, struct str_view key)
{
    struct cfg_error err = {""};
    char *claims = claims_text(o);
    char *token =
        claims ? gw_auth_mint(o->alg ? o->alg : "HS256", o->kid, key, claims, &err) : NULL;
    x_free(claims);
    if (!token) return complain("%s", err.text[0] ? err.text : "the claims are not JSON");
    bool ok = puts(token) >= 0 && fflush(stdout) == 0;
    x_free_secret(token, strlen(token));
    return ok || complain("standard output: %s", strerror(errno));
}

static int make(const struct options *o)
{
    struct cfg_error err;
    struct buf key;
    if (!o->secret && !o->secret_file) {
        complain("no key: set PEAL_AUTH_SECRET, or give --secret or --secret-file");
        return 2;
    }
    buf_init(&key, GW_KEYS_FILE_MAX);
    bool ok = true;
    if (!o->secret_file) {
        ok = print_token(o, sv_of(o->secret));
    } else if (!cfg_secret_read(&key, GW_KEYS_FILE_MAX, o->secret_file, "--secret-file", &err)) {
        ok = complain("%s", err.text);
    } else {
        ok = print_token(o, buf_view(&key));
    }
    cfg_secret_wipe(&key);
    return ok ? 0 : 1;
}

/* --- inspecting */

static bool read_token(const char *operand, struct buf *token)
{
    if (operand && strcmp(operand, "-") != 0)
        return buf_add(token, operand, strlen(operand)) || complain("the token is too long");
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        if (!buf_add(token, chunk, n)) return complain("the token is too long");
    while (token->n && strchr(" \t\r\n", token->p[token->n - 1]))
        token->n--;
    return token->n > 0 || complain("standard input: no token");
}

/* auth.secret_file and its like are what --secret-file and its like are here. */
static void complain_of_key(const char *text)
{
    static const struct {
        const char *key, *option;
    } names[] = {{"auth.secret_file", "--secret-file"},
                 {"auth.secret", "--secret"},
                 {"auth.algorithm", "--alg"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t n = strlen(names[i].key);
        if (strncmp(text, names[i].key, n) == 0) {
            complain("%s%s", names[i].option, text + n);
            return;
        }
    }
    complain("%s", text);
}

/* Is the signature good, and the token in force? Says so. */
static bool judge(const struct options *o, struct str_view token, const char *alg)
{
    struct cfg cfg;
    struct cfg_error err;
    struct gw_auth_error why;
    struct gw_identity *id = NULL;
    cfg_init(&cfg);
    cfg.auth_algorithm = alg;
    char **field = o->secret_file ? &cfg.auth_secret_file : &cfg.auth_secret;
    x_free(*field);
    *field = x_strdup(o->secret_file ? o->secret_file : o->secret);
    struct gw_auth *auth = gw_auth_new(&cfg, &err);
    cfg_fini(&cfg);
    bool ok = auth && gw_auth_verify(auth, token, now_wall_s(), &id, &why);
    if (!auth)
        complain_of_key(err.text);
    else if (ok)
        printf("verified with this key (%s)\n", alg);
    else
        printf("refused with this key (%s): %s\n", alg, why.message);
    gw_identity_rele(id);
    gw_auth_free(auth);
    return ok;
}

static int inspect(const struct options *o, const char *operand)
{
    struct buf token;
    char alg[16];
    buf_init(&token, INPUT_MAX);
    bool ok = read_token(operand, &token);
    if (ok) {
        struct str_view text = buf_view(&token);
        ok = peal_token_show(text, now_wall_s(), alg, sizeof(alg));
        if (ok && (o->secret || o->secret_file))
            ok = judge(o, text, o->alg ? o->alg : gw_alg_find(sv_of(alg)) ? alg : "HS256");
        else if (ok)
            puts("signature not checked: no key given");
    }
    if (fflush(stdout) != 0) ok = complain("standard output: %s", strerror(errno));
    buf_fini(&token);
    return ok ? 0 : 1;
}

int peal_token_main(int argc, char **argv)
{
    bool inspecting = argc > 1 && strcmp(argv[1], "inspect") == 0, help = false;
    struct options o = {.life = 3600, .claims = json_object()};
    int status = 2;
    log_set_level(inspecting ? LOG_ERROR : LOG_WARN);
    if (!read_options(&o, argc - inspecting, argv + inspecting, &help)) {
        fputs("peal token --help shows the options\n", stderr);
    } else if (help) {
        fputs(usage, stdout);
        status = 0;
    } else {
        char **operands = argv + inspecting + optind;
        int n = argc - inspecting - optind;
        if (n > inspecting)
            complain("\"%s\" is one argument too many", operands[inspecting]);
        else
            status = inspecting ? inspect(&o, n ? operands[0] : NULL) : make(&o);
    }
    json_decref(o.claims);
    return status;
}
