/* The stream reads one record at a time (OpenSSL's default), so nothing waits inside it while the
 * descriptor is silent. */
/* System */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
/* Third party */
#include <openssl/err.h>
#include <openssl/ssl.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/cfg_row.h"
/* Io */
#include "io/redis_tls.h"

#define MAX_RECORD 16384

struct redis_tls {
    SSL_CTX *ctx;
    const char *name; /* redis.tls_name; "": the host */
};

struct redis_tls_stream {
    SSL *ssl;
    bool wants_write;
    char why[160];
};

/* OpenSSL's oldest complaint is the cause of the others. */
static const char *complaint(char *text, size_t size)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(text, size, "%s", reason ? reason : "no reason given");
    ERR_clear_error();
    return text;
}

static bool refuse(struct cfg_error *err, const char *key, const char *path)
{
    char text[120];
    int shown = cfg_row_cut(sv_of(path));
    return cfg_row_error(err, "%s: \"%.*s\" cannot be used: %s", key, shown, path,
                         complaint(text, sizeof(text)));
}

static bool load_files(SSL_CTX *ctx, const struct cfg *cfg, struct cfg_error *err)
{
    const char *ca = cfg->redis_tls_ca, *cert = cfg->redis_tls_cert, *key = cfg->redis_tls_key;
    if (ca[0]) {
        if (SSL_CTX_load_verify_file(ctx, ca) != 1) return refuse(err, "redis.tls_ca", ca);
    } else {
        SSL_CTX_set_default_verify_paths(ctx);
    }
    if (!cert[0]) return true;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return refuse(err, "redis.tls_cert", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return refuse(err, "redis.tls_key", key);
    return true;
}

struct redis_tls *redis_tls_new(const struct cfg *cfg, struct cfg_error *err)
{
    struct redis_tls *t = x_calloc(1, sizeof(*t));
    ERR_clear_error();
    t->ctx = SSL_CTX_new(TLS_client_method());
    assert(t->ctx);
    t->name = cfg->redis_tls_name;
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(t->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF); /* Redis's answers show their end */
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    if (load_files(t->ctx, cfg, err)) {
        signal(SIGPIPE, SIG_IGN);
        return t;
    }
    redis_tls_free(t);
    return NULL;
}

void redis_tls_free(struct redis_tls *t)
{
    if (!t) return;
    SSL_CTX_free(t->ctx);
    x_free(t);
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

struct redis_tls_stream *redis_tls_open(struct redis_tls *t, int fd, const char *host)
{
    struct redis_tls_stream *s = x_calloc(1, sizeof(*s));
    char *name = x_strdup(t->name[0] ? t->name : host); /* OpenSSL wants it writable */
    int ok;
    s->ssl = SSL_new(t->ctx);
    assert(s->ssl);
    if (is_address(name))
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), name);
    else
        ok = SSL_set1_host(s->ssl, name) == 1 && SSL_set_tlsext_host_name(s->ssl, name) == 1;
    ok = ok && SSL_set_fd(s->ssl, fd) == 1;
    assert(ok);
    x_free(name);
    SSL_set_connect_state(s->ssl);
    return s;
}

void redis_tls_close(struct redis_tls_stream *s)
{
    if (!s) return;
    SSL_free(s->ssl);
    ERR_clear_error();
    x_free(s);
}

static void explain(struct redis_tls_stream *s)
{
    char text[120];
    long verdict = SSL_get_verify_result(s->ssl);
    if (verdict != X509_V_OK && !SSL_is_init_finished(s->ssl))
        snprintf(s->why, sizeof(s->why), "TLS: the server's certificate: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(s->why, sizeof(s->why), "TLS: %s", complaint(text, sizeof(text)));
    ERR_clear_error();
}

/* What a call that gave rc <= 0 means, as recv would tell it. */
static int outcome(struct redis_tls_stream *s, int rc)
{
    int saved = errno;
    switch (SSL_get_error(s->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        s->wants_write = SSL_get_error(s->ssl, rc) == SSL_ERROR_WANT_WRITE;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: errno = saved; return saved ? -1 : 0;
    default:
        explain(s);
        errno = EPROTO;
        return -1;
    }
}

static void prepare(struct redis_tls_stream *s)
{
    ERR_clear_error();
    errno = 0;
    s->wants_write = false;
}

int redis_tls_handshake(struct redis_tls_stream *s)
{
    prepare(s);
    int rc = SSL_do_handshake(s->ssl);
    return rc == 1 ? 1 : outcome(s, rc);
}

ssize_t redis_tls_recv(struct redis_tls_stream *s, void *to, size_t n)
{
    prepare(s);
    int rc = SSL_read(s->ssl, to, n < MAX_RECORD ? (int)n : MAX_RECORD);
    return rc > 0 ? rc : outcome(s, rc);
}

ssize_t redis_tls_send(struct redis_tls_stream *s, const void *from, size_t n)
{
    prepare(s);
    int rc = SSL_write(s->ssl, from, n < MAX_RECORD ? (int)n : MAX_RECORD);
    return rc > 0 ? rc : outcome(s, rc);
}

bool redis_tls_wants_write(const struct redis_tls_stream *s)
{
    return s->wants_write;
}

const char *redis_tls_why(const struct redis_tls_stream *s)
{
    return s->why;
}
