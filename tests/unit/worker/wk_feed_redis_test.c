/* The feed on a real Redis: leases, results, fencing, dead letters, what is not an item. */

/* System */
#include <signal.h>
#include <string.h>
/* Util */
#include "util/x_alloc.h"
/* Cluster */
#include "cluster/bus_names.h"
/* Tests */
#include "unit/io/redis_fixture.h"
#include "worker/wk_feed_redis.h"
#include "worker/wk_scripts.h"

#define JOBS 64

struct seen {
    struct wk_feed *feed;
    const char *uid;
    struct wk_ticket tickets[JOBS];
    char ids[JOBS][40];
    unsigned deaths[JOBS];
    unsigned n, revoked, stopped;
};

static struct fixture *fixture;
static struct seen a, b;

static void on_item(void *arg, const struct wk_ticket *t, const struct work_item *item,
                    unsigned deaths)
{
    struct seen *s = arg;
    assert_in_range(s->n, 0, JOBS - 1);
    s->tickets[s->n] = *t;
    s->deaths[s->n] = deaths;
    snprintf(s->ids[s->n++], sizeof(s->ids[0]), "%.*s", SV_ARG(item->id));
}

static void on_revoked(void *arg, unsigned partition)
{
    (void)partition;
    ((struct seen *)arg)->revoked++;
}

static void on_stopped(void *arg)
{
    ((struct seen *)arg)->stopped++;
}

static const struct wk_feed_events events = {
    .item = on_item, .revoked = on_revoked, .stopped = on_stopped};

static bool on_turn(void *arg)
{
    (void)arg;
    if (a.feed) a.feed->ops->flush(a.feed);
    if (b.feed) b.feed->ops->flush(b.feed);
    return false;
}

static void start(struct seen *s, const char *uid)
{
    struct cfg_error err;
    *s = (struct seen){.uid = uid};
    s->feed = wk_feed_redis_new(&fixture->cfg, fixture->loop, sv_of(uid), &events, s, &err);
    if (!s->feed) fail_msg("%s", err.text);
}

static void end(struct seen *s)
{
    if (s->feed) s->feed->ops->free(s->feed);
    s->feed = NULL;
}

static int begin(void **state)
{
    int result = fixture_begin(state);
    fixture = *state;
    a = b = (struct seen){0};
    loop_add_phase(fixture->loop, on_turn, NULL);
    fixture_set(fixture, "work.partitions=4");
    fixture_set(fixture, "worker.lease_time=600");
    fixture_set(fixture, "worker.in_hand=8");
    fixture_set(fixture, "bus.key=k");
    return result;
}

static int finish_all(void **state)
{
    end(&a);
    end(&b);
    return fixture_end(state);
}

static void serve(void)
{
    fixture_serve(fixture, NULL);
    fixture_link(fixture, &fixture->one, "test");
    UNTIL(fixture, fixture->one.ups == 1);
}

static const char *ask(const char *words)
{
    return fixture_ask(fixture, &fixture->one, words);
}

/* What a script answers. */
static const char *eval(const char *script, const char *const *words, size_t n)
{
    struct str_view argv[24] = {SV("EVAL"), sv_of(script)};
    unsigned before = fixture->one.answers;
    assert_in_range(n, 0, 22);
    for (size_t i = 0; i < n; i++)
        argv[i + 2] = sv_of(words[i]);
    redis_link_command(fixture->one.link, fixture_on_answer, &fixture->one, n + 2, argv);
    UNTIL(fixture, fixture->one.answers == before + 1);
    return fixture->one.last;
}

/* An event of a socket, in partition 1. */
static void add(const char *id)
{
    char words[400];
    snprintf(
        words, sizeof(words),
        "XADD k-peal-work#{1} * type event id %s nsp / sid s gateway g serial 1 user u claims {} "
        "data null time 1",
        id);
    /* fixture_command takes 16 words; the rest goes by hand */
    struct str_view argv[40], rest = sv_of(words);
    size_t n = 0;
    while (rest.n) {
        size_t at = sv_find(rest, ' ');
        argv[n++] = sv_make(rest.p, at);
        rest = at < rest.n ? sv_skip(rest, at + 1) : SV("");
    }
    argv[n++] = SV("event");
    argv[n++] = SV("chat");
    argv[n++] = SV("args");
    argv[n++] = SV("[\"chat\",1]");
    redis_link_command(fixture->one.link, NULL, NULL, n, argv);
}

