/* What `peal status` shows, as one JSON document, which --json prints as it is:
 *
 *   {"time": "2026-01-31T12:00:00Z", "key": "socket.io", "ready": true,
 *    "redis": {"where", "connected", "version", "error"},
 *    "nodes": [{"id", "state", "heartbeat_age_ms", "host", "pid", …}],
 *    "other_servers": 2,
 *    "totals": {"nodes", "ready", "connections", "sockets", "gaps", "pending"}}
 *
 * Heartbeats are anybody's who can write to that Redis: of them go in only members that are known,
 * of the right type and in bounds; texts are printable ASCII and short. What is not known is
 * missing. No I/O but printing. */
#ifndef PEAL_CLI_PEAL_STATUS_VIEW_H
#define PEAL_CLI_PEAL_STATUS_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "util/str_view.h"

struct json_t; /* jansson's */

/* A document without nodes. Gives: json_decref. */
struct json_t *peal_status_view_new(const char *where, const char *key, int64_t wall_s);
/* Redis cannot be asked, or not for that. */
void peal_status_view_set_error(struct json_t *view, bool is_connected, struct str_view why);
/* Redis's answer to INFO. */
void peal_status_view_set_info(struct json_t *view, struct str_view info);
/* A node: its id, its heartbeat, and the ms until that expires (-1: never), of timeout ms. */
void peal_status_view_add_node(struct json_t *view, struct str_view id, struct str_view heartbeat,
                               int64_t expires_ms, int64_t timeout_ms);
/* The same for a worker. */
void peal_status_view_add_worker(struct json_t *view, struct str_view id, struct str_view heartbeat,
                                 int64_t expires_ms, int64_t timeout_ms);
/* All is in: orders the nodes, counts totals. subscribers: of the request channel of "/", below 0
 * if that is not known. */
void peal_status_view_finish(struct json_t *view, int64_t subscribers);

bool peal_status_view_is_ready(const struct json_t *view);

void peal_status_view_print_json(const struct json_t *view, bool is_compact, FILE *to);
void peal_status_view_print_table(const struct json_t *view, int64_t timeout_ms, FILE *to);

#endif
