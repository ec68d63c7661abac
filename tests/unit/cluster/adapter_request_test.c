/* Requests and responses, types 0 to 9: the bytes are those of @socket.io/redis-adapter 8.3 and
 * redis-emitter 5.1, taken from them; the old forms and what must be refused. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Third party */
#include <cmocka.h>
/* Cluster */
#include "cluster/adapter_msg.h"
/* Tests */
#include "unit/hex.h"

#define B(lit)                                                                                     \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_LIST 3

static const struct adapter_limits limits = {
    .max_bytes = 4096, .max_depth = 8, .max_names = 3, .max_attachments = 2};
static struct adapter_decoder *decoder;

struct list {
    struct str_view v[MAX_LIST];
    unsigned n;
};

struct request {
    const char *hex;      /* or */
    struct str_view text; /* JSON */
    enum bus_request_type type;
    struct str_view uid, id, sid, json;
    struct list rooms, except, targets, attachments;
    bool close;
    uint64_t timeout_ms;
};

/* Both ways. */
static const struct request both[] = {
    {.text = B("{\"requestId\":\"x\",\"type\":0,\"rooms\":[\"a\",\"b\"]}"),
     .type = BUS_SOCKETS,
     .id = B("x"),
     .rooms = {{B("a"), B("b")}, 2}},
    {.text = B("{\"uid\":\"Ab12Cd\",\"requestId\":\"JKZiUx\",\"type\":1}"),
     .type = BUS_ALL_ROOMS,
     .uid = B("Ab12Cd"),
     .id = B("JKZiUx")},
    {.text = B("{\"uid\":\"Ab12Cd\",\"type\":2,\"opts\":{\"rooms\":[\"r\"],\"except\":[]},"
               "\"rooms\":[\"j1\",\"j2\"]}"),
     .type = BUS_REMOTE_JOIN,
     .uid = B("Ab12Cd"),
     .rooms = {{B("r")}, 1},
     .targets = {{B("j1"), B("j2")}, 2}},
    {.text = B("{\"type\":2,\"opts\":{\"rooms\":[],\"except\":[]},\"rooms\":[\"r\"]}"),
     .type = BUS_REMOTE_JOIN,
     .targets = {{B("r")}, 1}},
    {.text = B("{\"uid\":\"Ab12Cd\",\"type\":3,\"opts\":{\"rooms\":[],\"except\":[\"x\"]},"
               "\"rooms\":[\"l\"]}"),
     .type = BUS_REMOTE_LEAVE,
     .uid = B("Ab12Cd"),
     .except = {{B("x")}, 1},
     .targets = {{B("l")}, 1}},
    {.text = B("{\"uid\":\"Ab12Cd\",\"type\":4,\"opts\":{\"rooms\":[\"r\"],\"except\":[]},"
               "\"close\":true}"),
     .type = BUS_REMOTE_DISCONNECT,
     .uid = B("Ab12Cd"),
     .rooms = {{B("r")}, 1},
     .close = true},
    {.text = B("{\"type\":4,\"opts\":{\"rooms\":[],\"except\":[]},\"close\":false}"),
     .type = BUS_REMOTE_DISCONNECT},
    {.text = B("{\"requestId\":\"q\",\"type\":2,\"sid\":\"s1\",\"room\":\"r\"}"),
     .type = BUS_REMOTE_JOIN,
     .id = B("q"),
     .sid = B("s1"),
     .targets = {{B("r")}, 1}},
    {.text = B("{\"requestId\":\"q\",\"type\":3,\"sid\":\"s1\",\"room\":\"r\"}"),
     .type = BUS_REMOTE_LEAVE,
     .id = B("q"),
     .sid = B("s1"),
     .targets = {{B("r")}, 1}},
    {.text = B("{\"requestId\":\"q\",\"type\":4,\"sid\":\"s1\",\"close\":true}"),
     .type = BUS_REMOTE_DISCONNECT,
     .id = B("q"),
     .sid = B("s1"),
     .close = true},
    {.text =
         B("{\"uid\":\"Ab12Cd\",\"requestId\":\"V-ZTnB\",\"type\":5,\"opts\":{\"rooms\":[\"r\"],"
           "\"except\":[\"x\"]}}"),
     .type = BUS_REMOTE_FETCH,
     .uid = B("Ab12Cd"),
     .id = B("V-ZTnB"),
     .rooms = {{B("r")}, 1},
     .except = {{B("x")}, 1}},
    {.text = B("{\"uid\":\"Ab12Cd\",\"type\":6,\"data\":[\"ev\",{\"a\":1}]}"),
     .type = BUS_SERVER_SIDE_EMIT,
     .uid = B("Ab12Cd"),
     .json = B("[\"ev\",{\"a\":1}]")},
    {.text = B("{\"uid\":\"Ab12Cd\",\"requestId\":\"QLJaUY\",\"type\":6,\"data\":[\"ev\",1]}"),
     .type = BUS_SERVER_SIDE_EMIT,
     .uid = B("Ab12Cd"),
     .id = B("QLJaUY"),
     .json = B("[\"ev\",1]")},
    {.hex =
         "85a3756964a6416231324364a9726571756573744964a65a7a395f2d30a47479706507a67061636b657483"
         "a47479706502a46461746191a470696e67a36e7370a12fa46f70747383a5726f6f6d7390a665786365707490"
         "a5666c61677381a774696d656f7574cd03e8",
     .type = BUS_BROADCAST,
     .uid = B("Ab12Cd"),
     .id = B("Zz9_-0"),
     .json = B("[\"ping\"]"),
     .timeout_ms = 1000},
    {.hex =
         "85a3756964a6416231324364a9726571756573744964a66d4e6f633257a47479706507a67061636b657483"
         "a47479706502a46461746192a362696ec4026869a36e7370a12fa46f70747383a5726f6f6d7391a172a66578"
         "63657074 90a5666c61677380",
     .type = BUS_BROADCAST,
     .uid = B("Ab12Cd"),
     .id = B("mNoc2W"),
     .json = B("[\"bin\",{\"_placeholder\":true,\"num\":0}]"),
     .rooms = {{B("r")}, 1},
     .attachments = {{B("hi")}, 1}},
};