static void finish(struct seen *s, unsigned i, const char *room)
{
    struct wk_result r;
    struct str_view rooms[1] = {sv_of(room)};
    struct bus_msg m = {
        .nsp = SV("/"), .json = SV("[\"out\",1]"), .rooms = rooms, .nrooms = room ? 1 : 0};
    wk_result_init(&r);
    if (room) assert_true(wk_result_publish(&r, &m));
    s->feed->ops->finish(s->feed, &s->tickets[i], &r);
    assert_int_equal(r.n, 0);
}

static void test_takes_all_and_finishes_once(void **state)
{
    (void)state;
    serve();
    fixture_link(fixture, &fixture->two, "listener");
    UNTIL(fixture, fixture->two.ups == 1);
    struct str_view channel = SV("k#/#r#");
    redis_link_subscribe(fixture->two.link, false, &channel, 1);
    UNTIL(fixture, fixture->two.subscribed == 1);
    start(&a, "A");
    add("g-1");
    UNTIL(fixture, a.n == 1);
    assert_int_equal(a.feed->stats.partitions, 4);
    assert_null(a.feed->ops->trouble(a.feed));
    assert_string_equal(a.ids[0], "g-1");
    assert_int_equal(a.deaths[0], 0);
    assert_true(a.feed->ops->is_mine(a.feed, 1));
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "1"); /* not done is in the stream */
    finish(&a, 0, "r");
    finish(&a, 0, "r"); /* twice */
    UNTIL(fixture, a.feed->stats.finished == 2 && fixture->two.messages >= 1);
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "0");
    assert_int_equal(fixture->two.messages, 1);
    assert_int_equal(a.feed->stats.in_hand, 0);

    add("g-1"); /* a repeat of the gateway's */
    add("g-2");
    UNTIL(fixture, a.n == 2);
    assert_string_equal(a.ids[1], "g-2");
    assert_int_equal(a.feed->stats.repeats, 1);
    UNTIL(fixture, strcmp(ask("XLEN k-peal-work#{1}"), "1") == 0);
    ask("SCRIPT FLUSH");
    finish(&a, 1, "r");
    UNTIL(fixture, strcmp(ask("XLEN k-peal-work#{1}"), "0") == 0);
}

static void test_shares_and_gives_back(void **state)
{
    (void)state;
    serve();
    start(&a, "A");
    UNTIL(fixture, a.feed->stats.partitions == 4);
    start(&b, "B");
    UNTIL(fixture, a.feed->stats.partitions == 2 && b.feed->stats.partitions == 2);
    assert_int_equal(a.feed->stats.given, 2);
    assert_int_equal(a.revoked, 0);
    add("g-1");
    UNTIL(fixture, a.n + b.n == 1);
    struct seen *has = a.n ? &a : &b, *other = a.n ? &b : &a;
    has->feed->ops->stop(has->feed);
    UNTIL(fixture, other->feed->stats.partitions == 3);
    assert_int_equal(has->stopped, 0); /* something is in hand */
    finish(has, 0, NULL);
    UNTIL(fixture, has->stopped == 1);
    UNTIL(fixture, other->feed->stats.partitions == 4);
    assert_string_equal(ask("ZRANGE k-peal-workers 0 -1"), other == &a ? "[A]" : "[B]");
    assert_string_equal(ask("HLEN k-peal-tries#{1}"), "1"); /* its owner */
}

