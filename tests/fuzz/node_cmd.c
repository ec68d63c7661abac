/* Commands to a node. What must hold: what is taken has proved texts, within the limits; written anew
 * it is taken again and says the same, in the same bytes; cut short it is malformed. */
/* System */
#include <assert.h>
#include <stdint.h>
/* Proto */
#include "proto/json_scan.h"
/* Cluster */
#include "cluster/node_cmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COMMANDS_MAX 1000

static void check_list(const struct str_view *a, unsigned na, const struct str_view *b, unsigned nb)
{
    assert(na == nb);
    for (unsigned i = 0; i < na; i++)
        assert(sv_eq(a[i], b[i]));
}

static void check_same(const struct node_cmd *a, const struct node_cmd *b)
{
    assert(a->type == b->type && sv_eq(a->nsp, b->nsp) && sv_eq(a->sid, b->sid));
    assert(a->serial == b->serial && a->ack_id == b->ack_id && sv_eq(a->json, b->json));
    assert(a->close == b->close && sv_eq(a->from, b->from) && a->token == b->token);
    check_list(a->rooms, a->nrooms, b->rooms, b->nrooms);
    check_list(a->attachments, a->nattachments, b->attachments, b->nattachments);
}

static void check(const struct node_cmd *c, size_t size)
{
    static struct node_cmd_space space;
    enum json_kind kind;
    struct node_cmd again;
    struct buf out, twice;
    const char *why;
    assert(c->nrooms <= NODE_CMD_ROOMS_MAX && c->nattachments <= NODE_CMD_ATTACHMENTS_MAX);
    if (c->json.n) {
        int rule = c->nattachments ? (int)c->nattachments : -1;
        assert(utf8_is_valid(c->json));
        assert(json_scan_value(c->json, JSON_DEPTH_LIMIT, rule, &kind, &why));
    }
    buf_init(&out, size); /* ours is the shortest form */
    buf_init(&twice, size);
    assert(node_cmd_encode(&out, c));
    struct str_view rest = buf_view(&out);
    assert(node_cmd_next(&rest, &again, &space, &why) && !rest.n && !why);
    check_same(c, &again);
    assert(node_cmd_encode(&twice, &again));
    assert(sv_eq(buf_view(&out), buf_view(&twice)));
    rest = sv_make(out.p, out.n - 1);
    assert(!node_cmd_next(&rest, &again, &space, &why) && why);
    buf_fini(&out);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct node_cmd_space space;
    struct str_view rest = {size ? (const char *)data : "", size};
    struct node_cmd c;
    const char *why = "";
    size_t before = rest.n;
    for (unsigned i = 0; i < COMMANDS_MAX && node_cmd_next(&rest, &c, &space, &why); i++) {
        assert(rest.n < before && !why);
        before = rest.n;
        check(&c, size);
    }
    assert(rest.n == before);
    return 0;
}