/* One way. */
static const struct request lenient[] = {
    {.text = B("{ \"type\" : 2 , \"rooms\":[7,\"\\u00e4\\n\",-1],\"opts\":{},\"requestId\":\"x\","
               "\"x\":[{}],\"uid\":null,\"close\":true}"),
     .type = BUS_REMOTE_JOIN,
     .targets = {{B("7"), B("\xc3\xa4\n"), B("-1")}, 3}},
    {.text = B("{\"type\":1,\"requestId\":\"a\",\"requestId\":\"b\\u002Dc\"}"),
     .type = BUS_ALL_ROOMS,
     .id = B("b-c")},
    {.text = B("{\"type\":5,\"requestId\":\"a\"}"), .type = BUS_REMOTE_FETCH, .id = B("a")},
    {.text = B("{\"type\":0,\"requestId\":\"a\"}"), .type = BUS_SOCKETS, .id = B("a")},
    {.text = B("{\"type\":4,\"opts\":{\"rooms\":null},\"close\":1}"),
     .type = BUS_REMOTE_DISCONNECT},
    {.text = B("{\"type\":2,\"opts\":null,\"sid\":\"s\",\"room\":5,\"requestId\":\"i\"}"),
     .type = BUS_REMOTE_JOIN,
     .id = B("i"),
     .sid = B("s"),
     .targets = {{B("5")}, 1}},
    {.text = B("{\"type\":6,\"data\":[3],\"requestId\":null}"),
     .type = BUS_SERVER_SIDE_EMIT,
     .json = B("[3]")},
    /* no uid, no nsp, no opts, a time that is none, keys in another order */
    {.hex = "84 a6 7061636b6574 82 a464617461 91a165 a474797065 05 a474797065 07"
            "a9726571756573744964 a169 a46f707473 81 a5666c616773 81 a774696d656f7574 "
            "cbbff0000000000000",
     .type = BUS_BROADCAST,
     .id = B("i"),
     .json = B("[\"e\"]")},
};

static void assert_text(struct str_view got, struct str_view want)
{
    if (!sv_eq(got, want)) print_error("%.*s, not %.*s\n", SV_ARG(got), SV_ARG(want));
    assert_true(sv_eq(got, want));
}

static void assert_list(const struct str_view *v, unsigned n, const struct list *want)
{
    assert_int_equal(n, want->n);
    for (unsigned i = 0; i < n; i++)
        assert_text(v[i], want->v[i]);
}

/* Gives: free with unhex_free. */
static struct str_view bytes_of(const char *hex, struct str_view text)
{
    if (hex) return unhex(hex);
    char *p = x_malloc(text.n ? text.n : 1);
    if (text.n) memcpy(p, text.p, text.n);
    return sv_make(p, text.n);
}