/* The worker is paused, or its network is: it says nothing any more, and another one takes over. */
static void test_a_fenced_result_has_no_effect(void **state)
{
    (void)state;
    serve();
    start(&a, "A");
    add("g-1");
    UNTIL(fixture, a.n == 1);
    ask("DEL k-peal-lease#{1}");
    finish(&a, 0, "r");
    UNTIL(fixture, a.revoked == 1);
    assert_int_equal(a.feed->stats.fenced, 1);
    assert_int_equal(a.feed->stats.finished, 0);
    UNTIL(fixture, a.n == 2); /* taken again, read again */
    assert_string_equal(a.ids[1], "g-1");
    assert_int_equal(a.deaths[1], 0); /* its own lease: nobody died */
    finish(&a, 1, NULL);
    UNTIL(fixture, a.feed->stats.finished == 1);
}

/* What is told gateway g directly. */
static void hear_gateway(void)
{
    struct str_view channel = SV("k-peal-direct#g");
    fixture_link(fixture, &fixture->two, "gateway");
    UNTIL(fixture, fixture->two.ups == 1);
    redis_link_subscribe(fixture->two.link, false, &channel, 1);
    UNTIL(fixture, fixture->two.subscribed == 1);
}

/* Others were asked for as well: they leave, and the item is done. */
static void test_an_effect_that_no_message_takes(void **state)
{
    char json[2000];
    struct wk_result r;
    struct node_cmd c = {.type = NODE_ACK, .nsp = SV("/"), .sid = SV("s")};
    struct node_cmd small = {.type = NODE_ACK, .nsp = SV("/"), .sid = SV("s"), .json = SV("[1]")};
    (void)state;
    snprintf(json, sizeof(json), "[\"%01500d\"]", 0);
    c.json = sv_of(json);
    fixture_set(fixture, "bus.max_message=1024");
    serve();
    hear_gateway();
    start(&a, "A");
    add("g-1");
    UNTIL(fixture, a.n == 1);
    wk_result_init(&r);
    assert_true(wk_result_direct(&r, SV("g"), &c, 4096));
    assert_true(wk_result_direct(&r, SV("other"), &small, 4096));
    assert_true(wk_result_direct(&r, SV("g"), &small, 4096));
    a.feed->ops->finish(a.feed, &a.tickets[0], &r);
    UNTIL(fixture, a.feed->stats.finished == 1 && fixture->two.messages == 1);
    assert_int_equal(a.feed->stats.unsendable, 1);
}

static int stepped;

static void on_stepped(void *arg, enum wk_stepped how)
{
    (void)arg;
    stepped = (int)how;
}

static int step(void)
{
    struct wk_result r;
    struct node_cmd c = {.type = NODE_SYNC, .from = SV("A"), .token = 1};
    wk_result_init(&r);
    assert_true(wk_result_direct(&r, SV("g"), &c, 1024));
    stepped = -1;
    a.feed->ops->step(a.feed, &a.tickets[0], &r, on_stepped, NULL);
    UNTIL(fixture, stepped >= 0);
    return stepped;
}

static void test_steps_are_heard_or_not(void **state)
{
    (void)state;
    serve();
    start(&a, "A");
    add("g-1");
    UNTIL(fixture, a.n == 1);
    assert_int_equal(step(), WK_STEP_NOBODY);
    hear_gateway();
    assert_int_equal(step(), WK_STEP_TAKEN);
    assert_int_equal(a.feed->stats.in_hand, 1);
    ask("DEL k-peal-work#{1}"); /* somebody has taken the entry out */
    assert_int_equal(step(), WK_STEP_REFUSED);
    assert_int_equal(a.feed->stats.in_hand, 0);
}

