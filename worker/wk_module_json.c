/* jansson for modules: values that belong to an event, and values as text. */

/* Third party */
#include <jansson.h>
/* Util */
#include "util/x_alloc.h"
/* This process */
#include "wk_module_parts.h"

#define JSON_MAX (16u << 20)

void wk_module_json_free(struct peal_event *e)
{
    for (size_t i = 0; i < e->nparsed; i++)
        json_decref(e->parsed[i]);
    x_free(e->parsed);
}

static json_t *parse(struct peal_event *e, const char *text, size_t size)
{
    json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!value) return NULL;
    e->parsed = x_realloc(e->parsed, (e->nparsed + 1) * sizeof(json_t *));
    e->parsed[e->nparsed++] = value;
    return value;
}

json_t *peal_json(struct peal_event *e, const char *text)
{
    return text ? parse(e, text, strlen(text)) : NULL;
}

json_t *peal_args_json(struct peal_event *e)
{
    if (e->args_json) return e->args_json;
    struct str_view args = wk_job_item(e->job)->args;
    e->args_json = parse(e, args.n ? args.p : "[]", args.n ? args.n : 2);
    if (e->args_json) json_array_remove(e->args_json, 0);
    return e->args_json;
}

static int on_dump(const char *p, size_t n, void *arg)
{
    return buf_add(arg, p, n) ? 0 : -1;
}

static const char *dump(struct buf *out, const json_t *value)
{
    buf_init(out, JSON_MAX);
    if (!value || json_dump_callback(value, on_dump, out, JSON_COMPACT | JSON_ENCODE_ANY))
        return NULL;
    return buf_cstr(out);
}

bool peal_emit_json(struct peal_event *e, const struct peal_target *to, const json_t *array)
{
    struct buf text;
    const char *json = dump(&text, array);
    bool ok = json && peal_emit(e, to, json);
    buf_fini(&text);
    return ok;
}

bool peal_ack_json(struct peal_event *e, const json_t *array)
{
    struct buf text;
    const char *json = dump(&text, array);
    bool ok = json && peal_ack(e, json);
    buf_fini(&text);
    return ok;
}