static void decode_request(const struct request *want)
{
    struct str_view bytes = bytes_of(want->hex, want->text);
    struct bus_request r;
    const char *why;
    enum verdict v = adapter_decode_request(decoder, bytes, SV("/"), &r, &why);
    if (v != VERDICT_OK) print_error("%.*s: %s\n", SV_ARG(bytes), why);
    assert_int_equal(v, VERDICT_OK);
    assert_int_equal(r.type, want->type);
    assert_text(r.nsp, SV("/"));
    assert_text(r.uid, want->uid);
    assert_text(r.id, want->id);
    assert_text(r.sid, want->sid);
    assert_text(r.json, want->json);
    assert_int_equal(r.close, want->close);
    assert_int_equal(r.timeout_ms, want->timeout_ms);
    assert_list(r.rooms, r.nrooms, &want->rooms);
    assert_list(r.except, r.nexcept, &want->except);
    assert_list(r.targets, r.ntargets, &want->targets);
    assert_list(r.attachments, r.nattachments, &want->attachments);
    unhex_free(bytes);
}

static void requests_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(both); i++)
        decode_request(&both[i]);
    for (size_t i = 0; i < COUNT(lenient); i++)
        decode_request(&lenient[i]);
}

static void requests_are_written_as_node_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(both); i++) {
        const struct request *v = &both[i];
        struct str_view bytes = bytes_of(v->hex, v->text);
        struct bus_request r = {
            .type = v->type,
            .nsp = SV("/"),
            .uid = v->uid,
            .id = v->id,
            .sid = v->sid,
            .json = v->json,
            .rooms = v->rooms.v,
            .nrooms = v->rooms.n,
            .except = v->except.v,
            .nexcept = v->except.n,
            .targets = v->targets.v,
            .ntargets = v->targets.n,
            .attachments = v->attachments.v,
            .nattachments = v->attachments.n,
            .close = v->close,
            .timeout_ms = v->timeout_ms,
        };
        for (size_t max = 0; max <= bytes.n; max++) {
            struct buf out;
            buf_init(&out, max);
            assert_int_equal(adapter_encode_request(&out, &r), max == bytes.n);
            assert_text(buf_view(&out), max == bytes.n ? bytes : SV(""));
            buf_fini(&out);
        }
        unhex_free(bytes);
    }
}

static const struct {
    const char *text, *why;
} bad_requests[] = {
    {"", "malformed MessagePack"},
    {"{", "unexpected end of JSON"},
    {"{}", "unknown request type"},
    {"{\"type\":7,\"requestId\":\"x\"}", "unknown request type"},
    {"{\"type\":8,\"requestId\":\"x\"}", "unknown request type"},
    {"{\"type\":99999999999999999999,\"requestId\":\"x\"}", "number too large"},
    {"{\"type\":\"1\",\"requestId\":\"x\"}", "number expected"},
    {"{\"type\":-1,\"requestId\":\"x\"}", "number expected"},
    {"{\"type\":1e0,\"requestId\":\"x\"}", "number expected"},
    {"{\"type\":1}", "request without id"},
    {"{\"type\":1,\"requestId\":\"\"}", "request without id"},
    {"{\"type\":1,\"requestId\":5}", "text expected"},
    {"{\"type\":1,\"requestId\":\"x\",\"uid\":{}}", "text expected"},
    {"{\"type\":0,\"requestId\":\"x\",\"rooms\":{}}", "illegal rooms"},
    {"{\"type\":0,\"requestId\":\"x\",\"rooms\":[null]}", "illegal room"},
    {"{\"type\":0,\"requestId\":\"x\",\"rooms\":[1.5]}", "illegal room"},
    {"{\"type\":0,\"requestId\":\"x\",\"rooms\":[1,2,3,4]}", "too many rooms"},
    {"{\"type\":2,\"opts\":{}}", "illegal rooms"},
    {"{\"type\":2,\"opts\":{\"rooms\":\"a\"},\"rooms\":[]}", "illegal rooms"},
    {"{\"type\":2,\"opts\":{\"except\":[[]]},\"rooms\":[]}", "illegal room"},
    {"{\"type\":2,\"room\":\"a\"}", "request for no socket"},
    {"{\"type\":2,\"sid\":\"a\"}", "illegal room"},
    {"{\"type\":4,\"close\":true}", "request for no socket"},
    {"{\"type\":6}", "illegal event"},
    {"{\"type\":6,\"data\":{}}", "illegal event"},
    {"{\"type\":6,\"data\":[]}", "illegal event"},
    {"{\"type\":6,\"data\":[null]}", "illegal event"},
    {"{\"type\":6,\"data\":[\"connection\"]}", "reserved event name"},
    {"{\"type\":6,\"data\":[\"conn\\u0065ct\"]}", "reserved event name"},
    {"{\"type\":6,\"data\":[\"new_namespace\"]}", "reserved event name"},
    {"{\"type\":6,\"data\":[\"\xff\"]}", "not UTF-8"},
    {"{\"type\":6,\"data\":[\"e\",[[[[[[[[[[]]]]]]]]]]}", "JSON nested too deep"},
};