static void test_suspects_come_one_at_a_time(void **state)
{
    (void)state;
    serve();
    start(&a, "A");
    add("g-1");
    add("g-2");
    UNTIL(fixture, a.n == 2);
    end(&a); /* as by SIGKILL: nothing is given back */
    start(&b, "B");
    add("g-3");
    UNTIL(fixture, b.n == 1);
    assert_int_equal(b.deaths[0], 1);
    assert_string_equal(ask("HLEN k-peal-tries#{1}"), "3"); /* owner, died, the note */
    end(&b);
    start(&a, "C");
    UNTIL(fixture, a.n == 1);
    assert_string_equal(a.ids[0], "g-1");
    assert_int_equal(a.deaths[0], 2);
    struct wk_result r;
    wk_result_init(&r);
    a.feed->ops->bury(a.feed, &a.tickets[0], NULL, SV("it kills"), 2, &r);
    UNTIL(fixture, a.n == 2);
    assert_string_equal(a.ids[1], "g-2");
    assert_int_equal(a.deaths[1], 1);
    finish(&a, 1, NULL);
    UNTIL(fixture, a.n == 3);
    finish(&a, 2, NULL);
    UNTIL(fixture, strcmp(ask("HGETALL k-peal-tries#{1}"), "[owner C]") == 0);
    const char *dead = ask("XRANGE k-peal-dead - +");
    assert_non_null(strstr(dead, "dead.why it kills dead.attempts 2 dead.partition 1 dead.entry "));
    assert_non_null(strstr(dead, "id g-1"));
}

static void test_what_is_no_item_is_buried(void **state)
{
    (void)state;
    serve();
    ask("XADD k-peal-work#{1} * a b");
    ask("XADD k-peal-work#{1} * dead.why forged id x");
    ask("SET k-peal-work#{2} nonsense");
    start(&a, "A");
    add("g-1");
    /* A key of another type is Redis's refusal of the whole question. */
    UNTIL(fixture, a.feed->stats.buried >= 1 || a.feed->ops->trouble(a.feed));
    ask("DEL k-peal-work#{2}");
    UNTIL(fixture, a.n == 1 && a.feed->stats.buried == 2);
    assert_int_equal(a.feed->stats.bad, 2);
    assert_string_equal(ask("XLEN k-peal-dead"), "2");
    assert_null(strstr(ask("XRANGE k-peal-dead - +"), "forged"));
}

static void bury(unsigned i)
{
    struct wk_result r;
    wk_result_init(&r);
    a.feed->ops->bury(a.feed, &a.tickets[i], NULL, SV("it fails"), 1, &r);
}

/* A Redis that is full must be emptied, by those who need no room for that. */
static void test_redis_without_memory(void **state)
{
    (void)state;
    serve();
    add("g-1");
    add("g-2");
    ask("HSET k-peal-tries#{1} owner X died 1"); /* so they are suspects, and noted */
    assert_string_equal(ask("CONFIG SET maxmemory 1"), "OK");
    assert_non_null(strstr(ask("SET x y"), "OOM"));
    start(&a, "A");
    UNTIL(fixture, a.n == 1);
    assert_int_equal(a.deaths[0], 1);
    bury(0);
    UNTIL(fixture, a.n == 2);
    finish(&a, 1, NULL);
    UNTIL(fixture, a.feed->stats.finished == 1);
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "0");
    assert_string_equal(ask("XLEN k-peal-dead"), "1");
    assert_int_equal(a.feed->stats.lost, 0);
}

static void test_dead_letters_that_are_refused(void **state)
{
    (void)state;
    serve();
    ask("SET k-peal-dead nonsense");
    start(&a, "A");
    add("g-1");
    add("g-2");
    UNTIL(fixture, a.n == 2);
    bury(0);
    finish(&a, 1, NULL);
    UNTIL(fixture, a.feed->stats.finished == 1);
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "1"); /* it is not lost */
    assert_int_equal(a.feed->stats.buried, 0);
    assert_int_equal(a.feed->stats.in_hand, 1);
    ask("DEL k-peal-dead");
    UNTIL(fixture, a.feed->stats.buried == 1);
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "0");
    assert_string_equal(ask("XLEN k-peal-dead"), "1");
    assert_int_equal(a.feed->stats.in_hand, 0);
    assert_int_equal(a.n, 2);

    ask("DEL k-peal-dead");
    ask("SET k-peal-dead nonsense"); /* one that is kept when the lease goes, one when all ends */
    add("g-3");
    UNTIL(fixture, a.n == 3);
    bury(2);
    ask("DEL k-peal-lease#{1}");
    UNTIL(fixture, a.n == 4);
    bury(3);
}

