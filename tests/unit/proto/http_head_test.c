/* The reader of HTTP heads: what it accepts, what it refuses and with which status, and that it
 * says the same however the bytes were cut. Each input is read from memory of its exact size, so
 * that the sanitizer sees a look behind the end. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/x_alloc.h"
/* Proto */
#include "proto/http_head.h"

#define MAX_HEAD 8192
#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define H11 "GET / HTTP/1.1\r\nHost: x\r\n"

struct result {
    enum verdict verdict;
    int status;
    const char *why;
    struct http_head head;
    char *copy; /* what the head's views point into */
};

/* Reads n bytes of p as the next call of a series that keeps *scan. */
static struct result read_step(const char *p, size_t n, size_t max, size_t *scan)
{
    struct result r = {.status = 0};
    memset(&r.head, 0xa5, sizeof(r.head)); /* nothing of the head before may shine through */
    r.copy = x_malloc(n ? n : 1);
    memcpy(r.copy, p, n);
    r.verdict = http_head_parse(r.copy, n, max, scan, &r.head, &r.status, &r.why);
    return r;
}

static struct result read_whole(struct str_view in)
{
    size_t scan = 0;
    return read_step(in.p, in.n, MAX_HEAD, &scan);
}

static void assert_sv(struct str_view got, struct str_view want)
{
    if (!sv_eq(got, want)) fail_msg("got '%.*s', want '%.*s'", SV_ARG(got), SV_ARG(want));
}

static void assert_head_same(const struct http_head *a, const struct http_head *b)
{
    assert_int_equal(a->method, b->method);
    assert_sv(a->method_text, b->method_text);
    assert_sv(a->target, b->target);
    assert_sv(a->path, b->path);
    assert_sv(a->query, b->query);
    assert_int_equal(a->minor, b->minor);
    assert_int_equal(a->keep_alive, b->keep_alive);
    assert_int_equal(a->chunked, b->chunked);
    assert_int_equal(a->has_length, b->has_length);
    assert_int_equal(a->length, b->length);
    assert_int_equal(a->expect_continue, b->expect_continue);
    assert_int_equal(a->upgrade, b->upgrade);
    assert_int_equal(a->upgrade_websocket, b->upgrade_websocket);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->nfields, b->nfields);
    for (size_t i = 0; i < a->nfields; i++) {
        assert_sv(a->fields[i].name, b->fields[i].name);
        assert_sv(a->fields[i].value, b->fields[i].value);
    }
}

static void assert_result_same(const struct result *a, const struct result *b)
{
    assert_int_equal(a->verdict, b->verdict);
    if (a->verdict == VERDICT_BAD) {
        assert_int_equal(a->status, b->status);
        assert_string_equal(a->why, b->why);
    }
    if (a->verdict == VERDICT_OK) assert_head_same(&a->head, &b->head);
}

/* Two pieces cut at every place, then byte by byte: always what the whole gave. */
static void assert_cuts_agree(struct str_view in, size_t max)
{
    size_t scan = 0;
    struct result whole = read_step(in.p, in.n, max, &scan);
    assert_int_not_equal(whole.verdict, VERDICT_MORE);
    assert_int_equal(scan, 0);

    for (size_t cut = 0; cut <= in.n; cut++) {
        scan = 0;
        struct result r = read_step(in.p, cut, max, &scan);
        if (whole.verdict == VERDICT_OK && cut < whole.head.size)
            assert_int_equal(r.verdict, VERDICT_MORE);
        if (r.verdict == VERDICT_MORE) {
            assert_int_equal(scan, cut);
            x_free(r.copy);
            r = read_step(in.p, in.n, max, &scan);
        }
        assert_result_same(&whole, &r);
        x_free(r.copy);
    }

    scan = 0;
    for (size_t n = 0;; n++) {
        assert_true(n <= in.n);
        struct result r = read_step(in.p, n, max, &scan);
        if (r.verdict != VERDICT_MORE) assert_result_same(&whole, &r);
        x_free(r.copy);
        if (r.verdict != VERDICT_MORE) break;
    }
    x_free(whole.copy);
}

static const char browser[] =
    "GET /socket.io/?EIO=4&transport=websocket&t=Oxyz HTTP/1.1\r\n"
    "Host: chat.example.com:8443\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Upgrade: websocket\r\n"
    "Origin: https://chat.example.com\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: de,en-US;q=0.7,en;q=0.3\r\n"
    "Cookie: a=1; peal=\"abc.def\"\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    "\r\n";