static void bad_requests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_requests); i++) {
        struct str_view bytes = bytes_of(NULL, sv_of(bad_requests[i].text));
        struct bus_request r;
        const char *why;
        enum verdict v = adapter_decode_request(decoder, bytes, SV("/"), &r, &why);
        if (v != VERDICT_BAD) print_error("%s\n", bad_requests[i].text);
        assert_int_equal(v, VERDICT_BAD);
        assert_string_equal(why, bad_requests[i].why);
        unhex_free(bytes);
    }
}

/* Of type 7. */
static const struct {
    const char *hex, *why;
} bad_packs[] = {
    {"90", "map expected"},
    {"80", "unknown request type"},
    {"81 a474797065 01", "unknown request type"},
    {"81 a474797065 07", "request without id"},
    {"82 a474797065 07 a9726571756573744964 a169", "not an event"},
    {"83 a474797065 07 a9726571756573744964 a169 a67061636b6574 81 a474797065 02", "illegal event"},
    {"83 a474797065 07 a9726571756573744964 a169 a67061636b6574 82 a474797065 02 a464617461 91a165"
     "00",
     "bytes behind the message"},
    {"83 a474797065 07 a9726571756573744964 a169 a67061636b6574 83 a474797065 02 a464617461 91a165"
     "a36e7370 a22f62",
     "another namespace"},
};

static void bad_ack_requests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_packs); i++) {
        struct str_view bytes = unhex(bad_packs[i].hex);
        struct bus_request r;
        const char *why;
        assert_int_equal(adapter_decode_request(decoder, bytes, SV("/"), &r, &why), VERDICT_BAD);
        assert_string_equal(why, bad_packs[i].why);
        unhex_free(bytes);
    }
}

static void the_namespace_is_the_channels(void **state)
{
    struct bus_request r;
    struct bus_response a;
    const char *why;
    (void)state;
    assert_int_equal(adapter_decode_request(decoder, both[1].text, SV("/a"), &r, &why), VERDICT_OK);
    assert_text(r.nsp, SV("/a"));
    assert_int_equal(adapter_decode_request(decoder, both[1].text, SV(""), &r, &why), VERDICT_OK);
    assert_text(r.nsp, SV("/"));
    assert_int_equal(
        adapter_decode_response(decoder, SV("{\"requestId\":\"x\"}"), SV("/a"), &a, &why),
        VERDICT_OK);
    assert_text(a.nsp, SV("/a"));
}

/* --- responses */

struct response {
    const char *hex;
    struct str_view text;
    enum bus_response_type type;
    struct str_view id, uid, json;
    struct list attachments;
    uint64_t count;
    bool is_cut;
};

