/* JSON goes through as it was written; json_scan proves it, so no receiver has to refuse it. */

/* Proto */
#include "proto/json_scan.h"
#include "proto/sio_packet.h"
/* This process */
#include "peal_emit_event.h"

static const char too_large[] = "it is larger than bus.max_message";
static const char not_utf8[] = "it is not UTF-8";

static bool refuse(const char **why, const char *reason)
{
    *why = reason;
    return false;
}

/* One argument of the event. */
static bool add_value(struct buf *out, const struct peal_emit_form *f, struct str_view value,
                      const char **why)
{
    enum json_kind kind;
    if (!utf8_is_valid(value)) return refuse(why, not_utf8);
    if (!f->is_text && !json_scan_value(value, f->max_depth - 1, -1, &kind, why)) return false;
    bool fits = f->is_text ? json_string_encode(out, value) : buf_add_sv(out, value);
    return fits || refuse(why, too_large);
}

/* ["event" */
static bool begin(struct buf *out, const struct peal_emit_form *f, const char **why)
{
    buf_clear(out);
    if (!utf8_is_valid(sv_of(f->event))) return refuse(why, "the event's name is not UTF-8");
    if (!buf_add_char(out, '[') || !json_string_encode(out, sv_of(f->event)))
        return refuse(why, too_large);
    return true;
}

static bool finish(struct buf *out, const char **why)
{
    struct str_view event;
    if (!buf_add_char(out, ']')) return refuse(why, too_large);
    return sio_event_is_legal(buf_view(out), &event, why);
}

bool peal_emit_event_from_args(struct buf *out, const struct peal_emit_form *f, char *const *args,
                               size_t n, size_t *wrong, const char **why)
{
    size_t ignored;
    if (!wrong) wrong = &ignored;
    *wrong = n;
    if (!begin(out, f, why)) return false;
    for (size_t i = 0; i < n; i++) {
        if (!buf_add_char(out, ',')) return refuse(why, too_large);
        if (add_value(out, f, sv_of(args[i]), why)) continue;
        *wrong = i;
        return false;
    }
    return finish(out, why);
}

static bool whole_line(struct buf *out, const struct peal_emit_form *f, struct str_view line,
                       const char **why)
{
    enum json_kind kind;
    struct str_view event;
    buf_clear(out);
    if (!utf8_is_valid(line)) return refuse(why, not_utf8);
    if (!json_scan_value(line, f->max_depth, -1, &kind, why)) return false;
    if (kind != JSON_ARRAY) return refuse(why, "it is no array [\"event\", …]");
    if (!sio_event_is_legal(line, &event, why)) return false;
    return buf_add_sv(out, line) || refuse(why, too_large);
}

bool peal_emit_event_from_line(struct buf *out, const struct peal_emit_form *f,
                               struct str_view line, const char **why)
{
    if (!f->event) return whole_line(out, f, line, why);
    if (!begin(out, f, why)) return false;
    if (!buf_add_char(out, ',')) return refuse(why, too_large);
    return add_value(out, f, line, why) && finish(out, why);
}