/* Whoever waits for an entry that can be read, but is no item. */
static void test_who_waits_for_what_is_no_item_is_told(void **state)
{
    (void)state;
    fixture_set(fixture, "work.max_item=1024");
    serve();
    hear_gateway();
    ask("XADD k-peal-work#{1} * type event nsp / sid s gateway g");
    start(&a, "A");
    ask("XADD k-peal-work#{1} * type event nsp / sid s gateway g serial 1");
    ask("XADD k-peal-work#{1} * type event nsp / sid s gateway g serial x ack 1");
    UNTIL(fixture, a.feed->stats.buried == 3);
    assert_int_equal(fixture->two.messages, 0);
    ask("XADD k-peal-work#{1} * type event nsp / sid s gateway g serial 1 ack 5");
    UNTIL(fixture, fixture->two.messages == 1);
    assert_non_null(strstr(fixture->two.last, "\"code\":\"malformed\""));
    ask("XADD k-peal-work#{1} * type connect nsp / sid s gateway g serial 1 asks 1");
    UNTIL(fixture, fixture->two.messages == 2);
    assert_non_null(strstr(fixture->two.last, "not available"));
    ask("EVAL return(redis.call('XADD','k-peal-work#{1}','*','type','event','nsp','/','sid','s',"
        "'gateway','g','serial','1','ack','5','x',string.rep('x',90000))) 0");
    UNTIL(fixture, fixture->two.messages == 3);
    assert_non_null(strstr(fixture->two.last, "\"code\":\"too_large\""));
    UNTIL(fixture, a.feed->stats.buried == 6);
    assert_int_equal(a.feed->stats.in_hand, 0);
}

/* An entry whose reading breaks the connection, each time. */
static void test_an_entry_that_cannot_be_read(void **state)
{
    (void)state;
    fixture_set(fixture, "redis.command_timeout=10000"); /* its making takes a while */
    fixture_set(fixture, "worker.lease_time=10000");
    serve();
    hear_gateway();
    add("g-1");
    ask("EVAL "
        "return(redis.call('XADD','k-peal-work#{1}','*','id','big','type','event','nsp','/','sid',"
        "'s','gateway','g','serial','1','ack','5','x',string.rep('x',80000000))) 0");
    add("g-2");
    start(&a, "A");
    UNTIL(fixture, a.n == 2);
    assert_string_equal(a.ids[0], "g-1");
    assert_string_equal(a.ids[1], "g-2");
    assert_int_equal(a.feed->stats.bad, 1);
    const char *dead = ask("XRANGE k-peal-dead - +");
    assert_non_null(strstr(dead, "dead.why larger than work.max_item"));
    assert_non_null(strstr(dead, "dead.size 80000"));
    UNTIL(fixture, fixture->two.messages == 1);
    assert_non_null(strstr(fixture->two.last, "\"code\":\"too_large\""));
    assert_non_null(strstr(dead, "id big"));
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "2");
}