static const struct response answers[] = {
    {.text = B("{\"requestId\":\"x\"}"), .type = BUS_DONE, .id = B("x")},
    {.text = B("{\"requestId\":\"x\",\"sockets\":[\"a\",\"b\"]}"),
     .type = BUS_SOCKET_IDS,
     .id = B("x"),
     .json = B("[\"a\",\"b\"]")},
    {.text = B("{\"requestId\":\"y\",\"rooms\":[\"a\",1]}"),
     .type = BUS_ROOMS,
     .id = B("y"),
     .json = B("[\"a\",1]")},
    {.text = B("{\"requestId\":\"z\",\"sockets\":[]}"),
     .type = BUS_FETCHED,
     .id = B("z"),
     .json = B("[]")},
    {.text = B("{\"requestId\":\"z\",\"sockets\":[{\"id\":\"a\",\"handshake\":{},\"rooms\":[\"a\"],"
               "\"data\":{}}],\"uid\":\"peal-1\"}"),
     .type = BUS_FETCHED,
     .id = B("z"),
     .uid = B("peal-1"),
     .json = B("[{\"id\":\"a\",\"handshake\":{},\"rooms\":[\"a\"],\"data\":{}}]")},
    {.text = B("{\"requestId\":\"z\",\"rooms\":[\"a\"],\"uid\":\"peal-1\",\"cut\":true}"),
     .type = BUS_ROOMS,
     .id = B("z"),
     .uid = B("peal-1"),
     .json = B("[\"a\"]"),
     .is_cut = true},
    {.text = B("{\"type\":6,\"requestId\":\"w\",\"data\":{\"ok\":1}}"),
     .type = BUS_SERVER_ACK,
     .id = B("w"),
     .json = B("{\"ok\":1}")},
    {.text = B("{\"type\":6,\"requestId\":\"w\"}"), .type = BUS_SERVER_ACK, .id = B("w")},
    {.text = B("{\"type\":6,\"requestId\":\"w\",\"data\":null,\"uid\":\"u\"}"),
     .type = BUS_SERVER_ACK,
     .id = B("w"),
     .uid = B("u"),
     .json = B("null")},
    {.text = B("{\"type\":8,\"requestId\":\"v\",\"clientCount\":0}"),
     .type = BUS_CLIENT_COUNT,
     .id = B("v")},
    {.text = B("{\"type\":8,\"requestId\":\"v\",\"clientCount\":12345,\"uid\":\"u\"}"),
     .type = BUS_CLIENT_COUNT,
     .id = B("v"),
     .uid = B("u"),
     .count = 12345},
    {.hex = "83a47479706509a9726571756573744964a65a7a395f2d30a67061636b6574a26f6b",
     .type = BUS_CLIENT_ACK,
     .id = B("Zz9_-0"),
     .json = B("\"ok\"")},
    {.hex = "82a47479706509a9726571756573744964a65a7a395f2d30",
     .type = BUS_CLIENT_ACK,
     .id = B("Zz9_-0")},
    {.hex = "83a47479706509a9726571756573744964a65a7a395f2d30a67061636b657481a162c4026869",
     .type = BUS_CLIENT_ACK,
     .id = B("Zz9_-0"),
     .json = B("{\"b\":{\"_placeholder\":true,\"num\":0}}"),
     .attachments = {{B("hi")}, 1}},
    {.hex = "83a47479706509a9726571756573744964a65a7a395f2d30a3756964a6 7065616c2d31",
     .type = BUS_CLIENT_ACK,
     .id = B("Zz9_-0"),
     .uid = B("peal-1")},
    /* what MessagePack cannot carry: 2^64 */
    {.hex = "84a47479706509a9726571756573744964a178a67061636b6574cb43f0000000000000"
            "a47065616c81a46a736f6eb43138343436373434303733373039353531363136",
     .type = BUS_CLIENT_ACK,
     .id = B("x"),
     .json = B("18446744073709551616")},
};

static void assert_response(const struct bus_response *r, const struct response *want)
{
    assert_int_equal(r->type, want->type);
    assert_text(r->id, want->id);
    assert_text(r->uid, want->uid);
    assert_text(r->to, SV(""));
    assert_text(r->json, want->json);
    assert_int_equal(r->count, want->count);
    assert_int_equal(r->is_cut, want->is_cut);
    assert_list(r->attachments, r->nattachments, &want->attachments);
}

static void responses_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        const struct response *v = &answers[i];
        struct str_view bytes = bytes_of(v->hex, v->text);
        struct bus_response r;
        const char *why;
        assert_int_equal(adapter_decode_response(decoder, bytes, SV("/"), &r, &why), VERDICT_OK);
        assert_response(&r, v);
        for (size_t max = 0; max <= bytes.n; max++) {
            struct buf out;
            buf_init(&out, max);
            assert_int_equal(adapter_encode_response(&out, &r), max == bytes.n);
            assert_text(buf_view(&out), max == bytes.n ? bytes : SV(""));
            buf_fini(&out);
        }
        unhex_free(bytes);
    }
}

/* Undefined is no null. */
static void an_undefined_ack_is_an_empty_text(void **state)
{
    struct str_view bytes = unhex("83a47479706509a9726571756573744964a178a67061636b6574d40000");
    struct bus_response r;
    const char *why;
    (void)state;
    assert_int_equal(adapter_decode_response(decoder, bytes, SV("/"), &r, &why), VERDICT_OK);
    assert_int_equal(r.type, BUS_CLIENT_ACK);
    assert_text(r.json, SV(""));
    unhex_free(bytes);
}

