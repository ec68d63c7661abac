/* The table: one row a node, another for workers, columns as wide as their widest cell. All texts are clean already. */

/* System */
#include <string.h>
/* Third party */
#include <jansson.h>
/* This process */
#include "peal_status_view.h"

enum unit { UNIT_TEXT, UNIT_NUMBER, UNIT_MS, UNIT_US };

struct column {
    const char *head, *member;
    enum unit unit;
};

static const struct column node_columns[] = {
    {"NODE", "id", UNIT_TEXT},
    {"HOST", "host", UNIT_TEXT},
    {"PID", "pid", UNIT_NUMBER},
    {"VERSION", "version", UNIT_TEXT},
    {"PORT", "port", UNIT_NUMBER},
    {"CONNS", "connections", UNIT_NUMBER},
    {"SOCKETS", "sockets", UNIT_NUMBER},
    {"ROOMS", "rooms", UNIT_NUMBER},
    {"CHANNELS", "channels", UNIT_NUMBER},
    {"LAG", "lag_us", UNIT_US},
    {"CANARY", "canary_age_ms", UNIT_MS},
    {"GAPS", "gaps", UNIT_NUMBER},
    {"PENDING", "pending", UNIT_NUMBER},
    {"SEEN", "heartbeat_age_ms", UNIT_MS},
    {"STATE", "state", UNIT_TEXT},
};

static const struct column worker_columns[] = {
    {"WORKER", "id", UNIT_TEXT},
    {"PID", "pid", UNIT_NUMBER},
    {"PARTITIONS", "partitions", UNIT_NUMBER},
    {"IN HAND", "in_hand", UNIT_NUMBER},
    {"BACKLOG", "backlog", UNIT_NUMBER},
    {"SEEN", "heartbeat_age_ms", UNIT_MS},
};

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))
#define COLUMNS_MAX COUNT(node_columns)
#define CELL_MAX 80

static json_int_t integer(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

/* "-" for what is not known. */
static void write_cell(const json_t *node, const struct column *column, char cell[CELL_MAX])
{
    const json_t *value = json_object_get(node, column->member);
    long long n = json_integer_value(value);
    if (!value)
        snprintf(cell, CELL_MAX, "-");
    else if (column->unit == UNIT_TEXT)
        snprintf(cell, CELL_MAX, "%s", json_string_value(value));
    else if (column->unit == UNIT_NUMBER)
        snprintf(cell, CELL_MAX, "%lld", n);
    else if (column->unit == UNIT_MS)
        snprintf(cell, CELL_MAX, "%lld.%llds", n / 1000, n % 1000 / 100);
    else
        snprintf(cell, CELL_MAX, "%lld.%lldms", n / 1000, n % 1000 / 100);
}

static void measure(const json_t *nodes, const struct column *columns, size_t n, int *widths)
{
    char cell[CELL_MAX];
    const json_t *node;
    size_t i;
    for (size_t c = 0; c < n; c++) {
        widths[c] = (int)strlen(columns[c].head);
        json_array_foreach(nodes, i, node)
        {
            write_cell(node, &columns[c], cell);
            if ((int)strlen(cell) > widths[c]) widths[c] = (int)strlen(cell);
        }
    }
}

/* node NULL: the heads. */
static void print_row(const json_t *node, const struct column *columns, size_t n, const int *widths,
                      FILE *to)
{
    char cell[CELL_MAX];
    for (size_t c = 0; c < n; c++) {
        bool is_last = c + 1 == n, is_text = columns[c].unit == UNIT_TEXT;
        if (node)
            write_cell(node, &columns[c], cell);
        else
            snprintf(cell, sizeof(cell), "%s", columns[c].head);
        fprintf(to, "%*s%s",
                is_last   ? 0
                : is_text ? -widths[c]
                          : widths[c],
                cell, is_last ? "\n" : "  ");
    }
}

static void print_list(const json_t *list, const struct column *columns, size_t n, FILE *to)
{
    int widths[COLUMNS_MAX];
    const json_t *one;
    size_t i;
    measure(list, columns, n, widths);
    print_row(NULL, columns, n, widths, to);
    json_array_foreach(list, i, one) print_row(one, columns, n, widths, to);
}

static void print_redis(const json_t *view, FILE *to)
{
    const json_t *redis = json_object_get(view, "redis");
    const char *version = json_string_value(json_object_get(redis, "version"));
    const char *error = json_string_value(json_object_get(redis, "error"));
    const char *where = json_string_value(json_object_get(redis, "where"));
    const char *key = json_string_value(json_object_get(view, "key"));
    bool is_connected = json_is_true(json_object_get(redis, "connected"));
    fprintf(to, "Redis%s%s at %s, key %s, %s%s%s\n", version ? " " : "", version ? version : "",
            where, key, is_connected ? "connected" : "away", error ? ": " : "", error ? error : "");
}

static const char *plural(json_int_t n)
{
    return n == 1 ? "" : "s";
}

static void print_totals(const json_t *view, FILE *to)
{
    const json_t *totals = json_object_get(view, "totals");
    json_int_t n = integer(totals, "nodes"), sockets = integer(totals, "sockets");
    json_int_t connections = integer(totals, "connections"),
               others = integer(view, "other_servers");
    if (n)
        fprintf(to, "%lld gateway%s, %lld ready; %lld connection%s, %lld socket%s\n", n, plural(n),
                integer(totals, "ready"), connections, plural(connections), sockets,
                plural(sockets));
    if (others)
        fprintf(to, "+%lld other server%s on / (Node, or a gateway that is silent)\n", others,
                plural(others));
}

void peal_status_view_print_table(const struct json_t *view, int64_t timeout_ms, FILE *to)
{
    const json_t *nodes = json_object_get(view, "nodes");
    const json_t *workers = json_object_get(view, "workers");
    print_redis(view, to);
    if (json_object_get(json_object_get(view, "redis"), "error")) return;
    if (json_array_size(nodes) == 0) {
        fprintf(
            to,
            "No gateway has been heard of in the last %lld.%lld s. Are this Redis, its database "
            "and bus.key theirs?\n",
            (long long)timeout_ms / 1000, (long long)timeout_ms % 1000 / 100);
    } else {
        print_list(nodes, node_columns, COUNT(node_columns), to);
    }
    print_totals(view, to);
    if (json_array_size(workers)) print_list(workers, worker_columns, COUNT(worker_columns), to);
}

void peal_status_view_print_json(const struct json_t *view, bool is_compact, FILE *to)
{
    json_dumpf(view, to, JSON_ENSURE_ASCII | (is_compact ? JSON_COMPACT : JSON_INDENT(2)));
    fputc('\n', to);
}