static const char *const kept[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

/* Redis was away, and an item comes that has come since. */
static void restart_with_item(void)
{
    if (!redis_server_is_there()) skip();
    fixture_serve(fixture, kept);
    fixture_link(fixture, &fixture->one, "test");
    UNTIL(fixture, fixture->one.ups == 1);
    start(&a, "A");
    UNTIL(fixture, a.feed->stats.partitions == 4);
    redis_server_stop(&fixture->server);
    UNTIL(fixture, a.feed->ops->trouble(a.feed));
    redis_server_start(&fixture->server, kept);
    UNTIL(fixture, !a.feed->ops->trouble(a.feed) && fixture->one.ups == 2);
    add("g-1");
    UNTIL(fixture, a.n == 1);
}

static void finish_with_ack(unsigned i)
{
    struct wk_result r;
    struct node_cmd c = {
        .type = NODE_ACK, .nsp = SV("/"), .sid = SV("s"), .serial = 1, .json = SV("[1]")};
    wk_result_init(&r);
    assert_true(wk_result_direct(&r, SV("g"), &c, 1024));
    a.feed->ops->finish(a.feed, &a.tickets[i], &r);
}

static void test_results_wait_for_a_gateway_that_is_not_back_yet(void **state)
{
    (void)state;
    fixture_set(fixture, "redis.backoff_max=5000");
    restart_with_item();
    add("g-2");
    UNTIL(fixture, a.n == 2);
    finish_with_ack(0);
    UNTIL(fixture, strcmp(ask("XLEN k-peal-work#{1}"), "2") != 0 ||
                       strcmp(ask("EXISTS k-peal-held#{1}"), "1") == 0);
    finish(&a, 1, "r");
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "2");
    fixture_link(fixture, &fixture->two, "gateway");
    UNTIL(fixture, fixture->two.ups == 1);
    const struct str_view channels[] = {SV("k-peal-direct#g"), SV("k#/#r#")};
    redis_link_subscribe(fixture->two.link, false, &channels[1], 1);
    redis_link_subscribe(fixture->two.link, false, &channels[0], 1);
    UNTIL(fixture, a.feed->stats.finished == 2 && fixture->two.messages == 2);
    assert_non_null(strstr(fixture->two.last, "k#/#r#")); /* in their order */
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "0");
}

static void test_results_do_not_wait_for_ever(void **state)
{
    (void)state;
    restart_with_item();
    finish_with_ack(0);
    UNTIL(fixture, a.feed->stats.finished == 1);
    assert_string_equal(ask("XLEN k-peal-work#{1}"), "0");
}

static void test_a_gateway_that_is_not_back_yet_is_not_lost(void **state)
{
    (void)state;
    fixture_set(fixture, "redis.backoff_max=5000");
    restart_with_item();
    struct str_view argv[] = {SV("HSET"), SV("k-peal-sockets#slow"), SV("/\nsid1"),
                              SV("{\"serial\":5,\"user\":\"u1\",\"claims\":{},\"data\":null}")};
    redis_link_command(fixture->one.link, NULL, NULL, 4, argv);
    /* Renewed often enough that a sweep would have been due in between. */
    for (unsigned i = 0; i < 3; i++) {
        ask("SET k-peal-clock 1 PX 1000");
        UNTIL(fixture, strcmp(ask("EXISTS k-peal-clock"), "0") == 0);
    }
    assert_string_equal(ask("EXISTS k-peal-sockets#slow"), "1");
    assert_int_equal(a.n, 1);
}

static void test_redis_away(void **state)
{
    (void)state;
    if (!redis_server_is_there()) skip();
    fixture_serve(fixture, kept);
    fixture_link(fixture, &fixture->one, "test");
    UNTIL(fixture, fixture->one.ups == 1);
    start(&a, "A");
    add("g-1");
    add("g-2");
    UNTIL(fixture, a.n == 2);
    redis_server_stop(&fixture->server);
    finish(&a, 0, NULL);
    UNTIL(fixture, a.feed->ops->trouble(a.feed));
    redis_server_start(&fixture->server, kept);
    UNTIL(fixture, !a.feed->ops->trouble(a.feed) && fixture->one.ups == 2);
    /* In time: it was sent again. Too late: the item came again. */
    UNTIL(fixture, a.feed->stats.finished == 1 || a.n >= 4);
    unsigned last = a.n - 1;
    assert_string_equal(a.ids[last], "g-2");
    if (!a.feed->stats.finished) finish(&a, last - 1, NULL);
    finish(&a, last, NULL);
    UNTIL(fixture, strcmp(ask("XLEN k-peal-work#{1}"), "0") == 0);
}