static const struct {
    const char *text, *why;
} bad_responses[] = {
    {"", "malformed MessagePack"},
    {"{}", "response without id"},
    {"{\"requestId\":1}", "text expected"},
    {"{\"requestId\":\"x\",\"type\":5}", "unknown response type"},
    {"{\"requestId\":\"x\",\"type\":9}", "unknown response type"},
    {"{\"requestId\":\"x\",\"type\":8}", "number expected"},
    {"{\"requestId\":\"x\",\"type\":8,\"clientCount\":-1}", "number expected"},
    {"{\"requestId\":\"x\",\"type\":8,\"clientCount\":[]}", "number expected"},
    {"{\"requestId\":\"x\",\"type\":8,\"clientCount\":9007199254740992}", "number too large"},
    {"{\"requestId\":\"x\",\"sockets\":{}}", "illegal response"},
    {"{\"requestId\":\"x\",\"rooms\":\"a\"}", "illegal response"},
    {"{\"requestId\":\"x\",\"rooms\":[{}]}", "illegal rooms"},
    {"{\"requestId\":\"x\",\"sockets\":[1]}", "illegal sockets"},
    {"{\"requestId\":\"x\",\"sockets\":[{}]}", "illegal sockets"},
    {"{\"requestId\":\"x\",\"sockets\":[{\"id\":5}]}", "illegal sockets"},
    {"{\"requestId\":\"x\",\"sockets\":[\"a\",{\"id\":\"b\"}]}", "illegal sockets"},
    {"\x80", "unknown response type"},
    {"\x81\xa4type\x06", "unknown response type"},
    {"\x81\xa4type\x09", "response without id"},
    {"\x82\xa4type\x09\xa9requestId\xa1x.", "bytes behind the message"},
    {"\x83\xa4type\x09\xa9requestId\xa1x\xa6packet", "malformed MessagePack"},
    {"\x83\xa4type\x09\xa9requestId\xa1x\xa6packet\x91\x91\x91\x91\x91\x91\x91\x91\x91\x90",
     "nested too deep"},
};

static void bad_responses_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_responses); i++) {
        struct str_view bytes = bytes_of(NULL, sv_of(bad_responses[i].text));
        struct bus_response r;
        const char *why;
        enum verdict v = adapter_decode_response(decoder, bytes, SV("/"), &r, &why);
        if (v != VERDICT_BAD) print_error("%s\n", bad_responses[i].text);
        assert_int_equal(v, VERDICT_BAD);
        assert_string_equal(why, bad_responses[i].why);
        unhex_free(bytes);
    }
}

/* Every message, cut at every place. */
static void what_is_cut_short_is_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(both) + COUNT(lenient) + COUNT(answers); i++) {
        const struct request *q =
            i < COUNT(both) ? &both[i] : &lenient[(i - COUNT(both)) % COUNT(lenient)];
        bool asks = i < COUNT(both) + COUNT(lenient);
        const struct response *a = &answers[asks ? 0 : i - COUNT(both) - COUNT(lenient)];
        struct str_view bytes = bytes_of(asks ? q->hex : a->hex, asks ? q->text : a->text);
        for (size_t n = 0; n < bytes.n; n++) {
            struct str_view cut = bytes_of(NULL, sv_make(bytes.p, n));
            struct bus_request r;
            struct bus_response s;
            const char *why;
            assert_int_equal(asks ? adapter_decode_request(decoder, cut, SV("/"), &r, &why)
                                  : adapter_decode_response(decoder, cut, SV("/"), &s, &why),
                             VERDICT_BAD);
            unhex_free(cut);
        }
        unhex_free(bytes);
    }
}

static int set_up(void **state)
{
    (void)state;
    decoder = adapter_decoder_new(&limits);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    adapter_decoder_free(decoder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(requests_are_written_as_node_does),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(bad_ack_requests_are_refused),
        cmocka_unit_test(the_namespace_is_the_channels),
        cmocka_unit_test(responses_go_both_ways),
        cmocka_unit_test(an_undefined_ack_is_an_empty_text),
        cmocka_unit_test(bad_responses_are_refused),
        cmocka_unit_test(what_is_cut_short_is_bad),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
