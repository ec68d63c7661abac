/* Commands from a backend; the first byte says how they are read, the rest is the text. What must
 * hold: what is taken is bounded and proved, names can stand in a gateway, and an order of kinds;
 * what is refused has a reason. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
/* Cluster */
#include "cluster/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const struct str_view *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert(v[i].n > 0 && v[i].n <= COMMAND_ROOM_MAX && utf8_is_valid(v[i]));
        for (size_t k = 0; k < v[i].n; k++)
            assert((unsigned char)v[i].p[k] >= ' ' && v[i].p[k] != 0x7f);
    }
}

static void check_json(const struct command *c)
{
    enum json_kind kind;
    const char *why;
    struct str_view event;
    assert(json_scan_value(c->json, COMMAND_DEPTH_MAX + 1,
                           c->nattachments ? (int)c->nattachments : -1, &kind, &why));
    if (c->type == COMMAND_EMIT) assert(sio_event_is_legal(c->json, &event, &why));
    if (c->type == COMMAND_ACK) assert(kind == JSON_ARRAY);
    if (c->type == COMMAND_ERROR) assert(kind == JSON_OBJECT);
}

static void check(const struct command *c, size_t size)
{
    size_t bytes = 0;
    check_names(c->which.rooms, c->which.nrooms);
    check_names(c->which.except, c->which.nexcept);
    check_names(c->rooms, c->nrooms);
    assert(c->which.nrooms + c->which.nexcept + c->nrooms <= COMMAND_NAMES_MAX);
    assert(!c->is_own || (!c->which.nrooms && !c->which.nexcept && !c->nsp.n));
    assert(c->nsp.n == 0 || (c->nsp.n <= COMMAND_NSP_MAX && c->nsp.p[0] == '/'));
    assert(c->nattachments <= COMMAND_ATTACHMENTS_MAX);
    for (unsigned i = 0; i < c->nattachments; i++)
        bytes += c->attachments[i].n;
    assert(bytes <= size);
    if (c->json.p) check_json(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned order[] = {
        [COMMAND_JOIN] = 0, [COMMAND_LEAVE] = 1, [COMMAND_DATA] = 2,      [COMMAND_EMIT] = 3,
        [COMMAND_ACK] = 4,  [COMMAND_ERROR] = 5, [COMMAND_DISCONNECT] = 6};
    struct buf err;
    if (size == 0) return 0;
    buf_init(&err, 300);
    struct str_view text = {(const char *)data + 1, size - 1};
    struct commands *c = data[0] < '4'
                             ? commands_parse_kind(text, (enum command_type)(data[0] & 3), &err)
                             : commands_parse(text, data[0] == '4' ? 0x7f : data[0], &err);
    assert((c == NULL) == (err.n > 0));
    assert(utf8_is_valid(buf_view(&err)));
    for (size_t i = 0; c && i < commands_count(c); i++) {
        assert(commands_count(c) <= COMMANDS_MAX);
        check(commands_at(c, i), size);
        if (i) assert(order[commands_at(c, i - 1)->type] <= order[commands_at(c, i)->type]);
        if (data[0] < '4') assert(!commands_at(c, i)->is_own);
    }
    commands_free(c);
    buf_fini(&err);
    return 0;
}