static void test_a_lost_gateways_sockets_are_disconnected(void **state)
{
    (void)state;
    serve();
    struct str_view argv[] = {SV("HSET"), SV("k-peal-sockets#gone"), SV("/\nsid1"),
                              SV("{\"serial\":5,\"user\":\"u1\",\"claims\":{},\"data\":null}")};
    redis_link_command(fixture->one.link, NULL, NULL, 4, argv);
    argv[1] = SV("k-peal-sockets#alive");
    redis_link_command(fixture->one.link, NULL, NULL, 4, argv);
    ask("SET k-peal-node#alive {}");
    start(&a, "A");
    UNTIL(fixture, a.n == 1);
    assert_int_equal(strncmp(a.ids[0], "gone-", 5), 0);
    assert_string_equal(ask("EXISTS k-peal-sockets#gone"), "0");
    assert_string_equal(ask("EXISTS k-peal-sockets#alive"), "1");
    finish(&a, 0, NULL);
    UNTIL(fixture, a.feed->stats.finished == 1);
}

/* A note that is sent again, since the connection broke, is no second death. */
static void test_notes_count_who_began(void **state)
{
    static const char *const begins[] = {"A", "A", "B", "B", "A"};
    static const char *const counts[] = {"[ 1]", "[ 1]", "[ 2]", "[ 2]", "[ 3]"};
    (void)state;
    serve();
    for (size_t i = 0; i < 5; i++) {
        const char *me = begins[i];
        const char *const set[] = {"1", "lease", me};
        const char *const note[] = {"5", "lease", "stream", "tries", "held", "dead", me,   me,
                                    "1", "10",    "1000",   "",      "k",    "n",    "1-1"};
        eval("return redis.call('SET', KEYS[1], ARGV[1])", set, 3);
        assert_string_equal(eval(wk_script_act, note, sizeof(note) / sizeof(note[0])), counts[i]);
    }
}

static const char *tell_orphan(const char *lease, const char *note)
{
    const char *const words[] = {"4",   "sockets", "stream", "lease", "node",
                                 lease, "/\nsid1", note,     "field", "value"};
    return eval(wk_script_orphan, words, sizeof(words) / sizeof(words[0]));
}

/* Between looking and telling the gateway may come back, the socket may go, the lease may be lost. */
static void test_a_lost_socket_is_told_only_if_it_is_still_so(void **state)
{
    static const char *const note[] = {"1", "sockets", "/\nsid1", "{}"};
    (void)state;
    serve();
    eval("return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])", note, 4);
    assert_string_equal(tell_orphan("A", "{}"), "-1"); /* nobody has the lease */
    ask("SET lease A");
    ask("SET node {}");
    assert_string_equal(tell_orphan("A", "{}"), "-1"); /* the gateway is back */
    ask("DEL node");
    assert_string_equal(tell_orphan("B", "{}"), "-1");
    assert_string_equal(tell_orphan("A", "{\"n\":1}"), "0"); /* another note */
    assert_string_equal(ask("EXISTS stream"), "0");
    assert_string_equal(tell_orphan("A", "{}"), "1");
    assert_string_equal(ask("XLEN stream"), "1");
    assert_string_equal(ask("EXISTS sockets"), "0");
    assert_string_equal(tell_orphan("A", "{}"), "0"); /* once */
    assert_string_equal(ask("XLEN stream"), "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish_all)
        TEST(test_takes_all_and_finishes_once),
        TEST(test_shares_and_gives_back),
        TEST(test_a_fenced_result_has_no_effect),
        TEST(test_an_effect_that_no_message_takes),
        TEST(test_steps_are_heard_or_not),
        TEST(test_suspects_come_one_at_a_time),
        TEST(test_what_is_no_item_is_buried),
        TEST(test_redis_without_memory),
        TEST(test_dead_letters_that_are_refused),
        TEST(test_who_waits_for_what_is_no_item_is_told),
        TEST(test_an_entry_that_cannot_be_read),
        TEST(test_redis_away),
        TEST(test_results_wait_for_a_gateway_that_is_not_back_yet),
        TEST(test_results_do_not_wait_for_ever),
        TEST(test_a_gateway_that_is_not_back_yet_is_not_lost),
        TEST(test_a_lost_gateways_sockets_are_disconnected),
        TEST(test_notes_count_who_began),
        TEST(test_a_lost_socket_is_told_only_if_it_is_still_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
