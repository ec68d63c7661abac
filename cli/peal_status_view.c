/* The document is built here and printed in peal_status_print.c. */

/* System */
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* Third party */
#include <jansson.h>
/* Util */
#include "util/x_alloc.h"
/* This process */
#include "peal_status_view.h"

#define NUMBER_MAX 1000000000000000 /* sums of them stay in bounds */
#define TEXT_MAX 64                 /* of what a table's cell holds */
#define ERROR_MAX 200

/* --- strange texts */

/* Printable ASCII, not long: it goes to a terminal. */
static json_t *clean(struct str_view text, size_t most)
{
    char out[ERROR_MAX + 3];
    size_t n = text.n < most ? text.n : most;
    for (size_t i = 0; i < n; i++)
        out[i] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?';
    if (n < text.n) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    return json_stringn(out, n);
}

static json_t *clean_text(struct str_view text)
{
    return clean(text, TEXT_MAX);
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

/* --- the document */

struct json_t *peal_status_view_new(const char *where, const char *key, int64_t wall_s)
{
    char stamp[32];
    struct tm tm;
    time_t t = (time_t)wall_s;
    json_t *view = json_object(), *redis = json_object();
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    json_object_set_new(redis, "where", clean(sv_of(where), ERROR_MAX));
    json_object_set_new(redis, "connected", json_true());
    json_object_set_new(view, "time", json_string(stamp));
    json_object_set_new(view, "key", clean_text(sv_of(key)));
    json_object_set_new(view, "ready", json_false());
    json_object_set_new(view, "redis", redis);
    json_object_set_new(view, "nodes", json_array());
    json_object_set_new(view, "workers", json_array());
    return view;
}

void peal_status_view_set_error(struct json_t *view, bool is_connected, struct str_view why)
{
    json_t *redis = json_object_get(view, "redis");
    json_object_set_new(redis, "connected", json_boolean(is_connected));
    json_object_set_new(redis, "error", clean(why, ERROR_MAX));
}

void peal_status_view_set_info(struct json_t *view, struct str_view info)
{
    const struct str_view name = SV("redis_version:");
    while (info.n) {
        size_t n = sv_find(info, '\n');
        struct str_view line = sv_make(info.p, n && info.p[n - 1] == '\r' ? n - 1 : n);
        if (sv_starts_with(line, name))
            json_object_set_new(json_object_get(view, "redis"), "version",
                                clean_text(sv_skip(line, name.n)));
        info = sv_skip(info, n < info.n ? n + 1 : n);
    }
}

/* --- nodes */

static void copy_member(json_t *node, const json_t *beat, const char *member, json_type type)
{
    const json_t *value = json_object_get(beat, member);
    if (!value) return;
    if (type == JSON_STRING && json_is_string(value))
        json_object_set_new(
            node, member, clean_text(sv_make(json_string_value(value), json_string_length(value))));
    if (type == JSON_INTEGER && json_is_integer(value) && json_integer_value(value) >= 0 &&
        json_integer_value(value) <= NUMBER_MAX)
        json_object_set_new(node, member, json_integer(json_integer_value(value)));
    if (type == JSON_TRUE && json_is_boolean(value))
        json_object_set_new(node, member, json_boolean(json_is_true(value)));
}

/* One word or a few: ready, or what stands against it. */
static json_t *state_of(const json_t *beat, const json_t *node)
{
    const json_t *stopping = json_object_get(node, "stopping");
    const json_t *trouble = json_object_get(node, "trouble");
    if (!beat) return json_string("unreadable heartbeat");
    if (json_is_true(stopping)) return json_string("stopping");
    if (trouble && json_string_length(trouble)) return json_string(json_string_value(trouble));
    return json_string(stopping && trouble ? "ready" : "unknown");
}

struct member {
    const char *name;
    json_type type;
};

/* Gives a reference to the entry, which is in the list already; NULL in *beat: not readable. */
static json_t *add(json_t *list, struct str_view id, json_t **beat, struct str_view heartbeat,
                   const struct member *members)
{
    json_t *one = json_object();
    *beat = json_loadb(heartbeat.p, heartbeat.n, JSON_REJECT_DUPLICATES, NULL);
    if (*beat && !json_is_object(*beat)) {
        json_decref(*beat);
        *beat = NULL;
    }
    json_object_set_new(one, "id", clean_text(id));
    for (; members->name; members++)
        copy_member(one, *beat, members->name, members->type);
    json_array_append(list, one);
    return one;
}

static void set_age(json_t *one, int64_t expires_ms, int64_t timeout_ms)
{
    if (expires_ms >= 0 && expires_ms <= timeout_ms)
        json_object_set_new(one, "heartbeat_age_ms", json_integer(timeout_ms - expires_ms));
}

void peal_status_view_add_node(struct json_t *view, struct str_view id, struct str_view heartbeat,
                               int64_t expires_ms, int64_t timeout_ms)
{
    static const struct member members[] = {
        {"host", JSON_STRING},           {"pid", JSON_INTEGER},         {"version", JSON_STRING},
        {"port", JSON_INTEGER},          {"connections", JSON_INTEGER}, {"sockets", JSON_INTEGER},
        {"rooms", JSON_INTEGER},         {"channels", JSON_INTEGER},    {"lag_us", JSON_INTEGER},
        {"canary_age_ms", JSON_INTEGER}, {"gaps", JSON_INTEGER},        {"pending", JSON_INTEGER},
        {"stopping", JSON_TRUE},         {"trouble", JSON_STRING},      {NULL, JSON_NULL},
    };
    json_t *beat;
    json_t *node = add(json_object_get(view, "nodes"), id, &beat, heartbeat, members);
    json_object_set_new(node, "state", state_of(beat, node));
    set_age(node, expires_ms, timeout_ms);
    json_decref(node);
    json_decref(beat);
}

void peal_status_view_add_worker(struct json_t *view, struct str_view id, struct str_view heartbeat,
                                 int64_t expires_ms, int64_t timeout_ms)
{
    static const struct member members[] = {{"pid", JSON_INTEGER},
                                            {"partitions", JSON_INTEGER},
                                            {"in_hand", JSON_INTEGER},
                                            {"backlog", JSON_INTEGER},
                                            {NULL, JSON_NULL}};
    json_t *beat;
    json_t *worker = add(json_object_get(view, "workers"), id, &beat, heartbeat, members);
    set_age(worker, expires_ms, timeout_ms);
    json_decref(worker);
    json_decref(beat);
}

static int64_t port_of(const json_t *node)
{
    return json_integer_value(json_object_get(node, "port"));
}

/* By host, port and id, so that a node keeps its place from one look to the next. */
static int compare(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int order = strcmp(text_of(x, "host"), text_of(y, "host"));
    if (order) return order;
    if (port_of(x) != port_of(y)) return port_of(x) < port_of(y) ? -1 : 1;
    return strcmp(text_of(x, "id"), text_of(y, "id"));
}

static void sort_nodes(json_t *nodes)
{
    size_t n = json_array_size(nodes);
    json_t **sorted = x_calloc(n + 1, sizeof(json_t *));
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_incref(json_array_get(nodes, i));
    qsort(sorted, n, sizeof(json_t *), compare);
    for (size_t i = 0; i < n; i++)
        json_array_set_new(nodes, i, sorted[i]);
    x_free(sorted);
}

/* --- the whole */

void peal_status_view_finish(struct json_t *view, int64_t subscribers)
{
    static const char *const sums[] = {"connections", "sockets", "gaps", "pending"};
    json_t *nodes = json_object_get(view, "nodes"), *totals = json_object(), *node;
    size_t n = json_array_size(nodes), ready = 0, i;
    sort_nodes(nodes);
    sort_nodes(json_object_get(view, "workers"));
    json_array_foreach(nodes, i, node) if (strcmp(text_of(node, "state"), "ready") == 0) ready++;
    json_object_set_new(totals, "nodes", json_integer((json_int_t)n));
    json_object_set_new(totals, "ready", json_integer((json_int_t)ready));
    for (size_t s = 0; s < sizeof(sums) / sizeof(sums[0]); s++) {
        json_int_t sum = 0;
        json_array_foreach(nodes, i, node) sum +=
            json_integer_value(json_object_get(node, sums[s]));
        json_object_set_new(totals, sums[s], json_integer(sum));
    }
    json_object_set_new(view, "totals", totals);
    if (subscribers >= 0)
        json_object_set_new(view, "other_servers",
                            json_integer(subscribers > (int64_t)n ? subscribers - (int64_t)n : 0));
    bool is_asked = !json_object_get(json_object_get(view, "redis"), "error");
    json_object_set_new(view, "ready", json_boolean(is_asked && n && ready == n));
}

bool peal_status_view_is_ready(const struct json_t *view)
{
    return json_is_true(json_object_get(view, "ready"));
}
