/* The code's side for schema_test.py:
 *
 *   schema-probe items       items as the worker sends them, one a line
 *   schema-probe commands    each line of stdin is "<kind> <text>"; says "ok", or what is wrong
 *
 * kind: answer, or emit, join, leave, disconnect as the HTTP API takes them. */
/* System */
#include <stdio.h>
#include <string.h>
/* Cluster */
#include "cluster/command.h"
/* Worker */
#include "worker/wk_http_parts.h"

#define LINE_MAX_BYTES (1 << 20)

static void print_item(const struct work_item *item)
{
    struct buf out;
    buf_init(&out, LINE_MAX_BYTES);
    if (wk_http_put_item(&out, item, 1)) printf("%s\n", buf_cstr(&out));
    buf_fini(&out);
}

static void items(void)
{
    static const struct str_view binary[] = {SV("\0\1\xff"), SV("")};
    struct work_item item = {.type = WORK_EVENT,
                             .id = SV("gate0001-7"),
                             .nsp = SV("/chat"),
                             .sid = SV("gate0001AbCdEfGhIjKl"),
                             .gateway = SV("gate0001"),
                             .user = SV(""),
                             .claims = SV("{}"),
                             .data = SV("null"),
                             .time_ms = 1700000000123,
                             .event = SV("say \"hi\"\n"),
                             .args = SV("[\"say\", 1.50, {\"a\":[null]}, \"\\ud800\"]"),
                             .attachments = binary,
                             .nattachments = 2,
                             .wants_ack = true};
    print_item(&item);
    item.args = SV("[\"say\"]");
    item.nattachments = 0;
    item.wants_ack = false;
    item.user = SV("zo\xc3\xab");
    item.claims = SV("{\"sub\":\"zo\xc3\xab\"}");
    item.data = SV("[1]");
    print_item(&item);
    item.type = WORK_CONNECT;
    item.auth = SV("{\"room\":\"a\"}");
    item.address = SV("::1");
    item.transport = SV("websocket");
    item.asks = true;
    print_item(&item);
    item.type = WORK_DISCONNECT;
    item.reason = SV("transport close");
    print_item(&item);
}

static void check(char *line)
{
    static const char *const kinds[] = {"emit", "join", "leave", "disconnect"};
    static const enum command_type types[] = {COMMAND_EMIT, COMMAND_JOIN, COMMAND_LEAVE,
                                              COMMAND_DISCONNECT};
    char *space = strchr(line, ' ');
    if (!space) return;
    *space = '\0';
    struct str_view text = sv_of(space + 1);
    struct commands *c = NULL;
    struct buf err;
    buf_init(&err, 400);
    if (strcmp(line, "answer") == 0) c = commands_parse(text, ~0u, &err);
    for (size_t i = 0; i < 4; i++)
        if (strcmp(line, kinds[i]) == 0) c = commands_parse_kind(text, types[i], &err);
    printf("%s\n", c ? "ok" : buf_cstr(&err));
    commands_free(c);
    buf_fini(&err);
}

int main(int argc, char **argv)
{
    static char line[LINE_MAX_BYTES];
    if (argc == 2 && strcmp(argv[1], "items") == 0) {
        items();
        return 0;
    }
    if (argc != 2 || strcmp(argv[1], "commands") != 0) return 2;
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        check(line);
    }
    return 0;
}