static void browser_upgrade_is_read_whole(void **state)
{
    (void)state;
    struct result r = read_whole(sv_of(browser));
    const struct http_head *h = &r.head;

    assert_int_equal(r.verdict, VERDICT_OK);
    assert_int_equal(h->size, sizeof(browser) - 1);
    assert_int_equal(h->method, HTTP_GET);
    assert_sv(h->method_text, SV("GET"));
    assert_sv(h->target, SV("/socket.io/?EIO=4&transport=websocket&t=Oxyz"));
    assert_sv(h->path, SV("/socket.io/"));
    assert_sv(h->query, SV("EIO=4&transport=websocket&t=Oxyz"));
    assert_int_equal(h->minor, 1);
    assert_int_equal(h->nfields, 12);
    assert_true(h->keep_alive && h->upgrade && h->upgrade_websocket);
    assert_false(h->chunked || h->has_length || h->expect_continue);
    assert_sv(*http_head_get(h, SV("sec-websocket-KEY")), SV("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_null(http_head_get(h, SV("sec-websocket")));
    x_free(r.copy);
}

struct target_case {
    struct str_view target, path, query;
};

static void targets_reduce_to_path_and_query(void **state)
{
    (void)state;
    static const struct target_case cases[] = {
        {B("/"), B("/"), B("")},
        {B("/a/b"), B("/a/b"), B("")},
        {B("/?"), B("/"), B("")},
        {B("/a?b?c"), B("/a"), B("b?c")},
        {B("//a"), B("//a"), B("")},
        {B("/%00\"<>\\^`{|}"), B("/%00\"<>\\^`{|}"), B("")},
        {B("http://h/p?q"), B("/p"), B("q")},
        {B("HTTP://h:80/p"), B("/p"), B("")},
        {B("http://[::1]:80"), B("/"), B("")},
        {B("http://h?q"), B("/"), B("q")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        int n = snprintf(text, sizeof(text), "POST %.*s HTTP/1.1\r\nHost:\r\n\r\n",
                         SV_ARG(cases[i].target));
        struct result r = read_whole(sv_make(text, (size_t)n));
        if (r.verdict != VERDICT_OK) fail_msg("refused: %s", text);
        assert_sv(r.head.target, cases[i].target);
        assert_sv(r.head.path, cases[i].path);
        assert_sv(r.head.query, cases[i].query);
        x_free(r.copy);
    }
}

static void star_is_for_options_only(void **state)
{
    (void)state;
    struct result r = read_whole(SV("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(r.verdict, VERDICT_OK);
    assert_int_equal(r.head.method, HTTP_OPTIONS);
    assert_sv(r.head.path, SV("*"));
    assert_sv(r.head.query, SV(""));
    x_free(r.copy);
    r = read_whole(SV("GET * HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(r.verdict, VERDICT_BAD);
    assert_int_equal(r.status, 400);
    x_free(r.copy);
}

/* What of the head's flags is expected, by letter: k keep-alive, c chunked, l length, e expect,
 * u upgrade, w websocket. */
struct flag_case {
    const char *flags;
    struct str_view in;
};

static void flags_follow_version_and_fields(void **state)
{
    (void)state;
    static const struct flag_case cases[] = {
        {"k", B(H11 "\r\n")},
        {"", B(H11 "Connection: close\r\n\r\n")},
        {"", B(H11 "Connection: keep-alive, CLOSE\r\n\r\n")},
        {"", B(H11 "Connection: keep-alive\r\nConnection:close\r\n\r\n")},
        {"k", B(H11 "Connection: closed, close-not, not close\r\n\r\n")},
        {"", B("GET / HTTP/1.0\r\n\r\n")},
        {"k", B("GET / HTTP/1.0\r\nConnection: , Keep-Alive ,\r\n\r\n")},
        {"", B("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n")},
        {"kc", B(H11 "Transfer-Encoding: chunked\r\n\r\n")},
        {"kc", B(H11 "TRANSFER-ENCODING:\tChunked \t\r\n\r\n")},
        {"kl", B(H11 "Content-Length: 0\r\n\r\n")},
        {"kl", B(H11 "content-length:\t7 \r\n\r\n")},
        {"ke", B(H11 "Expect: 100-Continue\r\nContent-Type: x\r\n\r\n")},
        {"k", B(H11 "Expect: 200-ok\r\n\r\n")},
        {"", B("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")},
        {"k", B(H11 "Upgrade: websocket\r\n\r\n")},
        {"k", B(H11 "Connection: upgrade\r\n\r\n")},
        {"ku", B(H11 "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")},
        {"kuw", B(H11 "Connection: x, upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n")},
        {"kuw", B(H11 "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: x\r\nConnection: upgrade"
                      "\r\n\r\n")},
        {"k", B(H11 "Upgrade: websocket\r\nConnection: upgrades\r\n\r\n")},
        {"ku", B(H11 "Upgrade: websockets\r\nConnection: upgrade\r\n\r\n")},
        {"k", B("GET / HTTP/1.0\r\nConnection: keep-alive, upgrade\r\nUpgrade: websocket\r\n\r\n")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result r = read_whole(cases[i].in);
        const struct http_head *h = &r.head;
        if (r.verdict != VERDICT_OK) fail_msg("refused: %s", cases[i].in.p);
        char got[8] = "";
        size_t n = 0;
        if (h->keep_alive) got[n++] = 'k';
        if (h->chunked) got[n++] = 'c';
        if (h->has_length) got[n++] = 'l';
        if (h->expect_continue) got[n++] = 'e';
        if (h->upgrade) got[n++] = 'u';
        if (h->upgrade_websocket) got[n++] = 'w';
        if (strcmp(got, cases[i].flags) != 0)
            fail_msg("flags '%s', want '%s': %s", got, cases[i].flags, cases[i].in.p);
        assert_cuts_agree(cases[i].in, MAX_HEAD);
        x_free(r.copy);
    }
}

static void content_length_is_read_up_to_2_53(void **state)
{
    (void)state;
    struct result r = read_whole(SV(H11 "Content-Length: 9007199254740992\r\n\r\n"));
    assert_int_equal(r.verdict, VERDICT_OK);
    assert_int_equal(r.head.length, UINT64_C(1) << 53);
    x_free(r.copy);
    r = read_whole(SV(H11 "Content-Length: 0000000000000000000000012\r\n\r\n"));
    assert_int_equal(r.verdict, VERDICT_OK);
    assert_int_equal(r.head.length, 12);
    x_free(r.copy);
}

static void accepted_oddities(void **state)
{
    (void)state;
    static const struct str_view cases[] = {
        B("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        B("GET / HTTP/1.1\r\nhOST: a.b-c_d:1\r\n\r\n"),
        B("GET / HTTP/1.1\r\nHost: [fe80::1%25en0]:80\r\n\r\n"),
        B("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        B("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        B("12345678901234567890123456789012 / HTTP/1.0\r\n\r\n"),
        B("!#$%&'*+-.^_`|~ / HTTP/1.0\r\n!#$%&'*+-.^_`|~09azAZ:\r\n\r\n"),
        B(H11 "X:\r\nX: \t \r\nX:a:b:\r\nX:\x80\xff \t~\r\n\r\n"),
        B(H11 "X: Content-Length: 5\r\n\r\n"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result r = read_whole(cases[i]);
        if (r.verdict != VERDICT_OK) fail_msg("refused (%s): %s", r.why, cases[i].p);
        assert_int_equal(r.head.size, cases[i].n);
        x_free(r.copy);
        assert_cuts_agree(cases[i], MAX_HEAD);
    }
}

struct bad_case {
    int status;
    struct str_view in;
};

static void assert_all_refused(const struct bad_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct result r = read_whole(cases[i].in);
        if (r.verdict != VERDICT_BAD || r.status != cases[i].status)
            fail_msg("verdict %d status %d, want BAD %d: %s", r.verdict, r.status, cases[i].status,
                     cases[i].in.p);
        assert_non_null(r.why);
        x_free(r.copy);
        assert_cuts_agree(cases[i].in, MAX_HEAD);
    }
}
#define ASSERT_ALL_REFUSED(cases) assert_all_refused((cases), sizeof(cases) / sizeof((cases)[0]))

static void bad_request_lines_are_refused(void **state)
{
    (void)state;
    static const struct bad_case cases[] = {
        {400, B("\x16\x03\x01\x02")}, /* TLS, at its first byte */
        {400, B(" GET / HTTP/1.0\r\n\r\n")},
        {400, B("\nGET / HTTP/1.0\r\n\r\n")},
        {400, B("\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n")},
        {400, B("\r\n\nGET / HTTP/1.0\r\n\r\n")},
        {400, B("\rGET / HTTP/1.0\r\n\r\n")},
        {400, B("\r\r\nGET / HTTP/1.0\r\n\r\n")},
        {400, B("GET\r\n\r\n")},
        {400, B("GET /\r\n\r\n")},
        {400, B("GET / \r\n\r\n")},
        {400, B("GET  HTTP/1.0\r\n\r\n")},
        {400, B("GET  / HTTP/1.0\r\n\r\n")},
        {400, B("GET /  HTTP/1.0\r\n\r\n")},
        {400, B("GET / HTTP/1.0 \r\n\r\n")},
        {400, B("GET\t/ HTTP/1.0\r\n\r\n")},
        {400, B("GET /\tHTTP/1.0\r\n\r\n")},
        {400, B("GET / HTTP/1.0\r\r\n\r\n")},
        {400, B("GET / HTTP/1.0\n\n")},
        {400, B("GET / HTTP/1.0\n\r\n")},
        {400, B("GET / HTTP/1.0\r\n\n")},
        {400, B("GE\x00T / HTTP/1.0\r\n\r\n")},
        {400, B("G(T / HTTP/1.0\r\n\r\n")},
        {400, B("GET: / HTTP/1.0\r\n\r\n")},
        {400, B("123456789012345678901234567890123 / HTTP/1.0\r\n\r\n")},
        {400, B("GET /a b HTTP/1.0\r\n\r\n")},
        {400, B("GET /a#b HTTP/1.0\r\n\r\n")},
        {400, B("GET /\x00 HTTP/1.0\r\n\r\n")},
        {400, B("GET /\x1f HTTP/1.0\r\n\r\n")},
        {400, B("GET /\x7f HTTP/1.0\r\n\r\n")},
        {400, B("GET /\x80 HTTP/1.0\r\n\r\n")},
        {400, B("GET /\r HTTP/1.0\r\n\r\n")},
        {400, B("GET a HTTP/1.0\r\n\r\n")},
        {400, B("GET ?a HTTP/1.0\r\n\r\n")},
        {400, B("GET ** HTTP/1.0\r\n\r\n")},
        {400, B("OPTIONS *?a HTTP/1.0\r\n\r\n")},
        {400, B("CONNECT host:80 HTTP/1.0\r\n\r\n")},
        {400, B("GET https://h/ HTTP/1.0\r\n\r\n")},
        {400, B("GET http:/h/ HTTP/1.0\r\n\r\n")},
        {400, B("GET http:///p HTTP/1.0\r\n\r\n")},
        {400, B("GET http://?q HTTP/1.0\r\n\r\n")},
        {400, B("GET http://u@h/ HTTP/1.0\r\n\r\n")},
        {400, B("GET http://h\\@g/ HTTP/1.0\r\n\r\n")},
        {400, B("GET / http/1.0\r\n\r\n")},
        {400, B("GET / HTTP/1\r\n\r\n")},
        {400, B("GET / HTTP/1.10\r\n\r\n")},
        {400, B("GET / HTTP/1,1\r\n\r\n")},
        {400, B("GET / HTTP/x.1\r\n\r\n")},
        {400, B("GET / HTTPS/1.1\r\n\r\n")},
        {505, B("GET / HTTP/1.2\r\nHost: x\r\n\r\n")},
        {505, B("GET / HTTP/0.9\r\n\r\n")},
        {505, B("GET / HTTP/2.0\r\n\r\n")},
        {505, B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
    };
    ASSERT_ALL_REFUSED(cases);
}

static void bad_fields_are_refused(void **state)
{
    (void)state;
    static const struct bad_case cases[] = {
        {400, B(H11 "A : b\r\n\r\n")},
        {400, B(H11 "A\t: b\r\n\r\n")},
        {400, B(H11 "A\r\n\r\n")},
        {400, B(H11 "A b: c\r\n\r\n")},
        {400, B(H11 ": c\r\n\r\n")},
        {400, B(H11 " A: c\r\n\r\n")},
        {400, B(H11 "A: b\r\n c\r\n\r\n")},
        {400, B(H11 "A: b\r\n\tc\r\n\r\n")},
        {400, B(H11 "A: b\r\n \r\n\r\n")},
        {400, B("GET / HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n")},
        {400, B(H11 "A\x00: b\r\n\r\n")},
        {400, B(H11 "\xc3\xa4: b\r\n\r\n")},
        {400, B(H11 "A(: b\r\n\r\n")},
        {400, B(H11 "A: b\x00\r\n\r\n")},
        {400, B(H11 "A: \x00 b\r\n\r\n")},
        {400, B(H11 "A: b\x01\r\n\r\n")},
        {400, B(H11 "A: b\x0b\r\n\r\n")},
        {400, B(H11 "A: b\x1f\r\n\r\n")},
        {400, B(H11 "A: b\x7f\r\n\r\n")},
        {400, B(H11 "A: b\rB: c\r\n\r\n")},
        {400, B(H11 "A: b\r\r\n\r\n")},
        {400, B(H11 "A: b\nB: c\r\n\r\n")},
        {400, B(H11 "A: b\n\r\n")},
        {400, B(H11 "A: b\r\n\n")},
        {400, B("GET / HTTP/1.1\r\n\r\n")},
        {400, B("GET / HTTP/1.1\r\nHosts: x\r\n\r\n")},
        {400, B(H11 "Host: x\r\n\r\n")},
        {400, B("GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n")},
        {400, B("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")},
        {400, B("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")},
        {400, B("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n")},
        {400, B("GET / HTTP/1.1\r\nHost: \xff\r\n\r\n")},
    };
    ASSERT_ALL_REFUSED(cases);
}

/* Everything by which two readers in a row could disagree about where the body ends. */
static void smuggling_vectors_are_refused(void **state)
{
    (void)state;
    static const struct bad_case cases[] = {
        {400, B(H11 "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG")},
        {400, B(H11 "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\n")},
        {400, B(H11 "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n")},
        {400, B(H11 "Content-Length: 5\r\nContent-Length: 5\r\n\r\n")},
        {400, B(H11 "Content-Length: 5\r\ncontent-length: 6\r\n\r\n")},
        {400, B(H11 "Content-Length: 5, 5\r\n\r\n")},
        {400, B(H11 "Content-Length: 5,\r\n\r\n")},
        {400, B(H11 "Content-Length:\r\n\r\n")},
        {400, B(H11 "Content-Length: +5\r\n\r\n")},
        {400, B(H11 "Content-Length: -5\r\n\r\n")},
        {400, B(H11 "Content-Length: 0x5\r\n\r\n")},
        {400, B(H11 "Content-Length: 5 5\r\n\r\n")},
        {400, B(H11 "Content-Length: 5\t5\r\n\r\n")},
        {400, B(H11 "Content-Length: 5.0\r\n\r\n")},
        {400, B(H11 "Content-Length: \"5\"\r\n\r\n")},
        {400, B(H11 "Content-Length: 5\x00\r\n\r\n")},
        {400, B(H11 "Content-Length: \x0b"
                    "5\r\n\r\n")},
        {400, B(H11 "Content-Length: 9007199254740993\r\n\r\n")},
        {400, B(H11 "Content-Length: 18446744073709551621\r\n\r\n")},
        {400, B(H11 "Content-Length : 5\r\n\r\n")},
        {400, B(H11 "Content-Length\t: 5\r\n\r\n")},
        {400, B(H11 "Content-Length: 5\r\n 6\r\n\r\n")},
        {400, B(H11 "Transfer-Encoding : chunked\r\n\r\n")},
        {400, B(H11 "Transfer-Encoding\x00: chunked\r\n\r\n")},
        {400, B(H11 "Transfer-Encoding: chunked\x00\r\n\r\n")},
        {400, B(H11 "Transfer-Encoding: \x0b"
                    "chunked\r\n\r\n")},
        {400, B(H11 "Transfer-Encoding:\r\n chunked\r\n\r\n")},
        {400, B(H11 "X: a\nTransfer-Encoding: chunked\r\n\r\n")},
        {400, B(H11 "X: a\rTransfer-Encoding: chunked\r\n\r\n")},
        {400, B("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding:\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: xchunked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: chunkedx\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: \"chunked\"\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: identity\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: chunked, identity\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: identity, chunked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: gzip, chunked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: chunked, chunked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: ,chunked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: chunked;a=b\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: chu\tnked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n")},
        {501, B(H11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n")},
    };
    ASSERT_ALL_REFUSED(cases);
}

static void every_byte_is_judged_by_its_class(void **state)
{
    (void)state;
    for (int b = 0; b < 256; b++) {
        bool alnum = (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z');
        bool token = alnum || (b && strchr("!#$%&'*+-.^_`|~", b));
        bool value = b == '\t' || (b >= ' ' && b != 0x7f);
        bool target = b > ' ' && b < 0x7f && b != '#';
        const struct {
            bool ok;
            struct str_view before, after;
        } places[] = {
            {token, B("G"), B("T / HTTP/1.0\r\n\r\n")},
            {token, B("GET / HTTP/1.0\r\na"), B("a: x\r\n\r\n")},
            {value, B("GET / HTTP/1.0\r\na: x"), B("x\r\n\r\n")},
            {target, B("GET /"), B(" HTTP/1.0\r\n\r\n")},
        };
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            if (i == 1 && b == ':') continue; /* ends the name; good in itself */
            char text[64];
            int n = snprintf(text, sizeof(text), "%.*s%c%.*s", SV_ARG(places[i].before), b,
                             SV_ARG(places[i].after));
            struct result r = read_whole(sv_make(text, (size_t)n));
            if ((r.verdict == VERDICT_OK) != places[i].ok) fail_msg("byte %d, place %zu", b, i);
            if (!places[i].ok) assert_int_equal(r.status, 400);
            x_free(r.copy);
        }
    }
}

static void field_count_is_bounded(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct buf b;
        buf_init(&b, 4096);
        assert_true(buf_add_sv(&b, SV("GET / HTTP/1.1\r\nHost: x\r\n")));
        for (int i = 1; i < HTTP_MAX_FIELDS + extra; i++)
            assert_true(buf_addf(&b, "n%d: v%d\r\n", i, i));
        assert_true(buf_add_sv(&b, SV("\r\n")));
        struct result r = read_whole(buf_view(&b));
        assert_int_equal(r.verdict, extra ? VERDICT_BAD : VERDICT_OK);
        if (extra) assert_int_equal(r.status, 431);
        if (!extra) assert_sv(*http_head_get(&r.head, SV("N99")), SV("v99"));
        x_free(r.copy);
        buf_fini(&b);
    }
}

static void size_is_bounded(void **state)
{
    (void)state;
    struct str_view in = SV("\r\nGET /abc HTTP/1.0\r\nA: b\r\n\r\nrest");
    size_t head = in.n - 4, line = 21; /* with the empty line before it */
    for (size_t max = 0; max <= in.n; max++) {
        size_t scan = 0;
        struct result r = read_step(in.p, in.n, max, &scan);
        assert_int_equal(r.verdict, max < head ? VERDICT_BAD : VERDICT_OK);
        if (max < head) assert_int_equal(r.status, max < line ? 414 : 431);
        x_free(r.copy);
        assert_cuts_agree(in, max);
    }
    /* At the bound without an end: no need to wait for another byte. */
    size_t scan = 0;
    struct result r = read_step(in.p, 10, 10, &scan);
    assert_int_equal(r.verdict, VERDICT_BAD);
    assert_int_equal(r.status, 414);
    x_free(r.copy);
}

static void cuts_do_not_matter(void **state)
{
    (void)state;
    static const struct str_view cases[] = {
        B(browser),
        B("\r\n\r\nPOST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1"),
        B("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_cuts_agree(cases[i], MAX_HEAD);
}

static void only_the_first_head_is_taken(void **state)
{
    (void)state;
    struct str_view in = SV("\r\nGET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\nA: b\r\n\r\n\x00");
    size_t scan = 0;
    struct result r = read_step(in.p, in.n, MAX_HEAD, &scan);
    assert_int_equal(r.verdict, VERDICT_OK);
    assert_sv(r.head.path, SV("/1"));
    assert_int_equal(r.head.size, 21);
    size_t first = r.head.size;
    x_free(r.copy);
    r = read_step(in.p + first, in.n - first, MAX_HEAD, &scan); /* *scan as the first left it */
    assert_int_equal(r.verdict, VERDICT_OK);
    assert_sv(r.head.path, SV("/2"));
    assert_int_equal(r.head.nfields, 1);
    x_free(r.copy);
}

static void getters_look_at_all_fields(void **state)
{
    (void)state;
    struct result r = read_whole(SV(H11 "Accept: a , B;q=1,, c\r\nX: 1\r\naccept: D\r\nX: 2\r\n"
                                        "Empty:\r\n\r\n"));
    const struct http_head *h = &r.head;
    assert_int_equal(r.verdict, VERDICT_OK);
    assert_int_equal(http_head_count(h, SV("ACCEPT")), 2);
    assert_int_equal(http_head_count(h, SV("x")), 2);
    assert_int_equal(http_head_count(h, SV("y")), 0);
    assert_sv(*http_head_get(h, SV("x")), SV("1"));
    assert_sv(*http_head_get(h, SV("empty")), SV(""));
    assert_null(http_head_get(h, SV("")));
    assert_true(http_head_has_token(h, SV("accept"), SV("A")));
    assert_true(http_head_has_token(h, SV("accept"), SV("c")));
    assert_true(http_head_has_token(h, SV("accept"), SV("d")));
    assert_false(http_head_has_token(h, SV("accept"), SV("b")));
    assert_false(http_head_has_token(h, SV("accept"), SV("a , b")));
    assert_false(http_head_has_token(h, SV("empty"), SV("a")));
    x_free(r.copy);
}

struct cookie_case {
    struct str_view field, name;
    const char *want; /* NULL: absent */
};

static void cookies_are_found_by_whole_name(void **state)
{
    (void)state;
    static const struct cookie_case cases[] = {
        {B("a=1; b=2"), B("a"), "1"},
        {B("a=1; b=2"), B("b"), "2"},
        {B("a=1;b=2"), B("b"), "2"},
        {B("a=1; b=2"), B("c"), NULL},
        {B("a=1; b=2"), B("A"), NULL},
        {B("ab=1"), B("a"), NULL},
        {B("ab=1"), B("b"), NULL},
        {B("x=a=1"), B("a"), NULL},
        {B("x=a=1"), B("x"), "a=1"},
        {B("a=1; a=2"), B("a"), "1"},
        {B("a; b=2"), B("a"), NULL},
        {B("a"), B("a"), NULL},
        {B("a="), B("a"), ""},
        {B("a=\"\""), B("a"), ""},
        {B("a=\"x y\" ; b=1"), B("a"), "x y"},
        {B("a=\""), B("a"), "\""},
        {B("a=\"x"), B("a"), "\"x"},
        {B(" ; ;a = 1 ;"), B("a"), "1"},
        {B(";;;"), B("a"), NULL},
        {B(""), B("a"), NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        int n = snprintf(text, sizeof(text), H11 "cookie: %.*s\r\nCookie: last=\"9\"\r\n\r\n",
                         SV_ARG(cases[i].field));
        struct result r = read_whole(sv_make(text, (size_t)n));
        struct str_view v = SV("untouched");
        assert_int_equal(r.verdict, VERDICT_OK);
        bool found = http_cookie_get(&r.head, cases[i].name, &v);
        if (found != (cases[i].want != NULL)) fail_msg("case %zu: found %d", i, found);
        assert_sv(v, found ? sv_of(cases[i].want) : SV("untouched"));
        assert_true(http_cookie_get(&r.head, SV("last"), &v));
        assert_sv(v, SV("9"));
        x_free(r.copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browser_upgrade_is_read_whole),
        cmocka_unit_test(targets_reduce_to_path_and_query),
        cmocka_unit_test(star_is_for_options_only),
        cmocka_unit_test(flags_follow_version_and_fields),
        cmocka_unit_test(content_length_is_read_up_to_2_53),
        cmocka_unit_test(accepted_oddities),
        cmocka_unit_test(bad_request_lines_are_refused),
        cmocka_unit_test(bad_fields_are_refused),
        cmocka_unit_test(smuggling_vectors_are_refused),
        cmocka_unit_test(every_byte_is_judged_by_its_class),
        cmocka_unit_test(field_count_is_bounded),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(only_the_first_head_is_taken),
        cmocka_unit_test(getters_look_at_all_fields),
        cmocka_unit_test(cookies_are_found_by_whole_name),
    };
    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
